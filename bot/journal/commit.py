"""How appended records become durable: inline in virtual time, on one writer thread in real time.

The order path awaits a commit either way; the difference is only whether the event loop runs on
meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from bot.journal.writer import Journal

Committer = Callable[[Journal], Awaitable[None]]


async def commit_inline(journal: Journal) -> None:
    """Write and sync in the caller's turn: deterministic, for virtual time."""
    journal.commit()


class WriterThread:
    """One thread that writes batches in the order in which they were taken."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def commit(self, journal: Journal) -> None:
        """Return once everything appended before the call is durable.

        Raises JournalError.
        """
        batch = journal.take()
        await asyncio.get_running_loop().run_in_executor(self._executor, journal.write, batch)

    def close(self) -> None:
        """Wait for the last write."""
        self._executor.shutdown(wait=True)
