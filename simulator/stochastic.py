"""A market drawn from a seed: the demo's world, and the tests'.

The sessions come from `simulator/generator.py`; everything else (paths, quotes, listing, releases) is the
machinery that real history runs on as well.
"""

from datetime import UTC, date, datetime

from market.sessions import MARKET_TZ, next_session, option_close, session_on_or_after
from simulator.generator import GeneratedDays, Scenario
from simulator.path_market import PathMarket


class StochasticMarket(PathMarket):
    """The market of a seed. Equal arguments give equal ticks at equal times, whatever the steps between."""

    def __init__(
        self,
        seed: int,
        start: datetime,
        step_s: float = 10.0,
        scenario: str = "calm",
        spx_level: float = 3000.0,
        sparse_chains: bool = False,
    ) -> None:
        """Open at `start` (aware) after more than five years of generated history.

        `step_s`: grain of the paths, seconds. `scenario`: 'calm', 'shock' (selling begins in the second
        session whose close lies after `start`) or 'random'. `spx_level`: close of the index before the first
        live session. Raises ValueError on a naive start, an unknown scenario, or a start outside the
        calendar.
        """
        if start.tzinfo is None:
            raise ValueError(f"{start} needs a time zone")
        source = GeneratedDays(seed, _first_live(start), Scenario(scenario), spx_level)
        super().__init__(source, start, step_s, sparse_chains)


def _first_live(start: datetime) -> date:
    """The first session that has not ended at `start`."""
    day = session_on_or_after(start.astimezone(MARKET_TZ).date())
    return day if option_close(day).astimezone(UTC) > start.astimezone(UTC) else next_session(day)
