"""Break-evens: at expiry and today, their distance at the worse end, and the chance of a breach."""

from dataclasses import replace
from datetime import date
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Combo, Contract, Right, SecurityType, iron_condor
from market.pricing import black76_price
from risk.breakeven import Market, breach_probability, break_evens, distance

# The worked case of METHOD 4.6: index 6000, 45 days.
MARKET = Market(6023.72, 6022.11, 6025.33, 0.994467, 45 / 365, ((-0.1, 0.20), (0.0, 0.16), (0.1, 0.13)))


def option(strike: float, right: Right) -> Contract:
    con_id = int(strike * 10) + (right is Right.PUT)
    return Contract(
        SecurityType.OPTION, "SPX", "SPXW", date(2026, 3, 20), strike, right, multiplier=100, con_id=con_id
    )


CONDOR = iron_condor(
    option(5590, Right.PUT), option(5640, Right.PUT), option(6315, Right.CALL), option(6365, Right.CALL)
)


def result_today(level: float, credit: float, combo: Combo = CONDOR, market: Market = MARKET) -> float:
    strikes = np.array([leg.contract.strike for leg in combo.legs])
    calls = np.array([leg.contract.right is Right.CALL for leg in combo.legs])
    sigma = market.sigma(np.log(strikes / level))
    prices = black76_price(level, strikes, market.t_years, sigma, market.discount, calls)
    return credit + float(sum(leg.signed_ratio * p for leg, p in zip(combo.legs, prices, strict=True)))


def test_the_worked_condor_breaks_even_a_credit_outside_its_shorts() -> None:
    low, high = [one for one in break_evens(CONDOR, 12.37, MARKET) if not one.today]
    assert (low.side, high.side) == ("low", "high")
    assert (low.level, high.level) == pytest.approx((5627.63, 6327.37))


def test_a_break_even_halfway_between_two_prices_is_told_as_one_of_them() -> None:
    low, high = [one.level for one in break_evens(CONDOR, 12.3700005, MARKET) if not one.today]
    assert low in (5627.629999, 5627.63)
    assert high in (6327.37, 6327.370001)


def test_a_credit_collected_by_a_roll_moves_both_break_evens_outwards() -> None:
    before = [one.level for one in break_evens(CONDOR, 12.0, MARKET) if not one.today]
    after = [one.level for one in break_evens(CONDOR, 15.5, MARKET) if not one.today]
    assert (before[0] - after[0], after[1] - before[1]) == pytest.approx((3.5, 3.5))


def test_today_it_breaks_even_where_buying_back_costs_the_credit() -> None:
    credit = -result_today(6023.72, 0.0) + 2.0
    today = [one for one in break_evens(CONDOR, credit, MARKET) if one.today]
    assert [one.side for one in today] == ["low", "high"]
    assert today[0].level < 6023.72 < today[1].level
    assert [result_today(one.level, credit) for one in today] == pytest.approx([0.0, 0.0], abs=1e-4)


def test_a_condor_that_cannot_be_bought_back_at_its_credit_anywhere_has_no_break_even_today() -> None:
    assert [one.today for one in break_evens(CONDOR, 0.05, MARKET)] == [False, False]


def test_a_spread_alone_breaks_even_on_one_side() -> None:
    puts = Combo(CONDOR.legs[:2])
    assert [(one.side, one.today) for one in break_evens(puts, 6.0, MARKET)][:1] == [("low", False)]
    assert {one.side for one in break_evens(puts, 6.0, MARKET)} == {"low"}
    calls = Combo(CONDOR.legs[2:])
    assert {one.side for one in break_evens(calls, 6.0, MARKET)} == {"high"}


def test_a_structure_that_has_collected_its_whole_width_has_none_at_expiry() -> None:
    assert not [one for one in break_evens(CONDOR, 50.0, MARKET) if not one.today]


def test_the_distance_is_taken_at_both_ends_and_the_worse_one_counts() -> None:
    low, high = [one for one in break_evens(CONDOR, 12.37, MARKET) if not one.today]
    for one, worse in ((low, low.distance_lo), (high, high.distance_hi)):
        assert one.distance == worse
        assert abs(one.distance) == min(abs(one.distance_lo), abs(one.distance_hi))
    assert low.distance < 0.0 < high.distance
    deviation = low.sigma * sqrt(45 / 365)
    assert low.distance_lo == pytest.approx((log(5627.63 / 6022.11) + deviation**2 / 2) / deviation)
    assert low.breach == breach_probability(low.distance) < 0.5


def test_a_level_the_forward_has_passed_is_breached_more_likely_than_not() -> None:
    there = replace(MARKET, forward=5500.0, lo=5499.0, hi=5501.0)
    low = next(one for one in break_evens(CONDOR, 12.37, there) if not one.today)
    assert low.distance > 0.0
    assert low.breach > 0.5


@given(level=st.floats(3000, 9000), sigma=st.floats(0.05, 1.0), days=st.integers(1, 60))
def test_the_distance_grows_with_the_level_and_its_chance_is_a_chance(
    level: float, sigma: float, days: int
) -> None:
    here = distance(level, 6000.0, sigma, days / 365)
    assert distance(level * 1.01, 6000.0, sigma, days / 365) > here
    assert 0.0 <= breach_probability(here) <= 0.5
    median = 6000.0 * exp(-(sigma**2) * days / 365 / 2)
    assert distance(median, 6000.0, sigma, days / 365) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20)
@given(credit=st.floats(1.0, 20.0), forward=st.floats(5700, 6300))
def test_no_level_between_todays_break_evens_loses_and_just_outside_both_do(
    credit: float, forward: float
) -> None:
    market = replace(MARKET, forward=forward, lo=forward - 1.5, hi=forward + 1.5)
    today = [one.level for one in break_evens(CONDOR, credit, market) if one.today]
    if len(today) == 2:
        low, high = today
        assert result_today(0.5 * (low + high), credit, market=market) >= -1e-6
        assert result_today(low - 0.5, credit, market=market) < 0.0
        assert result_today(high + 0.5, credit, market=market) < 0.0
