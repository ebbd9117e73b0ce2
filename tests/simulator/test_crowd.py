"""Many clients at once, and clients that send rubbish: nobody is harmed by anybody else."""

import asyncio
from typing import Any

import pytest
from ib_async import IB, Index, LimitOrder, Trade

from benchmarks.gateway_fuzz import bursts, fuzz
from simulator import virtual
from simulator.server import HOST, GatewayServer, Pace
from tests.simulator.fixture_venue import START, open_gateway
from tests.simulator.trading import PORT, condor, until

CLIENTS = 30


def test_thirty_clients_trade_at_once_and_each_hears_of_its_own() -> None:
    async def main() -> list[tuple[int, str, float, int]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        gateway = open_gateway(loop.now)
        server = GatewayServer(gateway, PORT, Pace(1.0, 1.0))
        await server.start()
        clients = [IB() for _ in range(CLIENTS)]
        await asyncio.gather(
            *[ib.connectAsync(HOST, PORT, clientId=n, timeout=30) for n, ib in enumerate(clients, start=1)]
        )
        assert len(gateway.clients) == CLIENTS
        bag = await condor(clients[0])
        spx = Index("SPX", "CBOE", "USD", conId=416904)
        tickers = [ib.reqMktData(spx) for ib in clients]
        trades: list[Trade] = [
            ib.placeOrder(bag, LimitOrder("BUY", 1, 5.0, tif="DAY", orderRef=f"c-{n}"))
            for n, ib in enumerate(clients, start=1)
        ]
        await until(lambda: all(trade.isDone() for trade in trades), 120.0)
        await until(lambda: all(ticker.last > 0 for ticker in tickers), 60.0)
        found = [
            (trade.fills[0].execution.clientId, trade.order.orderRef, trade.filled(), len(trade.fills))
            for trade in trades
        ]
        held = {line.quantity for line in gateway.venue.positions()}
        assert held == {float(CLIENTS), -float(CLIENTS)}
        for ib in clients:
            ib.disconnect()
        await server.stop()
        return found

    found = virtual.run(main(), START)
    assert found == [(n, f"c-{n}", 1.0, 5) for n in range(1, CLIENTS + 1)]


async def test_thirty_connections_over_real_sockets_are_served_together() -> None:
    server = GatewayServer(open_gateway(), 0, Pace(0.05, 0.05))
    await server.start()
    clients = [IB() for _ in range(CLIENTS)]
    try:
        await asyncio.gather(
            *[ib.connectAsync(HOST, server.port, clientId=n, timeout=30) for n, ib in enumerate(clients)]
        )
        times = await asyncio.gather(*[ib.reqCurrentTimeAsync() for ib in clients])
        assert times == [START] * CLIENTS
    finally:
        for ib in clients:
            ib.disconnect()
        await asyncio.sleep(0.1)
        await server.stop()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_frames_never_take_the_gateway_down(seed: int) -> None:
    counts: Any = fuzz(700, seed)
    assert counts["answered"] + counts["silent"] == 700
    assert counts["orders taken"] > 0
    assert counts["refused as unreadable"] > 100


def test_bursts_of_anything_leave_the_gateway_answering_others() -> None:
    found = {name: (sent, answered, lines) for name, sent, answered, lines in bursts(200_000, 1)}
    assert min(sent for sent, _, _ in found.values()) >= 200_000
    assert found["honest requests"][1] > 200_000
    assert found["honest requests"][2] == 1
    assert found["random bytes"][2] > 1  # a length that lies ends the connection
