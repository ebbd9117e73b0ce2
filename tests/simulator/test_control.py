"""The control port and the pytest fixture: a running gateway, steered from outside."""

import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB, Index

from simulator.running import OPENS_AT, Opening, RunningGateway

ROOT = Path(__file__).parent.parent.parent


def ask(
    gateway: RunningGateway, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.control_port, timeout=10)
    try:
        text = body if isinstance(body, str) else None if body is None else json.dumps(body)
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def held() -> Any:
    with RunningGateway(Opening(speed=0.0)) as gateway:
        yield gateway


def test_status_says_what_goes_on(held: RunningGateway) -> None:
    status, found = ask(held, "GET", "/status")
    assert status == 200
    assert (found["account"], found["speed"], found["clients"]) == ("DU0000000", 0.0, [])
    assert set(found) >= {"market_time", "open_orders", "executions", "halted", "faults_struck"}


def test_held_time_moves_only_when_it_is_advanced(held: RunningGateway) -> None:
    before = ask(held, "GET", "/status")[1]["market_time"]
    assert ask(held, "GET", "/status")[1]["market_time"] == before
    status, found = ask(held, "POST", "/advance", {"seconds": 61.5})
    assert status == 200
    assert found["market_time"] > before
    assert ask(held, "GET", "/status")[1]["market_stands_at"] == found["market_time"]


def test_time_is_not_advanced_farther_than_the_limit_and_stays_where_it_is(held: RunningGateway) -> None:
    before = ask(held, "GET", "/status")[1]["market_time"]
    status, found = ask(held, "POST", "/advance", {"seconds": 34_560_001})
    assert (status, found["error"]) == (
        400,
        "time is advanced by up to 34,560,000 seconds (400 days) at once, not by 34,560,001",
    )
    assert ask(held, "GET", "/status")[1]["market_time"] == before


def test_time_that_runs_cannot_be_advanced() -> None:
    with RunningGateway() as gateway:
        status, found = ask(gateway, "POST", "/advance", {"seconds": 60})
        assert (status, "--speed 0" in found["error"]) == (409, True)
        with pytest.raises(ValueError, match="runs by itself"):
            gateway.advance(60.0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/advance", {"seconds": -1}, 400),
        ("POST", "/advance", {"seconds": "long"}, 400),
        ("POST", "/advance", {"seconds": 1e11}, 400),
        ("POST", "/advance", "no json", 400),
        ("POST", "/advance", [1], 400),
        ("GET", "/advance", None, 405),
        ("POST", "/status", None, 405),
        ("POST", "/nothing", None, 404),
        ("POST", "/error", {"code": "x"}, 400),
        ("POST", "/error", {"code": 1100, "text": 3}, 400),
        ("POST", "/drop", {"client": "all"}, 400),
        ("POST", "/fault", {"kind": "explode"}, 400),
        ("POST", "/fault", {"kind": "drop"}, 400),
        ("POST", "/reset", {"cash_usd": 0}, 400),
        ("POST", "/error", "x" * 70_000, 413),
    ],
)
def test_requests_that_make_no_sense_are_refused_with_a_reason(
    held: RunningGateway, method: str, path: str, body: object, status: int
) -> None:
    answered, found = ask(held, method, path, body)
    assert answered == status
    assert found["error"]


def test_a_page_in_a_browser_cannot_steer_the_gateway(held: RunningGateway) -> None:
    assert ask(held, "POST", "/drop", {}, Origin="http://example.com")[0] == 403
    assert ask(held, "POST", "/drop", {}, Host="example.com")[0] == 403


async def test_a_client_sees_what_is_done_to_the_gateway(held: RunningGateway) -> None:
    ib, told = IB(), []
    ib.errorEvent += lambda req_id, code, text, *_: told.append((req_id, code, text))
    await ib.connectAsync(held.host, held.port, clientId=5, timeout=20)
    spx = Index("SPX", "CBOE", "USD")
    await ib.qualifyContractsAsync(spx)
    assert ask(held, "POST", "/error", {"code": 2110, "text": "Hello", "client": 5})[1] == {"clients": 1}
    assert ask(held, "POST", "/error", {"code": 2110, "text": "Nobody", "client": 6})[1] == {"clients": 0}
    assert ask(held, "POST", "/fault", {"kind": "notice", "code": 1100})[1] == {"armed": "notice"}
    before = await ib.reqCurrentTimeAsync()
    held.advance(3600.0)
    after = await ib.reqCurrentTimeAsync()
    assert (after - before).total_seconds() == pytest.approx(3600.0, abs=1.0)
    assert [(code, text) for _, code, text in told if code in {2110, 1100}] == [
        (2110, "Hello"),
        (1100, "Connectivity between IB and Trader Workstation has been lost."),
    ]
    assert held.status()["faults_struck"] == {"notice": 1}
    gone = ib.disconnectedEvent
    assert ask(held, "POST", "/drop", {"client": 5})[1] == {"clients": 1}
    if ib.isConnected():
        await gone
    assert not ib.isConnected()


def test_the_account_starts_over(held: RunningGateway) -> None:
    assert ask(held, "POST", "/reset", {"cash_usd": 250_000})[1] == {"cash_usd": 250_000.0}
    values = dict(held.call(lambda box: [(k, v) for k, v, _ in box.gateway.venue.account_values()]))
    assert values["NetLiquidation"] == "250000.00"


def test_market_time_runs_as_fast_as_it_was_told_to() -> None:
    with RunningGateway(Opening(speed=3600.0)) as gateway:
        reached = gateway.call(lambda box: box.clock.now())
        again = gateway.call(lambda box: box.clock.now())
        assert again >= reached > OPENS_AT


def test_a_gateway_stops_twice_without_complaint() -> None:
    gateway = RunningGateway(Opening(speed=0.0))
    gateway.stop()
    gateway.stop()


def test_the_fixture_and_the_documentations_example_give_other_projects_a_gateway(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        "from ib_async import IB\n"
        "@pytest.mark.alvh(seed=7, speed=0, account='DU1234567')\n"
        "def test_mine(alvh_gateway):\n"
        "    ib = IB()\n"
        "    ib.connect(alvh_gateway.host, alvh_gateway.port, clientId=1)\n"
        "    assert ib.managedAccounts() == ['DU1234567']\n"
        "    assert alvh_gateway.status()['clients'] == [1]\n"
        "    ib.disconnect()\n"
        "def test_plain(alvh_gateway):\n"
        "    assert alvh_gateway.account == 'DU0000000'\n"
        "@pytest.mark.alvh(sed=7)\n"
        "def test_misspelt(alvh_gateway):\n"
        "    pass\n",
        encoding="utf-8",
    )
    text = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "test_documentation.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "simulator.pytest_plugin",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "3 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "the gateway cannot be opened: Opening.__init__() got an unexpected keyword" in done.stdout
