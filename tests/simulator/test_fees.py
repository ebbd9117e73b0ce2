"""Commission and fees, against sums made by hand from the published rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fees import execution_fee, minimum_top_up, order_minimum_usd
from tests.simulator.hand_market import CONTRACTS, SHORT_PUT, SPX, VIX_CALL_20, VNQ, VX


def test_an_spxw_option_of_two_dollars_costs_commission_exchange_clearing_and_regulatory_fee() -> None:
    fee = execution_fee(CONTRACTS[SHORT_PUT], 1, 2.0, in_combo=False)
    assert fee.broker_usd == 0.65
    assert fee.passed_through_usd == pytest.approx(0.58 + 0.0388 + 0.055)
    assert fee.total_usd == pytest.approx(1.3238)


@pytest.mark.parametrize(("premium", "commission"), [(0.04, 0.25), (0.05, 0.50), (0.09, 0.50), (0.10, 0.65)])
def test_the_commission_falls_for_cheap_options(premium: float, commission: float) -> None:
    assert execution_fee(CONTRACTS[VIX_CALL_20], 1, premium, in_combo=False).broker_usd == commission


@pytest.mark.parametrize(
    ("premium", "alone", "in_combo"),
    [(0.10, 0.10, 0.05), (0.50, 0.25, 0.17), (1.5, 0.45, 0.35), (2, 0.5, 0.5)],
)
def test_vix_options_pay_less_to_the_exchange_inside_a_combo(
    premium: float, alone: float, in_combo: float
) -> None:
    other = 0.0388 + 0.055
    vix = CONTRACTS[VIX_CALL_20]
    assert execution_fee(vix, 1, premium, in_combo=False).passed_through_usd == pytest.approx(alone + other)
    assert execution_fee(vix, 1, premium, in_combo=True).passed_through_usd == pytest.approx(in_combo + other)


def test_the_clearing_fee_of_one_trade_is_capped() -> None:
    thousand = execution_fee(CONTRACTS[SHORT_PUT], 1000, 2.0, in_combo=False).passed_through_usd
    five_thousand = execution_fee(CONTRACTS[SHORT_PUT], 5000, 2.0, in_combo=False).passed_through_usd
    assert five_thousand - thousand == pytest.approx(4000 * (0.58 + 0.0388))


def test_a_vx_future_costs_commission_exchange_and_nfa_fee_whatever_its_price() -> None:
    assert execution_fee(CONTRACTS[VX], 3, 18.0, in_combo=False).total_usd == pytest.approx(
        3 * (0.85 + 1.51 + 0.02)
    )
    assert order_minimum_usd(CONTRACTS[VX]) == 0.0


@given(st.lists(st.sampled_from([0.25, 0.5, 0.65, 1.3, 6.5]), min_size=1, max_size=8))
def test_the_executions_of_an_order_together_pay_the_greater_of_minimum_and_commission(
    parts: list[float],
) -> None:
    accrued = charged = 0.0
    for part in parts:
        charged += part + minimum_top_up(accrued, part, 1.0)
        accrued += part
    assert charged == pytest.approx(max(1.0, sum(parts)))


def test_what_is_not_traded_has_no_fee() -> None:
    with pytest.raises(ValueError, match="not traded"):
        execution_fee(CONTRACTS[SPX], 1, 4950.0, in_combo=False)
    with pytest.raises(ValueError, match="at least one"):
        execution_fee(CONTRACTS[VNQ], 0, 90.0, in_combo=False)
