"""Slow series without look-ahead: every observation carries the moment from which it was known.

A computation at time t sees only what `known_at(t)` returns; the store enforces it, not the strategy
(METHOD 0, point-in-time).
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True, order=True)
class Observation:
    """`value` of a series for `period`, known from `known_at` (aware) on.

    `final` is False for a provisional value.
    """

    known_at: datetime
    period: date
    value: float
    final: bool = True
    source: str = ""


@dataclass(slots=True)
class Series:
    """Observations of one quantity, in the order in which they became known."""

    name: str
    _observations: list[Observation] = field(default_factory=list)

    def add(self, observation: Observation) -> None:
        """Insert one observation at its place in the order of knowledge.

        Raises ValueError on a naive `known_at`.
        """
        if observation.known_at.tzinfo is None:
            raise ValueError(f"{self.name}: known_at needs a time zone")
        insort(self._observations, observation)

    def extend(self, observations: Iterable[Observation]) -> None:
        """Add many."""
        for observation in observations:
            self.add(observation)

    def known_at(self, time: datetime) -> dict[date, Observation]:
        """Each period's latest vintage at `time`, by ascending period."""
        known: dict[date, Observation] = {}
        end = bisect_right(self._observations, time, key=lambda observation: observation.known_at)
        for observation in self._observations[:end]:
            known[observation.period] = observation
        return dict(sorted(known.items()))

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._observations)

    def __len__(self) -> int:
        return len(self._observations)
