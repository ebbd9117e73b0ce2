"""The same seed gives the same journal to the last byte: in other processes, under other hash seeds, with
fewer vector instructions. Another seed gives another journal.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.processes import run_once

# Vector instructions by the names numpy has for them; which ones it knows depends on its version.
_WIDE = ("X86_V3", "X86_V4", "AVX2", "AVX512", "FMA3")


def lesser_processor() -> str:
    """What numpy can be told not to use here: names it knows, dispatches on, and finds on this processor."""
    built: Any = import_module("numpy._core._multiarray_umath")
    used = [name for name in built.__cpu_dispatch__ if built.__cpu_features__.get(name, False)]
    return " ".join(name for name in used if name.startswith(_WIDE))


def demo(folder: Path, seed: int, **variables: str) -> dict[str, Any]:
    words = [
        "demo",
        "--seed",
        str(seed),
        "--days",
        "2",
        "--interval",
        "60",
        "--json",
        "--journal",
        str(folder),
    ]
    done = run_once(words, variables)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    figures = demo(tmp_path_factory.mktemp("reference") / "journal", 7, PYTHONHASHSEED="0")
    assert figures["orders"]
    assert figures["fills"]
    return figures


def test_another_hash_seed_gives_the_same_journal(reference: dict[str, Any], tmp_path: Path) -> None:
    again = demo(tmp_path / "journal", 7, PYTHONHASHSEED="1", TZ="Asia/Tokyo")
    assert again["journal_sha256"] == reference["journal_sha256"]


def test_a_lesser_processor_gives_the_same_journal(reference: dict[str, Any], tmp_path: Path) -> None:
    disabled = lesser_processor()
    if not disabled:
        pytest.skip("numpy uses no wide vectors on this processor that could be switched off")
    again = demo(tmp_path / "journal", 7, PYTHONHASHSEED="0", NPY_DISABLE_CPU_FEATURES=disabled)
    assert again["journal_sha256"] == reference["journal_sha256"]


def test_another_seed_gives_another_journal(reference: dict[str, Any], tmp_path: Path) -> None:
    other = demo(tmp_path / "journal", 8, PYTHONHASHSEED="0")
    assert other["journal_sha256"] != reference["journal_sha256"]
