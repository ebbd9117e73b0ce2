"""Where a structure stops earning: at expiry, and today, and how far that is (METHOD 4.5).

Expiry break-evens follow from the payoff and the cumulative net credit. Today's are the levels at which
buying the structure back would cost just that credit, volatilities held by log-moneyness: an option keeps the
volatility of its distance to the forward, wherever the forward goes. The distance is in standard deviations
until expiry; the forward is known only within its dealable bounds, and the nearer end counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, exp, log, sqrt

import numpy as np

from market.contract import Combo, Right
from market.normal import FloatArray
from market.pricing import black76_price
from market.rounding import round_price, round_ratio, round_volatility

_REACH = 0.40  # today's break-evens are looked for this far from the forward, on both sides
_GRID = 161
_HALVINGS = 40

Results = Callable[[Sequence[float]], list[float]]  # what a structure earns at each of some levels, in points


@dataclass(frozen=True, slots=True)
class Market:
    """One expiry: forward with its dealable bounds, discount factor, years, and the smile.

    `smile` are pairs of ln(strike / forward) and volatility; it is read by linear interpolation, flat beyond.
    """

    forward: float
    lo: float
    hi: float
    discount: float
    t_years: float
    smile: tuple[tuple[float, float], ...]

    def sigma(self, log_moneyness: FloatArray | float) -> FloatArray:
        """Volatility at a log-moneyness."""
        points = sorted(self.smile)
        return np.asarray(np.interp(log_moneyness, [x for x, _ in points], [y for _, y in points]))


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One break-even: level, distance at both ends of the forward and at the worse one, and its probability.

    `today` tells today's from that at expiry. `distance` is signed: above zero, the level lies above the
    forward.
    """

    side: str
    today: bool
    level: float
    distance_lo: float
    distance_hi: float
    distance: float
    breach: float
    sigma: float


def break_evens(combo: Combo, credit: float, market: Market) -> tuple[BreakEven, ...]:
    """All break-evens of a unit of `combo` that has brought in `credit` points, net of rolls and fees.

    Low and high at expiry, then low and high today, as far as there are any: a credit the structure could
    never lose has none.
    """
    found = [
        *_roots(lambda levels: [combo.payoff(level) + credit for level in levels], _corners(combo), False),
        *_today(combo, credit, market),
    ]
    return tuple(_measured(side, today, level, market) for side, today, level in found)


def distance(level: float, forward: float, sigma: float, t_years: float) -> float:
    """Standard deviations from the forward to a level: (ln(BE/F) + sigma^2 t / 2) / (sigma sqrt t)."""
    deviation = sigma * sqrt(t_years)
    return round_ratio((log(level / forward) + deviation * deviation / 2.0) / deviation)


def breach_probability(distance_sd: float) -> float:
    """Chance to end beyond a level that far away: N(-|d|)."""
    return round_ratio(0.5 * (1.0 - erf(abs(distance_sd) / sqrt(2.0))))


def ends(
    side: str, level: float, sigma: float, bounds: tuple[float, float], t_years: float
) -> tuple[float, float, float]:
    """A level's distance from the low and the high bound of the forward, and the worse of the two.

    On its own side a level is safe; beyond the forward it is breached already, and farther is worse.
    """
    at_lo, at_hi = (distance(level, forward, sigma, t_years) for forward in bounds)
    return at_lo, at_hi, max(at_lo, at_hi) if side == "low" else min(at_lo, at_hi)


def _measured(side: str, today: bool, level: float, market: Market) -> BreakEven:
    sigma = round_volatility(float(market.sigma(log(level / market.forward))))
    at_lo, at_hi, worse = ends(side, level, sigma, (market.lo, market.hi), market.t_years)
    is_breached = worse >= 0.0 if side == "low" else worse <= 0.0
    chance = breach_probability(worse)
    return BreakEven(
        side,
        today,
        level,
        at_lo,
        at_hi,
        worse,
        round_ratio(1.0 - chance) if is_breached else chance,
        sigma,
    )


def _corners(combo: Combo) -> list[float]:
    strikes = sorted({leg.contract.strike for leg in combo.legs})
    return [0.0, *strikes, 2.0 * strikes[-1]]


def _today(combo: Combo, credit: float, market: Market) -> list[tuple[str, bool, float]]:
    strikes = np.array([leg.contract.strike for leg in combo.legs])
    calls = np.array([leg.contract.right is Right.CALL for leg in combo.legs])
    ratios = [leg.signed_ratio for leg in combo.legs]

    def results(levels: Sequence[float]) -> list[float]:
        column = np.array(levels)[:, np.newaxis]
        sigma = market.sigma(np.log(strikes / column))
        prices = black76_price(column, strikes, market.t_years, sigma, market.discount, calls)
        return [
            round_price(sum(ratio * price for ratio, price in zip(ratios, row, strict=True)) + credit)
            for row in prices.tolist()
        ]

    step = (log(1.0 + _REACH) - log(1.0 - _REACH)) / (_GRID - 1)
    levels = [market.forward * exp(log(1.0 - _REACH) + step * index) for index in range(_GRID)]
    return _roots(results, levels, True)


def _roots(results: Results, levels: Sequence[float], today: bool) -> list[tuple[str, bool, float]]:
    """The levels around the best one at which the result changes its sign, the nearest of each side."""
    values = results(levels)
    best = values.index(max(values))
    if values[best] < 0.0:
        return []
    found = []
    below = next((i for i in range(best, -1, -1) if values[i] < 0.0), None)
    if below is not None:
        found.append(("low", today, _bisect(results, levels[below], levels[below + 1])))
    above = next((i for i in range(best, len(values)) if values[i] < 0.0), None)
    if above is not None:
        found.append(("high", today, _bisect(results, levels[above], levels[above - 1])))
    return found


def _bisect(results: Results, losing: float, earning: float) -> float:
    """The level in between, to a price's last digit: once both ends round to it, halving changes nothing."""
    for _ in range(_HALVINGS):
        if round_price(losing) == round_price(earning):
            break
        middle = 0.5 * (losing + earning)
        losing, earning = (middle, earning) if results([middle])[0] < 0.0 else (losing, middle)
    return round_price(0.5 * (losing + earning))
