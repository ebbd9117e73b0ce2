"""Thirty clients at once: what a step of the embedded gateway costs with 3,000 market-data lines.

Each client has 100 lines, a third of them its own and the rest like everybody's, over a real loopback socket
to a reader in another process. Only this process's CPU time counts, so that a loaded machine does not change
the figure much. Run
`python -m benchmarks.gateway_crowd [--clients N]`; exit code 1 when a step takes more than the tenth of a
second after which the next one is due.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from benchmarks.gateway import LINES, request
from market.contract import Right
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.instruments import option
from simulator.model import Tick
from simulator.server import HOST, GatewayProtocol
from simulator.session import Session
from simulator.stochastic import StochasticMarket
from simulator.wire import frame

CLIENTS = 30
STEPS = 100
STEP_S_MAX = 0.1
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

READER = """
import selectors, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
chosen = selectors.DefaultSelector()
for n in range(count):
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(sys.stdin.buffer.read(size))
    chosen.register(line, selectors.EVENT_READ)
while chosen.get_map():
    for key, _ in chosen.select():
        if not key.fileobj.recv(1 << 20):
            chosen.unregister(key.fileobj)
"""


def greeting(market: StochasticMarket, number: int) -> bytes:
    """What client `number` says: hello, and its lines."""
    chain = next(one for one in market.chains(416904) if one.trading_class == "SPXW")
    fridays = [day for day in chain.expiries if day.weekday() == 4]
    said = b"API\0" + frame(b"v157..176") + request(71, 2, number, "")
    for place in range(LINES):
        own = number if place % 3 == 0 else 0
        expiry = fridays[4 + (place + own) % 4]
        line = option("SPXW", expiry, 2600.0 + 5.0 * ((place + own) % 120), Right.PUT)
        fields = (line.con_id, "", "", "", "0.0", "", "", "SMART", "", "", "", "")
        said += request(1, 11, place + 1, *fields, 0, "", 0, 0, "")
    return said


async def crowded(clients: int) -> tuple[float, float]:
    """CPU seconds a step, and messages a step."""
    now = START
    market = StochasticMarket(1, START, 1.0)
    gateway = Gateway(Exchange(market, "DU0000000"), lambda: now)
    server = await asyncio.get_running_loop().create_server(lambda: GatewayProtocol(gateway), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, str(port), str(clients), stdin=asyncio.subprocess.PIPE
    )
    if reader.stdin is not None:
        for number in range(1, clients + 1):
            said = greeting(market, number)
            reader.stdin.write(len(said).to_bytes(4, "big") + said)
            await reader.stdin.drain()
        reader.stdin.close()
    async with asyncio.timeout(120):
        while len(gateway.clients) < clients or any(  # noqa: ASYNC110  no event tells
            len(session.quotes.watched(options=True)) < LINES // 2 for session in gateway.sessions.values()
        ):
            await asyncio.sleep(0.05)
    counts = [Count(session) for session in gateway.sessions.values()]
    began = time.process_time()
    for _ in range(STEPS):
        now += timedelta(seconds=1)
        gateway.step()
        await asyncio.sleep(0)
    spent = time.process_time() - began
    server.close()
    gateway.hang_up()
    await reader.wait()
    if min(one.messages for one in counts) == 0:
        raise AssertionError("a client got nothing")
    return spent / STEPS, sum(one.messages for one in counts) / STEPS


class Count:
    """How many quote messages a conversation has queued."""

    def __init__(self, session: Session) -> None:
        self.messages = 0
        self._session = session
        self._publish = session.quotes.publish
        session.quotes.publish = self._counted  # type: ignore[method-assign]  # a count of what a step queues

    def _counted(self, ticks: Mapping[int, Tick], options: bool, others: bool) -> None:
        self._publish(ticks, options, others)
        self.messages += len(self._session.peer.outgoing)


def main() -> int:
    """Print the cost of a step; 1 when it does not fit between two steps."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--clients", type=int, default=CLIENTS)
    clients = arguments.parse_args().clients
    step_s, messages = asyncio.run(crowded(clients))
    print(f"{clients} clients, {clients * LINES:,} lines: {1e3 * step_s:.1f} ms of CPU a step,"
          f" {messages:,.0f} messages a step, {messages / step_s:,.0f} a second of CPU")  # fmt: skip
    return 0 if step_s <= STEP_S_MAX else 1


if __name__ == "__main__":
    raise SystemExit(main())
