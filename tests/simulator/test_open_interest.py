"""Contracts open: many near the money, at round strikes and near expiries, and the same count all day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import Contract, Right, SecurityType
from simulator.open_interest import open_interest

DAY = date(2024, 3, 11)


def vix_option(strike: float, right: Right = Right.CALL, days: int = 37) -> Contract:
    return Contract(SecurityType.OPTION, "VIX", "VIX", DAY + timedelta(days), strike, right, 100)


def count(strike: float, right: Right = Right.CALL, days: int = 37, level: float = 15.0) -> int:
    return open_interest(vix_option(strike, right, days), level, DAY)


def test_calls_out_of_the_money_at_round_strikes_and_near_expiries_have_the_most() -> None:
    assert count(20.0) > count(21.0) > count(20.5)
    assert count(20.0) > count(10.0, days=37)
    assert count(20.0, days=37) > count(20.0, days=180) > 500
    assert count(10.0, Right.PUT) > count(30.0, Right.PUT)
    assert count(150.0) < 500


@given(
    st.integers(10, 200), st.sampled_from(list(Right)), st.integers(0, 250), st.floats(9.0, 85.0, width=32)
)
def test_a_count_is_a_whole_number_of_tens_and_never_negative(
    strike: int, right: Right, days: int, level: float
) -> None:
    found = count(float(strike), right, days, level)
    assert found >= 0
    assert found % 10 == 0


def test_what_is_no_option_has_none() -> None:
    with pytest.raises(ValueError, match="no open interest"):
        open_interest(Contract(SecurityType.INDEX, "VIX"), 15.0, DAY)
