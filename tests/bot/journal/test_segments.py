"""A line that is no record is named by its segment and line, whichever way it is met."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.errors import JournalError
from bot.journal.packing import pack
from bot.journal.segments import first_seq, last_record, lines_of, newest_first, read_records
from tests.bot.journal.journals import crashed_journal

LAST = "0003-2024-03-06.jsonl"


def with_line(folder: Path, number: int, line: bytes) -> Path:
    """The journal with another line in its last segment."""
    segment = folder / LAST
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[number - 1] = line
    segment.write_bytes(b"".join(lines))
    return folder


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"rubbish\n", lambda folder: list(read_records(folder, after=8))),
        (b'{"seq":8}\n', lambda folder: list(read_records(folder, kinds=frozenset({"Closed"})))),
        (b'{"seq":8}\n', lambda folder: list(newest_first(folder, "Closed"))),
        (b'{"seq":8}\n', lambda folder: list(read_records(folder))),
    ],
)
def test_a_reader_stops_at_the_place_of_the_first_line_it_cannot_tell(
    tmp_path: Path, line: bytes, read: Callable[[Path], Any]
) -> None:
    folder = with_line(crashed_journal(tmp_path / "journal"), 2, line)
    with pytest.raises(JournalError, match=f"{LAST}:2: not a readable record"):
        read(folder)


def test_a_segment_that_begins_with_no_record_has_no_first_number(tmp_path: Path) -> None:
    folder = with_line(crashed_journal(tmp_path / "journal"), 1, b"rubbish\n")
    with pytest.raises(JournalError, match=f"{LAST}:1: not a readable record"):
        first_seq(folder / LAST)


def test_the_last_record_stands_before_a_segment_that_has_only_begun(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "journal")
    (folder / LAST).write_bytes(b'{"seq":7,"time"')
    found = last_record(folder)
    assert found is not None
    assert found.place == "0002-2024-03-05.jsonl:3"


def test_a_packed_segment_gives_its_lines_as_the_plain_one_did_even_a_torn_last_one(tmp_path: Path) -> None:
    data = b"one\ntwo\nthr"
    plain, packed = tmp_path / "0001-2024-03-04.jsonl", tmp_path / "0002-2024-03-05.jsonl.gz"
    plain.write_bytes(data)
    packed.write_bytes(pack(data))
    assert list(lines_of(packed)) == list(lines_of(plain)) == [b"one\n", b"two\n", b"thr"]
