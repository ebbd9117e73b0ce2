"""Orders of an earlier day: the broker lists them no longer and tells no executions, its positions stay."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.engine import book
from bot.engine.decision import Verb
from bot.engine.reconciliation import ABSENCE_PROOF
from bot.engine.state import EngineState, OrderLine, Step
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from risk.state import Cause, TradingState
from strategies.base import Intent
from tests.bot.engine.desk import NOW, after, at_work, executions, held, known, order_line, report, take
from tests.risk.book import condor

LINE = order_line()
REF = LINE.order.order_ref
UNNAMED = replace(LINE, order=replace(LINE.order, perm_id=0))
HELD = held((condor(), 2))
NEXT_DAY = timedelta(days=1)


def status(state: EngineState) -> OrderStatus:
    """Where the order stands."""
    return state.orders[REF].order.status


def filled() -> EngineState:
    """The order filled by its executions."""
    return after(at_work(LINE), *executions(LINE, 2))


def away(*, held_now: tuple[tuple[int, int], ...], line: OrderLine = LINE, day: timedelta = NEXT_DAY) -> Step:
    """A restart later on: two complete snapshots a minute apart in which the order is not listed any more."""
    state = book.mark_in_flight_unknown(at_work(line))
    state = after(replace(state, connected=True), known((), held_now), time=NOW + day)
    return take(state, known((), held_now), NOW + day + ABSENCE_PROOF)


def test_an_order_that_filled_unseen_on_an_earlier_day_is_known_by_the_positions_alone() -> None:
    done = away(held_now=HELD)
    assert status(done.state) is OrderStatus.FILLED
    assert done.state.structures[LINE.structure_id].quantity == 2
    assert done.state.risk.causes == ()
    (told,) = [one.reason for one in done.decisions if one.verb is Verb.BOOK]
    assert "by the broker's positions" in told


def test_a_part_that_filled_unseen_is_known_and_the_rest_has_ended_with_its_day() -> None:
    state = away(held_now=held((condor(), 1))).state
    assert (status(state), state.orders[REF].order.filled) == (OrderStatus.CANCELLED, 1)
    assert state.risk.causes == ()


def test_an_order_that_ended_unseen_on_an_earlier_day_has_ended() -> None:
    state = away(held_now=()).state
    assert status(state) is OrderStatus.CANCELLED
    assert state.risk.causes == ()


def test_a_close_that_filled_unseen_leaves_its_structure_flat() -> None:
    open_state = filled()
    closing = order_line(
        "alvh:iron_condor:20200203T153000-2",
        condor().reversed(),
        status=OrderStatus.UNKNOWN,
        intent=Intent.CLOSE,
        absent_since=NOW,
    )
    state = after(at_work(closing, open_state), known(), time=NOW + NEXT_DAY)
    assert state.structures[LINE.structure_id].is_flat
    assert state.risk.causes == ()


def ended(told: OrderStatus = OrderStatus.FILLED, units: int = 2, line: OrderLine = LINE) -> EngineState:
    """The broker's status has told the end of the order, and the line went down before its executions."""
    return after(at_work(line), report(line, told, units), time=NOW)


def on(
    state: EngineState, *lists: tuple[tuple[int, int], ...], day: timedelta = NEXT_DAY, apart: float = 60.0
) -> EngineState:
    """Complete snapshots from so much later on, a minute apart, that list no order and tell no execution."""
    for number, positions in enumerate(lists):
        state = after(state, known((), positions), time=NOW + day + number * timedelta(seconds=apart))
    return state


def test_a_fill_told_by_its_status_alone_is_known_by_the_positions_of_the_next_day() -> None:
    once = on(ended(), HELD)
    assert (once.orders[REF].order.filled, once.risk.trading) == (0, TradingState.REDUCING)
    state = on(once, HELD, day=NEXT_DAY + ABSENCE_PROOF)
    assert (status(state), state.orders[REF].order.filled, state.orders[REF].adopted) == (
        OrderStatus.FILLED,
        2,
        2,
    )
    structure = state.structures[LINE.structure_id]
    assert (structure.quantity, structure.opened_cost) == (2, 2 * LINE.order.limit)
    assert (state.risk.causes, state.busy_structures()) == ((), frozenset())


def test_a_part_told_by_a_cancellation_alone_is_known_by_the_positions_of_the_next_day() -> None:
    part = held((condor(), 1))
    state = on(ended(OrderStatus.CANCELLED, 1), part, part)
    assert (status(state), state.orders[REF].order.filled) == (OrderStatus.CANCELLED, 1)
    assert (state.structures[LINE.structure_id].quantity, state.risk.causes) == (1, ())


def test_a_close_told_by_its_status_alone_leaves_its_structure_flat_the_next_day() -> None:
    closing = order_line("alvh:iron_condor:20200203T153000-2", condor().reversed(), intent=Intent.CLOSE)
    state = after(at_work(closing, filled()), report(closing, OrderStatus.FILLED, 2))
    state = on(state, (), ())
    assert (state.structures[LINE.structure_id].is_flat, state.risk.causes) == (True, ())


def test_executions_told_after_all_count_in_place_of_what_was_adopted_from_an_ended_order() -> None:
    state = after(on(ended(), HELD, HELD), *executions(LINE, 2), time=NOW + NEXT_DAY + 2 * ABSENCE_PROOF)
    assert (state.orders[REF].adopted, state.structures[LINE.structure_id].quantity) == (0, 2)
    assert state.structures[LINE.structure_id].opened_cost != 2 * LINE.order.limit
    state = on(state, HELD, day=NEXT_DAY + 3 * ABSENCE_PROOF)
    assert state.risk.causes == ()


@pytest.mark.parametrize(
    ("told", "held_now", "day", "apart"),
    [
        (2, HELD, timedelta(minutes=5), 60.0),  # today's executions are still told
        (2, HELD, NEXT_DAY, 59.0),  # no minute between the lists
        (1, HELD, NEXT_DAY, 60.0),  # more than its status told
        (2, HELD[:3], NEXT_DAY, 60.0),  # no whole units
        (2, tuple((con_id, -count) for con_id, count in HELD), NEXT_DAY, 60.0),
    ],
)
def test_positions_that_an_ended_order_does_not_explain_stay_a_mismatch(
    told: int, held_now: tuple[tuple[int, int], ...], day: timedelta, apart: float
) -> None:
    begun = ended(OrderStatus.CANCELLED if told == 1 else OrderStatus.FILLED, told)
    state = on(begun, held_now, held_now, day=day, apart=apart)
    assert (state.orders[REF].order.filled, state.orders[REF].adopted) == (0, 0)
    assert {cause for cause, _ in state.risk.causes} == {Cause.MISMATCH}


def test_no_list_of_a_gateway_without_its_broker_lets_positions_count() -> None:
    cut = replace(ended(), connected=False)
    state = on(cut, HELD, HELD)
    assert (state.orders[REF].absent_since, state.orders[REF].order.filled) == (None, 0)


@pytest.mark.parametrize(
    ("held_now", "day"),
    [
        (HELD, timedelta(minutes=5)),  # today's executions would have been told
        (held((condor(), 3)), NEXT_DAY),  # more than the order could trade
        (HELD[:3], NEXT_DAY),  # no whole units
        (tuple((con_id, -count) for con_id, count in HELD), NEXT_DAY),  # the other way round
    ],
)
def test_positions_that_the_order_does_not_explain_leave_it_in_doubt_and_the_book_a_mismatch(
    held_now: tuple[tuple[int, int], ...], day: timedelta
) -> None:
    state = away(held_now=held_now, day=day).state
    assert status(state) is OrderStatus.UNKNOWN
    assert {cause for cause, _ in state.risk.causes} == {Cause.MISMATCH, Cause.UNKNOWN_ORDER}


def test_an_order_whose_options_have_settled_since_ended_with_them() -> None:
    state = away(held_now=(), day=timedelta(days=60)).state
    assert (status(state), state.orders[REF].order.filled) == (OrderStatus.CANCELLED, 0)


def test_a_snapshot_in_the_brokers_reset_window_proves_no_absence() -> None:
    night = datetime(2020, 2, 4, 0, 30, tzinfo=MARKET_TZ)
    state = after(at_work(UNNAMED), known(), time=night)
    state = after(state, known(), time=night + timedelta(minutes=74))
    assert status(state) is OrderStatus.UNKNOWN
    morning = night + timedelta(minutes=75)
    state = after(state, known(), time=morning)
    assert status(state) is OrderStatus.UNKNOWN
    assert status(after(state, known(), time=morning + ABSENCE_PROOF)) is OrderStatus.LOST
