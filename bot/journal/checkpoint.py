"""Checkpoints: the engine's state at a journal position, so that a start need not fold everything.

A checkpoint is a cache, never a source: it is believed only if the journal holds, at its position, the
record with its chain hash that promised this state's digest. Otherwise the next older one is tried, and
without any the journal is folded from its beginning.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from bot.engine.state import EngineState
from bot.engine.step import step
from bot.errors import JournalError
from bot.events import Opened
from bot.journal.codec import canonical, decode
from bot.journal.records import event_of, not_of_this_version
from bot.journal.segments import GENESIS, seal, split_line
from bot.journal.writer import Record, read_records

KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The folder beside the segments in which the newest checkpoints are kept."""

    folder: Path

    def save(self, seq: int, head: str, state: bytes) -> None:
        """Keep the canonical state that holds after record `seq` with chain hash `head`."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{seq:012d}.json"
        temporary = path.with_suffix(".new")
        temporary.write_bytes(canonical({"seq": seq, "head": head}) + b"\n" + state)
        temporary.replace(path)
        for old in self._files()[:-KEPT]:
            old.unlink()

    def load(self, journal: Path) -> tuple[int, str, EngineState]:
        """Position, hash there and state of the newest believable one; an empty state at 0 without one."""
        for path in reversed(self._files()):
            found = self._read(path, journal)
            if found is not None:
                return found
        return 0, GENESIS, EngineState()

    def behind(self, seq: int) -> list[Path]:
        """Files of the states after record `seq`."""
        return [path for path in self._files() if path.stem.isdigit() and int(path.stem) > seq]

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def _read(self, path: Path, journal: Path) -> tuple[int, str, EngineState] | None:
        try:
            label, _, data = path.read_bytes().partition(b"\n")
            parsed = orjson.loads(label)
            seq = int(parsed["seq"])
            promised = next(read_records(journal, after=seq - 1), None)
            if promised is None or promised.hash != parsed["head"]:
                return None
            if promised.body.get("sha256") != sha256(data).hexdigest():
                return None
            return seq, promised.hash, decode(EngineState, data)
        except (ValueError, KeyError, TypeError, JournalError):
            return None  # a damaged cache is no loss: the journal is folded instead


def recover(journal: Path) -> EngineState:
    """The engine's state after every recorded event: the newest checkpoint and the tail behind it.

    Raises JournalError naming segment:line on a record that does not read, or does not follow on the one
    before it: a start walks no more of the chain, but it believes no record that the chain does not prove.
    """
    seq, head, state = Checkpoints(journal / "checkpoints").load(journal)
    return fold(state, _proved(read_records(journal, after=seq), head))


def _proved(records: Iterable[Record], previous: str) -> Iterator[Record]:
    for record in records:
        prefix, digest = split_line(record.raw)
        if seal(prefix, previous) != digest:
            raise JournalError(
                f"{record.place}: the hash does not fit the record and its predecessor;"
                " run `alvh verify`, then restore the folder"
            )
        previous = digest
        yield record


def fold(state: EngineState, records: Iterable[Record]) -> EngineState:
    """The state after the events among `records`."""
    for record in records:
        timed = event_of(record)
        if timed is not None:
            try:
                state = step(state, timed).state
            except (KeyError, TypeError, ValueError) as error:
                if not isinstance(timed.event, Opened):
                    raise
                raise not_of_this_version(record, error) from error
    return state
