"""The journal's files as bytes: their names, the form of a line, and reading them forwards and backwards.

A line is `{"seq":N,"time":"...","kind":"...","body":{...},"hash":"..."}` in exactly this order, so that its
number and kind can be read from its first bytes: a reader that wants few records parses few lines. Nothing
here writes.
"""

import hashlib
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from bot.errors import JournalError
from bot.journal.codec import canonical
from bot.journal.packing import unpack
from market.records import quickly_made

GENESIS = "0" * 64
SCHEMA = 1
HASH_MARK = b',"hash":"'
_TAIL = len(HASH_MARK) + 64 + len(b'"}')
_START = b'{"seq":'
_KIND_MARK = b'","kind":"'
_BODY_MARK = b'","body":'
_PREFIX_MAX = 160  # number, time and kind always stand within the first bytes of a line
PACKED = ".gz"
_NAME = re.compile(r"(\d{4,})-(\d{4}-\d{2}-\d{2})\.jsonl(\.gz)?")
NO_RECORD = 1 << 62


@quickly_made
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

    @property
    def place(self) -> str:
        """`segment:line`, as an operator would look it up."""
        return f"{self.segment}:{self.line}"

    @property
    def raw_body(self) -> bytes:
        """The body's bytes as written."""
        return self.raw[self.raw.index(_BODY_MARK) + len(_BODY_MARK) : -_TAIL]


def seal(prefix: bytes, previous: str) -> str:
    """Hash of a record from its predecessor's hash and its bytes up to the hash member, brace closed."""
    return hashlib.sha256(previous.encode() + prefix).hexdigest()


def line_of(seq: int, stamp: bytes, kind: str, body: object, previous: str) -> tuple[bytes, str]:
    """A record's line behind the one with the hash `previous`, and its own hash. `stamp`: its quoted time."""
    prefix = b'{"seq":%d,"time":%b,"kind":"%b","body":%b}' % (seq, stamp, kind.encode(), canonical(body))
    digest = seal(prefix, previous)
    return prefix[:-1] + HASH_MARK + digest.encode() + b'"}\n', digest


def segments(folder: Path) -> list[Path]:
    """Segment files in order of their numbers; where one stands plain and packed, the plain one."""
    named = sorted(path for path in folder.glob("*.jsonl*") if _NAME.fullmatch(path.name))
    plain = {path.name for path in named}
    kept = [path for path in named if path.suffix != PACKED or path.name.removesuffix(PACKED) not in plain]
    return sorted(kept, key=segment_number)


def strays(folder: Path) -> list[str]:
    """Names of files that look like segments and are none."""
    return sorted(
        path.name
        for path in folder.glob("*.jsonl*")
        if path.name.endswith((".jsonl", ".jsonl" + PACKED)) and not _NAME.fullmatch(path.name)
    )


def lines_of(path: Path) -> Iterator[bytes]:
    """A segment's lines, plain or packed, each with its line end.

    Raises JournalError naming segment:line where a packed one does not read on.
    """
    number = 0
    try:
        with _opened(path) as (stream, is_packed):
            if not is_packed:
                yield from stream
                return
            rest = b""
            for piece in unpack(stream):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    number += 1
                    yield line + b"\n"
            if rest:
                yield rest
    except ValueError as error:
        raise JournalError(f"{path.name}:{number + 1}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """The file, and whether it is packed: a plain segment may have been packed since it was listed."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        path = path.with_name(path.name + PACKED)
        stream = path.open("rb")
    with stream:
        yield stream, path.suffix == PACKED


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def segment_number(path: Path) -> int:
    """The number a segment's name begins with."""
    return int(path.name.partition("-")[0])


def segment_day(path: Path) -> str:
    """The UTC date in a segment's name."""
    return path.name.partition("-")[2][:10]


def split_line(line: bytes) -> tuple[bytes, str]:
    """A line's hashed bytes and its hash.

    Raises ValueError on a line that is not a record.
    """
    if len(line) <= _TAIL or line[-_TAIL : -_TAIL + len(HASH_MARK)] != HASH_MARK or line[-2:] != b'"}':
        raise ValueError("not a complete record")
    return line[:-_TAIL] + b"}", line[-66:-2].decode("ascii")


def sequence_of(line: bytes) -> int:
    """A line's number, from its first bytes.

    Raises ValueError.
    """
    if not line.startswith(_START):
        raise ValueError("not a complete record")
    return int(line[len(_START) : line.index(b",", len(_START), 40)])


def kind_of(line: bytes) -> bytes:
    """A line's kind, from its first bytes.

    Raises ValueError.
    """
    start = line.index(_KIND_MARK, 0, _PREFIX_MAX) + len(_KIND_MARK)
    return line[start : line.index(b'"', start, start + _PREFIX_MAX)]


def read_records(folder: Path, after: int = 0, kinds: frozenset[str] | None = None) -> Iterator[Record]:
    """Records with seq > `after`, of the given kinds or of all, in order; the chain is not checked here.

    Segments that end before are not opened, lines that are not asked for are not parsed. A last line that is
    still being written is left out. Raises JournalError naming segment:line on a line that is not a record.
    """
    files = segments(folder)
    start = _segment_of(files, after + 1)
    wanted = None if kinds is None else frozenset(kind.encode() for kind in kinds)
    for index, path in enumerate(files[start:], start=start):
        skipping = index == start and after > 0
        for number, line in enumerate(lines_of(path), start=1):
            if not line.endswith(b"\n") and index == len(files) - 1:
                return
            try:
                if skipping and sequence_of(line) <= after:
                    continue
                if wanted is not None and kind_of(line) not in wanted:
                    continue
            except ValueError as error:
                raise JournalError(f"{path.name}:{number}: not a readable record ({error})") from error
            yield _parse(line.rstrip(b"\n"), path.name, number)


def newest_first(folder: Path, kind: str) -> Iterator[Record]:
    """Records of one kind from the journal's end backwards, one segment in memory at a time.

    Raises JournalError naming segment:line on a line that is not a record.
    """
    wanted = kind.encode()
    for path in reversed(segments(folder)):
        lines = _complete_lines(path)
        for number in range(len(lines), 0, -1):
            line = lines[number - 1]
            try:
                if kind_of(line) != wanted:
                    continue
            except ValueError as error:
                raise JournalError(f"{path.name}:{number}: not a readable record ({error})") from error
            yield _parse(line, path.name, number)


def last_record(folder: Path) -> Record | None:
    """The last complete record, or None in an empty journal."""
    for path in reversed(segments(folder)):
        lines = _complete_lines(path)
        if lines:
            return _parse(lines[-1], path.name, len(lines))
    return None


def _complete_lines(path: Path) -> list[bytes]:
    return [line[:-1] for line in lines_of(path) if line.endswith(b"\n")]


def last_hash(path: Path) -> str:
    """Hash in a segment's last line; what is not one fits no record."""
    if path.suffix == PACKED:
        line = b"".join(deque(lines_of(path), maxlen=1))
    else:
        with path.open("rb") as segment:
            segment.seek(0, os.SEEK_END)
            segment.seek(max(0, segment.tell() - 67))
            line = segment.read()
    return line[-67:-3].decode("ascii", "replace")


def first_seq(path: Path) -> int:
    """Sequence number of a segment's first record; a very large number for a segment without one."""
    line = next(lines_of(path), b"")
    try:
        return sequence_of(line) if line.endswith(b"\n") else NO_RECORD
    except ValueError as error:
        raise JournalError(f"{path.name}:1: not a readable record ({error})") from error


def _segment_of(files: list[Path], seq: int) -> int:
    """Index of the segment in which `seq` stands or would stand.

    One whose first line does not read tells nothing of those before it; who comes to it is told then.
    """
    for index in range(len(files) - 1, 0, -1):
        with suppress(JournalError):
            if first_seq(files[index]) <= seq:
                return index
    return 0


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

    Raises JournalError when it is not exactly what a writer leaves there.
    """
    path = folder / "head"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        parsed = orjson.loads(data)
        count, digest = parsed["count"], parsed["head"]
        if data != canonical({"count": count, "head": digest}) or not isinstance(count, int) or count < 0:
            raise ValueError("not as written")
        if count == 0 and digest != GENESIS:
            raise ValueError("no records, yet a hash")
        return count, str(digest)
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"head:1: not a head file ({error}); restore the folder") from error
