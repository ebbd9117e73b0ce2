"""Open interest at the edge: asked for where a rule reads it, told once, and no proof of a live feed."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.broker.quotes import LineBook
from bot.events import Feed, OpenInterestTold, QuotesTaken
from market.contract import Contract, Right, SecurityType
from market.expiries import vix_final_settlement
from tests.bot.broker.scripted import CALL, SPX, Desk, at_the_desk

NOW = datetime(2020, 3, 16, 14, 0, tzinfo=UTC)
CALLS_OPEN, PUTS_OPEN = 27, 28


def vix(right: Right, con_id: int) -> Contract:
    expiry = vix_final_settlement(2020, 9)
    return Contract(SecurityType.OPTION, "VIX", "VIX", expiry, 30.0, right, 100, "SMART", con_id=con_id)


VIX_CALL, VIX_PUT = vix(Right.CALL, 71), vix(Right.PUT, 72)


def test_only_lines_of_vix_options_ask_for_it() -> None:
    async def script(desk: Desk) -> None:
        lines = (SPX, CALL, VIX_CALL)
        desk.broker.remember(lines)
        desk.broker.stream(tuple(one.con_id for one in lines))
        await desk.settle()
        asked = {int(fields[3]): "101" in fields for fields in desk.gateway.sent(1)}
        assert asked == {SPX.con_id: False, CALL.con_id: False, VIX_CALL.con_id: True}

    at_the_desk(script)


def test_what_the_gateway_says_comes_before_the_quotes_and_once() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.remember((VIX_CALL, VIX_PUT))
        desk.broker.stream((VIX_CALL.con_id, VIX_PUT.con_id))
        await desk.settle()
        ids = {int(fields[3]): int(fields[2]) for fields in desk.gateway.sent(1)}
        for con_id, kind, size in ((72, PUTS_OPEN, 310), (72, CALLS_OPEN, 0), (71, CALLS_OPEN, 1200)):
            desk.gateway.say(2, 6, ids[con_id], kind, size)
        await desk.settle()
        before = len(desk.events)
        assert desk.broker.take_quotes() is None
        assert desk.events[before:] == [OpenInterestTold(((71, 1200), (72, 310)))]
        desk.gateway.say(2, 6, ids[71], CALLS_OPEN, 1200)
        await desk.settle()
        desk.broker.take_quotes()
        assert len(desk.events) == before + 1

    at_the_desk(script)


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -1.0])
def test_what_is_no_count_is_not_told(size: float) -> None:
    book = LineBook(timedelta(seconds=30))
    book.open(1, VIX_CALL)
    book.size_tick(1, CALLS_OPEN, size)
    assert book.interest.take() is None


def test_a_count_proves_no_live_feed_and_is_told_again_on_a_new_line() -> None:
    book = LineBook(timedelta(seconds=30))
    book.open(1, VIX_CALL)
    book.size_tick(1, CALLS_OPEN, 600.0)
    assert book.take(NOW, anyway=True) == QuotesTaken((), ())
    assert book.interest.take() == OpenInterestTold(((71, 600),))
    book.size_tick(1, 0, 5.0)
    taken = book.take(NOW)
    assert taken is not None
    assert taken.alive == (Feed.OPTION,)
    book.close(VIX_CALL.con_id)
    book.open(2, VIX_CALL)
    book.size_tick(2, CALLS_OPEN, 600.0)
    assert book.interest.take() == OpenInterestTold(((71, 600),))
