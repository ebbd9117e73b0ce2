"""Put errors into risk and the order path and count how many the tests notice.

`python -m tests.mutation [MODULE ...]` tries every mutant, two at a time. It prints the killed of each module
and each survivor, and ends with 1 when fewer than nine in ten are killed or the tests fail without any error.
"""

import sys
from collections.abc import Sequence

from tests.mutation.mutants import mutants
from tests.mutation.runner import Subject, trial

LEAST_KILLED = 0.90
PROCESSES = 2
RISK, ENGINE, BROKER = "tests/risk", "tests/bot/engine", "tests/bot/broker"
SUBJECTS = (
    Subject("risk/balance.py", (f"{RISK}/test_balance.py", f"{RISK}/test_limits.py")),
    Subject(
        "risk/capital.py",
        (f"{RISK}/test_capital_checks.py", f"{RISK}/test_limits.py", f"{RISK}/test_balance.py"),
    ),
    Subject(
        "risk/checks.py",
        (f"{RISK}/test_checks.py", f"{RISK}/test_futures_count.py", f"{RISK}/test_limits.py"),
    ),
    Subject("risk/context.py", (f"{RISK}/test_context.py", f"{RISK}/test_limits.py")),
    Subject("risk/exposure.py", (f"{RISK}/test_exposure.py", f"{RISK}/test_checks.py")),
    Subject("risk/review.py", (f"{RISK}/test_review.py", f"{RISK}/test_checks.py")),
    Subject("risk/sensitivity.py", (f"{RISK}/test_sensitivity.py", f"{RISK}/test_balance.py")),
    Subject("risk/sizing.py", (f"{RISK}/test_sizing.py", f"{RISK}/test_limits.py")),
    Subject("risk/state.py", (f"{RISK}/test_state.py",)),
    Subject("risk/verdict.py", (f"{RISK}/test_checks.py",)),
    Subject("bot/engine/orders.py", (f"{ENGINE}/test_orders.py", f"{ENGINE}/test_decide.py")),
    Subject("bot/engine/margin.py", (f"{ENGINE}/test_margin.py",)),
    Subject("bot/engine/working.py", (f"{ENGINE}/test_working.py",)),
    Subject(
        "bot/engine/book.py",
        tuple(
            f"{ENGINE}/{name}.py"
            for name in (
                "test_book",
                "test_book_counting",
                "test_book_retold",
                "test_day_after",
                "test_adjusting",
                "test_reconciliation",
            )
        ),
    ),
    Subject("bot/engine/adjusting.py", (f"{ENGINE}/test_adjusting.py",)),
    Subject("bot/broker/orders.py", (f"{BROKER}/test_orders.py",)),
    Subject("bot/broker/pacing.py", (f"{BROKER}/test_pacing.py",)),
)


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    asked = [word for word in arguments if not word.startswith("-")]
    subjects = [one for one in SUBJECTS if not asked or one.path in asked]
    tried = killed = 0
    for subject in subjects:
        found = mutants(subject.source())
        done = trial(subject, found, PROCESSES)
        if not done.sound:
            print(f"{subject.path}: its tests fail without an error in it", file=sys.stderr)
            return 1
        tried, killed = tried + len(found), killed + len(found) - len(done.survivors)
        print(
            f"{subject.path:<24} killed {len(found) - len(done.survivors):>4} of {len(found):>4}",
            flush=True,
        )
        for mutant in done.survivors:
            print(f"    survived {subject.path}:{mutant.line}: {mutant.what}", flush=True)
    score = killed / max(tried, 1)
    print(f"{killed} of {tried} errors are noticed: {score:.1%}, at least {LEAST_KILLED:.0%}")
    return 0 if score >= LEAST_KILLED else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
