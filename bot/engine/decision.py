"""A decision: what was done or left alone, why, and every reading, gate and check that led there."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from market.records import quickly_made
from risk.verdict import Check
from strategies.base import Gate, Reading


class Verb(StrEnum):
    """What a decision does."""

    OPEN = "open"
    CLOSE = "close"
    ADJUST = "adjust"  # an open structure is changed: a side rolled, a spread bought back
    REPRICE = "reprice"
    CANCEL = "cancel"
    HOLD = "hold"  # nothing to do: the gates that block say why
    DENY = "deny"  # risk refused
    FIRE = "fire"  # a hedge layer's signal came true
    READ = "read"  # daily signals were computed
    STATE = "state"  # the trading state changed
    BOOK = "book"  # evidence changed the book: a fill, a settlement, an order's end


@quickly_made
@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the log.

    `evaluations` counts the looks since the last decision about the same thing, this one included: those
    before it found what that decision told.
    """

    decision_id: str
    strategy: str
    verb: Verb
    reason: str
    session: date | None = None
    structure_id: str = ""
    order_ref: str = ""
    quantity: int = 0
    limit: float | None = None
    evaluations: int = 1
    trading: str = ""
    readings: tuple[Reading, ...] = ()
    gates: tuple[Gate, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[tuple[str, float], ...] = ()
