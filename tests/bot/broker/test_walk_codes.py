"""What the gateway answers while a limit walks: no code ends or fills an order here that lives there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.broker.adapter import IbBroker
from bot.broker.contracts import OrderTerms, order_to_client
from bot.events import CancelOrder, OrderReported, PlaceOrder, ReplaceOrder
from market.contract import Combo
from market.order import OrderStatus
from tests.bot.broker.test_embedded import Told, find_condor, in_virtual_time, is_status, wait_for

REF = "alvh:1"
FAR, NATURAL = -20.0, 0.0  # never dealt on, and dealt on at once


async def working(broker: IbBroker, told: Told, limit: float = FAR) -> Combo:
    """A condor's opening order that the gateway works, or has filled."""
    await broker.connect()
    combo = await find_condor(broker)
    await asyncio.sleep(1.0)
    broker.place(PlaceOrder(REF, "1", combo, 1, limit))
    await wait_for(told, is_status(OrderStatus.WORKING if limit == FAR else OrderStatus.FILLED))
    return combo


def reports(told: Told) -> list[OrderReported]:
    return [event for event in told if isinstance(event, OrderReported)]


def raw(broker: IbBroker) -> tuple[Any, Any]:
    """The session's client and what the broker has said of the order: for words our own side never says."""
    session = broker._session
    assert session is not None
    order = session.evidence.find(REF)
    assert order is not None
    return session, order


def resend(broker: IbBroker, quantity: int, limit: float) -> None:
    """Send the order again under its id, past the checks of our own side."""
    session, order = raw(broker)
    terms = OrderTerms(order.contract, order.action, quantity, limit)
    message = order_to_client(
        terms, order_id=order.order_id, client_id=442, account="DU0000000", order_ref=REF
    )
    session.client.placeOrder(order.order_id, order.contract, message)


async def moved_off_its_tick(broker: IbBroker, told: Told) -> None:
    await working(broker, told)
    broker.replace(ReplaceOrder(REF, -19.987))


async def other_legs(broker: IbBroker, told: Told) -> None:
    await working(broker, told)
    _, order = raw(broker)
    order.contract.comboLegs[0].conId, order.contract.comboLegs[1].conId = (
        order.contract.comboLegs[1].conId,
        order.contract.comboLegs[0].conId,
    )
    resend(broker, 1, FAR)


async def moved_after_its_fill(broker: IbBroker, told: Told) -> None:
    await working(broker, told, NATURAL)
    resend(broker, 1, FAR)


async def cancelled_after_its_fill(broker: IbBroker, told: Told) -> None:
    await working(broker, told, NATURAL)
    session, order = raw(broker)
    session.client.cancelOrder(order.order_id, "")


Conversation = Callable[[IbBroker, Told], Awaitable[None]]


@pytest.mark.parametrize(
    ("say", "code", "truth"),
    [
        (moved_off_its_tick, 110, OrderStatus.WORKING),
        (other_legs, 105, OrderStatus.WORKING),
    ],
)
def test_a_refused_move_is_a_doubt_that_a_reconciliation_settles(
    say: Conversation, code: int, truth: OrderStatus
) -> None:
    found: list[OrderReported] = []

    async def conversation(broker: IbBroker, told: Told) -> None:
        await say(broker, told)
        await asyncio.sleep(3.0)
        found.extend(reports(told))
        answer = await broker.reconcile()
        assert [(order.order_ref, order.status) for order in answer.orders] == [(REF, truth)]

    in_virtual_time(conversation)
    assert code in [report.code for report in found]
    ended = {OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.LOST}
    assert not [report for report in found if report.status in ended]


@pytest.mark.parametrize("say", [moved_after_its_fill, cancelled_after_its_fill])  # 104 and 10148
def test_what_is_refused_because_the_order_has_filled_leaves_it_filled(say: Conversation) -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await say(broker, told)
        await asyncio.sleep(3.0)
        answer = await broker.reconcile()
        assert [(order.order_ref, order.status) for order in answer.orders] == [(REF, OrderStatus.FILLED)]

    told, _ = in_virtual_time(conversation)
    assert reports(told)[-1].status is OrderStatus.FILLED
    assert not [report for report in reports(told) if report.status is OrderStatus.UNKNOWN]


def test_a_cancellation_of_an_order_nobody_knows_ends_nothing() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await working(broker, told)
        session, _ = raw(broker)
        session.client.cancelOrder(987_654, "")
        await asyncio.sleep(3.0)
        assert reports(told)[-1].status is OrderStatus.WORKING

    in_virtual_time(conversation)


def test_a_cancellation_we_asked_for_ends_the_order_with_the_brokers_code() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await working(broker, told)
        broker.cancel(CancelOrder(REF, "enough"))
        await wait_for(told, is_status(OrderStatus.CANCELLED))

    told, _ = in_virtual_time(conversation)
    assert reports(told)[-1].code in {0, 202}


def test_a_limit_walks_under_one_id_until_it_is_dealt_on() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await working(broker, told)
        _, order = raw(broker)
        first = (order.order_id, order.perm_id)
        for limit in (-19.0, -18.95, -15.0):
            broker.replace(ReplaceOrder(REF, limit))
            await asyncio.sleep(1.0)
            assert (order.order_id, order.perm_id) == first
        broker.replace(ReplaceOrder(REF, NATURAL))
        await wait_for(told, is_status(OrderStatus.FILLED))
        answer = await broker.reconcile()
        assert [one.perm_id for one in answer.orders] == [first[1]]

    told, _ = in_virtual_time(conversation)
    assert not [report for report in reports(told) if report.status is OrderStatus.UNKNOWN]
