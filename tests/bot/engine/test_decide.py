"""Deciding: when the engine looks at all, what stops an order, who comes first, and which lines it needs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import decide
from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import (
    AccountTaken,
    CancelOrder,
    Feed,
    QuotesTaken,
    TimedEvent,
)
from market.order import OrderStatus
from market.quote import Quote
from market.sessions import MARKET_TZ
from risk.state import Cause, RiskState
from strategies.base import Evaluation, Gate, Intent
from tests.bot.engine.conftest import Recorded
from tests.bot.engine.desk import (
    NOW,
    SESSION,
    at_work,
    executions,
    later,
    order_line,
    ready,
)
from tests.bot.engine.looking import FIRED, HEDGE, NEW_YORK_OPEN, looking, placed, quoted, wish
from tests.risk.book import condor, vix_spread

# ------------------------------------------------------------------ when


@pytest.mark.parametrize(
    ("time", "may"),
    [
        (NEW_YORK_OPEN - timedelta(seconds=1), False),
        (NEW_YORK_OPEN, True),
        (datetime(2020, 2, 3, 21, 15, tzinfo=UTC), True),
        (datetime(2020, 2, 3, 21, 15, 1, tzinfo=UTC), False),
        (datetime(2020, 2, 4, 0, 30, tzinfo=UTC), False),  # still Monday evening in New York
        (datetime(2020, 2, 4, 15, 0, tzinfo=UTC), False),  # a session the state has not come to
    ],
)
def test_the_engine_looks_in_regular_hours_of_its_session_only(time: datetime, may: bool) -> None:
    assert decide.may_evaluate(ready(), time) is may


@pytest.mark.parametrize(
    "changes",
    [
        {"connected": False},
        {"reconciled": False},
        {"stopping": True},
        {"parameters": None},
        {"session": None},
    ],
)
def test_the_engine_does_not_look_unless_everything_stands(changes: dict[str, object]) -> None:
    assert not decide.may_evaluate(replace(ready(), **changes), NOW)  # type: ignore[arg-type]  # mixed values


def test_midnight_in_london_does_not_begin_a_session() -> None:
    state = step(ready(), TimedEvent(datetime(2020, 2, 4, 1, tzinfo=UTC), QuotesTaken((), ()))).state
    assert state.session == SESSION
    state = step(state, TimedEvent(datetime(2020, 2, 4, 5, tzinfo=UTC), QuotesTaken((), ()))).state
    assert state.session == date(2020, 2, 4)
    saturday = step(state, TimedEvent(datetime(2020, 2, 8, 15, tzinfo=UTC), QuotesTaken((), ()))).state
    assert saturday.session == date(2020, 2, 4)


def test_without_rules_or_a_session_a_look_does_nothing() -> None:
    blank = EngineState()
    assert decide.evaluate(blank, NOW) == Step(blank)
    with pytest.raises(ValueError, match="belongs to a session"):
        decide.take_snapshot(blank, NOW)
    with pytest.raises(ValueError, match="before the journal is opened"):
        decide.review_context(blank, "ref", NOW, 0.0)


ROW = (5, 1.0, 1.1, None)


@pytest.mark.parametrize(
    ("changes", "rows", "quiet"),
    [
        ({}, (), True),
        ({}, (ROW,), True),
        ({"read": (5,)}, (ROW,), False),
        ({"look_due": True}, (), False),
        ({"evaluated_at": None}, (), False),
        ({"evaluated_at": NOW - timedelta(seconds=60)}, (), False),
    ],
)
def test_a_snapshot_that_moves_nothing_read_is_passed_over(
    changes: dict[str, object], rows: tuple[tuple[int, float, float, None], ...], quiet: bool
) -> None:
    state = replace(ready(evaluated_at=later(-5), look_due=False), **changes)  # type: ignore[arg-type]  # mixed values
    assert decide.nothing_read_changed(state, QuotesTaken(rows, tuple(Feed)), NOW) is quiet


def test_a_feed_that_fell_silent_is_looked_at_until_trading_is_reduced() -> None:
    state = ready(evaluated_at=later(-5), look_due=False, feeds_asked={Feed.INDEX: NOW})
    assert decide.nothing_read_changed(state, QuotesTaken((), (Feed.INDEX,)), NOW)
    assert not decide.nothing_read_changed(state, QuotesTaken((), (Feed.OPTION,)), NOW)
    full = replace(state, risk=state.risk.with_cause(Cause.DISK, "full"))
    assert not decide.nothing_read_changed(full, QuotesTaken((), (Feed.OPTION,)), NOW)
    told = replace(state, risk=state.risk.with_cause(Cause.DATA, "silent"))
    assert decide.nothing_read_changed(told, QuotesTaken((), (Feed.OPTION,)), NOW)


def test_a_look_is_overdue_after_a_minute_of_a_session_only() -> None:
    state = ready(evaluated_at=NOW, feeds_asked={})
    assert [decide.look_overdue(state, later(s)) for s in (0, 59, 60)] == [False, False, True]
    assert decide.look_overdue(replace(state, evaluated_at=None), NOW)
    assert not decide.look_overdue(replace(state, connected=False), later(600))


def test_a_feed_that_gives_no_sign_of_life_is_looked_at_each_time_until_that_is_known() -> None:
    state = ready(evaluated_at=NOW, feeds_asked={Feed.INDEX: NOW}, alive={Feed.INDEX: NOW})
    assert not decide.look_overdue(state, later(5))
    silent = replace(state, alive={Feed.OPTION: NOW})
    assert decide.look_overdue(silent, later(5))
    known = replace(silent, risk=silent.risk.with_cause(Cause.DATA, "silent"))
    assert [decide.look_overdue(known, later(s)) for s in (5, 60)] == [False, True]


def test_a_feed_that_is_told_to_live_no_more_loses_its_proof_at_once(
    strategies: dict[str, Evaluation],
) -> None:
    asked = {Feed.INDEX: later(-60)}
    state = ready(evaluated_at=NOW, look_due=False, feeds_asked=asked, alive={Feed.INDEX: NOW})
    reduced = step(state, TimedEvent(later(5), QuotesTaken((), ()))).state
    assert dict(reduced.risk.causes) == {Cause.DATA: "no proof of a live index feed"}
    proved = step(reduced, TimedEvent(later(70), QuotesTaken((), (Feed.INDEX,)))).state
    assert proved.risk.causes == ()


def test_an_order_under_way_is_looked_after_at_every_snapshot() -> None:
    state = at_work(order_line(), ready(evaluated_at=later(-5), look_due=False))
    assert not decide.nothing_read_changed(state, QuotesTaken((), ()), NOW)


# ------------------------------------------------------------------ what stops an order


def without(feed: Feed) -> Callable[[EngineState, datetime], EngineState]:
    """A feed that has been silent for longer than any limit."""
    return lambda state, time: replace(
        state, alive={**state.alive, feed: time - timedelta(seconds=61)}, feeds_asked={}
    )


def busy(state: EngineState, time: datetime) -> EngineState:
    """Another order lives on the structure that is about to be opened."""
    return at_work(order_line(structure_id="condor-2026-W10-1", status=OrderStatus.UNKNOWN), state)


def caused(cause: Cause) -> Callable[[EngineState, datetime], EngineState]:
    """A cause in force."""
    return lambda state, time: replace(state, risk=RiskState().with_cause(cause, "seen"))


FAULTS: dict[str, Callable[[EngineState, datetime], EngineState]] = {
    "disconnected": lambda state, time: replace(state, connected=False),
    "not reconciled": lambda state, time: replace(state, reconciled=False),
    "stopping": lambda state, time: replace(state, stopping=True),
    "silent options": without(Feed.OPTION),
    "silent index": without(Feed.INDEX),
    "another account announced": lambda state, time: replace(state, announced="DU1111111"),
    "no account announced": lambda state, time: replace(state, announced=""),
    "a duplicate": busy,
    "no net asset value": lambda state, time: replace(state, account=None),
    "an old net asset value": lambda state, time: replace(state, account_time=time - timedelta(seconds=61)),
    "a mismatch": caused(Cause.MISMATCH),
    "an unknown order": caused(Cause.UNKNOWN_ORDER),
    "a loss": caused(Cause.LOSS),
    "a halt": caused(Cause.OPERATOR),
    "no quotes": lambda state, time: replace(state, quotes={}),
}


def opening(recorded: Recorded) -> tuple[EngineState, datetime]:
    """The state and the moment at which the recorded session opened its condor, quotes taken."""
    index = next(i for i, done in enumerate(recorded.steps) if placed(done))
    timed, state = recorded.events[index], recorded.states[index]
    assert isinstance(timed.event, QuotesTaken)
    rows = {con_id: Quote(bid, ask, last, timed.time) for con_id, bid, ask, last in timed.event.quotes}
    return replace(
        state,
        quotes={**state.quotes, **rows},
        alive={**state.alive, **dict.fromkeys(timed.event.alive, timed.time)},
        look_due=True,
    ), timed.time


def still(state: EngineState, time: datetime) -> QuotesTaken:
    """A snapshot in which no quote moved and the feeds that lived still live."""
    lived = (feed for feed in Feed if feed in state.alive)
    return QuotesTaken((), tuple(feed for feed in lived if time - state.alive[feed] <= timedelta(minutes=1)))


def test_the_recorded_moment_opens_a_condor_when_nothing_is_wrong(recorded: Recorded) -> None:
    state, time = opening(recorded)
    done = step(state, TimedEvent(time, still(state, time)))
    (order,) = placed(done)
    (decision,) = [one for one in done.decisions if one.verb is Verb.OPEN]
    assert (order.decision, order.order_ref) == (decision.decision_id, decision.order_ref)
    assert all(check.passed for check in decision.checks)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3))
def test_no_order_leaves_with_any_fault(recorded: Recorded, faults: set[str]) -> None:
    state, time = opening(recorded)
    for fault in sorted(faults):
        state = FAULTS[fault](state, time)
    assert placed(step(state, TimedEvent(time, still(state, time)))) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 24 * 60 - 1))
def test_no_order_leaves_outside_the_hours_of_trading(recorded: Recorded, minute: int) -> None:
    state, time = opening(recorded)
    moved = time.replace(hour=0, minute=0, second=0) + timedelta(minutes=minute)
    shift = moved - time
    state = replace(
        state,
        alive={feed: at + shift for feed, at in state.alive.items()},
        account_time=moved,
        feeds_asked={},
    )
    done = step(state, TimedEvent(moved, still(state, moved)))
    window = datetime(2026, 3, 2, 15, tzinfo=UTC) <= moved < datetime(2026, 3, 2, 20, tzinfo=UTC)
    if not window:
        assert placed(done) == []


@pytest.mark.parametrize(("minutes", "count"), [(-6, 1), (-4, 0), (0, 0), (4, 0), (6, 1)])
def test_no_order_leaves_within_five_minutes_of_the_gateways_restart(
    recorded: Recorded, minutes: int, count: int
) -> None:
    state, time = opening(recorded)
    assert state.opened is not None
    restart = (time - timedelta(minutes=minutes)).astimezone(MARKET_TZ)
    known = replace(state, opened=replace(state.opened, gateway_restart=f"{restart:%H:%M}"))
    assert len(placed(step(known, TimedEvent(time, still(known, time))))) == count


def test_an_order_under_way_is_cancelled_ahead_of_the_gateways_restart(
    strategies: dict[str, Evaluation],
) -> None:
    state = at_work(order_line(), ready())
    assert state.opened is not None
    soon = replace(state, opened=replace(state.opened, gateway_restart="10:34"))
    assert NOW.astimezone(MARKET_TZ).strftime("%H:%M") == "10:30"
    cancels = [one for one in decide.evaluate(soon, later(1)).commands if isinstance(one, CancelOrder)]
    assert len(cancels) == 1


def test_a_second_look_at_the_same_moment_does_not_order_again(recorded: Recorded) -> None:
    state, time = opening(recorded)
    first = step(state, TimedEvent(time, still(state, time)))
    again = step(replace(first.state, look_due=True), TimedEvent(time, still(state, time)))
    assert placed(again) == []


def test_at_every_moment_of_the_recorded_session_a_structure_has_at_most_one_live_order(
    recorded: Recorded,
) -> None:
    for state in recorded.states:
        owners = [line.structure_id for line in state.working()]
        assert len(owners) == len(set(owners))


# ------------------------------------------------------------------ who comes first, and what is told


def test_a_hedge_reserves_before_a_condor_takes_what_is_left(strategies: dict[str, Evaluation]) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish(quantity=9),))
    strategies["near_term"] = Evaluation(proposals=(HEDGE,))
    rich = AccountTaken(1.15e6, 1.15e6, 0.0, 0.0)
    done = decide.evaluate(looking(hedge=FIRED, account=rich), NOW)
    first, second = placed(done)
    assert (first.combo, second.combo) == (vix_spread(), condor())
    # 1.2 % of 1.15 million, less the hedge's reserve, in condors that can lose 4,400 dollars.
    assert second.quantity == 2 == (13_800 - 3_000) // 4_400
    alone = decide.evaluate(looking(account=rich), NOW)
    assert placed(alone)[-1].quantity == 3 == 13_800 // 4_400


def test_a_hedge_at_work_is_not_reserved_twice(strategies: dict[str, Evaluation]) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish(),))
    hedge = order_line(
        "alvh:near_term:1",
        vix_spread(),
        quantity=30,
        structure_id="near-term-2020-01-31",
        strategy="near_term",
        reserves=True,
        limit_first=1.0,
        limit_worst=1.0,
    )
    state = at_work(hedge, looking(hedge=FIRED))
    done = decide.evaluate(state, NOW)
    (decision,) = [one for one in done.decisions if one.verb is Verb.OPEN]
    headroom = next(check.limit for check in decision.checks if check.name == "initiation_usd")
    assert headroom == 12_000 - 3_000


def test_closes_come_before_everything(strategies: dict[str, Evaluation]) -> None:
    line = order_line("old", quantity=1, status=OrderStatus.FILLED, structure_id="held", ended_at=NOW)
    state = at_work(line, looking())
    for one in executions(line, 1):
        state = apply_execution(state, one, NOW)
    close = wish("held", condor().reversed(), Intent.CLOSE, limit=6.0)
    other = condor(low=3000, put=3150, call=3450, high=3600)
    opening_wish = wish("condor-2020-W06-2", other)
    strategies["iron_condor"] = Evaluation(proposals=(opening_wish, close))
    done = decide.evaluate(replace(state, quotes=quoted(condor(), other)), NOW)
    assert done.decisions[0].verb is Verb.CLOSE
    assert done.state.structures["held"].closed_reason == "because"


def test_in_the_last_minutes_nothing_is_proposed_and_what_works_is_cancelled(
    strategies: dict[str, Evaluation],
) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish("other"),))
    time = datetime(2020, 2, 3, 21, 10, tzinfo=UTC)
    line = order_line()
    done = decide.evaluate(replace(at_work(line, looking()), feeds_asked={}), time)
    assert placed(done) == []
    assert (
        CancelOrder(line.order.order_ref, "no orders now: the session ends, or the gateway restarts")
        in done.commands
    )


def test_a_denial_is_told_once_and_each_structure_has_its_own(strategies: dict[str, Evaluation]) -> None:
    gates = (Gate("entry_window", True),)
    strategies["iron_condor"] = Evaluation(
        gates=gates,
        proposals=(wish("a"), wish("b")),
        lines=tuple(leg.contract for leg in condor().legs),
    )
    state = looking(account=None)
    told = []
    for number in range(4):
        done = decide.evaluate(state, later(number))
        told += [(one.structure_id, one.verb) for one in done.decisions if one.strategy == "iron_condor"]
        state = done.state
    assert told == [("a", Verb.DENY), ("b", Verb.DENY)]
    assert state.held_since["a"] == 3


def test_a_verdict_without_parameters_is_none() -> None:
    state = ready(parameters=None)
    assert decide._judge(state, wish(), Evaluation(), 0.0, NOW) == Step(state)
    assert decide._headroom_usd(state, 0.0) is None
    assert decide._watch_feeds(state, NOW) is state
