"""Cash, cost and P&L of the paper account, by hand and for any sequence of trades."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.account import Account, contract_from_json, contract_to_json, mark_of
from simulator.model import Tick
from simulator.statement import account_values
from tests.simulator.hand_market import (
    ACCOUNT,
    CALL_WING,
    CONTRACTS,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    VIX_CALL_20,
    VNQ,
    VX,
)

START = 1_000_000.0


def no_spot(con_id: int) -> float | None:
    return None


def test_a_bought_option_costs_its_premium_and_its_average_cost_contains_multiplier_and_commission() -> None:
    account = Account(ACCOUNT)
    assert account.trade(CONTRACTS[PUT_WING], 2, 3.0, 1.3) is None
    assert account.cash_usd == START - 601.3
    assert account.holdings[PUT_WING].average_cost_usd == 300.65


def test_a_sold_option_brings_its_premium_and_its_average_cost_is_reduced_by_the_commission() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[SHORT_PUT], -2, 3.0, 1.3)
    assert account.cash_usd == START + 598.7
    assert account.holdings[SHORT_PUT].average_cost_usd == 299.35


def test_closing_part_realises_its_part_of_the_cost() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 1.3)
    assert account.trade(CONTRACTS[PUT_WING], -1, 4.0, 0.65) == pytest.approx(399.35 - 300.65)
    assert account.holdings[PUT_WING].average_cost_usd == 300.65


def test_selling_more_than_is_held_closes_first_and_then_opens_short() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 0.0)
    assert account.trade(CONTRACTS[PUT_WING], -5, 4.0, 5.0) == pytest.approx(200.0 - 2.0)
    assert account.holdings[PUT_WING].quantity == -3
    assert account.holdings[PUT_WING].average_cost_usd == pytest.approx(399.0)


def test_a_closed_position_is_shown_with_quantity_zero_until_midnight() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 1, 3.0, 0.65)
    account.trade(CONTRACTS[PUT_WING], -1, 3.0, 0.65)
    (line,) = account.positions(lambda con_id: 3.0)
    assert (line.quantity, line.average_cost, line.realised_pnl) == (0.0, 0.0, -1.3)
    account.start_day(START, lambda _: 14.0)
    assert account.positions(lambda con_id: 3.0) == []


def test_the_result_of_the_day_counts_from_midnight_and_from_what_was_paid_since() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 1.3)
    assert account.positions(lambda _: 3.5)[0].daily_pnl == 98.7
    account.start_day(START, lambda _: 4.0)
    account.trade(CONTRACTS[PUT_WING], 1, 4.2, 0.65)
    assert account.positions(lambda _: 4.5)[0].daily_pnl == 129.35
    account.trade(CONTRACTS[PUT_WING], -3, 4.5, 1.95)
    assert account.positions(lambda _: 9.9)[0].daily_pnl == 127.4


def test_a_future_moves_no_cash_but_its_commission_until_the_daily_settlement() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[VX], 2, 15.0, 4.76)
    assert account.cash_usd == START - 4.76
    marked = account.valuation(lambda con_id: 15.5, no_spot)
    assert marked.futures_variation == 1000.0
    assert marked.equity == START + 995.24
    account.vary(VX, 15.5)
    assert account.cash_usd == START + 995.24
    assert account.valuation(lambda con_id: 15.5, no_spot).equity == START + 995.24
    account.trade(CONTRACTS[VX], -2, 15.2, 4.76)
    assert account.cash_usd == pytest.approx(START + 400 - 9.52)
    assert account.realised_total_usd == pytest.approx(400 - 9.52)


def test_a_future_settles_only_what_variation_has_not_paid_yet() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[VX], -1, 15.0, 2.38)
    account.vary(VX, 14.0)
    assert account.settle(VX, 13.21) == 790.0
    assert account.cash_usd == pytest.approx(START - 2.38 + 1790.0)
    assert VX not in account.holdings


def test_an_option_settles_in_cash_to_the_cent_and_disappears() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[SHORT_CALL], -3, 11.0, 3.9)
    account.trade(CONTRACTS[CALL_WING], 3, 5.0, 3.9)
    assert account.settle(SHORT_CALL, 5163.37) == -4011.0
    assert account.settle(CALL_WING, 5163.37) == 0.0
    assert not account.holdings
    assert account.cash_usd == pytest.approx(START + 3300 - 1500 - 7.8 - 4011.0)
    assert account.realised_total_usd == pytest.approx(account.cash_usd - START)


def test_options_stand_in_equity_but_not_against_margin() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[VIX_CALL_20], 100, 1.0, 0.0)
    now = account.valuation(lambda con_id: 1.5, no_spot)
    assert now.equity == START + 5000
    assert now.equity_with_loan == START - 10_000
    assert now.available == START - 10_000


def test_a_condor_ties_up_its_width_while_the_credit_stays_in_cash() -> None:
    account = Account(ACCOUNT)
    for con_id, quantity, price in (
        (PUT_WING, 1, 14),
        (SHORT_PUT, -1, 20),
        (SHORT_CALL, -1, 11),
        (CALL_WING, 1, 5),
    ):
        account.trade(CONTRACTS[con_id], quantity, price, 0.0)
    now = account.valuation(lambda con_id: 10.0, lambda con_id: 4950.0)
    assert now.cash == START + 1200
    assert now.margin.initial_usd == 5000.0
    assert now.available == START + 1200 - 5000


def test_account_values_use_the_brokers_names_and_two_decimals() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[VNQ], 100, 90.0, 0.35)
    values = {
        (key, currency): value
        for key, value, currency in account_values(account, account.valuation(lambda c: 91.0, no_spot))
    }
    assert values["NetLiquidation", "USD"] == "1000099.65"
    assert values["TotalCashValue", "USD"] == "990999.65"
    assert values["GrossPositionValue", "USD"] == "9100.00"
    assert values["InitMarginReq", "USD"] == "4550.00"
    assert values["MaintMarginReq", "USD"] == "2275.00"
    assert values["AvailableFunds", "USD"] == "995549.65"
    assert values["ExcessLiquidity", "USD"] == "997824.65"
    assert values["BuyingPower", "USD"] == "3982198.60"
    assert values["UnrealizedPnL", "USD"] == "99.65"
    assert values["AccountCode", ""] == ACCOUNT


def test_a_mark_is_the_middle_then_the_model_then_the_last_then_the_close() -> None:
    assert mark_of(Tick(1, bid=1.0, ask=1.2, bid_size=1, ask_size=1, last=3.0)) == pytest.approx(1.1)
    assert mark_of(Tick(1, ask=1.2, ask_size=1, model_price=0.4, last=3.0)) == 0.4
    assert mark_of(Tick(1, last=3.0, close=2.0)) == 3.0
    assert mark_of(Tick(1, close=2.0)) == 2.0
    assert mark_of(Tick(1)) is None


def test_a_position_without_any_price_neither_gains_nor_loses() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 1.3)
    assert account.valuation(lambda con_id: None, no_spot).equity == START
    (line,) = account.positions(lambda con_id: None)
    assert line.market_value is None


TRADES = st.lists(
    st.tuples(
        st.sampled_from([PUT_WING, SHORT_CALL, VIX_CALL_20, VX, VNQ]),
        st.integers(-7, 7).filter(bool),
        st.integers(1, 4000).map(lambda n: n / 20),
        st.integers(0, 900).map(lambda n: n / 100),
        st.booleans(),
    ),
    max_size=25,
)


@given(TRADES, st.integers(1, 4000).map(lambda n: n / 20))
def test_equity_less_the_start_is_always_realised_plus_unrealised(
    trades: list[tuple[int, int, float, float, bool]], mark: float
) -> None:
    account = Account(ACCOUNT)
    quantities: dict[int, int] = {}
    for con_id, quantity, price, commission, vary in trades:
        account.trade(CONTRACTS[con_id], quantity, price, commission)
        quantities[con_id] = quantities.get(con_id, 0) + quantity
        if vary and con_id == VX:
            account.vary(VX, price)
        now = account.valuation(lambda con_id: mark, no_spot)
        assert now.equity - START == pytest.approx(account.realised_total_usd + now.unrealised, abs=1e-4)
    assert {con_id: held.quantity for con_id, held in account.holdings.items()} == quantities


@given(TRADES, st.integers(4000, 600_000).map(lambda n: n / 100))
def test_after_settlement_the_cash_is_the_sum_of_all_cash_flows_and_of_the_realised_pnl(
    trades: list[tuple[int, int, float, float, bool]], settlement: float
) -> None:
    account = Account(ACCOUNT)
    flows = 0.0
    for con_id, quantity, price, commission, _ in trades:
        contract = CONTRACTS[con_id]
        account.trade(contract, quantity, price, commission)
        flows -= quantity * price * contract.multiplier + commission
    for con_id in list(account.holdings):
        contract = CONTRACTS[con_id]
        flows += account.holdings[con_id].quantity * contract.payoff(settlement) * contract.multiplier
        account.settle(con_id, settlement)
    # Settlement is paid to the cent; payoffs here have at most four decimals of a dollar.
    assert account.cash_usd - START == pytest.approx(flows, abs=0.03)
    assert account.cash_usd - START == pytest.approx(account.realised_total_usd, abs=0.03)


@given(TRADES)
def test_average_cost_is_total_outlay_over_quantity_while_a_position_only_grows(
    trades: list[tuple[int, int, float, float, bool]],
) -> None:
    account = Account(ACCOUNT)
    outlay: dict[int, float] = {}
    quantities: dict[int, int] = {}
    for con_id, quantity, price, commission, _ in trades:
        size = abs(quantity)
        account.trade(CONTRACTS[con_id], size, price, commission)
        outlay[con_id] = outlay.get(con_id, 0.0) + size * price * CONTRACTS[con_id].multiplier + commission
        quantities[con_id] = quantities.get(con_id, 0) + size
    for con_id, held in account.holdings.items():
        assert held.average_cost_usd == pytest.approx(outlay[con_id] / quantities[con_id], abs=1e-5)
        assert held.cost_usd == pytest.approx(outlay[con_id], abs=1e-6)


@given(TRADES)
def test_the_books_survive_a_round_trip(trades: list[tuple[int, int, float, float, bool]]) -> None:
    account = Account(ACCOUNT)
    for con_id, quantity, price, commission, _ in trades:
        account.trade(CONTRACTS[con_id], quantity, price, commission)
    assert account.copy().dump() == account.dump()


def test_every_fact_of_a_contract_survives_a_round_trip() -> None:
    for contract in CONTRACTS.values():
        assert contract_from_json(contract_to_json(contract)) == contract


def test_a_correction_moves_cash_and_cost_of_an_open_position_alike() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 1.3)
    account.correct(PUT_WING, 2, 3.0, 2.9)
    assert account.cash_usd == pytest.approx(START - 581.3)
    assert account.holdings[PUT_WING].average_cost_usd == pytest.approx(290.65)


def test_a_correction_of_a_closed_position_is_realised() -> None:
    account = Account(ACCOUNT)
    account.trade(CONTRACTS[PUT_WING], 2, 3.0, 0.0)
    account.trade(CONTRACTS[PUT_WING], -2, 4.0, 0.0)
    account.correct(PUT_WING, -2, 4.0, 3.5)
    assert account.cash_usd == START + 100
    assert account.realised_total_usd == 100.0


def test_a_trade_without_a_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="quantity"):
        Account(ACCOUNT).trade(CONTRACTS[PUT_WING], 0, 1.0, 0.0)
