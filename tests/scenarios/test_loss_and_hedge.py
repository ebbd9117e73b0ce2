"""The day a limit is breached is the day the hedge is for: reduced trading still lets a fired layer buy."""

from datetime import date, datetime, timedelta
from pathlib import Path

import orjson

from bot.journal.writer import Record, read_records
from config.rules import Rules
from market.sessions import MARKET_TZ
from tests.scenarios.test_sessions import at, shock
from tests.scenarios.virtual_house import VirtualHouse

#: One condor may lose 1.2 % of the account at most, so 2 % in a day takes a book of several weeks.
DAILY_LOSS = 0.0008
BREACH, PURCHASE = date(2026, 3, 4), date(2026, 3, 5)


def market_day(record: Record) -> date:
    return datetime.fromisoformat(record.time).astimezone(MARKET_TZ).date()


def house_of_little_loss(folder: Path) -> VirtualHouse:
    house = shock(folder)
    rules = house.rules.model_dump(mode="json")
    rules["risk"]["daily_loss_max_fraction"] = DAILY_LOSS
    house.rules = Rules.model_validate_json(orjson.dumps(rules))
    house.start, house.interval_s = at(1, 8, 50), 60.0
    return house


def test_a_daily_loss_and_a_fire_of_the_near_term_layer_on_one_day_still_open_the_tranche(
    tmp_path: Path,
) -> None:
    house = house_of_little_loss(tmp_path)
    state, _ = house.run([], at(3, 10, 30) + timedelta(minutes=30))
    told = [record for record in read_records(house.journal) if record.kind == "Decision"]
    breaches = [r for r in told if r.body["verb"] == "state" and r.body["reason"].startswith("loss:")]
    assert {BREACH, PURCHASE} <= {market_day(record) for record in breaches}
    (fire,) = [record for record in told if record.body["verb"] == "fire"]
    assert fire.body["session"] == str(BREACH)
    (opened,) = [r for r in told if r.body["verb"] == "open" and r.body["strategy"] == "near_term"]
    assert (market_day(opened), opened.body["trading"]) == (PURCHASE, "reducing")
    assert all(check["passed"] for check in opened.body["checks"])
    bought = [one for one in state.structures.values() if one.strategy == "near_term" and one.quantity]
    assert bought, "the tranche is held"
    condors = [r for r in told if r.body["verb"] == "open" and r.body["strategy"] == "iron_condor"]
    assert all(record.body["trading"] == "active" for record in condors)
