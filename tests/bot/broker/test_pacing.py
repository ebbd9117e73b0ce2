"""The pace: so many messages in any second, some kept for orders; what waits goes out by itself, in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from bot.broker.pacing import RESERVED_FOR_ORDERS, Outbox, Pacer
from simulator.virtual import run
from tests.bot.broker.scripted import START


@pytest.mark.parametrize(("allowed", "common"), [(45, 37), (10, 5), (5, 3), (1, 1)])
def test_the_pace_is_the_one_that_is_allowed(allowed: int, common: int) -> None:
    pacer = Pacer(lambda: 100.0, allowed)
    for urgent, count in ((False, common), (True, allowed - common)):
        for _ in range(count):
            assert pacer.wait_s(urgent=urgent) == 0.0
            pacer.sent()
        assert pacer.wait_s(urgent=urgent) == pytest.approx(1.001)


def test_forty_messages_a_second_go_out_where_nothing_is_said_the_last_eight_for_orders_alone() -> None:
    pacer = Pacer(lambda: 100.0)
    counts = []
    for urgent in (False, True):
        count = 0
        while not pacer.wait_s(urgent=urgent):
            pacer.sent()
            count += 1
        counts.append(count)
    assert counts == [32, 8]
    assert RESERVED_FOR_ORDERS == 8


def test_a_wait_ends_a_little_after_the_message_that_is_in_the_way_is_a_second_old() -> None:
    time = 100.0
    pacer = Pacer(lambda: time, 4)
    for moment, messages in ((100.0, 1), (100.25, 2), (100.5, 1)):
        time = moment
        pacer.sent(messages)
    assert pacer.wait_s(urgent=True) == pytest.approx(0.5 + 0.001)
    assert pacer.wait_s() == pytest.approx(0.75 + 0.001), "two of the four are kept for orders"
    time = 101.0
    assert pacer.wait_s(urgent=True) == 0.0, "a message counts for one second and no longer"
    assert pacer.wait_s() == pytest.approx(0.25 + 0.001)
    time = 101.25
    assert pacer.wait_s() == 0.0


# ---------------------------------------------------------------- what waits


@dataclass
class Line:
    """An outbox at a pace of four messages a second, and what went out through it at which second."""

    outbox: Outbox = field(init=False)
    streamed: set[int] = field(default_factory=set)
    out: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        self.outbox = Outbox(
            Pacer(loop.time, 4), lambda: frozenset(self.streamed), self.subscribe, self.unsubscribe
        )

    def told(self, what: str) -> None:
        self.out.append((round(asyncio.get_running_loop().time() - self.began, 2), what))

    def subscribe(self, con_id: int) -> None:
        self.streamed.add(con_id)
        self.told(f"+{con_id}")

    def unsubscribe(self, con_id: int) -> None:
        self.streamed.remove(con_id)
        self.told(f"-{con_id}")

    def order(self, order_ref: str) -> None:
        self.outbox.order(order_ref, lambda: self.told(order_ref))


def with_a_line(script: Callable[[Line], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Line())

    run(main(), START)


def test_orders_go_out_before_lines_and_ended_lines_before_new_ones() -> None:
    async def script(line: Line) -> None:
        line.streamed = {7, 8}
        line.outbox.stream((7, 8))
        for name in ("a", "b", "c", "d", "e"):
            line.order(name)
        line.outbox.stream((9, 8))
        await asyncio.sleep(5)
        assert [what for _, what in line.out] == ["a", "b", "c", "d", "e", "-7", "+9"]
        assert [time for time, _ in line.out] == [0.0] * 4 + [1.0] * 2 + [2.0]

    with_a_line(script)


def test_what_waits_is_sent_once_by_one_timer_and_an_order_overtakes_waiting_lines() -> None:
    async def script(line: Line) -> None:
        line.outbox.stream((1, 2, 3, 4))
        await asyncio.sleep(0.5)
        line.order("a")
        await asyncio.sleep(5)
        assert line.out == [(0.0, "+1"), (0.0, "+2"), (0.5, "a"), (1.0, "+3"), (1.5, "+4")]

    with_a_line(script)


def test_a_closed_outbox_names_the_orders_never_written_and_sends_nothing_more() -> None:
    async def script(line: Line) -> None:
        for name in ("a", "b", "c", "d", "e", "f"):
            line.order(name)
        assert line.outbox.close() == ("e", "f")
        assert line.outbox.close() == ()
        await asyncio.sleep(5)
        assert [what for _, what in line.out] == ["a", "b", "c", "d"]

    async def lines_alone(line: Line) -> None:
        line.outbox.stream((1, 2, 3, 4))
        assert line.outbox.close() == ()
        await asyncio.sleep(5)
        assert [what for _, what in line.out] == ["+1", "+2"]

    with_a_line(script)
    with_a_line(lines_alone)


def test_what_is_taken_back_while_it_waits_is_not_sent_and_the_others_keep_their_order() -> None:
    async def script(line: Line) -> None:
        for name in ("a", "b", "c", "d", "e", "f", "e", "g"):
            line.order(name)
        assert line.outbox.withdraw("a") is False, "it is on the line already"
        assert line.outbox.withdraw("e") is True
        assert line.outbox.withdraw("e") is False
        await asyncio.sleep(5)
        assert [what for _, what in line.out] == ["a", "b", "c", "d", "f", "g"]

    with_a_line(script)
