"""Replay: the recorded events go through the engine again, and what comes out is compared byte for byte.

Equal bytes prove that the journal explains every decision and command by its events alone, and that this
version of the engine still decides as the recording one did. Checkpoint digests are compared on the way. One
turn is in memory at a time, so that a journal of years replays in constant memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import orjson

from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import Opened, TimedEvent
from bot.journal.codec import Rewriter, canonical
from bot.journal.records import DECISION, event_of, not_of_this_version
from bot.journal.writer import Record, read_records
from bot.review.differences import FieldDifference, field_differences
from bot.review.turns import Turn, turns
from market.records import quickly_made

Engine = Callable[[EngineState, TimedEvent], Step]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where the engine's output is not what was recorded, and the event that led there."""

    place: str
    seq: int
    time: str
    event: str
    kind: str
    what: str
    fields: tuple[FieldDifference, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True)
class Replay:
    """What was compared. `unfinished` outputs were lost with a process that died while writing them."""

    records: int = 0
    starts: int = 0
    events: int = 0
    decisions: int = 0
    commands: int = 0
    states: int = 0
    unfinished: int = 0
    head: str = ""
    divergence: Divergence | None = None


def replay(folder: Path, engine: Engine = step, progress: Callable[[int], None] | None = None) -> Replay:
    """Fold the engine over a journal and compare, up to the first divergence.

    `progress` is told the records so far. Raises JournalError naming segment:line on a record that does not
    read.
    """
    replayer = Replayer(EngineState(), engine)
    for turn in turns(read_records(folder)):
        if replayer.take(turn).divergence is not None:
            break
        if progress is not None:
            progress(replayer.so_far.records)
    return replayer.so_far


class Replayer:
    """An engine that takes recorded turns from `state` on; `so_far` is what was compared."""

    def __init__(self, state: EngineState, engine: Engine = step) -> None:
        self.state = state
        self.so_far = Replay()
        self._engine = engine
        self._rewriter = Rewriter()

    def take(self, turn: Turn) -> Replay:
        """Fold the next turn and compare what comes out. Raises JournalError as `replay` does."""
        done = Step(self.state)
        if turn.event is not None:
            timed = event_of(turn.event)
            if timed is not None:
                try:
                    done = self._engine(self.state, timed)
                except (KeyError, TypeError, ValueError) as error:
                    if not isinstance(timed.event, Opened):
                        raise
                    raise not_of_this_version(turn.event, error) from error
        self.state = done.state
        expected = emitted(done)
        self.so_far = _counted(
            self.so_far, turn, len(expected), _compare(turn, expected) or self._compare_states(turn)
        )
        return self.so_far

    def _compare_states(self, turn: Turn) -> Divergence | None:
        for note in turn.notes:
            if note.kind != "Checkpointed":
                continue
            if note.body.get("sha256") != sha256(self._rewriter.canonical(self.state)).hexdigest():
                return _divergence(turn, note, note.kind, "the folded state is not the one that was recorded")
        return None


def emitted(done: Step) -> list[tuple[str, bytes]]:
    """Kind and canonical body of everything a step puts into the journal, in its order."""
    decisions = [(DECISION, canonical(decision)) for decision in done.decisions]
    return decisions + [(type(command).__name__, canonical(command)) for command in done.commands]


def _counted(so_far: Replay, turn: Turn, expected: int, divergence: Divergence | None) -> Replay:
    """What was compared, this turn with its `expected` outputs included."""
    recorded = [record.kind for record in turn.outputs]
    return Replay(
        records=so_far.records + turn.size,
        starts=so_far.starts + (turn.event is not None and turn.event.kind == "Opened"),
        events=so_far.events + (turn.event is not None),
        decisions=so_far.decisions + recorded.count(DECISION),
        commands=so_far.commands + len(recorded) - recorded.count(DECISION),
        states=so_far.states + sum(note.kind == "Checkpointed" for note in turn.notes),
        unfinished=so_far.unfinished + max(expected - len(recorded), 0),
        head=turn.last.hash if turn.last is not None else so_far.head,
        divergence=divergence,
    )


def _compare(turn: Turn, expected: list[tuple[str, bytes]]) -> Divergence | None:
    for position, record in enumerate(turn.outputs):
        if position >= len(expected):
            return _divergence(turn, record, record.kind, "recorded, but the engine does not emit it")
        kind, body = expected[position]
        if (kind, body) == (record.kind, record.raw_body):
            continue
        if kind != record.kind:
            return _divergence(turn, record, kind, f"recorded is a {record.kind}, the engine emits a {kind}")
        fields = tuple(field_differences(orjson.loads(record.raw_body), orjson.loads(body)))
        return replace(_divergence(turn, record, kind, "the same kind, other fields"), fields=fields)
    if len(expected) > len(turn.outputs) and not turn.is_cut:
        kind, body = expected[len(turn.outputs)]
        last = turn.outputs[-1] if turn.outputs else turn.event
        found = _divergence(
            turn, last, kind, "the engine emits it behind this record, but it is not recorded"
        )
        return replace(found, fields=tuple(field_differences({}, orjson.loads(body))))
    return None


def _divergence(turn: Turn, record: Record | None, kind: str, what: str) -> Divergence:
    if record is None:
        raise ValueError("an output or its event is always at hand")
    event = f"{turn.event.kind} ({turn.event.place})" if turn.event is not None else "no event"
    return Divergence(record.place, record.seq, record.time, event, kind, what)
