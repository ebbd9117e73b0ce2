"""Where the product's time comes from: the only module that reads a clock.

Everything else is handed a `Clock`. Against a paper account that is this machine's clock; against a gateway
whose market has a time of its own it is the gateway's, measured by asking; in a simulated session it is the
event loop's virtual time.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A sleeping process notices a suspended machine or a stepped clock at the latest after this many seconds.
_NAP_S_MAX = 20.0
# An answer so many seconds off what the earlier ones prove is believed when a second one agrees with it.
CONTRADICTION_S = 30.0


def host_ahead_s(server_time: datetime, asked: datetime, answered: datetime) -> float:
    """Seconds by which this machine is ahead of the gateway (negative: behind), as far as one answer proves.

    The gateway tells whole seconds, at some moment between `asked` and `answered`.
    """
    if answered < server_time:
        return (answered - server_time).total_seconds()
    return max((asked - server_time).total_seconds() - 1.0, 0.0)


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    async def sleep_until(self, time: datetime) -> None:
        """Return once `now()` is at or after the aware `time`; at once when it already is."""


class WallClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """The machine's time in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, time: datetime) -> None:
        """Wait in naps, because a monotonic timer stands still while the machine is suspended."""
        while (left_s := (time - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time is what is awaited
            await asyncio.sleep(min(left_s, _NAP_S_MAX))


class SteadyClock:
    """This machine's time at the start, plus the seconds since: steps of its clock do not move it."""

    def __init__(self) -> None:
        self._origin = datetime.now(UTC)
        self._origin_s = time.monotonic()

    def now(self) -> datetime:
        """The time in UTC."""
        return self._origin + timedelta(seconds=time.monotonic() - self._origin_s)

    async def sleep_until(self, time: datetime) -> None:
        """Wait in naps, because the timer stands still while the machine is suspended."""
        while (left_s := (time - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time is what is awaited
            await asyncio.sleep(min(left_s, _NAP_S_MAX))


class BrokerClock:
    """Market time of a gateway that does not live in the present.

    It is this machine's clock plus a measured offset. The gateway tells whole seconds, so that one answer
    bounds the offset only to an interval; later answers narrow it. An answer that contradicts the interval
    starts a new one: the market's time was moved. One that is far off is doubted until the next answer agrees
    with it, because time that has once run ahead never comes back. `speed` is market seconds per second of
    the underlying clock. Time never runs backwards: after a measurement that would turn it back it stands
    until it is caught up.
    """

    def __init__(self, underlying: Clock | None = None, *, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("market time runs forward: speed must be positive")
        self.underlying: Clock = underlying if underlying is not None else SteadyClock()
        self._speed = speed
        self._origin = self.underlying.now()
        self._offset_s: tuple[float, float] = (0.0, 0.0)
        self.is_measured = False
        self._doubted_s: tuple[float, float] | None = None
        self._latest = self._origin

    def now(self) -> datetime:
        """Market time, never before an earlier answer."""
        low_s, high_s = self._offset_s
        estimate = self._scaled(self.underlying.now()) + timedelta(seconds=(low_s + high_s) / 2)
        self._latest = max(self._latest, estimate)
        return self._latest

    def measure(self, server_time: datetime, asked: datetime, answered: datetime) -> bool:
        """Take one answer of the gateway; False when it is so far off that a second one has to agree first.

        It comes with the gateway's whole-second time and the underlying clock's before asking and after.
        Raises ValueError when the answer comes before the question.
        """
        if answered < asked:
            raise ValueError("an answer cannot come before its question")
        low_s = (server_time - self._scaled(answered)).total_seconds()
        high_s = (server_time - self._scaled(asked)).total_seconds() + 1.0
        doubted_s, self._doubted_s = self._doubted_s, None
        # Before the first answer this machine's own time is what an answer is held against.
        if _contradict((low_s, high_s), self._offset_s):
            if doubted_s is None or _contradict((low_s, high_s), doubted_s):
                self._doubted_s = (low_s, high_s)
                return False
        elif self.is_measured and max(low_s, self._offset_s[0]) < min(high_s, self._offset_s[1]):
            low_s, high_s = max(low_s, self._offset_s[0]), min(high_s, self._offset_s[1])
        if not self.is_measured:
            self._latest = server_time
        self.is_measured = True
        self._offset_s = (low_s, high_s)
        return True

    async def sleep_until(self, time: datetime) -> None:
        """Wait in naps, because a measurement may move market time meanwhile."""
        while (left_s := (time - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time is what is awaited
            await asyncio.sleep(min(left_s / self._speed, _NAP_S_MAX))

    def _scaled(self, time: datetime) -> datetime:
        return self._origin + (time - self._origin) * self._speed


def _contradict(one_s: tuple[float, float], other_s: tuple[float, float]) -> bool:
    return max(one_s[0] - other_s[1], other_s[0] - one_s[1]) > CONTRADICTION_S


class VirtualClock:
    """Time of a virtual event loop: market time is `start` (aware) plus the loop's seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of virtual time needs a time zone")
        self._loop = loop
        self._start = start.astimezone(UTC)
        self._told = 0.0, self._start

    def now(self) -> datetime:
        """The loop's time as market time; it stands still while the loop works: one answer serves many."""
        seconds = self._loop.time()
        if seconds != self._told[0]:
            self._told = seconds, self._start + timedelta(seconds=seconds)
        return self._told[1]

    async def sleep_until(self, time: datetime) -> None:
        """Let the loop jump there."""
        while (left_s := (time - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time is what is awaited
            await asyncio.sleep(left_s)
