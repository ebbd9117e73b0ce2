"""Which contracts to stream when not all of them fit: the account pays for about a hundred lines.

Signals come first, then the legs of what is held or ordered: these are always streamed. What is left goes to
the strategies in the order in which they reserve money, hedges before condors. Each strategy names its lines
in the order of need (parity strikes, then its window from the likely strike outwards), and what does not fit
is dropped from the end: the farthest strikes of the last strategy's entry window go first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from market.contract import Contract
from market.records import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class LinePlan:
    """The contracts to stream, ascending, and how many wanted lines each strategy goes without."""

    lines: tuple[int, ...]
    dropped: tuple[tuple[str, int], ...] = ()
    beyond: int = 0  # lines that are kept although they exceed the budget: signals and held legs
    read: tuple[int, ...] = ()  # those of the lines that a strategy named, ascending
    streamed: frozenset[int] = frozenset()  # the lines again, to be asked

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
    read = kept.intersection(con_id for lines in wanted.values() for con_id in lines)
    return LinePlan(tuple(sorted(kept)), tuple(dropped), beyond, tuple(sorted(read)), frozenset(kept))


Wanted = tuple[tuple[str, tuple[Contract, ...]], ...]
_kept: list[tuple[tuple[frozenset[int], set[int], Wanted, int], LinePlan]] = []


def standing_plan(signals: frozenset[int], held: set[int], wanted: Wanted, lines_max: int) -> LinePlan:
    """`plan_lines` of the contracts each strategy wants; the last plan is kept for as long as all is equal.

    From one look to the next the same contracts are wanted, which is quickly seen; planning anew is not.
    """
    key = signals, held, wanted, lines_max
    if not _kept or _kept[0][0] != key:
        by_id = {name: [contract.con_id for contract in lines] for name, lines in wanted}
        _kept[:] = [(key, plan_lines(signals, held, by_id, lines_max))]
    return _kept[0][1]
