"""What the gateway says about its time, once and again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bot.clock import BrokerClock
from bot.errors import BrokerUnreachableError
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


def test_a_gateway_whose_first_answers_contradict_each_other_is_no_connection() -> None:
    async def script(desk: Desk) -> None:
        gateway = desk.gateway
        desk.broker._clock = clock = BrokerClock(desk.broker._clock)
        left = [FAR, FAR.replace(year=2050), START, START]
        gateway.answers[49] = lambda fields: gateway.say(49, 1, int(left.pop(0).timestamp()))
        with pytest.raises(BrokerUnreachableError, match=r"2050-.* and said another time just before"):
            await desk.broker.connect()
        assert not clock.is_measured
        await desk.broker.connect()
        assert abs(clock.now() - START) < timedelta(seconds=2)
        assert desk.alerts == []

    at_the_desk(script, connect=False)
