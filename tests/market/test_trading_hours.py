"""Outside of the calendar no segment trades; inside of it the tests of sessions hold the hours."""

from datetime import date, datetime, timedelta

from market.sessions import FIRST_DAY, LAST_DAY, MARKET_TZ, Product, segment_at, session_on_or_after


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=MARKET_TZ)


def test_before_and_after_the_calendar_nothing_trades() -> None:
    assert segment_at(Product.INDEX_OPTION, noon(session_on_or_after(FIRST_DAY))) is not None
    for day in (FIRST_DAY - timedelta(7), LAST_DAY + timedelta(7)):
        assert segment_at(Product.INDEX_OPTION, noon(day)) is None
