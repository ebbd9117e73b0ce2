"""How many ticks a second the embedded gateway serves on one core.

Three figures. Encoding: quotes that changed become the protocol's messages, one buffer a step. Serving what
is encoded already: the bytes of whole steps go out over a real loopback socket to a reader in another
process, and only this process's own CPU time counts. The whole way: the market is valued, compared, encoded
and sent to a client of 100 option lines over the same socket. Run `python -m benchmarks.gateway [--json]`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from market.contract import Right
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.instruments import option
from simulator.model import Tick
from simulator.server import HOST, GatewayProtocol
from simulator.stochastic import StochasticMarket
from simulator.ticks import QuoteLine
from simulator.wire import frame, to_bytes

LINES = 100
STEPS = 400
ROUNDS = 5
TARGET = 100_000
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

READER = """
import socket, sys
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
line.sendall(sys.stdin.buffer.read())
while line.recv(1 << 20): pass
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One way of serving; the median of the rounds."""

    name: str
    ticks_per_s: float
    us_per_tick: float


def moving(steps: int) -> list[dict[int, Tick]]:
    """Quotes of all lines, both sides of which move in every step."""
    first = [Tick(n, 10.0 + n, 10.2 + n, 5, 7, delta=-0.2, implied_volatility=0.2) for n in range(LINES)]
    return [
        {
            tick.con_id: tick._replace(
                bid=round((tick.bid or 0.0) + 0.05 * (step % 7), 2),
                ask=round((tick.ask or 0.0) + 0.05 * (step % 5), 2),
                model_price=10.1 + 0.01 * step,
            )
            for tick in first
        }
        for step in range(steps)
    ]


def encoded(steps: list[dict[int, Tick]]) -> tuple[list[bytes], int]:
    """One buffer a step, and how many messages there are in all."""
    lines = [QuoteLine(n + 1, (n,), "OPT") for n in range(LINES)]
    buffers, count = [], 0
    for ticks in steps:
        out: list[str] = []
        for line in lines:
            line.changes(ticks, out)
        count += len(out)
        buffers.append(to_bytes(out))
    return buffers, count


def encoding() -> float:
    """Messages a second from changed quotes to bytes."""
    steps = moving(STEPS)
    began = time.process_time()
    _, count = encoded(steps)
    return count / (time.process_time() - began)


async def serving() -> float:
    """Messages a second of buffers that are encoded already, by this process's CPU time."""
    buffers, count = encoded(moving(STEPS))
    spent: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.process_time()
        for buffer in buffers:
            writer.write(buffer)
            await writer.drain()
        spent.set_result(time.process_time() - began)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    reader = await client(server.sockets[0].getsockname()[1], b"")
    seconds = await spent
    server.close()
    await reader.wait()
    return count / seconds


async def whole_way() -> float:
    """Messages a second from the market to the socket: 100 option lines, one client, steps of a second."""
    now = START
    market = StochasticMarket(1, START, 1.0)
    gateway = Gateway(Exchange(market, "DU0000000"), lambda: now)
    server = await asyncio.get_running_loop().create_server(lambda: GatewayProtocol(gateway), HOST, 0)
    reader = await client(server.sockets[0].getsockname()[1], subscriptions(market))
    async with asyncio.timeout(30):
        while 7 not in gateway.sessions or len(gateway.sessions[7].quotes.watched(options=True)) < LINES:  # noqa: ASYNC110  no event tells
            await asyncio.sleep(0.01)
    session, count = gateway.sessions[7], 0
    publish = session.quotes.publish

    def counted(ticks: Mapping[int, Tick], options: bool, others: bool) -> None:
        nonlocal count
        publish(ticks, options, others)
        count += len(session.peer.outgoing)

    session.quotes.publish = counted  # type: ignore[method-assign]  # a count of what each step queues
    began = time.process_time()
    for _ in range(STEPS):
        now += timedelta(seconds=1)
        gateway.step()
        await asyncio.sleep(0)
    spent = time.process_time() - began
    server.close()
    gateway.hang_up()
    await reader.wait()
    return count / spent


async def client(port: int, says: bytes) -> asyncio.subprocess.Process:
    """A process that connects, says its piece, and reads until it is hung up on."""
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, str(port), stdin=asyncio.subprocess.PIPE
    )
    if reader.stdin is not None:
        reader.stdin.write(says)
        reader.stdin.close()
    return reader


def subscriptions(market: StochasticMarket) -> bytes:
    """A client's greeting and its requests for 100 lines of options."""
    chain = next(one for one in market.chains(416904) if one.trading_class == "SPXW")
    fridays = [day for day in chain.expiries if day.weekday() == 4]
    said = b"API\0" + frame(b"v157..176") + request(71, 2, 7, "")
    for number in range(LINES):
        line = option("SPXW", fridays[4 + number % 4], 2700.0 + 20.0 * (number // 4), Right.PUT)
        fields = (line.con_id, "", "", "", "0.0", "", "", "SMART", "", "", "", "")
        said += request(1, 11, number + 1, *fields, 0, "", 0, 0, "")
    return said


def request(*fields: object) -> bytes:
    """A client's frame."""
    return frame("".join(f"{field}\0" for field in fields).encode())


def figure(name: str, rates: list[float]) -> Figure:
    """The median of the rounds."""
    rate = statistics.median(rates)
    return Figure(name, round(rate), round(1e6 / rate, 3))


def main() -> int:
    """Print the figures; 1 when encoded ticks are served slower than the target."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--json", action="store_true")
    as_json = arguments.parse_args().json
    figures = [
        figure("encoding", [encoding() for _ in range(ROUNDS)]),
        figure("serving what is encoded", [asyncio.run(serving()) for _ in range(ROUNDS)]),
        figure("market to socket, 100 lines", [asyncio.run(whole_way()) for _ in range(ROUNDS)]),
    ]
    if as_json:
        print(json.dumps([asdict(one) for one in figures]))
    else:
        for one in figures:
            print(f"{one.name:<30} {one.ticks_per_s:>12,.0f} ticks/s   {one.us_per_tick:7.3f} us each")
        print(f"target: {TARGET:,} pre-encoded ticks a second on one core")
    return 0 if figures[1].ticks_per_s >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
