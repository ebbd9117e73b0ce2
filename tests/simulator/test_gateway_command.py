"""`alvh gateway` with its controls: what it says when it starts, how it is steered, and how it refuses."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.control.cli import main
from market.sessions import MARKET_TZ
from simulator.clock import wall_now
from simulator.faults import read_plan
from simulator.script import read_script
from simulator.wire import FrameDecoder, frame, split
from tests.simulator.fixture_venue import SPX

COMMAND = [sys.executable, "-c", "from bot.control.cli import main; main()", "gateway", "--port", "0"]


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--faults", "nowhere.toml"), "nowhere.toml: No such file"),
        (("--script", "nowhere.toml"), "nowhere.toml: No such file"),
    ],
)
def test_files_that_make_no_sense_end_it_with_78(arguments: tuple[str, ...], complaint: str) -> None:
    code, told = refused(*arguments)
    assert code == 78
    assert complaint in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--faults", "seed:x"), "a seed is a whole number"),
        (("--speed", "200000"), "a speed of 200000 is outside 0 to 100000"),
        (("--scenario", "storm"), "--scenario takes one of calm, "),
        (("--at", "noon"), "--at takes a time like 2026-03-02T10:00"),
        (("--restart", "midnight"), "--restart takes a time of day like 23:45"),
        (("--restart", "23:45+01:00"), "a time of day in New York, without a zone"),
        (("--script", "any.toml", "--state", "state"), "cannot go on with the account of --state"),
    ],
)
def test_words_that_make_no_sense_are_wrong_usage(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["alvh", "gateway", "--port", "0", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert (ended.value.code, complaint in told) == (2, True), told


def test_a_gateway_that_ends_with_its_input_and_has_none_ends_at_once_and_cleanly() -> None:
    done = subprocess.run(
        [*COMMAND, "--until-eof"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["port"]


@pytest.mark.parametrize("option", ["--port", "--pages-port", "--control-port"])
def test_a_port_that_is_taken_is_told_once_with_its_option_to_a_parent_as_its_first_line(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        text = f"port {port}: Address already in use; choose another with {option}"
        words = [*COMMAND, option, str(port)]
        alone = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert (alone.returncode, alone.stdout, alone.stderr) == (78, "", f"alvh: {text}\n")
        if option != "--port":
            return
        child = subprocess.run(
            [*words, "--until-eof"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (child.returncode, child.stderr) == (78, "")
    assert json.loads(child.stdout) == {"error": "PortTakenError", "text": text, "exit_code": 78}


def test_a_script_cannot_go_on_with_a_kept_account(tmp_path: Path) -> None:
    code, told = refused("--script", "any.toml", "--state", str(tmp_path / "state"))
    assert (code, "--state" in told) == (2, True)
    assert not (tmp_path / "state").exists()


@contextmanager
def served(*arguments: str) -> Iterator[dict[str, Any]]:
    """A gateway as a user starts it, and what it announces; it is asked to stop at the end and has to."""
    process = subprocess.Popen(
        [*COMMAND, "--control-port", "0", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
    assert code == 0


def control(facts: dict[str, Any], path: str, **body: object) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", facts["control_port"], timeout=20)
    connection.request("POST" if path != "/status" else "GET", path, json.dumps(body) if body else None)
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


class RawClient:
    """A client of a few bytes, connected over TCP."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._line.sendall(b"API\0" + frame(b"v157..176") + frame(b"71\x002\x005\0\0"))
        self._frames, self.told = FrameDecoder(), list[list[str]]()
        self.until(lambda fields: fields[0] == "4")

    def ask(self, *fields: object) -> None:
        self._line.sendall(frame("".join(f"{field}\0" for field in fields).encode()))

    def until(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """The first message of the kind, of those told and of those to come."""
        while not any(map(wanted, self.told)):
            data = self._line.recv(65536)
            assert data, f"hung up on after {self.told[-3:]}"
            self.told += [split(payload) for payload in self._frames.feed(data)]
        return next(filter(wanted, self.told))

    def is_hung_up_on(self) -> bool:
        while data := self._line.recv(65536):
            self.told += [split(payload) for payload in self._frames.feed(data)]
        self._line.close()
        return True


def test_a_scripted_gateway_is_steered_over_its_control_port(tmp_path: Path) -> None:
    faults, script = tmp_path / "faults.json", tmp_path / "script.toml"
    faults.write_text(json.dumps({"fault": [{"kind": "notice", "code": 2110, "after_s": 30}]}))
    script.write_text("[[path]]\nat = '10:05'\nspx_pct = -5\n[[event]]\nkind = 'halt'\nsymbol = 'SPX'\n"
                      "after_s = 60\nfor_s = 600\n[account]\nnot_subscribed = ['SPX']\n")  # fmt: skip
    with served("--speed", "0", "--faults", str(faults), "--script", str(script)) as facts:
        assert facts["market_time"] == "2026-03-02T10:00:00-05:00"
        client = RawClient(facts["port"])
        client.ask(1, 11, 4, *SPX, 0, "", 0, 0, "")
        assert client.until(lambda fields: fields[:3] == ["4", "2", "4"])[3] == "354"
        assert control(facts, "/advance", seconds=90)["market_time"].startswith("2026-03-02T15:01:30")
        found = control(facts, "/status")
        assert (found["halted"], found["faults_struck"]) == (["SPX"], {"halt": 1, "notice": 1})
        assert client.until(lambda fields: fields[0] == "4" and fields[3] == "2110")
        assert control(facts, "/error", code=2103, text="a farm is gone", client=5) == {"clients": 1}
        assert client.until(lambda fields: fields[0] == "4" and fields[3:5] == ["2103", "a farm is gone"])
        assert control(facts, "/drop", client=5) == {"clients": 1}
        assert client.is_hung_up_on()


def test_a_gateway_opens_at_its_time_and_runs_at_its_speed() -> None:
    called = wall_now()
    with served("--at", "2026-03-03T13:00", "--speed", "600", "--faults", "seed:3") as facts:
        opened = datetime.fromisoformat("2026-03-03T13:00:00-05:00")
        passed = datetime.fromisoformat(facts["market_time"]) - opened
        assert timedelta(0) <= passed <= 600 * (wall_now() - called)
        instants = []
        for _ in range(2):
            asked = wall_now()
            found = datetime.fromisoformat(control(facts, "/status")["market_time"])
            instants.append((asked, found, wall_now()))
            time.sleep(0.2)
        (first_asked, first, first_told), (asked, second, told) = instants
        moved = second - first
        assert 600 * (asked - first_told) <= moved <= 600 * (told - first_asked)


def test_the_examples_of_the_documentation_are_read_as_they_stand(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
    opened = datetime(2026, 3, 2, 10, 0, tzinfo=MARKET_TZ)
    plan, script = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "plan.toml").write_text(plan, encoding="utf-8")
    (tmp_path / "script.toml").write_text(script, encoding="utf-8")
    assert [fault.kind.value for fault in read_plan(str(tmp_path / "plan.toml"), opened).faults] == [
        "delay",
        "connectivity",
        "restart",
    ]
    read = read_script(tmp_path / "script.toml", opened)
    assert ([point.spx_pct for point in read.market.points], len(read.events)) == ([0.0, 0.0, -5.0], 1)
