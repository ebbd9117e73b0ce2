"""One session traded in virtual time, recorded once for all tests that fold real events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from bot.control.simulation import Simulation, simulate
from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import TimedEvent
from bot.journal.records import event_of
from bot.journal.writer import read_records
from bot.port import Observers
from config.loader import load_rules
from config.settings import SHIPPED_RULES
from market.sessions import option_close, regular_hours
from simulator.stochastic import StochasticMarket
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation
from tests.bot.engine.desk import ACCOUNT


@dataclass(frozen=True)
class Recorded:
    """Events of a real run, the state before each (and after the last), and what each step did."""

    events: Sequence[TimedEvent]
    states: Sequence[EngineState]
    steps: Sequence[Step]


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Monday 2026-03-02 at one look a minute: a condor is opened, priced again and filled."""
    folder = tmp_path_factory.mktemp("recorded") / "journal"
    session = date(2026, 3, 2)
    start = regular_hours(session)[0] - timedelta(minutes=40)
    simulate(
        Simulation(
            market=StochasticMarket(7, start, 60.0),
            start=start,
            end=option_close(session) + timedelta(minutes=50),
            interval_s=60.0,
            mode="demo",
            account=ACCOUNT,
            rules=load_rules(SHIPPED_RULES),
            seed=7,
            journal=folder,
        ),
        Observers(lambda *_: None, lambda *_: None, lambda *_: None),
    )
    events = [timed for record in read_records(folder) if (timed := event_of(record)) is not None]
    states, steps = [EngineState()], []
    for timed in events:
        steps.append(step(states[-1], timed))
        states.append(steps[-1].state)
    return Recorded(events, states, steps)


@pytest.fixture
def strategies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Evaluation]:
    """What the two strategies answer; tests put their evaluations in."""
    answers = {"iron_condor": Evaluation(), "near_term": Evaluation()}
    monkeypatch.setattr(
        iron_condor, "evaluate", lambda snapshot, state, *rest: (state, answers["iron_condor"])
    )
    monkeypatch.setattr(
        vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, {"near_term": answers["near_term"]})
    )
    return answers
