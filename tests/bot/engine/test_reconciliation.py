"""Reconciliation: broker, executions and structures agree, or trading is reduced until they do."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.reconciliation import ABSENCE_PROOF, is_settled
from bot.engine.state import EngineState, OrderLine
from bot.events import (
    Alert,
    CancelOrder,
    CommissionReported,
    Executed,
    OperatorCommanded,
    OrderReported,
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


# ------------------------------------------------------------------ orders the broker does not know


def test_an_absent_order_is_unknown_at_first_and_lost_after_a_second_snapshot_a_minute_later() -> None:
    state = after(at_work(UNNAMED), known())
    assert status(state) is OrderStatus.UNKNOWN
    assert state.risk.trading is TradingState.REDUCING
    state = after(state, known(), time=later(59))
    assert status(state) is OrderStatus.UNKNOWN
    step = take(state, known(), later(60))
    state = step.state
    assert (Verb.BOOK, REF, "lost") in [(one.verb, one.order_ref, one.reason) for one in step.decisions]
    assert status(state) is OrderStatus.LOST
    assert state.orders[REF].order.reason == "the broker knows no such order"
    assert state.risk.causes == ()


def test_an_absent_order_is_not_proved_lost_while_any_position_differs_and_halts_a_minute_later() -> None:
    state = after(at_work(UNNAMED), known())
    differs = known((), [(77, 1)])
    state = after(state, differs, time=later(60))
    assert (status(state), state.risk.trading) == (OrderStatus.UNKNOWN, TradingState.REDUCING)
    state = after(state, differs, time=later(119))
    assert (status(state), state.risk.trading) == (OrderStatus.UNKNOWN, TradingState.REDUCING)
    done = take(state, differs, later(120))
    assert status(done.state) is OrderStatus.UNKNOWN
    assert dict(done.state.risk.causes)[Cause.HALT] == (
        f"{REF} is not listed by the broker, and the books differ: "
        "contract 77: journal 0, broker 1, structures 0"
    )
    assert CancelOrder(REF, "trading is halted") in done.commands
    refused = take(done.state, OperatorCommanded("resume", "ann", "it is gone"), later(121))
    assert refused.state.risk.trading is TradingState.HALTED
    state = after(refused.state, known(), time=later(130))
    assert status(state) is OrderStatus.LOST
    resumed = after(state, OperatorCommanded("resume", "ann", "the books agree"), time=later(131))
    assert resumed.risk.causes == ()


def test_a_difference_that_is_gone_in_the_next_snapshot_lets_the_absent_order_be_lost() -> None:
    state = after(at_work(UNNAMED), known())
    state = after(state, known((), [(77, 1)]), time=later(60))
    state = after(state, known(), time=later(90))
    assert status(state) is OrderStatus.LOST
    assert state.risk.causes == ()


def test_an_absent_order_is_not_proved_lost_while_an_order_of_a_stranger_works() -> None:
    stranger = OrderReported("", 55, OrderStatus.WORKING)
    state = after(at_work(UNNAMED), known())
    for seconds in (60, 90, 119):
        state = after(state, known([stranger]), time=later(seconds))
        assert status(state) is OrderStatus.UNKNOWN
    state = after(state, known([stranger]), time=later(120))
    assert "working order perm id 55 is not ours" in dict(state.risk.causes)[Cause.HALT]


def test_a_listing_of_a_gateway_that_has_lost_the_broker_proves_no_absence() -> None:
    away = replace(at_work(UNNAMED), connected=False)
    state = after(away, known())
    assert state.orders[REF].absent_since is None
    state = after(replace(state, connected=True), known(), time=later(60))
    assert (status(state), state.orders[REF].absent_since) == (OrderStatus.UNKNOWN, later(60))
    state = after(replace(state, connected=False), known(), time=later(121))
    assert status(state) is OrderStatus.UNKNOWN
    assert status(after(replace(state, connected=True), known(), time=later(122))) is OrderStatus.LOST


@pytest.mark.parametrize("hour", [0, 1])
def test_a_listing_within_the_brokers_reset_proves_no_absence(hour: int) -> None:
    within = datetime(2020, 2, 4, hour + 5, 40, tzinfo=UTC)  # 00:40 and 01:40 in New York
    state = after(at_work(UNNAMED), known(), time=within)
    state = after(state, known(), time=within + timedelta(minutes=2))
    assert (status(state), state.orders[REF].absent_since) == (OrderStatus.UNKNOWN, None)
    after_it = datetime(2020, 2, 4, 6, 45, tzinfo=UTC)
    state = after(state, known(), time=after_it)
    assert status(state) is OrderStatus.UNKNOWN
    assert status(after(state, known(), time=after_it + timedelta(seconds=60))) is OrderStatus.LOST


def test_an_absent_order_that_traded_in_part_is_cancelled_not_lost() -> None:
    state = at_work(LINE)
    for one in executions(LINE, 1):
        state = apply_execution(state, one, NOW)
    held_now = held((condor(), 1))
    state = after(state, known((), held_now))
    state = after(state, known((), held_now), time=later(61))
    assert status(state) is OrderStatus.CANCELLED
    assert state.busy_structures() == frozenset()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["absent", "listed", "doubt", "filled"]), st.integers(0, 100))))
def test_unknown_ends_by_broker_evidence_or_by_two_snapshots_a_minute_apart_without_the_order(
    told: list[tuple[str, int]],
) -> None:
    line = replace(UNNAMED, order=replace(UNNAMED.order, status=OrderStatus.UNKNOWN))
    state, time = at_work(line), NOW
    absent_since: datetime | None = None
    is_named = False
    for word, seconds in told:
        time += timedelta(seconds=seconds)
        if word == "absent":
            event: Reconciled | OrderReported = known()
        elif word == "doubt":
            event = report(line, OrderStatus.UNKNOWN)
        elif word == "listed":
            event = known((report(line, OrderStatus.UNKNOWN),))
        else:
            event = report(line, OrderStatus.FILLED)
        state = after(state, event, time=time)
        is_named = is_named or word in {"doubt", "listed"}
        proved = absent_since is not None and time - absent_since >= ABSENCE_PROOF
        if word == "absent":
            absent_since = absent_since or time
        elif word == "listed":
            absent_since = None
        if word == "filled":
            assert status(state) is OrderStatus.FILLED
            return
        if word == "absent" and proved:
            assert status(state) is (OrderStatus.CANCELLED if is_named else OrderStatus.LOST)
            return
        assert status(state) is OrderStatus.UNKNOWN


def test_an_order_that_comes_back_starts_the_proof_anew() -> None:
    state = after(at_work(LINE), known())
    state = after(state, known([WORKING]), time=later(30))
    assert status(state) is OrderStatus.WORKING
    state = after(state, known(), time=later(61))
    assert status(state) is OrderStatus.UNKNOWN


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
    assert mismatch(state) == "SPXW 2020-03-20 3050 P: journal 2, broker 0, structures 2"
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
