"""The kernel's faults in the midst of trading: a sync killed or failed after a decision, on a real disk.

The scenarios of `test_crash_scenarios` once more, as real processes: each is brought to the moment its name
tells, and one of the next syncs of the journal kills the daemon or fails. Only with ALVH_STRACE=all. The
eighth, a hedge bought, is struck in virtual time only: it needs days of a falling market behind it.
"""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.processes import House
from tests.scenarios.proof import Venue, prove
from tests.scenarios.test_halt import operate
from tests.scenarios.test_strace import may_trace

pytestmark = [
    pytest.mark.skipif(os.environ.get("ALVH_STRACE") != "all", reason="set ALVH_STRACE=all"),
    pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace processes"),
]

BOUNDARIES = (1, 2)
FAULTS = {"signal=SIGKILL": -9, "error=EIO": 1}  # and how the daemon ends by each


def killed(house: House) -> None:
    house.kill(daemon=True)
    house.start_daemon()
    house.ready()


def halted(house: House) -> None:
    (house.journal / "HALT").touch()


def resumed(house: House) -> None:
    assert operate(house, "halt", "--reason", "a test")[0] == 0


def resume(house: House) -> None:
    operate(house, "resume", "--reason", "seen")  # the daemon may be struck before it answers


@dataclass(frozen=True, slots=True)
class Scene:
    """What the gateway acts out, the decision to wait for, and what is done before and after the tracing.

    `final` is the share of the half spread at which limits end: at 1 they trade, at 0.85 they are given up.
    """

    until: str
    final: float = 1.0
    plan: str = ""
    before: Callable[[House], None] = lambda _: None
    after: Callable[[House], None] = lambda _: None


LOST = '[[fault]]\nkind = "connectivity"\nafter_s = 9\nfor_s = 4\ntell_missed = false\n'
PARTS = '[[fault]]\nkind = "partial"\nunits = 1\n'
SCENES = {
    "opened": Scene("decision.open"),
    "closed": Scene("decision.close"),
    "moved": Scene("decision.reprice"),
    "given up": Scene("decision.cancel", final=0.85),
    "filled in parts": Scene("decision.book", plan=PARTS),
    "rejected": Scene("decision.open", plan='[[fault]]\nkind = "reject"\n'),
    "corrected": Scene("decision.close", plan='[[fault]]\nkind = "correct"\npoints = 0.05\n'),
    "line lost and data forgotten": Scene("decision.reprice", plan=LOST),
    "restarted": Scene("decision.open", before=killed),
    "halted": Scene("decision.open", after=halted),
    "resumed": Scene("decision.open", before=resumed, after=resume),
}


def attach(house: House, fault: str, when: int) -> subprocess.Popen[bytes]:
    """Trace the running daemon, so that its `when`-th sync of the journal from now on is struck."""
    assert house.daemon is not None
    segment = max(house.journal.glob("*.jsonl"))
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(segment), "-p", str(house.daemon.pid)]
    words += ["-e", "trace=fdatasync", "-e", f"inject=fdatasync:{fault}:when={when}"]
    tracer = subprocess.Popen(words)
    house.started.append(tracer)
    threads = Path(f"/proc/{house.daemon.pid}/task")

    def is_traced() -> bool:
        return all("TracerPid:\t0\n" not in (one / "status").read_text() for one in threads.iterdir())

    house.eventually(is_traced, "the daemon is not traced")
    return tracer


@pytest.mark.parametrize("when", BOUNDARIES)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENES)
def test_a_sync_struck_in_the_midst_of_trading_loses_and_doubles_nothing(
    house: House, name: str, fault: str, when: int
) -> None:
    scene = SCENES[name]
    house.final = scene.final
    if scene.plan:
        plan = house.folder / "plan.toml"
        plan.write_text(scene.plan)
        house.gateway_words = ("--faults", str(plan))
    house.start_gateway()
    house.start_daemon()
    house.until(scene.until)
    scene.before(house)
    tracer = attach(house, fault, when)
    scene.after(house)
    assert house.daemon is not None
    assert house.daemon.wait(timeout=60) == FAULTS[fault], house.errors.read_text()
    tracer.wait(timeout=10)
    house.start_daemon()
    house.ready()
    time.sleep(0.5)
    assert house.stop_daemon() == 0
    state = prove(house.journal, Venue.of_state(house.stop_gateway()))
    assert state.orders, "no order was under way"
    print(f"{name}: sync {when} after {scene.until}, {fault}")  # noqa: T201 -- a figure
