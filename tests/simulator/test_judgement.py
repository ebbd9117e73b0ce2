"""What the venue refuses, with the broker's codes, and what it accepts."""

from dataclasses import replace

import pytest

from simulator.floor import HouseRules
from simulator.judgement import notices, range_refusal
from simulator.model import (
    OrderLeg,
    OrderRequest,
)
from tests.simulator.desk import errors, fills, states, venue
from tests.simulator.hand_market import (
    CALL_WING,
    CONDOR_LEGS,
    NAKED_CALL,
    PUT_WING,
    SPX,
    VIX_CALL_20,
    VX,
    condor,
    single,
)

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


@pytest.mark.parametrize(
    ("limit", "middle", "range_pct", "is_refused"),
    [
        (105.0, 100.0, 5.0, False),
        (105.01, 100.0, 5.0, True),
        (94.99, 100.0, 5.0, True),
        (1.0, 100.0, None, False),
        (1.0, None, 5.0, False),
        (None, 100.0, 5.0, False),
    ],
)
def test_the_presets_keep_a_limit_near_the_middle_where_they_are_set(
    limit: float | None, middle: float | None, range_pct: float | None, is_refused: bool
) -> None:
    told = range_refusal(single(PUT_WING, "BUY", 1, limit), middle, range_pct)
    assert (told is not None and told.code == 109) is is_refused


@pytest.mark.parametrize(
    ("action", "quantity", "held", "codes"),
    [
        ("SELL", 3, 2, [2137]),
        ("SELL", 2, 2, []),
        ("BUY", 3, -2, [2137]),
        ("BUY", 3, 2, []),
        ("SELL", 3, 0, []),
    ],
)
def test_only_an_order_that_turns_a_position_over_is_remarked(
    action: str, quantity: int, held: int, codes: list[int]
) -> None:
    remarks = notices(single(PUT_WING, action, quantity, 14.1), held)
    assert [remark.code for remark in remarks] == codes


def test_a_changed_limit_is_held_to_the_presets_too() -> None:
    _, exchange = venue(HouseRules(price_range_pct=50.0))
    resting = single(PUT_WING, "BUY", 1, 13.0)
    assert errors(exchange.submit(resting)) == []
    far = exchange.submit(replace(resting, limit_price=1.0))
    assert [code for code, _ in errors(far)] == [109]
    (left,) = exchange.open_orders(None)
    assert left.request.limit_price == 13.0
