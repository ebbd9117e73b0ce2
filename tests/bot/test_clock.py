"""The clocks: what they tell, how they wait, and that market time never runs backwards."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import BrokerClock, Clock, VirtualClock, WallClock, host_ahead_s

NOON = datetime(2020, 3, 16, 16, 0, tzinfo=UTC)


class SteppedClock:
    """A clock the test moves."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    async def sleep_until(self, time: datetime) -> None:
        self.time = max(self.time, time)


async def test_wall_clock_is_aware_and_does_not_wait_for_the_past() -> None:
    clock: Clock = WallClock()
    before = clock.now()
    assert before.utcoffset() == timedelta(0)
    await clock.sleep_until(before - timedelta(hours=1))
    target = clock.now() + timedelta(milliseconds=5)
    await clock.sleep_until(target)
    assert clock.now() >= target


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "ahead_s"),
    [
        (0.0, 0.2, 0.0),
        (0.9, 1.1, 0.0),  # within the second the gateway told
        (-5.0, 0.5, 0.0),  # a slow answer proves nothing
        (4.0, 4.1, 3.0),
        (-4.0, -3.5, -3.5),
    ],
)
def test_a_host_clock_is_off_by_no_more_than_one_answer_proves(
    asked_s: float, answered_s: float, ahead_s: float
) -> None:
    asked, answered = NOON + timedelta(seconds=asked_s), NOON + timedelta(seconds=answered_s)
    assert host_ahead_s(NOON, asked, answered) == pytest.approx(ahead_s)


def following(wall: SteppedClock, *, speed: float = 1.0) -> BrokerClock:
    """A clock that knows it is noon in the market: the gateway said so twice."""
    clock = BrokerClock(wall, speed=speed)
    assert not clock.measure(NOON, wall.time, wall.time)
    assert clock.measure(NOON, wall.time, wall.time)
    return clock


def test_the_very_first_answer_is_believed_at_once_only_near_this_machines_time() -> None:
    wall = SteppedClock(NOON)
    near = BrokerClock(wall)
    assert near.measure(NOON + timedelta(seconds=20), wall.time, wall.time)
    far = BrokerClock(wall)
    assert not far.measure(NOON.replace(year=2033), wall.time, wall.time)
    assert not far.is_measured
    assert far.measure(NOON + timedelta(seconds=20), wall.time, wall.time)
    assert abs(far.now() - NOON - timedelta(seconds=20)) <= timedelta(seconds=1)


def test_broker_clock_follows_the_gateway_within_the_second_it_tells() -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = following(wall)
    assert abs(clock.now() - NOON) <= timedelta(seconds=1)
    wall.time += timedelta(minutes=7)
    assert abs(clock.now() - NOON - timedelta(minutes=7)) <= timedelta(seconds=1)


def test_repeated_answers_narrow_the_offset() -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = BrokerClock(wall)
    truth = timedelta(days=-2000, seconds=0.7)
    for step in range(40):
        wall.time += timedelta(seconds=0.37 * step)
        server = (wall.time + truth).replace(microsecond=0)
        clock.measure(server, wall.time, wall.time)
    assert abs(clock.now() - (wall.time + truth)) < timedelta(seconds=0.1)


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(-30.0, 30.0)), min_size=1, max_size=30))
@settings(max_examples=60)
def test_market_time_never_runs_backwards_whatever_the_gateway_tells(
    steps: list[tuple[float, float]],
) -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = following(wall)
    latest = clock.now()
    for passed_s, jump_s in steps:
        wall.time += timedelta(seconds=passed_s)
        clock.measure(NOON + timedelta(seconds=jump_s), wall.time, wall.time)
        assert clock.now() >= latest
        latest = clock.now()


def test_one_wrong_answer_among_right_ones_does_not_move_market_time() -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = following(wall)
    for wrong in (NOON.replace(year=2033), NOON.replace(year=2007), NOON + timedelta(seconds=90)):
        wall.time += timedelta(seconds=5)
        assert not clock.measure(wrong, wall.time, wall.time)
        passed = wall.time - datetime(2026, 1, 1, tzinfo=UTC)
        assert abs(clock.now() - NOON - passed) <= timedelta(seconds=1)
        wall.time += timedelta(seconds=5)
        assert clock.measure(NOON + passed + timedelta(seconds=5), wall.time, wall.time)


def test_two_answers_that_agree_move_market_time_and_two_that_do_not_leave_it() -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = following(wall)
    assert not clock.measure(NOON.replace(year=2033), wall.time, wall.time)
    assert not clock.measure(NOON.replace(year=2040), wall.time, wall.time)
    assert abs(clock.now() - NOON) <= timedelta(seconds=1)
    moved = NOON + timedelta(days=3)
    assert not clock.measure(moved, wall.time, wall.time)
    wall.time += timedelta(seconds=5)
    assert clock.measure(moved + timedelta(seconds=5), wall.time, wall.time)
    assert abs(clock.now() - moved - timedelta(seconds=5)) <= timedelta(seconds=1)


def test_a_market_that_runs_faster_is_followed_by_its_speed() -> None:
    wall = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock = following(wall, speed=60.0)
    wall.time += timedelta(seconds=10)
    assert abs(clock.now() - NOON - timedelta(minutes=10)) <= timedelta(seconds=1)


def test_an_answer_before_its_question_is_refused() -> None:
    clock = BrokerClock(SteppedClock(NOON))
    with pytest.raises(ValueError, match="before its question"):
        clock.measure(NOON, NOON, NOON - timedelta(seconds=1))
    with pytest.raises(ValueError, match="speed"):
        BrokerClock(speed=0.0)


async def test_broker_clock_waits_in_market_time() -> None:
    clock = BrokerClock(WallClock(), speed=1000.0)
    target = clock.now() + timedelta(seconds=5)
    await clock.sleep_until(target)
    assert clock.now() >= target


async def test_virtual_clock_reads_the_loop_and_needs_an_aware_start() -> None:
    loop = asyncio.get_running_loop()
    start = NOON.astimezone(timezone(timedelta(hours=-4)))
    clock = VirtualClock(loop, start)
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - NOON - timedelta(seconds=loop.time())) < timedelta(seconds=1)
    target = clock.now() + timedelta(milliseconds=3)
    await clock.sleep_until(target)
    assert clock.now() >= target
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(loop, NOON.replace(tzinfo=None))
