"""The journal's files as bytes: their names, the form of a line, and reading them forwards and backwards.

A line is `{"seq":N,"time":"...","kind":"...","body":{...},"hash":"..."}` in exactly this order, so that its
number and kind can be read from its first bytes: a reader that wants few records parses few lines. Nothing
here writes.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bot.codec import canonical
from bot.errors import JournalError

GENESIS = "0" * 64
SCHEMA = 1
HASH_MARK = b',"hash":"'
_TAIL = len(HASH_MARK) + 64 + len(b'"}')
_START = b'{"seq":'
_KIND_MARK = b'","kind":"'
_BODY_MARK = b'","body":'
_PREFIX_MAX = 160  # number, time and kind always stand within the first bytes of a line
_NAME = re.compile(r"(\d{4,})-(\d{4}-\d{2}-\d{2})\.jsonl")
_NO_RECORD = 1 << 62


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


def segments(folder: Path) -> list[Path]:
    """Segment files in order of their numbers."""
    numbered = [path for path in folder.glob("*.jsonl") if _NAME.fullmatch(path.name)]
    return sorted(numbered, key=segment_number)


def segment_number(path: Path) -> int:
    """The number a segment's name begins with."""
    return int(path.name.partition("-")[0])


def segment_day(path: Path) -> str:
    """The UTC date in a segment's name."""
    return path.name.partition("-")[2].removesuffix(".jsonl")


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
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
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
        lines = path.read_bytes().split(b"\n")
        lines.pop()
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
        lines = path.read_bytes().split(b"\n")
        lines.pop()
        if lines:
            return _parse(lines[-1], path.name, len(lines))
    return None


def first_seq(path: Path) -> int:
    """Sequence number of a segment's first record; a very large number for a segment without one."""
    with path.open("rb") as segment:
        line = segment.readline()
    try:
        return sequence_of(line) if line.endswith(b"\n") else _NO_RECORD
    except ValueError as error:
        raise JournalError(f"{path.name}:1: not a readable record ({error})") from error


def _segment_of(files: list[Path], seq: int) -> int:
    """Index of the segment in which `seq` stands or would stand."""
    for index in range(len(files) - 1, 0, -1):
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
