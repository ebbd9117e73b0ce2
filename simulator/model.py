"""Nouns of the embedded gateway: instruments, ticks, raw orders and what the venue reports about them.

They carry what travels on the wire (raw leg action, raw order action, signed prices) and nothing of the
bot's own vocabulary, so that the gateway computes direction and cash for itself and cannot share a sign
mistake with the bot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from market.contract import Contract


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the venue's security master."""

    contract: Contract  # con_id is set
    local_symbol: str  # OCC symbol for options, e.g. 'SPXW  200320P02900000'
    long_name: str
    min_tick: float
    market_rules: tuple[tuple[str, int], ...]  # (exchange, market rule id), parallel to validExchanges
    underlying_con_id: int = 0
    primary_exchange: str = ""
    last_trade: datetime | None = None  # aware


@dataclass(frozen=True, slots=True)
class Chain:
    """What reqSecDefOptParams announces for one trading class on one exchange."""

    exchange: str
    underlying_con_id: int
    trading_class: str
    multiplier: int
    expiries: tuple[date, ...]  # as IBKR prints them: the last trading day for AM-settled classes
    strikes: tuple[float, ...]


class Tick(NamedTuple):
    """Top of book of one instrument. A named tuple, because every step of the market makes a hundred of them.

    A missing side is None; sizes are 0 then. For AD-NYSE bid/ask are advancers/decliners.
    """

    con_id: int
    bid: float | None = None
    ask: float | None = None
    bid_size: int = 0
    ask_size: int = 0
    last: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None  # previous session
    implied_volatility: float | None = None  # the model tick of options
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    model_price: float | None = None
    underlying: float | None = None
    halted: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One daily or intraday bar."""

    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int = 0


class Market(Protocol):
    """A world of prices behind the protocol.

    Deterministic: equal seed (or data) and equal steps give equal ticks.
    """

    halted: set[str]  # symbols, or classes, in which nothing trades at the moment

    @property
    def now(self) -> datetime:
        """Market time, aware (UTC)."""

    def advance(self, to: datetime) -> None:
        """Move market time forward.

        A step backwards raises ValueError.
        """

    def find(self, **fields: Any) -> Sequence[Instrument]:
        """Instruments that match every given field of a contract.

        Fields: symbol, security_type, trading_class, expiry as date or (year, month), strike, right,
        exchange, con_id, local_symbol. An instrument that expired is found by con_id only.
        """

    def instrument(self, con_id: int) -> Instrument | None:
        """The instrument with this id, if it was ever listed."""

    def chains(self, underlying_con_id: int) -> Sequence[Chain]:
        """Option chains listed on the underlying now."""

    def ticks(self, con_ids: Iterable[int], age_s: float = 0.0) -> Sequence[Tick]:
        """Quotes of `age_s` seconds ago, in the order asked for.

        Options are valued in one vectorised pass. Nothing is older than the session's open.
        """

    def is_open(self, con_id: int) -> bool:
        """Whether the instrument trades at this moment (its own regular segment)."""

    def settlement(self, con_id: int) -> float | None:
        """Final settlement value of the underlying (SPX: SOQ or close; VIX: VRO), None until determined."""

    def next_settlement(self) -> datetime | None:
        """The next instant after now at which some listed contract settles."""

    def bars(self, con_id: int, end: datetime, sessions: int, seconds: int = 0) -> Sequence[Bar]:
        """Bars of the last `sessions` sessions up to `end` and now: completed daily ones, or of `seconds`.

        None for options and breadth, and where a bar would be finer than the market's steps.
        """

    def daily_rows(self, series: str, first: date = date.min) -> Sequence[tuple[date, Mapping[str, float]]]:
        """Rows of a slow series, from `first` on, that are published by now, for the HTTP stand-ins."""

    def dump(self) -> dict[str, Any]:
        """The generator's full state as JSON values."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `dump` gave."""


@dataclass(frozen=True, slots=True)
class OrderLeg:
    """A leg exactly as the client wrote it."""

    con_id: int
    ratio: int
    action: str  # BUY or SELL
    exchange: str = "SMART"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A placeOrder message, decoded and not yet judged."""

    client_id: int
    order_id: int
    account: str
    con_id: int  # 0 for a BAG; the instrument otherwise
    symbol: str
    security_type: str
    exchange: str
    currency: str
    action: str
    quantity: float
    order_type: str
    limit_price: float | None
    aux_price: float | None
    tif: str
    order_ref: str
    legs: tuple[OrderLeg, ...] = ()
    leg_prices: tuple[float, ...] = ()
    transmit: bool = True
    what_if: bool = False
    outside_rth: bool = False
    smart_combo: tuple[tuple[str, str], ...] = ()
    good_till: str = ""  # of a GTD order, as the client wrote it
    algo: str = ""
    algo_params: tuple[tuple[str, str], ...] = ()
    raw: tuple[
        str, ...
    ] = ()  # every field as received, so that openOrder can echo what it does not interpret


class OrderState(StrEnum):
    """The broker's words for the state of an order."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    PENDING_CANCEL = "PendingCancel"
    INACTIVE = "Inactive"


@dataclass(slots=True)
class WorkingOrder:
    """An order as the venue keeps it."""

    request: OrderRequest
    perm_id: int
    state: OrderState
    filled: float = 0.0
    average_price: float = 0.0
    last_price: float = 0.0
    placed_at: datetime | None = None
    completed_at: datetime | None = None
    completed_status: str = ""
    reason: str = ""
    session: date | None = None  # the trading day on whose close a DAY order ends
    triggered: bool = False  # a stop order whose stop was reached
    rests_on: date | None = None  # the trading day on which it has met the book and stayed in it
    accrued_commission: float = 0.0  # broker's own commission so far, before the order's minimum
    leg_costs: tuple[float, ...] = ()  # per leg: sum of contracts times price, for the legs' average prices

    @property
    def remaining(self) -> float:
        """Units still to trade."""
        return self.request.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill as execDetails tells it.

    The combo's own line has security_type BAG and con_id 28812380.
    """

    exec_id: str
    order_id: int
    client_id: int
    perm_id: int
    account: str
    con_id: int
    security_type: str
    side: str  # BOT or SLD
    quantity: float
    price: float
    time: datetime
    exchange: str
    cumulative: float
    average_price: float
    order_ref: str
    commission: float | None = None  # None for the combo's line, which has no commission report
    realised_pnl: float | None = None


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """Send openOrder and/or orderStatus to the owner and to the clients that watch all orders."""

    order: WorkingOrder
    open_order: bool = True
    status: bool = True


@dataclass(frozen=True, slots=True)
class Executed:
    """Send execDetails, and the commission report afterwards."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class OrderError:
    """Send an error on the order id."""

    client_id: int
    order_id: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class WhatIfAnswer:
    """Send the one openOrder that answers a what-if request."""

    request: OrderRequest
    init_margin_change: float
    maint_margin_change: float
    init_margin_after: float
    maint_margin_after: float
    equity_after: float
    commission: float
    perm_id: int = 0


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Positions or account values moved: push position, portfolio and account messages to subscribers."""

    con_ids: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class OrderBound:
    """An order made by hand has got an id under which a client can change it."""

    order: WorkingOrder


Report = OrderChanged | Executed | OrderError | WhatIfAnswer | AccountChanged | OrderBound


@dataclass(frozen=True, slots=True)
class PositionLine:
    """A position as the account reports it.

    `average_cost` includes the multiplier and the commission.
    """

    con_id: int
    quantity: float
    average_cost: float
    market_price: float | None
    market_value: float | None
    unrealised_pnl: float | None
    realised_pnl: float
    daily_pnl: float | None = None  # since midnight in New York
