"""The machine the daemon runs on: a clock that jumps, a disk that fills or is slow.

What it sees is an event like any other, so that a replay decides the same. After a jump of the clock (a step
of the time service, a suspended machine) trading is reduced until the broker's time has been heard again and
the book is reconciled anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import BrokerError, NotPaperAccountError
from bot.events import Condition, Event, HostReported
from bot.journal.durability import SLOW_S, Durability

CLOCK_JUMP_MAX_S = 2.0
SLOW_FOR_S = 10.0
FREE_BYTES_MIN = 64 * 2**20
DISK_INTERVAL_S = 5.0


class HostWatch:
    """Looks at clock and disk, and tells `take` what changed.

    `clock` is the clock that may jump; `free_bytes` tells what the journal's disk has left (None: not
    watched). `hear_time` asks the broker for its time, `prove` for all it knows; `may_stand` knows of a
    condition that an earlier start has left in force.
    """

    def __init__(
        self,
        clock: Clock,
        durability: Durability,
        take: Callable[[Event], Awaitable[None]],
        hear_time: Callable[[], Awaitable[datetime]],
        prove: Callable[[], None],
        may_stand: Callable[[Condition], bool],
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._clock = clock
        self._durability = durability
        self._take = take
        self._hear_time = hear_time
        self._prove = prove
        self._free_bytes = free_bytes
        self._zero: datetime | None = None  # the clock's time at second 0 of the loop
        self._may_stand = may_stand
        self._has_jumped: bool | None = None
        self._disk_at_s = float("-inf")
        self._is_full = False
        self._disk: str | None = None  # not told yet: an earlier start may have left a cause

    async def look(self, is_connected: bool) -> None:
        """One look; after a jump of the clock also a question to the broker, while it is in reach."""
        loop_s = asyncio.get_running_loop().time()
        zero = self._clock.now() - timedelta(seconds=loop_s)
        jump_s = 0.0 if self._zero is None else (zero - self._zero).total_seconds()
        if self._has_jumped is None:
            self._has_jumped = self._may_stand(Condition.CLOCK)
        if self._zero is None or abs(jump_s) > CLOCK_JUMP_MAX_S:
            self._zero = zero
        if abs(jump_s) > CLOCK_JUMP_MAX_S:
            self._has_jumped = True
            await self._take(HostReported(Condition.CLOCK, f"this machine's clock jumped by {jump_s:+.0f} s"))
        await self._look_at_disk(loop_s)
        if self._has_jumped and is_connected:
            await self._agree_on_time()

    async def _agree_on_time(self) -> None:
        try:
            await self._hear_time()
        except NotPaperAccountError:
            raise
        except BrokerError:
            return  # the next look tries again; a dead link is found by its heartbeat
        self._has_jumped = False
        await self._take(HostReported(Condition.CLOCK, ""))
        self._prove()

    async def _look_at_disk(self, loop_s: float) -> None:
        if self._free_bytes is not None and loop_s - self._disk_at_s >= DISK_INTERVAL_S:
            self._disk_at_s = loop_s
            self._is_full = self._free_bytes() < FREE_BYTES_MIN
        disk = ""
        if self._durability.is_on_reserve:
            disk = "the journal's disk is full: it writes into its reserve"
        elif self._is_full:
            disk = f"less than {FREE_BYTES_MIN // 2**20} MiB are free on the journal's disk"
        elif self._durability.slow_within(SLOW_FOR_S, loop_s):
            disk = f"the journal's disk took more than {SLOW_S:g} s for a record"
        if disk != self._disk and (disk or self._disk or self._may_stand(Condition.DISK)):
            await self._take(HostReported(Condition.DISK, disk))
        self._disk = disk
