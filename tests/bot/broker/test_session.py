"""Connecting: the right account or none at all, a proof for every list, and no trust in a socket."""

import asyncio

import pytest

from bot.broker.adapter import HEARTBEAT_S, IbBroker
from bot.clock import WallClock
from bot.errors import BrokerUnreachableError, NotPaperAccountError
from bot.events import (
    AccountTaken,
    CancelOrder,
    Connected,
    Disconnected,
    Halted,
    OrderReported,
    PlaceOrder,
)
from bot.port import BrokerPort
from market.order import OrderStatus
from simulator.wire import message, to_bytes
from tests.bot.broker.scripted import ACCOUNT, HOST, PORT, START, Desk, ScriptedGateway, at_the_desk, condor

BARRIER = {
    "time": 49,
    "positions": 61,
    "open orders": 16,
    "completed orders": 99,
    "executions": 7,
    "account": 6,
}


async def nothing(desk: Desk) -> None:
    assert desk.broker.is_connected


def test_a_connection_names_the_account_and_counts_its_epochs() -> None:
    async def script(desk: Desk) -> None:
        assert await desk.broker.connect() == Connected(ACCOUNT, 1)
        assert await desk.broker.connect() == Connected(ACCOUNT, 2)
        assert desk.gateway.connections == 2
        assert desk.events == []

    at_the_desk(script, connect=False)


@pytest.mark.parametrize(
    "accounts", ["U1234567", "DU7654321", "DU0000000,U1234567", "DU0000000,DU0000001", "F1"]
)
def test_any_other_account_is_refused_before_anything_else(accounts: str) -> None:
    gateway = ScriptedGateway(accounts=accounts, muted=set(BARRIER.values()))

    async def script(desk: Desk) -> None:
        with pytest.raises(NotPaperAccountError, match="not exactly DU0000000") as refused:
            await desk.broker.connect()
        assert refused.value.exit_code == 77
        assert not desk.broker.is_connected
        assert {int(fields[0]) for fields in gateway.received} == {71}

    at_the_desk(script, gateway=gateway, connect=False)


def test_the_wrong_account_is_the_complaint_even_when_the_greeting_never_ends() -> None:
    gateway = ScriptedGateway()
    gateway.answers[71] = lambda _: gateway.say(15, 1, "U1234567")

    async def script(desk: Desk) -> None:
        with pytest.raises(NotPaperAccountError):
            await desk.broker.connect()
        assert asyncio.get_running_loop().time() < 0.1

    at_the_desk(script, gateway=gateway, connect=False)


@pytest.mark.parametrize("account", ["U1234567", "DU", "du123", "DU123 ", "DU12x", "", "XDU123"])
def test_an_allow_list_that_names_no_paper_account_is_refused_at_once(account: str) -> None:
    with pytest.raises(NotPaperAccountError, match="not a paper account"):
        IbBroker(host=HOST, port=PORT, client_id=1, account=account, clock=WallClock())


def test_nobody_listening_is_told_with_a_remedy() -> None:
    async def script(desk: Desk) -> None:
        desk.broker._port = 4999
        with pytest.raises(BrokerUnreachableError, match="start the gateway") as unreachable:
            await desk.broker.connect()
        assert unreachable.value.exit_code == 69

    at_the_desk(script, connect=False)


@pytest.mark.parametrize("stage", ["greeting", 71])
def test_a_greeting_that_stalls_ends_at_the_deadline(stage: int | str) -> None:
    gateway = ScriptedGateway()
    gateway.answers[stage] = lambda _: None

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerUnreachableError):
            await desk.broker.connect()
        assert 2.9 < asyncio.get_running_loop().time() < 3.5
        assert not desk.broker.is_connected

    at_the_desk(script, gateway=gateway, connect=False, connect_timeout_s=3.0)


def test_a_client_id_in_use_is_told_at_once_and_never_changed() -> None:
    gateway = ScriptedGateway()

    def refuse(_: list[str]) -> None:
        gateway.error(-1, 326, "Unable to connect as the client id is already in use.")
        gateway.hang_up()

    gateway.answers[71] = refuse

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerUnreachableError, match=r"326.*another program uses client id 442"):
            await desk.broker.connect()
        assert asyncio.get_running_loop().time() < 0.5
        assert gateway.connections == 1

    at_the_desk(script, gateway=gateway, connect=False)


def test_a_gateway_that_hangs_up_in_the_greeting_is_told_at_once() -> None:
    gateway = ScriptedGateway()
    gateway.answers[71] = lambda _: gateway.hang_up()

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerUnreachableError, match="closed the connection"):
            await desk.broker.connect()
        assert asyncio.get_running_loop().time() < 0.5

    at_the_desk(script, gateway=gateway, connect=False)


@pytest.mark.parametrize("name", sorted(BARRIER))
def test_a_list_without_its_end_marker_is_no_connection(name: str) -> None:
    gateway = ScriptedGateway(muted={BARRIER[name]})

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerUnreachableError, match="did not finish answering"):
            await desk.broker.connect()
        assert not desk.broker.is_connected

    at_the_desk(script, gateway=gateway, connect=False, request_timeout_s=2.0)


def test_a_lost_socket_is_told_once_and_its_orders_can_not_be_sent() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.hang_up()
        await desk.settle()
        assert desk.take() == [Disconnected("the socket closed")]
        assert not desk.broker.is_connected
        await desk.settle(60)
        desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))
        desk.broker.cancel(CancelOrder("alvh:8", "late"))
        told = desk.take()
        assert [(event.order_ref, event.status) for event in told if isinstance(event, OrderReported)] == [
            ("alvh:9", OrderStatus.UNKNOWN),
            ("alvh:8", OrderStatus.UNKNOWN),
        ]
        assert desk.gateway.sent(3) == []

    at_the_desk(script)


def test_a_question_open_when_the_socket_is_lost_fails_at_once() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.muted.add(61)
        question = asyncio.ensure_future(desk.broker.reconcile())
        await desk.settle()
        desk.gateway.hang_up()
        with pytest.raises(BrokerUnreachableError, match="socket closed"):
            await question

    at_the_desk(script)


def test_the_heartbeat_proves_that_the_gateway_answers() -> None:
    async def script(desk: Desk) -> None:
        asked = len(desk.gateway.sent(49))
        assert await desk.broker.heartbeat() == START
        assert len(desk.gateway.sent(49)) == asked + 1

    at_the_desk(script)


def test_the_adapter_is_what_the_daemon_expects_of_a_broker() -> None:
    broker: BrokerPort = IbBroker(host=HOST, port=PORT, client_id=1, account=ACCOUNT, clock=WallClock())
    assert broker.take_quotes() is None
    assert broker.account_now() is None


def test_a_silent_gateway_is_dead_within_the_deadline_though_its_socket_stands() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.muted.add(49)
        began = asyncio.get_running_loop().time()
        with pytest.raises(BrokerUnreachableError):
            await desk.broker.heartbeat()
        assert asyncio.get_running_loop().time() - began < HEARTBEAT_S + 0.1
        assert not desk.broker.is_connected

    at_the_desk(script)


@pytest.mark.parametrize(("code", "data_lost"), [(1101, True), (1102, False)])
def test_a_gateway_that_lost_the_broker_takes_no_orders_until_it_is_back(code: int, data_lost: bool) -> None:
    async def script(desk: Desk) -> None:
        desk.broker.stream((416904,))
        await desk.settle()
        desk.gateway.error(-1, 1100, "Connectivity between IB and TWS has been lost.")
        await desk.settle()
        assert [type(event) for event in desk.take()] == [Disconnected]
        assert desk.broker.is_connected
        desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))
        assert desk.gateway.sent(3) == []
        desk.take()
        desk.gateway.error(-1, code, "Connectivity has been restored.")
        await desk.settle()
        assert desk.take() == [Connected(ACCOUNT, 2)]
        assert len(desk.gateway.sent(1)) == (2 if data_lost else 1)
        await desk.place("alvh:10")
        assert len(desk.gateway.sent(3)) == 1

    at_the_desk(script)


def test_a_message_that_cannot_be_read_ends_the_session() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.say(3, "not a number", "Submitted", 0, 1)
        await desk.settle()
        assert [type(event) for event in desk.take()] == [Disconnected]
        assert not desk.broker.is_connected
        assert [alert.name for alert in desk.alerts] == ["unreadable_message"]

    at_the_desk(script)


@pytest.mark.parametrize("fields", [(45, 6, 5, "x", "y"), (46,), (999, 1, 2)])
def test_an_unreadable_decoration_or_an_unknown_message_is_only_told(fields: tuple[int, ...]) -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.say(*fields)
        await desk.settle()
        assert desk.take() == []
        assert desk.broker.is_connected

    at_the_desk(script)


def test_a_length_that_cannot_be_meant_ends_the_session_at_once() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.write(b"\x7f\xff\xff\xff")
        await desk.settle()
        (lost,) = desk.take()
        assert isinstance(lost, Disconnected)
        assert "2147483647 bytes" in lost.reason
        assert not desk.broker.is_connected

    at_the_desk(script)


def test_a_length_a_little_too_long_is_found_by_the_heartbeat() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.write(b"\x00\x0f\x00\x00")
        await desk.settle()
        with pytest.raises(BrokerUnreachableError):
            await desk.broker.heartbeat()

    at_the_desk(script)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_bytes_that_arrive_in_pieces_are_read_as_whole_messages(size: int) -> None:
    gateway = ScriptedGateway()

    async def script(desk: Desk) -> None:
        stream = to_bytes([message(6, 2, "NetLiquidation", "777.25", "USD", ACCOUNT)])
        for start in range(0, len(stream), size):
            gateway.write(stream[start : start + size])
            await desk.settle()
        taken = desk.broker.account_now()
        assert taken is not None
        assert taken.nav_usd == 777.25

    at_the_desk(script, gateway=gateway)


def test_account_figures_are_told_while_they_are_fresh_and_asked_for_when_old() -> None:
    async def script(desk: Desk) -> None:
        assert desk.broker.account_now() == AccountTaken(1_000_000.0, 900_000.5, 2500.0, 2000.0)
        await desk.settle(61)
        asked = len(desk.gateway.sent(6))
        assert desk.broker.account_now() is None
        assert desk.broker.account_now() is None
        await desk.settle()
        assert len(desk.gateway.sent(6)) == asked + 1
        assert desk.broker.account_now() is not None

    at_the_desk(script)


@pytest.mark.parametrize("value", ["nan", "inf", "x", ""])
def test_a_figure_that_is_no_number_is_not_taken(value: str) -> None:
    gateway = ScriptedGateway()

    def answer(_: list[str]) -> None:
        for tag in ("NetLiquidation", "TotalCashValue", "InitMarginReq"):
            gateway.say(6, 2, tag, "1.0", "USD", ACCOUNT)
        gateway.say(6, 2, "MaintMarginReq", value, "USD", ACCOUNT)
        gateway.say(6, 2, "MaintMarginReq", "5.0", "EUR", ACCOUNT)
        gateway.say(54, 1, ACCOUNT)

    gateway.answers[6] = answer

    async def script(desk: Desk) -> None:
        assert desk.broker.account_now() is None

    at_the_desk(script, gateway=gateway)


@pytest.mark.parametrize(("question", "end"), [(16, 53), (99, 102), (61, 62)])
def test_a_session_that_ends_with_an_answer_is_gone_and_nothing_else_is_the_matter(
    question: int, end: int
) -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.muted.add(question)
        reconciling = asyncio.ensure_future(desk.broker.reconcile())
        await desk.settle()
        # One segment: something that cannot be read, and the end of the list.
        desk.gateway.write(to_bytes([message(3, "not a number", "Submitted", 0, 1), message(end, 1)]))
        with pytest.raises(BrokerUnreachableError, match="the connection to the gateway is gone"):
            await reconciling

    at_the_desk(script)


def test_a_row_of_another_account_stops_all_orders() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.say(6, 2, "NetLiquidation", "5.0", "USD", "U1234567")
        await desk.settle()
        assert [alert.name for alert in desk.alerts] == ["foreign_account"]
        (halt,) = [event for event in desk.events if isinstance(event, Halted)]
        assert "U1234567" in halt.reason
        with pytest.raises(NotPaperAccountError, match="U1234567"):
            desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))
        with pytest.raises(NotPaperAccountError):
            await desk.broker.reconcile()
        assert desk.gateway.sent(3) == []

    at_the_desk(script)


def test_an_account_that_changes_under_a_session_stops_all_orders() -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.say(15, 1, "U1234567")
        await desk.settle()
        with pytest.raises(NotPaperAccountError):
            desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))

    at_the_desk(script)


def test_late_answers_of_an_old_session_do_not_reach_the_new_one() -> None:
    async def script(desk: Desk) -> None:
        old = desk.gateway.line
        await desk.broker.connect()
        assert desk.gateway.line is not old
        assert desk.events == []

    at_the_desk(script)
