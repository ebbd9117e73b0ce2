"""Orders of raw clients over the real exchange."""

from simulator.gateway import Gateway
from tests.simulator.fixture_venue import (
    ACCOUNT,
    Clock,
    Line,
    codes,
    condor,
    kinds,
    open_gateway,
    place,
)


def test_a_fill_is_told_in_the_brokers_order(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(61, 1)
    line.ask(6, 2, 1, ACCOUNT)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    told = kinds(line.fresh(before))
    assert told[:4] == ["5", "3:PreSubmitted", "5", "3:Submitted"]
    assert told[4:9] == ["11"] * 5
    assert told[9:11] == ["3:Filled", "5"]
    assert told[11:15] == ["59"] * 4
    assert told[15:19] == ["61"] * 4
    assert set(told[19:]) == {"7", "6", "8"}


def test_every_message_of_an_order_carries_one_permanent_id(gateway: Gateway) -> None:
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    found = line.fresh(before)
    perm_ids = {m[6] for m in found if m[0] == "3"} | {m[21] for m in found if m[0] == "11"}
    perm_ids |= {m[25] for m in found if m[0] == "5"}
    assert len(perm_ids) == 1


def test_a_what_if_is_one_open_order_and_no_status(gateway: Gateway) -> None:
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), -1.0, what_if=True))
    assert kinds(line.fresh(before)) == ["5"]
    assert gateway.venue.open_orders(None) == []


def test_a_cancel_is_told_and_then_error_202(gateway: Gateway) -> None:
    line = Line(gateway)
    line.session.receive(place(1, condor(gateway), -45.0))
    found = line.ask(4, 1, 1, "")
    assert kinds(found)[-1] == "4"
    assert "3:Cancelled" in kinds(found)
    assert codes(found) == [("1", "202")]
    assert codes(line.ask(4, 1, 1, "")) == [("1", "10148")]
    assert codes(line.ask(4, 1, 99, "")) == [("99", "10147")]


def test_an_order_id_used_before_is_103(gateway: Gateway) -> None:
    line = Line(gateway)
    line.session.receive(place(5, condor(gateway), -45.0))
    before = len(line.sent)
    line.session.receive(place(4, condor(gateway), -45.0))
    assert codes(line.fresh(before)) == [("4", "103")]


def test_orders_are_told_to_their_owner_and_to_the_master_client(clock: Clock) -> None:
    gateway = open_gateway(clock, master_client_id=9)
    owner, other, master = Line(gateway, 7), Line(gateway, 8), Line(gateway, 9)
    marks = [len(line.sent) for line in (owner, other, master)]
    owner.session.receive(place(1, condor(gateway), 5.0))
    told = [kinds(line.fresh(mark)) for line, mark in zip((owner, other, master), marks, strict=True)]
    assert told[0] == told[2] != []
    assert told[1] == []


def test_own_all_and_completed_orders_are_listed_with_their_end_markers(gateway: Gateway) -> None:
    owner, other = Line(gateway, 7), Line(gateway, 8)
    owner.session.receive(place(1, condor(gateway), -45.0))
    assert kinds(owner.ask(5, 1)) == ["5", "3:Submitted", "53"]
    assert kinds(other.ask(5, 1)) == ["53"]
    assert kinds(other.ask(16, 1)) == ["5", "3:Submitted", "53"]
    assert kinds(owner.ask(99, 0)) == ["102"]
    owner.ask(58, 1)
    assert kinds(owner.ask(16, 1)) == ["53"]
    assert kinds(owner.ask(99, 0)) == ["101", "102"]


def test_executions_survive_the_client_and_can_be_filtered(gateway: Gateway) -> None:
    first = Line(gateway)
    first.session.receive(place(1, condor(gateway), 5.0))
    gateway.disconnect(first.session)
    line = Line(gateway)
    found = line.ask(7, 3, 5, 0, "", "", "", "", "", "")
    assert kinds(found) == ["11", *["11", "59"] * 4, "55"]
    assert {m[1] for m in found if m[0] == "11"} == {"5"}
    assert found[0][4:6] == ["SPX", "BAG"]
    assert kinds(line.ask(7, 3, 5, 8, "", "", "", "", "", "")) == ["55"]
    assert kinds(line.ask(7, 3, 5, 0, "", "", "", "BAG", "", "")) == ["11", "55"]
    assert kinds(line.ask(7, 3, 5, 0, "", "20200302-23:00:00", "", "", "", "")) == ["55"]
    sells = line.ask(7, 3, 5, 0, "", "", "", "", "", "SELL")
    assert {m[18] for m in sells if m[0] == "11"} == {"SLD"}


def test_only_client_zero_may_bind_orders(gateway: Gateway) -> None:
    assert codes(Line(gateway, 7).ask(15, 1, 1)) == [("-1", "321")]
    assert Line(gateway, 0).ask(15, 1, 1) == []


def test_an_order_before_a_corrupt_frame_in_the_same_segment_is_placed(gateway: Gateway) -> None:
    line = Line(gateway)
    line.session.receive(place(1, condor(gateway), -45.0) + b"\xff\xff\xff\xff")
    assert line.closed
    assert len(gateway.venue.open_orders(7)) == 1
