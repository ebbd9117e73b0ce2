"""A paper account that does exactly what a test tells it, behind the daemon's own seam, in virtual time.

It outlives the daemons that connect to it, as a gateway does: orders, executions and positions are its own.
A placed order is acknowledged after a second and filled after some more, unless the test says otherwise.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from bot.clock import VirtualClock
from bot.engine.decision import Decision
from bot.errors import BrokerUnreachableError
from bot.events import (
    AccountTaken,
    Alert,
    AskMargin,
    CancelOrder,
    Connected,
    ContractsNamed,
    Disconnected,
    Event,
    Executed,
    Feed,
    ListOptions,
    MarginTold,
    ObservationsKnown,
    OptionsListed,
    OrderReported,
    PlaceOrder,
    QuotesTaken,
    Reconciled,
    ReplaceOrder,
)
from bot.journal.writer import read_records
from bot.port import MarginPort, Observers
from market.contract import Contract
from market.order import Fill, OrderStatus
from tests.bot.engine.desk import ACCOUNT, NAMED

ACK_S, FILL_S = 1.0, 4.0


def nobody(_: Event) -> None:
    """Hears what is told to nobody."""


@dataclass
class ScriptedAccount:
    """See the module. `failing` names the requests that go unanswered, `calls` what was asked, in order."""

    clock: VirtualClock
    journal: Path
    quotes: tuple[tuple[int, float | None, float | None, float | None], ...]
    account: str = ACCOUNT
    nav_usd: float = 1e6
    margin_usd: float = 1000.0
    asked: list[AskMargin] = field(default_factory=list)
    fills: bool = True
    failing: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    placed: list[PlaceOrder] = field(default_factory=list)
    reports: dict[str, OrderReported] = field(default_factory=dict)
    executions: list[Executed] = field(default_factory=list)
    lines: list[tuple[int, ...]] = field(default_factory=list)
    remembered: list[Contract] = field(default_factory=list)
    durable_first: list[bool] = field(default_factory=list)
    alive: tuple[Feed, ...] = tuple(Feed)
    silent: bool = False
    is_connected: bool = False
    epoch: int = 0

    def __post_init__(self) -> None:
        self.margin: MarginPort = self
        self.sink: Callable[[Event], None] = nobody
        self.heard_at: Callable[[], datetime | None] = self.clock.now

    # --- the session

    async def connect(self) -> Connected:
        """A new session."""
        self._ask("connect")
        self.is_connected = True
        self.epoch += 1
        return Connected(self.account, self.epoch)

    async def disconnect(self) -> None:
        """The session ends."""
        self.calls.append("disconnect")
        self.is_connected = False

    async def heartbeat(self) -> datetime:
        """Proof of life; a session that gives none is dropped."""
        if "heartbeat" in self.failing:
            self.is_connected = False
        self._ask("heartbeat")
        return self.clock.now()

    def drop(self, reason: str = "the socket closed") -> None:
        """The link dies."""
        self.is_connected = False
        self.sink(Disconnected(reason))

    # --- contracts and quotes

    async def name_contracts(self) -> ContractsNamed:
        """Indexes and futures."""
        self._ask("name_contracts")
        return ContractsNamed(NAMED)

    async def list_options(self, request: ListOptions) -> OptionsListed:
        """No options at all."""
        self._ask("list_options")
        return OptionsListed(request.symbol, request.trading_class, request.expiry, 100, "SMART", ())

    def stream(self, con_ids: Sequence[int]) -> None:
        """The lines wanted from now on."""
        self.lines.append(tuple(con_ids))

    def remember(self, contracts: Iterable[Contract]) -> None:
        """Contracts the journal knows."""
        self.remembered = list(contracts)

    def take_quotes(self, anyway: bool = False) -> QuotesTaken | None:
        """The same quotes each time and the feeds that live; in silence nothing, or that nothing lives."""
        if self.silent or not self.is_connected:
            return QuotesTaken((), ()) if anyway else None
        return QuotesTaken(self.quotes, self.alive)

    def account_now(self) -> AccountTaken | None:
        """The account's figures."""
        return AccountTaken(self.nav_usd, self.nav_usd, 0.0, 0.0)

    # --- orders

    async def ask(self, command: AskMargin) -> MarginTold:
        """What the margin rises by; `failing` names it `margin`."""
        self.calls.append("margin")
        self.asked.append(command)
        if "margin" in self.failing:
            return MarginTold(command.key, None, "no answer to margin")
        return MarginTold(command.key, self.margin_usd)

    async def reconcile(self) -> Reconciled:
        """All there is to know."""
        self._ask("reconcile")
        held: dict[int, int] = {}
        for one in self.executions:
            held[one.fill.con_id] = held.get(one.fill.con_id, 0) + one.fill.quantity
        positions = tuple(sorted((con_id, count) for con_id, count in held.items() if count))
        return Reconciled(tuple(self.reports.values()), tuple(self.executions), positions)

    def place(self, command: PlaceOrder) -> None:
        """A new order: acknowledged and filled later."""
        ref = command.order_ref
        written = {record.body.get("order_ref") for record in read_records(self.journal)}
        self.durable_first.append(ref in written)
        self._ask("place")
        self.placed.append(command)
        loop = asyncio.get_running_loop()
        loop.call_later(ACK_S, self._report, OrderReported(ref, len(self.placed), OrderStatus.WORKING))
        if self.fills:
            loop.call_later(FILL_S, self._fill, command, len(self.placed))

    def replace(self, command: ReplaceOrder) -> None:
        """A moved limit changes nothing here."""
        self._ask("replace")

    def cancel(self, command: CancelOrder) -> None:
        """A cancellation is confirmed after a second, unless the order has filled by then."""
        self._ask("cancel")
        ref = command.order_ref
        if not self.is_connected:
            self.sink(OrderReported(ref, 0, OrderStatus.UNKNOWN, reason="never written: no session"))
            return
        number = next((n for n, order in enumerate(self.placed, start=1) if order.order_ref == ref), 0)
        if not number:
            self._tell(OrderReported(ref, 0, OrderStatus.UNKNOWN, reason="not an order of this session"))
            return
        ended = OrderReported(ref, number, OrderStatus.CANCELLED)
        asyncio.get_running_loop().call_later(ACK_S, self._report, ended)

    def _ask(self, what: str) -> None:
        self.calls.append(what)
        if what in self.failing:
            raise BrokerUnreachableError(f"no answer to {what}")

    def _report(self, report: OrderReported) -> None:
        known = self.reports.get(report.order_ref)
        if known is not None and known.status.is_terminal:
            return
        self.reports[report.order_ref] = report
        self._tell(report)

    def _fill(self, command: PlaceOrder, perm_id: int) -> None:
        if self.reports[command.order_ref].status.is_terminal:
            return
        ref, count = command.order_ref, command.quantity
        for leg in command.combo.legs:
            con_id = leg.contract.con_id
            fill = Fill(
                f"{ref}.{con_id}.01", ref, perm_id, con_id, count * leg.signed_ratio, 3.0, self.clock.now()
            )
            self.executions.append(Executed(fill, leg.contract))
            self._tell(self.executions[-1])
        self._report(OrderReported(ref, perm_id, OrderStatus.FILLED, count))

    def _tell(self, event: Event) -> None:
        if self.is_connected:
            self.sink(event)


@dataclass
class SilentFeeds:
    """Slow series without a value, or out of reach. `asked` counts the requests."""

    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def warm_up(self, last_session: date, sessions: int) -> Sequence[ObservationsKnown]:
        """Nothing is known."""
        return self._answer("warm_up")

    async def update(self, last_session: date) -> Sequence[ObservationsKnown]:
        """Nothing new."""
        return self._answer("update")

    def _answer(self, what: str) -> Sequence[ObservationsKnown]:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return ()


@dataclass
class Told:
    """What the observers heard."""

    decisions: list[Decision] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    alerted: list[tuple[datetime, Alert]] = field(default_factory=list)
    on_alert: Callable[[Alert], None] = lambda _: None

    def observers(self) -> Observers:
        """For the daemon."""
        return Observers(
            lambda _, decision: self.decisions.append(decision),
            self._alert,
            lambda _, text: self.states.append(text),
        )

    def _alert(self, at: datetime, alert: Alert) -> None:
        self.alerts.append(alert)
        self.alerted.append((at, alert))
        self.on_alert(alert)
