"""The engine's whole alphabet: what it is told (events) and what it asks for (commands).

Every event is written to the journal before the engine sees it, and every command before it is carried out,
so that folding the recorded events through the engine gives the recorded commands again. Bodies hold only
what decides: no process id, path, host or wall-clock duration.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from market.contract import Combo, Contract
from market.order import Fill, OrderStatus
from market.records import quickly_made
from market.series import Observation

# Names of slow series that the engine itself reads; a settlement's name ends with the day the future settles.
NET_ADVANCES = "nyse_net_advances"
VX_SETTLEMENT = "vx_settlement:"
DISTRIBUTION = "vnq_distribution"


class Feed(StrEnum):
    """Classes of streaming data whose liveness is proved separately."""

    INDEX = "index"
    FUTURE = "future"
    OPTION = "option"

    __hash__ = str.__hash__  # every snapshot names the feeds that live; an enumeration's own is slow


class Job(StrEnum):
    """Scheduled moments of a session, in New York time (bot/schedule.py)."""

    SETTLEMENT_FINAL = "settlement_final"  # 09:10, yesterday's VX settlements are final
    SESSION_OPEN = "session_open"  # 09:30
    SETTLEMENT_PROVISIONAL = "settlement_provisional"  # the VX settlement instant
    SESSION_REVIEW = "session_review"  # 16:20, daily signals of the completed session
    SESSION_END = "session_end"  # 17:00, day's account and reconciliation


@dataclass(frozen=True, slots=True)
class Opened:
    """First record of a journal and of each start: everything a replay needs besides the events."""

    schema: int
    mode: str
    account: str
    start: int  # 1 for the first start on this journal
    product: str
    packages: tuple[tuple[str, str], ...]
    rules: dict[str, Any]
    rules_hash: str
    seed: int | None = None
    evaluation_interval_s: float = 5.0
    # Days of scheduled releases: release -> year -> "MM-DD". Without a year, nothing is opened in it.
    calendar: dict[str, Any] = field(default_factory=dict)
    gateway_restart: str = "23:45"  # New York time; no orders within five minutes of it


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker session stands and announced the allow-listed account."""

    account: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The broker session ended or fell silent."""

    reason: str


@dataclass(frozen=True, slots=True)
class ContractsNamed:
    """Indexes and VX futures as the broker names them, with their ids."""

    contracts: tuple[Contract, ...]


@dataclass(frozen=True, slots=True)
class OptionsListed:
    """Every option the broker lists for one class and expiry.

    Rows are (strike, call con_id, put con_id), 0 where absent.
    """

    symbol: str
    trading_class: str
    expiry: date
    multiplier: int
    exchange: str
    rows: tuple[tuple[float, int, int], ...]


@quickly_made
@dataclass(frozen=True, slots=True)
class QuotesTaken:
    """Quotes that changed since the last snapshot: (con_id, bid, ask, last).

    `alive` lists the feeds that proved themselves.
    """

    quotes: tuple[tuple[int, float | None, float | None, float | None], ...]
    alive: tuple[Feed, ...]


@dataclass(frozen=True, slots=True)
class OpenInterestTold:
    """Contracts open of streamed options, as the broker counts them each morning: (con_id, count)."""

    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ObservationsKnown:
    """Values of a slow series, each with the moment from which it was known.

    bot/publications.py lists the names of all.
    """

    series: str
    observations: tuple[Observation, ...]


@quickly_made
@dataclass(frozen=True, slots=True)
class AccountTaken:
    """The account's figures as the broker states them, in USD."""

    nav_usd: float
    cash_usd: float
    init_margin_usd: float
    maint_margin_usd: float


@dataclass(frozen=True, slots=True)
class MarginTold:
    """The broker's answer to `AskMargin` of this key: by how much the order would raise the initial margin.

    None where no figure came, for `reason`.
    """

    key: str
    init_margin_change_usd: float | None
    reason: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class OrderReported:
    """Broker evidence about an order.

    `reason` is the broker's text, `code` its error code or 0.
    """

    order_ref: str
    perm_id: int
    status: OrderStatus
    filled: int = 0
    code: int = 0
    reason: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class Executed:
    """One execution of one leg (never the combo's own line)."""

    fill: Fill
    contract: Contract


@quickly_made
@dataclass(frozen=True, slots=True)
class PositionMoved:
    """The broker tells, without being asked, how many of a contract the account holds now."""

    con_id: int
    quantity: int


@quickly_made
@dataclass(frozen=True, slots=True)
class CommissionReported:
    """The commission of an execution."""

    exec_id: str
    commission_usd: float


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Everything the broker knows after a connection, each list complete (its end marker arrived)."""

    orders: tuple[OrderReported, ...]
    executions: tuple[Executed, ...]
    positions: tuple[tuple[int, int], ...]  # (con_id, contracts)
    commissions: tuple[CommissionReported, ...] = ()


@dataclass(frozen=True, slots=True)
class JobDue:
    """A scheduled moment of `session` has come.

    Each happens once a session.
    """

    job: Job
    session: date


@dataclass(frozen=True, slots=True)
class OperatorCommanded:
    """HALT or RESUME by a person, with the reason given."""

    verb: str
    who: str
    reason: str


class Condition(StrEnum):
    """What can be the matter with the machine the daemon runs on."""

    CLOCK = "clock"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class HostReported:
    """The daemon's machine is not as it should be, as `detail` says; without a detail it is again."""

    condition: Condition
    detail: str


@dataclass(frozen=True, slots=True)
class Halted:
    """The daemon itself halts trading: it has seen what only a person may judge."""

    reason: str


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request to the broker went unanswered or was refused; whoever still needs it asks again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The daemon was asked to stop: nothing new is decided, opening orders are cancelled."""

    reason: str


@quickly_made
@dataclass(frozen=True, slots=True)
class MoveWithheld:
    """A limit decided for a working order never went out: the one before still stands at the broker."""

    order_ref: str
    limit: float
    reason: str


OrderEvidence = OrderReported | Executed | CommissionReported
Event = (
    Opened
    | Connected
    | Disconnected
    | ContractsNamed
    | OptionsListed
    | QuotesTaken
    | OpenInterestTold
    | ObservationsKnown
    | AccountTaken
    | MarginTold
    | OrderReported
    | Executed
    | CommissionReported
    | PositionMoved
    | MoveWithheld
    | Reconciled
    | JobDue
    | OperatorCommanded
    | HostReported
    | Halted
    | RequestFailed
    | Stopping
)


@quickly_made
@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Send a new order.

    `combo` is bought; one leg makes a plain order of that leg's side.
    """

    order_ref: str
    decision: str
    combo: Combo
    quantity: int
    limit: float


@quickly_made
@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """Move the limit of a working order."""

    order_ref: str
    limit: float


@quickly_made
@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel a working order."""

    order_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class AskMargin:
    """Ask the broker what margin this order would need, by an order that is only judged and never placed."""

    key: str
    combo: Combo
    quantity: int
    limit: float


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Ask the broker which options it lists for one class and expiry."""

    symbol: str
    trading_class: str
    expiry: date


@quickly_made
@dataclass(frozen=True, slots=True)
class StreamLines:
    """The full set of contracts to stream from now on, ascending by con_id."""

    con_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Ask the broker for all it knows: something does not add up, or it is time."""

    reason: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell the operator.

    `level` is info, warning or error.
    """

    level: str
    name: str
    text: str


Command = PlaceOrder | ReplaceOrder | CancelOrder | AskMargin | ListOptions | StreamLines | Reconcile | Alert


@quickly_made
@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event and the moment it was taken, aware, by the product's own clock."""

    time: datetime
    event: Event
