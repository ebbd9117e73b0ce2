"""Trading states: what may be done at all.

The stricter of several causes wins.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from market.records import quickly_made


class TradingState(StrEnum):
    """ACTIVE trades; REDUCING only lowers risk; HALTED only cancels."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Cause(StrEnum):
    """Why trading is reduced or halted."""

    LOSS = "loss"
    DRAWDOWN = "drawdown"
    DATA = "data"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"
    CLOCK = "clock"
    DISK = "disk"
    CONNECTION = "connection"
    ACCOUNT = "account"
    OPERATOR = "operator"  # a person halted trading
    HALT = "halt"  # the daemon halted it by itself: only a person may judge what it saw


HALTING: frozenset[Cause] = frozenset({Cause.ACCOUNT, Cause.OPERATOR, Cause.HALT})
HEDGING_ALLOWED: frozenset[Cause] = frozenset({Cause.LOSS, Cause.DRAWDOWN})


@quickly_made
@dataclass(frozen=True, slots=True)
class RiskState:
    """The causes in force now, each with a phrase that says what was seen."""

    causes: tuple[tuple[Cause, str], ...] = field(default=())

    @property
    def trading(self) -> TradingState:
        """The strictest state any cause demands."""
        if any(cause in HALTING for cause, _ in self.causes):
            return TradingState.HALTED
        return TradingState.REDUCING if self.causes else TradingState.ACTIVE

    @property
    def hedges_allowed(self) -> bool:
        """Whether a fired layer may still buy protection: when nothing worse than a loss is the matter."""
        return all(cause in HEDGING_ALLOWED for cause, _ in self.causes)

    def with_cause(self, cause: Cause, detail: str) -> "RiskState":
        """This state with the cause in force; its first detail stays."""
        if any(known is cause for known, _ in self.causes):
            return self
        return RiskState(tuple(sorted((*self.causes, (cause, detail)))))

    def without(self, cause: Cause) -> "RiskState":
        """This state with the cause lifted."""
        return RiskState(tuple((known, detail) for known, detail in self.causes if known is not cause))
