"""Walks the journal's chain and finds the first record that does not fit.

Edits, deletions, insertions, swaps and cuts are all found: inside the chain by the hashes, at its end by the
head file, which promises the last durable record.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from bot.errors import JournalError
from bot.journal.segments import (
    GENESIS,
    NO_RECORD,
    first_seq,
    last_hash,
    lines_of,
    read_head,
    seal,
    segment_day,
    segment_number,
    segments,
    split_line,
    strays,
)

Progress = Callable[[int], None]

# A journal that is being written can be caught between two lines; a second look tells that from damage.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """The first record that does not fit, with what is wrong."""

    segment: str
    line: int
    what: str

    def __str__(self) -> str:
        """`segment:line: what` on one line."""
        return f"{self.segment}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of walking the chain.

    `head` is the hash of the last good record.
    """

    records: int
    head: str
    closed: bool
    fault: Fault | None
    uncommitted: int = 0  # good records behind the head file: written, never promised


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk through one segment ended: good records so far, the last one's hash, their bytes here."""

    count: int
    head: str
    closed: bool
    fault: Fault | None
    good_bytes: int
    lines: int


def verify(folder: Path, progress: Progress | None = None, from_day: str = "") -> Verification:
    """Walk every segment and compare with the head file.

    Finds edits, deletions, insertions, swaps and truncation. `progress` is told the records so far after
    each segment. Segments before the UTC date `from_day` are taken as they stand: only that the others follow
    on them is proved.
    """
    found = _look(folder, progress, from_day)
    for _ in range(_LOOKS - 1):
        if found.fault is None:
            break
        again = _look(folder, None, from_day)
        if again == found:
            break
        found = again
    return found


def _look(folder: Path, progress: Progress | None, from_day: str) -> Verification:
    try:
        head = read_head(folder)
    except JournalError as error:
        return Verification(0, GENESIS, False, Fault("head", 1, str(error).partition(": ")[2]))
    files = segments(folder)
    stray = strays(folder)
    skipped, walk = _believed(files, from_day)
    for expected, path in enumerate(files, start=1):
        fault = misnumbered(path, expected)
        if fault is None and expected > skipped:
            walk = walk_segment(path, walk.count, walk.head, head)
            fault = walk.fault
        if fault is not None:
            return Verification(walk.count, walk.head, False, fault)
        if progress is not None:
            progress(walk.count)
    if stray:
        return Verification(walk.count, walk.head, False, Fault(stray[0], 1, "is not the name of a segment"))
    last, lines = (files[-1].name, walk.lines) if files else ("head", 0)
    fault = None
    if head is None and walk.count:
        fault = Fault(last, lines, "the head file is missing beside the segments")
    elif head is not None and head[0] > walk.count:
        what = f"the journal ends after {walk.count} records, its head file promises {head[0]}"
        fault = Fault(last, lines + 1, what)
    uncommitted = 0 if head is None or fault is not None else walk.count - head[0]
    return Verification(walk.count, walk.head, walk.closed and fault is None, fault, uncommitted)


def _believed(files: list[Path], from_day: str) -> tuple[int, Walk]:
    """How many segments are not walked, and where a walk behind them begins; the last one always is."""
    skipped = min(sum(segment_day(path) < from_day for path in files), len(files) - 1)
    if skipped > 0:
        with suppress(JournalError):
            first = first_seq(files[skipped])
            if first != NO_RECORD:
                return skipped, Walk(first - 1, last_hash(files[skipped - 1]), False, None, 0, 0)
    return 0, Walk(0, GENESIS, False, None, 0, 0)


def misnumbered(path: Path, expected: int) -> Fault | None:
    """A segment that stands where another one belongs."""
    if segment_number(path) == expected:
        return None
    return Fault(path.name, 1, f"segment {expected:04d} is missing before it")


def walk_segment(path: Path, count: int, previous: str, head: tuple[int, str] | None) -> Walk:
    """Check one segment's lines against `count` records before them that end in the hash `previous`."""
    closed, number, size = False, 0, 0
    day = b'"time":"' + segment_day(path).encode()
    try:
        for number, line in enumerate(lines_of(path), start=1):
            what, digest, kind = _judge(line, count + 1, previous, day, head)
            if what:
                return Walk(count, previous, closed, Fault(path.name, number, what), size, number)
            closed = kind == "Closed"
            count, previous, size = count + 1, digest, size + len(line)
    except JournalError as error:
        fault = Fault(path.name, number + 1, str(error).split(": ", 1)[1])
        return Walk(count, previous, False, fault, size, number)
    return Walk(count, previous, closed, None, size, number)


def _judge(
    line: bytes, seq: int, previous: str, day: bytes, head: tuple[int, str] | None
) -> tuple[str, str, str]:
    """What is wrong with a line (empty: nothing), its hash and its kind."""
    if not line.endswith(b"\n"):
        return "the last line is incomplete", "", ""
    try:
        prefix, digest = split_line(line[:-1])
        parsed = orjson.loads(line)
        found, kind = parsed["seq"], parsed["kind"]
    except (ValueError, KeyError, TypeError) as error:
        return f"not a record ({error})", "", ""
    if found != seq:
        return f"record {found} stands where {seq} belongs", digest, kind
    if seal(prefix, previous) != digest:
        return "the hash does not fit the record and its predecessor", digest, kind
    if day not in prefix[:60]:
        return "the record is of another day than its segment", digest, kind
    if head is not None and head[0] == seq and head[1] != digest:
        return "the head file names another record here", digest, kind
    return "", digest, kind
