"""Put-call parity: forward, discount, bounds, leg cleaning and static arbitrage of METHOD 4.4."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.parity import (
    ArbitrageKind,
    ArbitrageViolation,
    ParityFault,
    ParityForward,
    Row,
    arbitrage_among,
    clean_pair,
    dealable_bounds,
    regression,
    widest_box,
)
from market.pricing import black76_price

FloatArray = npt.NDArray[np.float64]
T = 45 / 365


class Sides(NamedTuple):
    """The quotes of one expiry, side by side."""

    strikes: FloatArray
    call_bid: FloatArray
    call_ask: FloatArray
    put_bid: FloatArray
    put_ask: FloatArray


class Cleaned(NamedTuple):
    """What cleaning makes of each strike, as columns."""

    call_mid: FloatArray
    put_mid: FloatArray
    call_repriced: npt.NDArray[np.bool_]
    put_repriced: npt.NDArray[np.bool_]


def rows(
    strikes: FloatArray, call_bid: FloatArray, call_ask: FloatArray, put_bid: FloatArray, put_ask: FloatArray
) -> list[Row]:
    """The columns as the rows the functions take."""
    columns = (strikes, call_bid, call_ask, put_bid, put_ask)
    return list(zip(*map(np.ndarray.tolist, columns), strict=True))


def broken(
    strikes: FloatArray, calls: FloatArray, discount: float, tolerance: float = 0.0
) -> tuple[ArbitrageViolation, ...]:
    """Static arbitrage among calls given as columns."""
    return arbitrage_among(zip(strikes.tolist(), calls.tolist(), strict=True), discount, tolerance)


def cleaned(quotes: list[Row], forward: float, discount: float) -> Cleaned:
    """Every strike cleaned by itself."""
    return Cleaned(*map(np.array, zip(*(clean_pair(row, forward, discount) for row in quotes), strict=True)))


def consistent_chain(
    forward: float, discount: float, t: float, strikes: FloatArray, half_spread: float, sigma: float = 0.2
) -> Sides:
    call = black76_price(forward, strikes, t, sigma, discount, True)
    put = black76_price(forward, strikes, t, sigma, discount, False)
    return Sides(strikes, call - half_spread, call + half_spread, put - half_spread, put + half_spread)


def worked_case(half_spread: float = 0.8) -> Sides:
    """S 6000, r 4.5 %, q 1.3 %, 45 days."""
    strikes = np.arange(5500.0, 6525.0, 25.0)
    return consistent_chain(
        6000 * math.exp((0.045 - 0.013) * T), math.exp(-0.045 * T), T, strikes, half_spread
    )


def test_the_worked_case_gives_its_forward_discount_rate_and_dividend_yield() -> None:
    result = regression(rows(*worked_case()), spot=6000.0, t_years=T, tick=0.05)
    assert isinstance(result, ParityForward)
    assert round(result.forward, 3) == 6023.718
    assert round(result.discount, 6) == 0.994467
    assert round(result.rate_box, 6) == 0.045
    assert round(result.dividend_yield, 6) == 0.013
    assert result.residual_mad == 0.0
    assert result.strikes_used == 39  # 5525 to 6475: the strikes within 8 % of spot


def test_the_worked_case_bounds_its_forward_by_the_narrowest_synthetic() -> None:
    bounds = dealable_bounds(rows(*worked_case()), discount=0.994467)
    assert bounds.lo is not None
    assert bounds.hi is not None
    assert (round(bounds.lo, 2), round(bounds.hi, 2)) == (6022.11, 6025.33)
    assert not bounds.crossed


def test_the_worked_case_agrees_with_the_golden_file() -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "golden.json"
    if not path.exists():
        pytest.skip("the golden file is kept beside the project and is not here")
    golden = json.loads(path.read_text(encoding="utf-8"))["parity"]
    result = regression(rows(*worked_case()), spot=6000.0, t_years=T, tick=0.05)
    assert isinstance(result, ParityForward)
    assert round(result.forward, 3) == golden["F_hat"]
    assert round(result.discount, 6) == golden["DF"]
    assert round(result.rate_box, 3) == golden["r_box"]
    assert round(result.dividend_yield, 3) == golden["q"]


@given(
    spot=st.floats(50.0, 20_000.0),
    rate=st.floats(-0.01, 0.12),
    carry=st.floats(-0.02, 0.05),
    days=st.integers(1, 400),
    half_spread=st.floats(0.0, 0.002),
    count=st.integers(8, 60),
)
def test_a_consistent_chain_gives_back_its_forward_and_discount(
    spot: float, rate: float, carry: float, days: int, half_spread: float, count: int
) -> None:
    t = days / 365
    forward, discount = spot * math.exp(carry * t), math.exp(-rate * t)
    chain = consistent_chain(
        forward, discount, t, spot * np.linspace(0.93, 1.07, count), half_spread * spot, sigma=0.6
    )
    # A quote that would not be positive is no quote.
    chain = chain._replace(
        call_bid=np.where(chain.call_bid > 0, chain.call_bid, np.nan),
        put_bid=np.where(chain.put_bid > 0, chain.put_bid, np.nan),
    )
    result = regression(rows(*chain), spot=spot, t_years=t, tick=0.05)
    if result is ParityFault.TOO_FEW_STRIKES:
        assert np.isnan(chain.call_bid + chain.put_bid).sum() > count - 8
        return
    assert isinstance(result, ParityForward)
    assert result.forward == pytest.approx(forward, rel=1e-9, abs=2e-6)
    assert result.discount == pytest.approx(discount, rel=1e-8)
    bounds = dealable_bounds(rows(*chain), discount=discount)
    assert bounds.lo is not None
    assert bounds.hi is not None
    assert bounds.lo <= forward + 2e-6
    assert bounds.hi >= forward - 2e-6
    assert bounds.hi - bounds.lo == pytest.approx(4 * half_spread * spot / discount, abs=5e-6)


def test_a_wide_quote_weighs_less_than_a_narrow_one() -> None:
    chain = worked_case(0.1)
    wrong = chain.call_bid.copy(), chain.call_ask.copy()
    wrong[0][20] += 4.0 - 5.0
    wrong[1][20] += 4.0 + 5.0  # mid 4 points too high, but 10 points wide
    wide = regression(
        rows(chain.strikes, *wrong, chain.put_bid, chain.put_ask), spot=6000, t_years=T, tick=0.05
    )
    assert isinstance(wide, ParityForward)
    assert abs(wide.forward - 6023.718126) < 1e-3


def test_seven_strikes_are_too_few_and_eight_are_enough() -> None:
    chain = worked_case()

    def only(count: int) -> ParityForward | ParityFault:
        bid = np.where(np.arange(len(chain.strikes)) - 10 < count, chain.call_bid, np.nan)
        bid[:10] = np.nan
        return regression(rows(*chain._replace(call_bid=bid)), spot=6000.0, t_years=T, tick=0.05)

    assert only(7) is ParityFault.TOO_FEW_STRIKES
    assert isinstance(only(8), ParityForward)


def test_strikes_outside_the_band_and_crossed_or_zero_quotes_do_not_count() -> None:
    chain = worked_case()
    crossed = chain._replace(call_bid=np.where(chain.strikes < 6000, chain.call_ask + 1.0, chain.call_bid))
    result = regression(rows(*crossed), spot=6000.0, t_years=T, tick=0.05)
    assert isinstance(result, ParityForward)
    assert result.strikes_used == 20
    no_bid = chain._replace(put_bid=np.where(chain.strikes < 6000, 0.0, chain.put_bid))
    result = regression(rows(*no_bid), spot=6000.0, t_years=T, tick=0.05)
    assert isinstance(result, ParityForward)
    assert result.strikes_used == 20
    far = regression(rows(*chain), spot=7000.0, t_years=T, tick=0.05)
    assert far is ParityFault.TOO_FEW_STRIKES


def test_residuals_above_one_tick_leave_the_forward_unknown() -> None:
    chain = worked_case()
    noise = np.where(np.arange(len(chain.strikes)) % 2 == 0, 1.0, -1.0)
    for size, known in ((0.04, True), (0.06, False)):
        noisy = chain._replace(call_bid=chain.call_bid + size * noise, call_ask=chain.call_ask + size * noise)
        result = regression(rows(*noisy), spot=6000.0, t_years=T, tick=0.05)
        if known:
            assert isinstance(result, ParityForward)
            assert result.residual_mad == pytest.approx(size, rel=0.05)
        else:
            assert result is ParityFault.RESIDUALS_TOO_LARGE


def test_prices_that_rise_with_the_strike_have_no_discount_factor() -> None:
    strikes = np.arange(5700.0, 6300.0, 50.0)
    call, put = np.full(12, 500.0) + 0.5 * (strikes - 6000.0), np.full(12, 500.0)
    result = regression(rows(strikes, call, call, put, put), spot=6000.0, t_years=T, tick=0.05)
    assert result is ParityFault.DISCOUNT_NOT_POSITIVE


@pytest.mark.parametrize(
    ("spot", "t_years", "tick"),
    [(math.nan, T, 0.05), (0.0, T, 0.05), (6000.0, 0.0, 0.05), (6000.0, T, -1.0), (math.inf, T, 0.05)],
)
def test_a_spot_time_or_tick_that_is_no_positive_number_is_refused(
    spot: float, t_years: float, tick: float
) -> None:
    result = regression(rows(*worked_case()), spot=spot, t_years=t_years, tick=tick)
    assert result is ParityFault.INVALID_INPUT


def test_the_widest_box_gives_the_discount_factor() -> None:
    chain = worked_case()
    assert widest_box(rows(*chain)) == pytest.approx(math.exp(-0.045 * T), abs=1e-9)
    one = chain._replace(put_ask=np.where(chain.strikes == 6000.0, chain.put_ask, np.nan))
    assert widest_box(rows(*one)) is None


def test_the_box_skips_strikes_without_four_sides() -> None:
    chain = worked_case()
    bad = chain.call_bid.copy(), chain.call_ask.copy()
    bad[0][0], bad[1][-1] = np.nan, np.nan
    assert widest_box(rows(chain.strikes, *bad, chain.put_bid, chain.put_ask)) == pytest.approx(
        math.exp(-0.045 * T), abs=1e-9
    )


def test_one_stale_quote_crosses_the_bounds() -> None:
    chain = worked_case()
    stale = chain.call_bid.copy(), chain.call_ask.copy()
    stale[0][20] += 10.0
    stale[1][20] += 10.0
    bounds = dealable_bounds(rows(chain.strikes, *stale, chain.put_bid, chain.put_ask), discount=0.994467)
    assert bounds.crossed


def test_costs_widen_both_bounds() -> None:
    free, dear = (
        dealable_bounds(rows(*worked_case()), discount=0.994467, cost=cost) for cost in (0.0, 0.0994467)
    )
    assert free.lo is not None
    assert free.hi is not None
    assert dear.lo == pytest.approx(free.lo - 0.1, abs=2e-6)
    assert dear.hi == pytest.approx(free.hi + 0.1, abs=2e-6)


def test_without_quotes_there_are_no_bounds() -> None:
    none = np.full(3, np.nan)
    bounds = dealable_bounds(rows(np.array([1.0, 2.0, 3.0]), none, none, none, none), discount=1.0)
    assert (bounds.lo, bounds.hi, bounds.crossed) == (None, None, False)


def test_a_missing_side_bounds_the_forward_from_one_side_only() -> None:
    chain = worked_case()
    bounds = dealable_bounds(
        rows(*chain._replace(put_bid=np.full_like(chain.put_bid, np.nan))), discount=0.994467
    )
    assert bounds.lo is not None
    assert bounds.hi is None


def test_clean_quotes_are_left_as_they_are() -> None:
    chain = worked_case()
    clean = cleaned(rows(*chain), forward=6023.718126, discount=0.994467)
    assert not clean.call_repriced.any()
    assert not clean.put_repriced.any()
    np.testing.assert_allclose(clean.call_mid, (chain.call_bid + chain.call_ask) / 2, atol=1e-6)


def test_the_wider_leg_is_priced_from_the_narrower_one() -> None:
    chain = worked_case(0.1)
    forward, discount = 6000 * math.exp(0.032 * T), math.exp(-0.045 * T)
    true_call = (chain.call_bid + chain.call_ask) / 2
    call_bid, call_ask = chain.call_bid.copy(), chain.call_ask.copy()
    put_bid, put_ask = chain.put_bid.copy(), chain.put_ask.copy()
    call_bid[3], call_ask[3] = call_bid[3] + 2.0, call_ask[3] + 3.0
    put_bid[30], put_ask[30] = put_bid[30] + 2.0, put_ask[30] + 3.0
    clean = cleaned(
        rows(chain.strikes, call_bid, call_ask, put_bid, put_ask), forward=forward, discount=discount
    )
    assert np.flatnonzero(clean.call_repriced).tolist() == [3]
    assert np.flatnonzero(clean.put_repriced).tolist() == [30]
    np.testing.assert_allclose(clean.call_mid, true_call, atol=1e-6)


def test_of_two_equally_wide_legs_the_one_in_the_money_is_repriced() -> None:
    chain = worked_case(0.1)
    moved = chain._replace(call_bid=chain.call_bid + 1.0, call_ask=chain.call_ask + 1.0)
    clean = cleaned(rows(*moved), forward=6023.718126, discount=0.994467)
    np.testing.assert_array_equal(clean.call_repriced, chain.strikes < 6023.718126)
    np.testing.assert_array_equal(clean.put_repriced, chain.strikes > 6023.718126)


def test_a_leg_without_a_quote_stays_without_a_price() -> None:
    chain = worked_case()
    clean = cleaned(
        rows(*chain._replace(call_bid=np.full_like(chain.call_bid, np.nan))),
        forward=6023.718,
        discount=0.994467,
    )
    assert np.isnan(clean.call_mid).all()
    assert np.isfinite(clean.put_mid).all()


def test_parity_never_gives_a_negative_price() -> None:
    one = np.array([1.0])
    clean = cleaned(rows(np.array([110.0]), 4 * one, 6 * one, one, one), forward=100.0, discount=1.0)
    assert clean.call_repriced[0]
    assert math.isnan(clean.call_mid[0])


def test_a_model_chain_has_no_static_arbitrage() -> None:
    chain = worked_case()
    assert broken(chain.strikes, (chain.call_bid + chain.call_ask) / 2, 0.994467) == ()


def test_each_broken_relation_is_named_with_its_strikes_and_size() -> None:
    strikes = np.array([90.0, 100.0, 110.0, 120.0])
    assert broken(strikes, np.array([15.0, 8.0, 8.5, 8.2]), 1.0) == (
        ArbitrageViolation(ArbitrageKind.CALL_SPREAD_NEGATIVE, (100.0, 110.0), 0.5),
        ArbitrageViolation(ArbitrageKind.NOT_CONVEX, (100.0, 110.0, 120.0), 0.4),
    )
    assert broken(strikes, np.array([30.0, 19.5, 10.0, 5.0]), 0.99) == (
        ArbitrageViolation(ArbitrageKind.CALL_SPREAD_ABOVE_WIDTH, (90.0, 100.0), 0.6),
    )


def test_a_violation_within_the_tolerance_is_no_violation_and_missing_calls_are_skipped() -> None:
    strikes = np.array([90.0, 95.0, 100.0, 110.0])
    calls = np.array([15.0, np.nan, 8.0, 8.5])
    assert len(broken(strikes, calls, 1.0, tolerance=0.4)) == 1
    assert broken(strikes, calls, 1.0, tolerance=0.5) == ()
