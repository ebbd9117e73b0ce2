"""The journal keeps what it promised over every crash, and refuses to go on when it cannot."""

import errno
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bot.errors import JournalError, JournalInUseError
from bot.journal.segments import last_record, newest_first
from bot.journal.writer import GENESIS, RESERVE, RESERVE_BYTES, Journal, read_head, read_records, verify
from tests.bot.journal.journals import (
    FIRST_DAY,
    closed_journal,
    contents,
    crashed_journal,
    restore_contents,
    write_records,
)


def cuts(data: bytes, every_byte: bool) -> list[int]:
    """Sizes to cut a file to: every one, or the edges of its lines and some within them."""
    edges = [i for i in range(len(data) + 1) if b"\n" in data[max(i - 2, 0) : i + 2] or i < 3]
    return list(range(len(data) + 1)) if every_byte else sorted({*edges, *range(0, len(data), 37)})


def body(number: int) -> dict[str, int]:
    return {"number": number}


def test_records_are_read_back_as_they_were_appended(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    records = list(read_records(folder))
    assert [record.seq for record in records] == list(range(1, 11))
    assert [record.kind for record in records] == ["Alert"] * 9 + ["Closed"]
    assert records[4].body["text"] == "day 1 é 1"
    assert [records[3].place, records[9].place] == ["0002-2024-03-05.jsonl:1", "0003-2024-03-06.jsonl:4"]
    assert records[0].raw_body == '{"level":"info","name":"n","text":"day 0 é 0"}'.encode()


def test_a_clean_stop_writes_the_count_and_the_head_before_it(tmp_path: Path) -> None:
    records = list(read_records(closed_journal(tmp_path / "journal")))
    assert records[-1].body == {"count": 9, "head": records[-2].hash}
    assert read_head(tmp_path / "journal") == (10, records[-1].hash)


@pytest.mark.parametrize("after", range(12))
def test_reading_starts_behind_any_record(tmp_path: Path, after: int) -> None:
    folder = closed_journal(tmp_path / "journal")
    assert [record.seq for record in read_records(folder, after)] == list(range(after + 1, 11))


def test_reading_parses_neither_earlier_records_nor_other_kinds(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    segment = folder / "0003-2024-03-06.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"level"', b"#broken#", 2))
    assert [record.seq for record in read_records(folder, after=8)] == [9, 10]
    assert [record.seq for record in read_records(folder, kinds=frozenset({"Closed"}))] == [10]
    with pytest.raises(JournalError, match=r"0003-2024-03-06\.jsonl:1"):
        list(read_records(folder, after=6))


def test_records_of_one_kind_are_read_from_the_end_backwards(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    assert [record.seq for record in newest_first(folder, "Alert")] == list(range(9, 0, -1))
    assert [record.line for record in newest_first(folder, "Closed")] == [4]
    last = last_record(folder)
    assert last is not None
    assert last.kind == "Closed"


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    with (folder / "0003-2024-03-06.jsonl").open("ab") as segment:
        segment.write(b'{"seq":11,"time":"2024')
    assert len(list(read_records(folder))) == 10
    last = last_record(folder)
    assert last is not None
    assert last.seq == 10


def test_a_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    folder = closed_journal(tmp_path / "journal")
    journal, note = Journal.open(folder)
    assert (journal.count, note) == (10, "")
    write_records(journal, days=1, first=2)
    assert journal.close(FIRST_DAY + timedelta(days=3)) == journal.head
    result = verify(folder)
    assert (result.fault, result.records, result.closed) == (None, 14, True)


def test_a_new_segment_begins_with_each_utc_day(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    new_york_evening = datetime(2024, 3, 4, 20, tzinfo=timezone(timedelta(hours=-5)))
    journal.append(new_york_evening - timedelta(hours=2), "Alert", body(1))
    journal.append(new_york_evening, "Alert", body(2))
    journal.commit()
    journal.release()
    assert [r.segment for r in read_records(tmp_path)] == ["0001-2024-03-04.jsonl", "0002-2024-03-05.jsonl"]
    assert [r.time for r in read_records(tmp_path)] == ["2024-03-04T23:00:00Z", "2024-03-05T01:00:00Z"]


def test_a_record_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    with pytest.raises(ValueError, match="time zone"):
        journal.append(datetime(2024, 3, 4), "Alert", body(1))  # noqa: DTZ001 -- what is refused here
    journal.release()


def test_nothing_is_promised_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = Journal.open(tmp_path)
    heads: list[tuple[int, str] | None] = []
    synced = os.fdatasync

    def watching(descriptor: int) -> None:
        heads.append(read_head(tmp_path))
        synced(descriptor)

    monkeypatch.setattr(os, "fdatasync", watching)
    journal.append(FIRST_DAY, "Alert", body(1))
    assert list(read_records(tmp_path)) == []
    journal.commit()
    journal.append(FIRST_DAY, "Alert", body(2))
    journal.commit()
    assert [head[0] for head in heads if head is not None] == [0, 1]
    assert read_head(tmp_path) == (2, journal.head)
    journal.release()


def test_batches_taken_before_later_appends_promise_only_themselves(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(FIRST_DAY, "Alert", body(1))
    batch = journal.take()
    journal.append(FIRST_DAY, "Alert", body(2))
    journal.write(batch)
    assert read_head(tmp_path) == (1, batch.head)
    assert verify(tmp_path).records == 1
    journal.commit()
    assert verify(tmp_path).records == 2
    journal.release()


def test_only_one_writer_holds_a_journal(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    with pytest.raises(JournalInUseError, match="another process") as refused:
        Journal.open(tmp_path)
    assert refused.value.exit_code == 75
    journal.release()
    again, _ = Journal.open(tmp_path)
    again.release()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        Journal.open(tmp_path / "file" / "journal")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_failed_sync_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(FIRST_DAY, "Alert", body(1))
    journal.commit()

    def failing(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing)
        journal.append(FIRST_DAY, "Alert", body(2))
        with pytest.raises(JournalError, match=r"cannot be made durable"):
            journal.commit()
    journal.append(FIRST_DAY, "Alert", body(3))
    with pytest.raises(JournalError, match=r"cannot be made durable"):
        journal.commit()
    assert read_head(tmp_path) is not None
    assert (read_head(tmp_path) or (0, ""))[0] == 1
    journal.release()


def test_a_short_write_before_a_full_disk_leaves_a_journal_that_opens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(FIRST_DAY, "Alert", body(1))
    journal.commit()
    written = os.write

    def filling(descriptor: int, data: memoryview) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as full:
        full.setattr(os, "write", filling)
        journal.append(FIRST_DAY, "Alert", body(2))
        with pytest.raises(JournalError, match="No space left"):
            journal.commit()
    journal.release()
    again, note = Journal.open(tmp_path)
    assert "behind record 1" in note
    again.append(FIRST_DAY, "Alert", body(2))
    again.close(FIRST_DAY)
    assert verify(tmp_path).fault is None


@pytest.mark.parametrize("name", ["0001-2024-03-04.jsonl", "head"])
def test_a_file_that_is_removed_under_the_writer_stops_it(tmp_path: Path, name: str) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(FIRST_DAY, "Alert", body(1))
    journal.commit()
    (tmp_path / name).unlink()
    journal.append(FIRST_DAY, "Alert", body(2))
    with pytest.raises(JournalError, match="removed"):
        journal.commit()
    journal.release()


@pytest.mark.parametrize("promised_days", [0, 2])
def test_a_crash_at_every_byte_of_a_write_recovers_what_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promised_days: int
) -> None:
    """The disk holds the promised days, their head file, and any prefix of what came after."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no real power is lost: spare the disk
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)
    before = crashed_journal(tmp_path / "before", promised_days)
    after = contents(crashed_journal(tmp_path / "after", 3))
    start = contents(before)
    names = sorted(name for name in after if name.endswith(".jsonl"))
    folder = tmp_path / "journal"
    folder.mkdir()
    whole: dict[str, bytes] = dict(start)
    for name in names[promised_days:]:
        for size in cuts(after[name], every_byte=name == names[-1] and promised_days == 2):
            restore_contents(folder, {**whole, name: after[name][:size]})
            journal, note = Journal.open(folder)
            complete = after[name][:size].count(b"\n")
            assert journal.count == names.index(name) * 3 + complete
            torn = size == 0 or after[name][size - 1 : size] != b"\n"
            assert bool(note) == torn, (name, size)
            journal.append(FIRST_DAY + timedelta(days=3), "Alert", body(1))
            journal.close(FIRST_DAY + timedelta(days=3))
            assert verify(folder).fault is None
        whole[name] = after[name]


def test_a_promised_record_that_is_cut_refuses_to_open_and_changes_nothing(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    intact = contents(folder)
    name = "0003-2024-03-06.jsonl"
    for size in range(len(intact[name])):
        (folder / name).write_bytes(intact[name][:size])
        with pytest.raises(JournalError, match="restore the folder"):
            Journal.open(folder)
        assert (folder / name).read_bytes() == intact[name][:size]
    assert contents(folder).keys() == intact.keys()


def test_a_record_damaged_in_the_middle_of_an_unpromised_tail_is_never_cut_away(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal", days=1)
    first = contents(crashed_journal(tmp_path / "shorter", days=0))["head"]
    name = "0001-2024-03-04.jsonl"
    damaged = (folder / name).read_bytes().replace(b"day 0 \xc3\xa9 1", b"day 0 \xc3\xa9 7")
    restore_contents(folder, {"head": first, name: damaged})
    with pytest.raises(JournalError, match=r"0001-2024-03-04\.jsonl:2"):
        Journal.open(folder)
    assert (folder / name).read_bytes() == damaged


def test_a_missing_segment_head_file_or_folder_content_refuses_to_open(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    intact = contents(folder)
    for gone in intact:
        restore_contents(folder, {name: data for name, data in intact.items() if name != gone})
        with pytest.raises(JournalError):
            Journal.open(folder)
    restore_contents(folder, {"head": intact["head"]})
    with pytest.raises(JournalError, match="promises 9 records"):
        Journal.open(folder)


def test_opening_walks_only_what_stands_behind_the_promise(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    early = folder / "0001-2024-03-04.jsonl"
    early.write_bytes(early.read_bytes().replace(b'"level"', b"#broken#"))
    journal, _ = Journal.open(folder)
    journal.release()
    assert verify(folder).fault is not None


def test_an_empty_journal_verifies_and_starts_from_nothing(tmp_path: Path) -> None:
    journal, note = Journal.open(tmp_path / "new" / "journal")
    assert (journal.count, journal.head, note) == (0, GENESIS, "")
    journal.commit()
    journal.release()
    result = verify(tmp_path / "new" / "journal")
    assert (result.records, result.fault, result.closed) == (0, None, False)


def test_a_closed_writer_writes_no_more(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.close(FIRST_DAY.astimezone(UTC))
    journal.append(FIRST_DAY, "Alert", body(1))
    with pytest.raises(JournalError, match="closed"):
        journal.commit()


def test_what_was_set_aside_is_given_back_once_when_others_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, _ = Journal.open(tmp_path)
    reserve, write = tmp_path / RESERVE, os.write
    for _ in range(2):
        journal.set_aside()
        assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES

    def full_disk(descriptor: int, data: bytes) -> int:
        if reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full_disk)
    write_records(journal, 1)
    assert journal.is_on_reserve
    assert not reserve.exists()
    assert verify(tmp_path).fault is None
    reserve.mkdir()  # what is no file any more cannot be given back a second time
    with pytest.raises(JournalError, match="No space left"):
        write_records(journal, 1, first=1)
    journal.release()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_what_was_set_aside_also_makes_room_for_the_file_of_a_new_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.set_aside()
    write_records(journal, 1)
    reserve, whole = tmp_path / RESERVE, os.open

    def full_disk(path: Path | str, flags: int, *mode: int) -> int:
        if reserve.exists() and str(path).endswith(".jsonl") and flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return whole(path, flags, *mode)

    monkeypatch.setattr(os, "open", full_disk)
    journal.append(FIRST_DAY + timedelta(days=1), "Alert", body(2))
    journal.commit()
    assert journal.is_on_reserve
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    journal.release()


def test_a_disk_without_room_to_set_aside_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    journal, _ = Journal.open(tmp_path)
    journal.set_aside()
    assert not (tmp_path / RESERVE).exists()
    journal.release()


def test_a_segment_that_cannot_be_read_is_told_and_the_lock_is_let_go(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    segment = folder / "0003-2024-03-06.jsonl"
    data = segment.read_bytes()
    segment.unlink()
    segment.mkdir()
    with pytest.raises(JournalError, match="the journal cannot be read"):
        Journal.open(folder)
    segment.rmdir()
    segment.write_bytes(data)
    journal, note = Journal.open(folder)
    assert (journal.count, note) == (9, "")
    journal.release()


def test_lines_that_are_no_records_behind_the_promise_are_cut_off(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    with (folder / "0003-2024-03-06.jsonl").open("ab") as segment:
        segment.write(b"rubbish\nmore of it\nand no end")
    journal, note = Journal.open(folder)
    assert (journal.count, note.endswith("cut 29 bytes behind record 9 that were never completed")) == (
        9,
        True,
    )
    journal.release()
    assert verify(folder).fault is None
