"""Conversations of raw clients: greeting, broken input, reference data, notices."""

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.gateway import Gateway
from simulator.wire import frame
from tests.simulator.fixture_venue import (
    ACCOUNT,
    NOBODY,
    SPX,
    Clock,
    Line,
    codes,
    condor,
    encode,
    market_data,
    messages,
    open_gateway,
    place,
)


@pytest.mark.parametrize(
    ("versions", "agreed"),
    [(b"v157..178", "176"), (b"v157..176", "176"), (b"v100..226 +PACEAPI", "176"), (b"v160", "160")],
)
def test_the_version_is_the_newest_both_sides_know(gateway: Gateway, versions: bytes, agreed: str) -> None:
    line = Line(gateway, client_id=-1, versions=versions)
    assert messages(line.sent) == [[agreed, "20200302 10:00:00 EST"]]


@pytest.mark.parametrize("versions", [b"v177..226", b"v100..150", b"hello", b"", b"v..", b"v99999"])
def test_a_client_without_a_common_version_is_hung_up_on(gateway: Gateway, versions: bytes) -> None:
    line = Line(gateway, client_id=-1, versions=versions)
    assert (line.closed, line.sent) == (True, b"")


def test_a_connection_that_does_not_greet_is_closed(gateway: Gateway) -> None:
    line = Line(gateway, client_id=-1)
    other = gateway.connect(line._take, line._close)
    other.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert line.closed


def test_the_gateway_says_nothing_before_the_client_starts(gateway: Gateway) -> None:
    line = Line(gateway, client_id=-1)
    assert line.ask(61, 1) == []


def test_starting_brings_accounts_next_order_id_and_the_farms(gateway: Gateway) -> None:
    line = Line(gateway, client_id=-1)
    found = line.ask(71, 2, 7, "")
    assert found[:2] == [["15", "1", ACCOUNT], ["9", "1", "1"]]
    assert codes(found) == [("-1", "2104"), ("-1", "2106"), ("-1", "2158")]
    assert gateway.clients == (7,)


def test_a_second_client_with_the_same_id_gets_326_and_is_hung_up_on(gateway: Gateway) -> None:
    first, second = Line(gateway), Line(gateway)
    assert codes(messages(second.sent)[1:]) == [("-1", "326")]
    assert (second.closed, first.closed) == (True, False)
    gateway.disconnect(first.session)
    assert not Line(gateway).closed


def test_a_conversation_does_not_depend_on_segmentation() -> None:
    script = b"API\0" + frame(b"v157..178") + encode(71, 2, 7, "") + encode(61, 1) + encode(*market_data(4))
    whole, single = open_gateway(own_market=True), open_gateway()
    sent: dict[int, bytes] = {0: b"", 1: b""}

    def keep(index: int) -> Any:
        def take(data: bytes) -> None:
            sent[index] += data

        return take

    whole.connect(keep(0), lambda: None).receive(script)
    session = single.connect(keep(1), lambda: None)
    for index in range(len(script)):
        session.receive(script[index : index + 1])
    assert sent[0] == sent[1]
    assert len(sent[0]) > 300


def test_equal_conversations_give_equal_bytes() -> None:
    def trace() -> bytes:
        clock = Clock()
        gateway = open_gateway(clock)
        line = Line(gateway)
        line.ask(6, 2, 1, ACCOUNT)
        for req_id, leg in enumerate(condor(gateway), start=10):
            line.ask(
                *market_data(req_id, (leg.con_id, *SPX[1:2], "", "", "0.0", "", "", "SMART", "", "", "", ""))
            )
        line.session.receive(place(1, condor(gateway), 5.0))
        for _ in range(5):
            clock.pass_by(10.0)
            gateway.step()
        return line.sent

    first = trace()
    assert first == trace()
    assert len(first) > 3000


def test_a_misread_order_is_refused_with_its_own_id_and_never_placed(gateway: Gateway) -> None:
    line = Line(gateway)
    whole = place(1, condor(gateway), 5.0)[4:]
    before = len(line.sent)
    line.session.receive(frame(whole + b"1\0"))
    assert codes(line.fresh(before)) == [("1", "320")]
    assert "Version mismatch" in line.fresh(before)[0][4]
    assert gateway.venue.open_orders(None) == []
    assert gateway.venue.completed_orders() == []


def test_a_corrupt_length_ends_the_connection(gateway: Gateway) -> None:
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(struct.pack(">I", 2_000_000_000))
    assert codes(line.fresh(before)) == [("-1", "320")]
    assert line.closed
    line.session.receive(encode(61, 1))
    assert len(line.fresh(before)) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=60).map(frame), st.binary(max_size=30)), max_size=6))
def test_garbage_never_raises(gateway: Gateway, chunks: list[bytes]) -> None:
    client_id = 1000 + len(gateway._connections)
    line = Line(gateway, client_id)
    for chunk in chunks:
        line.session.receive(chunk)
    gateway.step()
    assert isinstance(messages(line.sent), list)


def test_unserved_and_unknown_requests_are_answered_with_errors(gateway: Gateway) -> None:
    line = Line(gateway)
    assert codes(line.ask(100, 31)) == [("31", "322")]
    assert codes(line.ask(9999, 31)) == [("-1", "320")]
    assert line.ask(101, 31) == []


def test_an_unknown_contract_is_200_and_a_combo_321(gateway: Gateway) -> None:
    line = Line(gateway)
    assert codes(line.ask(9, 8, 5, *NOBODY, 0, "", "", "")) == [("5", "200")]
    bag = (0, "SPX", "BAG", "", "0.0", "", "", "SMART", "", "USD", "", "")
    assert codes(line.ask(9, 8, 5, *bag, 0, "", "", "")) == [("5", "321")]
    empty = (0, "", "OPT", "", "0.0", "", "", "SMART", "", "USD", "", "")
    assert codes(line.ask(9, 8, 5, *empty, 0, "", "", "")) == [("5", "321")]


def test_an_am_settled_option_is_found_by_its_last_trading_day_only(gateway: Gateway) -> None:
    line = Line(gateway)

    def ask(expiry: str) -> list[list[str]]:
        return line.ask(
            9, 8, 5, 0, "SPX", "OPT", expiry, "3000.0", "P", "", "SMART", "", "USD", "", "SPX", 0, "", "", ""
        )

    found = ask("20200416")
    assert [m[0] for m in found] == ["10", "52"]
    assert found[0][4] == "20200416"
    assert codes(ask("20200417")) == [("5", "200")]


def test_a_vix_future_is_found_by_class_and_month(gateway: Gateway) -> None:
    line = Line(gateway)
    query = (0, "VIX", "FUT", "202004", "0.0", "", "", "CFE", "", "USD", "", "VX")
    found = line.ask(9, 8, 5, *query, 0, "", "", "")
    assert [m[0] for m in found] == ["10", "52"]
    assert (found[0][2], found[0][4], found[0][14]) == ("VIX", "20200415", "1000")


def test_chains_rules_and_symbols_are_answered(gateway: Gateway) -> None:
    line = Line(gateway)
    chains = line.ask(78, 5, "SPX", "", "IND", 416904)
    assert {m[4] for m in chains[:-1]} == {"SPX", "SPXW"}
    assert chains[-1] == ["76", "5"]
    assert codes(line.ask(78, 5, "SPX", "", "IND", 1)) == [("5", "200")]
    assert line.ask(91, 110) == [["93", "110", "2", "0.0", "0.05", "3.0", "0.1"]]
    assert codes(line.ask(91, 99999)) == [("-1", "321")]
    assert line.ask(81, 5, "spx")[0][:6] == ["79", "5", "1", "416904", "SPX", "IND"]


def test_the_current_time_is_the_clocks(gateway: Gateway, clock: Clock) -> None:
    clock.pass_by(3.0)
    assert Line(gateway).ask(49, 1) == [["49", "1", str(int(clock.now.timestamp()))]]


def test_a_system_notice_reaches_every_client(gateway: Gateway) -> None:
    lines = [Line(gateway, 7), Line(gateway, 8)]
    marks = [len(line.sent) for line in lines]
    gateway.notify(1100, "Connectivity between IB and Trader Workstation has been lost.")
    for line, mark in zip(lines, marks, strict=True):
        assert codes(line.fresh(mark)) == [("-1", "1100")]


def test_a_clock_that_goes_back_leaves_the_market_where_it_is(gateway: Gateway, clock: Clock) -> None:
    clock.pass_by(60.0)
    gateway.step()
    reached = gateway.venue.market.now
    clock.pass_by(-30.0)
    gateway.step()
    assert gateway.venue.market.now == reached


def test_a_lost_client_is_forgotten_and_its_orders_stay(gateway: Gateway) -> None:
    line = Line(gateway)
    line.session.receive(place(1, condor(gateway), -45.0))
    gateway.disconnect(line.session)
    sent = line.sent
    gateway.step()
    assert (gateway.clients, line.sent) == ((), sent)
    assert len(gateway.venue.open_orders(7)) == 1
