"""When a gateway in virtual time moves its market: on the evaluation grid in session, rarely otherwise."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from market.sessions import MARKET_TZ, option_hours_utc, session_on_or_after
from simulator.gateway import Gateway

#: Out of hours nothing is quoted; what is published or settled then is found within this time.
IDLE_STEP = timedelta(minutes=15)


def next_step(now: datetime, interval: timedelta) -> datetime:
    """The next instant (UTC) after `now` at which the market moves.

    During regular hours of index options these are the session's open plus whole intervals; else a quarter of
    an hour passes, but never beyond the next open.
    """
    day = session_on_or_after(now.astimezone(MARKET_TZ).date())
    opens, closes = option_hours_utc(day)
    if now < opens:
        return min(now + IDLE_STEP, opens)
    if now < closes:
        following: datetime = opens + ((now - opens) // interval + 1) * interval
        return following
    return now + IDLE_STEP


async def drive(
    gateway: Gateway, interval: timedelta, sleep_until: Callable[[datetime], Awaitable[None]]
) -> None:
    """Step the gateway until cancelled."""
    while True:
        await sleep_until(next_step(gateway.clock().astimezone(UTC), interval))
        gateway.step()
