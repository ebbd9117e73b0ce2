"""Halting a real daemon: by command, by signal, by a file, and while its event loop stands still."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bot.journal.writer import read_records
from tests.scenarios.processes import House, run_once
from tests.scenarios.proof import Venue, prove


def operate(house: House, *words: str) -> tuple[int, str]:
    """One verb on this house's daemon: exit code, and what it said."""
    done = run_once(
        [*words, "--config", "config/paper.toml", "--journal", str(house.folder / "journal")],
        {"ALVH__BROKER__PORT": str(house.port)},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def placed(house: House) -> int:
    """Orders decided so far."""
    return sum(record.kind == "PlaceOrder" for record in read_records(house.journal))


def wait_for(house: House, kind: str) -> dict[str, Any]:
    """The first record of a kind."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = [record.body for record in read_records(house.journal) if record.kind == kind]
        return bool(found)

    house.eventually(is_there, f"no {kind}")
    return found[0]


def test_a_halt_cancels_outlasts_a_kill_and_ends_with_a_resume_that_gives_a_reason(house: House) -> None:
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    assert operate(house, "halt", "--reason", "a test")[0] == 0
    assert wait_for(house, "OperatorCommanded")["reason"] == "a test"
    orders = placed(house)
    house.kill(daemon=True)
    house.start_daemon()
    house.ready()
    assert "halted" in operate(house, "status")[1]
    assert operate(house, "resume")[0] == 2  # a reason is wanted
    assert placed(house) == orders
    code, told = operate(house, "resume", "--reason", "seen")
    assert (code, "trading is" in told) == (0, True)
    house.until("decision.open")
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_a_halt_with_no_daemon_stands_for_the_next_and_a_resume_needs_one(house: House) -> None:
    house.start_gateway()
    assert operate(house, "status")[0] == 1
    house.start_daemon()
    house.ready()
    assert house.stop_daemon() == 0
    assert operate(house, "halt")[0] == 0
    code, told = operate(house, "resume", "--reason", "seen")
    assert (code, "no daemon runs" in told) == (1, True)
    house.start_daemon()
    house.ready()
    wait_for(house, "OperatorCommanded")
    assert house.stop_daemon() == 0
    assert house.told("decision.open") == 0
    house.stop_gateway()


@pytest.mark.parametrize("by", ["signal", "file"])
def test_while_the_loop_stands_still_the_watchdog_cancels_every_order(house: House, by: str) -> None:
    house.start_gateway()
    daemon = house.start_blocked_daemon(6.0)
    house.until("decision.open")
    house.until("decision.book")  # the broker has it
    (house.folder / "journal" / "block").touch()
    time.sleep(0.3)
    if by == "signal":
        daemon.send_signal(signal.SIGUSR1)
    else:
        (house.journal / "HALT").touch()
    house.eventually(lambda: "every order was cancelled" in house.errors.read_text(), "nobody acted")
    orders = placed(house)
    assert house.told("decision.cancel") == 0, "the loop was not blocked"
    wait_for(house, "OperatorCommanded")  # it wakes, and obeys
    assert placed(house) == orders
    assert house.stop_daemon() == 0
    state = house.stop_gateway()
    assert state["blotter"]["working"] == []
    prove(house.journal, Venue.of_state(state))


def test_the_watchdog_ends_with_its_daemon_and_is_started_again_when_it_dies(house: House) -> None:
    house.start_gateway()
    house.start_daemon()
    house.ready()
    (first,) = watchdogs(house)
    os.kill(first, signal.SIGKILL)
    house.until("alert.watchdog.ended")
    house.eventually(lambda: len(watchdogs(house)) == 1 and watchdogs(house) != [first], "none came")
    house.kill(daemon=True)
    house.eventually(lambda: watchdogs(house) == [], "it outlives its daemon")


def watchdogs(house: House) -> list[int]:
    """Processes that watch this house's daemon."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            state = (path.parent / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if b"bot.watchdog" in words and str(house.folder).encode() in b" ".join(words) and state != "Z":
            found.append(int(path.parent.name))
    return found
