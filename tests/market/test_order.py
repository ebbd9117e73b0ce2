"""An order's life is one table: what is over stays over, and only evidence ends what is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import Right, single
from market.order import TRANSITIONS, Order, OrderStatus, execution_base, execution_revision, may_become
from tests.market.options import option

OVER = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.LOST}
statuses = st.sampled_from(list(OrderStatus))


def test_the_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(OrderStatus)


def test_just_the_four_ends_are_terminal() -> None:
    assert {status for status in OrderStatus if status.is_terminal} == OVER


@given(st.sampled_from(sorted(OVER)), st.lists(statuses, max_size=10))
def test_what_is_over_stays_over_whatever_is_reported(end: OrderStatus, reports: list[OrderStatus]) -> None:
    status = end
    for report in reports:
        status = report if may_become(status, report) else status
    assert status is end


@given(st.lists(statuses, max_size=30))
def test_nothing_ever_goes_back_to_being_an_intent(reports: list[OrderStatus]) -> None:
    status = OrderStatus.INTENT
    for report in reports:
        if may_become(status, report):
            status = report
            assert status is not OrderStatus.INTENT


def test_an_order_that_traded_in_part_was_not_rejected() -> None:
    assert not may_become(OrderStatus.PARTIAL, OrderStatus.REJECTED)
    assert not may_become(OrderStatus.PARTIAL, OrderStatus.WORKING)


def test_every_live_status_can_become_unknown_and_every_status_can_end() -> None:
    for status in set(OrderStatus) - OVER - {OrderStatus.UNKNOWN}:
        assert may_become(status, OrderStatus.UNKNOWN)
    reached = set(OVER)
    while True:
        more = {status for status in OrderStatus if TRANSITIONS[status] & reached} | reached
        if more == reached:
            break
        reached = more
    assert reached == set(OrderStatus)


def test_only_what_never_proved_to_arrive_can_be_lost() -> None:
    may_be_lost = {status for status in OrderStatus if may_become(status, OrderStatus.LOST)}
    assert may_be_lost == {OrderStatus.INTENT, OrderStatus.UNKNOWN}


@pytest.mark.parametrize(
    ("exec_id", "base", "revision"),
    [
        ("0000e0d5.65b0.01.01", "0000e0d5.65b0.01", 1),
        ("0000e0d5.65b0.01.02", "0000e0d5.65b0.01", 2),
        ("0000e0d5.65b0.01.10", "0000e0d5.65b0.01", 10),
        ("plain", "plain", 0),
        ("a.b", "a", 0),
    ],
)
def test_an_execution_is_named_without_its_last_segment(exec_id: str, base: str, revision: int) -> None:
    assert execution_base(exec_id) == base
    assert execution_revision(exec_id) == revision


def test_what_is_left_of_an_order_is_what_did_not_trade() -> None:
    order = Order("ref", single(option(100, Right.CALL)), 5, 1.0, filled=2)
    assert order.remaining == 3
