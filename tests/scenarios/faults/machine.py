"""The daemon's machine with its seams open: a disk that fails, a clock that jumps, a line that is watched.

Nothing here replaces a part of the product. The journal writes through `os` as always, the client library
writes to its transport, the clock is the loop's; each is only overheard, and disturbed when a plan says so.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.clock import VirtualClock
from bot.journal.writer import Batch, Journal
from simulator.virtual import MemoryTransport, VirtualLoop

_NAP_S_MAX = 20.0


class Disk:
    """What the journal takes for the operating system: everything passes, until something fails.

    A sync is only counted, because nothing that a virtual session writes has to survive the machine.
    """

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self.sync_fails = self.is_full = False
        self._on_failure = on_failure

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write some, then find the disk full."""
        if not self.is_full:
            return os.write(descriptor, data)
        os.write(descriptor, bytes(data)[: len(data) // 2])
        self.is_full = False
        self._on_failure("disk full")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fdatasync(self, descriptor: int) -> None:
        """Fail once when told to."""
        os.fstat(descriptor)
        if self.sync_fails:
            self.sync_fails = False
            self._on_failure("fsync fails")
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def fsync(self, descriptor: int) -> None:
        """Folders are durable at once."""
        os.fstat(descriptor)


class WatchedJournal(Journal):
    """A journal that tells what is appended to it and what has become durable."""

    appended: Callable[[int, datetime, str, object], None] = staticmethod(lambda *_: None)
    durable: Callable[[int], None] = staticmethod(lambda _: None)

    def append(self, time: datetime, kind: str, body: object) -> int:
        """As the journal's."""
        seq = super().append(time, kind, body)
        self.appended(seq, time, kind, body)
        return seq

    def write(self, batch: Batch) -> None:
        """As the journal's."""
        super().write(batch)
        self.durable(batch.count)


class JumpingClock(VirtualClock):
    """A machine whose clock is set by somebody while it runs; waiting goes in naps, as the wall clock's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        super().__init__(loop, start)
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The loop's time, and by how much this machine is ahead of it."""
        return super().now() + self.ahead

    async def sleep_until(self, time: datetime) -> None:
        """Naps only where a jump may shorten the wait; a session without jumps needs none."""
        while (left_s := (time - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time is what is awaited
            await asyncio.sleep(min(left_s, _NAP_S_MAX) if self.ahead else left_s)


class WatchedLoop(VirtualLoop):
    """A loop whose connections are overheard in both directions, and can fall silent or into pieces."""

    def __init__(self, start: datetime, on_advance: Callable[[datetime], None] | None = None) -> None:
        super().__init__(start, on_advance)
        self.sent: Callable[[bytes], None] = lambda _: None
        self.received: Callable[[bytes], None] = lambda _: None
        self.silent = self.in_pieces = False
        self.lines = 0

    async def create_connection(  # type: ignore[override]  # as its base
        self, *words: Any, **named: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect, and listen in from the first byte after the greeting's."""
        if self.silent:
            await asyncio.sleep(60.0)
            raise TimeoutError("nothing answers")
        near, protocol = await super().create_connection(*words, **named)
        assert isinstance(near, MemoryTransport)
        assert near._far is not None
        self.lines += 1
        self._overhear(near, self.sent)
        self._overhear(near._far, self.received)
        return near, protocol

    def _overhear(self, end: MemoryTransport, hear: Callable[[bytes], None]) -> None:
        write = end.write

        def written(data: bytes | bytearray | memoryview) -> None:
            hear(bytes(data))
            if not self.silent:
                write(data)
                if self.in_pieces:
                    self._cut_up(end)

        end.write = written  # type: ignore[method-assign]  # one connection's own ear

    def _cut_up(self, end: MemoryTransport) -> None:
        """Deliver byte by byte what was written in this turn."""
        far = end._far
        data, end._written[:] = b"".join(end._written), []
        if far is not None and not far._ended and isinstance(far._protocol, asyncio.Protocol):
            for place in range(len(data)):
                self.call_soon(_deliver, far, data[place : place + 1])


def _deliver(far: MemoryTransport, piece: bytes) -> None:
    if not far._ended and isinstance(far._protocol, asyncio.Protocol):
        far._protocol.data_received(piece)


def scratch_folder() -> Path | None:
    """Where the system keeps files in memory, if it does."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None
