"""The session's jobs: each once, in New York time, moved by early closes, never replayed blindly."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.events import Job
from bot.schedule import due, expires, missed, moment, next_due
from market.sessions import MARKET_TZ, is_session, next_session, sessions

YEAR = (datetime(2019, 12, 30, tzinfo=UTC), datetime(2021, 1, 8, tzinfo=UTC))


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=MARKET_TZ).astimezone(UTC)


def test_an_ordinary_session_has_its_five_jobs_at_the_desk_times() -> None:
    session = date(2021, 6, 2)
    clock = [moment(job, session).astimezone(MARKET_TZ).strftime("%H:%M") for job in Job]
    assert clock == ["09:10", "09:30", "16:00", "16:20", "17:00"]


def test_before_october_2020_the_settlement_was_at_a_quarter_past_four() -> None:
    assert moment(Job.SETTLEMENT_PROVISIONAL, date(2020, 3, 16)) == new_york(2020, 3, 16, 16, 15)


def test_an_early_close_moves_the_jobs_behind_it() -> None:
    christmas_eve = date(2026, 12, 24)
    clock = [moment(job, christmas_eve).astimezone(MARKET_TZ).strftime("%H:%M") for job in Job]
    assert clock == ["09:10", "09:30", "13:00", "13:20", "14:00"]
    found = due(new_york(2026, 12, 24, 13, 19), new_york(2026, 12, 24, 13, 21))
    assert found == ((new_york(2026, 12, 24, 13, 20), Job.SESSION_REVIEW, christmas_eve),)


def test_no_job_is_due_on_a_weekend_or_a_holiday() -> None:
    assert due(new_york(2021, 6, 4, 18), new_york(2021, 6, 7, 9, 9)) == ()
    assert due(new_york(2026, 12, 24, 18), new_york(2026, 12, 27, 18)) == ()


@pytest.mark.parametrize("change", [date(2021, 3, 12), date(2021, 11, 5)])
def test_jobs_keep_their_new_york_time_across_a_change_of_clocks(change: date) -> None:
    after = next_session(change)
    for session in (change, after):
        assert moment(Job.SESSION_REVIEW, session).astimezone(MARKET_TZ).strftime("%H:%M") == "16:20"
    assert moment(Job.SESSION_REVIEW, change).hour != moment(Job.SESSION_REVIEW, after).hour


@given(st.lists(st.integers(1, 200_000), min_size=300, max_size=400))
@settings(max_examples=15, deadline=None)
def test_each_job_of_each_session_comes_once_however_the_time_is_cut(steps: list[int]) -> None:
    last, end = YEAR
    seen: list[tuple[Job, date]] = []
    for step in steps:
        now = min(last + timedelta(seconds=step), end)
        for _, job, session in (*due(last, now), *missed(last, now)):
            seen.append((job, session))
        last = now
    expected = {
        (job, session)
        for session in sessions(YEAR[0].date(), YEAR[1].date())
        for job in Job
        if YEAR[0] < moment(job, session) <= last
    }
    assert len(seen) == len(set(seen))
    assert set(seen) == expected


@given(st.integers(0, 700 * 86_400))
@settings(max_examples=100)
def test_the_next_moment_is_the_first_at_which_something_is_due(second: int) -> None:
    now = YEAR[0] + timedelta(seconds=second)
    following = next_due(now)
    assert following > now
    assert due(now, following - timedelta(seconds=1)) == ()
    assert due(now, following)[0][0] == following


def test_after_three_weeks_of_sleep_only_the_latest_sensible_jobs_run() -> None:
    last, now = new_york(2021, 6, 1, 12), new_york(2021, 6, 22, 18)
    assert [(job, session.day) for _, job, session in due(last, now)] == [
        (Job.SESSION_REVIEW, 22),
        (Job.SESSION_END, 22),
    ]
    assert len(missed(last, now)) == 3 + 14 * 5 + 3


def test_a_suspended_machine_does_not_call_a_late_price_the_settlement() -> None:
    last = new_york(2021, 6, 2, 15, 59)
    assert due(last, new_york(2021, 6, 2, 16, 4))[0][1] is Job.SETTLEMENT_PROVISIONAL
    assert due(last, new_york(2021, 6, 2, 16, 6)) == ()
    assert missed(last, new_york(2021, 6, 2, 16, 6))[0][1] is Job.SETTLEMENT_PROVISIONAL


def test_a_review_is_caught_up_over_night_but_not_after_the_next_open() -> None:
    last = new_york(2021, 6, 4, 16, 10)
    assert Job.SESSION_REVIEW in [job for _, job, _ in due(last, new_york(2021, 6, 7, 9, 29))]
    later = due(last, new_york(2021, 6, 7, 9, 30))
    assert [(job, session.day) for _, job, session in later] == [
        (Job.SETTLEMENT_FINAL, 7),
        (Job.SESSION_OPEN, 7),
    ]


def test_every_job_expires_before_it_is_due_again() -> None:
    for session in sessions(date(2018, 1, 2), date(2022, 12, 30)):
        for job in Job:
            assert (
                moment(job, session)
                < expires(job, session)
                < moment(Job.SESSION_REVIEW, next_session(session))
            )
            assert expires(job, session) <= moment(job, next_session(session)) or job in {
                Job.SETTLEMENT_FINAL,
                Job.SESSION_OPEN,
            }


def test_naive_times_and_days_without_a_session_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due(YEAR[0].replace(tzinfo=None), YEAR[1])
    assert not is_session(date(2021, 6, 5))
    with pytest.raises(ValueError):
        moment(Job.SESSION_OPEN, date(2021, 6, 5))
