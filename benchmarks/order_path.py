"""From a snapshot to the order on the wire, with the durable write between: the whole path of a decision.

The snapshot is the one that opened a condor in a session traded in virtual time. In each round the daemon
takes it anew: it is journaled, the engine chooses strikes, prices, sizes and reviews, the decision and its
order are made durable (fdatasync on the folder's disk, on the writer thread), and the client library writes
the order to a loopback socket. The clock stops when its bytes arrive at the gateway. The peer is the client
library alone: `placeOrder` of the same four legs on a connection of its own, without decision, journal or
checks; it shows what the socket costs. Run `python -m benchmarks.order_path [--json] [--folder DIR]`.
"""

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import ib_async

from benchmarks.engine import opening
from benchmarks.sessions import ACCOUNT, BEFORE_OPEN, FIRST_SESSION, SEED, Moment, moments, run_sessions
from bot.broker.adapter import IbBroker
from bot.clock import WallClock
from bot.daemon import Daemon
from bot.events import Opened, PlaceOrder, QuotesTaken
from bot.feeds import PublishedFeeds, over_http
from bot.journal.commit import WriterThread
from bot.journal.opening import open_journal
from bot.journal.writer import Journal
from bot.port import Observers
from market.contract import Combo
from market.sessions import regular_hours
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.server import HOST, GatewayProtocol
from simulator.stochastic import StochasticMarket

ROUNDS = 200
INTERVAL_S = 60.0
PAUSE_S = 0.06  # below the broker's limit of messages a second, so that nothing waits for its turn
PLACE_ORDER = b"3\0"


@dataclass(frozen=True, slots=True)
class Row:
    """One stretch of the path, in milliseconds."""

    name: str
    median_ms: float
    p99_ms: float


class SessionClock:
    """Market time that runs at the speed of the wall from a moment of the recorded session on."""

    def __init__(self, start: datetime) -> None:
        self._wall = WallClock()
        self._shift = start - self._wall.now()

    def now(self) -> datetime:
        """Market time."""
        return self._wall.now() + self._shift

    async def sleep_until(self, time: datetime) -> None:
        """Wait as the wall clock does."""
        await self._wall.sleep_until(time - self._shift)


class Arrivals:
    """When the next order reaches the gateway's socket."""

    def __init__(self) -> None:
        self._next: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def expect(self) -> asyncio.Future[float]:
        """A new wait."""
        self._next = asyncio.get_running_loop().create_future()
        return self._next

    def saw(self, data: bytes) -> None:
        """Bytes that came in."""
        if data[4:6] == PLACE_ORDER and not self._next.done():
            self._next.set_result(time.perf_counter())


class StampedProtocol(GatewayProtocol):
    """The gateway's own end of a connection, which stamps orders before it reads them."""

    def __init__(self, gateway: Gateway, arrivals: Arrivals) -> None:
        super().__init__(gateway)
        self._arrivals = arrivals

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._arrivals.saw(data)
        super().data_received(data)


class TimedWriter:
    """The daemon's writer thread, with a note of what each durable write took."""

    def __init__(self) -> None:
        self.writer = WriterThread()
        self.seconds: list[float] = []

    async def commit(self, journal: Journal) -> None:
        """Make everything appended durable."""
        began = time.perf_counter()
        await self.writer.commit(journal)
        self.seconds.append(time.perf_counter() - began)


def recorded() -> tuple[Moment, Opened]:
    """The look that opened a condor in a session traded in virtual time, and the session's first record."""
    with tempfile.TemporaryDirectory() as scratch:
        run_sessions(Path(scratch) / "journal", 1, INTERVAL_S)
        moment = opening(list(moments(Path(scratch) / "journal")))
    if moment.before.opened is None:
        raise SystemExit("the recorded session has no first record")
    return moment, moment.before.opened


async def measure(rounds: int, folder: Path, moment: Moment, first: Opened) -> list[Row]:
    """Daemon and bare client, in turns."""
    clock = SessionClock(moment.event.time)
    market = StochasticMarket(SEED, regular_hours(FIRST_SESSION)[0] - BEFORE_OPEN, INTERVAL_S)
    gateway = Gateway(Exchange(market, ACCOUNT), clock.now)
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(
        lambda: StampedProtocol(gateway, arrivals), HOST, 0
    )
    port = server.sockets[0].getsockname()[1]
    broker = IbBroker(host=HOST, port=port, client_id=1, account=ACCOUNT, clock=clock)
    timed = TimedWriter()
    daemon = Daemon(
        first,
        open_journal(folder / "journal"),
        broker,
        clock,
        PublishedFeeds(over_http(1.0), {}, clock),
        timed.commit,
        Observers(_nothing, _nothing, _nothing),
    )
    await broker.connect()
    bare = ib_async.IB()
    await bare.connectAsync(HOST, port, clientId=2)
    bag = bagged(_placed(moment).combo)
    whole, plain = [], []
    for number in range(rounds + 5):
        whole.append(await decided(daemon, moment, clock, arrivals, number))
        await asyncio.sleep(PAUSE_S)
        arrival, began = arrivals.expect(), time.perf_counter()
        bare.placeOrder(bag, ib_async.LimitOrder("BUY", 1, -5.0, account=ACCOUNT))
        plain.append(await asyncio.wait_for(arrival, 5.0) - began)
        await asyncio.sleep(PAUSE_S)
    bare.disconnect()
    await broker.disconnect()
    server.close()
    timed.writer.close()
    return [
        row("snapshot to wire", whole[5:]),
        row("durable write", timed.seconds[5:]),
        row("ib_async alone", plain[5:]),
    ]


async def decided(
    daemon: Daemon, moment: Moment, clock: SessionClock, arrivals: Arrivals, number: int
) -> float:
    """Seconds from the snapshot to the order's arrival; each time from the state of the recorded moment."""
    now = clock.now()
    state = moment.before
    daemon.state = replace(
        state,
        alive=dict.fromkeys(state.alive, now),
        feeds_asked=dict.fromkeys(state.feeds_asked, now),
        account_time=now,
        decisions=1000 + number,  # each order has a reference of its own
        look_due=True,
    )
    event = moment.event.event
    if not isinstance(event, QuotesTaken):
        raise SystemExit("the recorded moment is no snapshot")
    arrival, began = arrivals.expect(), time.perf_counter()
    await daemon._take(event)
    return await asyncio.wait_for(arrival, 5.0) - began


def bagged(combo: Combo) -> ib_async.Bag:
    """The combo as a script would write it."""
    legs = [
        ib_async.ComboLeg(leg.contract.con_id, leg.ratio, leg.action.value, "SMART") for leg in combo.legs
    ]
    return ib_async.Bag(symbol="SPX", exchange="SMART", currency="USD", comboLegs=legs)  # type: ignore[no-untyped-call]  # the library types no constructor


def _placed(moment: Moment) -> PlaceOrder:
    return next(command for command in moment.done.commands if isinstance(command, PlaceOrder))


def row(name: str, seconds: list[float]) -> Row:
    """Median and 99th percentile."""
    return Row(
        name,
        round(1e3 * statistics.median(seconds), 3),
        round(1e3 * statistics.quantiles(seconds, n=100)[-1], 3),
    )


def main() -> None:
    """Print the figures, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="milliseconds from a snapshot to the order on the wire")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each (default {ROUNDS})")
    parser.add_argument("--folder", type=Path, default=None, help="folder on the disk to measure")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir=chosen.folder or Path.cwd()) as scratch:
        rows = asyncio.run(measure(chosen.rounds, Path(scratch), *recorded()))
    ratio = round(rows[0].median_ms / rows[2].median_ms, 2)
    if chosen.json:
        print(json.dumps({"rounds": chosen.rounds, "rows": [asdict(each) for each in rows], "ratio": ratio}))
        return
    print(f"milliseconds, {chosen.rounds} rounds in turns over loopback TCP")
    for each in rows:
        print(f"{each.name:<20} median {each.median_ms:8.3f}   p99 {each.p99_ms:8.3f}")
    print(f"whole path / ib_async alone: {ratio:.2f}")


def _nothing(*_: object) -> None:
    return None


if __name__ == "__main__":
    main()
