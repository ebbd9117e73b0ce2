"""Expiries of PM-settled SPX options (SPXW) on the days of the week beside Fridays, as Cboe brought them in.

Wednesdays were first listed on 23 February 2016 (for 2 March), Mondays on 15 August 2016 (for the 22nd),
Tuesdays on 18 April 2022, Thursdays on 11 May 2022; that the first Tuesday and Thursday lay a week ahead as
well is our reading. A holiday moves a Monday to the next session and the others to the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from market.sessions import is_session, sessions

_MONDAY, _TUESDAY, _WEDNESDAY, _THURSDAY = range(4)
#: How far ahead they are listed: four consecutive weeks.
_AHEAD: Final = timedelta(28)
_DAY: Final = timedelta(1)


@dataclass(frozen=True, slots=True)
class _Series:
    listed: date  # the first session in which it was listed
    first: date  # its first expiry


_SERIES: Final[Mapping[int, _Series]] = {
    _WEDNESDAY: _Series(date(2016, 2, 23), date(2016, 3, 2)),
    _MONDAY: _Series(date(2016, 8, 15), date(2016, 8, 22)),
    _TUESDAY: _Series(date(2022, 4, 18), date(2022, 4, 26)),
    _THURSDAY: _Series(date(2022, 5, 11), date(2022, 5, 19)),
}


@lru_cache(maxsize=64)
def weekday_expiries_listed(session: date) -> tuple[date, ...]:
    """Those that are listed in a session, ascending; Fridays are not among them."""
    series = frozenset(day for day, one in _SERIES.items() if one.listed <= session)
    if not series:
        return ()
    return tuple(day for day in sessions(session, session + _AHEAD) if _named(day) & series)


def is_weekday_expiry(day: date) -> bool:
    """Whether the class ever settled on the session `day` by a series other than the Fridays'."""
    return is_session(day) and bool(_named(day))


def _named(session: date) -> frozenset[int]:
    """Series that expire on a session: that of its own weekday, and those a holiday beside it moves here."""
    days = [session]
    holiday = session + _DAY
    while not is_session(holiday) and holiday.weekday() in _SERIES and holiday.weekday() != _MONDAY:
        days.append(holiday)
        holiday += _DAY
    holiday = session - _DAY
    while not is_session(holiday):
        if holiday.weekday() == _MONDAY:
            days.append(holiday)
        holiday -= _DAY
    return frozenset(
        day.weekday() for day in days if day.weekday() in _SERIES and day >= _SERIES[day.weekday()].first
    )
