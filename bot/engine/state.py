"""Everything the engine knows, as one immutable value.

A checkpoint is this value in canonical form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from bot.engine.decision import Decision
from bot.engine.observations import DailyInputs
from bot.engine.parameters import Parameters
from bot.events import AccountTaken, Command, Feed, Job, Opened
from market.contract import Combo, Contract, SecurityType
from market.order import Order
from market.portfolio import Portfolio
from market.quote import Quote
from market.records import quickly_made
from risk.state import RiskState
from strategies.base import Intent, Structure
from strategies.iron_condor import CondorState
from strategies.layers import LayersState
from strategies.vix_hedge import HedgeState


@quickly_made
@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order, what it is for, and how far its price has walked."""

    order: Order
    strategy: str
    structure_id: str
    intent: Intent
    limit_first: float
    limit_worst: float
    tick: float
    sent_at: datetime
    priced_at: datetime
    steps: int = 0
    moved_from: float | None = None  # the limit before the last move, for when that does not go out
    max_loss_points: float = 0.0
    reserves: bool = False
    fees_per_unit_usd: float = 0.0
    adjusts: bool = False
    reason: str = ""  # of the decision behind it
    filled_legs: tuple[tuple[int, int], ...] = ()  # signed contracts by con_id, from executions
    cost: float = 0.0  # points paid for them
    costed_units: int = 0  # whole units whose cost was told ...
    costed: float = 0.0  # ... and the points paid for those
    absent_since: datetime | None = None  # first complete broker snapshot that did not know the order
    disputed_since: datetime | None = None  # first one behind that proof in which something else differed
    ended_at: datetime | None = None
    told: int = 0  # most units filled by the broker's word; its executions may still be on their way
    executed_at: datetime | None = None
    doubted: bool = False  # the connection was lost while it worked: it is never moved again, only cancelled
    adopted: int = 0  # units known from the broker's positions alone: their executions are no longer told

    @property
    def awaits_executions(self) -> bool:
        """Ended, with fewer units filled here than by the broker's word: only executions fill anything."""
        return self.order.filled < self.told and self.order.status.is_terminal

    @property
    def has_odd_legs(self) -> bool:
        """Whether the executions so far do not make whole units."""
        filled = self.order.filled
        whole = {leg.contract.con_id: filled * leg.signed_ratio for leg in self.order.combo.legs if filled}
        return dict(self.filled_legs) != whole


@dataclass(frozen=True, slots=True)
class MarginAsk:
    """The last question about the margin of a structure's opening order, and the broker's answer to it."""

    key: str
    combo: Combo
    quantity: int
    asked_at: datetime
    told_at: datetime | None = None
    change_usd: float | None = None
    reason: str = ""  # why the last answer holds no figure; stays while it is asked again


@dataclass(frozen=True, slots=True)
class SettlementDue:
    """Cash of a class and expiry that settled: from `low_usd` to `high_usd`, None where nobody knows.

    `held` are the signed contracts at the settlement.
    """

    name: str
    held: tuple[tuple[Contract, int], ...]
    settled_at: datetime
    due_at: datetime
    low_usd: float | None = None
    high_usd: float | None = None
    told_on: date | None = None  # the day on which it was last told to be late


@dataclass(frozen=True, slots=True)
class BreakEvensToday:
    """A condor's levels of today as its session measured them: side, level and volatility there.

    They are those of the condor after `adjustments` adjustments; `told` says that one was near already.
    """

    session: date
    adjustments: int
    levels: tuple[tuple[str, float, float], ...]
    told: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A contract of which the broker holds another count than the executions say, in signed contracts.

    Both counts are those of the moment at which it was told last; `since` is when it was told first.
    """

    mine: int
    broker: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """Every option the broker lists for one class and expiry."""

    trading_class: str
    expiry: date
    contracts: tuple[Contract, ...]


REIT_SYMBOL = "VNQ"


def is_always_streamed(contract: Contract) -> bool:
    """Whether signals read it: indexes, VX futures and the REIT fund; the rest only while it is wanted."""
    kind = contract.security_type
    if kind is SecurityType.STOCK:
        return contract.symbol == REIT_SYMBOL
    return kind is SecurityType.INDEX or contract.trading_class == "VX"


@dataclass(frozen=True, slots=True)
class LiquidityWatch:
    """When the quick ratio was last told, whether it was low then, and when it was last told to be low."""

    told: date | None = None
    is_low: bool = False
    low_on: date | None = None


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine's whole memory: recursions, rolling windows and the book, never raw history."""

    opened: Opened | None = None
    parameters: Parameters | None = None
    time: datetime | None = None
    connected: bool = False
    announced: str = ""  # the account the broker announced in this connection
    epoch: int = 0  # number of this connection, as the broker's side counts them
    reconciled: bool = False
    stopping: bool = False
    starts: tuple[datetime, ...] = ()  # starts since the last clean stop
    session: date | None = None
    contracts: Mapping[int, Contract] = field(default_factory=dict)
    listings: Mapping[str, Listing] = field(default_factory=dict)
    requested_listings: tuple[str, ...] = ()
    quotes: Mapping[int, Quote] = field(default_factory=dict)
    alive: Mapping[Feed, datetime] = field(default_factory=dict)
    feeds_asked: Mapping[Feed, datetime] = field(
        default_factory=dict
    )  # since when lines of a feed are asked for
    open_interest: Mapping[int, int] = field(default_factory=dict)  # contracts open, of options streamed
    lines: tuple[int, ...] = ()
    short_of_lines: tuple[str, ...] = ()  # strategies some of whose lines do not fit into the budget
    account: AccountTaken | None = None
    account_time: datetime | None = None
    session_nav_usd: float | None = None  # NAV at the open of the session
    peak_nav_usd: float | None = None
    structures: Mapping[str, Structure] = field(default_factory=dict)
    orders: Mapping[str, OrderLine] = field(default_factory=dict)
    portfolio: Portfolio = field(default_factory=Portfolio)
    margins: Mapping[str, MarginAsk] = field(default_factory=dict)  # by structure
    settling: Mapping[str, SettlementDue] = field(default_factory=dict)  # cash that has to come
    settling_since: datetime | None = None  # the account's figures before it ...
    settling_cash_usd: float = 0.0  # ... and their cash
    risk: RiskState = field(default_factory=RiskState)
    condor: CondorState = field(default_factory=CondorState)
    layers: LayersState = field(default_factory=LayersState)
    hedge: HedgeState = field(default_factory=HedgeState)
    daily: DailyInputs = field(default_factory=DailyInputs)
    recalibrated: Mapping[str, date] = field(default_factory=dict)  # condor -> session of its break-evens
    break_evens_today: Mapping[str, BreakEvensToday] = field(default_factory=dict)  # by condor
    liquidity: LiquidityWatch = field(default_factory=LiquidityWatch)
    jobs_done: Mapping[Job, date] = field(default_factory=dict)  # the last session of each
    decisions: int = 0
    evaluated_at: datetime | None = None
    look_due: bool = False  # an order or a fill asks for a look, whatever the quotes do
    read: tuple[int, ...] = ()  # contracts whose quotes the last evaluation could act on
    reconcile_asked_at: datetime | None = None
    position_doubted: bool = False  # the broker told one that is not ours, and has not listed all since
    differing: Mapping[int, Difference] = field(default_factory=dict)  # by con_id, until the broker agrees
    # What was last said about a strategy that holds, or about a structure that risk refused.
    last_held: Mapping[str, str] = field(default_factory=dict)
    held_since: Mapping[str, int] = field(default_factory=dict)  # evaluations since then
    held_at: Mapping[str, datetime] = field(default_factory=dict)

    def working(self) -> tuple[OrderLine, ...]:
        """Orders that may still trade, oldest first."""
        return tuple(line for line in self.orders.values() if not line.order.status.is_terminal)

    def busy_structures(self) -> frozenset[str]:
        """Structures with a working order, or with an ended one whose executions are still due."""
        return frozenset(
            line.structure_id
            for line in self.orders.values()
            if not line.order.status.is_terminal or line.awaits_executions
        )


@quickly_made
@dataclass(frozen=True, slots=True)
class Step:
    """What one event did: the state after it, and what goes to the journal and the world, in order."""

    state: EngineState
    decisions: tuple[Decision, ...] = ()
    commands: tuple[Command, ...] = ()

    def then(self, following: "Step") -> "Step":
        """This step followed by another one that started from its state."""
        return Step(following.state, self.decisions + following.decisions, self.commands + following.commands)
