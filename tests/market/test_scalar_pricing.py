"""One option in plain floats: what the vectorised functions give, and never an exception."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pricing import (
    black76_greeks,
    black76_price,
    delta_of_one,
    implied_volatility,
    volatility_and_delta,
)
from tests.market.option_regimes import REGIMES, generator
from tests.market.test_pricing import FAULTS

DISCOUNT = 0.99


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("is_call", [True, False])
def test_it_agrees_with_the_vectorised_functions(regime: str, is_call: bool) -> None:
    strikes, t, sigma = REGIMES[regime](generator(5), 400)
    forward = 18.0 if regime == "vix" else 6030.0
    prices = black76_price(forward, strikes, t, sigma, DISCOUNT, is_call)
    expected = implied_volatility(prices, forward, strikes, t, DISCOUNT, is_call).sigma
    delta = black76_greeks(forward, strikes, t, expected, DISCOUNT, is_call).delta_forward
    solved = 0
    for price, strike, years, vol, wanted in zip(
        *(column.tolist() for column in (prices, strikes, t, expected, delta)), strict=True
    ):
        found = volatility_and_delta(price, forward, strike, years, DISCOUNT, is_call)
        if found is None:
            assert math.isnan(vol)
        else:
            solved += 1
            assert found[0] == pytest.approx(vol, rel=1e-11)
            assert found[1] == pytest.approx(wanted, rel=1e-9, abs=1e-12)
            assert delta_of_one(forward, strike, years, found[0], is_call) == pytest.approx(
                found[1], rel=1e-9
            )
    assert solved >= 150


@pytest.mark.parametrize("case", FAULTS)
def test_an_impossible_input_has_no_volatility(case: tuple[Any, ...]) -> None:
    price, forward, strike, t, discount, is_call, _ = case
    assert volatility_and_delta(price, forward, strike, t, discount, is_call) is None


@given(*(st.floats() for _ in range(5)), st.booleans())
def test_no_number_makes_it_raise(
    price: float, forward: float, strike: float, t: float, discount: float, is_call: bool
) -> None:
    found = volatility_and_delta(price, forward, strike, t, discount, is_call)
    assert found is None or all(map(math.isfinite, found))


@given(
    sigma=st.floats(0.05, 3.0), strike=st.floats(40.0, 250.0), t=st.floats(1e-4, 2.0), is_call=st.booleans()
)
def test_a_price_gives_its_volatility_back_or_is_refused_by_both(
    sigma: float, strike: float, t: float, is_call: bool
) -> None:
    price = float(black76_price(100.0, strike, t, sigma, DISCOUNT, is_call))
    both = implied_volatility(price, 100.0, strike, t, DISCOUNT, is_call)
    found = volatility_and_delta(price, 100.0, strike, t, DISCOUNT, is_call)
    assert (found is None) == bool(np.isnan(both.sigma))
    if found is not None:
        assert found[0] == pytest.approx(float(both.sigma), rel=1e-10)


BEYOND_THE_STEPS = [
    # price, forward, strike, is_call: at one year and undiscounted
    (60.0, 100.0, 300_000.0, True),  # a deviation of four, where the guess is held back
    (100.0 - 1e-3, 100.0, 100.0, True),  # near the upper bound
    (6.8e-166, 1e165, 1e-165, False),  # the deviation is 39
    (1e-289, 1e128, 1e-62, False),  # the guess overflows
    (1.0, 1e140, 1e-20, False),  # in its unit a price of 1e-60
]


@pytest.mark.parametrize(("price", "forward", "strike", "is_call"), BEYOND_THE_STEPS)
def test_what_no_step_settles_is_bracketed_by_both_alike(
    price: float, forward: float, strike: float, is_call: bool
) -> None:
    wanted = implied_volatility(price, forward, strike, 1.0, 1.0, is_call)
    found = volatility_and_delta(price, forward, strike, 1.0, 1.0, is_call)
    assert (found is None) == bool(np.isnan(wanted.sigma))
    if found is not None:
        assert found[0] == pytest.approx(float(wanted.sigma), rel=1e-9)


def test_prices_whose_unit_is_infinite_have_no_volatility() -> None:
    assert volatility_and_delta(1.0, 1e200, 1e200, 0.1, 1.0, True) is None
    assert np.isnan(implied_volatility(1.0, 1e200, 1e200, 0.1, 1.0, True).sigma)
