"""A gateway whose API is read-only: it answers, and takes no order."""

import asyncio

import pytest

from bot.errors import ReadOnlyApiError
from bot.events import Halted, OrderReported, PlaceOrder
from market.order import OrderStatus
from tests.bot.broker.scripted import Desk, ScriptedGateway, at_the_desk, condor

REFUSAL = "Error validating request. - The API interface is currently in Read-Only mode."


def test_a_read_only_gateway_is_refused_with_what_to_do_and_does_not_hang() -> None:
    gateway = ScriptedGateway()
    gateway.answers[16] = lambda _: gateway.error(-1, 321, REFUSAL)

    async def script(desk: Desk) -> None:
        with pytest.raises(ReadOnlyApiError, match=r"clear `Read-Only API`"):
            await desk.broker.connect()
        assert asyncio.get_running_loop().time() < 1.0
        assert any("Read-Only" in alert.text for alert in desk.alerts)
        assert not desk.broker.is_connected

    at_the_desk(script, gateway=gateway, connect=False)


def test_an_order_refused_by_a_read_only_gateway_halts_before_its_refusal_is_told() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))
        await desk.settle()
        desk.take()
        desk.gateway.error(int(desk.gateway.sent(3)[0][1]), 321, REFUSAL)
        await desk.settle()
        await desk.settle(30)  # the code alone ends no order: it is in doubt until the broker lists it
        halt, *refused = desk.take()
        assert halt == Halted("the gateway's API is read-only: clear `Read-Only API` in its API settings")
        assert [event.status for event in refused if isinstance(event, OrderReported)] == [
            OrderStatus.UNKNOWN
        ]

    at_the_desk(script)


def test_another_request_that_is_not_valid_halts_nothing() -> None:
    async def script(desk: Desk) -> None:
        desk.broker.place(PlaceOrder("alvh:9", "9", condor(), 1, -1.0))
        await desk.settle()
        desk.gateway.error(int(desk.gateway.sent(3)[0][1]), 321, "Error validating request.-'bE'")
        await desk.settle()
        assert not [event for event in desk.take() if isinstance(event, Halted)]

    at_the_desk(script)
