"""Decisions as the journal holds them, and the names under which a person asks for them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.engine.decision import Decision
from bot.errors import JournalError
from bot.journal.codec import restore
from bot.journal.records import DECISION
from bot.journal.writer import Record

DECISIONS = frozenset({DECISION})
# What a person may type for a strategy, and the names decisions carry.
_NAMES: dict[str, frozenset[str]] = {
    "condor": frozenset({"condor", "iron_condor"}),
    "l1": frozenset({"l1", "near_term", "vix_hedge"}),
    "l2": frozenset({"l2", "mid_term"}),
    "l3": frozenset({"l3", "reserve"}),
    "regime": frozenset({"regime"}),
    "liquidity": frozenset({"liquidity"}),
}
_RISK = "risk"
ASKED = "L1, L2, L3, condor, regime, liquidity or risk"


@dataclass(frozen=True, slots=True)
class Told:
    """A decision, the moment it was made, and its place in the journal."""

    time: datetime
    decision: Decision
    record: Record


def told(record: Record) -> Told:
    """Read a decision's record.

    Raises JournalError naming segment:line.
    """
    try:
        decision = restore(Decision, record.body)
        time = datetime.fromisoformat(record.time).astimezone(UTC)
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{record.place}: the decision does not read: {error}") from error
    return Told(time, decision, record)


def names_of(asked: str) -> frozenset[str]:
    """Every name, in lower case, that what a person typed may stand for."""
    asked = asked.strip().lower()
    for short, names in _NAMES.items():
        if asked == short or asked in names:
            return names | {short}
    return frozenset({asked})


def is_known(asked: str) -> bool:
    """Whether what a person typed may stand for anything that decides."""
    return not names_of(asked).isdisjoint({_RISK, *(name for names in _NAMES.values() for name in names)})


def short_name(strategy: str) -> str:
    """The name a person types for a strategy: `condor`, `L1`, `L2`, `L3`, or its own."""
    for short, names in _NAMES.items():
        if strategy.lower() in names:
            return short.upper() if short in ("l1", "l2", "l3") else short
    return strategy
