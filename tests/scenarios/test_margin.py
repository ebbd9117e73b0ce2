"""A gateway that does not say what margin an order needs, or says it too late: nothing is opened."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.journal.writer import Record, read_records
from simulator.faults import Fault, FaultKind
from tests.scenarios.test_sessions import at, shock

MUTE = Fault(FaultKind.IGNORE, message="placeOrder", times=10_000)
SLOW = Fault(FaultKind.DELAY, message="openOrder", times=10_000, for_s=30.0)


def moment(record: Record) -> datetime:
    return datetime.fromisoformat(record.time)


@pytest.mark.parametrize("fault", [MUTE, SLOW], ids=["muted", "slow"])
def test_without_the_brokers_margin_in_time_nothing_opens_and_the_reason_is_told(
    tmp_path: Path, fault: Fault
) -> None:
    house = shock(tmp_path)
    house.faults = (fault,)
    state, venue = house.run([], at(0, 10, 12))  # replay and the venue's books are proved on the way
    records = list(read_records(house.journal))
    kinds = Counter(record.kind for record in records)
    assert kinds["PlaceOrder"] == 0
    assert not venue.orders
    assert not state.orders
    asked = [moment(record) for record in records if record.kind == "AskMargin"]
    assert 2 <= len(asked) <= 13
    assert all(late - early >= timedelta(minutes=1) for early, late in itertools.pairwise(asked))
    told = [record.body for record in records if record.kind == "MarginTold"]
    assert told
    assert all(body["init_margin_change_usd"] is None for body in told)
    assert all("did not finish answering" in body["reason"] for body in told)
    denied = [r.body for r in records if r.kind == "Decision" and r.body["verb"] == "deny"]
    assert any(body["reason"].endswith(": margin_told_usd") for body in denied)


def test_with_the_brokers_margin_the_condor_opens_on_the_greater_figure(tmp_path: Path) -> None:
    house = shock(tmp_path)
    house.run([], at(0, 10, 12))
    records = list(read_records(house.journal))
    (told,) = [record.body for record in records if record.kind == "MarginTold"]
    opened = next(r.body for r in records if r.kind == "Decision" and r.body["verb"] == "open")
    values = {check["name"]: check["value"] for check in opened["checks"]}
    assert values["margin_told_usd"] == told["init_margin_change_usd"] > 0.0
    assert values["margin_usd"] >= values["margin_told_usd"]
