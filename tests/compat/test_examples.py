"""The example for whichever client library is installed buys its condor, run as its reader would run it."""

import importlib.util
import re
import socket
import subprocess
import sys

import pytest

from tests.compat.counterpart import ACCOUNT, ROOT, USUAL_PYTHON, gateway

LIBRARY = next(name for name in ("ib_async", "ib_insync", "ibapi") if importlib.util.find_spec(name))
PATIENCE_S = 120.0

#: What it prints, in order.
STORY = (
    rf"connected to {ACCOUNT}, server version 176",
    r"SPX \d+\.\d\d, \d+ expiries, condor of \d{8}",
    *[r"SPXW  \d{6}[CP]\d{8}  \d+\.\d\d / \d+\.\d\d  delta -?0\.\d{3}"] * 4,
    r"what if: initial margin \+[\d,]+\.\d\d USD, commission \d+\.\d\d",
    r"order [1-9]\d*: Filled at -?\d+\.\d\d",
    *[r"(BOT|SLD) 1 SPXW  \d{6}[CP]\d{8} at \d+\.\d\d, commission \d+\.\d\d"] * 4,
    r"4 positions",
)

if not USUAL_PYTHON.exists():
    pytest.skip("the environment of the gateway is not made: make .venv", allow_module_level=True)


def test_the_example_quotes_asks_for_margin_and_buys_a_condor() -> None:
    script = ROOT / "examples" / f"condor_{LIBRARY}.py"
    with gateway() as running:
        told = subprocess.run(
            [sys.executable, script, "--port", str(running.port)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert told.returncode == 0, told.stdout + told.stderr
    lines = told.stdout.splitlines()
    assert len(lines) == len(STORY), told.stdout + told.stderr
    for line, wanted in zip(lines, STORY, strict=True):
        assert re.fullmatch(wanted, line), f"{line!r} is not {wanted}"


def test_without_a_gateway_it_says_so_in_one_sentence_and_ends_with_69() -> None:
    script = ROOT / "examples" / f"condor_{LIBRARY}.py"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = subprocess.run(
        [sys.executable, script, "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (told.returncode, told.stdout) == (69, ""), told.stdout + told.stderr
    (sentence,) = told.stderr.splitlines()
    assert sentence.startswith(f"no gateway answers at 127.0.0.1:{port}")
    assert f"`alvh gateway --port {port}`" in sentence


def test_each_library_has_an_example_that_the_page_names() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for library in ("ib_async", "ib_insync", "ibapi"):
        assert (ROOT / "examples" / f"condor_{library}.py").exists()
        assert f"examples/condor_{library}.py" in page
