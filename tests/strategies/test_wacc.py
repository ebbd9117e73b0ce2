"""The cost of capital is Gordon's and the weights' arithmetic, and a missing input makes it unknown."""

from datetime import date
from itertools import pairwise
from statistics import linear_regression

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.sessions import sessions
from strategies.wacc import WeeklyBeta, cost_of_capital, yearly_distribution
from tests.strategies.signals import reserve_rules

RULES = reserve_rules()


def test_a_worked_case() -> None:
    cost = cost_of_capital(50.0, 2.0, 0.06, 0.04, 1.2, RULES)
    assert cost is not None
    assert cost.equity == pytest.approx(2.0 * 1.02 / 50.0 + 0.02)
    assert cost.capital == pytest.approx(0.65 * 0.0608 + 0.35 * 0.06)
    assert cost.spread == pytest.approx(0.65 * 0.0608 + 0.35 * 0.06 - 0.04)
    assert cost.capm == pytest.approx(0.04 + 1.2 * 0.05)
    assert cost.ddm_gap == pytest.approx(0.0608 - 0.10)
    assert cost.quality == "ok"


def test_costs_of_equity_more_than_four_points_apart_are_labelled_and_do_not_block() -> None:
    cost = cost_of_capital(50.0, 2.0, 0.06, 0.04, 1.3, RULES)
    assert cost is not None
    assert cost.quality == "warn"
    assert cost.spread == pytest.approx(0.02052)
    young = cost_of_capital(50.0, 2.0, 0.06, 0.04, None, RULES)
    assert young is not None
    assert young.quality == "unknown"
    assert young.ddm_gap is None


@pytest.mark.parametrize(
    ("price", "distribution", "baa", "treasury"),
    [
        (None, 2.0, 0.06, 0.04),
        (50.0, None, 0.06, 0.04),
        (50.0, 2.0, None, 0.04),
        (50.0, 2.0, 0.06, None),
        (0.0, 2.0, 0.06, 0.04),
    ],
)
def test_a_missing_input_makes_it_unknown(
    price: float | None, distribution: float | None, baa: float | None, treasury: float | None
) -> None:
    assert cost_of_capital(price, distribution, baa, treasury, 1.0, RULES) is None


def test_the_yearly_distribution_is_the_last_four_or_four_times_the_median_of_eight() -> None:
    amounts = [0.5, 0.5, 0.5, 9.0, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert yearly_distribution(amounts, "last_four") == pytest.approx(3.0)
    assert yearly_distribution(amounts, "median_eight") == pytest.approx(4 * 0.65)
    assert yearly_distribution(amounts[:3], "last_four") is None
    assert yearly_distribution(amounts[:7], "median_eight") is None


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(-300, 300)), min_size=540, max_size=560))
def test_beta_is_the_regression_over_the_last_complete_weeks(moves: list[tuple[int, int]]) -> None:
    days = sessions(date(2015, 1, 2), date(2017, 12, 29))[: len(moves)]
    beta, reit, index = WeeklyBeta(), 50.0, 2000.0
    ends: dict[tuple[int, int], tuple[float, float]] = {}
    for day, (own, market) in zip(days, moves, strict=True):
        reit, index = reit * (1 + own / 10000), index * (1 + market / 10000)
        beta = beta.update(day, reit, index, RULES.beta_weeks)
        ends[day.isocalendar()[:2]] = (reit, index)
    complete = list(ends.values())[:-1][-RULES.beta_weeks - 1 :]
    pairs = list(pairwise(complete))
    own_returns = [after[0] / before[0] - 1 for before, after in pairs]
    market_returns = [after[1] / before[1] - 1 for before, after in pairs]
    if len(pairs) < RULES.beta_weeks:
        assert beta.value is None
    elif len(set(market_returns)) > 1:
        assert beta.value == pytest.approx(linear_regression(market_returns, own_returns).slope, abs=1e-6)


def test_the_current_week_does_not_move_beta() -> None:
    beta, reit, index = WeeklyBeta(), 50.0, 2000.0
    days = sessions(date(2015, 1, 5), date(2017, 3, 1))
    for n, day in enumerate(days):
        reit, index = reit * (1 + 0.001 * (n % 5 - 2)), index * (1 + 0.001 * (n % 7 - 3))
        beta = beta.update(day, reit, index, RULES.beta_weeks)
    assert days[-1].weekday() < 4
    assert beta.value is not None
    assert beta.update(date(2017, 3, 2), reit * 3, index / 3, RULES.beta_weeks).value == beta.value
