"""Proof that a sign error in market.Combo cannot hide: the tests are run on a copy of the project with it.

In the copy a leg that is bought counts as sold and the other way round. The tests of the rooms that use the
combo have to fail there, and those of the gateway's own matching and accounts, which computes direction and
cash for itself, have to pass: the two do not share the mistake. All of them have to pass on the copy before
the error is put in, so that a failure means the error and nothing else. Run
`python -m benchmarks.sign_mutation`; exit code 1 when the error goes unseen.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = (
    "benchmarks",
    "bot",
    "config",
    "market",
    "risk",
    "simulator",
    "strategies",
    "tests",
    "pyproject.toml",
)
RIGHT = "return self.ratio if self.action is Action.BUY else -self.ratio"
WRONG = "return -self.ratio if self.action is Action.BUY else self.ratio"

#: What must notice the error, room by room.
NOTICING = {
    "the combo's own tests": ("tests/market/test_contract.py",),
    "the strategies": ("tests/strategies",),
    "risk": ("tests/risk",),
    "whole sessions against the gateway": ("tests/scenarios/test_sessions.py",),
}
#: What must not be touched by it.
INDEPENDENT = (
    "tests/simulator/test_matching.py",
    "tests/simulator/test_fill_prices.py",
    "tests/simulator/test_exchange.py",
    "tests/simulator/test_exchange_properties.py",
    "tests/simulator/test_settlement.py",
    "tests/simulator/test_clearing.py",
    "tests/simulator/test_margin.py",
)


def passes(copy: Path, tests: tuple[str, ...]) -> tuple[bool, str]:
    """Whether the tests pass in the copy, and the first one that does not."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {"PYTHONPATH": str(copy), "PATH": "", "HOME": str(copy)}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"pytest did not run: {done.stdout[-500:]}{done.stderr[-500:]}")
    failed = next((line for line in done.stdout.splitlines() if line.startswith("FAILED")), "")
    return done.returncode == 0, failed.removeprefix("FAILED ").partition(" - ")[0]


def flip(copy: Path) -> None:
    """Put the error into the copy. Raises ValueError when there is nothing to flip."""
    source = copy / "market" / "contract.py"
    text = source.read_text(encoding="utf-8")
    if text.count(RIGHT) != 1:
        raise ValueError("market/contract.py has no such line any more: this proof has to be written anew")
    source.write_text(text.replace(RIGHT, WRONG), encoding="utf-8")


def prove(copy: Path) -> bool:
    """Run the tests without and with the error, and print who noticed; whether all is as it should be."""
    everything = tuple(test for tests in (*NOTICING.values(), INDEPENDENT) for test in tests)
    sound, why = passes(copy, everything)
    if not sound:
        print(f"the tests fail without the error already: {why}")
        return False
    flip(copy)
    proved = True
    for room, tests in NOTICING.items():
        green, failed = passes(copy, tests)
        print(f"{room:<36} {'DID NOT NOTICE' if green else f'noticed by {failed}'}")
        proved = proved and not green
    apart, failed = passes(copy, INDEPENDENT)
    print(f"{'the gateway by itself':<36} {'not touched' if apart else f'TOUCHED: {failed}'}")
    return proved and apart


def main() -> int:
    """Prove it on a copy that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ROOMS:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        return 0 if prove(copy) else 1


if __name__ == "__main__":
    raise SystemExit(main())
