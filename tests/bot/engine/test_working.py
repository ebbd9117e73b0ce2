"""Orders under way: the walk of the limit, when to give up, and when evidence is overdue."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.parameters import Walk
from bot.engine.state import EngineState, OrderLine, Step
from bot.engine.working import cancel_all, cancel_opening, tend, walked_limit
from bot.events import Alert, CancelOrder, Command, MoveWithheld, Reconcile, ReplaceOrder
from market.order import OrderStatus
from market.tick import round_down
from risk.state import Cause, RiskState
from strategies.base import Intent
from tests.bot.engine.desk import NOW, at_work, executions, later, order_line, ready, take
from tests.risk.book import condor

DWELL, CLOSING_DWELL, WALK_STEPS = timedelta(seconds=120), timedelta(seconds=20), 5
LINE = order_line()
CLOSING = order_line(
    "alvh:iron_condor:20200203T153000-2", condor().reversed(), intent=Intent.CLOSE, structure_id="held"
)
HEDGE = order_line("alvh:near_term:20200203T153000-3", structure_id="hedge", reserves=True)
MOVABLE = (OrderStatus.WORKING, OrderStatus.PARTIAL)


def tended(
    state: EngineState, time: datetime = NOW, trading_open: bool = True, dwell: timedelta = DWELL
) -> Step:
    """One look after the orders."""
    return tend(state, time, Walk(WALK_STEPS, CLOSING_DWELL, lambda strategy: dwell), trading_open)


def stands(line: OrderLine, status: OrderStatus) -> OrderLine:
    """The order in another status."""
    return replace(line, order=replace(line.order, status=status))


def caused(*causes: Cause) -> RiskState:
    """A risk state with these causes."""
    state = RiskState()
    for cause in causes:
        state = state.with_cause(cause, "seen")
    return state


def wire(step: Step) -> list[Command]:
    """Commands about orders."""
    return [one for one in step.commands if isinstance(one, (CancelOrder, ReplaceOrder))]


ticks = st.sampled_from([0.01, 0.05])


@given(ticks, st.integers(-4000, 4000), st.integers(0, 400), st.integers(0, 9) | st.just(0))
def test_the_walk_starts_at_its_first_limit_never_turns_and_never_passes_the_worst(
    tick: float, first: int, distance: int, off_tick: int
) -> None:
    start = round_down(first * tick, tick)
    worst = round(start + distance * tick + off_tick * tick / 10, 6)
    walk = [walked_limit(start, worst, tick, steps, WALK_STEPS) for steps in range(WALK_STEPS + 3)]
    assert walk[0] == start
    assert walk == sorted(walk)
    assert all(limit <= worst for limit in walk)
    assert all(abs(limit / tick - round(limit / tick)) < 1e-6 for limit in walk)
    assert walk[WALK_STEPS] == round_down(worst, tick)
    assert walk[-1] == walk[WALK_STEPS]


@pytest.mark.parametrize("status", MOVABLE)
def test_a_limit_that_stood_long_enough_takes_the_next_step(status: OrderStatus) -> None:
    state = at_work(stands(LINE, status))
    assert tended(state, later(119)).commands == ()
    step = tended(state, later(120))
    assert step.commands == (ReplaceOrder(LINE.order.order_ref, -4.8),)
    assert [(one.verb, one.reason, one.limit) for one in step.decisions] == [
        (Verb.REPRICE, "step 1 of 5", -4.8)
    ]
    moved = step.state.orders[LINE.order.order_ref]
    assert (moved.order.limit, moved.steps, moved.priced_at) == (-4.8, 1, later(120))


def test_a_move_that_did_not_go_out_is_undone_once_and_with_its_reason() -> None:
    state = tended(at_work(replace(LINE, steps=2)), later(120)).state
    moved = state.orders[LINE.order.order_ref]
    event = MoveWithheld(LINE.order.order_ref, moved.order.limit, "halted")
    step = take(state, event, later(121))
    stands = step.state.orders[LINE.order.order_ref]
    assert (stands.order.limit, stands.steps, stands.priced_at) == (LINE.order.limit, 2, later(120))
    assert [(one.verb, one.reason, one.limit) for one in step.decisions] == [
        (Verb.REPRICE, "its limit stays where it was: halted", LINE.order.limit)
    ]
    for other in (event, replace(event, limit=-4.4), replace(event, order_ref="another")):
        assert take(step.state, other, later(122)).decisions == ()


def test_a_closing_order_walks_faster_than_an_opening_one() -> None:
    assert tended(at_work(CLOSING), later(19)).commands == ()
    assert tended(at_work(CLOSING), later(20)).commands == (ReplaceOrder(CLOSING.order.order_ref, -4.8),)


def test_a_step_that_moves_nothing_is_counted_without_a_message() -> None:
    near = replace(LINE, limit_worst=-4.95, steps=1, order=replace(LINE.order, limit=-4.95))
    step = tended(at_work(near), later(120))
    assert (step.commands, step.decisions) == ((), ())
    assert step.state.orders[LINE.order.order_ref].steps == 2


def test_an_order_that_began_at_its_worst_price_is_given_up_after_one_dwell() -> None:
    step = tended(at_work(replace(LINE, limit_worst=LINE.limit_first)), later(120))
    assert [type(command) for command in step.commands] == [CancelOrder]


def test_after_its_last_step_an_order_is_given_up() -> None:
    state = at_work(replace(LINE, steps=WALK_STEPS))
    step = tended(state, later(120))
    reason = "not filled at the worst price this decision allows"
    assert step.commands == (CancelOrder(LINE.order.order_ref, reason),)
    assert step.state.orders[LINE.order.order_ref].order.status is OrderStatus.CANCEL_SENT


@pytest.mark.parametrize("line", [LINE, CLOSING])
def test_before_the_session_ends_every_order_goes(line: OrderLine) -> None:
    step = tended(at_work(line), trading_open=False)
    assert step.commands == (
        CancelOrder(line.order.order_ref, "no orders now: the session ends, or the gateway restarts"),
    )


@pytest.mark.parametrize(
    "status",
    [OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN, OrderStatus.CANCEL_SENT, OrderStatus.FILLED],
)
def test_an_order_in_doubt_or_over_is_neither_moved_nor_cancelled(status: OrderStatus) -> None:
    state = at_work(stands(LINE, status), ready(risk=caused(Cause.OPERATOR)))
    assert wire(tended(state, later(500), trading_open=False)) == []


def test_reducing_cancels_what_opens_and_lets_what_closes_work_on() -> None:
    state = at_work(CLOSING, at_work(LINE, ready(risk=caused(Cause.DATA))))
    assert tended(state, NOW).commands == (CancelOrder(LINE.order.order_ref, "trading is reducing"),)


def test_a_loss_leaves_a_hedge_at_work_and_anything_worse_does_not() -> None:
    state = at_work(HEDGE, at_work(LINE, ready(risk=caused(Cause.LOSS))))
    assert [one.order_ref for one in wire(tended(state))] == [LINE.order.order_ref]  # type: ignore[union-attr]  # both have one
    state = replace(state, risk=caused(Cause.LOSS, Cause.DATA))
    assert len(wire(tended(state))) == 2


def test_halted_cancels_every_order_and_moves_none() -> None:
    state = at_work(HEDGE, at_work(CLOSING, at_work(LINE, ready(risk=caused(Cause.OPERATOR)))))
    step = tended(state, later(500))
    assert [type(one) for one in wire(step)] == [CancelOrder] * 3
    assert {one.reason for one in step.decisions} == {"trading is halted"}


def test_a_stop_cancels_opening_orders_even_unacknowledged_ones_and_no_others() -> None:
    state = ready()
    for number, status in enumerate(OrderStatus):
        state = at_work(stands(order_line(f"open-{number}", structure_id=f"s{number}"), status), state)
    state = at_work(CLOSING, state)
    step = cancel_opening(state, NOW, "stopping")
    cancelled = {step.state.orders[one.order_ref].order for one in wire(step)}  # type: ignore[union-attr]  # all cancels
    assert {order.status for order in cancelled} == {OrderStatus.CANCEL_SENT}
    before = {state.orders[order.order_ref].order.status for order in cancelled}
    assert before == {OrderStatus.INTENT, OrderStatus.SENT, *MOVABLE}


# ------------------------------------------------------------------ evidence


def asks(state: EngineState, time: datetime) -> bool:
    """Whether the broker is asked for all it knows."""
    return any(isinstance(one, Reconcile) for one in tended(state, time).commands)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (stands(LINE, OrderStatus.INTENT), 10),
        (stands(LINE, OrderStatus.SENT), 10),
        (stands(LINE, OrderStatus.CANCEL_SENT), 30),
        (replace(stands(LINE, OrderStatus.FILLED), told=2, ended_at=NOW), 5),
        (replace(stands(LINE, OrderStatus.CANCELLED), told=1, ended_at=NOW), 5),
    ],
)
def test_overdue_evidence_is_asked_for(line: OrderLine, seconds: int) -> None:
    state = at_work(line)
    assert not asks(state, later(seconds - 1))
    assert asks(state, later(seconds))


def test_an_unknown_order_is_asked_about_at_once() -> None:
    assert asks(at_work(stands(LINE, OrderStatus.UNKNOWN)), NOW)


def test_odd_legs_are_asked_about_after_a_moment() -> None:
    state = at_work(LINE)
    for one in executions(LINE, 1, legs=3):
        state = apply_execution(state, one, NOW)
    assert not asks(state, later(4))
    assert asks(state, later(5))
    for one in executions(LINE, 1):
        state = apply_execution(state, one, NOW)
    assert not asks(state, later(5))


def test_a_mismatch_is_asked_about_until_it_is_gone() -> None:
    assert asks(ready(risk=caused(Cause.MISMATCH)), NOW)
    assert not asks(ready(), NOW)


def test_the_same_question_waits_half_a_minute() -> None:
    step = tended(at_work(stands(LINE, OrderStatus.UNKNOWN)), NOW)
    assert not asks(step.state, later(29))
    assert asks(step.state, later(30))


def test_an_order_that_was_in_doubt_is_cancelled_in_its_turn_and_never_moved() -> None:
    doubted = replace(LINE, doubted=True)
    assert wire(tended(at_work(doubted), NOW + DWELL - timedelta(seconds=1))) == []
    (command,) = wire(tended(at_work(doubted), NOW + DWELL))
    assert isinstance(command, CancelOrder)
    assert "a new attempt" in command.reason


def test_a_cancellation_that_stays_unanswered_is_asked_about_and_told() -> None:
    cancelled = stands(LINE, OrderStatus.CANCEL_SENT)
    assert not tended(at_work(cancelled), NOW + timedelta(seconds=29)).commands
    commands = tended(at_work(cancelled), NOW + timedelta(seconds=30)).commands
    assert [type(one) for one in commands] == [Reconcile, Alert]


def test_everything_that_may_trade_is_cancelled_once_and_what_is_in_doubt_each_time() -> None:
    doubtful = replace(stands(HEDGE, OrderStatus.UNKNOWN), doubted=True)
    state = at_work(doubtful, at_work(CLOSING, at_work(stands(LINE, OrderStatus.CANCEL_SENT))))
    first = cancel_all(state, NOW, "halt")
    doubted, closing = (CancelOrder(one.order.order_ref, "halt") for one in (HEDGE, CLOSING))
    assert wire(first) == [closing, doubted]
    again = cancel_all(first.state, later(5), "halt")
    assert wire(again) == [doubted]
