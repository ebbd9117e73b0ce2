"""Units are counted by the leg that is behind, cash to the cent, ages to the second, round trips once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.engine import book
from bot.engine.book import ENDED_ORDERS_KEPT, round_trips
from bot.engine.state import EngineState, OrderLine
from market.contract import Action, Combo, Leg, Right
from market.order import OrderStatus
from strategies.base import Intent
from tests.bot.engine.desk import (
    NOW,
    SESSION,
    at_work,
    execution,
    executions,
    later,
    order_line,
    ready,
    report,
)
from tests.risk.book import condor, option

WEEK_AND_A_DAY = timedelta(days=8)
#: Two calls bought between one sold below and one sold above.
FLY = Combo(
    tuple(
        Leg(option(strike, Right.CALL), action, ratio)
        for strike, action, ratio in ((3450, Action.SELL, 1), (3500, Action.BUY, 2), (3550, Action.SELL, 1))
    )
)


def counted(state: EngineState, line: OrderLine) -> OrderLine:
    return state.orders[line.order.order_ref]


def test_units_are_those_of_the_leg_that_is_furthest_behind() -> None:
    line = order_line(combo=FLY, quantity=5)
    state = at_work(line)
    for leg, units in ((0, 3), (2, 3)):
        state = book.apply_execution(state, execution(line, leg, units, f"a{leg}.01"), NOW)
        assert counted(state, line).order.filled == 0
    state = book.apply_execution(state, execution(line, 1, 1, "a1.01"), NOW)
    assert (counted(state, line).order.filled, counted(state, line).order.status) == (1, OrderStatus.WORKING)
    state = book.apply_execution(state, execution(line, 1, 2, "b1.01"), NOW)
    assert counted(state, line).order.filled == 3


def test_what_is_adopted_and_taken_back_counts_each_leg_as_often_as_it_stands_in_a_unit() -> None:
    line = order_line(combo=FLY, status=OrderStatus.UNKNOWN)
    state = book.adopt(at_work(line), line, 2, NOW)
    held = {con_id: one.quantity for con_id, one in state.portfolio.positions().items()}
    assert held == {leg.contract.con_id: 2 * leg.signed_ratio for leg in FLY.legs}
    for one in executions(line, 2):
        state = book.apply_execution(state, one, later(5))
    assert {con_id: one.quantity for con_id, one in state.portfolio.positions().items()} == held
    assert state.structures[line.structure_id].quantity == 2


def test_the_cash_of_an_order_and_of_both_sides_of_its_structure_is_the_sum_of_its_fills() -> None:
    line = order_line(quantity=3)
    closing = order_line("alvh:iron_condor:20200203T153000-2", condor().reversed(), 3, intent=Intent.CLOSE)
    state = at_work(closing, at_work(line))
    paid = {one.order.order_ref: 0.0 for one in (line, closing)}
    for order, tag, price in ((line, "o", 2.0), (line, "p", 7.5), (closing, "c", 1.0), (closing, "d", 3.25)):
        for leg in range(4):
            one = execution(order, leg, 1, f"{tag}{leg}.01", price * (leg + 1) ** 2)
            paid[order.order.order_ref] += one.fill.quantity * one.fill.price
            state = book.apply_execution(state, one, NOW)
    structure = state.structures[line.structure_id]
    assert counted(state, line).cost == structure.opened_cost == paid[line.order.order_ref] != 0.0
    assert counted(state, closing).cost == structure.closed_cost == paid[closing.order.order_ref] != 0.0


@pytest.mark.parametrize(
    ("age", "counts"), [(WEEK_AND_A_DAY, True), (WEEK_AND_A_DAY + timedelta(seconds=1), False)]
)
def test_an_execution_counts_up_to_the_age_at_which_a_broker_tells_it_again(
    age: timedelta, counts: bool
) -> None:
    line = order_line()
    told = execution(line, 0, 1, "old.01")
    state = book.apply_execution(at_work(line), replace(told, fill=replace(told.fill, time=NOW - age)), NOW)
    assert bool(counted(state, line).filled_legs) is counts


@pytest.mark.parametrize(("left", "kept"), [(timedelta(seconds=1), True), (timedelta(0), False)])
def test_ended_orders_and_old_words_are_forgotten_when_no_execution_can_come_any_more(
    left: timedelta, kept: bool
) -> None:
    ended = NOW - ENDED_ORDERS_KEPT + left
    line = order_line(status=OrderStatus.CANCELLED, ended_at=ended)
    state = book.tidy(replace(at_work(line), held_at={"iron_condor": ended}), NOW)
    assert (line.order.order_ref in state.orders, "iron_condor" in state.held_at) == (kept, kept)


def test_an_order_has_ended_when_that_is_first_told_and_not_before() -> None:
    line = order_line(status=OrderStatus.SENT)
    state = book.report_order(at_work(line), report(line, OrderStatus.WORKING), NOW)
    assert counted(state, line).ended_at is None
    for seconds in (5, 9):
        state = book.report_order(state, report(line, OrderStatus.CANCELLED), later(seconds))
        assert counted(state, line).ended_at == later(5)


def test_what_was_under_way_when_the_line_was_lost_is_doubted() -> None:
    line = order_line()
    assert counted(book.mark_in_flight_unknown(at_work(line)), line).doubted


CLOSING = order_line(
    "alvh:iron_condor:20200203T153000-2",
    condor().reversed(),
    status=OrderStatus.FILLED,
    intent=Intent.CLOSE,
    ended_at=NOW,
)
CLOSED = replace(CLOSING, order=replace(CLOSING.order, filled=2))


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (CLOSED, 1),
        (replace(CLOSED, adjusts=True), 0),
        (replace(CLOSED, intent=Intent.OPEN), 0),
        (CLOSING, 0),
        (replace(CLOSED, ended_at=None), 0),
        (replace(CLOSED, ended_at=NOW - timedelta(days=1)), 0),
    ],
)
def test_a_round_trip_is_a_close_that_filled_and_ended_in_this_session(line: OrderLine, count: int) -> None:
    state = replace(at_work(line), session=SESSION)
    assert round_trips(state) == count
    assert round_trips(replace(state, structures={})) == count


def test_a_structure_sold_in_part_is_no_round_trip_yet_and_two_closes_of_one_are_one() -> None:
    opening = order_line(status=OrderStatus.FILLED)
    state = ready(session=SESSION)
    state = at_work(opening, state)
    for one in executions(opening, 2):
        state = book.apply_execution(state, one, NOW)
    state = at_work(CLOSED, state)
    assert round_trips(state) == 0
    again = replace(CLOSED, order=replace(CLOSED.order, order_ref="alvh:iron_condor:20200203T153000-3"))
    flat = at_work(again, at_work(CLOSED, ready(session=SESSION)))
    assert round_trips(flat) == 1
