"""When the broker itself is away: its nightly and weekly resets, and the restart of its gateway.

The systems of the broker that serve paper accounts are reset every night from 00:15 to 01:45 and in the night
to Saturday from 23:00 to 03:00, New York time. What is missing from an answer then proves nothing.
"""

from datetime import datetime, time, timedelta

from market.sessions import MARKET_TZ

_RESET_BEGINS, _RESET_ENDS = time(0, 15), time(1, 45)
_WEEKLY_BEGINS, _WEEKLY_ENDS = time(23, 0), time(3, 0)
_FRIDAY, _SATURDAY = 4, 5
RESTART_MARGIN = timedelta(minutes=5)
_DAY = timedelta(days=1)


def reset_end(at: datetime) -> datetime | None:
    """The end of the reset window in which the aware `at` lies, in New York time; None outside of them."""
    local = at.astimezone(MARKET_TZ)
    day, now = local.date(), local.time()
    if local.weekday() == _FRIDAY and now >= _WEEKLY_BEGINS:
        return datetime.combine(day + timedelta(days=1), _WEEKLY_ENDS, MARKET_TZ)
    if local.weekday() == _SATURDAY:
        return datetime.combine(day, _WEEKLY_ENDS, MARKET_TZ) if now < _WEEKLY_ENDS else None
    if _RESET_BEGINS <= now < _RESET_ENDS:
        return datetime.combine(day, _RESET_ENDS, MARKET_TZ)
    return None


def near_restart(at: datetime, restart: time) -> bool:
    """Whether the aware `at` is within five minutes of the gateway's daily restart, New York time."""
    apart = abs(_since_midnight(at.astimezone(MARKET_TZ).time()) - _since_midnight(restart))
    return min(apart, _DAY - apart) <= RESTART_MARGIN  # one just before midnight reaches into the next day


def _since_midnight(clock: time) -> timedelta:
    return timedelta(0, clock.second, clock.microsecond, 0, clock.minute, clock.hour)
