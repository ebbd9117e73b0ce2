"""The kernel's faults in the midst of trading: a sync killed or failed after a decision, on a real disk.

Near the eight scenarios of `test_crash_scenarios`, these run as real processes: an order opened, its limit
moved, a restart after an opening, and a halt. An order given up, a close, partial fills, a rejection, a
correction, a lost line, a resume and the hedge are struck in virtual time only. Only with ALVH_STRACE=all.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.scenarios.processes import House
from tests.scenarios.proof import Venue, prove
from tests.scenarios.test_strace import may_trace

pytestmark = [
    pytest.mark.skipif(os.environ.get("ALVH_STRACE") != "all", reason="set ALVH_STRACE=all"),
    pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace processes"),
]

BOUNDARIES = (1, 2)
FAULTS = {"signal=SIGKILL": -9, "error=EIO": 1}  # and how the daemon ends by each
SCENES = {
    "opened": "decision.open",
    "moved": "decision.reprice",
    "restarted": "alert.daemon.ready",
    "halted": "decision.open",
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
@pytest.mark.parametrize("scene", SCENES)
def test_a_sync_struck_in_the_midst_of_trading_loses_and_doubles_nothing(
    house: House, scene: str, fault: str, when: int
) -> None:
    house.start_gateway()
    house.start_daemon()
    if scene == "restarted":
        house.until("decision.open")
        house.kill(daemon=True)
        house.start_daemon()
    house.until(SCENES[scene])
    tracer = attach(house, fault, when)
    if scene == "halted":
        (house.journal / "HALT").touch()
    assert house.daemon is not None
    assert house.daemon.wait(timeout=60) == FAULTS[fault], house.errors.read_text()
    tracer.wait(timeout=10)
    house.start_daemon()
    house.ready()
    time.sleep(0.5)
    assert house.stop_daemon() == 0
    state = prove(house.journal, Venue.of_state(house.stop_gateway()))
    assert state.orders, "no order was under way"
    print(f"{scene}: sync {when} after {SCENES[scene]}, {fault}")  # noqa: T201 -- a figure
