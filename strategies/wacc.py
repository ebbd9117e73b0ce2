"""The cost of capital that REIT prices imply, and its distance from the Treasury yield (METHOD 2.7).

Equity is priced by the dividend discount model with constant growth (Gordon 1962), debt at Moody's Baa yield
without a tax shield, because a REIT that distributes its income pays no tax on it. The capital asset pricing
model gives a second opinion on the cost of equity; it labels, it does not block. All rates are fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from math import fsum
from statistics import median
from typing import Literal

from market.records import replace
from market.rounding import round_ratio
from strategies.rules import ReserveRules

_DISTRIBUTIONS_NEEDED = {"last_four": 4, "median_eight": 8}


@dataclass(frozen=True, slots=True)
class CostOfCapital:
    """What one session's prices imply.

    `spread` is capital over the 10-year yield, `ddm_gap` equity over the pricing model's equity (None before
    its weeks are full). `quality` is "warn" where the two costs of equity are too far apart.
    """

    equity: float
    debt: float
    capital: float
    spread: float
    capm: float | None
    ddm_gap: float | None
    quality: Literal["ok", "warn", "unknown"]


@dataclass(frozen=True, slots=True)
class WeeklyBeta:
    """Slope of the REIT's weekly returns on the index's, over the last complete weeks.

    `weeks` holds the last closes of each week, oldest first, the current and incomplete week last; `value` is
    computed when a week ends.
    """

    weeks: tuple[tuple[int, int, float, float], ...] = ()  # ISO year, ISO week, REIT, index
    value: float | None = None

    def update(self, session: date, reit: float, index: float, beta_weeks: int) -> "WeeklyBeta":
        """The state after one more session's closes; the slope stands on `beta_weeks` returns."""
        year, week, _ = session.isocalendar()
        entry = (year, week, reit, index)
        if self.weeks and self.weeks[-1][:2] == (year, week):
            return replace(self, weeks=(*self.weeks[:-1], entry))
        value = _slope(self.weeks[-beta_weeks - 1 :], beta_weeks)
        return WeeklyBeta((*self.weeks, entry)[-beta_weeks - 2 :], value)


def yearly_distribution(
    amounts: Sequence[float], method: Literal["last_four", "median_eight"]
) -> float | None:
    """USD a share and year from quarterly distributions, oldest first; None when there are too few."""
    needed = _DISTRIBUTIONS_NEEDED[method]
    if len(amounts) < needed:
        return None
    return fsum(amounts[-4:]) if method == "last_four" else 4.0 * median(amounts[-8:])


def cost_of_capital(
    price: float | None,
    distribution_usd: float | None,
    baa: float | None,
    treasury_10y: float | None,
    beta: float | None,
    rules: ReserveRules,
) -> CostOfCapital | None:
    """Gordon's `k = D (1 + g) / P + g`, weighted with the cost of debt; None when an input is missing.

    `price` is the unadjusted close in USD, the yields are fractions.
    """
    if price is None or price <= 0.0 or distribution_usd is None or baa is None or treasury_10y is None:
        return None
    growth, debt_weight = rules.growth_fraction, rules.debt_weight_fraction
    equity = distribution_usd * (1.0 + growth) / price + growth
    capital = (1.0 - debt_weight) * equity + debt_weight * baa
    capm = None if beta is None else treasury_10y + beta * rules.equity_premium_fraction
    gap = None if capm is None else round_ratio(equity - capm)
    warns = gap is not None and abs(gap) > rules.capm_gap_warn_fraction
    return CostOfCapital(
        equity=round_ratio(equity),
        debt=round_ratio(baa),
        capital=round_ratio(capital),
        spread=round_ratio(capital - treasury_10y),
        capm=None if capm is None else round_ratio(capm),
        ddm_gap=gap,
        quality="unknown" if gap is None else "warn" if warns else "ok",
    )


def _slope(weeks: Sequence[tuple[int, int, float, float]], beta_weeks: int) -> float | None:
    if len(weeks) < beta_weeks + 1:
        return None
    reit = [after[2] / before[2] - 1.0 for before, after in pairwise(weeks)]
    index = [after[3] / before[3] - 1.0 for before, after in pairwise(weeks)]
    reit_mean, index_mean = fsum(reit) / len(reit), fsum(index) / len(index)
    variance = fsum((x - index_mean) ** 2 for x in index)
    if variance <= 0.0:
        return None
    together = fsum((x - index_mean) * (y - reit_mean) for x, y in zip(index, reit, strict=True))
    return round_ratio(together / variance)
