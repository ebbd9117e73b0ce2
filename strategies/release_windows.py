"""Windows around scheduled releases, in which nothing is opened or adjusted (METHOD 4.7).

A window begins at its time on a session before the release and ends at its time on the release's day. On a
half day it begins as long before the close as on a full one. A release on a day without a session has its
evening before, and is over at the next open. Exits that lower risk are never asked about windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from market.releases import ReleaseDays
from market.sessions import MARKET_TZ, next_session, previous_session, regular_hours

_FULL_DAY_CLOSE = time(16, 0)


@dataclass(frozen=True, slots=True)
class ReleaseWindow:
    """From `start_time`, so many sessions before the release, to `end_time` on its day; New York time."""

    sessions_before: int
    start_time: time
    end_time: time


def windows_in_force(
    now: datetime,
    session: date,
    calendar: Mapping[str, ReleaseDays],
    windows: Mapping[str, ReleaseWindow],
) -> tuple[str, ...]:
    """Why nothing may be opened at `now` of `session`: each window in force, each release of unknown days.

    `calendar` and `windows` are by the name of the release. A release of an unknown year is taken to be due.
    """
    reasons = []
    for name, window in windows.items():
        days = calendar.get(name)
        unknown = _unknown_year(session, days)
        if days is None or unknown:
            reasons.append(f"no {name.upper()} days known for {unknown}")
            continue
        last = session
        for _ in range(window.sessions_before):
            last = next_session(last)
        reasons += [
            f"{name.upper()} window until {day} {window.end_time:%H:%M}"
            for day in days.between(session, last)
            if _start(day, window) <= now < datetime.combine(day, window.end_time, MARKET_TZ)
        ]
    return tuple(reasons)


def unknown_days(
    session: date, calendar: Mapping[str, ReleaseDays], windows: Mapping[str, ReleaseWindow]
) -> tuple[str, ...]:
    """Releases whose days are not known for `session` or the one after it, with the year."""
    found = ((name, _unknown_year(session, calendar.get(name))) for name in windows)
    return tuple(f"{name.upper()} {year}" for name, year in found if year)


def _unknown_year(session: date, days: ReleaseDays | None) -> int:
    """The first year that is needed and not known, or 0."""
    needed = (session, next_session(session))
    return next((day.year for day in needed if days is None or not days.knows(day)), 0)


def _start(day: date, window: ReleaseWindow) -> datetime:
    session = day
    for _ in range(window.sessions_before):
        session = previous_session(session)
    start = datetime.combine(session, window.start_time, MARKET_TZ)
    full = datetime.combine(session, _FULL_DAY_CLOSE, MARKET_TZ)
    _, close = regular_hours(session)
    return min(start, start - (full - close)) if close < full else start


def ends_within(session: date, calendar: Mapping[str, ReleaseDays], ahead: timedelta) -> tuple[str, ...]:
    """Releases whose known days end within `ahead` of `session`, with the year that is missing."""
    day = session + ahead
    return tuple(f"{name.upper()} {day.year}" for name, days in calendar.items() if not days.knows(day))
