"""The book: executions alone fill, each once; a status moves an order and promises fills, no more."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import book
from bot.engine.decide import review_context
from bot.engine.state import EngineState, OrderLine
from bot.events import CommissionReported, Executed, OrderReported
from market.contract import Contract, SecurityType
from market.order import Fill, OrderStatus, may_become
from risk.state import Cause
from strategies.base import Intent, Structure
from tests.bot.engine.desk import (
    NOW,
    SESSION,
    at_work,
    execution,
    executions,
    held,
    later,
    order_line,
    ready,
    report,
)
from tests.risk.book import condor, vix_spread

OPENING = order_line(quantity=5)
CLOSING = order_line(
    "alvh:iron_condor:20200203T153000-2", condor().reversed(), quantity=5, intent=Intent.CLOSE
)
HEDGE = order_line(
    "alvh:near_term:20200203T153000-3",
    vix_spread(),
    quantity=5,
    structure_id="near-term-2020-01-31",
    strategy="near_term",
)
LINES = (OPENING, CLOSING, HEDGE)
READY = ready()


def three_orders() -> EngineState:
    """An opening, a closing and a hedging order at work."""
    state = READY
    for line in LINES:
        state = at_work(line, state)
    return state


def told(state: EngineState, cause: Cause) -> str:
    """What was seen of a cause, or nothing."""
    return dict(state.risk.causes).get(cause, "")


def fold(state: EngineState, found: list[Executed]) -> EngineState:
    """Fold executions in."""
    for one in found:
        state = book.apply_execution(state, one, NOW)
    return state


@st.composite
def histories(draw: st.DrawFn) -> list[Executed]:
    """Executions of three orders leg by leg, some of them corrected, in any order and with repetition."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        line = draw(st.sampled_from(LINES))
        leg = draw(st.integers(0, len(line.order.combo.legs) - 1))
        for revision in range(1, draw(st.integers(1, 3)) + 1):
            units = draw(st.integers(1, 3))
            price = draw(st.integers(1, 400)) / 100
            one = execution(line, leg, units, f"exec{number}.{revision:02d}", price)
            fee = draw(st.none() | st.integers(1, 9).map(float))
            found.append(replace(one, fill=replace(one.fill, commission=fee)))
    return found


def last_words(found: list[Executed]) -> list[Executed]:
    """Only the latest correction of each execution."""
    latest = {one.fill.exec_id.rpartition(".")[0]: one for one in sorted(found, key=lambda x: x.fill.exec_id)}
    return list(latest.values())


@settings(max_examples=80)
@given(histories().flatmap(lambda h: st.tuples(st.just(h), st.permutations(h), st.integers(0, len(h)))))
def test_executions_in_any_order_repeated_and_corrected_make_the_same_book(
    case: tuple[list[Executed], list[Executed], int],
) -> None:
    found, shuffled, repeated = case
    plain = [replace(one, fill=replace(one.fill, commission=None)) for one in found]
    mixed = [replace(one, fill=replace(one.fill, commission=None)) for one in shuffled]
    once = fold(three_orders(), last_words(plain))
    other = fold(three_orders(), mixed + mixed[:repeated])
    assert other.portfolio.positions() == once.portfolio.positions()
    assert other.structures == once.structures
    assert {ref: line.filled_legs for ref, line in other.orders.items()} == {
        ref: line.filled_legs for ref, line in once.orders.items()
    }


@settings(max_examples=50)
@given(histories())
def test_fees_are_those_of_the_executions_that_count(found: list[Executed]) -> None:
    state = fold(three_orders(), found)
    paid = sum(fill.commission or 0.0 for fill in state.portfolio.fills.values())
    assert sum(structure.fees_usd for structure in state.structures.values()) == pytest.approx(paid)


@settings(max_examples=50)
@given(histories())
def test_whole_units_and_loose_legs_together_are_the_positions(found: list[Executed]) -> None:
    state = fold(three_orders(), found)
    context = review_context(state, "new", NOW, 0.0)
    total = dict(held(*((stake.combo, stake.quantity) for stake in context.stakes)))
    for contract, count in context.loose:
        total[contract.con_id] = total.get(contract.con_id, 0) + count
    positions = {con_id: one.quantity for con_id, one in state.portfolio.positions().items()}
    assert {con_id: count for con_id, count in total.items() if count} == positions


reports = st.builds(
    report,
    st.sampled_from(LINES),
    st.sampled_from(list(OrderStatus)),
    st.integers(0, 5),
    st.sampled_from([0, 900]),
    reason=st.sampled_from(["", "because"]),
)


@settings(max_examples=80)
@given(st.lists(reports, max_size=12), histories())
def test_a_status_never_fills_anything(said: list[OrderReported], found: list[Executed]) -> None:
    state = fold(three_orders(), found)
    before = state
    for one in said:
        state = book.report_order(state, one, NOW)
    assert state.structures == before.structures
    assert state.portfolio == before.portfolio
    assert [line.order.filled for line in state.orders.values()] == [
        line.order.filled for line in before.orders.values()
    ]


@settings(max_examples=80)
@given(st.lists(st.one_of(reports, histories().map(lambda h: h[0])), max_size=20))
def test_what_is_over_stays_over_and_every_step_is_in_the_table(
    said: list[OrderReported | Executed],
) -> None:
    state = three_orders()
    for one in said:
        before = {ref: line.order.status for ref, line in state.orders.items()}
        state = (
            book.apply_execution(state, one, NOW)
            if isinstance(one, Executed)
            else book.report_order(state, one, NOW)
        )
        for ref, line in state.orders.items():
            status = line.order.status
            assert status is before[ref] or may_become(before[ref], status)
            assert status is before[ref] or not before[ref].is_terminal


def test_an_order_filled_by_status_awaits_its_executions_and_keeps_its_structure_busy() -> None:
    state = book.report_order(at_work(OPENING), report(OPENING, OrderStatus.FILLED), NOW)
    line = state.orders[OPENING.order.order_ref]
    assert line.order.status is OrderStatus.FILLED
    assert line.awaits_executions
    assert line.ended_at == NOW
    assert state.busy_structures() == {OPENING.structure_id}
    state = fold(state, list(executions(OPENING, 5)))
    assert state.busy_structures() == frozenset()
    assert state.structures[OPENING.structure_id].quantity == 5


def test_a_cancelled_order_awaits_the_executions_the_broker_counted() -> None:
    cancelled = report(OPENING, OrderStatus.CANCELLED, filled=2)
    state = book.report_order(at_work(OPENING), cancelled, NOW)
    assert state.busy_structures() == {OPENING.structure_id}
    state = fold(state, list(executions(OPENING, 2)))
    assert state.busy_structures() == frozenset()
    assert state.orders[OPENING.order.order_ref].order.status is OrderStatus.CANCELLED


def test_a_report_about_an_order_that_is_not_ours_changes_nothing() -> None:
    state = at_work(OPENING)
    assert book.report_order(state, OrderReported("other", 5, OrderStatus.WORKING), NOW) is state


def test_a_report_keeps_the_reason_and_names_the_order_at_the_broker() -> None:
    line = replace(OPENING, order=replace(OPENING.order, perm_id=0))
    said = report(line, OrderStatus.REJECTED, perm_id=17, reason="margin")
    state = book.report_order(at_work(line), said, NOW)
    order = state.orders[line.order.order_ref].order
    assert (order.status, order.reason, order.perm_id) == (OrderStatus.REJECTED, "margin", 17)


def test_an_order_that_lives_under_two_permanent_ids_halts() -> None:
    state = book.report_order(at_work(OPENING), report(OPENING, OrderStatus.WORKING, perm_id=901), NOW)
    assert "lives twice" in told(state, Cause.HALT)
    assert state.orders[OPENING.order.order_ref].order.status is OrderStatus.WORKING


def test_a_twin_that_has_ended_says_nothing_about_the_order() -> None:
    state = book.report_order(at_work(OPENING), report(OPENING, OrderStatus.FILLED, perm_id=901), NOW)
    assert state.risk.causes == ()
    assert state.orders[OPENING.order.order_ref].order.status is OrderStatus.WORKING


def test_an_order_that_works_although_it_had_ended_halts() -> None:
    lost = order_line(status=OrderStatus.LOST)
    state = book.report_order(at_work(lost), report(lost, OrderStatus.WORKING), NOW)
    assert "works at the broker" in told(state, Cause.HALT)
    assert state.orders[lost.order.order_ref].order.status is OrderStatus.LOST


def test_an_old_report_of_a_filled_order_is_no_mismatch() -> None:
    filled = order_line(status=OrderStatus.FILLED)
    state = book.report_order(at_work(filled), report(filled, OrderStatus.WORKING), NOW)
    assert state.risk.causes == ()


def test_doubt_is_no_sign_of_life_but_any_other_report_is() -> None:
    line = order_line(status=OrderStatus.UNKNOWN, absent_since=NOW)
    state = book.report_order(at_work(line), report(line, OrderStatus.UNKNOWN), later(1))
    assert state.orders[line.order.order_ref].absent_since == NOW
    state = book.report_order(state, report(line, OrderStatus.WORKING), later(2))
    assert state.orders[line.order.order_ref].absent_since is None


def test_an_execution_is_a_sign_of_life() -> None:
    line = order_line(status=OrderStatus.UNKNOWN, absent_since=NOW)
    state = fold(at_work(line), list(executions(line, 1)))
    assert state.orders[line.order.order_ref].absent_since is None
    assert state.orders[line.order.order_ref].order.status is OrderStatus.UNKNOWN


def test_executions_alone_prove_that_an_order_is_filled() -> None:
    line = order_line(status=OrderStatus.INTENT)
    state = fold(at_work(line), list(executions(line, 2)))
    after = state.orders[line.order.order_ref]
    assert (after.order.status, after.order.filled, after.ended_at) == (OrderStatus.FILLED, 2, NOW)


def test_an_execution_no_order_explains_is_a_mismatch_and_still_a_position() -> None:
    stranger = Executed(
        Fill("s.01", "by hand", 5, 77, 1, 3.0, NOW), Contract(SecurityType.STOCK, "SPY", con_id=77)
    )
    state = fold(READY, [stranger])
    assert "belongs to no order of ours" in told(state, Cause.MISMATCH)
    assert list(state.portfolio.positions()) == [77]


def test_an_execution_of_a_contract_the_order_does_not_hold_halts() -> None:
    wrong = replace(execution(HEDGE, 0, 1, "w.01"))
    wrong = replace(wrong, fill=replace(wrong.fill, order_ref=OPENING.order.order_ref))
    state = fold(three_orders(), [wrong])
    assert "no leg of" in told(state, Cause.HALT)
    assert all(not structure.legs for structure in state.structures.values())


def test_executions_older_than_what_is_kept_are_not_taken_again() -> None:
    old = execution(OPENING, 0, 1, "o.01")
    old = replace(old, fill=replace(old.fill, time=NOW - book.EXECUTIONS_KEPT - timedelta(seconds=1)))
    state = at_work(OPENING)
    assert book.apply_execution(state, old, NOW) is state


def test_a_late_fill_of_an_earlier_attempt_is_a_structure_of_its_own() -> None:
    first = order_line("alvh:iron_condor:20200203T153000-1", condor(), status=OrderStatus.CANCELLED)
    second = order_line("alvh:iron_condor:20200203T153100-7", condor(low=3000, put=3050))
    state = at_work(second, at_work(first))
    state = replace(
        state,
        structures={
            second.structure_id: Structure(second.structure_id, "iron_condor", second.order.combo, SESSION)
        },
    )
    state = fold(state, [*executions(first, 2, "a"), *executions(second, 2, "b")])
    late = state.structures["condor-2020-W06-1-late-1"]
    assert (late.quantity, late.combo, late.opened) == (2, first.order.combo, SESSION)
    assert state.structures[second.structure_id].legs == dict(held((second.order.combo, 2)))
    assert state.orders[first.order.order_ref].structure_id == late.structure_id


def test_a_commission_counts_once_and_a_corrected_one_replaces_it() -> None:
    state = fold(at_work(OPENING), list(executions(OPENING, 1)))
    for amount in (1.5, 1.5, 2.0):
        state = book.apply_commission(state, CommissionReported("x0.01", amount))
    assert state.structures[OPENING.structure_id].fees_usd == 2.0
    assert state.portfolio.fills["x0"].commission == 2.0


def test_a_commission_before_its_execution_waits_for_the_next_reconciliation() -> None:
    state = at_work(OPENING)
    assert book.apply_commission(state, CommissionReported("x0.01", 1.5)) is state


def test_a_commission_of_a_stranger_stays_with_its_execution() -> None:
    stranger = Executed(Fill("s.01", "by hand", 5, 77, 1, 3.0, NOW), Contract(SecurityType.STOCK, "SPY"))
    state = book.apply_commission(fold(READY, [stranger]), CommissionReported("s.01", 0.5))
    assert state.portfolio.fills["s"].commission == 0.5
    assert state.structures == {}


@pytest.mark.parametrize("status", [status for status in OrderStatus if not status.is_terminal])
def test_after_a_lost_connection_every_order_under_way_is_unknown(status: OrderStatus) -> None:
    line = order_line(status=status)
    state = book.mark_in_flight_unknown(at_work(line))
    assert state.orders[line.order.order_ref].order.status is OrderStatus.UNKNOWN
    assert told(state, Cause.UNKNOWN_ORDER) == line.order.order_ref
    assert not state.reconciled


def test_an_order_that_is_over_is_not_in_doubt() -> None:
    state = book.mark_in_flight_unknown(at_work(order_line(status=OrderStatus.FILLED)))
    assert state.orders[OPENING.order.order_ref].order.status is OrderStatus.FILLED
    assert state.risk.causes == ()


def test_the_cause_goes_with_the_last_unknown_order() -> None:
    state = book.mark_in_flight_unknown(three_orders())
    for line in LINES:
        assert told(state, Cause.UNKNOWN_ORDER)
        state = book.refresh_unknown(book.report_order(state, report(line, OrderStatus.WORKING), NOW))
    assert not told(state, Cause.UNKNOWN_ORDER)


def filled_and_closed() -> tuple[EngineState, OrderLine]:
    """A condor opened and closed again."""
    state = fold(three_orders(), [*executions(OPENING, 5, "o"), *executions(CLOSING, 5, "c")])
    return state, state.orders[OPENING.order.order_ref]


def test_tidying_forgets_what_ended_long_ago_and_keeps_what_is_held() -> None:
    state, _ = filled_and_closed()
    state = fold(state, list(executions(HEDGE, 2, "h")))
    state = replace(state, last_held={"a": "x", "b": "y"}, held_at={"a": NOW}, held_since={"a": 1, "b": 2})
    kept = book.tidy(state, later(60))
    assert set(kept.orders) == {line.order.order_ref for line in LINES}
    assert (kept.last_held, kept.held_since) == ({"a": "x"}, {"a": 1})
    gone = book.tidy(state, NOW + book.ENDED_ORDERS_KEPT + timedelta(days=1))
    assert list(gone.orders) == [HEDGE.order.order_ref]
    assert list(gone.structures) == [HEDGE.structure_id]
    assert gone.portfolio.positions() == state.portfolio.positions()
    assert gone.portfolio.fills == {}
    assert {con_id for con_id, one in gone.contracts.items() if one.right} == set(gone.portfolio.positions())
    assert gone.last_held == {}
    assert gone.held_at == {}


def test_one_contract_more_than_was_ordered_halts_at_once_and_only_once() -> None:
    state = fold(at_work(OPENING), list(executions(OPENING, OPENING.order.quantity)))
    assert state.risk.causes == ()
    state = fold(state, [execution(OPENING, 0, 1, "more.01")])
    assert "were ordered" in told(state, Cause.HALT)
    resumed = replace(state, risk=state.risk.without(Cause.HALT))
    assert fold(resumed, [execution(OPENING, 0, 1, "and-more.01")]).risk.causes == ()


# ------------------------------------------------------------------ what only positions tell


def test_adopted_units_count_at_the_limit_on_order_structure_and_portfolio() -> None:
    line = order_line(status=OrderStatus.UNKNOWN)
    state = book.adopt(at_work(line), line, 2, NOW)
    after, structure = state.orders[line.order.order_ref], state.structures[line.structure_id]
    assert (after.order.status, after.order.filled, after.awaits_executions) == (OrderStatus.FILLED, 2, False)
    assert (structure.quantity, structure.entry_price) == (2, line.order.limit)
    assert {c: p.quantity for c, p in state.portfolio.positions().items()} == dict(structure.legs)


def test_a_part_that_is_adopted_ends_the_order_of_an_earlier_day() -> None:
    line = order_line(status=OrderStatus.UNKNOWN)
    after = book.adopt(at_work(line), line, 1, NOW).orders[line.order.order_ref]
    assert (after.order.status, after.order.filled, after.ended_at) == (OrderStatus.CANCELLED, 1, NOW)


def test_executions_that_are_told_after_all_replace_what_was_adopted() -> None:
    line = order_line(status=OrderStatus.UNKNOWN)
    state = book.adopt(at_work(line), line, 2, NOW)
    told_late = fold(state, list(executions(line, 2)))
    plain = fold(at_work(line), list(executions(line, 2)))
    assert told_late.portfolio.positions() == plain.portfolio.positions()
    assert told_late.structures == plain.structures
    assert told_late.orders[line.order.order_ref].cost == plain.orders[line.order.order_ref].cost
