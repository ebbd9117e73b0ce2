"""One limit changed in the rules changes a decision of a recorded day, and the replay names exactly that."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import SHIPPED_RULES
from tests.scenarios.processes import run_once
from tests.scenarios.test_sessions import at, shock


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first morning of the shock: a condor is opened."""
    house = shock(tmp_path_factory.mktemp("recorded"))
    house.run([], at(0, 10, 12))
    return house.journal


def replayed(journal: Path, folder: Path, line: str, replacement: str) -> Any:
    text = SHIPPED_RULES.read_text(encoding="utf-8")
    assert text.count(f"\n{line}") == 1
    other = folder / "other.toml"
    other.write_text(text.replace(f"\n{line}", f"\n{replacement}"), encoding="utf-8")
    done = run_once(["replay", str(journal), "--rules", str(other), "--json"], {})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("line", "replacement", "check"),
    [
        ("margin_max_fraction = 0.40", "margin_max_fraction = 0.01", "margin_usd"),
        ("beta_delta_max_fraction = 0.15", "beta_delta_max_fraction = 0.02", "beta_delta_fraction"),
        ("quick_ratio_min = 1.5", "quick_ratio_min = 100.0", "quick_ratio"),
    ],
)
def test_a_limit_that_is_tightened_turns_the_order_into_a_refusal_and_is_the_only_reason_named(
    journal: Path, tmp_path: Path, line: str, replacement: str, check: str
) -> None:
    found = replayed(journal, tmp_path, line, replacement)
    first = found["changes"][0]
    fields = {field["path"]: (field["recorded"], field["replayed"]) for field in first["fields"]}
    assert (first["strategy"], first["verb"]) == ("iron_condor", "deny")
    assert fields["verb"] == ("hold", "deny")  # in place of the question about margin
    assert fields["reason"][1].endswith(f": {check}")
    judged = {path: values for path, values in fields.items() if path.startswith("checks.")}
    for field in ("value", "limit", "passed"):
        judged.pop(f"checks.margin_told_usd.{field}")  # only asked for when nothing else refuses
    assert set(judged) == {f"checks.{check}.limit", f"checks.{check}.passed"}
    assert judged[f"checks.{check}.passed"] == (True, False)


def test_a_limit_that_binds_nothing_changes_only_itself(journal: Path, tmp_path: Path) -> None:
    found = replayed(journal, tmp_path, "round_trips_per_day_max = 6", "round_trips_per_day_max = 7")
    assert (found["added"], found["missing"]) == (0, 0)
    paths = {field["path"] for change in found["changes"] for field in change["fields"]}
    assert paths == {"checks.round_trips_per_day.limit"}
