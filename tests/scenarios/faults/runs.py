"""Seeds lived through: one, many on several processes, a failing one made small, the same one twice."""

import gc
import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.clock import WallClock
from bot.journal.writer import read_head
from tests.scenarios.faults.house import FaultHouse
from tests.scenarios.faults.judge import Violation
from tests.scenarios.faults.machine import scratch_folder
from tests.scenarios.faults.plans import Plan, plan_of
from tests.scenarios.faults.scenes import scene

SESSION_S, HALF_DAY_S = 23_400.0, 13_500.0
KEPT_SEEDS = Path(__file__).parent.parent / "seeds.txt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one session came to. `head` and `wire` are the journal's and the line's digests."""

    plan: Plan
    violations: tuple[Violation, ...]
    fired: Counter[str]
    lives: int
    orders: int
    head: str
    wire: str
    wall_s: float
    process: int = 0  # that lived it, with its memory and open files afterwards
    resident_bytes: int = 0
    files: int = 0

    @property
    def session_s(self) -> float:
        """Seconds the market was open."""
        return HALF_DAY_S if self.plan.scene == "half day" else SESSION_S

    @property
    def command(self) -> str:
        """What runs exactly this session again."""
        numbers = ",".join(map(str, self.plan.numbers))
        whole = plan_of(self.plan.seed).numbers == self.plan.numbers
        return f"python -m tests.scenarios.faults {self.plan.seed}" + (
            "" if whole else f" --only {numbers or 0}"
        )


def live(plan: Plan, planted: AbstractContextManager[object] | None = None) -> Outcome:
    """One session in a folder of its own, with a bug `planted` for its length or without."""
    begin = scene(plan.scene)
    clock = WallClock()
    with TemporaryDirectory(dir=scratch_folder()) as folder:
        house = FaultHouse(plan, begin, Path(folder))
        before = clock.now()
        with planted if planted is not None else nullcontext():
            house.run()
        wall_s = (clock.now() - before).total_seconds()
        head = read_head(house.journal)
    return Outcome(
        plan,
        tuple(house.judge.violations),
        house.fired,
        house.lives,
        house.orders,
        head[1] if head is not None else "",
        house.wire,
        wall_s,
        os.getpid(),
        resident_bytes(),
        open_files(),
    )


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """Open files of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def live_many(plans: Iterable[Plan], processes: int) -> Iterator[Outcome]:
    """Sessions as they end. Scenes are made once, before the processes part."""
    plans = list(plans)
    for name in sorted({plan.scene for plan in plans}):
        scene(name)
    be_quiet()
    if processes < 2:
        yield from map(live, plans)
        return
    gc.collect()
    gc.freeze()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(live, plans, chunksize=4)


def shrink(outcome: Outcome) -> Outcome:
    """The same violation with as few mishaps as it takes."""
    wanted = {violation.invariant for violation in outcome.violations}
    found, smaller = outcome, True
    while smaller:
        smaller = False
        for number in found.plan.numbers:
            tried = live(found.plan.only(frozenset(found.plan.numbers) - {number}))
            if wanted & {violation.invariant for violation in tried.violations}:
                found, smaller = tried, True
                break
    return found


def kept_plans() -> list[Plan]:
    """Every session that once failed: `SEED` or `SEED NUMBERS` a line."""
    found = []
    for line in KEPT_SEEDS.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            plan = plan_of(int(words[0]))
            found.append(plan if len(words) == 1 else plan.only(frozenset(map(int, words[1].split(",")))))
    return found


def keep(outcome: Outcome) -> None:
    """Let a session that failed run in every check from now on."""
    line = outcome.command.removeprefix("python -m tests.scenarios.faults ").replace("--only ", "")
    if line not in KEPT_SEEDS.read_text(encoding="utf-8").splitlines():
        with KEPT_SEEDS.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def be_quiet() -> None:
    """The client library logs each lost line; here they are all meant."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)


def processors() -> int:
    """Processes that make sense here."""
    return len(os.sched_getaffinity(0))
