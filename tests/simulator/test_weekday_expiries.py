"""SPXW beside Fridays: listed from the days on which Cboe listed them, moved by holidays, settled in cash."""

from datetime import UTC, date, datetime, timedelta

import pytest

from market.contract import Right
from market.sessions import MARKET_TZ, sessions
from simulator.instruments import option
from simulator.listing import Listing
from simulator.stochastic import StochasticMarket
from simulator.weekday_expiries import is_weekday_expiry, weekday_expiries_listed

SPX = 416904
#: What Cboe announced for September 2016, the first Monday series over a holiday among them.
SEPTEMBER_2016 = [(8, 22), (8, 24), (8, 29), (8, 31), (9, 6), (9, 7), (9, 12), (9, 14)]


@pytest.mark.parametrize(
    ("session", "first", "weekdays"),
    [
        (date(2016, 2, 22), None, set()),
        (date(2016, 2, 23), date(2016, 3, 2), {2}),
        (
            date(2016, 8, 15),
            date(2016, 8, 17),
            {0, 1, 2},
        ),  # the Tuesday after Labour Day stands for its Monday
        (date(2022, 4, 14), date(2022, 4, 18), {0, 2}),
        (date(2022, 4, 18), date(2022, 4, 18), {0, 1, 2}),
        (date(2022, 5, 11), date(2022, 5, 11), {0, 1, 2, 3}),
        (date(2026, 3, 2), date(2026, 3, 2), {0, 1, 2, 3}),
    ],
)
def test_each_weekday_is_listed_from_its_own_day_on(
    session: date, first: date | None, weekdays: set[int]
) -> None:
    listed = weekday_expiries_listed(session)
    assert (listed[0] if listed else None) == first
    assert {day.weekday() for day in listed} == weekdays


def test_a_monday_holiday_moves_the_expiry_to_tuesday_as_announced() -> None:
    assert [(day.month, day.day) for day in weekday_expiries_listed(date(2016, 8, 19))] == SEPTEMBER_2016


def test_a_wednesday_holiday_moves_the_expiry_to_the_session_before() -> None:
    assert is_weekday_expiry(date(2018, 7, 3))  # the fourth of July was a Wednesday
    assert is_weekday_expiry(date(2018, 12, 4))  # and the fifth of December a day of mourning
    assert not is_weekday_expiry(date(2018, 7, 4))


def test_today_every_session_is_an_expiry_and_a_friday_only_as_a_friday() -> None:
    month = sessions(date(2026, 3, 2), date(2026, 3, 27))
    assert [day for day in month if not is_weekday_expiry(day)] == [
        day for day in month if day.weekday() == 4
    ]


def test_what_was_listed_stays_known_after_it_has_expired_and_what_never_was_is_not() -> None:
    today = Listing(date(2026, 3, 20), 1200.0, 1300.0, 1100.0, 1400.0, ())
    assert today.instrument(option("SPXW", date(2026, 3, 18), 1250.0, Right.PUT).con_id) is not None
    assert today.instrument(option("SPXW", date(2015, 3, 18), 1250.0, Right.PUT).con_id) is None
    assert today.instrument(option("XSP", date(2026, 3, 18), 125.0, Right.PUT).con_id) is None


def test_a_wednesday_option_is_quoted_and_settles_on_wednesdays_close() -> None:
    market = StochasticMarket(5, datetime(2026, 3, 2, 12, 0, tzinfo=MARKET_TZ), 60.0)
    weekly = next(chain for chain in market.chains(SPX) if chain.trading_class == "SPXW")
    wednesday = date(2026, 3, 4)
    assert {wednesday + timedelta(days) for days in range(-2, 3)} <= set(weekly.expiries)
    call = option("SPXW", wednesday, 2500.0, Right.CALL)
    (tick,) = market.ticks([call.con_id])
    assert tick.bid is not None
    assert tick.ask is not None
    assert market.settlement(call.con_id) is None
    market.advance(datetime(2026, 3, 4, 16, 20, tzinfo=MARKET_TZ).astimezone(UTC))
    settled = market.settlement(call.con_id)
    assert settled == market.bars(SPX, market.now, 1)[-1].close
