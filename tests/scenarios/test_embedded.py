"""`alvh run` without a gateway of its own: parent and child die and come back in any order."""

import os
import signal
from pathlib import Path

import pytest

from tests.scenarios.processes import House, run_once
from tests.scenarios.proof import Venue, prove


def child_of(pid: int) -> int:
    """The child process of `pid` that is the embedded gateway; another one is its watchdog."""
    threads = Path(f"/proc/{pid}/task").iterdir()  # a child belongs to the thread that started it
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    (gateway,) = [child for child in children if b"gateway" in _words(child)]
    return int(gateway)


def _words(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")


@needs_proc
def test_sigkill_of_the_daemon_ends_the_gateway_and_a_restart_continues_both(house: House) -> None:
    house.start_embedded()
    house.until("decision.book")  # the gateway has the order
    assert house.daemon is not None
    gateway = child_of(house.daemon.pid)
    house.kill(daemon=True)
    house.eventually(lambda: not is_alive(gateway), "the gateway outlives its daemon")
    before = Venue.of_state(house.account_state())
    assert before.orders
    house.start_embedded()
    house.ready()
    assert house.stop_daemon() == 0
    after = Venue.of_state(house.account_state())
    assert set(before.orders) <= set(after.orders)
    prove(house.journal, after)


@needs_proc
def test_a_restart_at_once_waits_for_the_dying_gateways_folder(house: House) -> None:
    house.start_embedded()
    house.until("decision.open")
    assert house.daemon is not None
    gateway = child_of(house.daemon.pid)
    os.kill(gateway, signal.SIGSTOP)  # it cannot notice that its parent dies ...
    house.kill(daemon=True)
    house.start_embedded()
    os.kill(gateway, signal.SIGCONT)  # ... until now
    house.ready()
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.account_state()))


@needs_proc
def test_sigkill_of_the_embedded_gateway_starts_it_again_and_trading_goes_on(house: House) -> None:
    house.start_embedded()
    house.until("decision.open")
    assert house.daemon is not None
    gateway = child_of(house.daemon.pid)
    os.kill(gateway, signal.SIGKILL)
    house.until("alert.gateway.ended")
    house.until("alert.daemon.ready", count=2)
    assert child_of(house.daemon.pid) != gateway
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.account_state()))


def test_a_run_whose_port_is_taken_names_the_way_to_the_gateway_that_runs(house: House) -> None:
    house.start_gateway()
    variables = {
        "ALVH__BROKER__PORT": str(house.port),
        "ALVH__GATEWAY__STATE_FOLDER": str(house.folder / "another"),
    }
    done = run_once(["run", "--journal", str(house.folder / "journal")], variables)
    why, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (69, "")
    assert why == (
        f"alvh: the embedded gateway did not start: port {house.port}: Address already in use; "
        "choose another with --port"
    )
    assert remedy.endswith(f"`alvh run --config config/paper.toml --port {house.port}`")


def test_a_run_whose_gateway_cannot_start_says_so_once_and_ends_with_the_reasons_own_code(
    house: House,
) -> None:
    no_folder = house.folder / "file"
    no_folder.touch()
    variables = {"ALVH__GATEWAY__STATE_FOLDER": str(no_folder / "gateway")}
    done = run_once(["run", "--journal", str(house.folder / "journal")], variables)
    (why,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (78, "")
    assert why.startswith(f"alvh: the embedded gateway did not start: {no_folder}")
    assert why.endswith("give a folder")
