"""docs/faults.md says what the tests show: every fault of the catalogue, each test by a name that exists."""

import json

from tests.scenarios.faults.page import FIRED, PAGE, rows, unknown_tests, written
from tests.scenarios.faults.plans import KINDS

COUNTS = {"A": 26, "B": 20, "C": 26, "D": 14, "E": 22, "F": 11, "G": 11, "H": 18, "I": 9}


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), (
        "python -m tests.scenarios.faults.page writes it anew"
    )


def test_every_fault_is_there_with_a_test_that_exists_or_a_reason() -> None:
    found = rows()
    numbers = [row.number for row in found]
    assert numbers == [f"{letter}{n:02}" for letter, count in COUNTS.items() for n in range(1, count + 1)]
    assert [row.number for row in found if bool(row.tests) == bool(row.missing)] == []
    assert unknown_tests(found) == []


def test_every_kind_of_fault_struck_in_the_recorded_sessions() -> None:
    recorded = json.loads(FIRED.read_text(encoding="utf-8"))
    if recorded["sessions"]:
        assert [kind for kind in KINDS if not recorded["fired"].get(kind)] == []
    assert {kind for row in rows() for kind in row.seeds} <= set(KINDS)
