"""Each invariant has a bug that breaks it, and the judge of the fault sessions finds every one of them.

By default a few are planted; ALVH_PLANTED=all plants them all and prints the count.
"""

import os

import pytest

from tests.scenarios.faults.planted import BUGS, Bug, caught
from tests.scenarios.faults.probes import unknown_key_is_refused
from tests.scenarios.faults.runs import be_quiet

INVARIANTS = {f"I-{number:02}" for number in range(1, 29)}
SAMPLE = {"I-01", "I-08", "I-21", "I-28"}
PLANTED = BUGS if os.environ.get("ALVH_PLANTED") else tuple(bug for bug in BUGS if bug.invariant in SAMPLE)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: f"{bug.invariant} {bug.name}")
def test_a_planted_bug_is_found(bug: Bug) -> None:
    be_quiet()
    assert bug.invariant in caught(bug)


def test_every_invariant_has_a_bug_that_breaks_it() -> None:
    assert {bug.invariant for bug in BUGS} == INVARIANTS


def test_an_unknown_key_is_refused_without_the_bug() -> None:
    assert unknown_key_is_refused() == []
