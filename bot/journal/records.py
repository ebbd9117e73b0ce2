"""What the journal's record kinds are, and how a record becomes an event again."""

from datetime import UTC, datetime
from typing import Any, get_args

from bot.errors import JournalError
from bot.events import Command, Event, TimedEvent
from bot.journal.codec import restore
from bot.journal.writer import Record

EVENTS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}
COMMANDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Command)}
DECISION = "Decision"
# Kinds that tell about the journal itself; a replay passes over them.
HOUSEKEEPING = frozenset({"Closed", "Checkpointed", "Quarantined", "Repaired"})


def event_of(record: Record) -> TimedEvent | None:
    """The event a record holds, or None for a decision, a command or housekeeping.

    Raises JournalError naming segment:line on a kind this version does not know, or a body that does
    not fit.
    """
    kind = EVENTS.get(record.kind)
    if kind is None:
        if record.kind in COMMANDS or record.kind == DECISION or record.kind in HOUSEKEEPING:
            return None
        raise JournalError(f"{record.segment}:{record.line}: unknown record kind {record.kind}")
    try:
        return TimedEvent(datetime.fromisoformat(record.time).astimezone(UTC), restore(kind, record.body))
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{record.segment}:{record.line}: {record.kind} does not read: {error}") from error


def not_of_this_version(record: Record, error: Exception) -> JournalError:
    """What to say of an `Opened` record whose rules this version's engine cannot take."""
    return JournalError(
        f"{record.place}: its rules are not the ones this version reads ({error}):"
        f" use {record.body['product']}, which wrote it, or begin another journal"
    )
