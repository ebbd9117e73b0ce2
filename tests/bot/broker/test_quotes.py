"""Quotes at the edge: what counts as a quote, which feeds are alive, and which lines stream."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.broker.compat import LIBRARY_NAME
from bot.broker.pacing import MESSAGES_PER_S, RESERVED_FOR_ORDERS
from bot.broker.quotes import LineBook
from bot.events import Feed, QuotesTaken
from market.contract import Contract, SecurityType
from tests.bot.broker.scripted import BREADTH, CALL, PUT, SPX, Desk, at_the_desk

VX = Contract(SecurityType.FUTURE, "VIX", "VX", multiplier=1000, exchange="CFE", con_id=9)
BID, ASK, LAST, CLOSE = 1, 2, 4, 9
NOW = datetime(2020, 3, 16, 14, 0, tzinfo=UTC)


async def streaming(desk: Desk, *contracts: Contract) -> dict[int, int]:
    """Stream contracts; their request ids by con_id."""
    desk.broker.remember(contracts)
    desk.broker.stream(tuple(contract.con_id for contract in contracts))
    await desk.settle()
    return {int(fields[3]): int(fields[2]) for fields in desk.gateway.sent(1)}


def tick(desk: Desk, request_id: int, kind: int, price: float, size: float) -> None:
    desk.gateway.say(1, 6, request_id, kind, price, size, 0)


def test_a_line_asks_for_its_contract_by_id() -> None:
    async def script(desk: Desk) -> None:
        await streaming(desk, SPX)
        fields = desk.gateway.sent(1)[0]
        assert fields[3:6] == ["416904", "SPX", "IND"]
        assert "CBOE" in fields

    at_the_desk(script)


def test_the_first_request_of_a_session_is_for_live_data() -> None:
    async def script(desk: Desk) -> None:
        assert desk.gateway.sent(59)[0][2] == "1"

    at_the_desk(script)


def test_changed_quotes_are_taken_once_in_order_of_their_ids() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, PUT, SPX)
        tick(desk, ids[CALL.con_id], BID, 7.1, 3)
        tick(desk, ids[CALL.con_id], ASK, 7.4, 5)
        tick(desk, ids[PUT.con_id], BID, 6.0, 1)
        tick(desk, ids[SPX.con_id], LAST, 2745.331234567, 0)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken(
            (
                (PUT.con_id, 6.0, None, None),
                (CALL.con_id, 7.1, 7.4, None),
                (SPX.con_id, None, None, 2745.331235),
            ),
            (Feed.INDEX, Feed.OPTION),
        )
        assert desk.broker.take_quotes() is None
        tick(desk, ids[CALL.con_id], BID, 7.1, 3)
        await desk.settle()
        assert desk.broker.take_quotes() is None

    at_the_desk(script)


@pytest.mark.parametrize("price", [-1.0, 0.0, float("nan"), float("inf"), 1.7976931348623157e308, -5.0])
@pytest.mark.parametrize("kind", [BID, ASK, LAST])
def test_a_price_that_is_none_is_no_quote(price: float, kind: int) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        tick(desk, ids[CALL.con_id], kind, 5.0, 1)
        await desk.settle()
        desk.broker.take_quotes()
        tick(desk, ids[CALL.con_id], kind, price, 1)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        assert taken.quotes == ((CALL.con_id, None, None, None),)

    at_the_desk(script)


@pytest.mark.parametrize("kind", [1, 2])
def test_a_tick_that_cannot_be_read_blanks_its_line_and_no_other(kind: int) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, PUT)
        for request_id in ids.values():
            tick(desk, request_id, BID, 5.0, 1)
        await desk.settle()
        desk.broker.take_quotes()
        desk.gateway.say(kind, 6, ids[CALL.con_id], 1, "five", "five", 0)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        # ib_insync does not say whose size it could not read: then no line is trusted.
        blanked = {CALL.con_id, PUT.con_id} if LIBRARY_NAME == "ib_insync" and kind == 2 else {CALL.con_id}
        assert set(taken.quotes) == {(con_id, None, None, None) for con_id in blanked}
        assert [alert.name for alert in desk.alerts] == ["unreadable_message"]
        assert desk.broker.is_connected

    at_the_desk(script)


@pytest.mark.parametrize("by", ["price", "size"])
def test_a_side_without_size_is_no_quote_until_it_has_one_again(by: str) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        request = ids[CALL.con_id]
        tick(desk, request, BID, 5.0, 10)
        tick(desk, request, ASK, 5.2, 10)
        await desk.settle()
        desk.broker.take_quotes()
        if by == "price":
            tick(desk, request, BID, 5.0, 0)
        else:
            desk.gateway.say(2, 6, request, 0, 0)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        assert taken.quotes == ((CALL.con_id, None, 5.2, None),)
        desk.gateway.say(2, 6, request, 0, 4)
        desk.gateway.say(2, 6, request, 3, 0)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        assert taken.quotes == ((CALL.con_id, 5.0, None, None),)

    at_the_desk(script)


def test_a_halted_contract_has_no_quote_until_it_trades_again() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        request = ids[CALL.con_id]
        tick(desk, request, BID, 5.0, 10)
        tick(desk, request, ASK, 5.2, 10)
        await desk.settle()
        desk.broker.take_quotes()
        for halted, sides in ((2, (None, None)), (0, (5.0, 5.2))):
            desk.gateway.say(45, 6, request, 49, halted)
            await desk.settle()
            taken = desk.broker.take_quotes()
            assert taken is not None
            assert taken.quotes == ((CALL.con_id, *sides, None),)

    at_the_desk(script)


def test_advancing_and_declining_issues_have_no_size_and_are_taken() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, BREADTH, CALL)
        tick(desk, ids[BREADTH.con_id], BID, 1500, 0)
        tick(desk, ids[BREADTH.con_id], ASK, 1200, 0)
        tick(desk, ids[CALL.con_id], BID, 1500, 0)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        assert taken.quotes == ((BREADTH.con_id, 1500.0, 1200.0, None),)

    at_the_desk(script)


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_data_that_is_not_live_is_no_quote_and_no_sign_of_life(kind: int) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        request = ids[CALL.con_id]
        tick(desk, request, BID, 5.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() is not None
        desk.gateway.say(58, 1, request, kind)
        await desk.settle(40)
        tick(desk, request, BID, 5.5, 10)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken(((CALL.con_id, None, None, None),), ())
        desk.gateway.say(58, 1, request, 1)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken(((CALL.con_id, 5.5, None, None),), (Feed.OPTION,))

    at_the_desk(script)


def test_delayed_ticks_are_not_taken_for_live_ones() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        for kind in (66, 67, 68, CLOSE, 37):
            tick(desk, ids[CALL.con_id], kind, 5.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() is None

    at_the_desk(script)


def test_a_feed_that_says_nothing_for_too_long_is_not_alive() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, SPX)
        tick(desk, ids[CALL.con_id], BID, 5.0, 10)
        tick(desk, ids[SPX.con_id], LAST, 2700.0, 0)
        await desk.settle()
        assert desk.broker.take_quotes() is not None
        await desk.settle(20)
        tick(desk, ids[SPX.con_id], LAST, 2700.0, 0)
        await desk.settle()
        assert desk.broker.take_quotes() is None
        await desk.settle(15)
        assert desk.broker.take_quotes() == QuotesTaken((), (Feed.INDEX,))

    at_the_desk(script)


@pytest.mark.parametrize("code", [2103, 2105, 2157, 1100, 10197])
def test_a_broken_farm_makes_every_feed_prove_itself_anew(code: int) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, VX)
        tick(desk, ids[CALL.con_id], BID, 5.0, 10)
        tick(desk, ids[VX.con_id], BID, 40.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() is not None
        desk.gateway.error(-1, code)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken((), ())
        desk.gateway.error(-1, 2104, "Market data farm connection is OK:usopt")
        await desk.settle()
        assert desk.broker.take_quotes() is None
        tick(desk, ids[VX.con_id], BID, 40.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken((), (Feed.FUTURE,))

    at_the_desk(script)


def test_ticks_from_before_the_farm_broke_prove_nothing_after_it() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        tick(desk, ids[CALL.con_id], BID, 5.0, 10)
        await desk.settle()
        desk.gateway.error(-1, 2103)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken(((CALL.con_id, 5.0, None, None),), ())
        tick(desk, ids[CALL.con_id], BID, 5.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken((), (Feed.OPTION,))
        tick(desk, ids[CALL.con_id], BID, 5.1, 10)
        await desk.settle()
        desk.gateway.error(-1, 2103)
        await desk.settle()
        tick(desk, ids[CALL.con_id], BID, 5.1, 10)
        await desk.settle()
        assert desk.broker.take_quotes() == QuotesTaken(((CALL.con_id, 5.1, None, None),), (Feed.OPTION,))

    at_the_desk(script)


@pytest.mark.parametrize("code", [101, 200, 354, 10089, 10090, 10168, 10186, 10197])
def test_a_refused_line_is_told_and_has_no_quote(code: int) -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL)
        desk.gateway.error(ids[CALL.con_id], code, "Requested market data is not subscribed.")
        await desk.settle()
        assert desk.broker.take_quotes() is None
        assert [alert.name for alert in desk.alerts] == ["market_data_refused"]
        assert str(code) in desk.alerts[0].text

    at_the_desk(script)


def test_a_line_the_account_has_not_is_asked_for_again_when_the_wish_changes_and_not_before() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, PUT)
        desk.gateway.error(ids[PUT.con_id], 101, "Max number of tickers has been reached.")
        await desk.settle(3)
        assert len(desk.gateway.sent(1)) == 2, "the same wish is not repeated into the same refusal"
        assert "market_data_lines_max" in desk.alerts[0].text
        tick(desk, ids[PUT.con_id], BID, 5.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() is None
        desk.broker.stream((PUT.con_id,))
        await desk.settle()
        assert [fields[2] for fields in desk.gateway.sent(2)] == [str(ids[CALL.con_id])]
        assert [int(fields[3]) for fields in desk.gateway.sent(1)] == [PUT.con_id, CALL.con_id, PUT.con_id]
        tick(desk, int(desk.gateway.sent(1)[-1][2]), BID, 5.0, 10)
        await desk.settle()
        taken = desk.broker.take_quotes()
        assert taken is not None
        assert [row[0] for row in taken.quotes] == [PUT.con_id]

    at_the_desk(script)


def test_a_change_of_lines_sends_only_the_difference_and_ended_lines_first() -> None:
    async def script(desk: Desk) -> None:
        ids = await streaming(desk, CALL, PUT)
        desk.broker.stream((CALL.con_id, SPX.con_id))
        await desk.settle()
        assert [fields[2] for fields in desk.gateway.sent(2)] == [str(ids[PUT.con_id])]
        assert [int(fields[3]) for fields in desk.gateway.sent(1)] == [PUT.con_id, CALL.con_id, SPX.con_id]
        desk.broker.stream((CALL.con_id, SPX.con_id))
        await desk.settle(3)
        assert len(desk.gateway.sent(1)) == 3
        tick(desk, ids[PUT.con_id], BID, 5.0, 10)
        await desk.settle()
        assert desk.broker.take_quotes() is None

    at_the_desk(script)


def test_many_lines_go_out_below_the_pace_and_the_last_wish_counts() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.stream(tuple(range(1000, 1100)))
        desk.broker.stream(tuple(range(1050, 1150)))
        await desk.settle(10)
        asked = [int(fields[3]) for fields in desk.gateway.sent(1)]
        ended = len(desk.gateway.sent(2))
        assert len(asked) == len(set(asked))
        assert set(range(1050, 1150)) <= set(asked)
        assert ended == len(asked) - 100
        times = desk.gateway.times
        for index, time in enumerate(times):
            assert sum(time <= later < time + 1.0 for later in times[index:]) <= MESSAGES_PER_S

    at_the_desk(script)


def test_sixty_lines_at_once_stay_below_the_client_librarys_own_queue() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        desk.broker.stream(tuple(range(1000, 1060)))
        await desk.settle(0.001)
        assert len(desk.gateway.sent(1)) == MESSAGES_PER_S - RESERVED_FOR_ORDERS
        await desk.settle(2)
        assert len(desk.gateway.sent(1)) == 60

    at_the_desk(script)


def test_lines_are_streamed_again_after_a_reconnection_once_each() -> None:
    async def script(desk: Desk) -> None:
        await streaming(desk, CALL, SPX)
        desk.gateway.hang_up()
        await desk.settle()
        desk.gateway.received.clear()
        desk.gateway.times.clear()
        await desk.broker.connect()
        await desk.settle(3)
        assert sorted(int(fields[3]) for fields in desk.gateway.sent(1)) == [CALL.con_id, SPX.con_id]
        assert desk.broker.take_quotes() is None

    at_the_desk(script)


ticks = st.tuples(
    st.integers(1, 4),
    st.sampled_from([BID, ASK, LAST, CLOSE]),
    st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0.05, 5000.0)),
    st.sampled_from([0.0, 1.0, 50.0]),
)


@given(st.lists(ticks, max_size=60), st.lists(st.integers(0, 59), max_size=5))
@settings(max_examples=150)
def test_quotes_taken_piecemeal_end_where_the_ticks_ended_and_are_always_plausible(
    said: list[tuple[int, int, float, float]], looks: list[int]
) -> None:
    book = LineBook(timedelta(seconds=30))
    contracts = {1: CALL, 2: PUT, 3: SPX, 4: BREADTH}
    for request_id, contract in contracts.items():
        book.open(request_id, contract)
    taken: dict[int, tuple[float | None, float | None, float | None]] = {}
    for index, (request_id, kind, price, size) in enumerate(said):
        book.price_tick(request_id, kind, price, size)
        if index in looks and (found := book.take(NOW)) is not None:
            taken |= {con_id: sides for con_id, *sides in found.quotes}  # type: ignore[misc]  # three sides
    if (found := book.take(NOW)) is not None:
        taken |= {con_id: sides for con_id, *sides in found.quotes}  # type: ignore[misc]  # three sides
    for request_id, contract in contracts.items():
        for position, kind in enumerate((BID, ASK, LAST)):
            mine = [(price, size) for line, k, price, size in said if (line, k) == (request_id, kind)]
            price, size = mine[-1] if mine else (0.0, 0.0)
            needs_size = kind != LAST and contract is not BREADTH
            is_quote = 0.0 < price < 1e7 and (size > 0.0 or not needs_size)
            expected = round(price, 6) if is_quote else None
            assert taken.get(contract.con_id, (None, None, None))[position] == expected
