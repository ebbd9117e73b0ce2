"""What the gateway says about its time, once and again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bot.clock import BrokerClock
from tests.bot.broker.scripted import START, Desk, at_the_desk

FAR = START.replace(year=2033)


@pytest.mark.parametrize(
    ("said", "doubts", "expected"),
    [
        ([FAR], 1, START),
        ([FAR, FAR.replace(year=2050)], 2, START),
        ([FAR, FAR], 1, FAR),  # the market's time was moved
    ],
)
def test_a_far_answer_is_asked_for_again_at_once_and_believed_when_the_second_one_agrees(
    said: Sequence[datetime], doubts: int, expected: datetime
) -> None:
    async def script(desk: Desk) -> None:
        gateway = desk.gateway
        desk.broker._clock = clock = BrokerClock(desk.broker._clock)
        await desk.broker.heartbeat()
        left = list(said)

        def answer(fields: list[str]) -> None:
            if left:
                gateway.say(49, 1, int(left.pop(0).timestamp()))
            else:
                gateway._answer(49, fields)

        gateway.answers[49] = answer
        await desk.broker.heartbeat()
        assert left == []
        assert [alert.name for alert in desk.alerts] == ["clock_doubted"] * doubts
        assert abs(clock.now() - expected) < timedelta(seconds=2)

    at_the_desk(script)
