"""Other rules show which decisions would differ, and the same rules show none."""

from pathlib import Path
from typing import Any

import pytest

from bot.review.counterfactual import DecisionChange, Kind, decisions_under
from config.loader import load_rules
from config.settings import SHIPPED_RULES
from tests.bot.recorder import record_two_starts


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_two_starts(tmp_path_factory.mktemp("recorded") / "journal")


def changes(folder: Path, section: str = "", **values: Any) -> list[DecisionChange]:
    rules = load_rules(SHIPPED_RULES).model_dump(mode="json")
    if section:
        rules[section].update(values)
    return list(decisions_under(folder, rules, "other"))


def test_the_same_rules_decide_the_same(recorded: Path) -> None:
    assert changes(recorded) == []


def test_a_threshold_out_of_reach_turns_the_fire_into_a_reading(recorded: Path) -> None:
    found = changes(recorded, "l1", backwardation_above_fraction=0.5)
    fire = next(change for change in found if change.strategy == "near_term")
    assert (fire.kind, fire.strategy, fire.verb) == (Kind.CHANGED, "near_term", "read")
    assert fire.acts
    fields = {field.path: (field.recorded, field.replayed) for field in fire.fields}
    assert fields["verb"] == ("fire", "read")
    assert fields["readings.front_backwardation.fired"] == (True, False)
    assert fields["readings.front_backwardation.threshold"] == (0.08, 0.5)
    assert "decision_id" not in fields


def test_a_decision_that_no_longer_happens_is_missing(recorded: Path) -> None:
    found = changes(recorded, "l1", backwardation_above_fraction=0.5)
    holds = [change for change in found if change.verb == "hold" and change.strategy == "near_term"]
    assert [change.kind for change in holds if "listing" in change.reason].count(Kind.MISSING) >= 2
    assert Kind.ADDED not in {change.kind for change in holds}
    assert all(change.place.startswith("0001-2020-02-27.jsonl:") for change in found)


def test_an_earlier_entry_window_is_told_where_the_gate_opens(recorded: Path) -> None:
    found = changes(recorded, "condor", entry_start_time="09:31:00")
    assert any(
        field.path == "gates.entry_window.passed" and (field.recorded, field.replayed) == (False, True)
        for change in found
        for field in change.fields
    )
