"""Dollar and prices: a month is measured once, against its past, and counts as unknown when it is old."""

from dataclasses import replace
from datetime import date
from math import exp, sqrt
from statistics import linear_regression

import pytest

from strategies.macro import MacroState, MonthlyChange, divergence_reading, learn, measure
from tests.strategies.signals import mid_term_rules

RULES = mid_term_rules()


def month(n: int) -> date:
    """The n-th month after January 2000."""
    return date(2000 + n // 12, n % 12 + 1, 1)


def levels(changes: list[float]) -> dict[date, float]:
    """A line of levels whose monthly log changes are given; the first level is 100."""
    line, level = {month(0): 100.0}, 0.0
    for n, change in enumerate(changes, start=1):
        level += change
        line[month(n)] = 100.0 * exp(level)
    return line


def state(pairs: list[tuple[float, float]]) -> MacroState:
    """Months whose three-month changes of dollar and prices are given."""
    return MacroState(tuple(MonthlyChange(month(n), x, y) for n, (x, y) in enumerate(pairs)))


def linked(n: int) -> list[tuple[float, float]]:
    """Months in which the dollar falls as prices rise, with a small regular error."""
    return [
        (-0.5 * y + 0.001 * (-1) ** k, y) for k, y in enumerate(0.01 * ((7 * k) % 5 - 2) for k in range(n))
    ]


def test_changes_are_log_changes_over_three_months_of_months_both_series_have() -> None:
    reer, ppi = levels([0.01, 0.02, 0.03, 0.04]), levels([0.0, 0.0, 0.06])
    learned = learn(MacroState(), reer, ppi, RULES)
    assert [known.month for known in learned.months] == [month(3)]
    assert learned.months[0].dollar == pytest.approx(0.06)
    assert learned.months[0].prices == pytest.approx(0.06)


def test_a_rebased_series_changes_nothing() -> None:
    reer, ppi = levels([0.01, -0.02, 0.03, 0.01]), levels([0.02, 0.01, 0.06, 0.0])
    rebased = {day: 1.37 * level for day, level in reer.items()}
    assert learn(MacroState(), reer, ppi, RULES) == learn(MacroState(), rebased, ppi, RULES)


def test_a_revision_does_not_reach_back_into_a_month_that_was_measured() -> None:
    reer, ppi = levels([0.01] * 6), levels([0.02] * 6)
    first = learn(MacroState(), reer, ppi, RULES)
    revised = {day: level * (1.1 if day == month(5) else 1.0) for day, level in ppi.items()}
    assert learn(first, reer, revised, RULES) == first
    more = {**revised, month(7): 100.0}
    longer = learn(first, {**reer, month(7): 100.0}, more, RULES)
    assert longer.months[:-1] == first.months


def test_a_month_late_in_one_series_is_taken_in_when_it_comes() -> None:
    reer, ppi = levels([0.01] * 6), levels([0.02] * 6)
    late = {day: level for day, level in ppi.items() if day != month(5)}
    before = learn(MacroState(), reer, late, RULES)
    assert month(5) not in {known.month for known in before.months}
    assert learn(before, reer, ppi, RULES) == learn(MacroState(), reer, ppi, RULES)


def test_a_residual_needs_sixty_months_before_the_one_it_judges() -> None:
    assert measure(state(linked(60)), RULES).divergent is None
    found = measure(state(linked(61)), RULES)
    assert found.warm_up == (61, 61)
    assert found.divergent is not None


def test_the_month_itself_is_not_part_of_the_link_it_is_judged_by() -> None:
    months = [*linked(70), (0.02, 0.02)]
    xs, ys = [x for x, _ in months[-61:-1]], [y for _, y in months[-61:-1]]
    line = linear_regression(ys, xs)
    inside = [x - line.slope * y - line.intercept for x, y in zip(xs, ys, strict=True)]
    expected = (0.02 - line.slope * 0.02 - line.intercept) / sqrt(sum(r * r for r in inside) / 59)
    assert measure(state(months), RULES).measure == pytest.approx(expected, rel=1e-5)


def test_an_ordinary_month_of_opposite_signs_does_not_diverge_by_residual_but_does_by_sign() -> None:
    months = state([*linked(60), (-0.0101, 0.02)])
    assert measure(months, RULES).divergent is False
    assert measure(months, replace(RULES, divergence_definition="sign")).divergent is True


def test_a_month_off_the_usual_link_diverges_by_residual_though_its_signs_agree() -> None:
    months = state([*linked(60), (0.02, 0.02)])
    found = measure(months, RULES)
    assert found.divergent is True
    assert found.measure is not None
    assert found.measure > 1.0
    assert measure(months, replace(RULES, divergence_definition="sign")).divergent is False


def test_a_gap_needs_opposite_signs_and_distant_scores() -> None:
    rules = replace(RULES, divergence_definition="gap", divergence_window_months=120)
    base = linked(59)
    assert measure(state(base), rules).divergent is None
    assert measure(state([*base, (-0.03, 0.04)]), rules).divergent is True
    assert measure(state([*base, (0.03, 0.04)]), rules).divergent is False
    assert measure(state([*base, (-0.0001, 0.0001)]), rules).divergent is False


def test_left_out_it_always_holds() -> None:
    none = replace(RULES, divergence_definition="none")
    assert (
        divergence_reading(measure(MacroState(), none), date(2010, 1, 4), RULES.divergence_age_max_days).fired
        is True
    )


def test_a_month_that_ended_more_than_seventy_five_days_ago_is_unknown() -> None:
    found = measure(state(linked(61)), RULES)
    assert found.month == date(2005, 1, 1)
    assert divergence_reading(found, date(2005, 4, 16), RULES.divergence_age_max_days).fired is not None
    stale = divergence_reading(found, date(2005, 4, 17), RULES.divergence_age_max_days)
    assert stale.fired is None
    assert "stale" in stale.reason
    assert stale.value == found.measure


def test_a_level_that_is_no_level_gives_no_month() -> None:
    reer, ppi = levels([0.01] * 6), levels([0.02] * 6)
    whole = learn(MacroState(), reer, ppi, RULES)
    for series in (reer, ppi):
        broken = {**series, month(6): 0.0}
        pair = (broken, ppi) if series is reer else (reer, broken)
        assert learn(MacroState(), *pair, RULES).months == whole.months[:-1]


def test_a_window_in_which_one_series_never_moved_tells_nothing() -> None:
    flat = state([(0.01 * (-1) ** k, 0.0) for k in range(60)] + [(0.02, 0.02)])
    found = measure(flat, RULES)
    assert (found.measure, found.divergent) == (None, None)
    assert (
        divergence_reading(found, date(2005, 2, 1), RULES.divergence_age_max_days).reason
        == "the window never moved"
    )
    still = state([(0.0, 0.01 * (-1) ** k) for k in range(61)])
    assert measure(still, replace(RULES, divergence_definition="gap")).divergent is None
