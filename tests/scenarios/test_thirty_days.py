"""Days on end with nightly restarts of the gateway: nothing is violated, memory and files stay as they are.

By default two days; ALVH_DAYS=30 lives through thirty, with weekends and a change of clocks.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from market.sessions import MARKET_TZ
from simulator.faults import Fault, FaultKind
from tests.scenarios.faults.house import FaultHouse
from tests.scenarios.faults.plans import Mishap
from tests.scenarios.faults.planted import session
from tests.scenarios.faults.runs import be_quiet, open_files, resident_bytes
from tests.scenarios.faults.scenes import scene

DAYS = int(os.environ.get("ALVH_DAYS", "2"))
WARM_DAYS = 7  # until everything that is kept for days is there
GROWTH_MAX = 0.05


class Resets:
    """The gateway's restart at a quarter to midnight, each night of New York."""

    def __init__(self, start: datetime, days: int) -> None:
        first = start.astimezone(MARKET_TZ).date()
        nights = [datetime.combine(first, datetime.min.time(), MARKET_TZ) + timedelta(n) for n in range(days)]
        self.after_s = [
            (night.replace(hour=23, minute=45).astimezone(UTC) - start).total_seconds() for night in nights
        ]


def test_thirty_days_with_resets_weekends_and_a_change_of_clocks_keep_memory_and_files(
    tmp_path: Path,
) -> None:
    be_quiet()
    begin = scene("calm")
    restart = Fault(FaultKind.RESTART, for_s=60.0, roll_back=4)
    nights = Resets(begin.start, DAYS).after_s
    plan = session(*(Mishap("restart", after_s, 0, restart) for after_s in nights), scene="calm", final=0.95)
    house = FaultHouse(plan, replace(begin, end=begin.start + timedelta(days=DAYS, hours=8)), tmp_path)
    samples: list[tuple[int, int]] = []
    strike = house._strike

    def struck(mishap: Mishap) -> None:
        samples.append((resident_bytes(), open_files()))
        strike(mishap)

    house._strike = struck  # type: ignore[method-assign]  # once a night
    house.run()
    assert not house.judge.violations, house.judge.violations[0]
    assert house.fired["restart"] == DAYS
    assert len({files for _, files in samples}) == 1
    print(f"{DAYS} days: {samples[-1][1]} files open all along")  # noqa: T201 -- a figure
    if len(samples) > WARM_DAYS:
        warm, last = samples[WARM_DAYS][0], samples[-1][0]
        print(f"{DAYS} days: {warm / 1e6:.1f} MB after a week, {last / 1e6:.1f} MB at the end")  # noqa: T201 -- a figure
        assert last <= warm * (1.0 + GROWTH_MAX)
