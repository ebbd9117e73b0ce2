"""Black-76 against independent computations: 320-digit arithmetic, QuantLib and vollib."""

import importlib.util
import math
import warnings
from typing import Any

import numpy as np
import pytest

from market.normal import normal_cdf, scaled_erfc
from market.pricing import black76_greeks, black76_price, implied_volatility
from tests.market.option_regimes import REGIMES, generator, market_like

D = math.exp(-0.045 * 45 / 365)


def oracle(name: str) -> Any:
    """An optional library to compare with; the test is skipped where it is not installed."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracles' own deprecations are not ours
        return importlib.import_module(name)


def exact_price(forward: float, strike: float, t: float, sigma: float, discount: float, is_call: bool) -> Any:
    """Black-76 with enough digits for a price of 1e-250 (mpmath)."""
    mp = oracle("mpmath")
    with mp.workdps(320):
        f, k, t, v, d = (mp.mpf(float(x)) for x in (forward, strike, t, sigma, discount))
        s = v * mp.sqrt(t)
        sign = 1 if is_call else -1
        d1 = mp.log(f / k) / s + s / 2
        return sign * d * (f * _cdf(mp, sign * d1) - k * _cdf(mp, sign * (d1 - s)))


def _cdf(mp: Any, x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


@pytest.mark.parametrize("regime", REGIMES)
def test_price_and_volatility_agree_with_arithmetic_of_320_digits(regime: str) -> None:
    forward = 18.0 if regime == "vix" else 6030.0
    strike, t, sigma = REGIMES[regime](generator(11), 60)
    discount = np.exp(-0.045 * t)
    is_call = strike > forward
    exact = [exact_price(forward, *row) for row in zip(strike, t, sigma, discount, is_call, strict=True)]
    price = np.array([float(p) for p in exact])
    assert price.min() > 1e-260
    np.testing.assert_allclose(
        black76_price(forward, strike, t, sigma, discount, is_call), price, rtol=1e-11, atol=0.0
    )
    found = implied_volatility(price, forward, strike, t, discount, is_call)
    np.testing.assert_allclose(found.sigma, sigma, rtol=1e-10, atol=0.0)


def test_prices_and_greeks_agree_with_quantlib() -> None:
    ql = oracle("QuantLib")
    strike, t, sigma = market_like(generator(2), 300)
    for is_call in (True, False):
        greeks = black76_greeks(6030.0, strike, t, sigma, D, is_call)
        price = black76_price(6030.0, strike, t, sigma, D, is_call)
        for i in range(300):
            payoff = ql.PlainVanillaPayoff(ql.Option.Call if is_call else ql.Option.Put, float(strike[i]))
            black = ql.BlackCalculator(payoff, 6030.0, float(sigma[i] * math.sqrt(t[i])), D)
            assert price[i] == pytest.approx(black.value(), rel=1e-9, abs=1e-9)
            assert greeks.delta[i] == pytest.approx(black.deltaForward(), rel=1e-9, abs=1e-12)
            assert greeks.gamma[i] == pytest.approx(black.gammaForward(), rel=1e-9, abs=1e-15)
            assert greeks.vega[i] == pytest.approx(black.vega(float(t[i])), rel=1e-9, abs=1e-9)


def test_implied_volatilities_agree_with_quantlib() -> None:
    ql = oracle("QuantLib")
    strike, t, sigma = market_like(generator(3), 400)
    # QuantLib's solver finds nothing beyond about four standard deviations.
    near = np.abs(np.log(strike / 6030.0)) < 3.0 * sigma * np.sqrt(t)
    strike, t, sigma = strike[near], t[near], sigma[near]
    is_call = strike > 6030.0
    price = black76_price(6030.0, strike, t, sigma, D, is_call)
    found = implied_volatility(price, 6030.0, strike, t, D, is_call)
    assert len(strike) > 200
    for i in range(len(strike)):
        kind = ql.Option.Call if is_call[i] else ql.Option.Put
        s = ql.blackFormulaImpliedStdDev(
            kind, float(strike[i]), 6030.0, float(price[i]), D, 0.0, float(sigma[i]), 1e-12, 1000
        )
        assert found.sigma[i] == pytest.approx(s / math.sqrt(t[i]), rel=1e-7)


def test_implied_volatilities_and_greeks_agree_with_vollib() -> None:
    oracle("vollib")
    implied = oracle("vollib.black.implied_volatility")
    analytical = oracle("vollib.black.greeks.analytical")
    rate = 0.045
    strike, t, sigma = market_like(generator(4), 100)
    is_call = strike > 6030.0
    discount = np.exp(-rate * t)
    price = black76_price(6030.0, strike, t, sigma, discount, is_call)
    found = implied_volatility(price, 6030.0, strike, t, discount, is_call)
    greeks = black76_greeks(6030.0, strike, t, sigma, discount, is_call)
    for i in range(100):
        flag = "c" if is_call[i] else "p"
        numbers = 6030.0, float(strike[i])
        iv = implied.implied_volatility(float(price[i]), *numbers, rate, float(t[i]), flag)
        assert found.sigma[i] == pytest.approx(iv, rel=1e-9)
        rest = (flag, *numbers, float(t[i]), rate, float(sigma[i]))
        assert greeks.delta[i] == pytest.approx(analytical.delta(*rest), rel=1e-8, abs=1e-12)
        assert greeks.gamma[i] == pytest.approx(analytical.gamma(*rest), rel=1e-8, abs=1e-15)
        assert greeks.vega[i] == pytest.approx(100 * analytical.vega(*rest), rel=1e-8, abs=1e-9)
        assert greeks.theta[i] == pytest.approx(365 * analytical.theta(*rest), rel=1e-8, abs=1e-7)


def test_the_normal_distribution_agrees_with_arithmetic_of_60_digits() -> None:
    mp = oracle("mpmath")
    points = np.concatenate([np.linspace(-37.0, 9.0, 400), np.geomspace(1e-300, 1.0, 50)])
    with mp.workdps(60):
        cdf = np.array([float(mp.ncdf(float(x))) for x in points])
        arguments = np.linspace(-1.5, 30.0, 300)
        scaled = np.array([float(mp.exp(mp.mpf(y) ** 2) * mp.erfc(mp.mpf(y))) for y in arguments.tolist()])
    np.testing.assert_allclose(normal_cdf(points), cdf, rtol=2e-13, atol=0.0)
    np.testing.assert_allclose(scaled_erfc(arguments), scaled, rtol=4e-15, atol=0.0)
