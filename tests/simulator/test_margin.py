"""Margin of groups of positions, against the rules worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.margin import Exposure, requirement, worst_settlement_usd
from tests.simulator.hand_market import (
    CALL_WING,
    CONTRACTS,
    FAR_PUT,
    NAKED_CALL,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    VIX_CALL_20,
    VIX_CALL_25,
    VNQ,
    VX,
)


def held(con_id: int, quantity: int, price: float, underlying: float = 4950.0) -> Exposure:
    contract = CONTRACTS[con_id]
    return Exposure(contract, quantity, quantity * price * contract.multiplier, price, underlying)


def condor(quantity: int, put: float = 20.0, call: float = 11.0) -> list[Exposure]:
    return [
        held(PUT_WING, quantity, 14.0),
        held(SHORT_PUT, -quantity, put),
        held(SHORT_CALL, -quantity, call),
        held(CALL_WING, quantity, 5.0),
    ]


def test_a_condor_needs_the_width_of_one_side_only() -> None:
    margin = requirement(condor(1))
    assert margin.initial_usd == 5000.0
    assert margin.maintenance_usd == 5000.0


def test_a_condor_with_unequal_wings_needs_the_wider_side() -> None:
    legs = [held(FAR_PUT, 1, 8.0), *condor(1)[1:]]
    assert requirement(legs).initial_usd == 15_000.0


def test_a_spread_sold_for_almost_nothing_needs_102_percent_of_its_loss() -> None:
    assert requirement(condor(1, put=14.2, call=5.2)).initial_usd == pytest.approx(1.02 * (5000 - 40))


def test_a_short_vertical_needs_its_width() -> None:
    assert requirement([held(PUT_WING, 2, 14.0), held(SHORT_PUT, -2, 20.0)]).initial_usd == 10_000.0


def test_a_paid_spread_and_long_options_need_nothing() -> None:
    assert requirement([held(NAKED_CALL, 1, 20.0), held(SHORT_CALL, -1, 11.0)]).initial_usd == 0.0
    assert requirement([held(PUT_WING, 10, 14.0), held(VIX_CALL_20, 50, 1.0)]).initial_usd == 0.0


def test_a_vix_spread_needs_at_least_150_dollars() -> None:
    paid = [held(VIX_CALL_20, 2, 1.0, 14.0), held(VIX_CALL_25, -2, 0.5, 14.0)]
    sold = [held(VIX_CALL_20, -2, 1.0, 14.0), held(VIX_CALL_25, 2, 0.5, 14.0)]
    assert requirement(paid).initial_usd == 300.0
    assert requirement(sold).initial_usd == 1000.0


def test_a_naked_short_call_needs_its_value_and_15_percent_of_the_index_less_the_distance() -> None:
    assert requirement([held(NAKED_CALL, -1, 20.0)]).initial_usd == pytest.approx(100 * (20 + 742.5 - 150))


def test_a_naked_short_far_put_needs_at_least_10_percent_of_the_strike() -> None:
    far_down = held(FAR_PUT, -1, 8.0, underlying=6000.0)
    assert requirement([far_down]).initial_usd == pytest.approx(100 * (8 + 460))


def test_one_of_two_short_calls_uncovered_is_charged_as_naked() -> None:
    covered = requirement([held(SHORT_CALL, -1, 11.0), held(CALL_WING, 1, 5.0)]).initial_usd
    ratio = requirement([held(SHORT_CALL, -2, 11.0), held(CALL_WING, 1, 5.0)]).initial_usd
    assert ratio > covered + 50_000


def test_expiries_of_different_classes_do_not_cover_each_other() -> None:
    morning = replace(CONTRACTS[CALL_WING], trading_class="SPX", con_id=99)
    moved = Exposure(morning, 1, 500.0, 5.0)
    assert requirement([held(SHORT_CALL, -1, 11.0), moved]).initial_usd > 50_000


def test_vx_futures_need_a_share_of_their_price_and_a_spread_only_its_larger_side() -> None:
    outright = requirement([held(VX, 2, 20.0)])
    assert outright.initial_usd == pytest.approx(2 * 1000 * 7.0)
    assert outright.maintenance_usd == pytest.approx(0.8 * 14_000)
    assert requirement([held(VX, 2, 20.0), held(VX, -2, 21.0)]).initial_usd == pytest.approx(14_700)


def test_a_stock_needs_half_its_price() -> None:
    margin = requirement([held(VNQ, 100, 90.0)])
    assert (margin.initial_usd, margin.maintenance_usd) == (4500.0, 2250.0)


@given(st.lists(st.integers(-5, 5), min_size=6, max_size=6), st.floats(1000.0, 9000.0), st.integers(1, 4))
def test_the_requirement_of_a_covered_group_is_never_below_what_it_can_owe(
    quantities: list[int], settlement: float, scale: int
) -> None:
    ids = (FAR_PUT, PUT_WING, SHORT_PUT, NAKED_CALL, SHORT_CALL, CALL_WING)
    group = [held(con_id, scale * n, 10.0) for con_id, n in zip(ids, quantities, strict=True) if n]
    puts, calls = sum(quantities[:3]), sum(quantities[3:])
    if not group or puts < 0 or calls < 0:
        return
    owed = -sum(h.quantity * 100 * h.contract.payoff(settlement) for h in group)
    assert owed <= -worst_settlement_usd(group) + 1e-6
    assert requirement(group).initial_usd >= owed - 0.01
