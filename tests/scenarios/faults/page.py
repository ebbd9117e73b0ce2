"""docs/faults.md out of the catalogue: every fault, the tests that show it, and how often seeds struck it.

`python -m tests.scenarios.faults.page` writes it anew. Strikes are those of `make faults RECORD=yes`.
"""

import ast
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.scenarios.faults.planted import BUGS

HERE = Path(__file__).parent
TESTS = HERE.parent.parent
PAGE = TESTS.parent / "docs" / "faults.md"
FIRED = HERE / "fired.json"
ROOMS = {
    "A": "Connection and session",
    "B": "Market data",
    "C": "The life of an order",
    "D": "Combinations, legs, expiry",
    "E": "Crashes, restarts, resources",
    "F": "Time and calendar",
    "G": "Configuration, operator, governance",
    "H": "Network, logs, secrets",
    "I": "Historical and published data",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `tests` are (file, function) below tests/; `missing` says why there is none."""

    number: str
    fault: str
    expected: str
    tests: tuple[tuple[str, str], ...]
    seeds: tuple[str, ...]
    missing: str


def rows() -> list[Row]:
    """The catalogue."""
    document = tomllib.loads((HERE / "catalogue.toml").read_text(encoding="utf-8"))
    return [_row(number, body) for number, body in document.items()]


def unknown_tests(found: list[Row]) -> list[str]:
    """Tests that the catalogue names and nobody has written."""
    return [
        f"{row.number}: {file}::{name}"
        for row in found
        for file, name in row.tests
        if name not in _functions(TESTS / file)
    ]


def written() -> str:
    """The page as it has to stand."""
    found, struck = rows(), json.loads(FIRED.read_text(encoding="utf-8"))
    shown = sum(bool(row.tests) for row in found)
    lines = [
        "# Faults and what shows that they are survived",
        "",
        "Written by `python -m tests.scenarios.faults.page` from `tests/scenarios/faults/catalogue.toml`;",
        "a test compares the two and looks for every test that is named. *Seeded* names the kinds of faults",
        f"with which `make faults` strikes at random{_recorded(struck)}. 28 invariants are judged after",
        "every event of those sessions, and `tests/scenarios/test_planted_bugs.py` plants a bug for each of",
        "them that has to be found.",
        "",
        f"{shown} of {len(found)} faults have a test that passes in every check; the others say why not.",
    ]
    for letter, title in ROOMS.items():
        lines += ["", f"## {letter}. {title}", "", "| | fault | what has to happen | seeded | shown by |"]
        lines.append("|---|---|---|---|---|")
        lines += [_line(row, struck["fired"]) for row in found if row.number[0] == letter]
    lines += ["", "## Planted bugs", "", "| invariant | bug that has to be found |", "|---|---|"]
    lines += [f"| {bug.invariant} | {bug.name} |" for bug in sorted(BUGS, key=lambda bug: bug.invariant)]
    return "\n".join(lines) + "\n"


def _recorded(struck: dict[str, Any]) -> str:
    return f", and how often in {struck['sessions']} sessions" if struck["sessions"] else ""


def _line(row: Row, struck: dict[str, int]) -> str:
    times = sum(struck.get(kind, 0) for kind in row.seeds)
    seeded = f"{times} ({', '.join(row.seeds)})" if times else ", ".join(row.seeds) or "–"
    if row.missing:
        return f"| {row.number} | {row.fault} | – | {seeded} | *not shown:* {row.missing} |"
    shown = "<br>".join(f"`{file.removesuffix('.py')}` {_words(name)}" for file, name in row.tests)
    return f"| {row.number} | {row.fault} | {row.expected} | {seeded} | {shown} |"


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _row(number: str, body: dict[str, Any]) -> Row:
    tests = []
    for one in body.get("tests", ()):
        file, _, name = one.partition("::")
        tests.append((f"{file}.py", f"test_{name}"))
    seeds = tuple(body.get("seeds", ()))
    return Row(number, body["fault"], body.get("expected", ""), tuple(tests), seeds, body.get("missing", ""))


@cache
def _functions(file: Path) -> frozenset[str]:
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
