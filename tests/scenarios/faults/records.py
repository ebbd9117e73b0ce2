"""What the journal was told, kept apart from the daemon: intents, durability, jobs, decisions, executions."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.engine.decision import Decision, Verb
from bot.events import (
    AccountTaken,
    Alert,
    Connected,
    Disconnected,
    Executed,
    JobDue,
    ObservationsKnown,
    Opened,
    OperatorCommanded,
    PlaceOrder,
    Reconciled,
    ReplaceOrder,
)
from bot.journal.codec import restore
from bot.journal.records import COMMANDS, DECISION, EVENTS
from bot.journal.writer import read_records
from market.order import Fill
from tests.scenarios.faults.scenes import Scene

_KINDS: dict[str, type[Any]] = {**EVENTS, **COMMANDS, DECISION: Decision}
Fault = Callable[[str, str], None]  # invariant, what was seen
#: Checks without which no order may leave, by the name each carries into its decision.
REQUIRED_CHECKS = frozenset(
    {
        "paper_account", "trading_state", "fresh_order_ref", "order_quantity", "covered_shorts", "self_cross",
        "price_sign", "no_arbitrage_price", "sided_quotes", "price_collar", "orders_per_minute",
        "round_trips_per_day", "nav_age_s", "initiation_usd", "open_max_loss_usd", "margin_usd",
        "daily_loss_fraction", "drawdown_fraction", "margin_told_usd", "vix_futures_count",
    }
)  # fmt: skip


@dataclass
class Records:
    """The journal as its reader would fold it by hand."""

    accuse: Fault
    positions: Counter[int] = field(default_factory=Counter)  # contracts, from executions alone
    intents: dict[str, tuple[int, PlaceOrder]] = field(default_factory=dict)
    moves: Counter[str] = field(default_factory=Counter)
    decisions: dict[str, Decision] = field(default_factory=dict)  # by order reference
    executions: dict[str, tuple[int, Fill]] = field(default_factory=dict)  # by stem: version and fill
    durable: int = 0
    opened: Opened | None = None
    is_reconciled: bool = False
    nav: AccountTaken | None = None
    nav_at: datetime | None = None
    nav_open_usd: float | None = None
    untold: list[Alert] = field(default_factory=list)
    orders_by_command: Counter[str] = field(default_factory=Counter)
    _jobs: set[tuple[Any, Any]] = field(default_factory=set)
    _last: tuple[int, datetime | None] = (0, None)

    def begin_life(self, folder: Path, scene: Scene, known: Mapping[str, object]) -> None:
        """A start found this journal and knows these orders; nothing durable may be missing.

        Whatever was appended and not durable is gone with the process: it is forgotten here as well.
        """
        durable, refs = self.durable, {ref for ref, (seq, _) in self.intents.items() if seq <= self.durable}
        vars(self).update(vars(Records.of_scene(self.accuse, scene)))
        accuse, self.accuse = self.accuse, lambda *_: None  # it was judged when it was appended
        for record in read_records(folder, after=scene.seq):
            kind = _KINDS.get(record.kind)
            body = record.body if kind is None else restore(kind, record.body)
            self.appended(record.seq, datetime.fromisoformat(record.time), record.kind, body)
        self.accuse = accuse
        self.untold.clear()
        self.durable = self._last[0]
        self.is_reconciled = False
        if self.durable < durable:
            self.accuse("I-09", f"the journal goes to {self.durable}, durable was {durable}")
        for ref in refs:
            if ref not in self.intents or ref not in known:
                self.accuse("I-09", f"{ref} is durable and forgotten")

    @classmethod
    def of_scene(cls, accuse: Fault, scene: Scene) -> "Records":
        """As they stand where a session begins."""
        records = cls(accuse, durable=scene.seq)
        held = scene.state.portfolio
        records.positions.update({con_id: one.quantity for con_id, one in held.positions().items()})
        for fill in held.fills.values():
            stem, _, version = fill.exec_id.rpartition(".")
            records.executions[stem] = (int(version), fill)
        records._last = (scene.seq, scene.state.time)
        return records

    def appended(self, seq: int, time: datetime, kind: str, body: Any) -> None:
        """One record, as it is chained on."""
        last, before = self._last
        if seq != last + 1:
            self.accuse("I-19", f"record {seq} follows {last}")
        if before is not None and time < before:
            self.accuse("I-19", f"time went back from {before} to {time}")
        self._last = (seq, time)
        take = _TAKERS.get(kind)
        if take is not None:
            take(self, seq, time, body)

    def _place(self, seq: int, time: datetime, body: PlaceOrder) -> None:
        if body.order_ref in self.intents:
            self.accuse("I-07", f"{body.order_ref} is intended twice")
        self.intents[body.order_ref] = (seq, body)
        decision = self.decisions.get(body.order_ref)
        if decision is None or decision.decision_id != body.decision:
            self.accuse("I-08", f"{body.order_ref} has no decision before it")
            return
        names = {check.name for check in decision.checks}
        missing = REQUIRED_CHECKS - names
        if missing:
            self.accuse("I-22", f"{body.order_ref} was never checked for {', '.join(sorted(missing))}")
        failed = [check.name for check in decision.checks if not check.passed]
        if failed:
            self.accuse("I-22", f"{body.order_ref} leaves although {', '.join(failed)} refused")
        if decision.quantity != body.quantity or decision.limit != body.limit:
            self.accuse("I-09", f"{body.order_ref} is not the order that was decided")
        if decision.verb is Verb.OPEN and (
            self.nav_at is None or (time - self.nav_at).total_seconds() > 60.0
        ):
            self.accuse("I-03", f"{body.order_ref} was sized on an account of {self.nav_at}")

    def _replace(self, _seq: int, _time: datetime, body: ReplaceOrder) -> None:
        self.moves[body.order_ref] += 1

    def _decision(self, _seq: int, _time: datetime, body: Decision) -> None:
        if body.verb in {Verb.OPEN, Verb.CLOSE} and body.order_ref:
            self.decisions[body.order_ref] = body

    def _executed(self, _seq: int, _time: datetime, body: Executed) -> None:
        self.fold(body)

    def _reconciled(self, _seq: int, _time: datetime, body: Reconciled) -> None:
        self.is_reconciled = True
        listed = {executed.fill.exec_id.rpartition(".")[0] for executed in body.executions}
        for executed in body.executions:
            self._renumber(executed.fill, listed)
            self.fold(executed)

    def _renumber(self, fill: Fill, listed: set[str]) -> None:
        """An execution that was told under a garbled number is the one that is listed, not one more."""
        stem = fill.exec_id.rpartition(".")[0]
        if stem in self.executions:
            return
        for told, (version, known) in self.executions.items():
            alike = replace(known, exec_id=fill.exec_id, commission=fill.commission) == fill
            if told not in listed and alike:
                del self.executions[told]
                self.executions[stem] = (version, known)
                return

    def fold(self, executed: Executed) -> None:
        """Each execution once; a later version takes the place of an earlier one."""
        stem, _, version = executed.fill.exec_id.rpartition(".")
        known = self.executions.get(stem)
        if known is not None and known[0] >= int(version):
            return
        if known is not None:
            self.positions[known[1].con_id] -= known[1].quantity
        self.executions[stem] = (int(version), executed.fill)
        self.positions[executed.fill.con_id] += executed.fill.quantity

    def _opened(self, _seq: int, _time: datetime, body: Opened) -> None:
        self.opened = body
        self.is_reconciled = False

    def _line(self, _seq: int, _time: datetime, _body: object) -> None:
        self.is_reconciled = False

    def _job(self, _seq: int, _time: datetime, body: JobDue) -> None:
        if (body.job, body.session) in self._jobs:
            self.accuse("I-19", f"{body.job} of {body.session} came twice")
        self._jobs.add((body.job, body.session))
        if body.job == "session_open":
            self.nav_open_usd = self.nav.nav_usd if self.nav is not None else None

    def _account(self, _seq: int, time: datetime, body: AccountTaken) -> None:
        self.nav, self.nav_at = body, time
        if self.nav_open_usd is None:
            self.nav_open_usd = body.nav_usd

    def _known(self, _seq: int, time: datetime, body: ObservationsKnown) -> None:
        for observation in body.observations:
            if observation.known_at > time:
                self.accuse("I-18", f"{body.series} of {observation.period} is known before its release")

    def _alert(self, _seq: int, _time: datetime, body: Alert) -> None:
        self.untold.append(body)

    def _command(self, _seq: int, _time: datetime, body: OperatorCommanded) -> None:
        self.orders_by_command[body.verb] += 1


_TAKERS: dict[str, Callable[[Records, int, datetime, Any], None]] = {
    "PlaceOrder": Records._place,
    "ReplaceOrder": Records._replace,
    "Decision": Records._decision,
    "Executed": Records._executed,
    "Reconciled": Records._reconciled,
    "Opened": Records._opened,
    Connected.__name__: Records._line,
    Disconnected.__name__: Records._line,
    "JobDue": Records._job,
    "AccountTaken": Records._account,
    "ObservationsKnown": Records._known,
    "Alert": Records._alert,
    "OperatorCommanded": Records._command,
}
