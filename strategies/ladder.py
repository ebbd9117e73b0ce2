"""The listed strikes of one class and expiry, arranged for look-ups.

A listing of several hundred options is searched at every evaluation. It is arranged once for each listing and
kept for as long as the very same listing is handed in again; nothing else is remembered.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from market.contract import Contract, Right
from strategies.base import MarketSnapshot

_KEPT_MAX = 16
_kept: dict[tuple[str, date], tuple[tuple[Contract, ...], "Ladder"]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Ascending strikes at which both a call and a put are listed, and the options themselves."""

    strikes: tuple[float, ...]
    options: Mapping[tuple[float, Right], Contract]

    def has(self, strike: float) -> bool:
        """Whether both rights are listed at this strike."""
        return (strike, Right.CALL) in self.options and (strike, Right.PUT) in self.options

    def first_at_or_above(self, strike: float) -> float | None:
        """The lowest listed strike not below `strike`."""
        index = bisect_left(self.strikes, strike)
        return self.strikes[index] if index < len(self.strikes) else None

    def nearest(self, level: float, count: int) -> tuple[float, ...]:
        """The `count` strikes closest to `level`, ascending; fewer at the ends of a short ladder."""
        middle = bisect_left(self.strikes, level)
        around = self.strikes[max(middle - count, 0) : middle + count]
        closest = sorted(around, key=lambda strike: (abs(strike - level), strike))[:count]
        return tuple(sorted(closest))

    def spread(self, low: float, high: float, count: int) -> tuple[float, ...]:
        """At most `count` strikes laid evenly over those from `low` to `high`, both ends included."""
        inside = self.strikes[bisect_left(self.strikes, low) : bisect_left(self.strikes, high)]
        if len(inside) <= count:
            return inside
        last = len(inside) - 1
        return tuple(inside[(step * last + (count - 1) // 2) // (count - 1)] for step in range(count))


def ladder(snapshot: MarketSnapshot, trading_class: str, expiry: date | None) -> Ladder | None:
    """The arranged listing, or None while the broker has not listed this class and expiry."""
    listing = None if expiry is None else snapshot.listed.get((trading_class, expiry))
    if expiry is None or not listing:
        return None
    kept = _kept.get((trading_class, expiry))
    if kept is not None and kept[0] is listing:
        return kept[1]
    options = {(option.strike, option.right): option for option in listing if option.right is not None}
    both = sorted(
        strike for strike, right in options if right is Right.CALL and (strike, Right.PUT) in options
    )
    if len(_kept) >= _KEPT_MAX:
        _kept.clear()
    arranged = Ladder(tuple(both), options)
    _kept[(trading_class, expiry)] = (listing, arranged)
    return arranged
