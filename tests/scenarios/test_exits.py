"""How the daemon ends: each refusal with its documented code, a clean stop with a closed journal."""

import shutil
import signal
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest

from bot.journal.writer import read_records, verify
from tests.scenarios.processes import ROOT, House, run_once
from tests.scenarios.proof import Venue, prove

_PROFILE = tomllib.loads((ROOT / "config" / "paper.toml").read_text(encoding="utf-8"))
SHIPPED_MAX = str(_PROFILE["restart"]["unclean_starts_max"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def may_be_process_1() -> bool:
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("port", [0, 7497])
def test_a_gateway_that_announces_a_live_account_is_refused_with_77_on_any_port(
    house: House, port: int
) -> None:
    house.account, house.port = "U1234567", port
    house.start_gateway()
    assert house.start_daemon().wait(timeout=30) == 77
    assert "U1234567" in house.errors.read_text()
    assert house.stop_gateway()["blotter"]["next_order_ids"] == []
    assert [record.kind for record in read_records(house.journal)] == []


def test_a_gateway_that_comes_back_with_a_live_account_ends_with_77_and_the_halt_outlasts_restarts(
    house: House,
) -> None:
    house.start_gateway()
    daemon = house.start_daemon()
    house.until("decision.open")
    house.kill(gateway=True)
    paper = (house.folder / "gateway").rename(house.folder / "paper")
    house.account = "U1234567"
    house.start_gateway()
    assert daemon.wait(timeout=60) == 77
    assert "U1234567" in house.errors.read_text()
    (halt,) = [record for record in read_records(house.journal) if record.kind == "Halted"]
    assert "the gateway serves U1234567" in halt.body["reason"]
    # The next start finds it again, and so does one whose gateway serves the right account.
    assert house.start_daemon().wait(timeout=60) == 77
    house.stop_gateway()
    shutil.rmtree(house.folder / "gateway")
    paper.rename(house.folder / "gateway")
    house.account = "DU0000000"
    house.start_gateway()
    house.start_daemon()
    house.ready()
    house.until("decision.hold")
    assert house.stop_daemon() == 0
    later = [record for record in read_records(house.journal) if record.seq > halt.seq]
    assert [record for record in later if record.kind in {"PlaceOrder", "ReplaceOrder"}] == []
    assert {r.body["trading"] for r in later if r.kind == "Decision" and r.body["verb"] == "hold"} == {
        "halted"
    }
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_a_second_daemon_on_the_same_journal_is_refused_with_75_and_the_first_trades_on(house: House) -> None:
    house.start_gateway()
    first = house.start_daemon()
    house.ready()
    second = house.start_daemon(ALVH__BROKER__CLIENT_ID="443")
    assert second.wait(timeout=30) == 75
    assert "another process writes this journal" in house.errors.read_text()
    assert first.poll() is None
    house.daemon = first
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_nobody_listening_at_the_start_ends_with_69_and_names_the_address(tmp_path: Path) -> None:
    port = free_port()
    words = ["run", "--config", "config/paper.toml", "--journal", str(tmp_path)]
    done = run_once(words, {"ALVH__BROKER__PORT": str(port)})
    assert done.returncode == 69
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("ALVH__BROKER__ACCOUNT", "U1234567", "broker.account"),
        ("ALVH__BROKER__PORT", "many", "broker.port"),
        ("ALVH__BROKER__PROT", "4002", "broker.prot"),
    ],
)
def test_a_bad_configuration_ends_with_78_and_names_the_key(
    tmp_path: Path, variable: str, value: str, place: str
) -> None:
    words = ["run", "--config", "config/paper.toml", "--journal", str(tmp_path)]
    done = run_once(words, {variable: value})
    assert done.returncode == 78
    assert place in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not may_be_process_1(), reason="needs the right to give processes a namespace of their own"
)
def test_sigterm_ends_a_daemon_that_is_process_1_with_0_too(house: House) -> None:
    house.start_gateway()
    house.wrapper = ("unshare", "--pid", "--fork", "--mount-proc")
    house.start_daemon()
    house.until("decision.open")
    house.stop_traced()
    prove(house.journal, Venue.of_state(house.stop_gateway()))


@pytest.mark.parametrize("after", ["alert.daemon.ready", "decision.open"])
def test_sigterm_ends_with_0_within_ten_seconds_and_nothing_works_on(house: House, after: str) -> None:
    house.start_gateway()
    house.start_daemon()
    house.until(after)
    assert house.stop_daemon() == 0
    state = house.stop_gateway()
    assert state["blotter"]["working"] == []
    prove(house.journal, Venue.of_state(state))


def test_sigterm_ends_with_0_within_ten_seconds_though_the_gateway_has_stopped_answering(
    house: House,
) -> None:
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    assert house.gateway is not None
    house.gateway.send_signal(signal.SIGSTOP)
    code = house.stop_daemon()
    house.gateway.send_signal(signal.SIGCONT)
    assert code == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_sigterm_ends_with_0_while_the_gateway_is_gone_and_is_no_unclean_start(house: House) -> None:
    house.start_gateway()
    house.start_daemon()
    house.ready()
    house.kill(gateway=True)
    house.until("alert.broker.unreachable")
    assert house.stop_daemon() == 0
    house.start_gateway()
    house.start_daemon(ALVH__RESTART__UNCLEAN_STARTS_MAX="1")
    house.ready()
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_three_unclean_starts_refuse_the_fourth_with_75_and_say_what_to_do(house: House) -> None:
    house.start_gateway()
    for _ in range(3):
        house.start_daemon(ALVH__RESTART__UNCLEAN_STARTS_MAX=SHIPPED_MAX)
        house.ready()
        house.kill(daemon=True)
    assert house.start_daemon(ALVH__RESTART__UNCLEAN_STARTS_MAX=SHIPPED_MAX).wait(timeout=30) == 75
    told = house.errors.read_text()
    assert "3 unclean starts" in told
    assert "alvh logs" in told
    assert verify(house.journal).fault is None
    house.start_daemon(ALVH__RESTART__UNCLEAN_STARTS_MAX="4")
    house.ready()
    assert house.stop_daemon() == 0  # a clean stop forgets the unclean starts before it
    house.start_daemon(ALVH__RESTART__UNCLEAN_STARTS_MAX="1")
    house.ready()
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_the_paper_profile_finds_its_session_open_at_a_gateway_of_another_day_with_only_the_port_set(
    house: House,
) -> None:
    house.start_gateway()
    only_port = {"ALVH__BROKER__PORT": str(house.port)}
    house.start_bare_daemon(only_port)
    house.until("decision.hold", count=2)  # both strategies looked: nothing but the entry's own gates is left
    assert not [line for line in house.lines() if line.get("trading", "active") != "active"]
    assert [line for line in house.lines() if line["event"] == "alert.clock_skew"]
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_a_journal_that_cannot_grow_ends_the_daemon_with_1_and_is_mended_by_the_next_start(
    house: House,
) -> None:
    house.start_gateway()
    house.file_kb_max = 100
    assert house.start_daemon().wait(timeout=60) == 1
    assert "cannot be made durable" in house.errors.read_text()
    assert "Traceback" not in house.errors.read_text()
    house.file_kb_max = None
    house.start_daemon()
    house.ready()
    assert house.stop_daemon() == 0
    prove(house.journal, Venue.of_state(house.stop_gateway()))


def test_a_journal_that_is_not_the_one_it_was_refuses_the_start_with_78_until_its_mark_is_removed(
    house: House,
) -> None:
    house.start_gateway()
    house.start_daemon()
    house.ready()
    assert house.stop_daemon() == 0
    shutil.rmtree(house.journal)
    assert house.start_daemon().wait(timeout=30) == 78
    told = house.errors.read_text()
    assert "now has 0" in told
    assert "remove paper.anchor" in told
    (house.journal.parent / "paper.anchor").unlink()
    house.start_daemon()
    house.ready()
    assert house.stop_daemon() == 0
