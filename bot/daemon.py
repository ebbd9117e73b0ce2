"""The imperative shell: events in, the engine's output made durable, and only then into the world.

One loop, one order of things for every event: journal the event, step the engine, journal decisions and
commands, commit before a byte leaves when something does, log, execute. The same daemon runs against a
real gateway in real time and against the embedded one in virtual time; only the broker, the clock and
the committer differ.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from bot import schedule
from bot.clock import Clock
from bot.connection import IDLE_SILENCE_MAX, SILENCE_MAX, Connection, Daemonry
from bot.dispatch import WIRE, Dispatch, is_opening
from bot.engine.decide import look_overdue, may_evaluate
from bot.engine.halting import stands
from bot.engine.step import step
from bot.errands import Errands
from bot.errors import BrokerError, CrashLoopError, LinkDownError, NotPaperAccountError
from bot.events import (
    Alert,
    Connected,
    Event,
    Halted,
    Opened,
    OrderEvidence,
    RequestFailed,
    Stopping,
    TimedEvent,
)
from bot.host import HostWatch
from bot.jobs import FAR_FUTURE, SessionJobs
from bot.journal.commit import Committer
from bot.journal.durability import Durability
from bot.journal.opening import OpenJournal
from bot.operation import Operated, Operation
from bot.port import BrokerPort, Observers, SlowFeeds
from bot.stopping import StopAskedError, StopSignal
from bot.switch import KillSwitch

UNCLEAN_STARTS_MAX = 3
CRASH_LOOP_WINDOW = timedelta(minutes=10)
ACCOUNT_INTERVAL = timedelta(seconds=30)
BEHIND_MAX = timedelta(seconds=2)
STOP_DEADLINE_S, STOP_LOOK_S = 7.0, 0.2


class Daemon:
    """One run of the product on one journal.

    Build it, await `run`.
    """

    def __init__(
        self,
        opened: Opened,
        journal: OpenJournal,
        broker: BrokerPort,
        clock: Clock,
        feeds: SlowFeeds,
        commit: Committer,
        observers: Observers,
        commit_interval: timedelta = timedelta(seconds=1),
        silence: timedelta | None = None,
        idle_silence: timedelta = IDLE_SILENCE_MAX,
        unclean_starts_max: int = UNCLEAN_STARTS_MAX,
        switch: KillSwitch | None = None,
        free_bytes: Callable[[], int] | None = None,
        host_clock: Clock | None = None,
    ) -> None:
        self.state = journal.state
        self._opened = opened
        self._journal = journal.journal
        self._durability = Durability(journal, commit, commit_interval)
        self._repaired = journal.repaired
        self._broker = broker
        self._clock = clock
        self._observers = observers
        self._interval = timedelta(seconds=opened.evaluation_interval_s)
        self._waiting: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._errands = Errands(self.post)
        self._stop = StopSignal()
        self._taking = asyncio.Lock()
        self._dispatch = Dispatch(broker, self._errands, observers, switch, lambda: self.state, self.post)
        self._last_time = journal.state.time
        self._account_at: datetime | None = None
        self._evaluation_at = FAR_FUTURE
        self._unclean_starts_max = unclean_starts_max
        self._jobs = SessionJobs(
            broker,
            feeds,
            self._stop,
            self._take,
            self._errands.start,
            self.post,
            alert=lambda alert: observers.alert(self._now(), alert),
        )
        self._connection = Connection(
            broker,
            self._daemonry(),
            self._errands,
            self._stop,
            observers,
            silence if silence is not None else max(SILENCE_MAX, 1.5 * self._interval),
            idle_silence,
        )
        self._operation = None if switch is None else Operation(switch, self._operated())
        self._host = HostWatch(
            host_clock if host_clock is not None else clock,
            self._durability,
            self._take,
            lambda: self._stop.unless(broker.heartbeat()),
            lambda: self._connection.ask_for_evidence(self._now()),
            lambda condition: stands(self.state, condition),
            free_bytes,
        )
        broker.sink = self.post

    def _daemonry(self) -> Daemonry:
        return Daemonry(
            now=self._now,
            state=lambda: self.state,
            take=self._take,
            durable=lambda: self._durability.now(self._now()),
            post=self.post,
            drain=self._drain,
            account=self._take_account,
            ready=self._ready,
        )

    def _operated(self) -> Operated:
        return Operated(
            state=lambda: self.state,
            take=self._take,
            durable=lambda: self._durability.now(self._now()),
            reconcile=lambda: self._stop.unless(self._broker.reconcile()),
        )

    @property
    def last_time(self) -> datetime:
        """The time of the last record, or the present before the first."""
        return self._now()

    def post(self, event: Event) -> None:
        """Hand an event in; it is taken in the order of arrival."""
        self._waiting.append(event)
        self._wake.set()

    def stop(self, reason: str) -> None:
        """Ask for a clean stop."""
        self._stop.ask(reason)
        self._wake.set()

    async def run(self, until: datetime | None = None) -> None:
        """Trade until stopped or until market time `until`.

        Raises NotPaperAccountError, BrokerUnreachableError (when nothing answers at the very first),
        CrashLoopError, JournalError.
        """
        try:
            # The account is judged first of all.
            connected: Connected | None = await self._stop.unless(self._broker.connect())
        except StopAskedError:
            return
        except LinkDownError:
            connected = None  # the gateway is the right one: its broker is waited for as in any outage
        except NotPaperAccountError as error:
            if self.state.time is not None:  # a journal that nothing was written to yet has nothing to keep
                await self._halt_for_good(error, self.state.time)
            raise
        self._compare_clock()
        recent = [s for s in self.state.starts if self._now() - s < CRASH_LOOP_WINDOW]
        if len(recent) >= self._unclean_starts_max:
            await self._broker.disconnect()
            raise CrashLoopError(
                f"{len(recent)} unclean starts within {CRASH_LOOP_WINDOW.seconds // 60} minutes; "
                "read the last records with `alvh logs`, mend the cause, then start again later"
            )
        if self._repaired:
            self._journal.append(self._now(), "Repaired", {"text": self._repaired})
        await self._take(self._opened)
        await self._durability.now(self._now())  # a start that dies at once must count as one
        try:
            await self._live(connected, until)
        except* NotPaperAccountError as group:
            await self._halt_for_good(group.exceptions[0], self._now())
            raise
        await self._broker.disconnect()
        await self._durability.checkpoint(self._now(), self.state)

    async def _live(self, connected: Connected | None, until: datetime | None) -> None:
        """From the first connection to the last record; what runs beside it ends with it."""
        async with asyncio.TaskGroup() as group:
            self._errands.group = group
            operating = None if self._operation is None else group.create_task(self._operation.run())
            await self._connection.make(connected)
            await self._trade(until)
            if operating is not None:
                async with self._taking:  # never in the midst of an event: its commands would be lost
                    operating.cancel()
            await self._wind_down()

    async def _halt_for_good(self, error: BaseException, time: datetime) -> None:
        """Another account than the allowed one was seen: that is durable before the daemon ends.

        `time` is the journal's own where the broker's has not been heard. Of what came in, the words about
        orders are taken still: a cancellation that cannot be sent any more is recorded as never written.
        """
        await self._broker.disconnect()
        async with self._taking:
            await self._carry(Halted(str(error)), time)
            while self._waiting:
                if isinstance(event := self._waiting.popleft(), OrderEvidence):
                    await self._carry(event, time)
        await self._durability.now(time)

    async def _trade(self, until: datetime | None) -> None:
        while not self._stop.reason:
            await self._take_waiting()
            if not self.state.connected and not self._broker.is_connected:
                await self._connection.make()
                continue
            now = self._now()
            if until is not None and now >= until:
                return
            try:
                await self._jobs.run(now, lambda: self.state.jobs_done)
            except NotPaperAccountError:
                raise
            except StopAskedError:
                return
            except BrokerError as error:
                await self._take(RequestFailed(str(error)))
                self._jobs.retry_after(now)
            if now >= self._evaluation_at:
                await self._evaluate(now)
            try:
                await self._host.look(self._broker.is_connected)
            except StopAskedError:
                return
            await self._connection.housekeep(now)
            # The link may have been asked meanwhile, which takes time: a record is stamped with the present.
            await self._durability.in_turn(self._now(), self.state)
            await self._sleep(until)

    async def _sleep(self, until: datetime | None) -> None:
        """Wait for the next instant that matters, or for an event."""
        if self._waiting or self._stop.reason:
            return
        self._wake.clear()
        targets = (self._evaluation_at, self._jobs.due_at, self._connection.due_at, until)
        timer = asyncio.ensure_future(self._clock.sleep_until(min(t for t in targets if t is not None)))
        waker = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({timer, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            waker.cancel()

    async def _evaluate(self, now: datetime) -> None:
        """Take the latest quotes as one snapshot; ask for the account's figures from time to time."""
        self._evaluation_at = schedule.next_evaluation(now, self._interval)
        if self._account_at is None or now - self._account_at >= ACCOUNT_INTERVAL:
            await self._take_account(now)
        await self._take_quotes(now)

    async def _take_quotes(self, now: datetime) -> None:
        quotes = self._broker.take_quotes(self.state.look_due or look_overdue(self.state, now))
        if quotes is None:
            return
        if quotes.quotes:  # they came at some time since the last look: what proves is when
            self._connection.proved(self._broker.heard_at() or now)
        await self._take(quotes)

    async def _take_waiting(self) -> None:
        """Take the events that came in; an order or a fill among them is followed by a fresh snapshot."""
        while self._waiting:
            event = self._waiting.popleft()
            await self._take(event)
            if isinstance(event, Connected):  # the link behind the gateway came back by itself
                self._connection.ask_for_evidence(self._now())
        if self.state.look_due and may_evaluate(self.state, self._now()):
            await self._take_quotes(self._now())

    async def _drain(self) -> None:
        """Take everything that came in, without a look at the market."""
        while self._waiting:
            await self._take(self._waiting.popleft())

    async def _take_account(self, now: datetime) -> None:
        account = self._broker.account_now()
        if account is not None:
            self._account_at = now
            await self._take(account)

    def _ready(self, now: datetime) -> None:
        """The book is reconciled: from here on there is something to decide."""
        self._jobs.begin(now)
        self._evaluation_at = schedule.next_evaluation(now, self._interval)
        self._observers.status(now, "ready")

    async def _wind_down(self) -> None:
        """Decide nothing new, cancel opening orders, and wait a little for the broker to confirm."""
        await self._take(Stopping(self._stop.reason or "the session to run is over"))
        # Seconds of the loop: market time may stand still, and a stop has only so many.
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + STOP_DEADLINE_S
        while is_opening(self.state) and self.state.connected and loop.time() < deadline_s:
            await asyncio.sleep(STOP_LOOK_S)
            await self._drain()
        await self._drain()
        self._errands.cancel()

    # --- one event

    async def _take(self, event: Event) -> None:
        """Carry one event through the whole flow, one event at a time."""
        async with self._taking:
            await self._carry(event, self._now())

    async def _carry(self, event: Event, time: datetime) -> None:
        self._journal.append(time, type(event).__name__, event)
        done = step(self.state, TimedEvent(time, event))
        self.state = done.state
        for decision in done.decisions:
            self._journal.append(time, "Decision", decision)
        for command in done.commands:
            self._journal.append(time, type(command).__name__, command)
        is_late = False
        if any(isinstance(command, WIRE) for command in done.commands):
            is_late = await self._durability.now(time)
        for decision in done.decisions:
            self._observers.decision(time, decision)
        for command in done.commands:
            self._dispatch.execute(time, command, is_late=is_late)

    # --- durability and time

    def _compare_clock(self) -> None:
        """Market time before the journal's end is told: nothing is decided until it has caught up."""
        last, now = self.state.time, self._clock.now()
        if last is not None and last - now > BEHIND_MAX:
            text = f"market time is {now:%Y-%m-%d %H:%M:%S} UTC, the journal goes to {last:%Y-%m-%d %H:%M:%S}"
            text += ": nothing is decided until then; a gateway of another time needs another journal"
            self._observers.alert(now, Alert("error", "clock.behind", text))

    def _now(self) -> datetime:
        """Market time, never before the last record's."""
        now = self._clock.now()
        if self._last_time is not None and now < self._last_time:
            now = self._last_time
        self._last_time = now
        return now
