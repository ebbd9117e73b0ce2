"""The journal: an append-only, hash-chained, durable record of all that happened.

It is the only state there is. A folder of `NNNN-YYYY-MM-DD.jsonl` segments, one record a line:
`{"seq","time","kind","body","hash"}`. `hash` is SHA-256 over the predecessor's hash and the line without
it. A `head` file is rewritten after each fsync and names the last durable record, so that cutting or editing
the end is found as well; a clean stop writes `Closed{count, head}`. Only one process writes: a lock file
sees to that. An fsync that fails is fatal: what the disk then holds is unknown, and nothing may be sent on
the strength of it.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson

from bot.errors import JournalError, JournalInUseError
from bot.journal.codec import canonical
from bot.journal.segments import (
    GENESIS,
    PACKED,
    SCHEMA,
    Record,
    first_seq,
    last_hash,
    line_of,
    read_head,
    read_records,
    seal,
    segment_day,
    segment_number,
    segments,
    split_line,
    sync_folder,
)
from bot.journal.verification import Fault, Verification, misnumbered, verify, walk_segment

__all__ = [
    "GENESIS",
    "SCHEMA",
    "Batch",
    "Fault",
    "Journal",
    "Record",
    "Verification",
    "first_seq",
    "read_head",
    "read_records",
    "seal",
    "segments",
    "split_line",
    "verify",
]


RESERVE, RESERVE_BYTES = "reserve", 4 * 2**20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Batch:
    """Appended lines by segment, and the head that stands once they are durable."""

    runs: tuple[tuple[Path, bytes], ...]
    count: int
    head: str


class Journal:
    """The single writer.

    Open it with `Journal.open`; everything appended is durable only after `commit`. `append` touches memory
    alone. `take` and `write` are the two halves of `commit`, so that a writer thread can do the second while
    the first half's caller goes on appending; writes happen in the order of takes.
    """

    def __init__(self, folder: Path, lock: int, count: int, head: str, segment: Path | None) -> None:
        self.folder = folder
        self.count = count
        self.head = head
        self._lock = lock
        self._lines: list[bytes] = []
        self._runs: list[tuple[Path, bytes]] = []
        self._segment = segment
        # Nothing is written behind a packed segment: the next record begins a new one, whatever its day.
        self._day = segment_day(segment) if segment is not None and segment.suffix != PACKED else ""
        self._open_path: Path | None = None
        self._file = self._head_file = -1
        self._failure = ""
        self.is_on_reserve = False

    @classmethod
    def open(cls, folder: Path) -> tuple["Journal", str]:
        """Take the lock, stand behind the last good record, and cut off what a crash left half written there.

        Returns the journal and a note on what was repaired (empty when nothing was). Raises JournalInUseError
        when another process holds the lock, and JournalError naming segment:line when a promised record is
        damaged or missing; then nothing is changed.
        """
        lock = take_lock(folder)
        try:
            end = _find_end(folder)
            note = _repair(end)
            if not end.count and read_head(folder) is None:
                _first_head(folder)
        except OSError as error:
            os.close(lock)
            raise JournalError(f"{folder}: the journal cannot be read ({error.strerror})") from error
        except BaseException:  # raised again: no end, not even a bug, may leave the lock held
            os.close(lock)
            raise
        return cls(folder, lock, end.count, end.head, end.segment), note

    def append(self, time: datetime, kind: str, body: object) -> int:
        """Chain a record on and return its seq.

        It is in memory until `commit`. Segments turn with the UTC date of records. Raises ValueError on a
        naive `time`.
        """
        if time.tzinfo is None:
            raise ValueError("a record's time needs a time zone")
        stamp = canonical(time.astimezone(UTC))
        day = stamp[1:11].decode()
        if day != self._day:
            self._turn(day)
        line, self.head = line_of(self.count + 1, stamp, kind, body, self.head)
        self._lines.append(line)
        self.count += 1
        return self.count

    def take(self) -> Batch:
        """What was appended since the last take."""
        self._end_run()
        runs, self._runs = tuple(self._runs), []
        return Batch(runs, self.count, self.head)

    def write(self, batch: Batch) -> None:
        """Write a batch, fsync it, then replace the head file.

        Raises JournalError: the caller must not go on, and this journal refuses every later write.
        """
        if self._failure:
            raise JournalError(self._failure)
        if not batch.runs:
            return
        try:
            for path, data in batch.runs:
                self._write_run(path, data)
            os.fdatasync(self._file)
            self._promise(batch)
            if not (os.fstat(self._file).st_nlink and os.fstat(self._head_file).st_nlink):
                raise FileNotFoundError(0, "one of its files was removed while it was being written")
        except OSError as error:
            self._failure = f"{self.folder}: the journal cannot be made durable ({error.strerror})"
            raise JournalError(self._failure) from error

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
        for descriptor in (self._file, self._head_file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._head_file = self._lock = -1
        self._failure = self._failure or f"{self.folder}: the journal is closed"

    def set_aside(self) -> None:
        """Keep some of the disk, so that one that others fill does not end the daemon before its orders."""
        path = self.folder / RESERVE
        try:
            if not path.exists():
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
                try:
                    os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
                finally:
                    os.close(descriptor)
        except OSError:
            path.unlink(missing_ok=True)  # there is no room even now: the free space itself is watched

    def _turn(self, day: str) -> None:
        self._end_run()
        number = segment_number(self._segment) if self._segment is not None else 0
        self._segment = self.folder / f"{number + 1:04d}-{day}.jsonl"
        self._day = day

    def _end_run(self) -> None:
        if self._lines and self._segment is not None:
            self._runs.append((self._segment, b"".join(self._lines)))
            self._lines = []

    def _promise(self, batch: Batch) -> None:
        """Name the batch's last record in the head file, once it is durable.

        The file is overwritten in one call of less than a sector: a reader or a crash finds the old promise
        or the new one. A rename would say the same at twice the price, for it makes the next sync write more.
        It is not synced itself: it only ever names records that already are.
        """
        if self._head_file < 0:
            self._head_file = os.open(self.folder / "head", os.O_WRONLY)
        os.pwrite(self._head_file, canonical({"count": batch.count, "head": batch.head}), 0)

    def _write_run(self, path: Path, data: bytes) -> None:
        if path != self._open_path:
            if self._file >= 0:
                os.fdatasync(self._file)  # a segment ends durable before the next one begins
                os.close(self._file)
                self._file = -1
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = self._with_room(partial(os.open, path, flags, 0o644))
            self._open_path = path
            sync_folder(self.folder)
        view = memoryview(data)
        while view:
            view = view[self._with_room(partial(os.write, self._file, view)) :]

    def _with_room(self, action: Callable[[], int]) -> int:
        """What `action` returns; on a full disk it is tried again with what was set aside."""
        while True:
            try:
                return action()
            except OSError as error:
                if error.errno not in _NO_ROOM or not self._release_reserve():
                    raise

    def _release_reserve(self) -> bool:
        """Give back what was set aside; False when it is used already."""
        try:
            (self.folder / RESERVE).unlink()
        except OSError:
            return False
        self.is_on_reserve = True
        return True


def take_lock(folder: Path) -> int:
    """The descriptor that makes this process the only writer of the journal in `folder`, until it is closed.

    The folder is made where there is none. Raises JournalInUseError, or JournalError where nothing can be
    written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise JournalError(
            f"{folder}: the journal cannot be written ({error.strerror}); give a folder that can be"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise JournalInUseError(
            f"{folder}: another process writes this journal; stop it or choose another folder"
        ) from error
    return lock


def _first_head(folder: Path) -> None:
    """Make the head file of a new journal, in one step."""
    temporary = folder / "head.new"
    with temporary.open("wb") as file:
        file.write(canonical({"count": 0, "head": GENESIS}))
        file.flush()
        os.fsync(file.fileno())  # an empty head after a power cut would refuse every later start
    temporary.replace(folder / "head")


@dataclass(frozen=True, slots=True)
class _End:
    """Where the good records end: count, hash, the segment they end in, and what stands behind them."""

    count: int
    head: str
    segment: Path | None
    torn: Path | None = None  # the segment with an unfinished tail
    keep: int = 0  # bytes of it that are good records


def _find_end(folder: Path) -> _End:
    """The last good record.

    Only what stands at or behind the head's record is walked: a start must not read sixty days, `verify`
    does. Raises JournalError when a promised record is damaged or missing.
    """
    head = read_head(folder)
    files = segments(folder)
    for expected, path in enumerate(files, start=1):
        fault = misnumbered(path, expected)
        if fault is not None:
            raise _damaged(fault)
    promised = head[0] if head is not None else 0
    if not files:
        if promised:
            raise JournalError(f"head:1: promises {promised} records, none is there; restore the folder")
        return _End(0, GENESIS, None)
    start = max((i for i, path in enumerate(files) if first_seq(path) <= max(promised, 1)), default=0)
    count = first_seq(files[start]) - 1 if start else 0
    end = _End(count, last_hash(files[start - 1]) if start else GENESIS, None)
    for path in files[start:]:
        walk = walk_segment(path, end.count, end.head, head)
        end = _End(walk.count, walk.head, path if walk.count > end.count else end.segment)
        if walk.fault is not None or not walk.lines:
            whole = path != files[-1] or path.suffix == PACKED
            if end.count < promised or whole or _has_records_behind(path, walk.good_bytes):
                raise _damaged(walk.fault or Fault(path.name, 1, "the segment is empty"))
            end = _End(end.count, end.head, end.segment, path, walk.good_bytes)
    if head is None and end.count:
        raise JournalError(f"{files[-1].name}: the head file is missing beside it; restore the folder")
    if promised > end.count:
        raise JournalError(
            f"{files[-1].name}: ends after {end.count} records, the head file promises {promised};"
            " run `alvh verify`, then restore the folder"
        )
    return end


def _damaged(fault: Fault) -> JournalError:
    return JournalError(f"{fault}; run `alvh verify`, then restore the folder")


def _has_records_behind(path: Path, offset: int) -> bool:
    """Whether anything behind `offset` is a record: then the damage is in the middle, not a torn tail."""
    for line in path.read_bytes()[offset:].split(b"\n")[:-1]:  # what has no line end is not complete
        try:
            split_line(line)
            orjson.loads(line)
        except ValueError:
            continue
        return True
    return False


def _repair(end: _End) -> str:
    """Cut off the unfinished tail; a segment without a single record goes with it."""
    if end.torn is None:
        return ""
    cut = end.torn.stat().st_size - end.keep
    if end.keep:
        with end.torn.open("r+b") as segment:
            segment.truncate(end.keep)
            os.fsync(segment.fileno())
    else:
        end.torn.unlink()
        sync_folder(end.torn.parent)
    return f"{end.torn.name}: cut {cut} bytes behind record {end.count} that were never completed"
