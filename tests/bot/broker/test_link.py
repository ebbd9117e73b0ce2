"""A gateway that loses the broker behind it while it is being connected to."""

import pytest

from bot.errors import BrokerUnreachableError
from bot.events import Connected
from tests.bot.broker.scripted import ACCOUNT, Desk, at_the_desk


@pytest.mark.parametrize("code", [1100, 2110])
@pytest.mark.parametrize("at", [71, 6, 61])  # the greeting, the account, the positions
def test_a_link_lost_while_connecting_is_no_connection(code: int, at: int) -> None:
    async def script(desk: Desk) -> None:
        gateway = desk.gateway

        def lose(fields: list[str]) -> None:
            gateway._answer(at, fields)
            gateway.error(-1, code, "Connectivity between Trader Workstation and server is broken.")

        gateway.answers[at] = lose
        with pytest.raises(BrokerUnreachableError, match="no connection to the broker"):
            await desk.broker.connect()
        assert not desk.broker.is_connected
        del gateway.answers[at]
        assert await desk.broker.connect() == Connected(ACCOUNT, 1)
        assert desk.take() == []

    at_the_desk(script, connect=False)


def test_a_link_that_is_back_before_the_connection_stands_harms_nothing() -> None:
    async def script(desk: Desk) -> None:
        gateway = desk.gateway

        def flap(fields: list[str]) -> None:
            gateway.error(-1, 2110, "Connectivity between Trader Workstation and server is broken.")
            gateway.error(-1, 1102, "Connectivity has been restored.")
            gateway._answer(6, fields)

        gateway.answers[6] = flap
        await desk.broker.connect()
        assert desk.broker.is_connected
        assert desk.take() == []

    at_the_desk(script, connect=False)
