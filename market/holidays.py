"""Days on which the New York Stock Exchange is shut and days on which it closes early, 1990 to 2035.

Every SPX and VIX contract hangs on this calendar: sessions, expiries and settlements are counted in it.
Scheduled holidays follow rules and are computed; closures that nothing could have predicted (attacks,
storms, days of mourning) stand in a dated table, which is complete for the past only. The hours are the
scheduled ones: trading halts and delayed openings are events of the day, not of the calendar.
"""

from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import cache
from types import MappingProxyType

FIRST_YEAR = 1990
LAST_YEAR = 2035

_MONDAY, _TUESDAY, _WEDNESDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = range(7)

#: Mourning for Nixon, Reagan, Ford, G. H. W. Bush and Carter; September 2001; hurricane Sandy.
UNSCHEDULED_CLOSURES: frozenset[date] = frozenset(
    {
        date(1994, 4, 27),
        date(2001, 9, 11),
        date(2001, 9, 12),
        date(2001, 9, 13),
        date(2001, 9, 14),
        date(2004, 6, 11),
        date(2007, 1, 2),
        date(2012, 10, 29),
        date(2012, 10, 30),
        date(2018, 12, 5),
        date(2025, 1, 9),
    }
)

_EARLY = time(13, 0)
_EARLY_BEFORE_1993 = time(14, 0)
_SINGLE_EARLY_CLOSES: tuple[date, ...] = (date(1997, 12, 26), date(1999, 12, 31), date(2003, 12, 26))


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th (1 to 5) `weekday` (Monday = 0) of a month. Raises ValueError when the month has fewer."""
    first = date(year, month, 1)
    day = first + timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))
    if day.month != month:
        raise ValueError(f"{year}-{month:02d} has no weekday {weekday} number {n}")
    return day


def good_friday(year: int) -> date:
    """Two days before Easter Sunday, by the Gregorian computus (Meeus, Astronomical Algorithms, ch. 8)."""
    golden = year % 19
    century, year_of_century = divmod(year, 100)
    moon_shift = (8 * century + 13) // 25
    epact = (19 * golden + century - century // 4 - moon_shift + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (year_of_century // 4) - epact - year_of_century % 4) % 7
    correction = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * correction + 114, 31)
    return date(year, month, day + 1) - timedelta(2)


@cache
def scheduled_holidays(year: int) -> frozenset[date]:
    """Weekdays of `year` on which the exchange is shut by rule."""
    holidays = {
        nth_weekday(year, 2, _MONDAY, 3),
        good_friday(year),
        _last_monday_of_may(year),
        _observed(date(year, 7, 4)),
        nth_weekday(year, 9, _MONDAY, 1),
        nth_weekday(year, 11, _THURSDAY, 4),
        _observed(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    # A New Year's Day on a Saturday is not observed at all: the Friday before closes the accounting year.
    if new_year.weekday() != _SATURDAY:
        holidays.add(_observed(new_year))
    if year >= 1998:
        holidays.add(nth_weekday(year, 1, _MONDAY, 3))
    if year >= 2022:
        holidays.add(_observed(date(year, 6, 19)))
    return frozenset(holidays)


@cache
def early_closes(year: int) -> Mapping[date, time]:
    """Sessions of `year` that end early, with the New York time at which the cash market closes."""
    days = [day for day in _SINGLE_EARLY_CLOSES if day.year == year]
    if year >= 1992:
        days.append(nth_weekday(year, 11, _THURSDAY, 4) + timedelta(1))
    christmas_eve = date(year, 12, 24)
    if christmas_eve.weekday() <= _THURSDAY:
        days.append(christmas_eve)
    independence_eve = date(year, 7, 3)
    if year >= 1995 and independence_eve.weekday() <= _THURSDAY:
        # Until 2012 a Thursday holiday shortened the Friday after it; since 2013 the Wednesday before it.
        shortened_friday = independence_eve.weekday() == _WEDNESDAY and year < 2013
        days.append(date(year, 7, 5) if shortened_friday else independence_eve)
    close = _EARLY if year >= 1993 else _EARLY_BEFORE_1993
    return MappingProxyType({day: close for day in sorted(days) if day not in scheduled_holidays(year)})


def is_closed(day: date) -> bool:
    """Whether the cash market is shut all day: a weekend, a holiday or an unscheduled closure."""
    return day.weekday() >= _SATURDAY or day in scheduled_holidays(day.year) or day in UNSCHEDULED_CLOSURES


def _observed(holiday: date) -> date:
    """A Saturday holiday is kept on the Friday before it, a Sunday one on the Monday after it."""
    shift = {_SATURDAY: -1, _SUNDAY: 1}.get(holiday.weekday(), 0)
    return holiday + timedelta(shift)


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(last.weekday())
