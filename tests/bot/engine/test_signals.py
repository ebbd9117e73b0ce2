"""Daily signals: final values of the past, each session once, and only yesterday's fire opens a tranche."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.decision import Decision, Verb
from bot.engine.signals import breadth_index, know, note_provisional
from bot.engine.state import EngineState, Step
from bot.events import NET_ADVANCES, VX_SETTLEMENT, Job, JobDue, ObservationsKnown
from market.quote import Quote
from market.series import Observation
from market.sessions import front_vx_pair, previous_session, session_offset, sessions
from tests.bot.engine.desk import BREADTH, FUTURES, NOW, SESSION, after, ready, take

YESTERDAY = previous_session(SESSION)
MORNING = datetime(2020, 2, 3, 14, 10, tzinfo=UTC)
DAYS = 130


def known_after(day: date) -> datetime:
    """The evening of a session."""
    return datetime(day.year, day.month, day.day, 23, tzinfo=UTC)


def breadth(days: Sequence[date], value: float = -1500.0) -> ObservationsKnown:
    """Net advances that fall without end, with a small rise now and then."""
    return ObservationsKnown(
        NET_ADVANCES,
        tuple(
            Observation(known_after(day), day, 10.0 if number % 9 == 8 else value)
            for number, day in enumerate(days)
        ),
    )


def settlements(days: Sequence[date], front: float = 30.0, second: float = 25.0) -> list[ObservationsKnown]:
    """Settlements of each session's front pair."""
    found = []
    for day in days:
        for settles, price in zip(front_vx_pair(day), (front, second), strict=True):
            observation = Observation(known_after(day), day, price)
            found.append(ObservationsKnown(f"{VX_SETTLEMENT}{settles}", (observation,)))
    return found


def warm(last: date = YESTERDAY, days: int = DAYS) -> tuple[date, ...]:
    """The sessions up to `last`."""
    return sessions(session_offset(last, 1 - days), last)


def settled(state: EngineState, session: date = SESSION, time: datetime = MORNING) -> Step:
    """The final settlement before `session` opens."""
    return take(state, JobDue(Job.SETTLEMENT_FINAL, session), time)


def told(done: Step) -> list[Decision]:
    """What was told of the layer."""
    return [decision for decision in done.decisions if decision.strategy == "near_term"]


def fed(state: EngineState | None = None, inverted: Sequence[date] = (YESTERDAY,)) -> EngineState:
    """Breadth of many sessions, and a curve that is inverted on some of them."""
    state = state if state is not None else ready()
    days = warm()
    flat = [day for day in days if day not in inverted]
    return after(state, breadth(days), *settlements(flat, 20.0, 21.0), *settlements(inverted), time=MORNING)


def test_a_fire_on_the_last_completed_session_opens_a_tranche_on_the_next_and_not_earlier() -> None:
    done = settled(fed())
    (decision,) = told(done)
    assert (decision.verb, decision.session) == (Verb.FIRE, YESTERDAY)
    assert {reading.name for reading in decision.readings} >= {"ad_line_rsi", "front_backwardation"}
    (pending,) = done.state.hedge.pending
    assert (pending.signal, pending.session) == (YESTERDAY, SESSION)


def test_an_older_fire_found_while_catching_up_opens_nothing() -> None:
    before = previous_session(YESTERDAY)
    done = settled(fed(inverted=(before,)))
    assert [decision.verb for decision in told(done)] == [Verb.READ]
    assert done.state.layers.near.last_fire == before
    assert done.state.hedge.pending == ()


def test_a_fire_without_a_net_asset_value_is_told_and_opens_nothing() -> None:
    done = settled(fed(ready(account=None)))
    (decision,) = told(done)
    assert decision.verb is Verb.FIRE
    assert "no tranche can be sized" in decision.reason
    assert done.state.hedge.pending == ()


def test_a_missing_value_leaves_the_session_unknown() -> None:
    days = warm()
    state = after(ready(), breadth(days), *settlements(days[:-1], 20.0, 21.0), time=MORNING)
    (decision,) = told(settled(state))
    assert (decision.verb, decision.reason) == (Verb.READ, "the near-term layer is unknown")
    label = next(one for one in settled(state).decisions if one.strategy == "regime")
    assert label.reason == "the regime is NORMAL, carried: a price is missing"
    assert [one.fired for one in label.readings] == [None, None, False, None, None, False]


def test_a_quiet_session_is_told_as_one_that_does_not_fire() -> None:
    (decision,) = told(settled(fed(inverted=())))
    assert decision.reason == "the near-term layer does not fire"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 100_000), st.booleans(), st.floats(-5000, 5000))
def test_a_value_from_the_future_or_a_provisional_one_is_never_used(
    seconds: int, final: bool, value: float
) -> None:
    day = YESTERDAY
    ahead = Observation(MORNING + timedelta(seconds=seconds), day, value, final)
    provisional = Observation(MORNING, day, value, False)
    state = ready()
    for seen in (ahead, provisional):
        for series in (NET_ADVANCES, f"{VX_SETTLEMENT}{FUTURES[0].expiry}"):
            assert know(state, ObservationsKnown(series, (seen,)), MORNING).daily == state.daily


def test_a_value_counts_from_the_moment_it_was_known() -> None:
    seen = Observation(MORNING, YESTERDAY, 12.0)
    state = know(ready(), ObservationsKnown(NET_ADVANCES, (seen,)), MORNING)
    assert state.daily.waiting == {NET_ADVANCES: ((MORNING, YESTERDAY, 12.0),)}


def test_a_value_that_came_before_its_session_is_complete_waits_for_the_count_after_it() -> None:
    state = after(fed(), *settlements((SESSION,)), time=MORNING.replace(hour=23))
    done = settled(state, time=MORNING.replace(hour=23))
    assert {values[0][1] for values in done.state.daily.waiting.values()} == {SESSION}
    tomorrow = session_offset(SESSION, 1)
    state = after(done.state, breadth((SESSION,)), time=known_after(SESSION))
    counted = settled(state, tomorrow, MORNING + timedelta(days=1))
    assert counted.state.daily.waiting == {}
    assert counted.state.layers.near.backwardation == 0.2


def test_values_of_sessions_already_counted_are_not_kept_and_other_series_are_passed_over() -> None:
    state = settled(fed()).state
    state = after(state, breadth(warm()), *settlements(warm()), time=MORNING)
    assert state.daily.waiting == {}
    other = ObservationsKnown("sunspots", (Observation(MORNING, SESSION, 20.0),))
    assert know(state, other, MORNING).daily == state.daily


def test_each_session_counts_once_also_after_a_restart() -> None:
    done = settled(fed())
    again = settled(done.state)
    assert again.decisions == ()
    assert again.state.layers.near == done.state.layers.near
    restarted = replace(done.state, jobs_done={})
    once_more = settled(restarted)
    assert told(once_more) == []
    assert once_more.state.layers.near == done.state.layers.near


def test_sessions_missed_while_the_daemon_was_away_are_counted_in_order() -> None:
    state = settled(fed()).state
    next_two = sessions(SESSION, session_offset(SESSION, 1))
    time = known_after(next_two[-1]) + timedelta(hours=15)
    state = after(state, breadth(next_two), *settlements(next_two, 20.0, 21.0), time=time)
    done = settled(state, session_offset(SESSION, 2), time)
    assert done.state.layers.near.last_session == next_two[-1]
    assert done.state.layers.near.rsi.changes == DAYS + 2
    assert [decision.session for decision in told(done)] == [next_two[-1]]


def test_without_any_value_or_rules_nothing_is_counted() -> None:
    assert settled(ready()).decisions == ()
    blank = replace(fed(), parameters=None)
    assert settled(blank).decisions == ()
    review = take(blank, JobDue(Job.SESSION_REVIEW, SESSION), NOW)
    assert review.decisions == ()


# ------------------------------------------------------------------ the provisional reading


def with_quotes(state: EngineState) -> EngineState:
    """Live counts of breadth, two futures with a market and one without."""
    quotes = {
        BREADTH.con_id: Quote(900.0, 2100.0, None, NOW),
        FUTURES[0].con_id: Quote(29.9, 30.1, None, NOW),
        FUTURES[1].con_id: Quote(24.9, 25.1, None, NOW),
        FUTURES[2].con_id: Quote(None, 24.0, None, NOW),
    }
    return replace(state, quotes=quotes)


def test_the_settlement_instant_keeps_the_mids_of_two_sided_futures() -> None:
    state = note_provisional(with_quotes(ready()), SESSION)
    assert state.daily.provisional == {SESSION: {FUTURES[0].expiry: 30.0, FUTURES[1].expiry: 25.0}}
    job = take(with_quotes(ready()), JobDue(Job.SETTLEMENT_PROVISIONAL, SESSION))
    assert job.state.daily.provisional == state.daily.provisional
    assert job.decisions == ()


def test_the_review_tells_provisional_readings_and_never_fires() -> None:
    state = settled(fed(inverted=())).state
    state = note_provisional(with_quotes(state), SESSION)
    done = take(state, JobDue(Job.SESSION_REVIEW, SESSION))
    (decision,) = told(done)
    values = {reading.name: reading.value for reading in decision.readings}
    assert decision.verb is Verb.READ
    assert "provisional" in decision.reason
    assert values["front_backwardation"] == 0.2
    assert done.state.layers.near == state.layers.near
    assert done.state.hedge == state.hedge
    assert done.state.daily.live_net_advances == {SESSION: -1200.0}


def test_the_live_count_of_breadth_stands_in_where_the_final_one_does_not_come() -> None:
    state = note_provisional(with_quotes(settled(fed(inverted=())).state), SESSION)
    state = after(state, JobDue(Job.SESSION_REVIEW, SESSION))
    tomorrow = session_offset(SESSION, 1)
    time = known_after(SESSION) + timedelta(hours=15)
    done = settled(after(state, *settlements([SESSION], 20.0, 21.0), time=time), tomorrow, time)
    assert done.state.layers.near.last_breadth == SESSION
    assert done.state.daily.live_net_advances == {}


def test_without_the_exchange_count_there_is_no_live_breadth() -> None:
    done = take(ready(), JobDue(Job.SESSION_REVIEW, SESSION))
    assert done.state.daily.live_net_advances == {}
    assert breadth_index(ready(contracts={})) is None
    nobody = take(ready(contracts={}), JobDue(Job.SESSION_REVIEW, SESSION))
    assert nobody.state.daily.live_net_advances == {}
