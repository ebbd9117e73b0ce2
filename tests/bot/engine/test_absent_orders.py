"""Orders the broker does not list: two healthy lists and equal books prove them lost, or a person judges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.reconciliation import ABSENCE_PROOF
from bot.events import CancelOrder, OperatorCommanded, OrderReported, Reconciled
from market.order import OrderStatus
from risk.state import Cause, TradingState
from tests.bot.engine.desk import NOW, after, at_work, executions, held, known, later, report, take
from tests.bot.engine.test_reconciliation import LINE, REF, UNNAMED, WORKING, status
from tests.risk.book import condor


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
