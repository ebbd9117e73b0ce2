"""A venue that lives on and a daemon that is killed beside it, in virtual time.

A kill is what the kernel does: the daemon's tasks end where they stand, what was not yet durable is gone, and
so is what its socket had not delivered. The next start finds the same folder and the same venue.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.control.simulation import CLIENT_ID, PORT
from bot.daemon import Daemon
from bot.engine.state import EngineState
from bot.feeds import PublishedFeeds, answered_by
from bot.journal.opening import open_journal, opening_record
from bot.journal.writer import Journal
from bot.port import Observers
from config.rules import Rules
from simulator.entitlements import Entitlements
from simulator.exchange import Exchange
from simulator.fault_injection import FaultInjector
from simulator.faults import Fault, FaultPlan
from simulator.floor import HouseRules
from simulator.gateway import Gateway
from simulator.model import Market
from simulator.pacing import drive
from simulator.publications import respond
from simulator.server import HOST, GatewayProtocol
from simulator.virtual import VirtualLoop, run
from tests.scenarios.proof import Venue, prove

ACCOUNT = "DU0000000"
AWAY_S = 3.0
QUIET = Observers(lambda *_: None, lambda *_: None, lambda *_: None)


class Point(StrEnum):
    """Where in a commit the process dies."""

    BEFORE_WRITE = "before the write"
    TORN = "in the middle of the write"
    BEFORE_WIRE = "after the write, before the wire"
    BEFORE_ACK = "after the wire, before the answer"


class KilledError(Exception):
    """The process is no more."""


@dataclass
class Killer:
    """Commits like the product in virtual time, and dies at the `at`-th commit of this life."""

    at: int | None = None
    point: Point = Point.BEFORE_WRITE
    count: int = 0
    die: Callable[[], None] = lambda: None
    after_s: float | None = None  # or dies so many seconds into this life

    async def commit(self, journal: Journal) -> None:
        """Make it durable, or do not."""
        self.count += 1
        if self.count != self.at:
            journal.commit()
            return
        if self.point is Point.TORN:
            self._tear(journal)
        elif self.point is not Point.BEFORE_WRITE:
            journal.commit()
        if self.point is not Point.BEFORE_ACK:
            raise KilledError
        # What is written in this turn arrives in the next one; the answer would arrive in the turn after it.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self.die)

    def _tear(self, journal: Journal) -> None:
        """Some of the bytes reach the disk, the promise about them does not."""
        runs = journal.take().runs
        data = b"".join(data for _, data in runs)
        left = random.Random(f"{self.at} {len(data)}").randrange(len(data)) if data else 0
        for path, part in runs:
            with path.open("ab") as segment:
                segment.write(part[:left])
            left = max(left - len(part), 0)


@dataclass
class VirtualHouse:
    """One market, one venue, one journal, and as many lives of the daemon as it takes."""

    journal: Path
    market: Market
    start: datetime
    rules: Rules
    interval_s: float = 5.0
    commit_interval: timedelta = timedelta(minutes=1)
    feeds: Mapping[str, str] = field(default_factory=dict)
    away_s: float = AWAY_S  # between two lives ...
    wakes: Sequence[datetime] = ()  # ... unless it is said when the next one begins
    killers: list[Killer] = field(default_factory=list)
    lives: int = 0
    entitlements: Entitlements | None = None
    faults: tuple[Fault, ...] = ()
    restart: time | None = None  # when the gateway restarts by itself, New York time
    house_rules: HouseRules | None = None

    def run(self, ends: Sequence[Killer | datetime], until: datetime) -> tuple[EngineState, Venue]:
        """One life for each of `ends`, a kill or the market time of a clean stop, then a last one.

        Returns the state the journal folds to, and the venue, between which every invariant holds.
        """
        return run(self._run(ends, until), self.start)

    async def _run(self, ends: Sequence[Killer | datetime], until: datetime) -> tuple[EngineState, Venue]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop, self.start)
        exchange = Exchange(self.market, ACCOUNT, rules=self.house_rules)
        gateway = Gateway(exchange, clock.now, self.entitlements)
        if self.faults or self.restart is not None:
            gateway.edge = injector = FaultInjector(gateway, FaultPlan(self.faults))
            if self.restart is not None:
                injector.restart_nightly(self.restart)
        server = await loop.create_server(lambda: GatewayProtocol(gateway), HOST, PORT)
        driving = loop.create_task(drive(gateway, timedelta(seconds=self.interval_s), clock.sleep_until))
        for number, end in enumerate([*ends, until]):
            killer = end if isinstance(end, Killer) else Killer()
            self.killers.append(killer)
            if await self._live(clock, killer, end if isinstance(end, datetime) else until) and end == until:
                break
            if number < len(self.wakes):
                await clock.sleep_until(self.wakes[number])
            else:
                await asyncio.sleep(self.away_s)
        driving.cancel()
        server.close()
        venue = Venue.of_state(exchange._state())
        return prove(self.journal, venue), venue

    async def _live(self, clock: VirtualClock, killer: Killer, until: datetime) -> bool:
        """One life of the daemon; whether it ended by itself."""
        self.lives += 1
        opened = open_journal(self.journal)
        broker = IbBroker(host=HOST, port=PORT, client_id=CLIENT_ID, account=ACCOUNT, clock=clock)
        feeds = PublishedFeeds(answered_by(lambda path: respond(self.market, path)), self.feeds, clock)
        record = opening_record("test", ACCOUNT, self.rules, opened.state, self.interval_s, None)
        daemon = Daemon(
            record,
            opened,
            broker,
            clock,
            feeds,
            killer.commit,
            QUIET,
            commit_interval=self.commit_interval,
            unclean_starts_max=1000,
        )
        life = asyncio.get_running_loop().create_task(daemon.run(until))

        def die() -> None:
            _cut(broker)
            life.cancel()

        killer.die = die
        if killer.after_s is not None:
            asyncio.get_running_loop().call_later(killer.after_s, die)
        await asyncio.wait({life})
        if not life.cancelled() and life.exception() is None:
            opened.journal.close(clock.now())
            return True
        if not life.cancelled():
            _only_killed(life.exception())
        _cut(broker)
        opened.journal.release()
        return False


def _cut(broker: IbBroker) -> None:
    """The kernel closes the socket; what was not delivered is lost."""
    session = broker._session
    if session is not None and session.client.conn.transport is not None:
        session.client.conn.transport.abort()


def _only_killed(error: BaseException | None) -> None:
    rest = error.split(KilledError)[1] if isinstance(error, BaseExceptionGroup) else error
    if rest is not None and not isinstance(rest, KilledError):
        raise rest
