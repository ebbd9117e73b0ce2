"""How risk answers: a verdict with every check's value and limit, also for the checks that passed."""

from dataclasses import dataclass
from enum import StrEnum

from market.records import quickly_made


class Ruling(StrEnum):
    """The outcome of a review."""

    APPROVED = "approved"
    RESIZED = "resized"
    DENIED = "denied"


@quickly_made
@dataclass(frozen=True, slots=True)
class Check:
    """One limit applied to one proposal.

    `passed` is False also when the value is unknown and the limit needs it.
    """

    name: str
    value: float | str | None
    limit: float | str | None
    passed: bool


@quickly_made
@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of all checks; `quantity` is what may be ordered, 0 when denied."""

    ruling: Ruling
    quantity: int
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Names of the checks that did not pass."""
        return tuple(check.name for check in self.checks if not check.passed)
