"""Orders on the wire: what is written, how often, and at which pace."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.broker.pacing import MESSAGES_PER_S
from bot.events import (
    CancelOrder,
    Event,
    MoveWithheld,
    OrderReported,
    PlaceOrder,
    ReplaceOrder,
)
from market.contract import Action, Combo, Contract, Leg, SecurityType, single
from market.order import OrderStatus
from simulator.model import OrderState
from tests.bot.broker.scripted import (
    ACCOUNT,
    CALL,
    CALL_WING,
    PUT,
    PUT_WING,
    Desk,
    at_the_desk,
    condor,
)

REF = "alvh:1"
VX = Contract(
    SecurityType.FUTURE,
    "VIX",
    "VX",
    datetime(2020, 4, 15, tzinfo=UTC).date(),
    multiplier=1000,
    exchange="CFE",
    con_id=9,
)


def statuses(events: list[Event]) -> list[tuple[OrderStatus, int, int]]:
    return [(event.status, event.filled, event.code) for event in events if isinstance(event, OrderReported)]


# ---------------------------------------------------------------- what is written


def test_a_condor_is_one_guaranteed_combo_bought_at_a_signed_limit() -> None:
    async def script(desk: Desk) -> None:
        await desk.place(quantity=3, limit=-1.35)
        order = desk.gateway.last_order()
        assert (order.security_type, order.symbol, order.exchange, order.currency) == (
            "BAG",
            "SPX",
            "SMART",
            "USD",
        )
        assert (order.action, order.quantity, order.order_type, order.limit_price) == (
            "BUY",
            3.0,
            "LMT",
            -1.35,
        )
        assert (order.tif, order.account, order.order_ref, order.transmit) == ("DAY", ACCOUNT, REF, True)
        assert [(leg.con_id, leg.ratio, leg.action, leg.exchange) for leg in order.legs] == [
            (PUT_WING.con_id, 1, "BUY", "SMART"),
            (PUT.con_id, 1, "SELL", "SMART"),
            (CALL.con_id, 1, "SELL", "SMART"),
            (CALL_WING.con_id, 1, "BUY", "SMART"),
        ]
        assert order.leg_prices == ()
        assert order.smart_combo == ()
        assert not order.what_if

    at_the_desk(script)


def test_closing_a_condor_buys_the_reversed_legs_for_a_debit() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder(REF, "1", condor().reversed(), 2, 0.65))
        await desk.settle()
        order = desk.gateway.last_order()
        assert (order.action, order.limit_price) == ("BUY", 0.65)
        assert [leg.action for leg in order.legs] == ["SELL", "BUY", "BUY", "SELL"]

    at_the_desk(script)


@pytest.mark.parametrize(
    ("action", "limit", "price"), [(Action.BUY, 18.55, 18.55), (Action.SELL, -18.55, 18.55)]
)
def test_one_leg_is_a_plain_order_of_its_side_at_a_positive_price(
    action: Action, limit: float, price: float
) -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder(REF, "1", single(VX, action), 2, limit))
        await desk.settle()
        order = desk.gateway.last_order()
        assert (order.security_type, order.con_id, order.exchange) == ("FUT", VX.con_id, "CFE")
        assert (order.action, order.quantity, order.limit_price) == (action.value, 2.0, price)
        assert order.legs == ()

    at_the_desk(script)


@pytest.mark.parametrize(
    ("combo", "quantity", "limit"),
    [
        (single(VX, Action.SELL), 1, 18.55),
        (single(VX), 1, 0.0),
        (condor(), 0, -1.0),
        (single(Contract(SecurityType.OPTION, "SPX", "SPXW")), 1, 1.0),
        (Combo((Leg(VX, Action.BUY, 2),)), 1, 18.0),
    ],
)
def test_an_order_that_cannot_be_meant_is_not_written(combo: Combo, quantity: int, limit: float) -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder(REF, "1", combo, quantity, limit))
        await desk.settle()
        assert desk.gateway.sent(3) == []
        told = desk.take()
        assert statuses(told) == [(OrderStatus.UNKNOWN, 0, 0)]
        assert isinstance(told[0], OrderReported)
        assert told[0].reason.startswith("never written")

    at_the_desk(script)


def test_a_reference_is_sent_once() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.broker.place(PlaceOrder(REF, "1", condor(), 2, -1.35))
        await desk.settle()
        assert len(desk.gateway.sent(3)) == 1
        assert [alert.name for alert in desk.alerts] == ["order_repeated"]
        assert statuses(desk.take()) == [(OrderStatus.WORKING, 0, 0)]

    at_the_desk(script)


def test_a_limit_is_moved_under_the_same_id_with_the_contract_the_broker_returned() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.broker.replace(ReplaceOrder(REF, -1.30))
        await desk.settle()
        order = desk.gateway.last_order()
        assert (order.order_id, order.limit_price, order.quantity) == (order_id, -1.30, 2.0)
        # The broker's own id for a combo, which the first message did not have.
        assert [fields[2] for fields in desk.gateway.sent(3)] == ["0", "28812380"]
        assert len(order.legs) == 4
        assert order.order_ref == REF

    at_the_desk(script)


@pytest.mark.parametrize(("action", "sign"), [(Action.SELL, -1.0), (Action.BUY, 1.0)])
def test_the_limit_of_a_single_contract_stays_a_plain_price_on_either_side(
    action: Action, sign: float
) -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder(REF, "1", single(VX, action), 1, sign * 18.55))
        await desk.settle()
        desk.broker.replace(ReplaceOrder(REF, sign * 18.50))
        await desk.settle()
        order = desk.gateway.last_order()
        assert (order.action, order.limit_price) == (action.value, 18.50)

    at_the_desk(script)


def test_a_cancellation_names_the_order_of_this_session() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.broker.cancel(CancelOrder(REF, "the day ends"))
        await desk.settle()
        assert [fields[2] for fields in desk.gateway.sent(4)] == [str(order_id)]

    at_the_desk(script)


def test_an_order_this_session_does_not_know_is_neither_moved_nor_cancelled_but_doubted() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.replace(ReplaceOrder("alvh:gone", -1.0))
        desk.broker.cancel(CancelOrder("alvh:gone", "late"))
        await desk.settle()
        assert desk.gateway.sent(3) == desk.gateway.sent(4) == []
        told = desk.take()
        assert statuses(told) == [(OrderStatus.UNKNOWN, 0, 0)] * 2
        reason = "not an order at work in this broker session"
        assert [one for one in told if isinstance(one, MoveWithheld)] == [
            MoveWithheld("alvh:gone", -1.0, reason)
        ]

    at_the_desk(script)


def test_an_order_that_has_ended_is_told_again_instead_of_touched() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.status(REF, OrderState.FILLED, filled=2.0)
        await desk.settle()
        desk.take()
        desk.broker.replace(ReplaceOrder(REF, -1.0))
        desk.broker.cancel(CancelOrder(REF, "late"))
        await desk.settle()
        assert len(desk.gateway.sent(3)) == 1
        assert desk.gateway.sent(4) == []
        assert statuses(desk.take()) == [(OrderStatus.FILLED, 2, 0)] * 2

    at_the_desk(script)


def test_order_ids_rise_even_when_the_gateway_hands_old_ones_out_again() -> None:
    async def script(desk: Desk) -> None:
        first = await desk.work("alvh:1")
        desk.gateway.next_id = 1
        await desk.broker.connect()
        second = int((await desk.place("alvh:2"))[1])
        assert second > first

    at_the_desk(script)


def test_an_order_id_seen_on_an_execution_is_never_used_again() -> None:
    async def script(desk: Desk) -> None:
        await desk.place()
        gateway = desk.gateway
        gateway.orders[REF].request = gateway.last_order().__class__(
            **{name: getattr(gateway.last_order(), name) for name in gateway.last_order().__slots__}
            | {"order_id": 5000}
        )

        def list_executions(fields: list[str]) -> None:
            gateway.executed(REF, "0001.01.01", CALL, "SLD", 2, 7.0, request_id=int(fields[2]))
            gateway.say(55, 1, fields[2])

        gateway.answers[7] = list_executions
        await desk.broker.reconcile()
        assert int((await desk.place("alvh:2"))[1]) > 5000

    at_the_desk(script)


# ---------------------------------------------------------------- pace


def test_a_burst_of_orders_is_paced_and_every_one_arrives() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        count = 100
        began = asyncio.get_running_loop().time()
        for number in range(count):
            desk.broker.place(PlaceOrder(f"alvh:{number}", "1", condor(), 1, -1.0))
        await desk.settle(5)
        assert len(desk.gateway.sent(3)) == count
        times = [
            time
            for fields, time in zip(desk.gateway.received, desk.gateway.times, strict=True)
            if fields[0] == "3"
        ]
        for index, time in enumerate(times):
            assert sum(time <= later < time + 1.0 for later in times[index:]) <= MESSAGES_PER_S
        assert times[-1] - began < 3.0

    at_the_desk(script)


def test_fewer_messages_a_second_are_sent_where_the_rules_allow_fewer() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        for number in range(30):
            desk.broker.place(PlaceOrder(f"alvh:{number}", "1", condor(), 1, -1.0))
        await desk.settle(0.01)
        assert len(desk.gateway.sent(3)) == 12
        await desk.settle(5)
        assert len(desk.gateway.sent(3)) == 30

    at_the_desk(script, messages_per_s=12)


def test_what_is_cancelled_while_it_waits_for_its_turn_is_never_written() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        for number in range(MESSAGES_PER_S + 1):
            desk.broker.place(PlaceOrder(f"alvh:{number}", "1", condor(), 1, -1.0))
        waiting = f"alvh:{MESSAGES_PER_S}"
        desk.broker.replace(ReplaceOrder("alvh:0", -0.9))
        desk.broker.cancel(CancelOrder("alvh:0", "halt"))
        desk.broker.cancel(CancelOrder(waiting, "halt"))
        await desk.settle(5)
        (doubted,) = [event for event in desk.take() if isinstance(event, OrderReported)]
        assert (doubted.order_ref, doubted.status) == (waiting, OrderStatus.UNKNOWN)
        assert doubted.reason == "never written: cancelled while it waited for its turn"
        assert len(desk.gateway.sent(3)) == MESSAGES_PER_S, "neither the waiting order nor the new limit"
        assert len(desk.gateway.sent(4)) == 1

    at_the_desk(script)


def test_a_move_that_waits_while_the_link_goes_and_comes_back_is_withheld_and_told() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        await desk.settle(2)
        for number in range(MESSAGES_PER_S):
            desk.broker.place(PlaceOrder(f"alvh:other-{number}", "1", condor(), 1, -1.0))
        desk.broker.replace(ReplaceOrder(REF, -0.9))
        await desk.settle(0.01)
        written, epoch = len(desk.gateway.sent(3)), desk.broker.epoch
        desk.gateway.error(-1, 1100)
        desk.gateway.error(-1, 1102)
        await desk.settle(0.01)
        assert desk.broker.epoch == epoch + 1
        desk.take()
        await desk.settle(5)
        reason = "never written: the gateway lost the broker meanwhile"
        assert [one for one in desk.take() if isinstance(one, MoveWithheld)] == [
            MoveWithheld(REF, -0.9, reason)
        ]
        assert len(desk.gateway.sent(3)) == written
        desk.broker.replace(ReplaceOrder(REF, -0.85))
        await desk.settle()
        assert len(desk.gateway.sent(3)) == written + 1

    at_the_desk(script)


def test_orders_never_written_when_the_socket_drops_are_in_doubt_one_by_one() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        for number in range(100):
            desk.broker.place(PlaceOrder(f"alvh:{number}", "1", condor(), 1, -1.0))
        await desk.settle(0.01)
        arrived = len(desk.gateway.sent(3))
        desk.gateway.hang_up()
        await desk.settle(10)
        doubted = [event.order_ref for event in desk.take() if isinstance(event, OrderReported)]
        assert arrived == MESSAGES_PER_S
        assert doubted == [f"alvh:{number}" for number in range(arrived, 100)]
        assert len(desk.gateway.sent(3)) == arrived

    at_the_desk(script)


def test_an_order_is_not_delayed_by_a_resubscription_of_every_line() -> None:
    async def script(desk: Desk) -> None:
        await desk.settle(2)
        desk.broker.stream(tuple(range(1000, 1100)))
        began = asyncio.get_running_loop().time()
        desk.broker.place(PlaceOrder(REF, "1", condor(), 1, -1.0))
        await desk.settle(0.01)
        assert len(desk.gateway.sent(3)) == 1
        assert asyncio.get_running_loop().time() - began < 0.02
        await desk.settle(5)
        assert len(desk.gateway.sent(1)) == 100

    at_the_desk(script)
