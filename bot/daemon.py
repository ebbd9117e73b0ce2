"""The imperative shell: events in, the engine's output made durable, and only then into the world.

One loop, one order of things for every event: journal the event, step the engine, journal decisions and
commands, commit before a byte leaves when something does, log, execute. The same daemon runs against a
real gateway in real time and against the embedded one in virtual time; only the broker, the clock and
the committer differ.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from bot import schedule
from bot.clock import Clock
from bot.commit import Committer
from bot.durability import Durability
from bot.engine.decide import may_evaluate
from bot.engine.state import EngineState
from bot.engine.step import step
from bot.errors import BrokerError, CrashLoopError, NotPaperAccountError
from bot.events import (
    Alert,
    CancelOrder,
    Command,
    Connected,
    Disconnected,
    Event,
    ListOptions,
    Opened,
    PlaceOrder,
    QuotesTaken,
    Reconcile,
    ReplaceOrder,
    RequestFailed,
    Stopping,
    StreamLines,
    TimedEvent,
)
from bot.jobs import FAR_FUTURE, SessionJobs
from bot.opening import OpenJournal
from bot.port import BrokerPort, Observers, SlowFeeds
from bot.stopping import StopAskedError, StopSignal
from market.contract import Contract
from strategies.base import Intent

UNCLEAN_STARTS_MAX = 6
CRASH_LOOP_WINDOW = timedelta(minutes=10)
ACCOUNT_INTERVAL = timedelta(seconds=30)
# While quotes flow they prove the link; a heartbeat is asked for after this much silence.
SILENCE_MAX = timedelta(seconds=10)
IDLE_SILENCE_MAX = timedelta(seconds=40)  # out of hours
RECONCILE_AGAIN = timedelta(seconds=30)
BEHIND_MAX = timedelta(seconds=2)
STOP_DEADLINE_S, STOP_LOOK_S = 7.0, 0.2
RECONNECT_FIRST_S, RECONNECT_MAX_S = 1.0, 60.0

_WIRE = (PlaceOrder, ReplaceOrder, CancelOrder)


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
        idle_silence: timedelta = IDLE_SILENCE_MAX,
        unclean_starts_max: int = UNCLEAN_STARTS_MAX,
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
        self._group: asyncio.TaskGroup | None = None
        self._requests: dict[asyncio.Task[None], None] = {}
        self._stop = StopSignal()
        self._last_time = journal.state.time
        self._account_at: datetime | None = None
        self._evaluation_at = self._heartbeat_at = self._reconcile_at = FAR_FUTURE
        self._idle_silence = idle_silence
        self._unclean_starts_max = unclean_starts_max
        self._jobs = SessionJobs(
            broker,
            feeds,
            self._stop,
            self._take,
            self._start,
            self.post,
            alert=lambda alert: observers.alert(self._now(), alert),
        )
        broker.sink = self.post

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

        Raises NotPaperAccountError, BrokerUnreachableError (when the very first connection fails),
        CrashLoopError, JournalError.
        """
        try:
            connected = await self._stop.unless(self._broker.connect())  # the account is judged first of all
        except StopAskedError:
            return
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
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._reconnect(connected)
            await self._trade(until)
            await self._wind_down()
        await self._broker.disconnect()
        await self._durability.checkpoint(self._now(), self.state)

    async def _trade(self, until: datetime | None) -> None:
        while not self._stop.reason:
            await self._take_waiting()
            if not self.state.connected and not self._broker.is_connected:
                await self._reconnect()
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
            await self._housekeep(now)
            await self._sleep(until)

    async def _sleep(self, until: datetime | None) -> None:
        """Wait for the next instant that matters, or for an event."""
        if self._waiting or self._stop.reason:
            return
        self._wake.clear()
        targets = (self._evaluation_at, self._jobs.due_at, self._heartbeat_at, until)
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
        quotes = self._broker.take_quotes()
        if quotes is not None:
            self._heartbeat_at = now + max(SILENCE_MAX, 2 * self._interval)
        elif not self.state.look_due:
            return
        await self._take(quotes if quotes is not None else QuotesTaken((), ()))

    async def _take_waiting(self) -> None:
        """Take the events that came in; an order or a fill among them is followed by a fresh snapshot."""
        while self._waiting:
            event = self._waiting.popleft()
            await self._take(event)
            if isinstance(event, Connected):  # the link behind the gateway came back by itself
                self._ask_for_evidence(self._now())
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

    # --- connection life

    async def _establish(self, connected: Connected) -> None:
        """From a fresh connection to a reconciled book."""
        await self._take(connected)
        self._broker.remember(_known_contracts(self.state))
        await self._take(await self._stop.unless(self._broker.name_contracts()))
        await self._take(await self._stop.unless(self._broker.reconcile()))
        await self._take_account(self._now())
        now = self._now()
        self._jobs.begin(now)
        self._evaluation_at = schedule.next_evaluation(now, self._interval)
        self._heartbeat_at = now + SILENCE_MAX
        self._observers.status(now, "ready")

    async def _reconnect(self, connected: Connected | None = None) -> None:
        """Try, ever more slowly, until the gateway answers and the book is reconciled; a stop ends it.

        `connected` is a connection that stands already.
        """
        wait_s = RECONNECT_FIRST_S
        while not self._stop.reason:
            try:
                if connected is None:
                    connected = await self._stop.unless(self._broker.connect())
                await self._establish(connected)
                return
            except NotPaperAccountError:
                raise
            except StopAskedError:
                return
            except BrokerError as error:
                self._observers.alert(self._now(), Alert("warning", "broker.unreachable", str(error)))
                await self._broker.disconnect()
                await self._drain()
                if self.state.connected:
                    await self._take(Disconnected(str(error)))
                connected = None
            wake = asyncio.ensure_future(self._wake.wait())
            self._wake.clear()
            await asyncio.wait({wake}, timeout=wait_s)
            wake.cancel()
            wait_s = min(wait_s * 2, RECONNECT_MAX_S)

    async def _wind_down(self) -> None:
        """Decide nothing new, cancel opening orders, and wait a little for the broker to confirm."""
        await self._take(Stopping(self._stop.reason or "the session to run is over"))
        # Seconds of the loop: market time may stand still, and a stop has only so many.
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + STOP_DEADLINE_S
        while self._is_opening() and self.state.connected and loop.time() < deadline_s:
            await asyncio.sleep(STOP_LOOK_S)
            await self._drain()
        await self._drain()
        for request in tuple(self._requests):
            request.cancel()  # whatever it would still tell, the next start asks for again

    def _is_opening(self) -> bool:
        return any(line.intent is Intent.OPEN for line in self.state.working())

    # --- one event

    async def _take(self, event: Event) -> None:
        """Carry one event through the whole flow."""
        time = self._now()
        self._journal.append(time, type(event).__name__, event)
        done = step(self.state, TimedEvent(time, event))
        self.state = done.state
        for decision in done.decisions:
            self._journal.append(time, "Decision", decision)
        for command in done.commands:
            self._journal.append(time, type(command).__name__, command)
        if any(isinstance(command, _WIRE) for command in done.commands):
            await self._durability.now(time)
        for decision in done.decisions:
            self._observers.decision(time, decision)
        for command in done.commands:
            self._execute(time, command)

    def _execute(self, time: datetime, command: Command) -> None:
        if isinstance(command, _WIRE):
            self._send(time, command)
        elif isinstance(command, StreamLines):
            self._broker.stream(command.con_ids)
        elif isinstance(command, ListOptions):
            self._start(self._broker.list_options(command))
        elif isinstance(command, Reconcile):
            self._start(self._broker.reconcile())
        else:
            self._observers.alert(time, command)

    def _send(self, time: datetime, command: PlaceOrder | ReplaceOrder | CancelOrder) -> None:
        """Put an order message on the wire.

        One that cannot go out leaves its order as it stands: evidence about it falls due, and reconciliation
        settles it.
        """
        try:
            if isinstance(command, PlaceOrder):
                self._broker.place(command)
            elif isinstance(command, ReplaceOrder):
                self._broker.replace(command)
            else:
                self._broker.cancel(command)
        except NotPaperAccountError:
            raise
        except BrokerError as error:
            self._observers.alert(time, Alert("error", "order.not_sent", f"{command.order_ref}: {error}"))

    def _start(self, request: Coroutine[Any, Any, Event]) -> None:
        """Let a request to the broker run beside the loop; its answer is an event like any other."""
        if self._group is None:
            raise RuntimeError("requests start while the daemon runs")
        task = self._group.create_task(self._answer(request))
        self._requests[task] = None

        def ended(done: asyncio.Task[None]) -> None:
            del self._requests[done]
            request.close()  # it may have been cancelled before it began

        task.add_done_callback(ended)

    def _ask_for_evidence(self, now: datetime) -> None:
        """Without a reconciliation nothing is decided: it is asked for until it has come."""
        self._reconcile_at = now + RECONCILE_AGAIN
        self._start(self._broker.reconcile())

    async def _answer(self, request: Coroutine[Any, Any, Event]) -> None:
        try:
            self.post(await request)
        except BrokerError as error:
            # The engine asks again when it still needs the answer.
            self.post(RequestFailed(str(error)))

    # --- durability and time

    async def _housekeep(self, now: datetime) -> None:
        """Heartbeat, also while only the gateway is left; checkpoint, and durable telemetry now and then."""
        if now >= self._heartbeat_at and (self.state.connected or self._broker.is_connected):
            self._heartbeat_at = now + (SILENCE_MAX if may_evaluate(self.state, now) else self._idle_silence)
            try:
                await self._stop.unless(self._broker.heartbeat())
            except StopAskedError:
                return
            except BrokerError as error:
                self.post(Disconnected(str(error)))
        if self.state.connected and not self.state.reconciled and now >= self._reconcile_at:
            self._ask_for_evidence(now)
        await self._durability.in_turn(now, self.state)

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


def _known_contracts(state: EngineState) -> list[Contract]:
    """Contracts the journal can name: what is held, what is listed, what is ordered."""
    held = [leg.contract for structure in state.structures.values() for leg in structure.combo.legs]
    listed = [contract for listing in state.listings.values() for contract in listing.contracts]
    return [*state.contracts.values(), *listed, *held]
