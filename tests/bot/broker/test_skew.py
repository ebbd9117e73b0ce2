"""A machine's clock beside the gateway's: told when it is off, a halt when one of the two is wrong."""

import asyncio

import pytest

from bot.broker.skew import SkewWatch
from bot.events import Alert, Event, Halted
from tests.bot.broker.scripted import START, Desk, ScriptedGateway, at_the_desk

DAY_S = 86_400.0


def measured(*ahead_s: float, max_s: float | None = 2.0, follows_gateway: bool = True) -> tuple[int, int]:
    """How often these measurements, one after another, were told and halted trading."""
    alerts: list[Alert] = []
    events: list[Event] = []
    watch = SkewWatch(max_s, follows_gateway)
    for one in ahead_s:
        watch.measured(one, alerts.append, events.append)
    assert all(isinstance(event, Halted) for event in events)
    return len(alerts), len(events)


@pytest.mark.parametrize(
    ("ahead_s", "outcome"),
    [
        (2.0, (0, 0)),
        (-2.1, (1, 0)),
        (30.0, (1, 0)),
        (30.1, (1, 1)),
        (-31.0, (1, 1)),
        (DAY_S, (1, 1)),
        (-DAY_S - 1, (1, 0)),  # a market of another day
    ],
)
def test_over_thirty_seconds_halts_unless_the_gateway_lives_on_another_day(
    ahead_s: float, outcome: tuple[int, int]
) -> None:
    assert measured(ahead_s) == outcome


def test_where_market_time_is_this_machines_any_other_day_halts_too() -> None:
    assert measured(-90 * DAY_S, follows_gateway=False) == (1, 1)


def test_a_halt_is_told_once_for_each_time_the_clock_went_wrong() -> None:
    assert measured(40.0, 41.0, 1.0, -40.0) == (2, 2)
    assert measured(40.0, max_s=None) == (0, 0)


def test_a_clock_that_is_wrong_at_the_connection_halts_although_nothing_else_is_told_then() -> None:
    gateway = ScriptedGateway()
    gateway.answers[49] = lambda _: gateway.say(
        49, 1, int(START.timestamp() + asyncio.get_running_loop().time() - 60)
    )

    async def script(desk: Desk) -> None:
        await desk.broker.connect()
        (halt,) = [event for event in desk.take() if isinstance(event, Halted)]
        assert "this machine's clock is +" in halt.reason

    at_the_desk(script, gateway=gateway, connect=False, host_skew_s_max=2.0)


def test_a_host_clock_that_is_off_is_told_once_and_again_after_it_was_right() -> None:
    gateway = ScriptedGateway()
    ahead = {"s": 0}

    def tell_time(_: list[str]) -> None:
        now = START.timestamp() + asyncio.get_running_loop().time()
        gateway.say(49, 1, int(now - ahead["s"]))

    gateway.answers[49] = tell_time

    def told(desk: Desk) -> int:
        return sum(alert.name == "clock_skew" for alert in desk.alerts)

    async def script(desk: Desk) -> None:
        counts = []
        for seconds in (0, 5, 5, 0, -5):
            ahead["s"] = seconds
            await desk.broker.heartbeat()
            counts.append(told(desk))
        assert counts == [0, 1, 1, 1, 2]
        assert "+" in next(alert.text for alert in desk.alerts if alert.name == "clock_skew")

    at_the_desk(script, gateway=gateway, host_skew_s_max=2.0)


def test_a_host_clock_is_not_compared_where_nobody_asked_for_it() -> None:
    gateway = ScriptedGateway()
    gateway.answers[49] = lambda _: gateway.say(49, 1, 1_000_000_000)

    async def script(desk: Desk) -> None:
        await desk.broker.heartbeat()
        assert not [alert for alert in desk.alerts if alert.name == "clock_skew"]

    at_the_desk(script, gateway=gateway)
