"""Outside of the calendar no segment trades; inside of it the tests of sessions hold the hours."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.sessions import (
    FIRST_DAY,
    LAST_DAY,
    MARKET_TZ,
    Product,
    option_close,
    option_hours_utc,
    regular_hours,
    segment_at,
    session_on_or_after,
    sessions,
)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=MARKET_TZ)


def test_before_and_after_the_calendar_nothing_trades() -> None:
    assert segment_at(Product.INDEX_OPTION, noon(session_on_or_after(FIRST_DAY))) is not None
    for day in (FIRST_DAY - timedelta(7), LAST_DAY + timedelta(7)):
        assert segment_at(Product.INDEX_OPTION, noon(day)) is None


@given(st.sampled_from(sessions(FIRST_DAY, LAST_DAY)))
def test_the_hours_of_index_options_in_utc_are_those_in_new_york(session: date) -> None:
    hours = option_hours_utc(session)
    assert hours == (regular_hours(session)[0], option_close(session))
    assert all(instant.tzinfo is UTC for instant in hours)


def test_a_day_without_a_session_has_no_hours_of_index_options() -> None:
    with pytest.raises(ValueError, match="not a session"):
        option_hours_utc(date(2025, 1, 9))
