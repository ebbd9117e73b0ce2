"""The venue's order life, seen through its reports: judgement, matching, cancelling, expiry, settlement."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.exchange import Exchange
from simulator.floor import HouseRules
from simulator.model import (
    AccountChanged,
    Executed,
    Execution,
    OrderChanged,
    OrderError,
    OrderLeg,
    OrderRequest,
    Report,
    Venue,
    WhatIfAnswer,
    WorkingOrder,
)
from tests.simulator.hand_market import (
    ACCOUNT,
    CALL_WING,
    CONDOR_LEGS,
    EXPIRY_CLOSE,
    NAKED_CALL,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    SPX,
    TUESDAY,
    VIX_CALL_20,
    VIX_MORNING,
    VX,
    HandMarket,
    condor,
    single,
)

CLOSE = datetime(2024, 2, 6, 21, 15, tzinfo=UTC)
NEXT_OPEN = datetime(2024, 2, 7, 14, 30, tzinfo=UTC)


def venue(rules: HouseRules | None = None, **book: Any) -> tuple[HandMarket, Exchange]:
    market = HandMarket()
    market.condor(**book)
    return market, Exchange(market, ACCOUNT, rules=rules)


def errors(reports: Sequence[Report]) -> list[tuple[int, str]]:
    return [(report.code, report.text) for report in reports if isinstance(report, OrderError)]


def fills(reports: Sequence[Report]) -> list[Execution]:
    return [report.execution for report in reports if isinstance(report, Executed)]


def states(reports: Sequence[Report]) -> list[str]:
    return [report.order.state.value for report in reports if isinstance(report, OrderChanged)]


def last_order(reports: Sequence[Report]) -> WorkingOrder:
    return [report.order for report in reports if isinstance(report, OrderChanged)][-1]


def values(exchange: Exchange) -> dict[str, float]:
    return {key: float(value) for key, value, currency in exchange.account_values() if currency == "USD"}


def test_the_exchange_is_a_venue() -> None:
    as_venue: Venue = venue()[1]
    assert as_venue.account_id == ACCOUNT


# -- combos
# ------------------------------------------------------------------------------------------------------------


def test_buying_the_condor_at_a_negative_limit_brings_the_credit_and_the_legs() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("BUY", 2, -11.5))
    assert states(reports) == ["PreSubmitted", "Submitted", "Filled"]
    combo, *legs = fills(reports)
    assert (combo.security_type, combo.con_id, combo.side) == ("BAG", 28812380, "BOT")
    assert (combo.quantity, combo.price, combo.commission) == (2.0, -11.6, None)
    assert [(leg.con_id, leg.side, leg.quantity, leg.price) for leg in legs] == [
        (PUT_WING, "BOT", 2.0, 14.1),
        (SHORT_PUT, "SLD", 2.0, 19.9),
        (SHORT_CALL, "SLD", 2.0, 10.9),
        (CALL_WING, "BOT", 2.0, 5.1),
    ]
    commissions = sum(leg.commission or 0.0 for leg in legs)
    assert commissions > 0
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 + 2 * 1160 - commissions, abs=0.01)
    assert {line.con_id: line.quantity for line in exchange.positions()} == {
        PUT_WING: 2, SHORT_PUT: -2, SHORT_CALL: -2, CALL_WING: 2,
    }  # fmt: skip


def test_selling_the_same_combo_takes_the_opposite_of_every_leg_and_pays() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("SELL", 1, -12.5))
    combo, *legs = fills(reports)
    assert (combo.side, combo.price) == ("SLD", -12.4)
    assert [leg.side for leg in legs] == ["SLD", "BOT", "BOT", "SLD"]
    assert values(exchange)["TotalCashValue"] < 1_000_000 - 1240


def test_all_lines_of_a_fill_share_perm_id_reference_and_stem_of_the_exec_id() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("BUY", 1, -11.0, order_ref="D-17"))
    lines = fills(reports)
    assert {line.perm_id for line in lines} == {last_order(reports).perm_id}
    assert {line.order_ref for line in lines} == {"D-17"}
    parts = [line.exec_id.split(".") for line in lines]
    assert all([len(p) for p in part] == [8, 8, 2, 2] for part in parts)
    assert len({(part[0], part[1]) for part in parts}) == 1
    assert [part[2] for part in parts] == ["01", "02", "03", "04", "05"]
    assert {part[3] for part in parts} == {"01"}
    assert exchange.executions() == lines


def test_a_combo_waits_until_its_natural_price_reaches_the_limit() -> None:
    market, exchange = venue()
    assert not fills(exchange.submit(condor("BUY", 1, -11.65)))
    assert exchange.match() == []
    market.condor(shift=0.025)
    (combo, *_) = fills(exchange.match())
    assert combo.price == pytest.approx(-11.65)


def test_a_combo_is_never_filled_in_the_middle_of_its_legs_spreads() -> None:
    _, exchange = venue(spread=2.0)
    reports = exchange.submit(condor("BUY", 1, -11.9))
    assert not fills(reports)
    assert last_order(reports).state.value == "Submitted"


def test_a_combo_fills_only_as_many_units_as_its_thinnest_leg_shows_and_stays_balanced() -> None:
    market, exchange = venue(size=5)
    market.quote(CALL_WING, 4.9, 5.1, 2)
    reports = exchange.submit(condor("BUY", 5, -11.0))
    assert [line.quantity for line in fills(reports)] == [2.0] * 5
    assert (last_order(reports).filled, last_order(reports).remaining) == (2.0, 3.0)
    assert exchange.match() == []  # nothing more is on display at this moment
    market.advance(market.now + timedelta(seconds=1))
    market.condor(size=5)
    reports = exchange.match()
    assert [line.quantity for line in fills(reports)] == [3.0] * 5
    assert fills(reports)[0].cumulative == 5.0
    assert last_order(reports).state.value == "Filled"


def test_displayed_sizes_can_be_ignored() -> None:
    _, exchange = venue(HouseRules(limit_to_displayed_size=False), size=1)
    assert fills(exchange.submit(condor("BUY", 9, -11.0)))[0].quantity == 9.0


def test_ratios_multiply_contracts_and_price() -> None:
    _, exchange = venue(size=4)
    legs = (OrderLeg(PUT_WING, 2, "BUY"), OrderLeg(SHORT_PUT, 1, "SELL"))
    combo, wing, short = fills(exchange.submit(condor("BUY", 3, 8.3, legs=legs)))
    assert combo.quantity == 2.0
    assert combo.price == pytest.approx(2 * 14.1 - 19.9)
    assert (wing.quantity, short.quantity) == (4.0, 2.0)


def test_a_leg_without_an_opposite_quote_holds_the_whole_combo_even_at_the_market() -> None:
    market, exchange = venue()
    market.quote(SHORT_CALL, None, 11.1)
    reports = exchange.submit(condor("BUY", 1, None))
    assert states(reports) == ["PreSubmitted", "Submitted"]
    market.condor()
    assert fills(exchange.match())


def test_a_halted_leg_does_not_trade() -> None:
    market, exchange = venue()
    market.book[SHORT_PUT] = replace(market.book[SHORT_PUT], halted=True)
    assert not fills(exchange.submit(condor("BUY", 1, -11.0)))


def test_a_condor_opened_and_closed_in_an_unchanged_book_costs_the_spreads_and_the_fees() -> None:
    _, exchange = venue()
    opened = fills(exchange.submit(condor("BUY", 1, -11.0)))
    closed = fills(exchange.submit(condor("SELL", 1, -13.0, order_id=2)))
    fees = sum(line.commission or 0.0 for line in (*opened, *closed))
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 4 * 0.2 * 100 - fees, abs=0.01)
    assert values(exchange)["NetLiquidation"] == values(exchange)["TotalCashValue"]
    assert all(line.quantity == 0 for line in exchange.positions())
    assert sum(line.realised_pnl or 0.0 for line in closed) == pytest.approx(-80 - fees, abs=1e-6)
    assert exchange.pnl() == pytest.approx((-80 - fees, 0.0, -80 - fees))


# -- single contracts
# --------------------------------------------------------------------------------------------------


def test_a_buy_fills_at_the_ask_and_a_sell_at_the_bid() -> None:
    _, exchange = venue()
    (bought,) = fills(exchange.submit(single(PUT_WING, "BUY", 1, 15.0)))
    (sold,) = fills(exchange.submit(single(SHORT_CALL, "SELL", 1, 10.0, order_id=2)))
    assert (bought.price, sold.price) == (14.1, 10.9)
    assert bought.exec_id.endswith(".01.01")
    assert bought.security_type == "OPT"


def test_a_market_order_waits_for_a_quote() -> None:
    market, exchange = venue()
    market.quote(PUT_WING, 13.9, None)
    assert not fills(exchange.submit(single(PUT_WING, "BUY", 1, None)))
    market.quote(PUT_WING, 13.9, 14.3)
    (fill,) = fills(exchange.match())
    assert fill.price == 14.3


def test_the_rest_of_a_partly_filled_market_order_sent_to_an_exchange_is_cancelled() -> None:
    _, exchange = venue(size=3)
    reports = exchange.submit(single(PUT_WING, "BUY", 5, None, exchange="CBOE"))
    assert fills(reports)[0].quantity == 3.0
    assert states(reports)[-1] == "Cancelled"


def test_a_stop_order_sleeps_until_its_price_is_touched_and_then_takes_the_market() -> None:
    market, exchange = venue()
    exchange.submit(single(PUT_WING, "BUY", 1, 14.1))
    stop = single(PUT_WING, "SELL", 1, None, order_id=2, order_type="STP", aux_price=12.0)
    assert states(exchange.submit(stop)) == ["PreSubmitted"]
    market.quote(PUT_WING, 12.1, 12.3)
    assert exchange.match() == []
    market.quote(PUT_WING, 11.8, 12.0)
    reports = exchange.match()
    assert states(reports) == ["Submitted", "Filled"]
    assert fills(reports)[0].price == 11.8


def test_a_stop_limit_order_keeps_its_limit_after_the_stop() -> None:
    market, exchange = venue()
    stop = single(PUT_WING, "BUY", 1, 15.0, order_type="STP LMT", aux_price=14.5)
    exchange.submit(stop)
    market.quote(PUT_WING, 16.0, 16.2)
    assert states(exchange.match()) == ["Submitted"]
    market.quote(PUT_WING, 14.6, 14.8)
    assert fills(exchange.match())[0].price == 14.8


def test_two_orders_share_what_is_on_display_oldest_first() -> None:
    _, exchange = venue(HouseRules(fill_on_arrival=False), size=3)
    exchange.submit(single(PUT_WING, "BUY", 2, 14.1))
    exchange.submit(single(PUT_WING, "BUY", 2, 14.1, order_id=2))
    assert [(line.order_id, line.quantity) for line in fills(exchange.match())] == [(1, 2.0), (2, 1.0)]


def test_the_order_minimum_is_charged_once_over_several_fills() -> None:
    market, exchange = venue(size=1)
    market.quote(PUT_WING, 0.05, 0.1, 1)
    broker = [1.0, 0.3]  # 0.65 topped up to 1.00, then what exceeds it: 1.30 - 1.00
    for part in broker:
        reports = exchange.submit(single(PUT_WING, "BUY", 2, 0.1)) if part == 1.0 else exchange.match()
        (fill,) = fills(reports)
        assert fill.commission == pytest.approx(part + 0.49 + 0.0388 + 0.055)
        market.advance(market.now + timedelta(seconds=1))


# -- judgement
# ---------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[OrderRequest, int]] = [
    (condor("BUY", 1, -11.03), 110),
    (single(PUT_WING, "BUY", 1, 14.05), 110),
    (single(PUT_WING, "BUY", 1, 2.93), 110),
    (single(VX, "BUY", 1, 15.03), 110),
    (single(VIX_CALL_20, "BUY", 1, 3.01), 110),
    (single(PUT_WING, "SELL", 1, None, order_type="STP", aux_price=12.05), 110),
    (condor("BUY", 1, -11.0, leg_prices=(1.0, 2.0, 3.0, 4.0)), 10058),
    (condor("BUY", 1, -11.0, smart_combo=(("NonGuaranteed", "1"),)), 321),
    (condor("BUY", 1, -11.0, legs=CONDOR_LEGS[:1]), 321),
    (condor("BUY", 1, -11.0, legs=()), 321),
    (condor("BUY", 1, -11.0, legs=(*CONDOR_LEGS[:3], CONDOR_LEGS[0])), 321),
    (condor("BUY", 1, -11.0, legs=(*CONDOR_LEGS[:3], OrderLeg(CALL_WING, 0, "BUY"))), 321),
    (condor("BUY", 1, -11.0, legs=(*CONDOR_LEGS[:3], OrderLeg(CALL_WING, 1, "SSHORT"))), 321),
    (condor("BUY", 1, -11.0, legs=(*CONDOR_LEGS[:3], OrderLeg(VIX_CALL_20, 1, "BUY"))), 321),
    (condor("BUY", 1, -11.0, legs=(*CONDOR_LEGS[:3], OrderLeg(999, 1, "BUY"))), 200),
    (single(999, "BUY", 1, 1.0), 200),
    (single(0, "BUY", 1, 1.0), 200),
    (single(PUT_WING, "BUY", 1, 14.0, legs=CONDOR_LEGS), 321),
    (single(PUT_WING, "HOLD", 1, 14.0), 321),
    (single(PUT_WING, "BUY", 0, 14.0), 434),
    (single(PUT_WING, "BUY", -1, 14.0), 321),
    (single(PUT_WING, "BUY", 1.5, 14.0), 10243),
    (single(PUT_WING, "BUY", float("nan"), 14.0), 321),
    (single(PUT_WING, "BUY", 1, -1.0), 321),
    (single(PUT_WING, "BUY", 1, None, order_type="LMT"), 321),
    (single(PUT_WING, "BUY", 1, float("inf")), 321),
    (single(PUT_WING, "BUY", 1, None, order_type="STP"), 321),
    (single(PUT_WING, "BUY", 1, 14.0, order_type="MOC"), 387),
    (single(PUT_WING, "BUY", 1, 14.0, tif="GTD"), 321),
    (single(PUT_WING, "BUY", 1, 14.0, account=""), 435),
    (single(PUT_WING, "BUY", 1, 14.0, account="U999"), 321),
]


@pytest.mark.parametrize(("request_", "code"), REFUSED)
def test_a_wrong_order_is_refused_with_the_brokers_code_and_leaves_no_trace(
    request_: OrderRequest, code: int
) -> None:
    _, exchange = venue()
    reports = exchange.submit(request_)
    assert [found for found, _ in errors(reports)] == [code]
    assert len(reports) == 1
    assert exchange.open_orders(None) == []
    assert exchange.completed_orders() == []
    assert exchange.next_order_id(7) == 1


@pytest.mark.parametrize(
    "accepted",
    [
        condor("BUY", 1, -11.05),
        condor("BUY", 1, 0.0),
        single(PUT_WING, "BUY", 1, 2.95),
        single(PUT_WING, "BUY", 1, 14.1),
        single(VIX_CALL_20, "BUY", 1, 2.99),
        single(VIX_CALL_20, "BUY", 1, 3.05),
        single(VX, "BUY", 1, 15.05),
    ],
)
def test_prices_on_the_grid_are_accepted(accepted: OrderRequest) -> None:
    assert errors(venue()[1].submit(accepted)) == []


def test_an_index_cannot_be_bought() -> None:
    reports = venue()[1].submit(single(SPX, "BUY", 1, None))
    assert errors(reports) == [(201, "Order rejected - reason:The instrument is not available for trading")]
    assert states(reports) == ["Inactive"]


def test_an_order_the_account_cannot_carry_is_rejected_and_ends_inactive() -> None:
    _, exchange = venue(size=10_000)
    reports = exchange.submit(condor("BUY", 500, -11.0))
    ((code, text),) = errors(reports)
    assert code == 201
    assert text.startswith("Order rejected - reason:In order to obtain the desired position your Equity")
    assert states(reports) == ["Inactive"]
    assert exchange.positions() == []
    assert exchange.next_order_id(7) == 2
    assert [order.state.value for order in exchange.completed_orders()] == ["Inactive"]


def test_naked_calls_need_far_more_than_a_spread() -> None:
    market, exchange = venue(size=10_000)
    market.quote(NAKED_CALL, 19.9, 20.1, 10_000)
    assert errors(exchange.submit(single(NAKED_CALL, "SELL", 20, None)))[0][0] == 201
    assert not errors(exchange.submit(condor("BUY", 100, -11.0, order_id=2)))


def test_an_account_short_of_funds_may_still_close() -> None:
    market, exchange = venue(size=10_000)
    exchange.submit(condor("BUY", 200, -11.0))
    market.quote(VIX_CALL_20, 40.0, 40.2, 10_000)
    exchange.submit(single(VIX_CALL_20, "BUY", 40, None, order_id=2))
    market.condor(shift=60.0, size=10_000)
    reports = exchange.submit(condor("SELL", 50, None, order_id=3))
    assert not errors(reports)
    assert fills(reports)


def test_an_order_id_is_used_once_and_only_ever_grows() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 1, -11.0, order_id=5))
    assert exchange.next_order_id(7) == 6
    assert errors(exchange.submit(condor("BUY", 1, -11.0, order_id=4))) == [(103, "Duplicate order id")]
    assert errors(exchange.submit(condor("BUY", 1, -11.0, order_id=5)))[0][0] == 104
    assert exchange.next_order_id(8) == 1
    assert not errors(exchange.submit(condor("BUY", 1, -11.0, order_id=1, client_id=8)))


def test_the_twenty_first_order_on_one_side_of_a_contract_is_rejected() -> None:
    _, exchange = venue()
    for order_id in range(1, 21):
        assert not errors(exchange.submit(condor("BUY", 1, -20.0, order_id=order_id)))
    assert errors(exchange.submit(condor("BUY", 1, -20.0, order_id=21)))[0][0] == 201
    assert not errors(exchange.submit(condor("SELL", 1, -5.0, order_id=22)))
    assert not errors(exchange.submit(single(PUT_WING, "BUY", 1, 1.0, order_id=23)))


# -- modification and cancelling
# ---------------------------------------------------------------------------------------


def test_a_modified_order_keeps_its_perm_id_and_what_it_has_filled() -> None:
    market, exchange = venue(size=1)
    first = exchange.submit(condor("BUY", 3, -11.6))
    market.advance(market.now + timedelta(seconds=1))
    market.condor(shift=-0.5, size=9)
    second = exchange.submit(condor("BUY", 2, -10.6))
    assert {line.perm_id for line in fills(second)} == {last_order(first).perm_id}
    done = last_order(second)
    assert (done.state.value, done.filled) == ("Filled", 2.0)
    assert done.average_price == pytest.approx((-11.6 - 10.6) / 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "SELL"}, 105),
        ({"legs": CONDOR_LEGS[:2]}, 105),
        ({"order_ref": "other"}, 105),
        ({"quantity": 1}, 104),
        ({"limit_price": -11.01}, 110),
    ],
)
def test_a_modification_that_does_not_fit_is_refused_and_the_order_works_on(
    change: dict[str, Any], code: int
) -> None:
    _, exchange = venue(size=1)
    request = condor("BUY", 2, -11.6)
    exchange.submit(request)
    before = [replace(order) for order in exchange.open_orders(None)]
    assert errors(exchange.submit(replace(request, **change)))[0][0] == code
    assert exchange.open_orders(None) == before


def test_a_modification_beyond_the_margin_is_rejected_and_the_original_is_reported_alive() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 1, -20.0))
    reports = exchange.submit(condor("BUY", 5000, -20.0))
    assert errors(reports)[0][0] == 201
    assert states(reports) == ["Submitted"]
    assert exchange.open_orders(7)[0].request.quantity == 1


def test_a_cancelled_order_is_reported_pending_then_cancelled_then_202() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 1, -20.0))
    reports = exchange.cancel(7, 1)
    assert states(reports) == ["PendingCancel", "Cancelled"]
    assert errors(reports) == [(202, "Order Canceled - reason:")]
    assert isinstance(reports[-1], OrderError)
    assert exchange.open_orders(None) == []
    assert exchange.completed_orders()[0].completed_status == "Cancelled by Trader"


def test_cancelling_what_is_unknown_or_over_names_the_reason() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 1, -11.0))
    assert errors(exchange.cancel(7, 1)) == [
        (10148, "OrderId 1 that needs to be cancelled cannot be cancelled, state: Filled.")
    ]
    assert errors(exchange.cancel(7, 9)) == [(10147, "OrderId 9 that needs to be cancelled is not found.")]
    assert errors(exchange.cancel(8, 1))[0][0] == 10147


def test_a_global_cancel_ends_the_orders_of_every_client() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 1, -20.0))
    exchange.submit(condor("BUY", 1, -20.0, client_id=8))
    assert [len(exchange.open_orders(client)) for client in (7, 8, None)] == [1, 1, 2]
    assert states(exchange.cancel_all()).count("Cancelled") == 2
    assert exchange.cancel_all() == []


def test_a_report_does_not_change_when_the_order_does() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("BUY", 1, -20.0))
    exchange.cancel(7, 1)
    assert states(reports) == ["PreSubmitted", "Submitted"]


def test_an_untransmitted_order_waits_for_its_transmission() -> None:
    _, exchange = venue()
    assert states(exchange.submit(condor("BUY", 1, -11.0, transmit=False))) == ["PendingSubmit"]
    assert exchange.match() == []
    assert states(exchange.submit(condor("BUY", 1, -11.0)))[-1] == "Filled"


def test_with_fills_on_the_next_step_a_cancel_can_come_first() -> None:
    _, exchange = venue(HouseRules(fill_on_arrival=False))
    assert not fills(exchange.submit(condor("BUY", 1, -11.0)))
    exchange.cancel(7, 1)
    assert not exchange.match()


# -- time in force
# -----------------------------------------------------------------------------------------------------


def test_a_day_order_ends_at_the_close_and_a_gtc_order_waits_for_the_next_day() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -20.0))
    exchange.submit(condor("BUY", 1, -20.0, order_id=2, tif="GTC"))
    market.advance(CLOSE)
    reports = exchange.match()
    assert [
        (r.order.request.order_id, r.order.state.value) for r in reports if isinstance(r, OrderChanged)
    ] == [
        (1, "Cancelled"),
        (2, "PreSubmitted"),
    ]
    market.advance(NEXT_OPEN)
    market.condor(shift=5.0)
    assert fills(exchange.match())[0].order_id == 2


def test_a_day_order_does_not_outlive_a_close_that_the_gateway_slept_through() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -20.0))
    market.advance(NEXT_OPEN + timedelta(hours=1))
    market.condor(shift=5.0)
    reports = exchange.match()
    assert not fills(reports)
    assert states(reports) == ["Cancelled"]


def test_an_order_placed_in_the_evening_is_held_with_399_for_the_next_session_and_ends_at_its_close() -> None:
    market, exchange = venue()
    market.advance(CLOSE + timedelta(hours=2))
    reports = exchange.submit(condor("BUY", 1, -20.0))
    assert states(reports) == ["PreSubmitted"]
    ((code, text),) = errors(reports)
    assert code == 399
    assert text.endswith("will not be placed at the exchange until 2024-02-07 09:30:00 US/Eastern")
    assert exchange.match() == []
    market.advance(NEXT_OPEN)
    assert states(exchange.match()) == ["Submitted"]
    market.advance(CLOSE + timedelta(days=1))
    assert states(exchange.match()) == ["Cancelled"]


def test_an_immediate_order_takes_what_is_there_and_cancels_the_rest() -> None:
    _, exchange = venue(size=2)
    reports = exchange.submit(condor("BUY", 5, -11.0, tif="IOC"))
    assert fills(reports)[0].quantity == 2.0
    assert states(reports)[-2:] == ["PendingCancel", "Cancelled"]
    assert last_order(reports).filled == 2.0


def test_orders_and_executions_are_listed_until_midnight_in_new_york() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -11.0))
    market.advance(datetime(2024, 2, 7, 4, 59, tzinfo=UTC))
    assert (len(exchange.executions()), len(exchange.completed_orders())) == (5, 1)
    market.advance(datetime(2024, 2, 7, 5, 0, tzinfo=UTC))
    assert (exchange.executions(), exchange.completed_orders()) == ([], [])
    exchange.match()
    assert exchange.pnl()[0] == 0.0
    assert errors(exchange.submit(condor("BUY", 1, -11.0)))[0][0] == 103


# -- what-if
# -----------------------------------------------------------------------------------------------------------


def test_a_what_if_tells_margin_and_commission_and_leaves_no_trace() -> None:
    _, exchange = venue()
    (answer,) = exchange.submit(condor("BUY", 2, -11.5, what_if=True))
    assert isinstance(answer, WhatIfAnswer)
    assert answer.init_margin_change == 10_000.0
    assert answer.maint_margin_after == 10_000.0
    assert answer.commission == pytest.approx(8 * (0.65 + 0.58 + 0.0388 + 0.055), abs=0.01)
    assert answer.equity_after == pytest.approx(1_000_000 + 2 * 1160 - answer.commission, abs=0.01)
    assert exchange.positions() == []
    assert exchange.next_order_id(7) == 1
    (again,) = exchange.submit(condor("BUY", 2, -11.5, what_if=True))
    assert again == answer
    filled = exchange.submit(condor("BUY", 2, -11.5))
    assert sum(line.commission or 0.0 for line in fills(filled)) == pytest.approx(answer.commission, abs=0.01)
    assert values(exchange)["InitMarginReq"] == 10_000.0


def test_a_what_if_beyond_the_margin_is_answered_and_a_wrong_one_refused() -> None:
    _, exchange = venue()
    assert isinstance(exchange.submit(condor("BUY", 5000, -11.5, what_if=True))[0], WhatIfAnswer)
    assert errors(exchange.submit(condor("BUY", 1, -11.53, what_if=True)))[0][0] == 110


def test_a_what_if_of_a_resting_order_reckons_with_its_limit() -> None:
    _, exchange = venue()
    (answer,) = exchange.submit(condor("BUY", 1, -15.0, what_if=True))
    assert isinstance(answer, WhatIfAnswer)
    assert answer.equity_after == pytest.approx(1_001_500 - answer.commission, abs=0.01)


# -- settlement
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "owed"), [(4950.0, 0.0), (4750.01, 0.0), (4749.99, 1.0), (4650.0, 5000.0), (5163.37, 1337.0)]
)
def test_a_condor_settles_in_cash_at_the_close_of_its_expiry_and_vanishes(value: float, owed: float) -> None:
    market, exchange = venue()
    opened = fills(exchange.submit(condor("BUY", 1, -11.0)))
    exchange.submit(condor("SELL", 1, -0.05, order_id=2, tif="GTC"))
    cash = values(exchange)["TotalCashValue"]
    market.settle_spx(value)
    market.advance(EXPIRY_CLOSE - timedelta(seconds=1))
    exchange.match()
    assert len(exchange.positions()) == 4
    market.advance(EXPIRY_CLOSE)
    reports = exchange.match()
    assert not fills(reports)
    assert reports[0] == AccountChanged((PUT_WING, SHORT_PUT, SHORT_CALL, CALL_WING))
    assert last_order(reports).reason == "The contract has expired"
    assert exchange.positions() == []
    assert values(exchange)["TotalCashValue"] == pytest.approx(cash - owed, abs=0.001)
    fees = sum(line.commission or 0.0 for line in opened)
    assert values(exchange)["NetLiquidation"] == pytest.approx(1_001_160 - fees - owed, abs=0.01)


def test_settlement_can_be_booked_later_as_the_broker_does_overnight() -> None:
    market, exchange = venue(HouseRules(settlement_lag=timedelta(hours=9)))
    exchange.submit(condor("BUY", 1, -11.0))
    market.settle_spx(4700.0)
    market.advance(EXPIRY_CLOSE)
    exchange.match()
    waiting = values(exchange)
    assert len(exchange.positions()) == 4
    market.advance(EXPIRY_CLOSE + timedelta(hours=9))
    exchange.match()
    assert exchange.positions() == []
    assert values(exchange)["NetLiquidation"] == pytest.approx(waiting["NetLiquidation"], abs=0.01)
    assert values(exchange)["TotalCashValue"] == pytest.approx(waiting["TotalCashValue"] - 5000.0, abs=0.01)


def test_a_late_settlement_value_is_booked_when_it_comes() -> None:
    market, exchange = venue()
    exchange.submit(single(SHORT_PUT, "BUY", 1, None))
    market.advance(EXPIRY_CLOSE + timedelta(minutes=5))
    exchange.match()
    assert len(exchange.positions()) == 1
    market.settlements[SHORT_PUT] = (EXPIRY_CLOSE + timedelta(minutes=6), 4700.0)
    market.advance(EXPIRY_CLOSE + timedelta(minutes=6))
    assert AccountChanged((SHORT_PUT,)) in exchange.match()
    assert exchange.positions() == []


def test_an_expired_contract_is_not_traded() -> None:
    market, exchange = venue()
    market.advance(EXPIRY_CLOSE + timedelta(minutes=1))
    assert errors(exchange.submit(condor("BUY", 1, -11.0))) == [
        (201, "Order rejected - reason:The contract has expired")
    ]


def test_a_vx_future_pays_variation_each_day_and_the_rest_at_its_morning_settlement() -> None:
    market, exchange = venue()
    market.quote(VX, 15.0, 15.05)
    (fill,) = fills(exchange.submit(single(VX, "BUY", 1, None, exchange="CFE")))
    assert fill.commission == 2.38
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38)
    market.advance(TUESDAY.replace(hour=21, minute=0))
    market.quote(VX, 16.0, 16.1)
    assert exchange.match() == [AccountChanged(())]
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38 + 1000)
    assert exchange.match() == ()
    market.settle_vix(17.21)
    market.quote(VX, 16.95, 17.05)
    market.advance(VIX_MORNING)
    exchange.match()
    assert exchange.positions() == []
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38 + 1000 * (17.21 - 15.05))
    assert values(exchange)["NetLiquidation"] == values(exchange)["TotalCashValue"]


def test_a_step_without_orders_and_without_anything_due_asks_the_market_for_no_quote() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -11.0))
    exchange.match()
    asked = market.quote_calls
    for _ in range(100):
        market.advance(market.now + timedelta(seconds=5))
        assert exchange.match() == ()
    assert market.quote_calls == asked


# -- corrections
# -------------------------------------------------------------------------------------------------------


def test_a_corrected_execution_keeps_its_stem_and_moves_the_cash() -> None:
    _, exchange = venue()
    (fill,) = fills(exchange.submit(single(PUT_WING, "BUY", 2, None)))
    cash = values(exchange)["TotalCashValue"]
    (corrected,) = fills(exchange.correct(fill.exec_id, 14.0))
    assert corrected.exec_id == fill.exec_id[:-2] + "02"
    assert values(exchange)["TotalCashValue"] == pytest.approx(cash + 20.0)
    assert exchange.executions() == [corrected]
    with pytest.raises(KeyError):
        exchange.correct(fill.exec_id, 13.0)


def test_equal_requests_at_equal_steps_give_equal_reports() -> None:
    def run() -> list[Report]:
        market, exchange = venue(size=2)
        reports = list(exchange.submit(condor("BUY", 3, -11.0)))
        market.advance(market.now + timedelta(seconds=5))
        return reports + list(exchange.match()) + list(exchange.cancel(7, 1))

    assert run() == run()
