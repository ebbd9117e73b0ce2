"""How many units may be opened: the one place where money becomes a number of contracts (METHOD 4.6).

One initiation is a condor order together with any hedge of the same session. Hedges reserve first, the condor
takes what is left. Size is floored and never rises because of a loss.
"""

from math import floor, inf

from market.contract import Combo
from market.rounding import round_price


def unit_max_loss_usd(combo: Combo, price: float, fees_per_unit_usd: float) -> float:
    """USD a buyer of one unit at `price` points can lose at most, fees included; `inf` when uncovered."""
    return round_price(combo.max_loss(price) * combo.multiplier + fees_per_unit_usd)


def initiation_headroom_usd(
    nav_usd: float, committed_usd: float, reserved_usd: float, max_fraction: float
) -> float:
    """What one more opening order of this session may still lose, never negative.

    `committed_usd` is the worst loss of all that was opened or is being opened this session, `reserved_usd`
    what a fired hedge has not spent yet.
    """
    return max(round_price(max_fraction * nav_usd - committed_usd - reserved_usd), 0.0)


def units(headroom_usd: float, unit_loss_usd: float) -> int:
    """Whole units whose worst loss fits into the headroom; 0 when none does or the loss is unbounded."""
    if not 0.0 < unit_loss_usd < inf:
        return 0
    return floor(headroom_usd / unit_loss_usd)
