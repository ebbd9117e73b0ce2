"""The unmodified client library against the gateway, in virtual time and over a real socket."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from ib_async import IB, Contract, Index, LimitOrder, Option, Trade

from simulator import virtual
from simulator.server import HOST, UNREAD_BYTES_MAX, GatewayProtocol, GatewayServer, Pace
from simulator.wire import frame
from tests.simulator.fixture_venue import ACCOUNT, START, encode, open_gateway
from tests.simulator.trading import PORT, Trading, condor, until


async def whole_conversation(trading: Trading) -> None:
    """Everything a trading session asks for, each answer checked."""
    ib = trading.ib
    assert ib.managedAccounts() == [ACCOUNT]
    assert {v.tag: v.value for v in ib.accountValues()}["NetLiquidation"] == "1000000.00"
    assert (await ib.reqCurrentTimeAsync()) >= START - timedelta(seconds=1)

    spx = Index("SPX", "CBOE", "USD")
    await ib.qualifyContractsAsync(spx)
    assert spx.conId == 416904
    bag = await condor(ib)
    details = (await ib.reqContractDetailsAsync(Contract(conId=bag.comboLegs[0].conId, exchange="SMART")))[0]
    assert (details.underSymbol, details.minTick) == ("SPX", 0.05)
    steps = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
    assert steps is not None
    assert [(s.lowEdge, s.increment) for s in steps] == [(0.0, 0.05), (3.0, 0.1)]

    index, option, combo = (
        ib.reqMktData(spx),
        ib.reqMktData(details.contract or Contract()),
        ib.reqMktData(bag),
    )
    await until(lambda: option.modelGreeks and combo.hasBidAsk() and index.last > 0)
    assert option.modelGreeks is not None
    assert option.modelGreeks.delta is not None
    assert -1.0 < option.modelGreeks.delta < 0.0
    assert option.bid < option.ask

    state = await asyncio.wait_for(ib.whatIfOrderAsync(bag, LimitOrder("BUY", 1, -1.0, tif="DAY")), 5.0)
    assert (float(state.initMarginChange), state.commission > 0) == (5000.0, True)

    await fill_and_check(trading, bag)
    await cancel_and_check(trading, bag)

    bars = await ib.reqHistoricalDataAsync(spx, "", "5 D", "1 day", "TRADES", True)
    assert [str(bar.date) for bar in bars][-1] == "2020-02-28"
    assert await ib.reqContractDetailsAsync(Contract(secType="STK", symbol="NOPE", exchange="SMART")) == []
    await refuse_a_twin(trading)


async def fill_and_check(trading: Trading, bag: Contract) -> None:
    ib = trading.ib
    trade: Trade = ib.placeOrder(bag, LimitOrder("BUY", 2, 5.0, tif="DAY", orderRef="d-1"))
    await until(lambda: trade.isDone() and len(ib.positions()) == 4 and len(ib.portfolio()) == 4)
    assert (trade.orderStatus.status, trade.filled(), trade.remaining()) == ("Filled", 2.0, 0.0)
    kinds = [fill.contract.secType for fill in trade.fills]
    assert kinds == ["BAG", "OPT", "OPT", "OPT", "OPT"]
    assert {fill.execution.orderRef for fill in trade.fills} == {"d-1"}
    assert {fill.execution.permId for fill in trade.fills} == {trade.orderStatus.permId}
    await until(lambda: all(fill.commissionReport.commission > 0 for fill in trade.fills[1:]))
    assert {p.position for p in ib.positions()} == {2.0, -2.0}
    again = await ib.reqExecutionsAsync()
    assert [f.execution.execId for f in again] == [f.execution.execId for f in trade.fills]
    done = await ib.reqCompletedOrdersAsync(False)
    assert [t.order.orderRef for t in done] == ["d-1"]


async def cancel_and_check(trading: Trading, bag: Contract) -> None:
    ib = trading.ib
    trade = ib.placeOrder(bag, LimitOrder("BUY", 1, -45.0, tif="DAY", orderRef="d-2"))
    await until(lambda: trade.orderStatus.status == "Submitted")
    open_trades = await ib.reqOpenOrdersAsync()
    assert [t.order.orderRef for t in open_trades] == ["d-2"]
    ib.cancelOrder(trade.order)
    await until(lambda: (trade.order.orderId, 202) in trading.errors)
    assert trade.orderStatus.status == "Cancelled"
    assert await ib.reqOpenOrdersAsync() == []


async def refuse_a_twin(trading: Trading) -> None:
    twin = IB()
    errors: list[int] = []
    twin.errorEvent += lambda _req_id, code, *_: errors.append(code)
    with pytest.raises(TimeoutError):
        await twin.connectAsync(HOST, trading.server.port, clientId=7, timeout=0.5)
    assert errors == [326]
    assert trading.ib.isConnected()


def test_a_whole_trading_conversation_runs_in_virtual_time() -> None:
    async def main() -> tuple[int, ...]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        gateway = open_gateway(loop.now)
        async with Trading(gateway, PORT, Pace(1.0, 1.0)) as trading:
            await whole_conversation(trading)
        return gateway.clients

    assert virtual.run(main(), START) == ()


async def test_the_same_conversation_runs_over_a_real_socket() -> None:
    loop = asyncio.get_running_loop()
    origin = loop.time()
    gateway = open_gateway(lambda: START + timedelta(seconds=loop.time() - origin))
    async with Trading(gateway, 0, Pace(0.05, 0.1)) as trading:
        assert trading.server.port != 0
        await whole_conversation(trading)
    assert gateway.clients == ()


async def test_garbage_on_the_socket_leaves_other_clients_alone() -> None:
    async with Trading(open_gateway(), 0, Pace(0.05, 0.05)) as trading:
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"API\0\xff\xff\xff\xff", b"API\0\0\0\0\x04junk"):
            reader, writer = await asyncio.open_connection(HOST, trading.server.port)
            writer.write(garbage)
            answer = await asyncio.wait_for(reader.read(), 2.0)
            assert answer == b"" or b"320" in answer
            writer.close()
            await writer.wait_closed()
        assert await trading.ib.reqCurrentTimeAsync() == START


def test_sixty_subscriptions_at_once_pass_the_clients_throttle() -> None:
    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        async with Trading(open_gateway(loop.now), PORT, Pace(10.0, 10.0)) as trading:
            ib = trading.ib
            chains = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 416904)
            chain = next(c for c in chains if c.tradingClass == "SPXW" and c.exchange == "SMART")
            wanted = [
                Option("SPX", day, 2900.0 + 10.0 * k, "P", "SMART", tradingClass="SPXW")
                for day in chain.expirations[2:8]
                for k in range(10)
            ]
            await asyncio.sleep(2.0)
            began = loop.time()
            lines = await ib.qualifyContractsAsync(*wanted)
            tickers = [ib.reqMktData(line) for line in lines if isinstance(line, Contract)]
            await until(lambda: all(t.modelGreeks for t in tickers), 30.0)
            return len(tickers), loop.time() - began

    count, took = virtual.run(main(), START)
    assert count == 60
    # 120 requests at 45 a second: the third batch leaves in the third second, and no later.
    assert 2.0 <= took <= 3.1


def trace(start: datetime) -> str:
    """A digest of every byte both ways in a short session with an order."""
    digest = hashlib.sha256()

    original: Callable[..., None] = virtual.MemoryTransport.write

    def write(self: virtual.MemoryTransport, data: bytes) -> None:
        digest.update(bytes(data))
        original(self, data)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        async with Trading(open_gateway(loop.now), PORT, Pace(10.0, 10.0)) as trading:
            bag = await condor(trading.ib)
            trading.ib.reqMktData(bag)
            trade = trading.ib.placeOrder(bag, LimitOrder("BUY", 1, 5.0, tif="DAY", orderRef="d-1"))
            await asyncio.sleep(600.0)
            assert trade.isDone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual.MemoryTransport, "write", write)
        virtual.run(main(), start)
    return digest.hexdigest()


def test_equal_sessions_give_equal_bytes_both_ways() -> None:
    first = trace(START)
    assert first == trace(START)
    assert first != trace(START + timedelta(minutes=1))


def test_a_restarted_server_takes_the_same_client_again() -> None:
    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        gateway = open_gateway(loop.now)
        connected = []
        ib = IB()
        for _ in range(2):
            server = GatewayServer(gateway, PORT, Pace(1.0, 1.0))
            await server.start()
            await ib.connectAsync(HOST, PORT, clientId=7)
            connected.append(ib.isConnected())
            await server.stop()
            await asyncio.sleep(0.1)
            connected.append(ib.isConnected())
        return connected

    assert virtual.run(main(), START) == [True, False, True, False]


def test_market_time_follows_the_clock_in_steps() -> None:
    async def main() -> datetime:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        gateway = open_gateway(loop.now)
        server = GatewayServer(gateway, PORT, Pace(10.0, 10.0))
        await server.start()
        await asyncio.sleep(95.0)
        await server.stop()
        return gateway.venue.market.now

    reached = virtual.run(main(), START).astimezone(UTC)
    assert START + timedelta(seconds=90) <= reached < START + timedelta(seconds=90.1)


def test_a_client_that_stops_reading_is_cut_off() -> None:
    class Stalled(virtual.MemoryTransport):
        """A connection whose far end does not read."""

        unread = 0

        def get_write_buffer_size(self) -> int:
            return self.unread

    async def main() -> tuple[tuple[int, ...], tuple[int, ...]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        gateway = open_gateway(loop.now)
        protocol = GatewayProtocol(gateway)
        transport = Stalled(loop, protocol, {})
        protocol.connection_made(transport)
        protocol.data_received(b"API\0" + frame(b"v157..176") + encode(71, 2, 7, ""))
        before = gateway.clients
        transport.unread = UNREAD_BYTES_MAX + 1
        protocol.data_received(encode(49, 1))
        await asyncio.sleep(0.1)
        return before, gateway.clients

    assert virtual.run(main(), START) == ((7,), ())
