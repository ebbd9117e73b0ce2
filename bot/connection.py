"""The daemon's connection to the broker: made, proved, lost, and made again.

A session that stands proves nothing. While quotes flow they prove the link; after some silence the gateway is
asked for its time, and a gateway that does not answer is left. A connection that is gone is tried again, ever
more slowly, until it stands and the book is reconciled; an outage that lasts is told, and told again. A
gateway that has lost the broker behind it is left as well when it does not find it again, and so is one that
answers and sends no quotes: whatever made it forget the lines, a new session asks for them once more. The
broker is asked for all it knows every quarter of an hour while options trade, and at any hour about a book
that differs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from bot.engine.state import EngineState
from bot.engine.working import may_ask
from bot.errands import Errands
from bot.errors import BrokerError, NotPaperAccountError, ReadOnlyApiError
from bot.events import Alert, Connected, Disconnected, Event, Halted
from bot.jobs import FAR_FUTURE
from bot.port import BrokerPort, Observers
from bot.stopping import StopAskedError, StopSignal
from market.broker_hours import reset_end
from market.contract import Contract
from market.sessions import MARKET_TZ, is_session, option_hours_utc
from risk.state import Cause

# While quotes flow they prove the link; a heartbeat is asked for after this much silence.
SILENCE_MAX = timedelta(seconds=8)
IDLE_SILENCE_MAX = timedelta(seconds=40)  # out of hours
RECONCILE_AGAIN = timedelta(seconds=30)  # while there is none
RECONCILE_EVERY = timedelta(minutes=15)
DIFFER_FIRST, DIFFER_MAX = timedelta(minutes=1), timedelta(hours=1)
STARVED_FIRST, STARVED_MAX = timedelta(minutes=1), timedelta(minutes=30)
RECONNECT_FIRST_S, RECONNECT_MAX_S = 1.0, 60.0
JITTER_FRACTION = 0.2
OUTAGE_TOLD_AFTER = timedelta(minutes=5)
OUTAGE_TOLD_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Daemonry:
    """What a connection needs of the daemon it belongs to.

    `take` carries an event through the engine at once, `durable` puts the journal on the disk, `drain` takes
    everything that has come in, `account` the account's figures, and `ready` is told that the book is
    reconciled.
    """

    now: Callable[[], datetime]
    state: Callable[[], EngineState]
    take: Callable[[Event], Awaitable[None]]
    durable: Callable[[], Awaitable[object]]
    post: Callable[[Event], None]
    drain: Callable[[], Awaitable[None]]
    account: Callable[[datetime], Awaitable[None]]
    ready: Callable[[datetime], None]


@dataclass
class _EverMoreRarely:
    """When something has to be done about what stays the matter: after `first`, then after twice as long each
    time, at most `longest`. What was not the matter for as long as that is over, and the wait is short again.
    """

    first: timedelta
    longest: timedelta
    at: datetime = FAR_FUTURE

    def __post_init__(self) -> None:
        self._wait = self.first
        self._calm_since: datetime | None = None

    def is_due(self, *, matters: bool, now: datetime) -> bool:
        """Whether it has to be done at `now`."""
        if not matters:
            self.at = FAR_FUTURE
            self._calm_since = self._calm_since or now
            if now - self._calm_since >= self._wait:
                self._wait = self.first
            return False
        self._calm_since = None
        if self.at == FAR_FUTURE:
            self.at = now + self._wait
        if now < self.at:
            return False
        self._wait = min(2 * self._wait, self.longest)
        self.at = now + self._wait
        return True


class Connection:
    """The life of one daemon's sessions with its gateway."""

    def __init__(
        self,
        broker: BrokerPort,
        daemon: Daemonry,
        errands: Errands,
        stop: StopSignal,
        observers: Observers,
        silence: timedelta = SILENCE_MAX,
        idle_silence: timedelta = IDLE_SILENCE_MAX,
    ) -> None:
        self.heartbeat_at = FAR_FUTURE
        self._broker = broker
        self._daemon = daemon
        self._errands = errands
        self._stop = stop
        self._observers = observers
        self._silence, self._idle_silence = silence, idle_silence
        self._asked_at = FAR_FUTURE
        self._differing = _EverMoreRarely(DIFFER_FIRST, DIFFER_MAX)
        self._starved = _EverMoreRarely(STARVED_FIRST, STARVED_MAX)
        self._down_since: datetime | None = None
        self._told_at: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """When it has something to do, if nothing happens before."""
        return min(self.heartbeat_at, self._differing.at, self._starved.at)

    def proved(self, heard_at: datetime) -> None:
        """Quotes came, the last message at `heard_at`: then the link lived."""
        self.heartbeat_at = heard_at + self._silence

    def ask_for_evidence(self, now: datetime) -> None:
        """Without a reconciliation nothing is decided: it is asked for until it has come, then rarely."""
        self._asked_at = now
        self._errands.start(self._broker.reconcile())

    async def make(self, connected: Connected | None = None) -> None:
        """Try, ever more slowly, until the gateway answers and the book is reconciled; a stop ends it.

        `connected` is a connection that stands already. Raises NotPaperAccountError, and ReadOnlyApiError
        behind a halt: trying again changes nothing, so a person has to.
        """
        attempt = 0
        while not self._stop.reason:
            try:
                if connected is None:
                    connected = await self._stop.unless(self._broker.connect())
                await self._establish(connected)
                return
            except NotPaperAccountError:
                raise
            except ReadOnlyApiError as error:
                await self._daemon.take(Halted(str(error)))
                await self._daemon.durable()
                raise
            except StopAskedError:
                return
            except BrokerError as error:
                self._observers.alert(self._daemon.now(), Alert("warning", "broker.unreachable", str(error)))
                await self._broker.disconnect()
                await self._daemon.drain()
                if self._daemon.state().connected:
                    await self._daemon.take(Disconnected(str(error)))
                connected = None
            self._watch_outage(self._daemon.now())
            await self._stop.asked_within(back_off_s(attempt, self._seed()))
            attempt += 1

    async def housekeep(self, now: datetime) -> None:
        """Heartbeat, also while only the gateway is left; evidence that is still missing; a long outage."""
        state = self._daemon.state()
        if now >= self.heartbeat_at and (state.connected or self._broker.is_connected):
            self.heartbeat_at = now + (self._silence if _is_open(now) else self._idle_silence)
            try:
                await self._stop.unless(self._broker.heartbeat())
            except StopAskedError:
                return
            except BrokerError as error:
                self._daemon.post(Disconnected(str(error)))
        if state.connected and now - self._asked_at >= _asked_every(state, now):
            self.ask_for_evidence(now)
        state = self._daemon.state()  # the heartbeat may have taken seconds
        # Nobody looks at the books out of hours.
        if self._differing.is_due(matters=_stands(state, Cause.MISMATCH), now=now):
            self._errands.start(self._broker.reconcile())
        if self._starved.is_due(matters=_is_open(now) and _stands(state, Cause.DATA), now=now):
            text = "the gateway answers and sends no quotes: it is left and greeted anew"
            self._observers.alert(now, Alert("warning", "broker.no_quotes", text))
            await self._broker.disconnect()
            self._daemon.post(Disconnected(text))
        if self._watch_outage(now) and self._broker.is_connected:
            # The gateway stands and has no broker: perhaps another greeting finds one.
            await self._broker.disconnect()

    async def _establish(self, connected: Connected) -> None:
        """From a fresh connection to a reconciled book."""
        await self._daemon.take(connected)
        self._broker.remember(known_contracts(self._daemon.state()))
        await self._daemon.take(await self._stop.unless(self._broker.name_contracts()))
        await self._daemon.take(await self._stop.unless(self._broker.reconcile()))
        now = self._daemon.now()
        await self._daemon.account(now)
        now = self._daemon.now()
        self.heartbeat_at = now + SILENCE_MAX
        self._asked_at = now
        self._watch_outage(now)
        self._daemon.ready(now)

    def _watch_outage(self, now: datetime) -> bool:
        """Tell an outage that lasts; True when that was just done.

        In the broker's reset windows being away is usual: time is counted from their end.
        """
        if self._daemon.state().connected:
            if self._told_at is not None:
                self._observers.alert(now, Alert("info", "broker.back", "the broker is in reach again"))
            self._down_since = self._told_at = None
            return False
        since = self._down_since = self._down_since or now
        if (resetting := reset_end(now)) is not None:
            self._down_since = max(since, resetting)
            return False
        due = since + OUTAGE_TOLD_AFTER if self._told_at is None else self._told_at + OUTAGE_TOLD_AGAIN
        if now < due:
            return False
        self._told_at = now
        text = (
            f"no broker since {since.astimezone(MARKET_TZ):%Y-%m-%d %H:%M:%S} New York: look at the gateway"
        )
        self._observers.alert(now, Alert("error", "broker.outage", f"{text}, it may want a login"))
        return True

    def _seed(self) -> str:
        opened = self._daemon.state().opened
        return "" if opened is None else f"{opened.account} {opened.start}"


def back_off_s(attempt: int, seed: str) -> float:
    """Seconds to wait behind the failed `attempt`, from 0: doubled each time, at most a minute.

    A fifth is taken off by the seed, so that several daemons do not call at one gateway in step. Equal seeds
    give equal waits.
    """
    wait_s = min(RECONNECT_FIRST_S * 2.0 ** min(attempt, 10), RECONNECT_MAX_S)
    share = int.from_bytes(sha256(f"{seed} {attempt}".encode()).digest()[:4]) / 2**32
    return float(wait_s * (1.0 - JITTER_FRACTION * share))


def known_contracts(state: EngineState) -> list[Contract]:
    """Contracts the journal can name: what is held, what is listed, what is ordered."""
    held = [leg.contract for structure in state.structures.values() for leg in structure.combo.legs]
    listed = [contract for listing in state.listings.values() for contract in listing.contracts]
    return [*state.contracts.values(), *listed, *held]


def _asked_every(state: EngineState, now: datetime) -> timedelta:
    # In a session a look at the market asks about a position in doubt, before this does.
    if not state.reconciled or (state.position_doubted and may_ask(state, now)):
        return RECONCILE_AGAIN
    return RECONCILE_EVERY if _is_open(now) else timedelta.max


def _stands(state: EngineState, cause: Cause) -> bool:
    """Whether the broker is there and trading is limited for this `cause`."""
    return state.connected and cause in dict(state.risk.causes)


def _is_open(now: datetime) -> bool:
    """Whether options trade at the aware `now`."""
    day = now.astimezone(MARKET_TZ).date()
    if not is_session(day):
        return False
    opens, closes = option_hours_utc(day)
    return opens <= now <= closes
