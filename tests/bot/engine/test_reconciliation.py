"""Reconciliation: broker, executions and structures agree, or trading is reduced until they do."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.reconciliation import is_settled
from bot.engine.state import EngineState, OrderLine
from bot.events import (
    Alert,
    CancelOrder,
    Command,
    CommissionReported,
    Executed,
    OperatorCommanded,
    OrderReported,
    PositionMoved,
    QuotesTaken,
    Reconcile,
    Reconciled,
)
from market.contract import Contract, Right, SecurityType
from market.order import Fill, OrderStatus
from risk.state import Cause, TradingState
from strategies.base import Intent
from tests.bot.engine.desk import (
    NOW,
    after,
    at_work,
    execution,
    executions,
    held,
    known,
    later,
    order_line,
    ready,
    report,
    take,
)
from tests.risk.book import EXPIRY, condor, option, vix_spread

LINE = order_line()
REF = LINE.order.order_ref
WORKING = report(LINE, OrderStatus.WORKING)
UNNAMED = replace(LINE, order=replace(LINE.order, perm_id=0))


def mismatch(state: EngineState) -> str:
    """What does not add up, or nothing."""
    return dict(state.risk.causes).get(Cause.MISMATCH, "")


def status(state: EngineState, ref: str = REF) -> OrderStatus:
    """Where an order stands."""
    return state.orders[ref].order.status


def filled(line: OrderLine = LINE, units: int = 2, state: EngineState | None = None) -> EngineState:
    """The order filled by its executions."""
    state = at_work(line, state)
    for one in executions(line, units, line.structure_id):
        state = apply_execution(state, one, NOW)
    return state


HELD = held((condor(), 2))


# ------------------------------------------------------------------ executions


def test_executions_missed_while_the_link_was_down_are_taken_with_their_commissions() -> None:
    state = at_work(LINE)
    found = Reconciled(
        (report(LINE, OrderStatus.FILLED, 2),),
        executions(LINE, 2),
        HELD,
        (CommissionReported("x0.01", 2.6),),
    )
    step = take(state, found, later(5))
    assert "filled 2 of 2 at 0" in [one.reason for one in step.decisions]
    again = take(step.state, found, later(6))
    assert again.decisions == ()
    state = again.state
    structure = state.structures[LINE.structure_id]
    assert (structure.quantity, structure.fees_usd, status(state)) == (2, 2.6, OrderStatus.FILLED)
    assert state.risk.causes == ()


def test_an_execution_told_under_a_garbled_number_is_the_one_that_is_listed_and_not_one_more() -> None:
    state = at_work(LINE)
    garbled, *rest = executions(LINE, 2)
    state = after(state, replace(garbled, fill=replace(garbled.fill, exec_id="y7.01")), *rest)
    found = Reconciled((), executions(LINE, 2), HELD, (CommissionReported("x0.01", 2.6),))
    done = take(state, found, later(5))
    assert [one.name for one in done.commands if isinstance(one, Alert)] == ["execution.renumbered"]
    state = done.state
    assert sorted(state.portfolio.fills) == ["x0", "x1", "x2", "x3"]
    assert state.structures[LINE.structure_id].fees_usd == 2.6
    assert (state.orders[REF].order.filled, state.risk.causes) == (2, ())


def test_an_equal_execution_is_one_more_while_the_first_is_listed_as_well() -> None:
    one = executions(LINE, 1)
    two = executions(LINE, 1, "z")
    state = after(at_work(LINE), *one)
    state = after(state, Reconciled((), (*one, *two), HELD), time=later(5))
    assert len(state.portfolio.fills) == 8
    assert (state.orders[REF].order.filled, state.risk.causes) == (2, ())


# ------------------------------------------------------------------ what does not add up


def test_equal_accounts_lift_a_mismatch() -> None:
    state = after(filled(), known((), ()))
    assert mismatch(state).startswith("SPXW 2020-03-20 3050 P: journal 2, broker 0, structures 2; SPXW ")
    assert state.risk.trading is TradingState.REDUCING
    state = after(state, known((), HELD), time=later(1))
    assert state.risk.causes == ()


def test_a_position_the_journal_does_not_know_is_a_mismatch() -> None:
    assert mismatch(after(ready(), known((), [(77, 3)]))) == "contract 77: journal 0, broker 3, structures 0"


def test_a_flat_row_is_no_position() -> None:
    assert mismatch(after(ready(), known((), [(77, 0)]))) == ""


def test_a_leg_closed_by_hand_stays_a_mismatch_although_the_positions_agree() -> None:
    wing = condor().legs[0].contract
    by_hand = Executed(Fill("m.01", "", 5, wing.con_id, -2, 1.0, NOW), wing)
    left = [(con_id, count) for con_id, count in HELD if con_id != wing.con_id]
    state = after(filled(), by_hand, known((), left))
    assert mismatch(state) == "SPXW 2020-03-20 3050 P: journal 0, broker 0, structures 2"


def test_a_working_order_that_is_not_ours_is_a_mismatch_an_ended_one_is_not() -> None:
    by_hand = OrderReported("", 55, OrderStatus.WORKING)
    assert mismatch(after(ready(), known([by_hand]))) == "working order perm id 55 is not ours"
    ended = replace(by_hand, status=OrderStatus.CANCELLED)
    assert mismatch(after(ready(), known([ended]))) == ""


def test_one_order_listed_under_two_permanent_ids_halts_and_is_cancelled() -> None:
    twin = replace(WORKING, perm_id=901)
    for line in (LINE, UNNAMED):
        done = take(at_work(line), known([WORKING, twin]))
        assert "lives twice" in dict(done.state.risk.causes)[Cause.HALT]
        assert CancelOrder(REF, "trading is halted") in done.commands


def test_an_order_the_journal_has_ended_but_the_broker_works_halts_and_is_cancelled() -> None:
    lost = order_line(status=OrderStatus.LOST)
    for event in (known([WORKING]), WORKING):
        done = take(at_work(lost), event)
        fault = dict(done.state.risk.causes)[Cause.HALT]
        assert "is lost here and works at the broker" in fault
        assert CancelOrder(REF, fault) in done.commands


def test_an_overfilled_order_halts_until_a_person_resumes_though_the_positions_agree() -> None:
    state = after(filled(units=3), known((), held((condor(), 3))))
    assert mismatch(state) == ""
    assert state.risk.trading is TradingState.HALTED
    state = after(state, OperatorCommanded("resume", "ann", "one more it is"))
    assert after(state, known((), held((condor(), 3)))).risk.trading is TradingState.ACTIVE


def test_half_a_structure_is_a_mismatch_once_no_order_works_on_it() -> None:
    line = order_line(status=OrderStatus.CANCELLED)
    state = at_work(line)
    for one in executions(line, 1, legs=2):
        state = apply_execution(state, one, NOW)
    positions = held((condor(), 1))
    two = [row for row in positions if row[0] in state.portfolio.positions()]
    assert "holds legs that are not whole units" in mismatch(after(state, known((), two)))


def test_legs_that_stay_odd_for_half_a_minute_are_a_mismatch_although_the_order_works() -> None:
    state = at_work(LINE)
    for one in executions(LINE, 1, legs=2):
        state = apply_execution(state, one, NOW)
    two = [row for row in held((condor(), 1)) if row[0] in state.portfolio.positions()]
    assert mismatch(after(state, known([WORKING], two), time=later(29))) == ""
    assert "has waited too long" in mismatch(after(state, known([WORKING], two), time=later(30)))


def test_where_all_agrees_an_order_awaits_no_more_executions_after_a_minute() -> None:
    state = after(at_work(LINE), report(LINE, OrderStatus.FILLED))
    state = after(state, known(), time=later(59))
    assert state.busy_structures() == {LINE.structure_id}
    state = after(state, known(), time=later(60))
    assert state.busy_structures() == frozenset()


# ------------------------------------------------------------------ settlement


def hedge_line(expiry: date) -> OrderLine:
    """A tranche bought."""
    legs = [replace(leg, contract=replace(leg.contract, expiry=expiry)) for leg in vix_spread().legs]
    return order_line(
        "alvh:near_term:20200203T153000-5",
        replace(vix_spread(), legs=tuple(legs)),
        structure_id="near-term-2020-01-31",
        strategy="near_term",
    )


@pytest.mark.parametrize(
    ("time", "settled"),
    [
        (datetime(2020, 3, 20, 19, 59, tzinfo=UTC), False),  # 15:59 in New York
        (datetime(2020, 3, 20, 20, 0, tzinfo=UTC), True),
        (datetime(2020, 3, 21, 1, 0, tzinfo=UTC), True),
    ],
)
def test_a_condor_settles_at_the_cash_close_of_its_expiry_once_the_broker_shows_it_no_more(
    time: datetime, settled: bool
) -> None:
    step = take(filled(), known(), time)
    assert bool(mismatch(step.state)) is not settled
    told = [(one.verb, one.structure_id, one.quantity, one.reason) for one in step.decisions]
    news = (Verb.BOOK, LINE.structure_id, 2, "expired and settled in cash")
    assert (news in told) is settled
    assert bool(step.state.portfolio.positions()) is not settled
    assert (LINE.structure_id in step.state.structures) is not settled


def test_a_vix_tranche_settles_on_the_morning_of_its_settlement_day() -> None:
    line = hedge_line(date(2020, 2, 19))
    state = filled(line)
    opening = datetime(2020, 2, 19, 14, 30, tzinfo=UTC)
    assert mismatch(after(state, known(), time=opening - timedelta(seconds=1)))
    step = take(state, known(), opening)
    assert mismatch(step.state) == ""
    assert [one.reason for one in step.decisions] == ["expired and settled in cash"]


def test_a_settled_contract_the_broker_still_shows_is_neither_settled_here_nor_a_mismatch() -> None:
    time = datetime(2020, 3, 20, 21, 0, tzinfo=UTC)
    state = after(filled(), known((), HELD), time=time)
    assert mismatch(state) == ""
    assert not state.structures[LINE.structure_id].settled
    some = after(state, known((), HELD[:1]), time=time)
    assert mismatch(some) == ""
    assert not some.structures[LINE.structure_id].settled


def test_hearing_of_an_execution_again_after_settlement_changes_nothing() -> None:
    time = datetime(2020, 2, 5, 21, 30, tzinfo=UTC)
    line = order_line(combo=condor(expiry=date(2020, 2, 5)))
    state = after(filled(line), known(), time=time)
    assert state.structures[line.structure_id].settled
    again = after(state, known((), (), executions(line, 2, line.structure_id)), time=time)
    assert again.portfolio.positions() == {}
    assert again.structures == state.structures
    assert mismatch(again) == ""


def test_a_leg_nobody_watches_settles_too() -> None:
    leg = option(3000, Right.PUT, expiry=date(2020, 2, 5))
    state = after(ready(), Executed(Fill("m.01", "", 5, leg.con_id, 1, 1.0, NOW), leg))
    state = after(state, known(), time=datetime(2020, 2, 6, 15, tzinfo=UTC))
    assert state.portfolio.positions() == {}
    assert mismatch(state) == ""


@pytest.mark.parametrize(
    ("contract", "time", "settled"),
    [
        (Contract(SecurityType.STOCK, "SPY"), NOW, False),
        (option(3000, Right.PUT, "XYZ", EXPIRY), datetime(2020, 3, 21, 3, 59, tzinfo=UTC), False),
        (option(3000, Right.PUT, "XYZ", EXPIRY), datetime(2020, 3, 21, 4, 0, tzinfo=UTC), True),
    ],
)
def test_what_our_calendar_does_not_know_settles_when_its_day_is_over_in_new_york(
    contract: Contract, time: datetime, settled: bool
) -> None:
    assert is_settled(contract, time) is settled


@pytest.mark.parametrize("theirs", [25, 400, 0])
def test_shares_whose_count_a_split_or_an_assignment_changes_are_a_mismatch_and_nothing_new_opens(
    theirs: int,
) -> None:
    shares = Contract(SecurityType.STOCK, "VXX", exchange="SMART", con_id=600)
    bought = Executed(Fill("s.01", "", 5, 600, 100, 20.0, NOW), shares)
    state = after(ready(), bought, known((), [(600, theirs)]))
    assert mismatch(state) == f"VXX: journal 100, broker {theirs}, structures 0"
    assert state.risk.trading is TradingState.REDUCING


def test_a_future_held_by_hand_is_named_in_the_mismatch() -> None:
    future = Contract(SecurityType.FUTURE, "VIX", "VX", date(2020, 3, 18), multiplier=1000, con_id=500)
    state = after(ready(), Executed(Fill("f.01", "", 5, 500, 1, 20.0, NOW), future), known((), [(500, 1)]))
    assert mismatch(state) == "VX 2020-03-18: journal 1, broker 1, structures 0"


def test_a_close_filled_while_the_link_was_down_leaves_nothing() -> None:
    closing = order_line(
        "alvh:iron_condor:20200203T153000-9", condor().reversed(), intent=Intent.CLOSE, quantity=2
    )
    state = at_work(closing, filled())
    done = tuple(execution(closing, leg, 2, f"c{leg}.01") for leg in range(4))
    state = after(state, known([report(closing, OrderStatus.FILLED, 2)], (), done))
    assert state.structures[LINE.structure_id].is_flat
    assert state.risk.causes == ()


def test_a_position_told_that_is_not_ours_is_asked_about_at_once_or_by_itself_after_half_a_minute() -> None:
    moved = PositionMoved(4711, 3)
    step = take(ready(), moved, NOW)
    assert step.commands == (Reconcile("the broker holds 3 of contract 4711"),)
    assert take(step.state, moved, later(30)).commands == step.commands
    answered = after(step.state, known(), time=later(1))
    assert asked_in_a_look(answered, 60) == []
    state = take(answered, moved, later(20))
    assert state.commands == ()
    assert asked_in_a_look(state.state, 29) == []
    assert asked_in_a_look(state.state, 30) == [Reconcile("a position told is not ours")]
    assert asked_in_a_look(after(state.state, known(), time=later(25)), 30) == []


def asked_in_a_look(state: EngineState, seconds: float) -> list[Command]:
    """What a look at the market then asks the broker for."""
    commands = take(replace(state, look_due=True), QuotesTaken((), ()), later(seconds)).commands
    return [one for one in commands if isinstance(one, Reconcile)]


def test_a_position_told_that_is_ours_settled_or_told_before_we_know_the_book_asks_nothing() -> None:
    state = filled()
    for con_id, quantity in HELD:
        assert take(state, PositionMoved(con_id, quantity), NOW).commands == ()
        assert take(state, PositionMoved(con_id, quantity + 1), NOW).commands != ()
        settled = datetime(EXPIRY.year, EXPIRY.month, EXPIRY.day, 23, tzinfo=UTC)
        assert take(state, PositionMoved(con_id, 0), settled).commands == ()
    unproved = replace(state, reconciled=False)
    assert take(unproved, PositionMoved(HELD[0][0], 0), NOW).commands == ()
