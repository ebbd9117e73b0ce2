"""The table in docs/clients.md: which message of the protocol was exchanged with which client.

Each run of the conformance suite knows what went over its line and holds that against its column. With
ALVH_WRITE_MESSAGES=1 it writes the column instead.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "clients.md"
LIBRARIES = ("ib_async", "ib_insync", "ibapi")
MARK = "yes"


@dataclass(frozen=True)
class Exchanged:
    """Numbers of the messages that a client sent, and that it was sent."""

    asked: frozenset[int]
    told: frozenset[int]


@dataclass
class _Row:
    direction: str
    number: int
    name: str
    marks: dict[str, str]

    def text(self) -> str:
        cells = (self.direction, str(self.number), self.name, *(self.marks[one] for one in LIBRARIES))
        return f"| {' | '.join(cells)} |"


def rows(page: str) -> dict[int, _Row]:
    """The table's rows by their line in the page."""
    found = {}
    for number, line in enumerate(page.splitlines()):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and cells[0] in {"asks", "tells"}:
            found[number] = _Row(
                cells[0], int(cells[1]), cells[2], dict(zip(LIBRARIES, cells[3:], strict=True))
            )
    return found


def check_or_write(library: str, exchanged: Exchanged) -> None:
    """Hold a run against its column. One that is named and did not pass fails, and the reverse."""
    page = PAGE.read_text(encoding="utf-8")
    table = rows(page)
    seen: Mapping[str, frozenset[int]] = {"asks": exchanged.asked, "tells": exchanged.told}
    named = {(row.direction, row.number) for row in table.values()}
    strangers = {(way, number) for way, numbers in seen.items() for number in numbers} - named
    assert not strangers, f"docs/clients.md has no row for {sorted(strangers)}"
    if os.environ.get("ALVH_WRITE_MESSAGES"):
        lines = page.splitlines()
        for place, row in table.items():
            row.marks[library] = MARK if row.number in seen[row.direction] else ""
            lines[place] = row.text()
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        pytest.skip("the column is written")
    wrong = [
        f"{row.direction} {row.number} {row.name}"
        for row in table.values()
        if (row.marks[library] == MARK) != (row.number in seen[row.direction])
    ]
    assert not wrong, (
        f"docs/clients.md is out of date for {library}: {wrong}; ALVH_WRITE_MESSAGES=1 renews it"
    )
