"""The journal: an append-only, hash-chained, durable record of all that happened.

It is the only state there is. A folder of `NNNN-YYYY-MM-DD.jsonl` segments, one record a line:
`{"seq","time","kind","body","hash"}`. `hash` is SHA-256 over the predecessor's hash and the line without
it. A `head` file is replaced after each fsync and names the last durable record, so that cutting or editing
the end is found as well; a clean stop writes `Closed{count, head}`. Only one process writes: a lock file
sees to that. An fsync that fails is fatal: what the disk then holds is unknown, and nothing may be sent on
the strength of it.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from bot.codec import canonical
from bot.errors import JournalError, JournalInUseError

GENESIS = "0" * 64
SCHEMA = 1
_HASH_MARK = b',"hash":"'
_TAIL = len(_HASH_MARK) + 64 + len(b'"}')


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal.

    `body` is parsed JSON; `raw` is the line as written, without the line end.
    """

    seq: int
    time: str
    kind: str
    body: dict[str, Any]
    hash: str
    segment: str
    line: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first record that does not fit, with what is wrong."""

    segment: str
    line: int
    what: str


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


def seal(prefix: bytes, previous: str) -> str:
    """Hash of a record from its bytes without the hash member (closing brace included) and its
    predecessor's hash."""
    return hashlib.sha256(previous.encode() + prefix).hexdigest()


def segments(folder: Path) -> list[Path]:
    """Segment files in order."""
    return sorted(path for path in folder.glob("[0-9]*-*.jsonl"))


def split_line(line: bytes) -> tuple[bytes, str]:
    """A line's hashed bytes and its hash.

    Raises ValueError on a line that is not a record.
    """
    if len(line) <= _TAIL or line[-_TAIL : -_TAIL + len(_HASH_MARK)] != _HASH_MARK or line[-2:] != b'"}':
        raise ValueError("not a complete record")
    return line[:-_TAIL] + b"}", line[-66:-2].decode("ascii")


def read_records(folder: Path, after: int = 0) -> Iterator[Record]:
    """Records with seq > `after`, in order, as written; the chain is not checked here.

    Raises JournalError naming segment:line on a line that is not a record.
    """
    files = segments(folder)
    start = 0
    for index, path in enumerate(files):
        if first_seq(path) <= after + 1:
            start = index
    for path in files[start:]:
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            record = _parse(line, path.name, number)
            if record.seq > after:
                yield record


def first_seq(path: Path) -> int:
    """Sequence number of a segment's first record; a very large number for an empty segment."""
    with path.open("rb") as segment:
        line = segment.readline()
    return int(orjson.loads(line)["seq"]) if line.endswith(b"\n") else 1 << 62


def _parse(line: bytes, segment: str, number: int) -> Record:
    try:
        _, digest = split_line(line)
        parsed = orjson.loads(line)
        return Record(
            parsed["seq"],
            parsed["time"],
            parsed["kind"],
            parsed["body"],
            digest,
            segment,
            number,
            bytes(line),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{segment}:{number}: not a readable record ({error})") from error


def read_head(folder: Path) -> tuple[int, str] | None:
    """The head file's (count, hash), or None when there is none.

    Raises JournalError when it cannot be read.
    """
    path = folder / "head"
    if not path.exists():
        return None
    try:
        parsed = orjson.loads(path.read_bytes())
        return int(parsed["count"]), str(parsed["head"])
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{path.name}: not a head file ({error})") from error


def verify(folder: Path) -> Verification:
    """Walk every segment and compare with the head file.

    Finds edits, deletions, insertions, swaps and truncation.
    """
    count, previous, closed = 0, GENESIS, False
    head = read_head(folder)
    files = segments(folder)
    for expected, path in enumerate(files, start=1):
        if int(path.name.partition("-")[0]) != expected:
            return Verification(
                count, previous, False, Fault(path.name, 1, f"segment {expected:04d} is missing")
            )
        fault, count, previous, closed = _verify_segment(path, count, previous, head)
        if fault is not None:
            return Verification(count, previous, False, fault)
    last = files[-1].name if files else "head"
    lines = files[-1].read_bytes().count(b"\n") if files else 0
    if head is None:
        if count:
            return Verification(count, previous, closed, Fault(last, lines, "the head file is missing"))
        return Verification(0, GENESIS, False, None)
    if head[0] > count:
        missing = f"the journal ends after {count} records, its head file promises {head[0]}"
        return Verification(count, previous, closed, Fault(last, lines + 1, missing))
    return Verification(count, previous, closed, None, count - head[0])


def _verify_segment(
    path: Path, count: int, previous: str, head: tuple[int, str] | None
) -> tuple[Fault | None, int, str, bool]:
    closed = False
    data = path.read_bytes()
    lines = data.split(b"\n")
    complete = lines.pop() == b""
    number = 0
    for number, line in enumerate(lines, start=1):
        what, digest = "", ""
        try:
            prefix, digest = split_line(line)
            parsed = orjson.loads(line)
            if parsed["seq"] != count + 1:
                what = f"record {parsed['seq']} stands where {count + 1} belongs"
            elif seal(prefix, previous) != digest:
                what = "the hash does not fit the record and its predecessor"
            elif head is not None and head[0] == count + 1 and head[1] != digest:
                what = "the head file names another record here"
            closed = parsed["kind"] == "Closed"
        except (ValueError, KeyError, TypeError) as error:
            what = f"not a record ({error})"
        if what:
            return Fault(path.name, number, what), count, previous, closed
        count, previous = count + 1, digest
    if not complete:
        return Fault(path.name, number + 1, "the last line is incomplete"), count, previous, closed
    return None, count, previous, closed


@dataclass(frozen=True, slots=True)
class Batch:
    """Appended lines by segment, and the head that stands once they are durable."""

    runs: tuple[tuple[Path, bytes], ...]
    count: int
    head: str


class Journal:
    """The single writer.

    Open it with `Journal.open`; everything appended is durable only after `commit`.     `append` touches
    memory alone. `take` and `write` are the two halves of `commit`, so that a writer thread can do the
    second     while the first half's caller goes on appending; writes happen in the order of takes.
    """

    def __init__(self, folder: Path, lock: int, count: int, head: str, segment: Path | None) -> None:
        self.folder = folder
        self.count = count
        self.head = head
        self._lock = lock
        self._lines: list[bytes] = []
        self._runs: list[tuple[Path, bytes]] = []
        self._segment = segment
        self._day = segment.name[5:15] if segment is not None else ""
        self._open_path: Path | None = None
        self._file = -1

    @classmethod
    def open(cls, folder: Path) -> tuple["Journal", str]:
        """Take the lock, truncate a torn tail and stand behind the last good record.

        Returns the journal and a note on what was repaired (empty when nothing was). Raises JournalInUseError
        when another process holds the lock, and JournalError naming segment:line when a committed record is
        damaged or missing.
        """
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise JournalInUseError(
                f"{folder.name}: another process writes this journal; stop it or choose another folder"
            ) from error
        try:
            note = _repair_tail(folder)
            files = segments(folder)
            if not files and read_head(folder) is None:
                _replace_head(folder, 0, GENESIS)
            count, head = _end(folder)
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, lock, count, head, files[-1] if files else None), note

    def append(self, time: datetime, kind: str, body: object) -> int:
        """Chain a record on and return its seq.

        It is in memory until `commit`. Segments turn with the UTC date of records.
        """
        stamp = canonical(time)
        day = stamp[1:11].decode()
        if day != self._day:
            self._turn(day)
        seq = self.count + 1
        prefix = b'{"seq":%d,"time":%b,"kind":"%b","body":%b}' % (seq, stamp, kind.encode(), canonical(body))
        self.head = seal(prefix, self.head)
        self._lines.append(prefix[:-1] + _HASH_MARK + self.head.encode() + b'"}\n')
        self.count = seq
        return seq

    def take(self) -> Batch:
        """What was appended since the last take."""
        self._end_run()
        runs, self._runs = tuple(self._runs), []
        return Batch(runs, self.count, self.head)

    def write(self, batch: Batch) -> None:
        """Write a batch, fsync it, then replace the head file.

        Raises JournalError: the caller must not go on.
        """
        try:
            for path, data in batch.runs:
                self._write_run(path, data)
            if batch.runs:
                os.fdatasync(self._file)
            _replace_head(self.folder, batch.count, batch.head)
        except OSError as error:
            raise JournalError(
                f"{self.folder.name}: the journal cannot be made durable ({error.strerror})"
            ) from error

    def commit(self) -> None:
        """Make everything appended so far durable.

        Raises JournalError.
        """
        self.write(self.take())

    def close(self, time: datetime) -> str:
        """Write `Closed`, commit, release the lock and return the head."""
        self.append(time, "Closed", {"count": self.count, "head": self.head})
        self.commit()
        self.release()
        return self.head

    def release(self) -> None:
        """Let go of the files without a closing record, as a crash would."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _turn(self, day: str) -> None:
        self._end_run()
        number = int(self._segment.name.partition("-")[0]) if self._segment is not None else 0
        self._segment = self.folder / f"{number + 1:04d}-{day}.jsonl"
        self._day = day

    def _end_run(self) -> None:
        if self._lines and self._segment is not None:
            self._runs.append((self._segment, b"".join(self._lines)))
            self._lines = []

    def _write_run(self, path: Path, data: bytes) -> None:
        if path != self._open_path:
            if self._file >= 0:
                os.fdatasync(self._file)  # a segment ends durable before the next one begins
                os.close(self._file)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self._open_path = path
            _sync_folder(self.folder)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]


def _replace_head(folder: Path, count: int, head: str) -> None:
    """Replace the head file in one step.

    It is not synced itself: it only ever names records that already are.
    """
    temporary = folder / "head.new"
    temporary.write_bytes(canonical({"count": count, "head": head}))
    temporary.replace(folder / "head")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _repair_tail(folder: Path) -> str:
    """Cut an incomplete last line off; an empty segment left by a crash at its creation goes with it."""
    files = segments(folder)
    if not files:
        return ""
    last = files[-1]
    data = last.read_bytes()
    keep = data.rfind(b"\n") + 1
    if keep == len(data) and keep:
        return ""
    if not keep:
        last.unlink()
    else:
        with last.open("r+b") as segment:
            segment.truncate(keep)
            os.fsync(segment.fileno())
    return f"{last.name}: cut {len(data) - keep} bytes of a record that was never completed"


def _end(folder: Path) -> tuple[int, str]:
    """Count and hash of the last record.

    Only the last segment is walked: `verify` walks all of them.
    """
    head = read_head(folder)
    files = segments(folder)
    if not files:
        if head is not None and head[0]:
            raise JournalError(
                f"head: {head[0]} records are promised and no segment is there; restore the folder"
            )
        return 0, GENESIS
    last = files[-1]
    before = first_seq(last) - 1
    previous = GENESIS if before == 0 else _last_hash(files[-2]) if len(files) > 1 else ""
    if not previous:
        raise JournalError(f"{last.name}:1: the segment before it is missing; restore the folder")
    fault, count, digest, _ = _verify_segment(last, before, previous, head)
    if fault is not None:
        raise JournalError(
            f"{fault.segment}:{fault.line}: {fault.what}; run `alvh verify`, then restore the folder"
        )
    if head is None:
        raise JournalError("head: the head file is missing beside the segments; restore the folder")
    if head[0] > count:
        raise JournalError(
            f"{last.name}: ends after {count} records, its head file promises {head[0]}; restore the folder"
        )
    return count, digest


def _last_hash(path: Path) -> str:
    with path.open("rb") as segment:
        segment.seek(0, os.SEEK_END)
        segment.seek(max(0, segment.tell() - 67))
        return segment.read()[-67:-3].decode("ascii")
