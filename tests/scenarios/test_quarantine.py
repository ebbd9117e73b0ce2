"""A journal damaged in its midst, with real processes: set aside, halted, and a person's word to go on."""

import json

from bot.journal.records import EVENTS
from bot.journal.writer import Record, read_records, verify
from bot.review.replay import replay
from tests.scenarios.processes import House, run_once
from tests.scenarios.test_halt import operate


def damage(house: House, record: Record) -> bytes:
    """Change one letter of a record; its segment as it is then."""
    segment = house.journal / record.segment
    segment.write_bytes(segment.read_bytes().replace(record.raw, record.raw.replace(b'"time"', b'"tame"', 1)))
    return segment.read_bytes()


def test_an_order_that_stands_behind_damage_halts_the_next_start_until_it_is_cancelled(house: House) -> None:
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    house.until("decision.book")  # the broker has it
    house.kill(daemon=True)
    records = list(read_records(house.journal))
    placed = next(record for record in records if record.kind == "PlaceOrder")
    event = [one for one in records[: placed.seq] if one.kind in EVENTS][-1]  # it led to the order
    damaged = damage(house, event)

    house.start_daemon()
    house.until("alert.journal.quarantined")
    house.ready()
    told = operate(house, "status")[1]
    assert "halted" in told
    assert "set aside in quarantine/0001" in told
    code, refused = operate(house, "resume", "--reason", "too early")
    assert (code, placed.body["order_ref"] in refused) == (1, True)
    code, halted = operate(house, "halt", "--reason", "an order nobody knows")
    assert (code, "every order" in halted) == (0, True)
    assert house.stop_daemon() == 0

    blotter = house.stop_gateway()["blotter"]
    assert blotter["working"] == []
    assert [row["request"]["order_ref"] for row in blotter["ended"]] == [placed.body["order_ref"]]
    assert (house.journal / "quarantine" / "0001" / event.segment).read_bytes() == damaged
    now = list(read_records(house.journal))
    assert [one.raw for one in now[: event.seq - 1]] == [one.raw for one in records[: event.seq - 1]]
    assert [one.kind for one in now[event.seq - 1 :][:3]] == ["Quarantined", "Halted", "Opened"]
    assert "PlaceOrder" not in [one.kind for one in now]
    assert verify(house.journal).fault is None
    assert replay(house.journal).divergence is None
    done = run_once(["verify", "--deep", "--json", "--journal", str(house.journal)], {})
    assert done.returncode == 0
    (aside,) = json.loads(done.stdout)["set_aside"]
    assert (aside["kept"], aside["folder"]) == (event.seq - 1, "quarantine/0001")
