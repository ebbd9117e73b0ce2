"""Whole sessions of the product in virtual time, as material for the other benchmarks.

What is measured elsewhere is measured on what really happened: daemon, client library and embedded gateway
ran, and the journal they left is folded again to the moment of interest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from bot.control.simulation import Outcome, Simulation, simulate
from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import TimedEvent
from bot.journal.records import event_of
from bot.journal.writer import read_records
from bot.port import Observers
from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES
from market.sessions import option_close, regular_hours, session_offset
from simulator.stochastic import StochasticMarket

ACCOUNT = "DU0000000"
FIRST_SESSION = date(2026, 3, 2)
SEED = 7
BEFORE_OPEN, AFTER_CLOSE = timedelta(minutes=40), timedelta(minutes=50)


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a run: the state before it and what it did."""

    before: EngineState
    event: TimedEvent
    done: Step


def shipped_rules() -> Rules:
    """The rules as they are shipped."""
    return load_rules(SHIPPED_RULES)


def many_condors() -> Rules:
    """The shipped rules, with a condor each session instead of each week, whatever delta that adds up to."""
    rules = shipped_rules()
    return rules.model_copy(
        update={
            "condor": rules.condor.model_copy(update={"entries_per_week_max": 5}),
            "risk": rules.risk.model_copy(
                update={"condors_per_expiry_max": 5, "beta_delta_max_fraction": 1.0}
            ),
        }
    )


def run_sessions(
    folder: Path,
    days: int,
    interval_s: float,
    rules: Rules | None = None,
    first: date = FIRST_SESSION,
    scenario: str = "calm",
    stop_before_close: timedelta = -AFTER_CLOSE,
) -> Outcome:
    """Trade `days` sessions in virtual time and leave the journal in `folder`."""
    start: datetime = regular_hours(first)[0] - BEFORE_OPEN
    market = StochasticMarket(SEED, start, interval_s, scenario)
    simulation = Simulation(
        market=market,
        start=start,
        end=option_close(session_offset(first, days - 1)) - stop_before_close,
        interval_s=interval_s,
        mode="benchmark",
        account=ACCOUNT,
        rules=rules or shipped_rules(),
        seed=SEED,
        journal=folder,
    )
    return simulate(simulation, Observers(_nothing, _nothing, _nothing))


def moments(folder: Path) -> Iterator[Moment]:
    """Fold a journal and hand out every event on the way."""
    state = EngineState()
    for record in read_records(folder):
        timed = event_of(record)
        if timed is not None:
            done = step(state, timed)
            yield Moment(state, timed, done)
            state = done.state


def _nothing(*_: object) -> None:
    return None
