"""Prices are rounded to a step in the direction that was asked for, and float noise decides nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.tick import COMBO_TICK, round_down, round_up


@given(st.integers(-20_000, 20_000), st.sampled_from([0.05, 0.01]), st.floats(-2e-9, 2e-9))
def test_a_price_on_a_step_stays_there_in_both_directions(steps: int, tick: float, noise: float) -> None:
    price = steps * tick + noise
    assert round_down(price, tick) == round_up(price, tick) == pytest.approx(steps * tick, abs=1e-9)


@given(st.floats(-500, 500), st.sampled_from([0.05, 0.01]))
def test_a_price_between_lies_between_the_two_roundings(price: float, tick: float) -> None:
    low, high = round_down(price, tick), round_up(price, tick)
    assert low - 1e-6 <= price <= high + 1e-6
    assert high - low < tick + 1e-6


def test_a_credit_is_rounded_towards_more_credit_and_a_debit_towards_less() -> None:
    assert round_down(-1.234, 0.05) == -1.25
    assert round_down(1.234, 0.05) == 1.2
    assert round_up(1.234, 0.05) == 1.25


def test_vix_combos_trade_in_cents_and_index_combos_in_nickels() -> None:
    assert (COMBO_TICK["VIX"], COMBO_TICK["SPXW"]) == (0.01, 0.05)
