"""Black-76 prices, greeks and implied volatilities against golden values and their own laws."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pricing import (
    Greeks,
    VolatilityFault,
    black76_delta_forward,
    black76_greeks,
    black76_price,
    implied_volatility,
)
from tests.market.option_regimes import REGIMES, FloatArray, deep, generator, market_like

T = 45 / 365
D = math.exp(-0.045 * T)

# --------------------------------------------------------------------------------------------- golden

GOLDEN = [
    ("b76 VIX call F=18 K=22 T=45/365 s=.95 r=.045", 18.0, 22.0, 0.95, True),
    ("b76 same but (wrong) spot=15 as forward", 15.0, 22.0, 0.95, True),
    ("b76 SPX put F=6030 K=5700 T=45/365 s=.19", 6030.0, 5700.0, 0.19, False),
]
GOLDEN_VALUES = {
    GOLDEN[0][0]: (1.102277, 0.330016, 0.331852, 0.060116, 2.281287),
    GOLDEN[1][0]: (0.372166, 0.162298, 0.163201, 0.048988, 1.29096),
    GOLDEN[2][0]: (43.25235, -0.189197, -0.19025, 0.000671, 571.836934),
}


@pytest.mark.parametrize(("name", "forward", "strike", "sigma", "is_call"), GOLDEN)
def test_the_golden_options_reproduce_to_six_decimals(
    name: str, forward: float, strike: float, sigma: float, is_call: bool
) -> None:
    arguments = (forward, strike, T, sigma, D, is_call)
    price, greeks = black76_price(*arguments), black76_greeks(*arguments)
    found = (price, greeks.delta, greeks.delta_forward, greeks.gamma, greeks.vega)
    assert tuple(round(float(v), 6) for v in found) == GOLDEN_VALUES[name]
    back = implied_volatility(price, forward, strike, T, D, is_call)
    assert float(back.sigma) == pytest.approx(sigma, rel=1e-12)


def test_the_golden_values_here_are_those_of_the_golden_file() -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "golden.json"
    if not path.exists():
        pytest.skip("the golden file is kept beside the project and is not here")
    golden = json.loads(path.read_text(encoding="utf-8"))
    for name, values in GOLDEN_VALUES.items():
        assert tuple(golden[name].values()) == values


# -------------------------------------------------------------------------------------------- regimes


@pytest.mark.parametrize("regime", REGIMES)
@given(seed=st.integers(0, 2**32))
def test_a_price_gives_its_volatility_back_to_1e_10(regime: str, seed: int) -> None:
    rng = generator(seed)
    forward = 18.0 if regime == "vix" else 6030.0
    strike, t, sigma = REGIMES[regime](rng, 200)
    discount = np.exp(-0.045 * t)
    is_call = strike > forward
    price = black76_price(forward, strike, t, sigma, discount, is_call)
    for guess in (None, sigma * rng.uniform(0.98, 1.02, 200), sigma * rng.uniform(0.1, 9.0, 200)):
        found = implied_volatility(price, forward, strike, t, discount, is_call, guess)
        assert not found.reason.any()
        np.testing.assert_allclose(found.sigma, sigma, rtol=1e-10, atol=0.0)


def test_the_deep_region_reaches_prices_of_1e_minus_240() -> None:
    strike, t, sigma = deep(generator(1), 2000)
    price = black76_price(6030.0, strike, t, sigma, 1.0, strike > 6030.0)
    assert price.min() < 1e-240
    assert not implied_volatility(price, 6030.0, strike, t, 1.0, strike > 6030.0).reason.any()


@given(seed=st.integers(0, 2**32))
def test_an_in_the_money_price_gives_all_the_digits_it_still_holds(seed: int) -> None:
    rng = generator(seed)
    _, t, sigma = market_like(rng, 200)
    strike = 6030.0 * np.exp(rng.uniform(-8.0, 8.0, 200) * sigma * np.sqrt(t))
    is_call = strike < 6030.0
    price = black76_price(6030.0, strike, t, sigma, 1.0, is_call)
    found = implied_volatility(price, 6030.0, strike, t, 1.0, is_call)
    known = np.isfinite(found.sigma)
    np.testing.assert_allclose(found.sigma[known], sigma[known], rtol=1e-8)
    time_value = price - np.abs(6030.0 - strike)
    assert (found.reason[~known] != VolatilityFault.NONE).all()
    assert (time_value[~known] < 0.01).all()  # no dealable price is refused


@given(seed=st.integers(0, 2**32))
def test_near_the_upper_bound_a_volatility_is_right_or_refused(seed: int) -> None:
    rng = generator(seed)
    sigma = rng.uniform(2.0, 14.0, 200)
    strike = 6030.0 * np.exp(rng.uniform(-2.0, 2.0, 200))
    price = black76_price(6030.0, strike, 1.0, sigma, D, strike > 6030.0)
    found = implied_volatility(price, 6030.0, strike, 1.0, D, strike > 6030.0)
    known = np.isfinite(found.sigma)
    np.testing.assert_allclose(found.sigma[known], sigma[known], rtol=1e-10)
    assert (sigma[~known] > 8.5).all()
    assert np.isin(
        found.reason[~known], [VolatilityFault.UNRESOLVED, VolatilityFault.ABOVE_UPPER_BOUND]
    ).all()


# ----------------------------------------------------------------------------------------------- laws


@given(seed=st.integers(0, 2**32))
def test_calls_and_puts_obey_parity(seed: int) -> None:
    strike, t, sigma = market_like(generator(seed), 100)
    call = black76_price(6030.0, strike, t, sigma, D, True)
    put = black76_price(6030.0, strike, t, sigma, D, False)
    np.testing.assert_allclose(call - put, D * (6030.0 - strike), rtol=0.0, atol=1e-9)
    in_call = black76_greeks(6030.0, strike, t, sigma, D, True)
    in_put = black76_greeks(6030.0, strike, t, sigma, D, False)
    np.testing.assert_allclose(in_call.delta_forward - in_put.delta_forward, 1.0, rtol=1e-14)
    np.testing.assert_array_equal(in_call.gamma, in_put.gamma)
    np.testing.assert_array_equal(in_call.vega, in_put.vega)


@given(
    strike=st.floats(4000.0, 8000.0),
    t=st.floats(1e-5, 2.0),
    low=st.floats(0.01, 2.0),
    rise=st.floats(1e-6, 1.0),
    is_call=st.booleans(),
)
def test_a_higher_volatility_never_lowers_the_price(
    strike: float, t: float, low: float, rise: float, is_call: bool
) -> None:
    cheap = black76_price(6030.0, strike, t, low, D, is_call)
    dear = black76_price(6030.0, strike, t, low + rise, D, is_call)
    assert dear >= cheap
    assert dear > cheap or cheap - max(D * (6030.0 - strike) * (1 if is_call else -1), 0.0) < 1e-9


@given(seed=st.integers(0, 2**32), is_call=st.booleans())
def test_greeks_are_the_derivatives_of_the_price(seed: int, is_call: bool) -> None:
    rng = generator(seed)
    n = 50
    t, sigma = rng.uniform(0.02, 0.5, n), rng.uniform(0.1, 0.6, n)
    strike = 100.0 * np.exp(rng.uniform(-2.5, 2.5, n) * sigma * np.sqrt(t))
    rate = 0.05

    def price(f: float = 100.0, v: FloatArray = sigma, time: FloatArray = t) -> FloatArray:
        return black76_price(f, strike, time, v, np.exp(-rate * time), is_call)

    def greeks(f: float = 100.0) -> Greeks:
        return black76_greeks(f, strike, t, sigma, np.exp(-rate * t), is_call)

    h = 1e-4
    found = greeks()
    np.testing.assert_allclose(found.delta, (price(100 + h) - price(100 - h)) / (2 * h), atol=1e-7)
    np.testing.assert_allclose(found.delta, np.exp(-rate * t) * found.delta_forward, rtol=1e-14)
    slope = (greeks(100 + h).delta - greeks(100 - h).delta) / (2 * h)
    np.testing.assert_allclose(found.gamma, slope, atol=1e-7)
    np.testing.assert_allclose(
        found.vega, (price(v=sigma + h) - price(v=sigma - h)) / (2 * h), rtol=1e-4, atol=1e-5
    )
    passing = (price(time=t - 1e-5) - price(time=t + 1e-5)) / 2e-5
    np.testing.assert_allclose(found.theta, passing, rtol=1e-4, atol=1e-4)


def test_zero_time_or_volatility_is_worth_the_discounted_intrinsic_value() -> None:
    strikes = np.array([90.0, 100.0, 110.0])
    for t, sigma in ((0.0, 0.2), (0.5, 0.0)):
        np.testing.assert_array_equal(black76_price(100.0, strikes, t, sigma, 0.5, True), [5.0, 0.0, 0.0])
        np.testing.assert_array_equal(black76_price(100.0, strikes, t, sigma, 0.5, False), [0.0, 0.0, 5.0])
        greeks = black76_greeks(100.0, strikes, t, sigma, 0.5, True)
        assert np.isnan([greeks.delta, greeks.gamma, greeks.vega, greeks.theta]).all()


def test_an_enormous_volatility_is_worth_the_upper_bound() -> None:
    assert black76_price(100.0, 120.0, 1.0, 1e6, 0.5, True) == pytest.approx(50.0, rel=1e-13)
    assert black76_price(100.0, 120.0, 1.0, 1e6, 0.5, False) == pytest.approx(60.0, rel=1e-13)


def test_a_negative_or_missing_argument_has_no_price() -> None:
    good = (100.0, 100.0, 0.1, 0.2, 1.0)
    for i in range(5):
        for bad in (math.nan, -0.1):
            f, k, t, sigma, discount = (bad if i == j else value for j, value in enumerate(good))
            if bad < 0 and i == 4:
                continue  # a negative discount factor is arithmetic, not a missing argument
            assert math.isnan(black76_price(f, k, t, sigma, discount, True))
            assert math.isnan(black76_greeks(f, k, t, sigma, discount, True).theta)


# --------------------------------------------------------------------------------------------- faults

FAULTS = [
    # price, forward, strike, t_years, discount, is_call, fault
    (math.nan, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.NOT_FINITE),
    (math.inf, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.NOT_FINITE),
    (1.0, math.inf, 110.0, 0.1, 1.0, True, VolatilityFault.NOT_FINITE),
    (1.0, 100.0, math.inf, 0.1, 1.0, True, VolatilityFault.NOT_FINITE),
    (1.0, 100.0, 110.0, math.inf, 1.0, True, VolatilityFault.NOT_FINITE),
    (1.0, 100.0, 110.0, 0.1, math.inf, True, VolatilityFault.NOT_FINITE),
    (1.0, 100.0, 110.0, 0.1, math.nan, True, VolatilityFault.NOT_FINITE),
    (1.0, 0.0, 110.0, 0.1, 1.0, True, VolatilityFault.NON_POSITIVE_INPUT),
    (1.0, 100.0, -110.0, 0.1, 1.0, True, VolatilityFault.NON_POSITIVE_INPUT),
    (1.0, -100.0, -110.0, 0.1, 1.0, True, VolatilityFault.NON_POSITIVE_INPUT),
    (-1.0, 100.0, 110.0, 0.1, -1.0, True, VolatilityFault.NON_POSITIVE_INPUT),
    (-150.0, 100.0, 110.0, 0.1, -1.0, True, VolatilityFault.NON_POSITIVE_INPUT),
    (1.0, 100.0, 110.0, 0.0, 1.0, True, VolatilityFault.EXPIRED),
    (1.0, 100.0, 110.0, -0.1, 1.0, True, VolatilityFault.EXPIRED),
    (0.0, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.NON_POSITIVE_PRICE),
    (-0.05, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.NON_POSITIVE_PRICE),
    (9.0, 100.0, 110.0, 0.1, 1.0, False, VolatilityFault.BELOW_INTRINSIC),
    (10.0, 100.0, 110.0, 0.1, 1.0, False, VolatilityFault.BELOW_INTRINSIC),
    (19.0, 100.0, 80.0, 0.1, 0.99, True, VolatilityFault.BELOW_INTRINSIC),
    (100.0, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.ABOVE_UPPER_BOUND),
    (99.5, 100.0, 110.0, 0.1, 0.99, True, VolatilityFault.ABOVE_UPPER_BOUND),
    (110.0, 100.0, 110.0, 0.1, 1.0, False, VolatilityFault.ABOVE_UPPER_BOUND),
    (20.0 + 1e-13, 100.0, 80.0, 0.1, 1.0, True, VolatilityFault.UNRESOLVED),
    (100.0 - 1e-9, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.UNRESOLVED),
    (1e-300, 100.0, 110.0, 0.1, 1.0, True, VolatilityFault.UNRESOLVED),
    (1e-20, 100.0, 100.0, 0.1, 1.0, True, VolatilityFault.UNRESOLVED),  # at the money: both terms of it equal
    (1e-10, 6000.0, 6000.0, 0.1, 1.0, True, VolatilityFault.UNRESOLVED),
    (1e-289, 1e160, 1e140, 0.1, 1.0, False, VolatilityFault.UNRESOLVED),  # the price in its unit is zero
    (6.8e-166, 1e165, 1e-165, 1.0, 1.0, False, VolatilityFault.UNRESOLVED),  # a deviation of 39
]


@pytest.mark.parametrize("case", FAULTS)
def test_an_impossible_input_gives_nan_and_its_reason(case: tuple[Any, ...]) -> None:
    price, forward, strike, t, discount, is_call, fault = case
    for guess in (None, 0.2):
        found = implied_volatility(price, forward, strike, t, discount, is_call, guess)
        assert math.isnan(found.sigma)
        assert VolatilityFault(int(found.reason)) is fault


def test_impossible_elements_do_not_disturb_their_neighbours() -> None:
    good = (float(black76_price(100.0, 110.0, 0.1, 0.3, 1.0, True)), 100.0, 110.0, 0.1, 1.0, True)
    rows = [good, *(case[:6] for case in FAULTS[:7]), good, *(case[:6] for case in FAULTS[7:]), good]
    price, forward, strike, t, discount, is_call = (np.array(column) for column in zip(*rows, strict=True))
    found = implied_volatility(price, forward, strike, t, discount, is_call)
    solved = np.flatnonzero(found.reason == VolatilityFault.NONE).tolist()
    assert solved == [0, 8, len(FAULTS) + 2]
    np.testing.assert_allclose(found.sigma[solved], 0.3, rtol=1e-13)
    assert np.isnan(np.delete(found.sigma, solved)).all()


@given(
    price=st.floats(-10.0, 150.0),
    strike=st.floats(50.0, 200.0),
    t=st.floats(-0.1, 2.0),
    is_call=st.booleans(),
    guess=st.none() | st.floats(),
)
def test_every_result_reprices_or_says_why_not(
    price: float, strike: float, t: float, is_call: bool, guess: float | None
) -> None:
    found = implied_volatility(price, 100.0, strike, t, 0.97, is_call, guess)
    if found.reason == VolatilityFault.NONE:
        again = black76_price(100.0, strike, t, found.sigma, 0.97, is_call)
        assert float(again) == pytest.approx(price, rel=1e-9)
    else:
        assert math.isnan(found.sigma)


@given(seed=st.integers(0, 2**32), guess=st.lists(st.floats(), min_size=1, max_size=40))
def test_no_guess_can_change_a_result(seed: int, guess: list[float]) -> None:
    for regime in REGIMES.values():
        strike, t, sigma = regime(generator(seed), len(guess))
        price = black76_price(6030.0, strike, t, sigma, D, strike > 6030.0)
        arguments = price, 6030.0, strike, t, D, strike > 6030.0
        cold, warm = implied_volatility(*arguments), implied_volatility(*arguments, np.array(guess))
        np.testing.assert_array_equal(cold.reason, warm.reason)
        np.testing.assert_allclose(warm.sigma, cold.sigma, rtol=1e-10)


# --------------------------------------------------------------------------------------------- shapes


def test_every_argument_broadcasts_against_every_other() -> None:
    for n in (3, 5000):  # below and above the size that is worked on in one piece
        whole: list[Any] = [20.0, 6000.0, 6100.0, 0.1, 0.99, True, 0.2]
        expected = float(implied_volatility(*whole).sigma)
        for i, value in enumerate(whole):
            arguments = list(whole)
            arguments[i] = np.full((2, n), value)
            found = implied_volatility(*arguments)
            assert found.sigma.shape == found.reason.shape == (2, n)
            np.testing.assert_allclose(found.sigma, expected, rtol=1e-13)
        outer = implied_volatility(20.0, np.full((2, 1), 6000.0), np.full(n, 6100.0), 0.1, 0.99, True)
        assert outer.sigma.shape == (2, n)
        price = black76_price(np.full((2, 1), 6000.0), np.full(n, 6100.0), 0.1, 0.2, 0.99, True)
        greeks = black76_greeks(np.full((2, 1), 6000.0), np.full(n, 6100.0), 0.1, 0.2, 0.99, True)
        assert price.shape == greeks.delta.shape == greeks.theta.shape == (2, n)


def test_scalars_give_scalars_lists_are_accepted_and_nothing_gives_nothing() -> None:
    assert implied_volatility(1.0, 100.0, 100.0, 0.1, 1.0, True).sigma.shape == ()
    assert black76_price(100, [90, 110], 0.1, 0.2, 1, [False, True]).shape == (2,)
    assert implied_volatility([], 100.0, [], 0.1, 1.0, True).sigma.shape == (0,)


def test_working_in_pieces_changes_no_bit() -> None:
    strike, t, sigma = market_like(generator(9), 5000)
    is_call = strike > 6030.0
    price = black76_price(6030.0, strike, t, sigma, D, is_call)
    sigmas = implied_volatility(price, 6030.0, strike, t, D, is_call).sigma
    gammas = black76_greeks(6030.0, strike, t, sigma, D, is_call).gamma
    for part in (slice(0, 1000), slice(2000, 2100), slice(4990, 5000)):
        a = strike[part], t[part]
        np.testing.assert_allclose(
            implied_volatility(price[part], 6030.0, *a, D, is_call[part]).sigma, sigmas[part], rtol=1e-14
        )
        again = black76_greeks(6030.0, *a, sigma[part], D, is_call[part]).gamma
        np.testing.assert_allclose(again, gammas[part], rtol=1e-14)


def test_the_arguments_are_left_as_they_were() -> None:
    strike = np.array([5900.0, 6100.0])
    guess = np.array([0.2, np.nan])
    price = black76_price(6030.0, strike, T, 0.2, D, strike > 6030.0)
    before = price.copy(), strike.copy(), guess.copy()
    implied_volatility(price, 6030.0, strike, T, D, strike > 6030.0, guess)
    for now, then in zip((price, strike, guess), before, strict=True):
        np.testing.assert_array_equal(now, then)


@given(st.lists(st.tuples(st.floats(500, 5000), st.floats(0, 2), st.booleans()), min_size=1, max_size=40))
def test_the_forward_delta_alone_is_that_of_the_greeks(options: list[tuple[float, float, bool]]) -> None:
    strikes, sigma = np.array([one[0] for one in options]), np.array([one[1] for one in options])
    calls = np.array([one[2] for one in options])
    whole = black76_greeks(2900.0, strikes, 0.12, sigma, 0.99, calls).delta_forward
    assert black76_delta_forward(2900.0, strikes, 0.12, sigma, calls).tobytes() == whole.tobytes()
