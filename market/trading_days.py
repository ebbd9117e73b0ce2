"""Counting in sessions: which days trade, what comes next, how many lie between.

A session is a day with regular hours of the cash market. The table of all sessions from 1990 to 2035 is
built once at import; every question is then a bisection, because the daemon, the backtest and the simulator
ask on each step.
"""

from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import lru_cache

from market.holidays import FIRST_YEAR, LAST_YEAR, is_closed

FIRST_DAY = date(FIRST_YEAR, 1, 1)
LAST_DAY = date(LAST_YEAR, 12, 31)


def _all_sessions() -> tuple[date, ...]:
    days = (FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    return tuple(day for day in days if not is_closed(day))


_SESSIONS = _all_sessions()
_SESSION_SET = frozenset(_SESSIONS)


def is_session(day: date) -> bool:
    """Whether the cash market has regular hours on `day`.

    Raises ValueError outside 1990..2035 and TypeError on a datetime.
    """
    _require_covered(day)
    return day in _SESSION_SET


def sessions(first: date, last: date) -> tuple[date, ...]:
    """All sessions from `first` to `last`, both included, ascending; empty when `last` is before `first`."""
    _require_covered(first)
    _require_covered(last)
    return _SESSIONS[bisect_left(_SESSIONS, first) : bisect_right(_SESSIONS, last)]


@lru_cache(maxsize=256)
def next_session(day: date) -> date:
    """The first session strictly after `day`."""
    return session_offset(day, 1)


@lru_cache(maxsize=256)
def previous_session(day: date) -> date:
    """The last session strictly before `day`."""
    return session_offset(day, -1)


def session_on_or_after(day: date) -> date:
    """`day` itself when it is a session, else the next one."""
    return day if is_session(day) else next_session(day)


def session_on_or_before(day: date) -> date:
    """`day` itself when it is a session, else the one before: the rule for an expiry on a holiday."""
    return day if is_session(day) else previous_session(day)


def session_offset(day: date, n: int) -> date:
    """The n-th session after (n > 0) or before (n < 0) `day`, which need not be a session unless n is 0.

    Raises ValueError when the answer lies outside 1990..2035, or when n is 0 and `day` is no session.
    """
    _require_covered(day)
    if n == 0:
        if day not in _SESSION_SET:
            raise ValueError(f"{day} is not a session")
        return day
    index = bisect_right(_SESSIONS, day) + n - 1 if n > 0 else bisect_left(_SESSIONS, day) + n
    if not 0 <= index < len(_SESSIONS):
        raise ValueError(f"{n} sessions from {day} is outside {FIRST_DAY}..{LAST_DAY}")
    return _SESSIONS[index]


def sessions_between(start: date, end: date) -> int:
    """How many sessions lie after `start` up to and including `end`; negative when `end` is before `start`.

    For sessions this is the inverse of `session_offset`: sessions_between(s, session_offset(s, n)) == n.
    """
    _require_covered(start)
    _require_covered(end)
    return bisect_right(_SESSIONS, end) - bisect_right(_SESSIONS, start)


def _require_covered(day: date) -> None:
    # Comparing a datetime with a date raises TypeError: no datetime can pass for a day without a session.
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"{day} is outside the calendar {FIRST_DAY}..{LAST_DAY}")
