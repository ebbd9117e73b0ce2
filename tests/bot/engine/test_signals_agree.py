"""Over the real files the daemon's engine says of each session what the review of history says of it."""

import os
from collections.abc import Iterator, Mapping
from datetime import date

import pytest

from bot.engine.decision import Decision, Verb
from bot.engine.observations import as_of
from bot.engine.signals import know, settle_final
from bot.events import ObservationsKnown
from bot.feeds import history_observations
from bot.jobs import WARM_UP_SESSIONS
from bot.review.signals import Day
from market.series import Observation
from market.sessions import next_session, session_offset, sessions
from tests.bot.engine.desk import ready
from tests.bot.review.daily_history import DATA, FIRST, LAST, base_rules, needs_history, real_walk

pytestmark = needs_history
_STRATEGY = {"L1": "near_term", "L2": "mid_term", "L3": "reserve"}


def mornings(first: date, last: date) -> Iterator[tuple[date, list[ObservationsKnown]]]:
    """Each session's morning after, with what has become known since the one before: first the warm-up."""
    warm_from = session_offset(first, -WARM_UP_SESSIONS) if first > date(2008, 1, 1) else date(2000, 1, 3)
    tape = sorted(
        (seen.known_at, known.series, seen)
        for known in history_observations(DATA, warm_from, last)
        for seen in known.observations
    )
    position = 0
    for day in sessions(first, last):
        news: dict[str, list[Observation]] = {}
        while position < len(tape) and tape[position][0] <= as_of(day):
            news.setdefault(tape[position][1], []).append(tape[position][2])
            position += 1
        yield day, [ObservationsKnown(series, tuple(seen)) for series, seen in news.items()]


def told(first: date, last: date) -> Iterator[tuple[date, Mapping[str, Decision]]]:
    """What the engine tells of each session, by strategy."""
    state = ready()
    for day, news in mornings(first, last):
        for known in news:
            state = know(state, known, as_of(day))
        done = settle_final(state, next_session(day), as_of(day))
        state = done.state
        yield day, {decision.strategy: decision for decision in done.decisions}


def reviewed() -> Mapping[date, Day]:
    return {day.date: day for day in real_walk().days(base_rules())}


def test_the_engine_fires_each_layer_on_the_very_sessions_of_the_review() -> None:
    whole = os.environ.get("ALVH_KILL_TURNS")  # make full walks all seventeen years
    first, last = (FIRST, LAST) if whole else (date(2018, 10, 1), date(2020, 6, 30))
    history, fires = reviewed(), 0
    for day, decisions in told(first, last):
        seen = history[day]
        fired = tuple(layer for layer, strategy in _STRATEGY.items() if decisions[strategy].verb is Verb.FIRE)
        assert fired == seen.fires, day
        fires += len(fired)
        for layer, verdict in zip(_STRATEGY, (seen.near, seen.mid, seen.reserve), strict=True):
            ours = decisions[_STRATEGY[layer]].readings
            assert [one.fired for one in ours] == [one.fired for one in verdict.readings], (day, layer)
            for one, other in zip(ours, verdict.readings, strict=True):
                if one.value is not None and other.value is not None:
                    assert one.value == pytest.approx(other.value, abs=1e-3), (day, one.name)
    assert fires >= 4
