"""What-if orders against the embedded gateway: a figure or the reason for none, and never an order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.events import AskMargin, Event, MarginTold, OrderReported
from market.contract import Combo
from simulator.exchange import Exchange
from simulator.fault_injection import FaultInjector
from simulator.faults import Fault, FaultKind, FaultPlan
from simulator.gateway import Gateway
from simulator.server import GatewayServer, Pace
from simulator.stochastic import StochasticMarket
from simulator.virtual import VirtualLoop, run
from tests.bot.broker.test_embedded import ACCOUNT, START, find_condor

Conversation = Callable[[IbBroker, Combo], Awaitable[None]]


def ask(combo: Combo, quantity: int = 2) -> AskMargin:
    return AskMargin("condor@1", combo, quantity, -5.0)


def held_with(conversation: Conversation, *faults: Fault) -> tuple[Exchange, list[Event]]:
    """The venue after the conversation, and all that was told."""
    told: list[Event] = []
    exchange = Exchange(StochasticMarket(1, START), ACCOUNT)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        gateway = Gateway(exchange, loop.now)
        gateway.edge = FaultInjector(gateway, FaultPlan(faults))
        server = GatewayServer(gateway, 4002, Pace())
        await server.start()
        broker = IbBroker(
            host="127.0.0.1",
            port=4002,
            client_id=442,
            account=ACCOUNT,
            clock=VirtualClock(loop, START),
            sink=told.append,
        )
        await broker.connect()
        combo = await find_condor(broker)
        await asyncio.sleep(1.0)
        await conversation(broker, combo)
        await broker.disconnect()
        await server.stop()

    run(main(), START)
    return exchange, told


def nothing_was_placed(exchange: Exchange, told: list[Event]) -> bool:
    blotter = exchange._state()["blotter"]
    return not (blotter["working"] or blotter["ended"]) and not any(
        isinstance(event, OrderReported) for event in told
    )


def test_the_margin_of_a_condor_is_the_width_of_its_wings_and_nothing_is_placed() -> None:
    async def conversation(broker: IbBroker, combo: Combo) -> None:
        answer = await broker.margin.ask(ask(combo))
        assert answer == MarginTold("condor@1", 5000.0)
        found = await broker.reconcile()
        assert (found.orders, found.positions) == ((), ())

    assert nothing_was_placed(*held_with(conversation))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.IGNORE, message="placeOrder"),
        Fault(FaultKind.DROP, message="openOrder"),
        Fault(FaultKind.DELAY, message="openOrder", for_s=20.0),
    ],
    ids=lambda fault: fault.kind.value,
)
def test_an_answer_that_does_not_come_in_time_is_no_figure(fault: Fault) -> None:
    async def conversation(broker: IbBroker, combo: Combo) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await broker.margin.ask(ask(combo))
        assert answer.init_margin_change_usd is None
        assert "did not finish answering" in answer.reason
        assert timedelta(seconds=9) < timedelta(seconds=loop.time() - began) < timedelta(seconds=12)
        await asyncio.sleep(20.0)  # what comes late is nobody's answer
        assert (await broker.margin.ask(ask(combo))).init_margin_change_usd == 5000.0

    assert nothing_was_placed(*held_with(conversation, fault))


def test_an_answer_that_comes_twice_is_one() -> None:
    async def conversation(broker: IbBroker, combo: Combo) -> None:
        assert (await broker.margin.ask(ask(combo))).init_margin_change_usd == 5000.0

    assert nothing_was_placed(*held_with(conversation, Fault(FaultKind.DUPLICATE, message="openOrder")))


def test_what_cannot_be_ordered_or_is_refused_has_no_figure_but_a_reason() -> None:
    async def conversation(broker: IbBroker, combo: Combo) -> None:
        unnamed = replace(combo.legs[0], contract=replace(combo.legs[0].contract, con_id=0))
        impossible = await broker.margin.ask(ask(Combo((unnamed, *combo.legs[1:]))))
        assert impossible.reason == "a leg without the broker's id cannot be ordered"
        strange = replace(combo.legs[0], contract=replace(combo.legs[0].contract, con_id=999))
        refused = await broker.margin.ask(ask(Combo((strange, *combo.legs[1:]))))
        assert refused.init_margin_change_usd is None
        assert refused.reason.startswith("the broker refused a request")
        await broker.disconnect()
        lost = await broker.margin.ask(ask(combo))
        assert lost == MarginTold("condor@1", None, "no session with the gateway")

    assert nothing_was_placed(*held_with(conversation))


def test_a_foreign_account_is_asked_nothing() -> None:
    async def conversation(broker: IbBroker, combo: Combo) -> None:
        assert broker._session is not None
        broker._session._saw_foreign("U7654321")
        answer = await broker.margin.ask(ask(combo))
        assert answer.init_margin_change_usd is None
        assert "U7654321" in answer.reason

    assert nothing_was_placed(*held_with(conversation))
