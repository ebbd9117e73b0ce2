"""Conversations of raw clients with the gateway over the real exchange."""

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ib_async import ComboLeg, Contract, LimitOrder

from market.contract import Right
from simulator.gateway import Gateway
from simulator.market_data import Entitlements
from simulator.model import OrderLeg
from simulator.wire import frame
from tests.simulator.client_library import encoded
from tests.simulator.fixture_venue import (
    ACCOUNT,
    Clock,
    Line,
    contract,
    encode,
    messages,
    open_gateway,
    options,
)

SPX = (416904, "SPX", "IND", "", "0.0", "", "", "CBOE", "", "USD", "", "")
NOBODY = (0, "NOPE", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def codes(found: list[list[str]]) -> list[tuple[str, str]]:
    """(id, code) of the errors among messages."""
    return [(m[2], m[3]) for m in found if m[0] == "4"]


def market_data(req_id: int, fields: tuple[object, ...] = SPX, snapshot: int = 0) -> tuple[object, ...]:
    return (1, 11, req_id, *fields, 0, "", snapshot, 0, "")


def place(
    order_id: int, legs: tuple[OrderLeg, ...], limit: float, quantity: int = 1, what_if: bool = False
) -> bytes:
    combo = [ComboLeg(conId=leg.con_id, ratio=leg.ratio, action=leg.action, exchange="SMART") for leg in legs]
    bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=combo)
    order = LimitOrder("BUY", quantity, limit, tif="DAY", orderRef=f"ref-{order_id}", whatIf=what_if)
    (message,) = encoded(176, lambda client: client.placeOrder(order_id, bag, order))
    return encode(*message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> Gateway:
    return open_gateway(clock)


def condor(gateway: Gateway) -> tuple[OrderLeg, ...]:
    puts = options(gateway, (2800.0, 2850.0))
    calls = options(gateway, (3200.0, 3250.0), Right.CALL)
    actions = ("BUY", "SELL", "SELL", "BUY")
    return tuple(
        OrderLeg(line.contract.con_id, 1, action)
        for line, action in zip([*puts, *calls], actions, strict=True)
    )


# ------------------------------------------------------------------------------------------- greeting


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


# ------------------------------------------------------------------------------------------- broken input


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
    client_id = 1000 + len(gateway._sessions)
    line = Line(gateway, client_id)
    for chunk in chunks:
        line.session.receive(chunk)
    gateway.step()
    assert isinstance(messages(line.sent), list)


def test_unserved_and_unknown_requests_are_answered_with_errors(gateway: Gateway) -> None:
    line = Line(gateway)
    assert codes(line.ask(100, 31)) == [("31", "322")]
    assert codes(line.ask(9999, 31)) == [("-1", "320")]
    assert codes(line.ask(97, 31, *SPX, "BidAsk", 0, 1)) == [("31", "10189")]
    assert codes(line.ask(50, 3, 31, *SPX, 5, "TRADES", 0, "")) == [("31", "420")]
    assert line.ask(101, 31) == []


# ------------------------------------------------------------------------------------------- reference data


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


# ------------------------------------------------------------------------------------------- market data


def test_first_ticks_come_with_the_subscription_and_later_only_changes(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    first = line.ask(*market_data(4))
    assert [m[0] for m in first][:2] == ["58", "81"]
    assert {m[3] for m in first if m[0] == "1"} >= {"4", "9"}
    before = len(line.sent)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(60.0)
    gateway.step()
    assert {m[3] for m in line.fresh(before)} <= {"4", "6", "7"}
    assert "4" in {m[3] for m in line.fresh(before)}


def test_one_write_carries_a_whole_step(gateway: Gateway, clock: Clock) -> None:
    writes: list[bytes] = []
    line = Line(gateway)
    line.session._send = writes.append
    line.session.receive(
        b"".join(
            encode(*market_data(n, contract(o)))
            for n, o in enumerate(options(gateway, [2800.0 + 25 * k for k in range(9)]))
        )
    )
    assert len(writes) == 1
    clock.pass_by(60.0)
    gateway.step()
    assert len(writes) == 2
    assert len(messages(writes[1])) > 9


def test_a_cancelled_line_is_silent_and_an_unknown_one_is_300(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    assert line.ask(2, 2, 4) == []
    assert codes(line.ask(2, 2, 4)) == [("4", "300")]
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert line.fresh(before) == []


def test_a_snapshot_ends_at_once_and_takes_no_line(gateway: Gateway) -> None:
    line = Line(gateway)
    assert line.ask(*market_data(4, snapshot=1))[-1] == ["57", "1", "4"]
    assert codes(line.ask(2, 2, 4)) == [("4", "300")]


def test_duplicate_ids_and_too_many_lines_are_refused() -> None:
    line = Line(open_gateway(entitlements=Entitlements(lines=2)))
    line.ask(*market_data(4))
    assert codes(line.ask(*market_data(4))) == [("4", "102")]
    line.ask(*market_data(5))
    assert codes(line.ask(*market_data(6))) == [("6", "101")]
    line.ask(2, 2, 5)
    assert codes(line.ask(*market_data(6))) == []


def test_data_without_subscription_are_refused() -> None:
    line = Line(open_gateway(entitlements=Entitlements(symbols_not_subscribed={"SPX"})))
    assert codes(line.ask(*market_data(4))) == [("4", "354")]
    line.ask(59, 1, 3)
    assert codes(line.ask(*market_data(4))) == [("4", "10186")]
    assert codes(line.ask(*market_data(5, NOBODY))) == [("5", "200")]


def test_a_competing_session_stops_the_data_until_it_ends(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    before = len(line.sent)
    gateway.compete(elsewhere=True)
    clock.pass_by(60.0)
    gateway.step()
    assert codes(line.fresh(before)) == [("4", "10197")]
    assert codes(line.ask(*market_data(5))) == [("5", "10197")]
    gateway.compete(elsewhere=False)
    before = len(line.sent)
    gateway.step()
    assert {m[0] for m in line.fresh(before)} == {"1"}


def test_the_quote_of_a_combo_is_the_net_of_its_legs(gateway: Gateway) -> None:
    line = Line(gateway)
    legs = condor(gateway)
    rows = [field for leg in legs for field in (leg.con_id, leg.ratio, leg.action, leg.exchange)]
    bag = (0, "SPX", "BAG", "", "0.0", "", "", "SMART", "", "USD", "", "", len(legs), *rows)
    found = line.ask(*market_data(4, bag))
    bid, ask_price = (next(float(m[4]) for m in found if m[0] == "1" and m[3] == side) for side in "12")
    ticks = gateway.venue.market.ticks([leg.con_id for leg in legs])
    bought, sold = (ticks[0], ticks[3]), (ticks[1], ticks[2])
    assert bid == pytest.approx(sum(t.bid or 0.0 for t in bought) - sum(t.ask or 0.0 for t in sold))
    assert ask_price == pytest.approx(sum(t.ask or 0.0 for t in bought) - sum(t.bid or 0.0 for t in sold))
    assert bid < ask_price < 0.0


def test_options_and_others_can_be_sent_apart(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    line.ask(*market_data(5, contract(options(gateway, [3000.0])[0])))
    for options_due, others_due, req_id in ((True, False, "5"), (False, True, "4")):
        clock.pass_by(60.0)
        before = len(line.sent)
        gateway.step(options=options_due, others=others_due)
        assert {m[1] if m[0] == "21" else m[2] for m in line.fresh(before)} == {req_id}


# ------------------------------------------------------------------------------------------- orders


def kinds(found: list[list[str]]) -> list[str]:
    """Message ids, with the status where there is one."""
    return [f"{m[0]}:{m[2]}" if m[0] == "3" else m[0] for m in found]


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


# ------------------------------------------------------------------------------------------- account


def test_account_requests_end_with_their_markers(gateway: Gateway) -> None:
    line = Line(gateway)
    assert line.ask(61, 1) == [["62", "1"]]
    updates = line.ask(6, 2, 1, ACCOUNT)
    assert updates[-1] == ["54", "1", ACCOUNT]
    assert {m[0] for m in updates} == {"6", "8", "54"}
    summary = line.ask(62, 1, 5, "All", "NetLiquidation,TotalCashValue")
    assert [m[4] for m in summary[:-1]] == ["NetLiquidation", "TotalCashValue"]
    assert summary[-1] == ["64", "1", "5"]
    assert line.ask(76, 1, 6, ACCOUNT, "", 0)[-1] == ["74", "1", "6"]


def test_a_third_summary_and_a_foreign_account_are_refused(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(62, 1, 5, "All", "NetLiquidation")
    line.ask(62, 1, 6, "All", "NetLiquidation")
    assert codes(line.ask(62, 1, 7, "All", "NetLiquidation")) == [("7", "322")]
    line.ask(63, 1, 5)
    assert codes(line.ask(62, 1, 7, "All", "NetLiquidation")) == []
    assert codes(line.ask(6, 2, 1, "U1")) == [("-1", "321")]
    assert codes(line.ask(92, 8, "U1", "")) == [("8", "321")]


def test_values_that_moved_are_told_every_three_minutes(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(6, 2, 1, ACCOUNT)
    line.session.receive(place(1, condor(gateway), 5.0))
    gateway.step()
    before = len(line.sent)
    clock.pass_by(179.0)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(1.0)
    gateway.step()
    told = line.fresh(before)
    assert {"6", "7"} <= {m[0] for m in told}
    assert "NetLiquidation" in {m[2] for m in told if m[0] == "6"}
    assert "AccountType" not in {m[2] for m in told if m[0] == "6"}


def test_profit_and_loss_is_pushed_while_it_moves_until_it_is_cancelled(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    legs = condor(gateway)
    assert line.ask(92, 8, ACCOUNT, "") == [["94", "8", "0.0", "0.0", "0.0"]]
    line.session.receive(place(1, legs, 5.0))
    line.ask(94, 9, ACCOUNT, "", legs[0].con_id)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert {m[0] for m in line.fresh(before)} == {"94", "95"}
    line.ask(93, 8)
    line.ask(95, 9)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert line.fresh(before) == []


def test_a_closed_position_is_told_as_zero(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(61, 1)
    legs = condor(gateway)
    line.session.receive(place(1, legs, 5.0))
    before = len(line.sent)
    back = tuple(OrderLeg(leg.con_id, 1, "SELL" if leg.action == "BUY" else "BUY") for leg in legs)
    line.session.receive(place(2, back, 45.0))
    assert [m[14] for m in line.fresh(before) if m[0] == "61"] == ["0.0"] * 4


# ------------------------------------------------------------------------------------------- history


def history(
    req_id: int,
    fields: tuple[object, ...] = SPX,
    size: str = "1 day",
    what: str = "TRADES",
    end: str = "",
    grow: int = 0,
    span: str = "5 D",
) -> tuple[object, ...]:
    return (20, req_id, *fields, 0, end, size, span, 1, what, 1, grow, "")


def test_daily_bars_are_answered_and_everything_else_is_162(gateway: Gateway) -> None:
    line = Line(gateway)
    (answer,) = line.ask(*history(5))
    assert (answer[0], answer[4], answer[5]) == ("17", "5", "20200224")
    assert codes(line.ask(*history(6, size="5 mins"))) == [("6", "162")]
    assert codes(line.ask(*history(7, what="OPTION_IMPLIED_VOLATILITY"))) == [("7", "162")]
    option = contract(options(gateway, [3000.0])[0])
    assert codes(line.ask(*history(8, (*option[:2], "OPT", *option[3:])))) == [("8", "162")]
    assert codes(line.ask(*history(9, NOBODY))) == [("9", "200")]
    assert codes(line.ask(*history(10, end="yesterday"))) == [("10", "321")]
    assert codes(line.ask(*history(11, span="5 M D"))) == [("11", "321")]
    (weeks,) = line.ask(*history(12, span="2 W", end="20200228-23:59:59"))
    assert (weeks[4], weeks[5]) == ("9", "20200218")


def test_the_same_bars_twice_within_fifteen_seconds_is_a_pacing_violation(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    line.ask(*history(5))
    assert codes(line.ask(*history(6))) == [("6", "162")]
    clock.pass_by(15.0)
    gateway.step()
    assert codes(line.ask(*history(7))) == []


def test_a_growing_bar_follows_the_market_until_it_is_cancelled(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*history(5, grow=1))
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    ((number, req_id, _, day, *_),) = line.fresh(before)
    assert (number, req_id, day) == ("90", "5", "20200302")
    assert line.ask(25, 1, 5) == []
    assert codes(line.ask(25, 1, 5)) == [("5", "366")]


def test_history_begins_somewhere(gateway: Gateway) -> None:
    ((number, req_id, text),) = Line(gateway).ask(87, 5, *SPX, 0, 1, "TRADES", 1)
    assert (number, req_id) == ("88", "5")
    assert "20100101" < text < "20200302"


# ------------------------------------------------------------------------------------------- the gateway


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
