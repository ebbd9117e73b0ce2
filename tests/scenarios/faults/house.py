"""One fault session: a venue that lives on, a plan that strikes, and a daemon that is started ever again.

The daemon, its journal and the unmodified client library run on the virtual loop against the embedded
gateway. Whoever judges is told of every record, every byte on the line and every event, and has the venue's
own books.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import bot.journal.writer
from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.control.simulation import CLIENT_ID, PORT
from bot.control.stand_ins import stand_ins
from bot.daemon import Daemon
from bot.engine.decision import Verb
from bot.errors import BrokerError, JournalError
from bot.events import Alert, Event, OperatorCommanded
from bot.feeds import PublishedFeeds, answered_by
from bot.journal.checkpoint import Checkpoints, recover
from bot.journal.opening import OpenJournal, opening_record
from bot.port import Observers
from simulator.exchange import Exchange
from simulator.fault_injection import FaultInjector
from simulator.faults import MESSAGE_FAULTS, FaultPlan
from simulator.gateway import Gateway
from simulator.model import AccountChanged
from simulator.pacing import drive
from simulator.publications import respond
from simulator.server import HOST, GatewayProtocol
from simulator.virtual import run
from tests.scenarios.faults.judge import Judge
from tests.scenarios.faults.machine import Disk, JumpingClock, WatchedJournal, WatchedLoop
from tests.scenarios.faults.plans import Mishap, Plan, Trouble
from tests.scenarios.faults.scenes import ACCOUNT, COMMITS, INTERVAL_S, Scene, rules_with
from tests.scenarios.virtual_house import KilledError, Killer, _cut

AWAY_S = 3.0
LIVES_MAX = 60


class PunctualInjector(FaultInjector):
    """Hands a delayed message over when its time has come, not at the market's next step."""

    def outgoing(self, client: Hashable, messages: Sequence[str]) -> list[str]:
        """As the injector's."""
        sent = super().outgoing(client, messages)
        held = self._held.get(client)
        if held is not None:
            for due, _ in held.delayed:
                left_s = (due - self._gateway.clock()).total_seconds()
                asyncio.get_running_loop().call_later(left_s + 1e-3, self._gateway.flush)
        return sent


class WatchedDaemon(Daemon):
    """The daemon, and somebody who looks over its shoulder after every event."""

    judge: Judge

    async def _take(self, event: Event) -> None:
        await super()._take(event)
        self.judge.after_event(self.state, event)


@dataclass
class FaultHouse:
    """Runs one plan from one scene in `folder`; `judge` has the last word."""

    plan: Plan
    scene: Scene
    folder: Path
    kill: Killer | None = None  # how the first life ends, beside the plan
    judge: Judge = field(default_factory=Judge)
    fired: Counter[str] = field(default_factory=Counter)
    wire: str = ""
    lives: int = 0
    orders: int = 0

    def run(self) -> None:
        """Live through it."""
        self._disk = Disk(self._failed)
        self._traffic = sha256()
        with patch.object(bot.journal.writer, "os", self._disk):
            run(self._run(), self.scene.start, loop_type=WatchedLoop)
        self.wire = self._traffic.hexdigest()

    @property
    def journal(self) -> Path:
        """The journal's folder."""
        return self.folder / "journal"

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WatchedLoop)
        self._loop = loop
        self._true = VirtualClock(loop, self.scene.start)
        self._clock = JumpingClock(loop, self.scene.start)
        self._exchange: Exchange = self.scene.lay_out(self.journal)
        self._gateway = Gateway(self._exchange, self._true.now)
        self._injector = PunctualInjector(self._gateway, FaultPlan((), self.plan.seed))
        self._gateway.edge = self._injector
        self._rules = rules_with(self.plan.walk_s, self.plan.final)
        self._daemon: WatchedDaemon | None = None
        self._killer = Killer()
        self._slow_s: list[float] = []
        self._waiting: list[Mishap] = []
        self.judge.begin(self._exchange, self._true.now, self._rules, self.scene)
        loop.sent, loop.received = self._sent, self._received
        server = await loop.create_server(lambda: GatewayProtocol(self._gateway), HOST, PORT)
        driving = loop.create_task(
            drive(self._gateway, timedelta(seconds=INTERVAL_S), self._true.sleep_until)
        )
        for _, mishap in self.plan.mishaps:
            self._arm(mishap)
        while self.lives < LIVES_MAX and not await self._live():  # noqa: ASYNC110 -- a supervisor waits
            await asyncio.sleep(AWAY_S)
        driving.cancel()
        server.close()
        for kind, count in self._injector.struck.items():
            self.fired[kind] += count
        self.judge.finish(self.journal, self.lives < LIVES_MAX)

    # ------------------------------------------------------------------ lives

    async def _live(self) -> bool:
        """One life of the daemon; whether it ended by itself."""
        self.lives += 1
        journal, repaired = WatchedJournal.open(self.journal)
        assert isinstance(journal, WatchedJournal)
        journal.appended, journal.durable = self.judge.appended, self.judge.became_durable
        opened = OpenJournal(
            journal, Checkpoints(self.journal / "checkpoints"), recover(self.journal), repaired
        )
        self.judge.born(opened.state, self.journal)
        broker = IbBroker(
            host=HOST, port=PORT, client_id=CLIENT_ID, account=ACCOUNT, clock=self._clock, notify=self._notify
        )
        observers = Observers(self.judge.decided, self.judge.alerted, lambda *_: None)
        feeds = PublishedFeeds(
            answered_by(lambda path: respond(self._exchange.market, path)),
            stand_ins("http://localhost"),
            self._clock,
            notify=self._notify,
        )
        record = opening_record("test", ACCOUNT, self._rules, opened.state, INTERVAL_S, None)
        self._killer = self.kill if self.kill is not None and self.lives == 1 else Killer()
        daemon = WatchedDaemon(
            record, opened, broker, self._clock, feeds, self._commit, observers,
            commit_interval=COMMITS, idle_silence=COMMITS, unclean_starts_max=1000,
        )  # fmt: skip
        daemon.judge, self._daemon = self.judge, daemon
        life = self._loop.create_task(daemon.run(self.scene.end))

        def die() -> None:
            _cut(broker)
            life.cancel()

        self._killer.die = die
        await asyncio.wait({life})
        self._daemon = None
        error = None if life.cancelled() else life.exception()
        if error is None and not life.cancelled():
            journal.close(self._clock.now())
            return self._clock.now() >= self.scene.end
        _cut(broker)
        journal.release()
        if error is not None:
            self.judge.died(_rest(error))
        return False

    async def _commit(self, journal: bot.journal.writer.Journal) -> None:
        if self._slow_s:
            batch = journal.take()
            await asyncio.sleep(self._slow_s.pop(0))
            self.fired[Trouble.SLOW_DISK] += 1
            journal.write(batch)
            return
        await self._killer.commit(journal)

    def _notify(self, alert: Alert) -> None:
        self.judge.alerted(self._clock.now(), alert)

    # ------------------------------------------------------------------ the line

    def _sent(self, data: bytes) -> None:
        self._traffic.update(b">" + data)
        state = self._daemon.state if self._daemon is not None else None
        if self.judge.sent(data, state):
            self.orders += 1
            for mishap in [one for one in self._waiting if one.at_order == self.orders]:
                self._waiting.remove(mishap)
                self._loop.call_later(mishap.after_s, self._strike, mishap)

    def _received(self, data: bytes) -> None:
        self._traffic.update(b"<" + data)
        self.judge.received(data)

    # ------------------------------------------------------------------ mishaps

    def _arm(self, mishap: Mishap) -> None:
        if mishap.at_order:
            self._waiting.append(mishap)
        else:
            self._loop.call_later(mishap.after_s, self._strike, mishap)

    def _strike(self, mishap: Mishap) -> None:
        self.judge.struck(mishap)
        if mishap.fault is not None:
            self._injector.add(mishap.fault)
            if mishap.fault.kind not in MESSAGE_FAULTS:
                self._injector.step(self._true.now())
                if mishap.fault.for_s:
                    self._later(mishap.fault.for_s + 1e-3, lambda: self._injector.step(self._true.now()))
            return
        kind = Trouble(mishap.kind)
        if kind in {Trouble.CRASH, Trouble.CRASH_AT_COMMIT, Trouble.STOP, Trouble.HALT}:
            self._at_daemon(kind, mishap)
            return
        if kind is Trouble.SLOW_DISK:
            self._slow_s += [mishap.for_s] * 3
        elif kind is Trouble.DISK_ERROR:
            self._disk.sync_fails = True
        elif kind is Trouble.DISK_FULL:
            self._disk.is_full = True
        elif kind is Trouble.BY_HAND:
            self._close_by_hand(mishap)
        else:
            self.fired[kind] += 1
            self._at_world(kind, mishap)

    def _at_daemon(self, kind: Trouble, mishap: Mishap) -> None:
        if self._daemon is None:
            return  # it is dead already
        if kind is Trouble.CRASH:
            self._killer.die()
        elif kind is Trouble.CRASH_AT_COMMIT:
            self._killer.at, self._killer.point = self._killer.count + 1, mishap.point
        elif kind is Trouble.STOP:
            self._daemon.stop("asked for by the plan")
        else:
            self._command("halt")
            self._later(mishap.for_s, lambda: self._command("resume"))
        self.fired[kind] += 1

    def _at_world(self, kind: Trouble, mishap: Mishap) -> None:
        if kind is Trouble.BLACKHOLE:
            self._be_silent(True)
            self._later(mishap.for_s, lambda: self._be_silent(False))
        elif kind is Trouble.SEGMENTS:
            self._loop.in_pieces = True
            self._later(mishap.for_s, lambda: setattr(self._loop, "in_pieces", False))
        elif kind is Trouble.CLOCK_JUMP:
            self._clock.ahead += timedelta(seconds=mishap.amount)
        elif kind is Trouble.WITHDRAWAL:
            self._exchange._account.cash_usd += mishap.amount
            self._gateway.route([AccountChanged(())])
            self._gateway.flush()

    def _close_by_hand(self, mishap: Mishap) -> None:
        """A person closes at the market what a close of the daemon works for; waits for one."""
        for order in self._exchange._blotter.working.values():
            decision = self.judge.records.decisions.get(order.request.order_ref)
            if decision is not None and decision.verb is Verb.CLOSE:
                price = (order.request.limit_price or 0.0) + (5.0 if order.request.action == "BUY" else -5.0)
                units = mishap.amount or order.request.quantity - order.filled
                by_hand = replace(order.request, order_ref="", limit_price=price, quantity=units)
                self._gateway.route(self._exchange.by_hand.place(by_hand))
                self._gateway.flush()
                self.fired[mishap.kind] += 1
                return
        self._later(1.0, lambda: self._close_by_hand(mishap))

    def _command(self, verb: str) -> None:
        if self._daemon is not None:
            self.judge.commanded(verb)
            self._daemon.post(OperatorCommanded(verb, "plan", "the plan says so"))
        elif verb == "resume":
            self._later(AWAY_S, lambda: self._command(verb))

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self._loop.call_later(seconds, act)

    def _failed(self, kind: str) -> None:
        self.fired[kind] += 1

    def _be_silent(self, silent: bool) -> None:
        self._loop.silent = silent
        self.judge.line_is_silent(silent)


def _rest(error: BaseException) -> BaseException | None:
    """What of an ended life is no death the plan brought about."""
    expected = (KilledError, JournalError, BrokerError)
    if isinstance(error, BaseExceptionGroup):
        return error.split(expected)[1]
    return None if isinstance(error, expected) else error


def now_of(house: FaultHouse) -> datetime:
    """The house's true time."""
    return house._true.now()
