"""The volatility surface and the quotes around it: no arbitrage, parity, realistic condors."""

from datetime import date, datetime
from math import exp, log, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Right
from market.pricing import black76_greeks, black76_price
from market.sessions import MARKET_TZ, t_years
from simulator.instruments import future, option
from simulator.model import Tick
from simulator.stochastic import StochasticMarket
from simulator.surface import (
    VIX_TENOR_YEARS,
    VolatilityLevel,
    half_spreads,
    quote_cents,
    smile_shape,
    spx_volatility,
    stress_of,
    vix_option_atm_volatility,
    vix_option_smile,
)

FloatArray = npt.NDArray[np.float64]

VIX = st.floats(9.0, 85.0)
FAR_VIX = st.floats(12.0, 40.0)
YEARS = st.floats(1.0 / 365.0, 1.0)


def spx_sigma(level: VolatilityLevel, log_moneyness: FloatArray, years: float) -> FloatArray:
    atm = level.atm_volatility(years)
    sigma: FloatArray = atm * np.sqrt(level.shape.variance_ratio(log_moneyness / (atm * sqrt(years))))
    return sigma


@settings(max_examples=60)
@given(vix=VIX, far_vix=FAR_VIX)
def test_a_strip_of_30_day_options_replicates_vix(vix: float, far_vix: float) -> None:
    level = spx_volatility(vix, far_vix)
    width = 15.0 * vix / 100.0 * sqrt(VIX_TENOR_YEARS)
    k = np.linspace(-width, width, 6001)
    strike = np.exp(k)
    price = black76_price(1.0, strike, VIX_TENOR_YEARS, spx_sigma(level, k, VIX_TENOR_YEARS), 1.0, k > 0.0)
    # Demeterfi et al. (1999): fair variance is 2/T times the integral of out-of-the-money prices over K^2.
    density = price / strike
    variance = 2.0 / VIX_TENOR_YEARS * float(np.sum((density[1:] + density[:-1]) * np.diff(k)) / 2.0)
    assert 100.0 * sqrt(variance) == pytest.approx(vix, rel=0.01)


@settings(max_examples=60)
@given(vix=VIX, far_vix=FAR_VIX, years=YEARS)
def test_no_butterfly_on_the_index_costs_less_than_nothing(vix: float, far_vix: float, years: float) -> None:
    level = spx_volatility(vix, far_vix)
    strike = np.linspace(0.4, 1.7, 521)
    call = black76_price(1.0, strike, years, spx_sigma(level, np.log(strike), years), 1.0, True)
    assert np.all(np.diff(call) <= 1e-12)
    assert np.all(np.diff(call) >= -np.diff(strike) - 1e-12)
    assert np.all(np.diff(call, 2) >= -1e-11)


@settings(max_examples=60)
@given(vix=VIX, far_vix=FAR_VIX, years=YEARS, longer=st.floats(1.0 / 365.0, 0.5))
def test_no_calendar_on_the_index_costs_less_than_nothing(
    vix: float, far_vix: float, years: float, longer: float
) -> None:
    level = spx_volatility(vix, far_vix)
    k = np.linspace(-0.5, 0.3, 161)
    near = spx_sigma(level, k, years) ** 2 * years
    far = spx_sigma(level, k, years + longer) ** 2 * (years + longer)
    assert np.all(far >= near - 1e-12)


@settings(max_examples=60)
@given(forward=st.floats(11.0, 70.0), vvix=st.floats(65.0, 190.0), years=st.floats(2.0 / 365.0, 0.75))
def test_no_butterfly_on_vix_costs_less_than_its_spreads(forward: float, vvix: float, years: float) -> None:
    strike = np.array([*np.arange(10.0, 15.0, 0.5), *np.arange(15.0, 50.0), *np.arange(50.0, 201.0, 5.0)])
    sigma = vix_option_atm_volatility(vvix, years) * vix_option_smile(np.log(strike / forward))
    call = black76_price(forward, strike, years, sigma, 1.0, True)
    greeks = black76_greeks(forward, strike, years, sigma, 1.0, True)
    flags = np.ones(len(strike), dtype=np.bool_)
    half = half_spreads(call, greeks.delta, greeks.vega, np.full_like(strike, forward), flags, 0.0)
    bid, ask = quote_cents(call, half, flags)
    # Buy the wings, sell the middle of three neighbours, weighted for unequal distances.
    weight = np.diff(strike)[1:] / (strike[2:] - strike[:-2])
    cost = weight * ask[:-2] + (1.0 - weight) * ask[2:] - bid[1:-1]
    assert np.all(cost >= 0.0)
    assert np.all(bid[:-1] - ask[1:] <= 100.0 * np.diff(strike))
    assert np.all(ask[:-1] >= bid[1:])


def test_the_skew_is_steeper_under_stress_and_the_level_falls_back_over_time() -> None:
    calm, crisis = spx_volatility(14.0, 19.0), spx_volatility(55.0, 28.0)
    assert crisis.shape.rho * crisis.shape.eta < calm.shape.rho * calm.shape.eta
    assert calm.atm_volatility(0.5) > calm.atm_volatility(0.05)
    assert crisis.atm_volatility(0.5) < crisis.atm_volatility(0.05)
    assert smile_shape(0.35, 0.1).variance_swap == pytest.approx(
        (smile_shape(0.3, 0.1).variance_swap + smile_shape(0.4, 0.1).variance_swap) / 2.0, rel=1e-3
    )


def test_distant_variance_is_that_of_the_far_end_of_the_vx_curve() -> None:
    level = spx_volatility(16.0, 21.0)
    assert level.far == pytest.approx((0.95 * 0.21) ** 2)
    assert level.atm_volatility(5.0) == pytest.approx(0.95 * 0.21 / sqrt(level.shape.variance_swap), rel=0.02)


def test_vix_option_volatility_follows_vvix_and_fades_with_time() -> None:
    assert vix_option_atm_volatility(100.0, VIX_TENOR_YEARS) == pytest.approx(0.88)
    decay = sqrt((1 - exp(-12 * 0.5)) / 6.0) / sqrt((1 - exp(-12 * VIX_TENOR_YEARS)) / (12 * VIX_TENOR_YEARS))
    assert vix_option_atm_volatility(100.0, 0.5) == pytest.approx(0.88 * decay)
    smile = vix_option_smile(np.log(np.array([0.2, 1.0, 1.5, 20.0])))
    assert smile.tolist() == pytest.approx([0.7, 1.0, 1.0 + 0.35 * log(1.5), 1.8])


@settings(max_examples=150)
@given(price=st.floats(0.0, 400.0), half=st.floats(0.0, 3.0), is_vix=st.booleans())
def test_quotes_enclose_the_model_price_on_the_steps_of_the_exchange(
    price: float, half: float, is_vix: bool
) -> None:
    bid, ask = (int(side[0]) for side in quote_cents(np.array([price]), np.array([half]), np.array([is_vix])))
    assert bid / 100.0 <= price + 1e-6
    assert ask / 100.0 >= price - 1e-6
    assert ask > bid >= 0
    low, high = (1, 5) if is_vix else (5, 10)
    assert bid % (low if bid < 300 else high) == 0
    assert ask % (low if ask <= 300 else high) == 0


def test_nobody_bids_for_what_is_worth_less_than_half_a_step() -> None:
    price = np.array([0.02, 0.024, 0.004, 0.2])
    bid, ask = quote_cents(price, np.zeros(4), np.array([False, False, True, False]))
    assert bid.tolist() == [0, 0, 0, 20]
    assert ask.tolist() == [5, 5, 1, 25]


def test_spreads_are_four_times_as_wide_in_a_crisis() -> None:
    arguments = (
        np.array([20.0]),
        np.array([-0.16]),
        np.array([250.0]),
        np.array([3000.0]),
        np.array([False]),
    )
    assert half_spreads(*arguments, stress_of(60.0))[0] == pytest.approx(
        4.0 * half_spreads(*arguments, 0.0)[0]
    )


# ---------------------------------------------------------------- through the market


@pytest.fixture(scope="module")
def market() -> StochasticMarket:
    """A calm market whose VIX lies between 15 and 20, with the index near 3000."""
    noon = datetime(2026, 3, 4, 12, 0, tzinfo=MARKET_TZ)
    for seed in range(1, 60):
        market = StochasticMarket(seed, noon, 60.0)
        vix = market.ticks([13455763])[0].last
        if vix is not None and 15.5 < vix < 19.5:
            return market
    raise AssertionError("no seed of sixty has a VIX between 15.5 and 19.5")


def quotes(
    market: StochasticMarket, name: str, expiry: date, strikes: list[float], right: Right
) -> list[Tick]:
    return list(market.ticks([option(name, expiry, strike, right).con_id for strike in strikes]))


def mid(tick: Tick) -> float:
    assert tick.bid is not None
    assert tick.ask is not None
    return (tick.bid + tick.ask) / 2.0


def test_mids_of_the_index_imply_the_model_forward_at_every_expiry(market: StochasticMarket) -> None:
    spot = market.ticks([416904])[0].last
    assert spot is not None
    strikes = [5.0 * n for n in range(int(spot * 0.97 / 5), int(spot * 1.03 / 5))]
    for expiry in (date(2026, 3, 20), date(2026, 4, 17), date(2026, 6, 18)):
        calls, puts = (quotes(market, "SPXW", expiry, strikes, right) for right in (Right.CALL, Right.PUT))
        gap = np.array([mid(call) - mid(put) for call, put in zip(calls, puts, strict=True)])
        slope, intercept = np.polyfit(np.array(strikes), gap, 1)
        years = t_years(market.now, "SPXW", expiry)
        forward = spot * exp((market._rate - 0.015) * years)
        assert -intercept / slope == pytest.approx(forward, abs=0.25)
        assert -slope == pytest.approx(exp(-market._rate * years), abs=0.002)


def test_parity_of_vix_options_gives_the_matching_future(market: StochasticMarket) -> None:
    for expiry in market._listing.vx[1:6]:
        value = mid(market.ticks([future(expiry).con_id])[0])
        strikes = [float(round(value) + n) for n in range(-3, 4)]
        calls, puts = (quotes(market, "VIX", expiry, strikes, right) for right in (Right.CALL, Right.PUT))
        years = t_years(market.now, "VIX", expiry)
        implied = [
            strike + (mid(call) - mid(put)) * exp(market._rate * years)
            for strike, call, put in zip(strikes, calls, puts, strict=True)
        ]
        assert float(np.median(implied)) == pytest.approx(value, abs=0.06)


def test_no_static_arbitrage_can_be_locked_in_against_the_quotes(market: StochasticMarket) -> None:
    for name, expiry in (("SPXW", date(2026, 4, 17)), ("VIX", market._listing.vx[2])):
        chain = next(
            c for c in market.chains(13455763 if name == "VIX" else 416904) if c.trading_class == name
        )
        strikes = np.array(chain.strikes)
        for right in Right:
            ticks = quotes(market, name, expiry, list(chain.strikes), right)
            bid = np.array([tick.bid or 0.0 for tick in ticks])
            ask = np.array([tick.ask for tick in ticks], dtype=np.float64)
            steps = np.diff(strikes)
            upward = 1.0 if right is Right.CALL else -1.0
            cheap, dear = (ask[:-1], bid[1:]) if upward > 0 else (ask[1:], bid[:-1])
            assert np.all(cheap >= dear - 1e-9)
            wide = bid[:-1] - ask[1:] if upward > 0 else bid[1:] - ask[:-1]
            assert np.all(wide <= steps + 1e-9)
            share = steps[1:] / (strikes[2:] - strikes[:-2])
            assert np.all(share * ask[:-2] + (1.0 - share) * ask[2:] - bid[1:-1] >= -1e-9)


def test_a_45_day_condor_of_16_delta_collects_a_desk_like_credit_at_a_desk_like_spread(
    market: StochasticMarket,
) -> None:
    expiry, width = date(2026, 4, 17), 50.0
    strikes = [5.0 * n for n in range(480, 680)]
    puts, calls = (quotes(market, "SPXW", expiry, strikes, right) for right in (Right.PUT, Right.CALL))
    short_put = min(range(len(strikes)), key=lambda n: abs((puts[n].delta or 0.0) + 0.16))
    short_call = min(range(len(strikes)), key=lambda n: abs((calls[n].delta or 0.0) - 0.16))
    away = int(width / 5.0)
    shorts = [puts[short_put], calls[short_call]]
    longs = [puts[short_put - away], calls[short_call + away]]
    credit = sum(map(mid, shorts)) - sum(map(mid, longs))
    spread = sum((tick.ask or 0.0) - (tick.bid or 0.0) for tick in shorts + longs)
    assert 0.15 * width <= credit <= 0.40 * width
    assert 0.6 <= spread <= 1.5


def test_far_wings_have_no_bid_and_a_size_of_zero(market: StochasticMarket) -> None:
    tick = quotes(market, "SPXW", date(2026, 3, 6), [1600.0], Right.PUT)[0]
    assert (tick.bid, tick.bid_size) == (None, 0)
    assert tick.ask == 0.05
    assert tick.ask_size > 0


def test_greeks_come_per_point_per_percent_and_per_day(market: StochasticMarket) -> None:
    expiry = date(2026, 4, 17)
    tick = quotes(market, "SPXW", expiry, [3000.0], Right.PUT)[0]
    years, rate = t_years(market.now, "SPXW", expiry), market._rate
    assert tick.underlying is not None
    assert tick.implied_volatility is not None
    forward = tick.underlying * exp((rate - 0.015) * years)
    arguments = (forward, 3000.0, years, tick.implied_volatility, exp(-rate * years), False)
    greeks = black76_greeks(*arguments)
    assert tick.model_price == pytest.approx(float(black76_price(*arguments)), abs=0.01)
    assert tick.delta == pytest.approx(float(greeks.delta), abs=1e-5)
    assert tick.vega == pytest.approx(float(greeks.vega) / 100.0, abs=1e-3)
    assert tick.theta == pytest.approx(float(greeks.theta) / 365.0, abs=1e-3)
