"""What a test of conformance says and hears, in the same words for every client library.

A client is four desks. Each of them asks in its library's own way and answers in these terms. A request that
the gateway refuses raises `RefusedError` with the broker's code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class RefusedError(Exception):
    """The gateway answered a request with an error."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass(frozen=True)
class Wanted:
    """A contract as it is asked for; `legs` of a combination are (contract id, action)."""

    security_type: str
    symbol: str
    exchange: str = "SMART"
    trading_class: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    con_id: int = 0
    legs: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Named:
    """A contract as the gateway names it."""

    con_id: int
    trading_class: str
    expiry: str
    strike: float
    right: str
    multiplier: str
    min_tick: float
    exchanges: tuple[str, ...]
    rule_ids: tuple[int, ...]
    liquid_hours: str


@dataclass(frozen=True)
class Chain:
    """What is listed in one class."""

    trading_class: str
    expiries: tuple[str, ...]
    strikes: tuple[float, ...]


@dataclass(frozen=True)
class Order:
    """An order; `leg_prices` are those of a combination's legs."""

    action: str
    quantity: int
    limit: float = 0.0
    kind: str = "LMT"
    order_ref: str = ""
    tif: str = "DAY"
    stop: float = 0.0
    leg_prices: tuple[float, ...] = ()


@dataclass(frozen=True)
class Execution:
    """One execution. `side` is BOT or SLD."""

    exec_id: str
    perm_id: int
    con_id: int
    security_type: str
    side: str
    shares: float
    price: float
    order_ref: str


@dataclass(frozen=True)
class Told:
    """An order as the gateway last told of it."""

    status: str
    filled: float
    remaining: float
    perm_id: int


@dataclass(frozen=True)
class Ticks:
    """The first two-sided quote of a contract, and the model's volatility and delta of an option."""

    bid: float
    ask: float
    implied_volatility: float | None = None
    delta: float | None = None


@dataclass(frozen=True)
class Bar:
    """One bar of history."""

    date: str
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Gains:
    """Profit and loss; of an account, or of one position with its size."""

    daily: float
    unrealized: float
    position: float = 0.0


class Reference(Protocol):
    """Definitions."""

    def details(self, wanted: Wanted) -> list[Named]: ...
    def chains(self, symbol: str, con_id: int) -> list[Chain]: ...
    def price_steps(self, rule_id: int) -> list[tuple[float, float]]: ...
    def matching(self, pattern: str) -> list[str]: ...
    def server_time_s(self) -> float: ...
    def accounts(self) -> list[str]: ...


class Data(Protocol):
    """Quotes and history."""

    def set_kind(self, kind: int) -> None: ...
    def quote(self, wanted: Wanted, *, snapshot: bool = False) -> Ticks: ...
    def generic(self, wanted: Wanted, ticks: str) -> None: ...
    def history(self, wanted: Wanted, size: str, duration: str) -> list[Bar]: ...
    def following(self, wanted: Wanted) -> tuple[int, int]: ...
    def first_bar(self, wanted: Wanted) -> str: ...
    def schedule(self, wanted: Wanted) -> list[str]: ...
    def live_bars(self, wanted: Wanted) -> int: ...
    def single_ticks(self, wanted: Wanted, kind: str) -> int: ...
    def implied_volatility(self, wanted: Wanted, price: float, underlying: float) -> float: ...
    def option_price(self, wanted: Wanted, volatility: float, underlying: float) -> float: ...


class Orders(Protocol):
    """Orders and what became of them."""

    def what_if(self, wanted: Wanted, order: Order) -> float: ...
    def place(self, wanted: Wanted, order: Order) -> int: ...
    def modify(self, order_id: int, limit: float) -> None: ...
    def modify_as(self, order_id: int, wanted: Wanted, order: Order) -> None: ...
    def cancel(self, order_id: int) -> None: ...
    def cancel_all(self) -> None: ...
    def told(self, order_id: int) -> Told | None: ...
    def working(self, *, every_client: bool = False) -> list[str]: ...
    def completed(self) -> list[tuple[str, str]]: ...
    def executions(self) -> list[Execution]: ...
    def commissions_usd(self) -> dict[str, float]: ...


class Account(Protocol):
    """The account."""

    def values(self) -> dict[str, str]: ...
    def summary(self) -> dict[str, str]: ...
    def multi(self) -> dict[str, str]: ...
    def positions(self) -> dict[int, float]: ...
    def portfolio(self) -> dict[int, tuple[float, float]]: ...
    def gains(self) -> Gains: ...
    def gains_of(self, con_id: int) -> Gains: ...


@dataclass
class Client:
    """A connected client of one library."""

    library: str
    reference: Reference
    data: Data
    orders: Orders
    account: Account
    wait: Callable[[Callable[[], Any]], Any]  # until something is true, and that; fails after a while
    hang_up: Callable[[], None]
    errors: list[tuple[int, int, str]] = field(default_factory=list)  # (id, code, text)

    def await_error(self, code: int, about: int | None = None) -> str:
        """The text of an error with this code, now or within a while."""

        def found() -> str | None:
            same = (text for one, said, text in list(self.errors) if said == code and about in {None, one})
            return next((text or "-" for text in same), None)

        text: str = self.wait(found)
        return text

    def await_status(self, order_id: int, statuses: Sequence[str]) -> Told:
        """The order once it has one of these statuses."""

        def reached() -> Told | None:
            told = self.orders.told(order_id)
            return told if told is not None and told.status in statuses else None

        told: Told = self.wait(reached)
        return told
