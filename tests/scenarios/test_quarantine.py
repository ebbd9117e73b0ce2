"""A journal damaged in its midst, with real processes: set aside, halted, and a person's word to go on."""

import json

from bot.journal.writer import read_records, verify
from bot.review.replay import replay
from tests.scenarios.processes import House, run_once
from tests.scenarios.test_halt import operate


def test_a_daemon_whose_orders_stand_behind_damage_starts_halted_and_sends_nothing(house: House) -> None:
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    house.until("decision.book")  # the broker has it
    house.kill(daemon=True)
    records = list(read_records(house.journal))
    placed = next(record for record in records if record.kind == "PlaceOrder")
    segment = house.journal / placed.segment
    segment.write_bytes(segment.read_bytes().replace(placed.raw, placed.raw.replace(b'"time"', b'"tame"', 1)))
    damaged = segment.read_bytes()

    house.start_daemon()
    house.until("alert.journal.quarantined")
    house.ready()
    told = operate(house, "status")[1]
    assert "halted" in told
    assert "set aside in quarantine/0001" in told
    # The order it no longer knows is found at the broker, and is nothing to trade on.
    house.eventually(lambda: "order_ref" in _last_reconciled(house), "the order is not found")
    assert operate(house, "resume", "--reason", "looked at the broker")[0] == 0
    assert house.stop_daemon() == 0

    assert (house.journal / "quarantine" / "0001" / placed.segment).read_bytes() == damaged
    now = list(read_records(house.journal))
    assert [record.raw for record in now[: placed.seq - 1]] == [r.raw for r in records[: placed.seq - 1]]
    assert [record.kind for record in now[placed.seq - 1 :][:3]] == ["Quarantined", "Halted", "Opened"]
    assert verify(house.journal).fault is None
    assert replay(house.journal).divergence is None
    done = run_once(["verify", "--deep", "--json", "--journal", str(house.journal)], {})
    assert done.returncode == 0
    (aside,) = json.loads(done.stdout)["set_aside"]
    assert (aside["kept"], aside["folder"]) == (placed.seq - 1, "quarantine/0001")
    house.stop_gateway()


def _last_reconciled(house: House) -> str:
    found = [record.raw for record in read_records(house.journal) if record.kind == "Reconciled"]
    return found[-1].decode()
