"""`alvh gateway` with its controls: what it says when it starts, how it is steered, and how it refuses."""

import http.client
import json
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from market.sessions import MARKET_TZ
from simulator.faults import read_plan
from simulator.script import read_script

COMMAND = [sys.executable, "-c", "from bot.control.cli import main; main()", "gateway", "--port", "0"]


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--faults", "seed:x"), "a seed is a whole number"),
        (("--faults", "nowhere.toml"), "nowhere.toml: No such file"),
        (("--script", "nowhere.toml"), "nowhere.toml: No such file"),
        (("--speed", "200000"), "a speed of 200000 is outside 0 to 100000"),
    ],
)
def test_controls_that_make_no_sense_end_it_with_78(arguments: tuple[str, ...], complaint: str) -> None:
    code, told = refused(*arguments)
    assert code == 78
    assert complaint in told


def test_a_script_cannot_go_on_with_a_kept_account(tmp_path: Path) -> None:
    code, told = refused("--script", "any.toml", "--state", str(tmp_path / "state"))
    assert (code, "--state" in told) == (78, True)
    assert not (tmp_path / "state").exists()


def test_a_scripted_gateway_is_steered_over_its_control_port(tmp_path: Path) -> None:
    faults, script = tmp_path / "faults.json", tmp_path / "script.toml"
    faults.write_text(json.dumps({"fault": [{"kind": "notice", "code": 2110, "after_s": 30}]}))
    script.write_text("[[path]]\nat = '10:05'\nspx_pct = -5\n[[event]]\nkind = 'halt'\nsymbol = 'SPX'\n"
                      "after_s = 60\nfor_s = 600\n")  # fmt: skip
    extra = ["--speed", "0", "--control-port", "0", "--faults", str(faults), "--script", str(script)]
    process = subprocess.Popen([*COMMAND, *extra], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["market_time"] == "2026-03-02T10:00:00-05:00"
        connection = http.client.HTTPConnection("127.0.0.1", facts["control_port"], timeout=20)
        connection.request("POST", "/advance", json.dumps({"seconds": 90}))
        assert json.loads(connection.getresponse().read())["market_time"].startswith("2026-03-02T15:01:30")
        connection.close()
        connection.request("GET", "/status")
        found = json.loads(connection.getresponse().read())
        assert (found["halted"], found["faults_struck"]) == (["SPX"], {"halt": 1, "notice": 1})
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
    assert code == 0


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
