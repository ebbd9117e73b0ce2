"""Whether the dollar has left its usual link to producer prices (METHOD 2.5).

Two monthly series, the real broad dollar (REER) and the producer price index of all commodities (PPI), are
compared by their log changes over three months: both are rebased and revised, their changes are not moved
by that. A month's changes are computed once, from the levels known when both series first had it, and never
again, so that a later revision cannot reach back into a decision. Dollar and prices normally move in
opposite directions, therefore the default asks for an unusual month, not for opposite signs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import log

from market.rounding import round_ratio
from strategies.base import Reading
from strategies.indicators import RollingResidual, mean_and_deviation
from strategies.rules import MidTermRules

READING = "reer_ppi_divergence"
MONTHS_KEPT = 130


@dataclass(frozen=True, slots=True)
class MonthlyChange:
    """Log changes up to `month` (its first day), frozen when the month first became known in both series."""

    month: date
    dollar: float
    prices: float


@dataclass(frozen=True, slots=True)
class MacroState:
    """The months at hand, ascending."""

    months: tuple[MonthlyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """The latest month measured by one definition. `divergent` is None while the window is not full."""

    month: date | None
    measure: float | None
    threshold: float
    divergent: bool | None
    warm_up: tuple[int, int]
    definition: str


def learn(
    state: MacroState, reer: Mapping[date, float], ppi: Mapping[date, float], rules: MidTermRules
) -> MacroState:
    """Take in the months that are new in both series; levels are by the month's first day, as now known."""
    have = {known.month for known in state.months}
    first = state.months[0].month if len(state.months) == MONTHS_KEPT else date.min
    months = list(state.months)
    for month in sorted((reer.keys() & ppi.keys()) - have):
        before = _months_before(month, rules.divergence_change_months)
        if month < first or before not in reer or before not in ppi:
            continue
        dollar, prices = _log_change(reer, month, before), _log_change(ppi, month, before)
        if dollar is not None and prices is not None:
            months.append(MonthlyChange(month, dollar, prices))
    if len(months) == len(state.months):
        return state
    return MacroState(tuple(sorted(months, key=lambda known: known.month)[-MONTHS_KEPT:]))


def measure(state: MacroState, rules: MidTermRules) -> Divergence:
    """The latest month under the definition in force.

    `resid`: residual of a regression of dollar on prices over the months before it, in deviations. `gap`:
    opposite signs, and scores (over the window that ends with the month) apart by the threshold. `sign`:
    opposite signs. `none`: always divergent.
    """
    definition, window = rules.divergence_definition, rules.divergence_window_months
    limit = rules.divergence_above_sd
    needed = {"resid": window + 1, "gap": rules.divergence_gap_months_min, "sign": 1, "none": 0}[definition]
    warm = (min(len(state.months), needed), needed)
    if definition == "none":
        return Divergence(None, None, 0.0, True, warm, definition)
    if len(state.months) < needed:
        return Divergence(None, None, limit, None, warm, definition)
    latest = state.months[-1]
    opposite = latest.dollar * latest.prices < 0.0
    if definition == "sign":
        return Divergence(latest.month, float(opposite), 0.5, opposite, warm, definition)
    if definition == "gap":
        apart = _scores_apart(state.months[-window:])
        divergent = None if apart is None else opposite and apart >= limit
        return Divergence(latest.month, apart, limit, divergent, warm, definition)
    before = state.months[-window - 1 : -1]
    line = RollingResidual(window, tuple(m.dollar for m in before), tuple(m.prices for m in before))
    score = line.score(latest.dollar, latest.prices)
    off = None if score is None else abs(score)
    return Divergence(latest.month, off, limit, None if off is None else off > limit, warm, definition)


def divergence_reading(divergence: Divergence, session: date, age_max_days: int) -> Reading:
    """The divergence as it stands on a session: unknown when its month ended too long before.

    Statistics offices have been shut for weeks: `age_max_days` counts from the end of the month observed.
    """
    month, reason, fired = divergence.month, "", divergence.divergent
    if fired is None:
        reason = "warming up" if divergence.warm_up[0] < divergence.warm_up[1] else "the window never moved"
    if month is not None:
        age = session - (_months_before(month, -1) - timedelta(1))
        if age.days > age_max_days:
            reason, fired = f"stale: the month ended {age.days} days ago, at most {age_max_days}", None
    return Reading(
        READING,
        divergence.measure,
        divergence.threshold,
        ">=" if divergence.definition == "gap" else ">",
        fired,
        "" if month is None else month.isoformat(),
        divergence.definition,
        divergence.warm_up,
        reason,
    )


def _scores_apart(months: tuple[MonthlyChange, ...]) -> float | None:
    scores = []
    for values in ([m.dollar for m in months], [m.prices for m in months]):
        mean, deviation = mean_and_deviation(values)
        if deviation <= 0.0:
            return None
        scores.append((values[-1] - mean) / deviation)
    return round_ratio(abs(scores[0] - scores[1]))


def _log_change(levels: Mapping[date, float], month: date, before: date) -> float | None:
    now, then = levels[month], levels[before]
    return round_ratio(log(now / then)) if now > 0.0 and then > 0.0 else None


def _months_before(month: date, n: int) -> date:
    year, index = divmod(month.year * 12 + month.month - 1 - n, 12)
    return date(year, index + 1, 1)
