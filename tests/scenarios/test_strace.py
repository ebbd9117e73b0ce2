"""The kernel's own faults on the real file system: killed in a sync, a disk that fails, one that fills."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.journal.writer import Record, read_records
from tests.scenarios.processes import House
from tests.scenarios.proof import Venue, prove

# Which syncs of the journal are struck; every one of the first dozen: ALVH_STRACE_SYNCS=12.
SYNCS = int(os.environ.get("ALVH_STRACE_SYNCS", "0"))
STRUCK = range(1, SYNCS + 1) if SYNCS else (4,)
_SEGMENT = "0001-2026-03-02.jsonl"  # the first of the embedded gateway's days


def may_trace() -> bool:
    """Whether processes may be traced here."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode
        == 0
    )


pytestmark = pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace processes")


def strike(house: House, call: str, fault: str, when: int) -> int:
    """Run the daemon with one system call on its journal struck, until it ends; its exit code."""
    segment = house.journal / _SEGMENT
    inject = f"inject={call}:{fault}:when={when}"
    house.wrapper = (
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        str(segment),
        "-e",
        f"trace={call}",
        "-e",
        inject,
    )
    daemon = house.start_daemon()
    house.wrapper = ()
    return daemon.wait(timeout=90)


def goes_on(house: House) -> None:
    """The next start finds all that was promised, and nothing is doubled."""
    house.start_daemon()
    house.ready()
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


@pytest.mark.parametrize("when", STRUCK)
def test_a_daemon_killed_inside_a_sync_of_its_journal_loses_and_doubles_nothing(
    house: House, when: int
) -> None:
    house.start_gateway()
    assert strike(house, "fdatasync", "signal=SIGKILL", when) == -9
    goes_on(house)


@pytest.mark.parametrize("when", STRUCK)
def test_a_sync_that_fails_ends_the_daemon_and_nothing_is_sent_on_the_strength_of_it(
    house: House, when: int
) -> None:
    house.start_gateway()
    assert strike(house, "fdatasync", "error=EIO", when) == 1
    assert "cannot be made durable" in house.errors.read_text()
    assert "Traceback" not in house.errors.read_text()
    goes_on(house)


def test_on_a_full_disk_the_reserve_is_used_trading_is_reduced_and_orders_can_be_cancelled(
    house: House,
) -> None:
    house.start_gateway()
    segment = house.journal / _SEGMENT
    house.wrapper = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(segment))
    house.wrapper += ("-e", "trace=write", "-e", "inject=write:error=ENOSPC:when=4")
    house.start_daemon()

    def is_told() -> bool:
        return any(record.kind == "HostReported" for record in _records(house.journal))

    house.eventually(is_told, "a full disk was not told")
    told = next(record for record in read_records(house.journal) if record.kind == "HostReported")
    assert "into its reserve" in told.body["detail"]
    assert not (house.journal / "reserve").exists()
    house.stop_traced()
    state = house.stop_gateway()
    assert state["blotter"]["working"] == []
    prove(house.journal, Venue.of_state(state))


def _records(journal: Path) -> list[Record]:
    return list(read_records(journal)) if (journal / _SEGMENT).exists() else []
