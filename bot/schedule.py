"""When a session's jobs are due: once each, in New York time, moved by early closes.

Pure functions of two instants. The weekday and the time of day come from APScheduler's cron triggers, asked
directly (`get_next_fire_time`) because its own scheduler reads the wall clock; sessions and early closes
come from the market calendar. The daemon sleeps until `next_due` and then asks which jobs fell into (last,
now].

After a long sleep the policy is explicit: of each job only the latest occurrence can still run, and only
while it makes sense. A provisional settlement is a price at an instant and is worthless five minutes later;
jobs that prepare a session's orders are void at its close; the review and the end of a session may be
caught up until the next session opens.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any

from bot.events import Job
from market.sessions import (
    MARKET_TZ,
    is_session,
    next_session,
    option_close,
    option_hours_utc,
    regular_hours,
    session_on_or_after,
    vx_settlement_instant,
)

_SETTLEMENT_FINAL = time(9, 10)
# A snapshot is taken this long after its instant, so that ticks of that instant have arrived.
SETTLE = timedelta(milliseconds=50)
_REVIEW_AFTER_CLOSE = timedelta(minutes=5)  # 16:20, half days 13:20
_END_AFTER_CLOSE = timedelta(minutes=45)  # 17:00, half days 14:00
_PROVISIONAL_GRACE = timedelta(minutes=5)

Due = tuple[datetime, Job, date]


def moment(job: Job, session: date) -> datetime:
    """The instant (UTC) at which `job` of `session` is due. Raises ValueError on a day without a session."""
    return _moments(session)[job]


def expires(job: Job, session: date) -> datetime:
    """The instant (UTC) from which a missed `job` of `session` is skipped instead of caught up."""
    if job is Job.SETTLEMENT_PROVISIONAL:
        return moment(job, session) + _PROVISIONAL_GRACE
    if job in {Job.SETTLEMENT_FINAL, Job.SESSION_OPEN}:
        return regular_hours(session)[1].astimezone(UTC)
    return regular_hours(next_session(session))[0].astimezone(UTC)


def due(last: datetime, now: datetime) -> tuple[Due, ...]:
    """Jobs whose moment lies in (last, now] and which still make sense at `now`, in order of time.

    Asking with adjoining intervals gives each job of each session at most once. Raises ValueError on naive
    times.
    """
    return tuple(entry for entry in _occurrences(last, now) if now < expires(entry[1], entry[2]))


def missed(last: datetime, now: datetime) -> tuple[Due, ...]:
    """Jobs whose moment lies in (last, now] and which are too late to run, in order of time."""
    return tuple(entry for entry in _occurrences(last, now) if now >= expires(entry[1], entry[2]))


def next_due(now: datetime) -> datetime:
    """The first moment after `now` at which a job is due."""
    session = session_on_or_after(_aware(now).astimezone(MARKET_TZ).date())
    while True:
        later = [at for at in _moments(session).values() if at > now]
        if later:
            return min(later)
        session = next_session(session)


@lru_cache(maxsize=64)
def _moments(session: date) -> dict[Job, datetime]:
    opening, _ = regular_hours(session)
    moments = {
        Job.SETTLEMENT_FINAL: datetime.combine(session, _SETTLEMENT_FINAL, MARKET_TZ),
        Job.SESSION_OPEN: opening,
        Job.SETTLEMENT_PROVISIONAL: vx_settlement_instant(session),
        Job.SESSION_REVIEW: option_close(session) + _REVIEW_AFTER_CLOSE,
        Job.SESSION_END: option_close(session) + _END_AFTER_CLOSE,
    }
    return {job: at.astimezone(UTC) for job, at in moments.items()}


def _occurrences(last: datetime, now: datetime) -> tuple[Due, ...]:
    last, now = _aware(last), _aware(now)
    if now < next_due(last):
        return ()
    found = [
        (at, job, session)
        for job in Job
        for session in _trigger_days(job, last, now)
        if last < (at := moment(job, session)) <= now
    ]
    return tuple(sorted(found, key=lambda entry: (entry[0], list(Job).index(entry[1]))))


def _trigger_days(job: Job, last: datetime, now: datetime) -> Iterator[date]:
    # Whole days, because an early close moves a job before the trigger's own time of day.
    first_day = last.astimezone(MARKET_TZ).date()
    last_day = now.astimezone(MARKET_TZ).date()
    trigger, previous = _trigger(job), None
    after = datetime.combine(first_day, time(0), MARKET_TZ)
    while (fire := trigger.get_next_fire_time(previous, after)) is not None and fire.date() <= last_day:
        if is_session(fire.date()):
            yield fire.date()
        previous, after = fire, fire + timedelta(seconds=1)


@cache
def _trigger(job: Job) -> Any:
    from apscheduler.triggers.cron import CronTrigger

    usual = {
        Job.SETTLEMENT_FINAL: (9, 10),
        Job.SESSION_OPEN: (9, 30),
        Job.SETTLEMENT_PROVISIONAL: (16, 0),
        Job.SESSION_REVIEW: (16, 20),
        Job.SESSION_END: (17, 0),
    }
    hour, minute = usual[job]
    return CronTrigger(day_of_week="mon-fri", hour=hour, minute=minute, timezone=MARKET_TZ)


def _aware(time_: datetime) -> datetime:
    if time_.tzinfo is None:
        raise ValueError(f"{time_} needs a time zone")
    return time_.astimezone(UTC)


def next_evaluation(now: datetime, interval: timedelta) -> datetime:
    """The next instant of the evaluation grid: a session's open plus whole intervals, after settling."""
    day = session_on_or_after(now.astimezone(MARKET_TZ).date())
    while True:
        opens, closes = option_hours_utc(day)
        count = max((now - SETTLE - opens) // interval + 1, 0)
        candidate: datetime = opens + count * interval + SETTLE
        if candidate <= closes + SETTLE:
            return candidate
        day = next_session(day)
