"""What other rules would have decided: the recorded events under other rules, compared with what was decided.

The events stay as they were recorded: an order that was never sent has no fills, and the fills of an order
that the other rules would not have sent are strangers to them. The first differences are therefore the
telling ones, later ones follow from them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from bot.engine.decision import Decision, Verb
from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import Opened
from bot.journal.codec import canonical
from bot.journal.records import DECISION, event_of
from bot.journal.writer import read_records
from bot.review.differences import FieldDifference, field_differences
from bot.review.replay import Engine
from bot.review.turns import Turn, turns

# Names of decisions and what hangs on them: they count on, so one more decision renames all later ones.
_IDENTITIES = frozenset({"decision_id", "order_ref", "evaluations"})
_ACTS = frozenset({Verb.OPEN, Verb.CLOSE, Verb.ADJUST, Verb.REPRICE, Verb.CANCEL, Verb.DENY, Verb.FIRE})


class Kind(StrEnum):
    """How a decision would differ."""

    ADDED = "added"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One decision that would differ, at the event where it would."""

    kind: Kind
    place: str
    time: str
    strategy: str
    verb: str
    reason: str
    fields: tuple[FieldDifference, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether an order or a signal would differ, not only what is told about waiting."""
        if self.kind is not Kind.CHANGED:
            return self.verb in _ACTS
        return self.verb in _ACTS or any(
            field.path == "verb" or field.path.endswith((".fired", ".passed")) for field in self.fields
        )


def decisions_under(
    folder: Path, rules: Mapping[str, Any], rules_hash: str, engine: Engine = step
) -> Iterator[DecisionChange]:
    """Every decision that would differ had `rules` been in force from the first record on, in order.

    Raises JournalError naming segment:line on a record that does not read.
    """
    state = EngineState()
    for turn in turns(read_records(folder)):
        done = Step(state)
        timed = event_of(turn.event) if turn.event is not None else None
        if timed is not None:
            if isinstance(timed.event, Opened):
                timed = replace(timed, event=replace(timed.event, rules=dict(rules), rules_hash=rules_hash))
            done = engine(state, timed)
        state = done.state
        yield from _changes(turn, done.decisions)


def _changes(turn: Turn, decided: tuple[Decision, ...]) -> Iterator[DecisionChange]:
    recorded = [_told(record.body) for record in turn.outputs if record.kind == DECISION]
    replayed = [_told(orjson.loads(canonical(decision))) for decision in decided]
    if turn.is_cut:
        replayed = replayed[: len(recorded)]
    for key in (("strategy", "verb", "structure_id"), ("strategy", "structure_id"), ("strategy",)):
        for before in list(recorded):
            after = next((row for row in replayed if all(row[name] == before[name] for name in key)), None)
            if after is None:
                continue
            recorded.remove(before)
            replayed.remove(after)
            fields = tuple(field_differences(before, after))
            if fields:
                yield _change(Kind.CHANGED, turn, after, fields)
    for row in recorded:
        yield _change(Kind.MISSING, turn, row)
    for row in replayed:
        yield _change(Kind.ADDED, turn, row)


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _IDENTITIES}


def _change(
    kind: Kind, turn: Turn, row: Mapping[str, Any], fields: tuple[FieldDifference, ...] = ()
) -> DecisionChange:
    event = turn.event
    if event is None:
        raise ValueError("a decision has an event")
    return DecisionChange(kind, event.place, event.time, row["strategy"], row["verb"], row["reason"], fields)
