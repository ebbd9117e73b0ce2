"""Which contracts to stream when not all of them fit: the account pays for about a hundred lines.

Signals come first, then the legs of what is held or ordered: these are always streamed. What is left goes to
the strategies in the order in which they reserve money, hedges before condors. Each strategy names its lines
in the order of need (parity strikes, then its window from the likely strike outwards), and what does not fit
is dropped from the end: the farthest strikes of the last strategy's entry window go first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from market.records import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class LinePlan:
    """The contracts to stream, ascending, and how many wanted lines each strategy goes without."""

    lines: tuple[int, ...]
    dropped: tuple[tuple[str, int], ...] = ()
    beyond: int = 0  # lines that are kept although they exceed the budget: signals and held legs

    @property
    def text(self) -> str:
        """What is missing, in words; empty when all fits."""
        missing = ", ".join(f"{count} of {strategy}" for strategy, count in self.dropped)
        parts = [f"the farthest strikes go without a quote: {missing}"] if missing else []
        if self.beyond:
            parts.append(f"signals and held legs alone are {self.beyond} lines over it")
        return "; ".join(parts)


def plan_lines(
    signals: Iterable[int], held: Iterable[int], wanted: Mapping[str, Iterable[int]], lines_max: int
) -> LinePlan:
    """Choose the contracts to stream, by con_id.

    `wanted` are the lines of each strategy in the order of need, strategies in the order of their reserves.
    """
    kept = {*signals, *held}
    beyond = max(len(kept) - lines_max, 0)
    dropped = []
    for strategy, lines in wanted.items():
        missing = 0
        for con_id in dict.fromkeys(lines):
            if con_id in kept:
                continue
            if len(kept) < lines_max:
                kept.add(con_id)
            else:
                missing += 1
        if missing:
            dropped.append((strategy, missing))
    return LinePlan(tuple(sorted(kept)), tuple(dropped), beyond)
