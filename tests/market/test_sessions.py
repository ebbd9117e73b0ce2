"""Sessions, early closes and trading hours, against an independent calendar and days known by date."""

import warnings
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.sessions import (
    FIRST_DAY,
    LAST_DAY,
    MARKET_TZ,
    UNSCHEDULED_CLOSURES,
    Product,
    Segment,
    SegmentHours,
    is_early_close,
    is_session,
    next_session,
    option_close,
    previous_session,
    regular_hours,
    segment_at,
    segments,
    session_offset,
    session_on_or_after,
    session_on_or_before,
    sessions,
    sessions_between,
    vx_settlement_instant,
)

ORACLE_SPAN = (date(1990, 1, 1), date(2035, 12, 31))
COMPARED_SPAN = (date(2007, 1, 1), date(2027, 6, 30))
HALF_DAYS = [date(2025, 7, 3), date(2025, 12, 24), date(2026, 11, 27), date(2026, 12, 24)]

covered_days = st.dates(FIRST_DAY + timedelta(60), LAST_DAY - timedelta(60))
known_sessions = st.sampled_from(sessions(FIRST_DAY + timedelta(60), LAST_DAY - timedelta(60)))


def new_york(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), MARKET_TZ)


def windows(product: Product, session: date) -> list[tuple[Segment, str, str]]:
    """Readable hours: segment, open as weekday and time, close as weekday and time."""
    return [
        (hours.segment, f"{hours.open:%a %H:%M}", f"{hours.close:%a %H:%M}")
        for hours in segments(product, session)
    ]


@cache
def oracle_closes() -> dict[date, datetime]:
    """Close of each NYSE session in UTC, from exchange_calendars."""
    calendars = pytest.importorskip("exchange_calendars", reason="exchange_calendars is not installed")
    with warnings.catch_warnings():
        # The library reads Series.values of a time-zone column, which pandas 3.1 deprecates.
        warnings.filterwarnings("ignore", message="Series.values returning an ndarray", category=Warning)
        calendar = calendars.get_calendar("XNYS", start=ORACLE_SPAN[0], end=ORACLE_SPAN[1])
    return {day.date(): close.to_pydatetime() for day, close in calendar.schedule["close"].items()}


# ---------------------------------------------------------------- the independent calendar
@pytest.mark.parametrize("span", [COMPARED_SPAN, ORACLE_SPAN], ids=["2007-2027", "1990-2035"])
def test_sessions_equal_those_of_exchange_calendars(span: tuple[date, date]) -> None:
    first, last = span
    assert list(sessions(first, last)) == sorted(day for day in oracle_closes() if first <= day <= last)


@pytest.mark.parametrize("span", [COMPARED_SPAN, ORACLE_SPAN], ids=["2007-2027", "1990-2035"])
def test_cash_closes_and_early_closes_equal_those_of_exchange_calendars(span: tuple[date, date]) -> None:
    expected = {day: close for day, close in oracle_closes().items() if span[0] <= day <= span[1]}
    assert {day: regular_hours(day)[1].astimezone(UTC) for day in expected} == expected
    early = {day for day, close in expected.items() if close.astimezone(MARKET_TZ).time() < time(16)}
    assert {day for day in expected if is_early_close(day)} == early


def test_there_are_44_early_closes_between_2007_and_mid_2027() -> None:
    assert sum(is_early_close(session) for session in sessions(*COMPARED_SPAN)) == 44


# ---------------------------------------------------------------- days known by date
@pytest.mark.parametrize(
    "day",
    [
        date(1994, 4, 27),
        date(2001, 9, 11),
        date(2001, 9, 14),
        date(2004, 6, 11),
        date(2007, 1, 2),
        date(2012, 10, 29),
        date(2012, 10, 30),
        date(2018, 12, 5),
        date(2025, 1, 9),
    ],
)
def test_unscheduled_closures_are_no_sessions(day: date) -> None:
    assert day in UNSCHEDULED_CLOSURES
    assert not is_session(day)
    assert is_session(previous_session(day))


@pytest.mark.parametrize(
    ("day", "open_"),
    [
        (date(2021, 6, 18), True),  # Juneteenth of 2021 was not kept yet
        (date(2022, 6, 20), False),  # 2022: a Sunday, kept on Monday
        (date(2024, 6, 19), False),
        (date(2026, 6, 19), False),
        (date(2027, 6, 18), False),  # 2027: a Saturday, kept on Friday
        (date(2024, 3, 29), False),  # Good Fridays
        (date(2025, 4, 18), False),
        (date(2026, 4, 3), False),
        (date(2025, 4, 21), True),  # Easter Monday
        (date(2021, 12, 31), True),  # New Year on a Saturday is not observed
        (date(2023, 1, 2), False),  # New Year on a Sunday is
        (date(2020, 7, 3), False),
        (date(2021, 7, 5), False),
        (date(1998, 1, 19), False),  # first Martin Luther King Day kept
        (date(1997, 1, 20), True),
        (date(2024, 2, 29), True),  # leap days
        (date(2028, 2, 29), True),
        (date(2004, 2, 29), False),  # a Sunday
        (date(2024, 2, 19), False),
        (date(2024, 5, 27), False),
        (date(2024, 11, 28), False),
        (date(2024, 12, 25), False),
    ],
)
def test_holidays_fall_where_the_exchange_put_them(day: date, open_: bool) -> None:
    assert is_session(day) is open_


@pytest.mark.parametrize("day", HALF_DAYS)
def test_a_half_day_closes_stocks_at_13_00_and_index_options_at_13_15(day: date) -> None:
    assert is_early_close(day)
    assert regular_hours(day) == (new_york(day, 9, 30), new_york(day, 13))
    assert option_close(day) == new_york(day, 13, 15)


def test_independence_day_on_thursday_shortened_the_friday_after_until_2012_and_the_wednesday_since() -> None:
    assert is_early_close(date(2002, 7, 5))
    assert not is_early_close(date(2002, 7, 3))
    assert is_early_close(date(2013, 7, 3))
    assert not is_early_close(date(2013, 7, 5))


def test_full_days_close_at_16_00_and_index_options_at_16_15() -> None:
    day = date(2026, 7, 2)
    assert not is_early_close(day)
    assert regular_hours(day)[1] == new_york(day, 16)
    assert option_close(day) == new_york(day, 16, 15)


# ---------------------------------------------------------------- segments
def test_index_options_trade_overnight_by_day_and_in_the_curb() -> None:
    assert windows(Product.INDEX_OPTION, date(2026, 3, 11)) == [
        (Segment.GLOBAL, "Tue 20:15", "Wed 09:25"),
        (Segment.REGULAR, "Wed 09:30", "Wed 16:15"),
        (Segment.CURB, "Wed 16:15", "Wed 17:00"),
    ]


def test_vix_futures_trade_almost_around_the_clock() -> None:
    assert windows(Product.VIX_FUTURE, date(2026, 3, 11)) == [
        (Segment.GLOBAL, "Tue 18:00", "Wed 09:30"),
        (Segment.REGULAR, "Wed 09:30", "Wed 16:00"),
        (Segment.CURB, "Wed 16:00", "Wed 17:00"),
    ]


def test_the_overnight_segment_of_a_monday_opens_on_sunday_and_after_a_holiday_on_the_holiday() -> None:
    assert windows(Product.INDEX_OPTION, date(2026, 3, 9))[0] == (Segment.GLOBAL, "Sun 20:15", "Mon 09:25")
    assert windows(Product.INDEX_OPTION, date(2026, 1, 20))[0] == (Segment.GLOBAL, "Mon 20:15", "Tue 09:25")


@pytest.mark.parametrize("product", [Product.INDEX_OPTION, Product.VIX_FUTURE])
@pytest.mark.parametrize("day", HALF_DAYS)
def test_on_a_half_day_cboe_products_end_at_13_15_without_a_curb(product: Product, day: date) -> None:
    overnight, regular = segments(product, day)
    assert (overnight.segment, regular.segment) == (Segment.GLOBAL, Segment.REGULAR)
    assert regular.close == new_york(day, 13, 15)
    assert segment_at(product, new_york(day, 13, 15)) is None
    assert segment_at(product, new_york(day, 16, 30)) is None


def test_stocks_have_regular_hours_only() -> None:
    assert windows(Product.EQUITY, date(2026, 3, 11)) == [(Segment.REGULAR, "Wed 09:30", "Wed 16:00")]
    assert windows(Product.EQUITY, date(2026, 12, 24)) == [(Segment.REGULAR, "Thu 09:30", "Thu 13:00")]


def test_on_the_day_of_mourning_of_2025_only_the_overnight_segment_of_cboe_ran() -> None:
    mourning = date(2025, 1, 9)
    assert windows(Product.INDEX_OPTION, mourning) == [(Segment.GLOBAL, "Wed 20:15", "Thu 09:25")]
    assert windows(Product.VIX_FUTURE, mourning) == [(Segment.GLOBAL, "Wed 18:00", "Thu 09:30")]
    assert segments(Product.EQUITY, mourning) == ()
    assert segment_at(Product.INDEX_OPTION, new_york(mourning, 9)) is not None
    assert segment_at(Product.INDEX_OPTION, new_york(mourning, 10)) is None


@pytest.mark.parametrize("day", [date(2024, 12, 25), date(2026, 3, 14), date(2026, 3, 15)])
@pytest.mark.parametrize("product", list(Product))
def test_closed_days_have_no_segments(product: Product, day: date) -> None:
    assert segments(product, day) == ()


@pytest.mark.parametrize(
    ("product", "first_session", "segment", "opens", "closes"),
    [
        (Product.INDEX_OPTION, date(2015, 3, 9), Segment.GLOBAL, "03:00", "09:15"),
        (Product.INDEX_OPTION, date(2021, 11, 22), Segment.GLOBAL, "20:15", "09:15"),
        (Product.INDEX_OPTION, date(2022, 4, 25), Segment.CURB, "16:15", "17:00"),
        (Product.INDEX_OPTION, date(2024, 8, 26), Segment.GLOBAL, "20:15", "09:25"),
        (Product.VIX_FUTURE, date(2014, 6, 23), Segment.GLOBAL, "18:00", "09:30"),
        (Product.VIX_FUTURE, date(2018, 2, 26), Segment.CURB, "16:30", "17:00"),
        (Product.VIX_FUTURE, date(2021, 12, 6), Segment.REGULAR, "09:30", "16:00"),
    ],
)
def test_new_hours_begin_with_the_session_they_were_announced_for(
    product: Product, first_session: date, segment: Segment, opens: str, closes: str
) -> None:
    def hours(session: date) -> list[tuple[str, str]]:
        return [
            (f"{found.open:%H:%M}", f"{found.close:%H:%M}")
            for found in segments(product, session)
            if found.segment is segment
        ]

    assert hours(first_session) == [(opens, closes)]
    assert hours(previous_session(first_session)) != [(opens, closes)]


def test_vix_futures_have_no_hours_before_they_existed() -> None:
    assert segments(Product.VIX_FUTURE, date(2004, 3, 25)) == ()
    assert len(segments(Product.VIX_FUTURE, date(2004, 3, 26))) == 1


@pytest.mark.parametrize(
    ("hour", "minute", "segment"),
    [
        (0, 0, Segment.GLOBAL),
        (9, 24, Segment.GLOBAL),
        (9, 25, None),
        (9, 30, Segment.REGULAR),
        (16, 14, Segment.REGULAR),
        (16, 15, Segment.CURB),
        (17, 0, None),
        (20, 14, None),
        (20, 15, Segment.GLOBAL),
    ],
)
def test_an_instant_belongs_to_one_segment_and_the_close_to_none(
    hour: int, minute: int, segment: Segment | None
) -> None:
    instant = new_york(date(2026, 3, 11), hour, minute)
    found = segment_at(Product.INDEX_OPTION, instant)
    assert (found.segment if found else None) is segment
    assert found == segment_at(Product.INDEX_OPTION, instant.astimezone(UTC))


# ---------------------------------------------------------------- daylight saving
@pytest.mark.parametrize(
    ("session", "open_utc"),
    [
        (date(2026, 3, 6), "14:30"),  # Friday before clocks go forward
        (date(2026, 3, 9), "13:30"),
        (date(2026, 10, 30), "13:30"),  # Friday before clocks go back
        (date(2026, 11, 2), "14:30"),
    ],
)
def test_the_open_follows_new_york_through_daylight_saving(session: date, open_utc: str) -> None:
    assert f"{regular_hours(session)[0].astimezone(UTC):%H:%M}" == open_utc


def test_a_segment_across_the_hour_that_is_repeated_contains_both_passes_of_it() -> None:
    overnight = SegmentHours(
        Segment.GLOBAL, new_york(date(2026, 10, 31), 20, 15), new_york(date(2026, 11, 1), 9, 25)
    )
    first_pass = datetime(2026, 11, 1, 1, 30, tzinfo=MARKET_TZ)
    second_pass = first_pass.replace(fold=1)
    assert second_pass.astimezone(UTC) - first_pass.astimezone(UTC) == timedelta(hours=1)
    assert overnight.contains(first_pass)
    assert overnight.contains(second_pass)


# ---------------------------------------------------------------- daily settlement of VIX futures
@pytest.mark.parametrize(
    ("session", "clock"),
    [
        (date(2020, 10, 23), time(16, 15)),
        (date(2020, 10, 26), time(16, 0)),
        (date(2019, 12, 24), time(13, 15)),
        (date(2020, 11, 27), time(13, 0)),
        (date(2026, 12, 24), time(13, 0)),
    ],
)
def test_vix_futures_settle_at_the_cash_close_since_2020_10_26_and_15_minutes_later_before(
    session: date, clock: time
) -> None:
    assert vx_settlement_instant(session) == datetime.combine(session, clock, MARKET_TZ)


# ---------------------------------------------------------------- misuse
@pytest.mark.parametrize("call", [regular_hours, option_close, is_early_close, vx_settlement_instant])
def test_asking_for_the_hours_of_a_day_without_a_session_is_an_error(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="not a session"):
        call(date(2025, 1, 9))


def test_a_datetime_is_never_mistaken_for_a_day() -> None:
    with pytest.raises(TypeError):
        is_session(datetime(2026, 3, 11, tzinfo=UTC))


def test_naive_instants_are_refused() -> None:
    naive = datetime.combine(date(2026, 3, 11), time(10))
    with pytest.raises(ValueError, match="time zone"):
        segment_at(Product.INDEX_OPTION, naive)


@pytest.mark.parametrize("day", [FIRST_DAY - timedelta(1), LAST_DAY + timedelta(1)])
def test_days_outside_the_calendar_are_errors_and_not_closed_days(day: date) -> None:
    with pytest.raises(ValueError, match="outside"):
        is_session(day)
    with pytest.raises(ValueError, match="outside"):
        segments(Product.EQUITY, day)


def test_counting_past_either_end_of_the_calendar_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        next_session(LAST_DAY)
    with pytest.raises(ValueError, match="outside"):
        previous_session(FIRST_DAY)
    with pytest.raises(ValueError, match="not a session"):
        session_offset(date(2026, 3, 14), 0)


# ---------------------------------------------------------------- properties
@given(known_sessions)
def test_next_and_previous_session_undo_each_other(session: date) -> None:
    assert previous_session(next_session(session)) == session
    assert next_session(previous_session(session)) == session


@given(covered_days)
def test_neighbouring_sessions_enclose_a_day_and_nothing_trades_between(day: date) -> None:
    before, after = previous_session(day), next_session(day)
    assert before < day < after
    assert sessions(before, after) == ((before, day, after) if is_session(day) else (before, after))
    assert session_on_or_before(day) == (day if is_session(day) else before)
    assert session_on_or_after(day) == (day if is_session(day) else after)
    assert after - before <= timedelta(8)


@given(known_sessions, st.integers(-30, 30))
def test_counting_sessions_is_the_inverse_of_stepping_over_them(session: date, n: int) -> None:
    assert sessions_between(session, session_offset(session, n)) == n
    assert session_offset(session_offset(session, n), -n) == session


@given(covered_days, covered_days, covered_days)
def test_counts_of_adjoining_spans_add_up(a: date, b: date, c: date) -> None:
    assert sessions_between(a, b) + sessions_between(b, c) == sessions_between(a, c)
    assert sessions_between(a, b) == -sessions_between(b, a)


@given(covered_days, covered_days)
def test_sessions_are_ascending_weekdays(a: date, b: date) -> None:
    found = sessions(min(a, b), min(max(a, b), min(a, b) + timedelta(400)))
    assert list(found) == sorted(set(found))
    assert all(day.weekday() < 5 for day in found)


@settings(max_examples=200)
@given(st.sampled_from(Product), covered_days)
def test_segments_are_ordered_disjoint_and_end_before_those_of_the_next_session(
    product: Product, day: date
) -> None:
    bounds = [
        instant.astimezone(UTC)
        for session in (day, next_session(day))
        for hours in segments(product, session)
        for instant in (hours.open, hours.close)
    ]
    assert bounds == sorted(bounds)
    for hours in segments(product, day):
        assert hours.open < hours.close
        assert hours.close.date() == day
        assert segment_at(product, hours.open) == hours


@given(known_sessions)
def test_stocks_close_no_later_than_index_options_and_settlement_lies_between(session: date) -> None:
    opening, close = regular_hours(session)
    assert opening < close < option_close(session)
    assert close <= vx_settlement_instant(session) <= option_close(session)
