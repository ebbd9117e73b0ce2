"""The trading classes of the venue: what a dated contract is called, what lies under it, its steps.

The place of a class in the table is part of every contract id of that class, so new classes are added at the
end and none is ever moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

#: The first session with week-end PM expiries of the index in this venue, and of micro VIX futures on CFE.
FIRST_SPXW: Final = date(2010, 12, 1)
FIRST_VXM: Final = date(2020, 8, 10)


@dataclass(frozen=True, slots=True)
class TradingClass:
    """One class of dated contracts."""

    name: str
    symbol: str
    underlying: str  # the index it settles on
    multiplier: int
    strike_unit: float
    market_rule: int
    min_tick: float
    is_future: bool = False
    #: Points of this class per point of the index: a mini option is a tenth.
    scale: float = 1.0


_ALL: Final = (
    TradingClass("SPX", "SPX", "SPX", 100, 5.0, 110, 0.05),
    TradingClass("SPXW", "SPX", "SPX", 100, 5.0, 110, 0.05),
    TradingClass("VIX", "VIX", "VIX", 100, 0.5, 109, 0.01),
    TradingClass("VX", "VIX", "VIX", 1000, 1.0, 67, 0.05, is_future=True),
    TradingClass("XSP", "XSP", "XSP", 100, 0.5, 26, 0.01, scale=0.1),
    TradingClass("VIXW", "VIX", "VIX", 100, 0.5, 26, 0.01),
    TradingClass("VXM", "VXM", "VIX", 100, 1.0, 26, 0.01, is_future=True),
)
CLASSES: Final[Mapping[str, TradingClass]] = {one.name: one for one in _ALL}
#: Code of a class in a contract id; 0 is no class.
CODES: Final[Mapping[str, int]] = {one.name: code for code, one in enumerate(_ALL, start=1)}
BY_CODE: Final[Mapping[int, TradingClass]] = dict(enumerate(_ALL, start=1))


def settles_as(trading_class: str) -> str:
    """The class whose settlement instant a class shares: futures settle with the options on VIX."""
    return "VIX" if CLASSES[trading_class].is_future else trading_class
