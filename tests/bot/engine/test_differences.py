"""What the broker does not hold: a close at work for it is taken back, at once when executions prove it."""

from dataclasses import replace

import pytest

from bot.engine.decision import Verb
from bot.engine.differences import missing, unheld
from bot.engine.parameters import Walk
from bot.engine.state import Difference, EngineState, Step
from bot.engine.working import take_back, tend
from bot.events import Alert, CancelOrder, Command, PositionMoved, ReplaceOrder
from market.order import OrderStatus
from risk.state import Cause
from strategies.base import Intent
from tests.bot.engine.desk import NOW, after, at_work, execution, executions, held, known, later, report, take
from tests.bot.engine.desk import order_line as line_of
from tests.bot.engine.test_closed_by_hand import KEY, LINE, by_hand, holding
from tests.bot.engine.test_working import CLOSING_DWELL, DWELL, WALK_STEPS
from tests.risk.book import condor

CLOSE = line_of(
    "alvh:iron_condor:20200203T153000-3", condor().reversed(), intent=Intent.CLOSE, structure_id=KEY
)
REF = CLOSE.order.order_ref
LEGS = [leg.contract.con_id for leg in LINE.order.combo.legs]


def closing() -> EngineState:
    """Two units held, and a close for both at work."""
    return at_work(CLOSE, holding())


def moved(state: EngineState, units: int, seconds: float = 0.0) -> EngineState:
    """The broker tells leg by leg that so many units are left."""
    for con_id, count in held((condor(), units)) if units else [(con_id, 0) for con_id in LEGS]:
        state = after(state, PositionMoved(con_id, count), time=later(seconds))
    return state


def tended(state: EngineState, seconds: float) -> Step:
    """One look after the orders."""
    return tend(state, later(seconds), Walk(WALK_STEPS, CLOSING_DWELL, lambda strategy: DWELL), True)


def wire(step: Step) -> list[type[Command]]:
    """Kinds of commands about orders."""
    return [type(one) for one in step.commands if isinstance(one, (CancelOrder, ReplaceOrder))]


def test_a_close_for_what_executions_say_a_person_closed_is_cancelled_at_once_with_its_reason() -> None:
    listing = known([report(CLOSE, OrderStatus.WORKING)], held((condor(), 1)), by_hand(1))
    step = take(closing(), listing, later(1))
    (decision,) = [one for one in step.decisions if one.verb is Verb.CANCEL]
    assert decision.order_ref == REF
    assert decision.reason.startswith("it would take more than is held: SPXW 2020-03-20 3050 P -2 of 1")
    assert wire(step) == [CancelOrder]
    assert "close.taken_back" in [one.name for one in step.commands if isinstance(one, Alert)]
    assert wire(tended(step.state, 60)) == []  # once


def test_executions_told_one_by_one_take_the_close_back_with_the_first() -> None:
    first, *rest = by_hand(1)
    step = take(closing(), first)
    assert wire(step) == [CancelOrder]
    assert [kind for one in rest for kind in wire(take(step.state, one))] == []


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.WORKING, OrderStatus.PARTIAL])
def test_whatever_may_trade_is_taken_back(status: OrderStatus) -> None:
    line = replace(CLOSE, order=replace(CLOSE.order, status=status))
    assert wire(take(at_work(line, holding()), by_hand(1)[0])) == [CancelOrder]


def test_positions_alone_hold_the_limit_still_and_take_the_close_back_after_five_seconds() -> None:
    state = moved(closing(), 1, 17)
    assert unheld(state, CLOSE, later(17))[1] is False
    assert wire(tended(closing(), 21)) == [ReplaceOrder]
    assert wire(tended(state, 21)) == []
    assert wire(tended(state, 22)) == [CancelOrder]
    assert wire(tended(moved(state, 0, 20), 22)) == [CancelOrder]  # it counts from the first news


def test_executions_of_our_own_behind_the_positions_explain_them() -> None:
    state = moved(closing(), 1, 17)
    state = after(state, *executions(CLOSE, 1, "c"), time=later(18))
    assert missing(state) == {}
    assert state.differing == {}  # nor do the next unit's executions, ahead of its positions, lack anything
    assert wire(tended(state, 30)) == [ReplaceOrder]
    again = moved(state, 0, 30)  # another difference, with a time of its own
    assert {one.since for one in again.differing.values()} == {later(30)}
    assert wire(tended(again, 34)) == []
    assert wire(tended(again, 35)) == [CancelOrder]


def test_legs_of_our_own_close_that_come_one_by_one_hinder_nothing() -> None:
    state = closing()
    for index in range(4):
        state = after(state, execution(CLOSE, index, 1, f"c{index}.01"))
        state = replace(state, risk=state.risk.with_cause(Cause.MISMATCH, "seen"))
        assert unheld(state, state.orders[REF], NOW) == ("", False)


def test_what_the_broker_holds_again_is_forgotten() -> None:
    state = moved(closing(), 1, 1)
    assert state.differing[LEGS[0]] == Difference(2, 1, later(1))
    assert moved(state, 2, 2).differing == {}
    assert after(state, known((), held((condor(), 2))), time=later(2)).differing == {}


def test_a_list_keeps_since_when_a_contract_differs() -> None:
    state = after(moved(closing(), 1, 1), known((), held((condor(), 1))), time=later(3))
    assert {one.since for one in state.differing.values()} == {later(1)}


def test_two_closes_of_what_is_left_for_one_are_both_taken_back() -> None:
    second = line_of("alvh:iron_condor:20200203T153000-5", structure_id="other")
    state = at_work(second, closing())
    state = after(state, *executions(second, 2, "y"))
    other = replace(CLOSE, structure_id="other", order=replace(CLOSE.order, order_ref="other-close"))
    state = moved(at_work(other, state), 4)
    assert state.differing == {}
    assert wire(take_back(moved(state, 3), later(9))) == [CancelOrder, CancelOrder]


def test_an_opening_order_is_no_concern_of_it() -> None:
    state = replace(closing(), risk=closing().risk.with_cause(Cause.MISMATCH, "seen"))
    assert unheld(state, LINE, NOW) == ("", False)


def test_a_close_of_a_leg_that_turned_round_is_taken_back_whatever_is_left() -> None:
    assert wire(tended(moved(closing(), -1), 6)) == [CancelOrder]
    more = after(closing(), *by_hand(3))
    assert wire(tended(replace(more, orders={**more.orders, REF: CLOSE}), 0)) == [CancelOrder]
