"""The product in real time over loopback TCP, for as long as it is asked to: ALVH_REAL_TIME_S=600."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.scenarios.processes import House
from tests.scenarios.proof import Venue, prove

SECONDS = float(os.environ.get("ALVH_REAL_TIME_S", "0"))
LOOK_S = 5.0
WARM_UP_FRACTION = 0.2  # what is loaded once is loaded by then


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 10**6 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files(pid: int) -> int:
    """How many file descriptors a process holds."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.skipif(SECONDS <= 0, reason="takes real time: set ALVH_REAL_TIME_S")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="memory and files are read from /proc")
def test_a_run_in_real_time_keeps_its_memory_and_files_and_proves_its_journal(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.start_gateway()
    daemon = house.start_daemon()
    house.ready()
    memory: list[float] = []
    files: list[int] = []
    for _ in range(max(int(SECONDS / LOOK_S), 1)):
        time.sleep(LOOK_S)
        assert daemon.poll() is None, f"the daemon ended: {house.errors.read_text()[-2000:]}"
        memory.append(resident_mb(daemon.pid))
        files.append(open_files(daemon.pid))
    assert house.stop_daemon() == 0
    state = prove(house.journal, Venue.of_state(house.stop_gateway()))
    assert state.orders, "nothing was traded"
    warm = int(len(memory) * WARM_UP_FRACTION)
    told = (
        f"{SECONDS:g} s in real time: {len(state.orders)} orders, {state.decisions} decisions, memory "
        f"{memory[warm]:.1f} to {memory[-1]:.1f} MB, files {files[warm]} to {files[-1]}\n"
    )
    with capsys.disabled():
        sys.stdout.write(told)
    assert files[-1] <= files[warm] + 1, f"file descriptors: {files}"
    assert memory[-1] <= memory[warm] * 1.05, f"resident memory: {memory}"
