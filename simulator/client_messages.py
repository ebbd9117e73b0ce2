"""What a client may ask, one small frozen value each.

The order of a dataclass's fields is the order on the wire and each annotation names its reader
(simulator/requests.py), so a request stands written down once.
"""

from dataclasses import dataclass
from typing import NewType

from simulator.model import OrderLeg


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """The twelve contract fields as the client wrote them; 0, 0.0 and the empty text mean "not given"."""

    con_id: int
    symbol: str
    security_type: str
    expiry: str
    strike: float
    right: str
    multiplier: str
    exchange: str
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str


#: Options of a calculation, of which there are none so far. The asyncio libraries write their number before
#: them, the official client does not.
CalculationOptions = NewType("CalculationOptions", str)
Legs = tuple[OrderLeg, ...]


@dataclass(frozen=True, slots=True)
class Hedge:
    """The delta-neutral note of a contract; absent when con_id is 0."""

    con_id: int = 0
    delta: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True)
class StartApi:
    """The client names itself."""

    client_id: int
    capabilities: str


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The next valid order id, please."""

    number: int


@dataclass(frozen=True, slots=True)
class RequestManagedAccounts:
    """The list of accounts."""


@dataclass(frozen=True, slots=True)
class RequestCurrentTime:
    """The gateway's clock."""


@dataclass(frozen=True, slots=True)
class SetServerLogLevel:
    """Taken and ignored."""

    level: int


@dataclass(frozen=True, slots=True)
class RequestMarketDataType:
    """1 live, 2 frozen, 3 delayed, 4 delayed and frozen; for later market-data requests."""

    kind: int


@dataclass(frozen=True, slots=True)
class RequestContractDetails:
    """Everything the security master knows about matching contracts."""

    req_id: int
    query: ContractQuery
    include_expired: bool
    sec_id_type: str
    sec_id: str
    issuer_id: str = ""


@dataclass(frozen=True, slots=True)
class RequestOptionParameters:
    """Expiries and strikes of an underlying's option classes."""

    req_id: int
    symbol: str
    fop_exchange: str
    security_type: str
    con_id: int


@dataclass(frozen=True, slots=True)
class RequestMarketRule:
    """Price steps of one rule."""

    rule_id: int


@dataclass(frozen=True, slots=True)
class RequestMatchingSymbols:
    """Symbols that start with a pattern."""

    req_id: int
    pattern: str


@dataclass(frozen=True, slots=True)
class RequestMarketData:
    """Ticks of one contract or combo, streaming or once."""

    req_id: int
    query: ContractQuery
    legs: Legs
    hedge: Hedge
    generic_ticks: str
    snapshot: bool
    regulatory_snapshot: bool
    options: str


@dataclass(frozen=True, slots=True)
class CancelMarketData:
    """No more ticks."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestHistory:
    """Bars that end at a time."""

    req_id: int
    query: ContractQuery
    include_expired: bool
    end: str
    bar_size: str
    duration: str
    regular_hours: bool
    what: str
    date_format: int
    legs: Legs
    keep_up_to_date: bool
    options: str


@dataclass(frozen=True, slots=True)
class CancelHistory:
    """No more bar updates."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestHeadTimestamp:
    """When a contract's history begins."""

    req_id: int
    query: ContractQuery
    include_expired: bool
    regular_hours: bool
    what: str
    date_format: int


@dataclass(frozen=True, slots=True)
class CancelHeadTimestamp:
    """Never mind."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestRealTimeBars:
    """Five-second bars."""

    req_id: int
    query: ContractQuery
    bar_size: int
    what: str
    regular_hours: bool
    options: str


@dataclass(frozen=True, slots=True)
class CancelRealTimeBars:
    """No more five-second bars."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestTickByTick:
    """Each trade or quote."""

    req_id: int
    query: ContractQuery
    kind: str
    number: int
    ignore_size: bool


@dataclass(frozen=True, slots=True)
class CancelTickByTick:
    """No more single ticks."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestImpliedVolatility:
    """The volatility behind an option price."""

    req_id: int
    query: ContractQuery
    option_price: float
    underlying_price: float
    options: CalculationOptions


@dataclass(frozen=True, slots=True)
class RequestOptionPrice:
    """The option price behind a volatility."""

    req_id: int
    query: ContractQuery
    volatility: float
    underlying_price: float
    options: CalculationOptions


@dataclass(frozen=True, slots=True)
class RequestAccountUpdates:
    """Account values and portfolio, now and whenever they change."""

    subscribe: bool
    account: str


@dataclass(frozen=True, slots=True)
class RequestAccountSummary:
    """Chosen account values, now and whenever they change."""

    req_id: int
    group: str
    tags: str


@dataclass(frozen=True, slots=True)
class CancelAccountSummary:
    """No more summaries."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestAccountUpdatesMulti:
    """Account values under a request id."""

    req_id: int
    account: str
    model: str
    ledger_only: bool


@dataclass(frozen=True, slots=True)
class CancelAccountUpdatesMulti:
    """No more of those."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestPositions:
    """Positions, now and whenever they change."""


@dataclass(frozen=True, slots=True)
class CancelPositions:
    """No more positions."""


@dataclass(frozen=True, slots=True)
class RequestPnl:
    """Profit and loss of the account, about once a second."""

    req_id: int
    account: str
    model: str


@dataclass(frozen=True, slots=True)
class CancelPnl:
    """No more profit and loss."""

    req_id: int


@dataclass(frozen=True, slots=True)
class RequestPnlSingle:
    """Profit and loss of one position, about once a second."""

    req_id: int
    account: str
    model: str
    con_id: int


@dataclass(frozen=True, slots=True)
class CancelPnlSingle:
    """No more of that position."""

    req_id: int


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel one order."""

    order_id: int
    manual_time: str = ""


@dataclass(frozen=True, slots=True)
class GlobalCancel:
    """Cancel every order of the account."""


@dataclass(frozen=True, slots=True)
class RequestOpenOrders:
    """Working orders of this client."""


@dataclass(frozen=True, slots=True)
class RequestAllOpenOrders:
    """Working orders of all clients."""


@dataclass(frozen=True, slots=True)
class RequestAutoOpenOrders:
    """Bind orders made by hand; only client 0 may ask."""

    bind: bool


@dataclass(frozen=True, slots=True)
class RequestCompletedOrders:
    """Orders that ended today."""

    api_only: bool


@dataclass(frozen=True, slots=True)
class RequestExecutions:
    """Executions of today that pass a filter; empty texts do not filter."""

    req_id: int
    client_id: str
    account: str
    time: str
    symbol: str
    security_type: str
    exchange: str
    side: str


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request of the protocol that this gateway knows by name and does not answer."""

    req_id: int
    name: str
    quiet: bool = False  # a cancel, which expects no answer
