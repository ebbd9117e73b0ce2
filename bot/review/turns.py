"""The journal as turns: one event, what the engine made of it, and notes about the journal itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.journal.records import EVENTS, HOUSEKEEPING
from bot.journal.writer import Record


@dataclass(slots=True)
class Turn:
    """An event and the records behind it up to the next event. `event` is None only before the first one.

    `is_cut` says that the process may have died in the middle of writing it: the journal ends here, goes on
    with a new start, or what stood behind it was set aside, and nothing in between proves the turn complete.
    """

    event: Record | None
    outputs: list[Record] = field(default_factory=list)
    notes: list[Record] = field(default_factory=list)
    is_cut: bool = False

    @property
    def last(self) -> Record | None:
        """The last record that stands in the turn."""
        return next(iter([*self.notes[-1:], *self.outputs[-1:]]), self.event)

    @property
    def size(self) -> int:
        """Records in the turn."""
        return (self.event is not None) + len(self.outputs) + len(self.notes)


def turns(records: Iterable[Record]) -> Iterator[Turn]:
    """Group records into turns, one in memory at a time."""
    turn = Turn(None)
    for record in records:
        if record.kind in EVENTS:
            ends = record.kind == "Opened" or any(note.kind == "Quarantined" for note in turn.notes)
            turn.is_cut = ends and _is_open_ended(turn)
            if turn.size:
                yield turn
            turn = Turn(record)
        elif record.kind in HOUSEKEEPING:
            turn.notes.append(record)
        else:
            turn.outputs.append(record)
    turn.is_cut = _is_open_ended(turn)
    if turn.size:
        yield turn


def _is_open_ended(turn: Turn) -> bool:
    return all(note.kind in {"Repaired", "Quarantined"} for note in turn.notes)
