"""One journal, one scripted account, and the daemons that are started on them, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import VirtualClock
from bot.daemon import Daemon
from bot.engine.state import EngineState
from bot.journal.commit import commit_inline
from bot.journal.opening import open_journal
from bot.journal.writer import Journal, Record, read_records
from simulator.virtual import VirtualLoop, run
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Proposal, Structure
from tests.bot.engine.desk import ACCOUNT, SPX, opened
from tests.bot.engine.looking import INDEX, quoted, wish
from tests.bot.scripted_account import ScriptedAccount, SilentFeeds, Told, nobody
from tests.risk.book import condor

START = datetime(2020, 2, 3, 15, 30, tzinfo=UTC)  # 10:30 in New York
TEN_MINUTES = START + timedelta(minutes=10)
QUOTES = {SPX.con_id: INDEX, **quoted(condor())}
ROWS = tuple((con_id, quote.bid, quote.ask, quote.last) for con_id, quote in QUOTES.items())
LEGS = tuple(leg.contract for leg in condor().legs)


def wants_one_condor(
    snapshot: Any, state: Any, structures: tuple[Structure, ...], *rest: Any, wanted: Proposal | None = None
) -> Any:
    """Propose one condor for as long as none is held or ordered."""
    working = rest[2]
    is_wanted = not working and not any(structure.opened_legs for structure in structures)
    return state, Evaluation(proposals=(wanted or wish(),) if is_wanted else (), lines=LEGS)


def one_condor_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One strategy wants one condor, the other nothing."""
    monkeypatch.setattr(iron_condor, "evaluate", wants_one_condor)
    monkeypatch.setattr(
        vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, {"near_term": Evaluation()})
    )


@dataclass
class Desk:
    """One journal, one account, and the daemons that were started on them."""

    folder: Path
    start: datetime = START
    interval_s: float = 5.0
    told: Told = field(default_factory=Told)
    feeds: SilentFeeds = field(default_factory=SilentFeeds)
    account: ScriptedAccount | None = None
    fills: bool = True
    allowed: str = ACCOUNT
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # in place of shipped values

    def broker(self) -> ScriptedAccount:
        """The account, in its first state."""
        if self.account is None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            clock = VirtualClock(loop, self.start)
            self.account = ScriptedAccount(clock, self.folder, ROWS, self.allowed)
        self.account.fills = self.account.fills and self.fills
        return self.account

    def daemon(self, **options: Any) -> tuple[Daemon, Journal]:
        """A daemon on what the journal holds."""
        journal = open_journal(self.folder)
        broker = self.broker()
        number = journal.state.opened.start + 1 if journal.state.opened is not None else 1
        record = opened(number, self.allowed)
        rules = {
            name: {**section, **self.rules[name]} if name in self.rules else section
            for name, section in record.rules.items()
        }
        built = Daemon(
            replace(record, evaluation_interval_s=self.interval_s, rules=rules),
            journal,
            broker,
            broker.clock,
            self.feeds,
            options.pop("commit", commit_inline),
            self.told.observers(),
            **options,
        )
        return built, journal.journal

    async def trade(self, until: datetime, **options: Any) -> EngineState:
        """One clean run."""
        daemon, journal = self.daemon(**options)
        try:
            await daemon.run(until)
            journal.close(daemon.last_time)
        finally:
            journal.release()
        return daemon.state

    async def crash(self, after_s: float) -> None:
        """A run that dies in the middle of whatever it does; what was not committed is gone."""
        daemon, journal = self.daemon()
        running = asyncio.ensure_future(daemon.run())
        await asyncio.wait({running}, timeout=after_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        journal.release()
        broker = self.broker()
        broker.is_connected, broker.sink = False, nobody

    def broker_of_record(self) -> ScriptedAccount:
        """The account as the script left it."""
        assert self.account is not None
        return self.account

    def seconds_of(self, record: Record) -> float:
        """When a record was made, from the start."""
        return (datetime.fromisoformat(record.time) - self.start).total_seconds()

    def records(self, *kinds: str) -> list[Record]:
        """Records of these kinds."""
        return [record for record in read_records(self.folder) if record.kind in kinds]


def play(desk: Desk, script: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a script in virtual time."""
    return run(script(), desk.start)
