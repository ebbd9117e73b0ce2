"""One simulated trading day on whichever client library is installed, as a function and as a program."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from bot.control.simulation import Outcome, Simulation, simulate
from bot.port import Observers
from config.loader import load_rules
from config.settings import SHIPPED_RULES
from simulator.stochastic import StochasticMarket

SEED = 4
START = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
END = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
INTERVAL_S = 30.0
ACCOUNT = "DU0000000"


def trade(journal: Path) -> Outcome:
    """Trade the day into a new journal."""
    simulation = Simulation(
        market=StochasticMarket(SEED, START, INTERVAL_S),
        start=START,
        end=END,
        interval_s=INTERVAL_S,
        mode="simulated",
        account=ACCOUNT,
        rules=load_rules(SHIPPED_RULES),
        seed=SEED,
        journal=journal,
    )
    return simulate(simulation, Observers(lambda *_: None, lambda *_: None, lambda *_: None))


if __name__ == "__main__":
    trade(Path(sys.argv[1]))
