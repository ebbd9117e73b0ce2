"""Eight scenarios, each killed at every boundary between the daemon and its disk, at four points of it.

Every invariant is judged on the wire and in the venue's books. By default one boundary of each point is taken
in turn; ALVH_CRASH_STRIDE=1 takes them all and prints how many there are.
"""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from simulator.faults import Fault, FaultKind
from tests.scenarios.faults.house import FaultHouse
from tests.scenarios.faults.plans import Mishap, Trouble
from tests.scenarios.faults.planted import at_order, session, trouble
from tests.scenarios.faults.runs import be_quiet
from tests.scenarios.faults.scenes import scene
from tests.scenarios.virtual_house import Killer, Point

EVERY = os.environ.get("ALVH_CRASH_STRIDE") == "1"
CUT = Fault(FaultKind.PARTIAL, units=1)
LOST = Fault(FaultKind.CONNECTIVITY, for_s=90.0, data_kept=False, tell_missed=False)
#: Name -> mishaps, share of the half spread at which limits end, scene, minutes.
SCENARIOS: dict[str, tuple[tuple[Mishap, ...], float, str, int]] = {
    "opened and closed": ((), 1.0, "half day", 30),
    "walked and given up": ((), 0.85, "half day", 20),
    "filled in parts": (tuple(at_order(n, CUT) for n in (1, 2, 3)), 1.0, "half day", 30),
    "rejected": ((at_order(1, Fault(FaultKind.REJECT)),), 1.0, "half day", 30),
    "corrected": ((at_order(1, Fault(FaultKind.CORRECT, points=0.05), 200.0),), 1.0, "half day", 30),
    "line lost and data forgotten": ((at_order(1, LOST, 1.0),), 1.0, "half day", 30),
    "halted and resumed": ((trouble(Trouble.HALT, 1.0, 1, for_s=120.0),), 0.85, "half day", 25),
    "hedge bought": ((), 1.0, "shock", 45),
}


def lived(folder: Path, name: str, kill: Killer | None) -> FaultHouse:
    mishaps, final, story, minutes = SCENARIOS[name]
    begin = scene(story)
    end = begin.start + timedelta(minutes=minutes)
    house = FaultHouse(session(*mishaps, scene=story, final=final), replace(begin, end=end), folder, kill)
    house.run()
    return house


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_boundary_of_a_scenario_violates_nothing(tmp_path: Path, name: str) -> None:
    be_quiet()
    whole = Killer()
    assert lived(tmp_path / "whole", name, whole).orders, "nothing is ordered in this scenario"
    place = list(SCENARIOS).index(name)
    points = list(Point) if EVERY else [list(Point)[place % len(Point)]]
    struck = 0
    for point in points:
        last = whole.count - (point is Point.BEFORE_ACK)  # behind the very last there is nothing to cut off
        for at in range(1, last + 1) if EVERY else (1 + place % last,):
            house = lived(tmp_path / f"{point.name} {at}", name, Killer(at, point))
            assert not house.judge.violations, f"{point.value} {at}: {house.judge.violations[0]}"
            assert house.lives == 2, f"no crash at commit {at}, {point.value}"
            struck += 1
    print(f"{name}: {whole.count} commits, {struck} crashes")  # noqa: T201 -- a figure
