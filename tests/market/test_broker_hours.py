"""When the broker is away: edges of its reset windows and of a restart, over midnight and changes of time."""

from datetime import UTC, datetime, time

import pytest

from market.broker_hours import near_restart, reset_end
from market.sessions import MARKET_TZ


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-03-03 00:14:59", None),
        ("2026-03-03 00:15", "2026-03-03 01:45"),
        ("2026-03-03 01:44:59", "2026-03-03 01:45"),
        ("2026-03-03 01:45", None),
        ("2026-03-06 22:59", None),
        ("2026-03-06 23:00", "2026-03-07 03:00"),
        ("2026-03-07 00:30", "2026-03-07 03:00"),
        ("2026-03-07 03:00", None),
        ("2026-03-07 23:30", None),
        ("2026-03-08 00:20", "2026-03-08 01:45"),  # the night the clocks go forward
        ("2026-11-01 01:30", "2026-11-01 01:45"),  # the night they go back
    ],
)
def test_a_reset_window_is_known_by_new_york_time(at: str, end: str | None) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=MARKET_TZ).astimezone(UTC)
    found = reset_end(moment)
    assert (None if found is None else f"{found:%Y-%m-%d %H:%M}") == end


@pytest.mark.parametrize(
    ("at", "restart", "near"),
    [
        ("23:39:59", time(23, 45), False),
        ("23:40", time(23, 45), True),
        ("23:50", time(23, 45), True),
        ("23:50:01", time(23, 45), False),
        ("00:01", time(23, 58), True),
        ("23:57", time(0, 1), True),
        ("12:00", time(23, 45), False),
    ],
)
def test_five_minutes_around_a_restart_are_near_it_also_over_midnight(
    at: str, restart: time, near: bool
) -> None:
    moment = datetime.fromisoformat(f"2026-03-03T{at}").replace(tzinfo=MARKET_TZ)
    assert near_restart(moment.astimezone(UTC), restart) is near
