"""When the journal becomes durable: at once before an order, now and then for everything else.

A checkpoint is written every ten minutes and at the end, behind the record that promises its digest.
"""

import asyncio
from datetime import datetime, timedelta
from hashlib import sha256

from bot.engine.state import EngineState
from bot.journal.codec import Rewriter
from bot.journal.commit import Committer
from bot.journal.opening import OpenJournal

SLOW_S = 0.5
CHECKPOINT_INTERVAL = timedelta(minutes=10)


class Durability:
    """The journal's commits and checkpoints. Telemetry waits `interval` for its turn, at most."""

    def __init__(self, opened: OpenJournal, commit: Committer, interval: timedelta) -> None:
        self._journal = opened.journal
        self._checkpoints = opened.checkpoints
        self._commit = commit
        self._interval = interval
        self._state = Rewriter()
        self._count = 0
        self._slow_at_s: float | None = None
        self._committed_at: datetime | None = None
        self._checkpoint_at: datetime | None = None

    async def now(self, time: datetime) -> bool:
        """Return once everything appended so far is durable, and whether that took more than SLOW_S.

        Raises JournalError.
        """
        self._committed_at = time
        self._count = self._journal.count
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await self._commit(self._journal)
        is_slow = loop.time() - began_s > SLOW_S
        if is_slow:
            self._slow_at_s = loop.time()
        return is_slow

    @property
    def is_on_reserve(self) -> bool:
        """Whether the disk is full and the journal writes into what it had set aside."""
        return self._journal.is_on_reserve

    def slow_within(self, seconds: float, loop_s: float) -> bool:
        """Whether a commit of the last `seconds` took too long; `loop_s` is the loop's present."""
        return self._slow_at_s is not None and loop_s - self._slow_at_s < seconds

    async def in_turn(self, time: datetime, state: EngineState) -> None:
        """Write a checkpoint or commit, when there is something new and it is time. Raises JournalError."""
        if self._journal.count == self._count:
            return
        if self._checkpoint_at is None or time - self._checkpoint_at >= CHECKPOINT_INTERVAL:
            await self.checkpoint(time, state)
        elif self._committed_at is None or time - self._committed_at >= self._interval:
            await self.now(time)

    async def checkpoint(self, time: datetime, state: EngineState) -> None:
        """Keep the state that holds after the last record."""
        self._checkpoint_at = time
        data = self._state.canonical(state)
        self._journal.append(time, "Checkpointed", {"sha256": sha256(data).hexdigest()})
        seq, head = self._journal.count, self._journal.head
        await self.now(time)
        self._checkpoints.save(seq, head, data)
