"""A commit returns once what was appended before it is durable, in the caller's turn or on one thread."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import JournalError
from bot.journal.commit import WriterThread, commit_inline
from bot.journal.writer import Batch, Journal, read_head, read_records, verify

NOW = datetime(2020, 2, 3, 15, 0, tzinfo=UTC)


def test_inline_the_records_are_durable_in_the_callers_own_turn(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(NOW, "Alert", {"number": 1})
    commit = commit_inline(journal)
    with pytest.raises(StopIteration):
        commit.send(None)  # it never waits, so it ends at its first step
    assert read_head(tmp_path) == (1, journal.head)
    journal.release()


async def test_the_thread_makes_durable_what_was_appended_before_and_nothing_else(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    writer = WriterThread()
    journal.append(NOW, "Alert", {"number": 1})
    first = asyncio.ensure_future(writer.commit(journal))
    await asyncio.sleep(0)
    head = journal.head
    journal.append(NOW, "Alert", {"number": 2})
    await first
    assert read_head(tmp_path) == (1, head)
    await writer.commit(journal)
    writer.close()
    journal.release()
    assert [record.body for record in read_records(tmp_path)] == [{"number": 1}, {"number": 2}]
    assert verify(tmp_path).fault is None


class GatedJournal(Journal):
    """A journal whose writes wait until they are let through, on whatever thread they come."""

    def __init__(self, folder: Path, lock: int, count: int, head: str, segment: Path | None) -> None:
        super().__init__(folder, lock, count, head, segment)
        self.gate, self.threads = threading.Event(), set[str]()

    def write(self, batch: Batch) -> None:
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(10)
        super().write(batch)


async def test_the_loop_runs_on_while_the_disk_is_slow_and_batches_keep_their_order(tmp_path: Path) -> None:
    opened, _ = GatedJournal.open(tmp_path)
    assert isinstance(opened, GatedJournal)
    writer, commits = WriterThread(), []
    for number in range(5):
        opened.append(NOW, "Alert", {"number": number})
        commits.append(asyncio.ensure_future(writer.commit(opened)))
        await asyncio.sleep(0)
    assert not any(commit.done() for commit in commits)
    assert read_head(tmp_path) == (0, "0" * 64)
    opened.gate.set()
    await asyncio.gather(*commits)
    writer.close()
    assert len(opened.threads) == 1
    opened.release()
    assert [record.body["number"] for record in read_records(tmp_path)] == [0, 1, 2, 3, 4]
    assert verify(tmp_path).fault is None


async def test_a_write_that_fails_reaches_whoever_awaits_it(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    writer = WriterThread()
    journal.append(NOW, "Alert", {"number": 1})
    (tmp_path / "head").unlink()
    with pytest.raises(JournalError, match="cannot be made durable"):
        await writer.commit(journal)
    journal.append(NOW, "Alert", {"number": 2})
    with pytest.raises(JournalError, match="cannot be made durable"):
        await writer.commit(journal)
    writer.close()
    journal.release()
