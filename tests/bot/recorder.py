"""A journal of a short made-up session, written in the daemon's order: event, decisions, commands."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from bot.engine.state import EngineState
from bot.engine.step import step
from bot.events import (
    AccountTaken,
    Connected,
    ContractsNamed,
    Disconnected,
    Event,
    Feed,
    Job,
    JobDue,
    ObservationsKnown,
    Opened,
    OperatorCommanded,
    QuotesTaken,
    Reconciled,
    Stopping,
    TimedEvent,
)
from bot.journal.checkpoint import Checkpoints
from bot.journal.codec import canonical
from bot.journal.writer import Journal
from config.loader import load_rules
from config.release_calendar import shipped_calendar
from config.settings import SHIPPED_RULES
from market.contract import Contract, SecurityType
from market.expiries import vix_final_settlement
from market.series import Observation
from market.sessions import previous_session

SESSION = date(2020, 2, 27)
START = datetime(2020, 2, 27, 14, 0, tzinfo=UTC)  # 09:00 in New York
ACCOUNT = "DU1234567"


class Recorder:
    """Writes what the daemon would, without a broker."""

    def __init__(self, folder: Path, state: EngineState | None = None) -> None:
        self.folder = folder
        self.journal, self.note = Journal.open(folder)
        self.state = state if state is not None else EngineState()

    def take(self, time: datetime, event: Event) -> None:
        """One event through the flow."""
        self.journal.append(time, type(event).__name__, event)
        done = step(self.state, TimedEvent(time, event))
        self.state = done.state
        for decision in done.decisions:
            self.journal.append(time, "Decision", decision)
        for command in done.commands:
            self.journal.append(time, type(command).__name__, command)
        self.journal.commit()

    def checkpoint(self, time: datetime) -> None:
        """Promise the state's digest and keep the state."""
        data = canonical(self.state)
        self.journal.append(time, "Checkpointed", {"sha256": sha256(data).hexdigest()})
        self.journal.commit()
        Checkpoints(self.folder / "checkpoints").save(self.journal.count, self.journal.head, data)


def opened(start: int = 1) -> Opened:
    """The first record under the shipped rules."""
    rules = load_rules(SHIPPED_RULES)
    return Opened(
        schema=1,
        mode="simulated",
        account=ACCOUNT,
        start=start,
        product="alvh test",
        packages=(("orjson", "3"),),
        rules=rules.model_dump(mode="json"),
        rules_hash=rules.rules_hash(),
        seed=7,
        calendar=shipped_calendar(),
    )


def contracts() -> tuple[Contract, ...]:
    """Indexes and the two front VX futures."""
    indexes = [
        Contract(SecurityType.INDEX, name, exchange="CBOE", con_id=number)
        for number, name in enumerate(("SPX", "VIX", "VVIX", "AD-NYSE"), start=1)
    ]
    futures = [
        Contract(
            SecurityType.FUTURE,
            "VIX",
            "VX",
            vix_final_settlement(2020, month),
            multiplier=1000,
            con_id=10 + month,
        )
        for month in (3, 4)
    ]
    return (*indexes, *futures)


def breadth(days: int, last: date = SESSION) -> ObservationsKnown:
    """Net advances of the `days` sessions before `last`, mostly falling."""
    observations: list[Observation] = []
    day = last
    for number in range(days):
        day = previous_session(day)
        known = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
        observations.append(Observation(known, day, float(-1500 + 37 * (number % 11)), source="test"))
    return ObservationsKnown("nyse_net_advances", tuple(reversed(observations)))


def settlements(last: date = SESSION) -> tuple[ObservationsKnown, ...]:
    """An inverted front of the curve on the session before `last`."""
    day = previous_session(last)
    known = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
    return tuple(
        ObservationsKnown(
            f"vx_settlement:{contract.expiry}", (Observation(known, day, price, source="test"),)
        )
        for contract, price in zip(contracts()[4:], (30.0, 26.0), strict=True)
    )


def morning(start: int = 1) -> Iterable[tuple[timedelta, Event]]:
    """From the start to a reconciled book."""
    yield timedelta(0), opened(start)
    yield timedelta(seconds=1), Connected(ACCOUNT, start)
    yield timedelta(seconds=2), ContractsNamed(contracts())
    yield timedelta(seconds=3), Reconciled((), (), ())
    yield timedelta(seconds=4), AccountTaken(1e6, 1e6, 0.0, 0.0)


def session(snapshots: int = 30) -> Iterable[tuple[timedelta, Event]]:
    """Signals before the open, a session of snapshots, a halt by a person and a lost link."""
    yield timedelta(minutes=5), breadth(130)
    for known in settlements():
        yield timedelta(minutes=6), known
    yield timedelta(minutes=10), JobDue(Job.SETTLEMENT_FINAL, SESSION)
    yield timedelta(minutes=30), JobDue(Job.SESSION_OPEN, SESSION)
    for number in range(snapshots):
        rows = ((1, None, None, 2980.0 - number), (2, None, None, 39.0), (13, 33.0, 33.2, 33.1))
        yield timedelta(minutes=31, seconds=60 * number), QuotesTaken(rows, (Feed.INDEX, Feed.FUTURE))
    yield timedelta(minutes=70), OperatorCommanded("halt", "a person", "a test [of] words")
    yield timedelta(minutes=80), Disconnected("the link died")


def record_session(folder: Path, snapshots: int = 30) -> Recorder:
    """A whole session, left open."""
    recorder = Recorder(folder)
    for after, event in (*morning(), *session(snapshots)):
        recorder.take(START + after, event)
    return recorder


def record_two_starts(folder: Path) -> Path:
    """A session that ends in a crash behind a checkpoint, and a second start that is stopped cleanly."""
    first = record_session(folder)
    first.checkpoint(START + timedelta(minutes=81))
    first.take(START + timedelta(minutes=82), AccountTaken(9.9e5, 9.9e5, 0.0, 0.0))
    first.journal.release()
    second = Recorder(folder, first.state)
    begin = timedelta(minutes=90)
    for after, event in morning(start=2):
        second.take(START + begin + after, event)
    second.checkpoint(START + begin + timedelta(minutes=1))
    second.take(START + begin + timedelta(minutes=2), Stopping("the test is over"))
    second.journal.close(START + begin + timedelta(minutes=3))
    return folder
