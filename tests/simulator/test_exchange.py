"""The venue's order life, seen through its reports: changes, cancels, closes, what-if, corrections."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.floor import HouseRules
from simulator.model import OrderChanged, OrderError, Report, WhatIfAnswer
from simulator.venue import Venue
from tests.simulator.desk import errors, fills, last_order, states, values, venue
from tests.simulator.hand_market import (
    ACCOUNT,
    CONDOR_LEGS,
    PUT_WING,
    condor,
    single,
)

CLOSE = datetime(2024, 2, 6, 21, 15, tzinfo=UTC)
NEXT_OPEN = datetime(2024, 2, 7, 14, 30, tzinfo=UTC)


def test_the_exchange_is_a_venue() -> None:
    as_venue: Venue = venue()[1]
    assert as_venue.account_id == ACCOUNT


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
