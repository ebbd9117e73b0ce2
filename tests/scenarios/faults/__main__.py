"""`python -m tests.scenarios.faults SEED`: what strikes in this session, and whether everything held.

`--seeds N` runs N of them and prints how often each fault fired; `--digests` prints the digests of journal
and line, for a comparison between processes. A session that fails is made small, its command is printed,
and it is kept among those that every check runs.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

from tests.scenarios.faults.page import FIRED
from tests.scenarios.faults.plans import KINDS, plan_of
from tests.scenarios.faults.runs import (
    KEPT_SEEDS,
    Outcome,
    be_quiet,
    keep,
    kept_plans,
    live,
    live_many,
    processors,
    shrink,
)
from tests.scenarios.processes import ROOT

MOST_SHRUNK = 3
WARM_SESSIONS = 20  # of one process, until each kind of scene has been lived through


@dataclass
class Growth:
    """Memory and open files of the processes, from when each was warm to now."""

    lived: Counter[int] = field(default_factory=Counter)
    warm: dict[int, tuple[int, int]] = field(default_factory=dict)
    now: dict[int, tuple[int, int]] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        """One session more."""
        self.lived[outcome.process] += 1
        self.now[outcome.process] = (outcome.resident_bytes, outcome.files)
        if self.lived[outcome.process] <= WARM_SESSIONS:
            self.warm[outcome.process] = self.now[outcome.process]

    def __str__(self) -> str:
        """The process that grew most: memory when warm and now, files likewise."""
        if not self.now:
            return "nothing has run"
        most = max(sorted(self.now), key=lambda one: self.now[one][0] / self.warm[one][0])
        (warm, warm_files), (last, files) = self.warm[most], self.now[most]
        sessions = self.lived[most]
        return (
            f"memory {warm / 1e6:.1f} to {last / 1e6:.1f} MB ({last / warm - 1.0:+.1%}), "
            f"files {warm_files} to {files}, in one process over {sessions} sessions"
        )


def main() -> int:
    """Run what the command line names; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.faults", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="one session")
    parser.add_argument("--only", default="", metavar="N,N", help="keep these mishaps of it")
    parser.add_argument(
        "--seeds", type=int, default=0, metavar="N", help="many sessions, and those kept for good"
    )
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="where the many begin")
    parser.add_argument("--processes", type=int, default=processors())
    parser.add_argument("--record", action="store_true", help="keep how often each fault fired")
    parser.add_argument("--digests", action="store_true", help="print the digests of each session")
    given = parser.parse_args()
    if given.seed is not None:
        return one(given.seed, given.only)
    if not given.seeds:
        parser.error("name a seed, or --seeds N")
    return many(range(given.first, given.first + given.seeds), given.processes, given.digests, given.record)


def one(seed: int, only: str) -> int:
    """Tell one session."""
    be_quiet()
    plan = plan_of(seed)
    if only:
        plan = plan.only(frozenset(map(int, only.split(","))))
    tell(f"seed {seed}: {plan.scene}, limits walk {plan.walk_s} s to {plan.final:g} of the half spread")
    for number, mishap in plan.mishaps:
        tell(f"  {number:2}  {mishap.describe()}")
    outcome = live(plan)
    tell(
        "fired: "
        + (", ".join(f"{kind} {count}" for kind, count in sorted(outcome.fired.items())) or "nothing")
    )
    tell(
        f"{outcome.lives} lives, {outcome.orders} order messages, "
        f"{outcome.session_s / outcome.wall_s:,.0f} x real time"
    )
    for violation in outcome.violations:
        tell(f"VIOLATED {violation}")
    if outcome.violations:
        smaller = shrink(outcome)
        tell(f"again with fewer mishaps: {smaller.command}")
    tell("everything held" if not outcome.violations else f"{len(outcome.violations)} violations")
    return int(bool(outcome.violations))


def many(seeds: range, processes: int, digests: bool, record: bool = False) -> int:
    """Tell many sessions."""
    fired: Counter[str] = Counter()
    failed: list[Outcome] = []
    count, session_s, wall_s = 0, 0.0, 0.0
    kept = [] if digests else kept_plans()
    growth = Growth()
    for outcome in live_many([*map(plan_of, seeds), *kept], processes):
        count += 1
        growth.take(outcome)
        fired.update({str(kind): times for kind, times in outcome.fired.items()})
        session_s += outcome.session_s
        wall_s += outcome.wall_s
        if outcome.violations:
            failed.append(outcome)
            tell(f"FAILED {outcome.command}: {outcome.violations[0]}")
        elif not digests and not count % 100:
            tell(f"{count} sessions, {growth}")
        if digests:
            tell(f"{outcome.plan.seed} {outcome.head} {outcome.wire}")
    if digests:
        return 0
    if record:
        counts = {"sessions": count, "fired": dict(sorted(fired.items()))}
        FIRED.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    for kind in KINDS:
        tell(f"  {kind:<24}{fired[kind]:>7}")
    never = [kind for kind in KINDS if not fired[kind]]
    if never:
        tell(f"never fired: {', '.join(never)}")
    for outcome in sorted(failed, key=lambda one: one.plan.seed)[:MOST_SHRUNK]:
        smaller = shrink(outcome)
        keep(smaller)
        tell(f"FAILED {smaller.command}")
        tell(f"       {smaller.violations[0]}")
    for outcome in sorted(failed, key=lambda one: one.plan.seed)[MOST_SHRUNK:]:
        tell(f"FAILED {outcome.command}")
        tell(f"       {outcome.violations[0]}")
    if failed:
        tell(f"kept in {KEPT_SEEDS.relative_to(ROOT)}: commit it with what mends them")
    tell(f"{session_s / wall_s:,.0f} x real time per process ({wall_s / count:.2f} s a session)")
    tell(str(growth))
    tell(f"{count - len(failed)} passed, {len(failed)} failed")
    return int(bool(failed or never))


def tell(text: str) -> None:
    """One line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
