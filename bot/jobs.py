"""A session's jobs as the daemon runs them: each once, in order, and each by its own rule for being late.

`bot/schedule.py` says when a job is due; this says what it takes to run one. The opening and the end of a
session are reconciled with the broker first. The final settlement fetches the published series beside the
daemon's loop, because pages may be slow, and is due only when they have answered.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot import schedule
from bot.errors import FeedError
from bot.events import Alert, Event, Job, JobDue
from bot.port import BrokerPort, SlowFeeds
from bot.stopping import StopSignal
from market import sessions

# The longest window of a signal is 1260 sessions; a journal that has counted needs only what is newer.
WARM_UP_SESSIONS = 1320
CATCH_UP_SESSIONS = 10
JOB_RETRY = timedelta(seconds=10)
FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


class SessionJobs:
    """What is due, and since when it was asked.

    `take` carries an event through the engine at once, `start` lets a request run beside the loop, `post`
    hands an event in for later and `alert` tells the operator.
    """

    def __init__(
        self,
        broker: BrokerPort,
        feeds: SlowFeeds,
        stop: StopSignal,
        take: Callable[[Event], Awaitable[None]],
        start: Callable[[Coroutine[Any, Any, Event]], None],
        post: Callable[[Event], None],
        alert: Callable[[Alert], None],
    ) -> None:
        self.due_at = FAR_FUTURE
        self._broker = broker
        self._feeds = feeds
        self._stop = stop
        self._take = take
        self._start = start
        self._post = post
        self._alert = alert
        self._done_to: datetime | None = None
        self._is_warm = False

    def begin(self, now: datetime) -> None:
        """Catch up with what was due earlier today, once; a reconnection has nothing to catch up."""
        if self._done_to is None:
            day = now.astimezone(sessions.MARKET_TZ).date()
            self._done_to = datetime.combine(day, datetime.min.time(), sessions.MARKET_TZ)
            self.due_at = now

    def retry_after(self, now: datetime) -> None:
        """The broker did not answer: the jobs that are still due wait a moment."""
        self.due_at = now + JOB_RETRY

    async def run(self, now: datetime, done: Callable[[], Mapping[Job, date]]) -> None:
        """Run what is due. `done` names the last session of each job that the journal has.

        Raises BrokerError; then the jobs stay due.
        """
        if now < self.due_at or self._done_to is None:
            return
        for _, job, session in schedule.due(self._done_to, now):
            if done().get(job) == session:
                continue  # done before a restart
            if job is Job.SETTLEMENT_FINAL:
                self._start(self._settle(session, done().get(job)))
                continue
            if job is Job.SESSION_OPEN:
                await self._take(await self._stop.unless(self._broker.name_contracts()))
            if job in (Job.SESSION_OPEN, Job.SESSION_END):
                await self._take(await self._stop.unless(self._broker.reconcile()))
            await self._take(JobDue(job, session))
        self._done_to = now
        self.due_at = schedule.next_due(now)

    async def _settle(self, session: date, counted: date | None) -> Event:
        """Fetch what was published; a feed that fails leaves its series unknown, and says so.

        `counted` is the last session for which this was done, before a restart perhaps.
        """
        last = sessions.previous_session(session)
        try:
            if self._is_warm:
                known = await self._feeds.update(last)
            else:
                known = await self._feeds.warm_up(last, _span(counted, last))
                self._is_warm = True
        except FeedError as error:
            self._alert(Alert("error", "feed.failed", str(error)))
            known = ()
        for observations in known:
            self._post(observations)
        return JobDue(Job.SETTLEMENT_FINAL, session)


def _span(counted: date | None, last: date) -> int:
    """How many sessions up to `last` a start has to read."""
    if counted is None:
        return WARM_UP_SESSIONS
    return min(sessions.sessions_between(counted, last) + CATCH_UP_SESSIONS, WARM_UP_SESSIONS)
