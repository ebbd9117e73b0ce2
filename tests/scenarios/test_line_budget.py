"""A small budget of market data lines: kept and told, and a condor still opens while it can be priced."""

from pathlib import Path

import orjson
import pytest

from bot.journal.writer import Record, read_records
from config.rules import Rules
from simulator.entitlements import Entitlements
from tests.scenarios.test_sessions import at, shock
from tests.scenarios.virtual_house import VirtualHouse

ENTERED = at(0, 10, 12)


def house_with(folder: Path, lines_max: int) -> VirtualHouse:
    house = shock(folder)
    rules = house.rules.model_dump(mode="json")
    rules["risk"]["market_data_lines_max"] = lines_max
    house.rules = Rules.model_validate_json(orjson.dumps(rules))
    return house


def records(house: VirtualHouse, kind: str) -> list[Record]:
    return [record for record in read_records(house.journal) if record.kind == kind]


@pytest.mark.parametrize(("lines_max", "opens"), [(45, True), (30, False)])
def test_a_small_budget_is_never_exceeded_and_is_told(tmp_path: Path, lines_max: int, opens: bool) -> None:
    house = house_with(tmp_path, lines_max)
    house.run([], ENTERED)
    assert max(len(record.body["con_ids"]) for record in records(house, "StreamLines")) == lines_max
    short = [r.body["text"] for r in records(house, "Alert") if r.body["name"] == "lines.short"]
    assert short
    assert all(f"{lines_max} lines are not enough" in text and "iron_condor" in text for text in short)
    assert bool(records(house, "PlaceOrder")) is opens


def test_an_account_with_fewer_lines_than_the_rules_say_trades_on_what_it_gets(tmp_path: Path) -> None:
    house = house_with(tmp_path, 100)
    house.entitlements = Entitlements(lines=30)
    state, _ = house.run([], ENTERED)
    assert not records(house, "PlaceOrder"), "strikes that are not quoted are not traded"
    assert state.reconciled
    assert not state.risk.causes
