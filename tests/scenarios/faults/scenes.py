"""Where fault sessions begin: a market, an account and a journal that are warm already.

A scene is lived through once, by the product itself, up to a clean stop shortly before the open. Every seed
continues from a copy of it, so that no session pays for five years of history again.
"""

import asyncio
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.control.simulation import CLIENT_ID, PORT
from bot.control.stand_ins import stand_ins
from bot.daemon import Daemon
from bot.engine.state import EngineState
from bot.feeds import PublishedFeeds, answered_by
from bot.journal.checkpoint import recover
from bot.journal.commit import commit_inline
from bot.journal.opening import open_journal, opening_record
from bot.port import Observers
from config.rules import Rules
from market.sessions import MARKET_TZ
from simulator.days import SessionDay
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.pacing import drive
from simulator.publications import respond
from simulator.server import HOST, GatewayProtocol
from simulator.stochastic import StochasticMarket
from simulator.virtual import VirtualLoop, run
from tests.scenarios.faults.machine import scratch_folder
from tests.scenarios.quick_rules import quick_rules

ACCOUNT = "DU0000000"
INTERVAL_S = 60.0
SCENE_INTERVAL_S = 600.0  # what leads to a scene is only looked at now and then
COMMITS = timedelta(minutes=10)
QUIET = Observers(lambda *_: None, lambda *_: None, lambda *_: None)


@dataclass(frozen=True, slots=True)
class Story:
    """How a scene comes about, in New York time."""

    market_seed: int
    scenario: str
    opened: datetime
    stopped: datetime
    ends: datetime


def _at(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=MARKET_TZ).astimezone(UTC)


STORIES: Mapping[str, Story] = {
    "calm": Story(1, "calm", _at(2026, 3, 2, 8, 50), _at(2026, 3, 2, 9, 27), _at(2026, 3, 2, 17, 5)),
    # Selling begins in the second session; the first layer fires behind the third and buys on this morning.
    "shock": Story(7, "shock", _at(2026, 3, 2, 8, 50), _at(2026, 3, 5, 9, 27), _at(2026, 3, 5, 17, 5)),
    "half day": Story(
        5, "random", _at(2026, 11, 27, 8, 50), _at(2026, 11, 27, 9, 27), _at(2026, 11, 27, 17, 5)
    ),
    # The night in which New York leaves out an hour, and the session behind it.
    "spring forward": Story(
        3, "calm", _at(2026, 3, 6, 16, 10), _at(2026, 3, 8, 1, 30), _at(2026, 3, 9, 17, 5)
    ),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A place to start from. `venue` is the pickled exchange with its market but without the market's `days`,
    which are frozen and shared by every venue that is laid out; `files` are the journal's.
    """

    name: str
    start: datetime
    end: datetime
    venue: bytes
    days: Sequence[SessionDay]
    files: Mapping[str, bytes]
    seq: int
    state: EngineState

    def lay_out(self, folder: Path) -> Exchange:
        """Write the journal to `folder` and return a venue of one's own."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        unpickler = pickle.Unpickler(BytesIO(self.venue))
        unpickler.persistent_load = self.days.__getitem__  # type: ignore[method-assign]  # as its manual says
        venue: Exchange = unpickler.load()
        return venue


class _Pickler(pickle.Pickler):
    """Leaves the days of a market's history out, five years of them, and keeps them beside."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self.days: list[SessionDay] = []

    def persistent_id(self, obj: object) -> int | None:
        """The place of a day among those left out; None for everything else."""
        if not isinstance(obj, SessionDay):
            return None
        self.days.append(obj)
        return len(self.days) - 1


@cache
def rules_with(walk_s: int, final: float) -> Rules:
    """Rules under which a session trades often."""
    with TemporaryDirectory() as folder:
        return quick_rules(Path(folder), walk_s, final)


@cache
def scene(name: str) -> Scene:
    """The scene, lived through at the first call."""
    story = STORIES[name]
    with TemporaryDirectory(dir=scratch_folder()) as folder:
        journal = Path(folder) / "journal"
        venue = run(_live(story, journal), story.opened)
        files = {
            str(path.relative_to(journal)): path.read_bytes() for path in journal.rglob("*") if path.is_file()
        }
        opened = open_journal(journal)
        seq = opened.journal.count
        opened.journal.release()
        file = BytesIO()
        pickler = _Pickler(file)
        pickler.dump(venue)
        return Scene(
            name, story.stopped, story.ends, file.getvalue(), pickler.days, files, seq, recover(journal)
        )


async def _live(story: Story, journal: Path) -> Exchange:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, story.opened)
    market = StochasticMarket(story.market_seed, story.opened, INTERVAL_S, story.scenario)
    exchange = Exchange(market, ACCOUNT)
    gateway = Gateway(exchange, clock.now)
    server = await loop.create_server(lambda: GatewayProtocol(gateway), HOST, PORT)
    driving = loop.create_task(drive(gateway, timedelta(seconds=SCENE_INTERVAL_S), clock.sleep_until))
    opened = open_journal(journal)
    broker = IbBroker(host=HOST, port=PORT, client_id=CLIENT_ID, account=ACCOUNT, clock=clock)
    feeds = PublishedFeeds(
        answered_by(lambda path: respond(market, path)), stand_ins("http://localhost"), clock
    )
    record = opening_record("test", ACCOUNT, rules_with(30, 0.95), opened.state, SCENE_INTERVAL_S, None)
    daemon = Daemon(record, opened, broker, clock, feeds, commit_inline, QUIET, commit_interval=COMMITS)
    await daemon.run(story.stopped)
    opened.journal.close(clock.now())
    driving.cancel()
    server.close()
    return exchange
