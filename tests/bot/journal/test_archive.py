"""Packed segments: the same records for every reader, the same faults for verify, nothing lost in a crash."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import JournalError
from bot.events import Alert
from bot.journal import archive
from bot.journal.archive import keep_packed, pack_oldest
from bot.journal.packing import pack
from bot.journal.segments import last_record, newest_first, segments
from bot.journal.writer import Journal, read_records, verify
from bot.review.logs import Selection, select
from bot.review.replay import replay
from tests.bot.journal.journals import (
    FIRST_DAY,
    closed_journal,
    contents,
    crashed_journal,
    restore_contents,
    write_records,
)
from tests.bot.recorder import record_two_starts


def pack_all(folder: Path) -> list[str]:
    names = []
    while (path := pack_oldest(folder)) is not None:
        names.append(path.name)
    return names


def bodies(folder: Path, after: int = 0) -> list[tuple[int, bytes]]:
    return [(record.seq, record.raw) for record in read_records(folder, after)]


def test_all_segments_but_the_last_are_packed_and_nothing_else_changes(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    before, promised, newest = bodies(folder), verify(folder), list(newest_first(folder, "Alert"))
    assert pack_all(folder) == ["0001-2024-03-04.jsonl.gz", "0002-2024-03-05.jsonl.gz"]
    assert [path.name for path in segments(folder)] == [
        "0001-2024-03-04.jsonl.gz",
        "0002-2024-03-05.jsonl.gz",
        "0003-2024-03-06.jsonl",
    ]
    assert bodies(folder) == before
    assert verify(folder) == promised
    for after in range(11):
        assert bodies(folder, after) == before[after:]
    assert [record.raw for record in newest_first(folder, "Alert")] == [record.raw for record in newest]


def test_a_journal_of_one_segment_is_left_alone(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal", days=1)
    assert pack_oldest(folder) is None
    assert pack_oldest(tmp_path) is None


def test_a_segment_that_the_head_does_not_promise_is_left_alone(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    (folder / "head").write_bytes((folder / "head").read_bytes().replace(b'"count":9', b'"count":4'))
    assert pack_all(folder) == ["0001-2024-03-04.jsonl.gz"]


def test_a_writer_goes_on_behind_packed_segments(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    pack_all(folder)
    journal, note = Journal.open(folder)
    assert note == ""
    write_records(journal, 2, first=3)
    journal.close(FIRST_DAY + timedelta(days=4, hours=1))
    assert verify(folder).fault is None
    assert [seq for seq, _ in bodies(folder)] == list(range(1, 17))
    assert len(pack_all(folder)) == 2


def test_a_writer_whose_last_segment_is_packed_begins_another_of_the_same_day(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal", days=2)
    pack_all(folder)
    # A crash left the newest segment without a complete record: it goes, and a packed one is the last.
    torn = folder / "0002-2024-03-05.jsonl"
    torn.write_bytes(torn.read_bytes()[:20])
    head = last_record_of(folder, 3)
    (folder / "head").write_bytes(b'{"count":3,"head":"%b"}' % head.encode())
    journal, note = Journal.open(folder)
    assert "cut 20 bytes" in note
    assert journal.append(FIRST_DAY + timedelta(seconds=9), "Alert", {"text": "again"}) == 4
    journal.close(FIRST_DAY + timedelta(seconds=10))
    assert [path.name for path in segments(folder)] == ["0001-2024-03-04.jsonl.gz", "0002-2024-03-04.jsonl"]
    assert verify(folder).fault is None


def last_record_of(folder: Path, seq: int) -> str:
    return next(record.hash for record in read_records(folder) if record.seq == seq)


@pytest.mark.parametrize("step", ["unpacked", "twins", "half written"])
def test_a_crash_while_packing_loses_nothing_and_the_next_turn_ends_it(tmp_path: Path, step: str) -> None:
    folder = closed_journal(tmp_path / "journal")
    files, before = contents(folder), bodies(folder)
    name = "0001-2024-03-04.jsonl"
    if step == "twins":
        files[name + ".gz"] = pack(files[name])
    elif step == "half written":
        files[name + ".new"] = pack(files[name])[:30]
    restore_contents(folder, files)
    assert verify(folder).fault is None
    assert bodies(folder) == before
    assert len(pack_all(folder)) == 2
    assert {path.name for path in folder.iterdir()} == {
        "0001-2024-03-04.jsonl.gz", "0002-2024-03-05.jsonl.gz", "0003-2024-03-06.jsonl", "head",
    }  # fmt: skip
    assert (verify(folder).fault, bodies(folder)) == (None, before)


def test_a_reader_that_listed_a_segment_finds_it_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = closed_journal(tmp_path / "journal")
    reading = read_records(folder)
    first = next(reading)
    pack_all(folder)
    assert [first.seq, *(record.seq for record in reading)] == list(range(1, 11))


def test_every_change_to_a_packed_segment_that_changes_a_record_is_found(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    before = bodies(folder)
    pack_all(folder)
    target = folder / "0002-2024-03-05.jsonl.gz"
    packed = target.read_bytes()
    silent = 0
    for position in range(len(packed)):
        changed = bytearray(packed)
        changed[position] ^= 0x04
        target.write_bytes(changed)
        fault = verify(folder).fault
        if fault is None:
            silent += 1
            assert bodies(folder) == before
        else:
            assert fault.segment in (target.name, "0003-2024-03-06.jsonl")
    assert silent <= 1


def test_a_forged_or_missing_packed_segment_is_found(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    pack_all(folder)
    files = contents(folder)
    name = "0002-2024-03-05.jsonl.gz"
    lines = [record.raw + b"\n" for record in read_records(folder) if record.segment == name]
    for forged in (
        lines[::-1],
        lines[1:],
        [*lines, lines[-1]],
        [lines[0].replace(b"day", b"dry"), *lines[1:]],
    ):
        restore_contents(folder, {**files, name: pack(b"".join(forged))})
        fault = verify(folder).fault
        assert fault is not None
        assert fault.segment in (name, "0003-2024-03-06.jsonl")
    restore_contents(folder, {other: data for other, data in files.items() if other != name})
    assert str(verify(folder).fault) == "0003-2024-03-06.jsonl:1: segment 0002 is missing before it"
    restore_contents(folder, {**files, "0004.jsonl.gz": b""})
    assert str(verify(folder).fault) == "0004.jsonl.gz:1: is not the name of a segment"


def test_a_damaged_packed_segment_is_named_by_its_readers(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    pack_all(folder)
    (folder / "0001-2024-03-04.jsonl.gz").write_bytes(b"not packed at all")
    with pytest.raises(JournalError, match=r"^0001-2024-03-04\.jsonl\.gz:1: another header"):
        list(read_records(folder))


def test_a_recorded_session_replays_packed_and_its_decisions_are_shown(tmp_path: Path) -> None:
    folder = record_two_starts(tmp_path / "journal")
    result, told = replay(folder), [each.record.raw for each in select(folder, Selection())]
    journal, _ = Journal.open(folder)
    end = last_record(folder)
    assert end is not None
    journal.append(FIRST_DAY + timedelta(days=3000), "Alert", {"level": "info", "name": "n", "text": "t"})
    journal.commit()
    journal.release()
    assert len(pack_all(folder)) == 1
    assert replay(folder).decisions == result.decisions
    assert [each.record.raw for each in select(folder, Selection())] == told


def test_packing_goes_on_beside_a_daemon_until_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at first is told, and tried again."""
    folder = closed_journal(tmp_path / "journal")
    monkeypatch.setattr(archive, "TURN_S", 0.0)
    told: list[Alert] = []

    async def run() -> None:
        done, loop, idle = asyncio.Event(), asyncio.get_running_loop(), []

        def packing(at: Path) -> Path | None:
            if not told:
                raise OSError(28, "No space left on device")
            path = pack_oldest(at)
            if path is None:
                idle.append(at)
            if len(idle) == 2:  # a turn without work is followed by another one
                loop.call_soon_threadsafe(done.set)
            return path

        monkeypatch.setattr(archive, "pack_oldest", packing)
        task = asyncio.create_task(keep_packed(folder, told.append))
        await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [alert.name for alert in told] == ["journal.not_packed"]
    assert [path.suffix for path in segments(folder)] == [".gz", ".gz", ".jsonl"]
    assert verify(folder).fault is None


def test_the_plain_segment_stays_until_the_packed_one_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = closed_journal(tmp_path / "journal")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        pack_oldest(folder)
    assert (folder / "0001-2024-03-04.jsonl").exists()
    assert not (folder / "0001-2024-03-04.jsonl.gz").exists()


def test_a_segment_that_does_not_come_back_as_it_was_packed_stays_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = closed_journal(tmp_path / "journal")
    monkeypatch.setattr(archive, "pack", lambda data: pack(data[:-1]))
    with pytest.raises(ValueError, match="does not come back as it was packed"):
        pack_oldest(folder)
    assert [path.suffix for path in segments(folder)] == [".jsonl"] * 3
    assert verify(folder).fault is None
