"""What a case says and reads, in the words of no client library."""

from dataclasses import dataclass, field

ACCOUNT = "DU0000000"
Legs = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """A contract as asked for; empty and 0 mean "not given". Legs are (contract id, action), each once."""

    kind: str
    symbol: str
    exchange: str = "SMART"
    con_id: int = 0
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    trading_class: str = ""
    legs: Legs = ()

    @property
    def fields(self) -> dict[str, object]:
        """The fields that are set, by the names that all libraries use."""
        named: dict[str, object] = {
            "secType": self.kind,
            "symbol": self.symbol,
            "exchange": self.exchange,
            "currency": "USD",
            "conId": self.con_id,
            "lastTradeDateOrContractMonth": self.expiry,
            "strike": self.strike,
            "right": self.right,
            "tradingClass": self.trading_class,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as placed; prices of single legs are refused by the venue."""

    limit: float
    quantity: float = 1
    action: str = "BUY"
    ref: str = ""
    leg_prices: tuple[float, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)  # further ones, by the names of all libraries


@dataclass(frozen=True, slots=True)
class Details:
    """What the security master knows."""

    con_id: int
    min_tick: float
    multiplier: str
    exchanges: tuple[str, ...]
    rules: tuple[str, ...]
    expiry: str
    trading_hours: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One class on one exchange."""

    trading_class: str
    exchange: str
    expiries: tuple[str, ...]
    strikes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """A market-data line as it stands; None is what was not told. `kind`: 1 live, 2 frozen, 3 delayed."""

    bid: float | None
    ask: float | None
    last: float | None
    bid_size: float | None
    delta: float | None
    volatility: float | None
    underlying: float | None
    kind: int | None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the client sees it."""

    order_id: int
    perm_id: int
    ref: str
    status: str
    filled: float = 0.0
    remaining: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; the fee is None for the line of the combination itself."""

    execution_id: str
    con_id: int
    kind: str
    side: str
    quantity: float
    price: float
    perm_id: int
    ref: str
    fee: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """One error or notice."""

    about: int
    code: int
    text: str
