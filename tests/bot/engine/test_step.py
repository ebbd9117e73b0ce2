"""One event, one step: what each kind of event changes, and what it tells."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.engine.decision import Verb
from bot.engine.parameters import parameters
from bot.engine.state import EngineState
from bot.engine.step import STARTS_KEPT, listing_key
from bot.events import (
    AccountTaken,
    Alert,
    CancelOrder,
    CommissionReported,
    Condition,
    Connected,
    ContractsNamed,
    Disconnected,
    Executed,
    Feed,
    Halted,
    HostReported,
    Job,
    JobDue,
    OperatorCommanded,
    OptionsListed,
    OrderReported,
    QuotesTaken,
    RequestFailed,
    Stopping,
    StreamLines,
)
from config.loader import load_rules
from config.settings import SHIPPED_RULES
from market.contract import Contract, Right, SecurityType
from market.order import Fill, OrderStatus
from market.quote import Quote
from market.sessions import session_offset
from risk.state import Cause, RiskState, TradingState
from tests.bot.engine.desk import (
    ACCOUNT,
    NAMED,
    NOW,
    SESSION,
    SPX,
    after,
    at_work,
    executions,
    known,
    later,
    opened,
    order_line,
    ready,
    report,
    take,
)
from tests.risk.book import condor

LINE = order_line()


def causes(state: EngineState) -> set[Cause]:
    """The causes in force."""
    return {cause for cause, _ in state.risk.causes}


# ------------------------------------------------------------------ starts and connections


def test_a_start_forgets_the_connection_and_doubts_every_order_under_way() -> None:
    state = after(at_work(LINE, ready(lines=(1,), quotes={1: Quote(1, 2, None, NOW)})), opened(2))
    assert (state.connected, state.reconciled, state.announced, state.lines, state.quotes) == (
        False,
        False,
        "",
        (),
        {},
    )
    assert state.orders[LINE.order.order_ref].order.status is OrderStatus.UNKNOWN
    assert state.starts[-1] == NOW


def test_unclean_starts_are_counted_until_a_clean_stop() -> None:
    state = EngineState()
    for _ in range(STARTS_KEPT + 3):
        state = after(state, opened())
    assert len(state.starts) == STARTS_KEPT
    assert after(state, Stopping("asked")).starts == ()


def test_a_connection_to_another_account_halts_until_the_right_one_is_back() -> None:
    done = take(ready(), Connected("DU1111111", 2))
    assert not done.state.connected
    assert done.state.risk.trading is TradingState.HALTED
    assert [alert.name for alert in done.commands if isinstance(alert, Alert)] == ["trading.halted"]
    assert after(done.state, Connected(ACCOUNT, 3)).risk.trading is TradingState.ACTIVE


def test_before_the_first_record_any_account_may_connect() -> None:
    assert after(EngineState(), Connected("DU7", 1)).announced == "DU7"


def test_a_lost_link_takes_the_market_away_and_doubts_every_order() -> None:
    done = take(at_work(LINE, ready(quotes={1: Quote(1, 2, None, NOW)}, lines=(1,))), Disconnected("silent"))
    state = done.state
    assert (state.connected, state.reconciled, state.quotes) == (False, False, {})
    assert causes(state) == {Cause.UNKNOWN_ORDER}
    assert Alert("warning", "broker.disconnected", "silent") in done.commands


def test_named_contracts_are_streamed_and_options_and_what_is_held_stay_known() -> None:
    option = condor().legs[0].contract
    future = Contract(SecurityType.FUTURE, "VIX", "VX", date(2020, 5, 20), con_id=500)
    held = Executed(Fill("f.01", "", 5, 500, 1, 20.0, NOW), future)
    state = after(ready(contracts={option.con_id: option, 99: replace(SPX, con_id=99)}), held)
    done = take(state, ContractsNamed((SPX,)))
    assert set(done.state.contracts) == {option.con_id, SPX.con_id, 500}
    again = take(done.state, ContractsNamed((SPX,)))
    assert again.commands == ()
    fresh = take(replace(state, lines=()), ContractsNamed(NAMED))
    assert fresh.commands == (StreamLines(tuple(sorted(c.con_id for c in NAMED))),)


def test_a_listing_is_kept_by_class_and_expiry_and_asks_for_a_look() -> None:
    expiry = date(2020, 3, 20)
    rows = ((3000.0, 7, 8), (3005.0, 9, 0))
    key = listing_key("SPXW", expiry)
    state = ready(requested_listings=(key, "other"), look_due=False)
    state = after(state, OptionsListed("SPX", "SPXW", expiry, 100, "SMART", rows))
    assert [(c.strike, c.right, c.con_id) for c in state.listings[key].contracts] == [
        (3000.0, Right.CALL, 7),
        (3000.0, Right.PUT, 8),
        (3005.0, Right.CALL, 9),
    ]
    assert state.requested_listings == ("other",)
    assert state.look_due


def test_a_failed_request_is_told_and_may_be_asked_again() -> None:
    done = take(ready(requested_listings=("SPXW 2020-03-20",)), RequestFailed("no answer"))
    assert done.state.requested_listings == ()
    assert done.commands == (Alert("warning", "broker.request_failed", "no answer"),)


# ------------------------------------------------------------------ quotes


def test_quotes_and_signs_of_life_are_kept_with_their_time() -> None:
    state = after(ready(connected=False), QuotesTaken(((1, None, None, 3300.0),), (Feed.INDEX,)))
    assert state.quotes == {1: Quote(None, None, 3300.0, NOW)}
    assert state.alive == {Feed.INDEX: NOW}
    assert state.evaluated_at is None


def test_a_snapshot_is_looked_at_when_due_and_passed_over_when_nothing_read_moved() -> None:
    first = after(ready(), QuotesTaken((), (Feed.INDEX,)))
    assert first.evaluated_at == NOW
    quiet = after(first, QuotesTaken(((1, None, None, 3300.0),), (Feed.INDEX,)), time=later(5))
    assert quiet.evaluated_at == NOW
    due = after(replace(quiet, look_due=True), QuotesTaken((), ()), time=later(10))
    assert (due.evaluated_at, due.look_due) == (later(10), False)


# ------------------------------------------------------------------ the account


def test_the_session_is_measured_from_its_opening_value_and_the_drawdown_from_the_peak() -> None:
    state = after(ready(), AccountTaken(1.1e6, 1e6, 0.0, 0.0))
    assert (state.session_nav_usd, state.peak_nav_usd) == (1e6, 1.1e6)
    assert causes(after(state, AccountTaken(0.98e6, 1e6, 0.0, 0.0))) >= {Cause.LOSS, Cause.DRAWDOWN}
    mild = after(state, AccountTaken(0.99e6, 1e6, 0.0, 0.0))
    assert causes(mild) == {Cause.DRAWDOWN}
    assert causes(after(mild, AccountTaken(1.05e6, 1e6, 0.0, 0.0))) == set()


def test_a_loss_lasts_until_the_next_session_opens() -> None:
    lost = after(ready(), AccountTaken(0.98e6, 1e6, 0.0, 0.0))
    assert causes(lost) == {Cause.LOSS}
    assert causes(after(lost, AccountTaken(1e6, 1e6, 0.0, 0.0))) == {Cause.LOSS}
    opened_again = after(lost, JobDue(Job.SESSION_OPEN, session_offset(SESSION, 1)))
    assert causes(opened_again) == set()
    assert opened_again.session_nav_usd == 0.98e6


def test_figures_without_rules_or_of_an_empty_account_judge_nothing() -> None:
    blank = after(EngineState(), AccountTaken(5.0, 5.0, 0.0, 0.0))
    assert (blank.peak_nav_usd, blank.risk) == (5.0, RiskState())
    empty = after(ready(account=None, session_nav_usd=None, peak_nav_usd=None), AccountTaken(0.0, 0, 0, 0))
    assert causes(empty) == set()
    assert after(ready(account=None), JobDue(Job.SESSION_OPEN, SESSION)).session_nav_usd is None


# ------------------------------------------------------------------ orders and fills


def test_a_change_of_status_is_told_with_its_reason_and_asks_for_a_look() -> None:
    done = take(at_work(LINE), report(LINE, OrderStatus.REJECTED, reason="margin", code=201))
    (decision,) = done.decisions
    assert (decision.verb, decision.reason) == (Verb.BOOK, "rejected: margin (201)")
    assert done.state.look_due
    plain = take(at_work(LINE), report(LINE, OrderStatus.CANCELLED, reason="by hand"))
    assert plain.decisions[0].reason == "cancelled: by hand"
    bare = take(at_work(LINE), report(LINE, OrderStatus.CANCELLED))
    assert bare.decisions[0].reason == "cancelled"


def test_a_report_that_changes_nothing_and_a_stranger_are_not_told() -> None:
    state = at_work(LINE)
    assert take(state, report(LINE, OrderStatus.WORKING)).decisions == ()
    assert take(state, OrderReported("other", 5, OrderStatus.WORKING)).decisions == ()


def test_whole_units_are_told_with_their_price_and_odd_legs_are_not() -> None:
    state = at_work(LINE)
    reasons = []
    for one in (*executions(LINE, 1, "a"), *executions(LINE, 1, "b", legs=1), *executions(LINE, 1, "c")[1:]):
        done = take(state, one)
        reasons += [decision.reason for decision in done.decisions]
        state = done.state
    assert reasons == ["filled 1 of 2 at 0", "filled 2 of 2 at 0"]
    assert state.orders[LINE.order.order_ref].order.status is OrderStatus.FILLED


def test_a_correction_that_takes_a_unit_back_is_told_without_a_price() -> None:
    state = after(at_work(LINE), *executions(LINE, 1, "a"))
    short = executions(LINE, 1, "a")[0]
    gone = replace(short, fill=replace(short.fill, exec_id="a0.02", quantity=0))
    assert [one.reason for one in take(state, gone).decisions] == ["filled 0 of 2"]


def test_an_execution_of_a_stranger_is_told_as_a_mismatch() -> None:
    stranger = Executed(Fill("s.01", "by hand", 5, 77, 1, 3.0, NOW), Contract(SecurityType.STOCK, "SPY"))
    done = take(ready(), stranger)
    assert [decision.verb for decision in done.decisions] == [Verb.STATE]
    assert causes(done.state) == {Cause.MISMATCH}


def test_a_commission_changes_the_fees_and_tells_nothing() -> None:
    state = after(at_work(LINE), *executions(LINE, 1))
    done = take(state, CommissionReported("x0.01", 1.3))
    assert done.state.structures[LINE.structure_id].fees_usd == 1.3
    assert (done.decisions, done.commands) == ((), ())


def test_an_unknown_order_reduces_trading_and_the_lifting_is_told_too() -> None:
    done = take(at_work(LINE), report(LINE, OrderStatus.UNKNOWN))
    assert [decision.verb for decision in done.decisions] == [Verb.BOOK, Verb.STATE]
    assert done.commands == (Alert("warning", "trading.reducing", f"unknown_order: {LINE.order.order_ref}"),)
    assert done.state.look_due
    lifted = take(done.state, report(LINE, OrderStatus.WORKING))
    assert lifted.commands == (Alert("info", "trading.active", "no cause left"),)


def test_reconciliation_is_not_told_where_nothing_changed() -> None:
    done = take(at_work(LINE, ready(reconciled=False)), known([report(LINE, OrderStatus.WORKING)]))
    assert done.state.reconciled
    assert done.decisions == ()


def test_an_order_found_working_again_is_told() -> None:
    state = after(at_work(LINE), report(LINE, OrderStatus.UNKNOWN))
    done = take(state, known([report(LINE, OrderStatus.WORKING)]))
    assert [decision.reason for decision in done.decisions][:1] == ["working"]


# ------------------------------------------------------------------ jobs, people, stops


@pytest.mark.parametrize("job", list(Job))
def test_each_job_happens_once_a_session_and_never_for_an_older_one(job: Job) -> None:
    state = after(ready(session_nav_usd=5.0), JobDue(job, SESSION))
    assert state.jobs_done[job] == SESSION
    marked = replace(state, session_nav_usd=7.0, peak_nav_usd=9.0)
    for session in (SESSION, session_offset(SESSION, -1)):
        assert after(marked, JobDue(job, session)) == marked
    later_on = after(marked, JobDue(job, session_offset(SESSION, 1)))
    assert later_on.jobs_done[job] == session_offset(SESSION, 1)


def test_the_open_forgets_listings_so_that_new_strikes_are_seen() -> None:
    listed = OptionsListed("SPX", "SPXW", date(2020, 3, 20), 100, "SMART", ((3000.0, 7, 8),))
    state = after(ready(requested_listings=("VIX 2020-03-18",)), listed, JobDue(Job.SESSION_OPEN, SESSION))
    assert (state.listings, state.requested_listings) == ({}, ())


def test_the_end_of_a_session_tidies_the_book() -> None:
    old = order_line(status=OrderStatus.CANCELLED, ended_at=NOW - timedelta(days=9))
    assert after(at_work(old), JobDue(Job.SESSION_END, SESSION)).orders == {}


def test_a_person_halts_and_resumes_with_a_reason() -> None:
    halted = after(ready(), OperatorCommanded("halt", "ann", "unsure"))
    assert halted.risk.trading is TradingState.HALTED
    assert dict(halted.risk.causes) == {Cause.OPERATOR: "ann: unsure"}
    assert after(halted, OperatorCommanded("resume", "ann", "sure")).risk.trading is TradingState.ACTIVE


def test_a_halt_survives_a_restart() -> None:
    halted = after(ready(), OperatorCommanded("halt", "ann", "unsure"))
    restarted = after(halted, opened(2), Connected(ACCOUNT, 2), known())
    assert restarted.risk.trading is TradingState.HALTED


def test_a_halt_cancels_all_that_works_at_once_at_any_hour_and_once() -> None:
    night = NOW + timedelta(hours=12)
    done = take(at_work(LINE), OperatorCommanded("halt", "ann", "unsure"), night)
    assert done.commands[0] == CancelOrder(LINE.order.order_ref, "trading is halted")
    again = take(done.state, OperatorCommanded("halt", "bob", "too"), night)
    assert not [one for one in again.commands if isinstance(one, CancelOrder)]
    in_doubt = at_work(order_line(status=OrderStatus.UNKNOWN))
    done = take(in_doubt, OperatorCommanded("halt", "ann", "unsure"), night)
    assert done.commands[0] == CancelOrder(LINE.order.order_ref, "trading is halted")
    idle = replace(ready(), look_due=False)
    assert not after(idle, OperatorCommanded("halt", "ann", "unsure")).look_due


def test_what_the_daemon_halted_for_stays_over_restarts_until_a_person_resumes() -> None:
    halted = after(at_work(LINE), Halted("the broker says what cannot be true"))
    assert halted.risk.trading is TradingState.HALTED
    restarted = after(halted, opened(2), Connected(ACCOUNT, 2), known())
    assert restarted.risk.trading is TradingState.HALTED
    assert (
        after(restarted, OperatorCommanded("resume", "ann", "seen")).risk.trading is not TradingState.HALTED
    )


def test_a_resume_is_refused_while_the_book_is_not_reconciled_or_does_not_agree() -> None:
    halted = after(ready(), OperatorCommanded("halt", "ann", "unsure"))
    resume = OperatorCommanded("resume", "ann", "sure")
    for against in (Disconnected("gone"), Connected(ACCOUNT, 2), known((), [(77, 3)])):
        done = take(after(halted, against), resume)
        assert done.state.risk.trading is TradingState.HALTED
        assert "is refused" in done.decisions[0].reason
        assert [one.name for one in done.commands if isinstance(one, Alert)] == ["resume.refused"]


def test_what_is_the_matter_with_the_machine_reduces_until_it_is_not() -> None:
    state = after(ready(), HostReported(Condition.DISK, "12 MiB are free"))
    assert dict(state.risk.causes) == {Cause.DISK: "12 MiB are free"}
    assert state.reconciled
    state = after(state, HostReported(Condition.DISK, "3 MiB are free"))
    assert dict(state.risk.causes) == {Cause.DISK: "3 MiB are free"}
    assert after(state, HostReported(Condition.DISK, "")).risk.causes == ()


def test_after_its_clock_jumped_nothing_is_decided_before_the_book_is_reconciled_anew() -> None:
    state = after(ready(), HostReported(Condition.CLOCK, "it jumped by 3600 s"))
    assert dict(state.risk.causes) == {Cause.CLOCK: "it jumped by 3600 s"}
    assert not state.reconciled
    assert after(state, known(), HostReported(Condition.CLOCK, "")).risk.causes == ()


def test_a_corrected_execution_is_told() -> None:
    first = executions(LINE, 1)[0]
    corrected = replace(first, fill=replace(first.fill, exec_id="x0.02", price=2.5))
    done = take(after(at_work(LINE), first), corrected)
    assert [one.name for one in done.commands if isinstance(one, Alert)] == ["execution.corrected"]
    assert not take(done.state, first).commands


def test_a_reconciled_book_is_looked_at_even_if_no_quote_has_moved() -> None:
    assert after(ready(), known()).look_due


def test_a_stop_cancels_what_opens_and_nothing_is_decided_after_it() -> None:
    done = take(at_work(LINE), Stopping("asked"))
    assert done.commands == (CancelOrder(LINE.order.order_ref, "asked"),)
    assert take(done.state, QuotesTaken((), ()), later(5)).state.evaluated_at is None


# ------------------------------------------------------------------ the rules the engine acts on


def rules() -> dict[str, Any]:
    """The shipped rules as a journal records them."""
    return load_rules(SHIPPED_RULES).model_dump(mode="json")


def test_the_recorded_rules_become_the_numbers_the_engine_acts_on() -> None:
    found = parameters(rules())
    assert found.limits.initiation_max_fraction == 0.012
    walk = found.walk
    assert walk.opening("iron_condor") == walk.opening("near_term") == timedelta(seconds=120)
    assert (walk.steps, walk.closing) == (5, timedelta(seconds=20))


def test_a_missing_number_is_an_error_and_a_later_layer_is_not() -> None:
    recorded = rules()
    del recorded["condor"]["short_delta"]
    with pytest.raises(TypeError, match="short_delta"):
        parameters(recorded)
    with pytest.raises(KeyError, match="l1"):
        parameters({})
    assert parameters({**rules(), "l9": {"new": 1}}) == parameters(rules())
