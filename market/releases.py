"""Days of a scheduled release, and for which years they are known at all.

A year that is not known is not a year without releases: whoever asks has to be careful in it.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ReleaseDays:
    """Days of one release, ascending, and the years whose days are complete."""

    years: frozenset[int]
    days: tuple[date, ...]

    def between(self, first: date, last: date) -> tuple[date, ...]:
        """The days from `first` to `last`, both included."""
        return self.days[bisect_left(self.days, first) : bisect_right(self.days, last)]

    def knows(self, day: date) -> bool:
        """Whether the year of `day` is known."""
        return day.year in self.years
