"""The judge of a fault session: every invariant, after every event and at the end.

It believes the wire, the records as they are appended and the venue's own books; of the daemon it takes only
what the daemon claims about itself, and holds it against those.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.engine.decision import Decision
from bot.engine.state import EngineState
from bot.events import AccountTaken, Alert, Event
from bot.journal.codec import canonical
from bot.journal.writer import read_records, verify
from bot.review.replay import Replayer
from bot.review.turns import turns
from config.rules import Rules
from market.order import OrderStatus
from risk.state import Cause, TradingState
from simulator import client_messages as ask
from simulator.back_office import HAND_CLIENT
from simulator.exchange import Exchange
from simulator.faults import FaultKind
from simulator.model import OrderRequest
from tests.scenarios.faults.exposure import naked
from tests.scenarios.faults.line import Line
from tests.scenarios.faults.order_judge import FRAMES_PER_S_MAX, OrderJudge
from tests.scenarios.faults.plans import Mishap
from tests.scenarios.faults.records import Records
from tests.scenarios.faults.scenes import Scene

NAKED_MAX = timedelta(seconds=30)
BOOKS_APART_MAX = timedelta(seconds=150)  # a look a minute, five seconds until it asks, thirty to ask again
QUIET_MAX = timedelta(minutes=5)
VIOLATIONS_KEPT = 20
BY_ABSENCE = {"the broker knows no such order", "the broker lists it no longer"}
#: Causes that may stand at the end: a person's, or the account's.
LASTING = {Cause.LOSS, Cause.DRAWDOWN, Cause.OPERATOR}


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold."""

    invariant: str
    time: datetime
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.time:%Y-%m-%d %H:%M:%S.%f} UTC: {self.text}"


@dataclass
class Judge:
    """Collects what does not hold."""

    violations: list[Violation] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)

    def begin(self, exchange: Exchange, now: Callable[[], datetime], rules: Rules, scene: Scene) -> None:
        """A session begins on this venue, with these rules."""
        self._exchange, self._now, self._rules, self._scene = exchange, now, rules, scene
        self.records = Records.of_scene(self.accuse, scene)
        self.line = Line(now)
        self.orders = OrderJudge(exchange, self.records, self.line, rules, now)
        self._naked_since: datetime | None = None
        self._apart_since: datetime | None = None
        self._silent_since: datetime | None = None
        self._alerted: list[Alert] = []
        self._commanded: Counter[str] = Counter()
        self._filled: dict[str, int] = {}
        self._gone: set[str] = set()
        self._garbles = False
        self._ended: set[str] = set()  # references of orders that came to their end
        self._state = self._held = scene.state
        self._busy_at: datetime = scene.start

    def accuse(self, invariant: str, text: str) -> None:
        """Something does not hold."""
        if len(self.violations) < VIOLATIONS_KEPT:
            self.violations.append(Violation(invariant, self._now(), text))

    # ------------------------------------------------------------------ what happens

    def born(self, state: EngineState, journal: Path) -> None:
        """A life begins from the journal."""
        self._held = state
        self.records.begin_life(journal, self._scene, state.orders)
        self._filled = {}

    def died(self, error: BaseException | None) -> None:
        """A life ended by something other than the plan."""
        if error is not None:
            self.accuse("I-28", f"the daemon died of {error!r}")

    def appended(self, seq: int, time: datetime, kind: str, body: object) -> None:
        """A record was chained on."""
        self.records.appended(seq, time, kind, body)
        if kind == "Opened":
            self._bundle()

    def became_durable(self, count: int) -> None:
        """Everything up to this record is on the disk."""
        self.records.durable = count

    def decided(self, _time: datetime, _decision: Decision) -> None:
        """A decision was told."""

    def alerted(self, _time: datetime, alert: Alert) -> None:
        """A person was told."""
        self._alerted.append(alert)

    def struck(self, mishap: Mishap) -> None:
        """A mishap strikes."""
        self._garbles = self._garbles or mishap.kind == FaultKind.CORRUPT

    def line_is_silent(self, silent: bool) -> None:
        """Nothing passes on the line any more, in either direction and without a word; or it does again."""
        self._silent_since = self._now() if silent else None

    def commanded(self, verb: str) -> None:
        """A person gave a command."""
        self._commanded[verb] += 1

    def sent(self, data: bytes, state: EngineState | None) -> bool:
        """Bytes of the daemon are written; whether they are an order message."""
        found = self.line.said(data)
        if self.line.busiest > FRAMES_PER_S_MAX:
            self.accuse("I-14", f"{self.line.busiest} messages within a second")
            self.line.busiest = 0
        if isinstance(found, OrderRequest) and found.what_if:
            self.orders.judge_what_if(found)
            return False
        if isinstance(found, OrderRequest):
            self.orders.judge(found, state)
        return isinstance(found, OrderRequest | ask.CancelOrder)

    def received(self, data: bytes) -> None:
        """Bytes for the daemon."""
        self.line.heard(data)

    # ------------------------------------------------------------------ after every event

    def after_event(self, state: EngineState, event: Event) -> None:
        """The daemon has taken an event."""
        before, self._state = self._state, state
        self._held = state
        if state.evaluated_at != before.evaluated_at:
            self._busy_at = self._now()
        if isinstance(event, AccountTaken):
            self._losses(state, event)
        if state.portfolio is not before.portfolio or state.orders is not before.orders:
            self._fills(state)
        self._books(state)
        while self.records.untold:
            alert = self.records.untold.pop(0)
            if alert not in self._alerted:
                self.accuse("I-23", f"nobody was told of {alert.name}: {alert.text}")
        if len(self._alerted) > 64:
            del self._alerted[:-64]
        for verb, count in self.records.orders_by_command.items():
            if count > self._commanded[verb]:
                self.accuse(
                    "I-26", f"{verb} was carried out {count} times, given {self._commanded[verb]} times"
                )

    def _losses(self, state: EngineState, event: AccountTaken) -> None:
        opened = self.records.nav_open_usd
        most = self._rules.risk.daily_loss_max_fraction
        if (
            opened
            and event.nav_usd <= opened * (1.0 - most) - 1.0
            and state.risk.trading is TradingState.ACTIVE
        ):
            self.accuse("I-05", f"{opened - event.nav_usd:.0f} USD are lost today and trading is active")

    def _fills(self, state: EngineState) -> None:
        for ref, line in state.orders.items():
            order = line.order
            if order.filled > order.quantity:
                self.accuse("I-10", f"{ref} filled {order.filled} of {order.quantity}")
            if order.filled < self._filled.get(ref, 0):
                self.accuse("I-10", f"{ref} filled {self._filled[ref]}, now {order.filled}")
            self._filled[ref] = order.filled
            if order.reason in BY_ABSENCE and ref not in self._gone:
                self._gone.add(ref)
                self._not_traded(ref, max(order.filled, line.told))
        ours = {con_id: one.quantity for con_id, one in state.portfolio.positions().items()}
        told = {con_id: count for con_id, count in self.records.positions.items() if count}
        expired = {con_id for con_id in told if con_id not in ours and self._has_settled(con_id)}
        if ours != {con_id: count for con_id, count in told.items() if con_id not in expired}:
            self.accuse("I-11", f"the book holds {ours}, the executions told make {told}")

    def _not_traded(self, ref: str, told: int) -> None:
        """An order that counts as ended because nobody lists it has not traded more than was told."""
        blotter = self._exchange._blotter
        for one in (*blotter.working.values(), *blotter.ended):
            if one.request.order_ref == ref and one.filled > told:
                self.accuse("I-09", f"{ref} is taken for ended with {told} and has traded {one.filled:g}")

    def _has_settled(self, con_id: int) -> bool:
        return self._exchange.market.settlement(con_id) is not None

    def _books(self, state: EngineState) -> None:
        now = self._now()
        holdings = self._exchange._account.holdings
        bare = naked({one.contract: one.quantity for one in holdings.values()}) if holdings else ""
        self._naked_since = (self._naked_since or now) if bare else None
        if self._naked_since is not None and now - self._naked_since > NAKED_MAX:
            self.accuse("I-01", f"{bare} since {self._naked_since:%H:%M:%S}")
        theirs = {con_id: one.quantity for con_id, one in holdings.items() if one.quantity}
        ours = {con_id: one.quantity for con_id, one in state.portfolio.positions().items()}
        is_apart = theirs != ours and state.risk.trading is TradingState.ACTIVE and state.connected
        self._apart_since = (self._apart_since or now) if is_apart else None
        if self._apart_since is not None and now - self._apart_since > BOOKS_APART_MAX:
            self.accuse("I-06", f"the broker holds {theirs}, the journal {ours}, and trading is active")
            self._apart_since = now

        if self._silent_since is not None and now - self._silent_since > QUIET_MAX and state.connected:
            self.accuse("I-28", f"nothing has passed on the line since {self._silent_since:%H:%M:%S}")
            self._silent_since = now

    def _bundle(self) -> None:
        opened, approved = self.records.opened, self._rules
        if opened is None:
            return
        if not opened.product or opened.schema < 1 or not opened.packages:
            self.accuse("I-20", "a start does not say what code it runs")
        if opened.rules_hash != approved.rules_hash() or opened.rules != approved.model_dump(mode="json"):
            self.accuse("I-25", "a start runs rules that were not approved")

    # ------------------------------------------------------------------ the end

    def finish(self, journal: Path, came_to_an_end: bool) -> None:
        """The session is over and the journal closed."""
        if not came_to_an_end:
            self.accuse("I-28", "the daemon never came to rest")
            return
        chain = verify(journal)
        if chain.fault is not None:
            self.accuse("I-24", str(chain.fault))
        elif not chain.closed:
            self.accuse("I-24", "the journal is not closed")
        state = self._replayed(journal)
        self._settled(state)
        self._rest()

    def _replayed(self, journal: Path) -> EngineState:
        """The scene's state and every event since, through the engine again."""
        replayer = Replayer(self._scene.state)
        for turn in turns(read_records(journal, after=self._scene.seq)):
            before = replayer.state.orders
            found = replayer.take(turn)
            orders = replayer.state.orders
            if orders is not before:
                self._ended.update(ref for ref, one in orders.items() if one.order.status.is_terminal)
            if found.divergence is not None:
                self.accuse("I-27", f"a replay differs: {found.divergence}")
                break
        else:  # a digest believes that nothing is changed in place; here every byte of both is new
            if canonical(replayer.state) != canonical(self._held):
                self.accuse("I-27", "what the daemon holds at the end is not what its journal makes")
        return replayer.state

    def _settled(self, state: EngineState) -> None:
        """Every order came to its end, and every execution of the venue is in the book as it now stands."""
        at_venue = {
            order.request.order_ref: order
            for order in (*self._exchange._blotter.working.values(), *self._exchange._blotter.ended)
        }
        lives = Counter(order.request.order_ref for order in at_venue.values())
        for ref, (seq, intent) in self.records.intents.items():
            if seq > self.records.durable:
                continue
            line = state.orders.get(ref)
            if line is None:  # what has ended is forgotten after some days
                if ref not in self._ended:
                    self.accuse("I-09", f"{ref} was decided and is lost")
            elif line.order.status is OrderStatus.UNKNOWN and state.risk.trading is TradingState.ACTIVE:
                self.accuse("I-09", f"{ref} is unknown and trading is active")
            elif not line.order.status.is_terminal and ref not in at_venue:
                self.accuse("I-09", f"{ref} is {line.order.status.value} and does not exist")
            if ref in at_venue and at_venue[ref].filled > intent.quantity:
                self.accuse("I-07", f"{ref} filled {at_venue[ref].filled:g}, decided were {intent.quantity}")
        for ref, order in at_venue.items():
            if order.request.client_id == HAND_CLIENT:
                continue  # a person's own
            known = self.records.intents.get(ref) or (ref in self._scene.state.orders)
            if not known:
                self.accuse(
                    "I-08", f"{ref or 'an order without reference'} is at the broker, not in the journal"
                )
        for ref, count in lives.items():
            if count > 1:
                self.accuse("I-07", f"{ref} lives {count} times at the broker")
        if state.risk.trading is TradingState.ACTIVE:
            self._same_fills(state)

    def _same_fills(self, state: EngineState) -> None:
        for execution in self._exchange._blotter.executions:
            if execution.security_type == "BAG":
                continue
            stem = execution.exec_id.rpartition(".")[0]
            fill = state.portfolio.fills.get(stem)
            signed = round(execution.quantity) * (1 if execution.side == "BOT" else -1)
            if fill is None:
                self.accuse("I-06", f"execution {execution.exec_id} never reached the book")
            elif (fill.quantity, round(fill.price, 6)) != (signed, round(execution.price, 6)):
                self.accuse("I-11", f"execution {execution.exec_id} stands in the book as {fill.exec_id}")

    def _is_garbled(self, cause: Cause, detail: str) -> bool:
        """Whether trading is halted for an account that garbled bytes named: only a person may judge that."""
        return self._garbles and cause is Cause.HALT and "of account" in detail

    def _rest(self) -> None:
        """After the faults the daemon trades again, or says why not."""
        state = self._state
        causes = {cause for cause, detail in state.risk.causes if not self._is_garbled(cause, detail)}
        if not causes <= LASTING:
            self.accuse(
                "I-28",
                f"long after the last fault trading is {state.risk.trading.value}: {state.risk.causes}",
            )
        if not state.connected or not state.reconciled:
            self.accuse("I-28", "long after the last fault the daemon is not connected and reconciled")
        if self._scene.end - self._busy_at > timedelta(hours=5):
            self.accuse("I-28", f"the daemon has looked at nothing since {self._busy_at}")
