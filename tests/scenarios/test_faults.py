"""Whole sessions under faults hold every invariant, twice to the same byte; many more: `make faults`."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.scenarios.faults import runs
from tests.scenarios.faults.plans import KINDS, plan_of
from tests.scenarios.faults.runs import be_quiet, kept_plans, live
from tests.scenarios.processes import ROOT

# Half days and a session in which the hedge is bought: what a default run can afford.
SEEDS = (3, 6)
TWICE = int(os.environ.get("ALVH_TWICE", "1"))  # sessions lived through twice, from seed 11 on


def digests(first: int, count: int, hash_seed: str) -> list[str]:
    """Digests of journal and line of some sessions, from a process of their own."""
    words = [sys.executable, "-m", "tests.scenarios.faults", "--seeds", str(count), "--first", str(first)]
    done = subprocess.run(
        [*words, "--processes", "1", "--digests"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(done.stdout.splitlines())


def test_sessions_under_faults_hold_every_invariant() -> None:
    be_quiet()
    struck: set[str] = set()
    for plan in (*map(plan_of, SEEDS), *kept_plans()):
        outcome = live(plan)
        assert not outcome.violations, f"{outcome.command}: {outcome.violations[0]}"
        struck |= outcome.fired.keys()
    assert struck


def test_the_same_session_in_another_process_leaves_the_same_journal_and_the_same_wire() -> None:
    assert digests(11, TWICE, "1") == digests(11, TWICE, "2")


def test_a_session_that_failed_is_kept_once_as_small_as_it_became(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "seeds.txt"
    file.write_text("171 5\n", encoding="utf-8")
    monkeypatch.setattr(runs, "KEPT_SEEDS", file)
    whole = plan_of(7)
    part = whole.only(frozenset(whole.numbers[:1]))
    for plan in (part, part, whole):
        runs.keep(runs.Outcome(plan, (), Counter(), 1, 0, "", "", 1.0))
    assert kept_plans()[1:] == [part, whole]


def test_a_plan_is_the_seeds_alone_and_every_kind_of_fault_is_drawn() -> None:
    assert plan_of(7) == plan_of(7) != plan_of(8)
    drawn = {mishap.kind for seed in range(200) for _, mishap in plan_of(seed).mishaps}
    assert drawn == set(KINDS)
