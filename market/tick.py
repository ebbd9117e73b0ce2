"""Price steps of combos and single contracts, and rounding to them in a chosen direction.

Index-option combos trade in net steps of 0.05 points, VIX-option combos in net steps of 0.01 (METHOD 5). A
step never decides by float noise: a price within a millionth of a step counts as standing on it.
"""

from collections.abc import Mapping
from math import ceil, floor
from types import MappingProxyType

from market.rounding import round_price

#: Net price step of a combo in points, by trading class; shares have none.
COMBO_TICK: Mapping[str, float] = MappingProxyType(
    {"SPX": 0.05, "SPXW": 0.05, "XSP": 0.01, "VIX": 0.01, "VX": 0.05, "VXM": 0.01, "": 0.01}
)


def round_down(price: float, tick: float) -> float:
    """The highest multiple of `tick` that is not above `price`."""
    return round_price(floor(round_price(price / tick)) * tick)


def round_up(price: float, tick: float) -> float:
    """The lowest multiple of `tick` that is not below `price`."""
    return round_price(ceil(round_price(price / tick)) * tick)
