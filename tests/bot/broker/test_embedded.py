"""The adapter against the embedded gateway: the same conversation in virtual time and over a real socket."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.broker.adapter import IbBroker
from bot.clock import BrokerClock, VirtualClock, WallClock
from bot.events import (
    CancelOrder,
    CommissionReported,
    Event,
    Executed,
    Feed,
    ListOptions,
    OptionsListed,
    OrderReported,
    PlaceOrder,
    ReplaceOrder,
)
from market.contract import Action, Combo, Contract, Right, SecurityType, iron_condor, single
from market.order import OrderStatus
from market.portfolio import fold
from market.quote import Quote, combo_quote
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.server import GatewayServer, Pace
from simulator.stochastic import StochasticMarket
from simulator.virtual import VirtualLoop, run

START = datetime(2020, 3, 2, 15, 0, tzinfo=UTC)
EXPIRY = date(2020, 4, 17)
ACCOUNT = "DU0000000"

Told = list[Event]


def contract(listed: OptionsListed, strike: float, right: Right) -> Contract:
    row = next(row for row in listed.rows if row[0] == strike)
    con_id = row[1] if right is Right.CALL else row[2]
    return Contract(
        SecurityType.OPTION,
        listed.symbol,
        listed.trading_class,
        listed.expiry,
        strike,
        right,
        listed.multiplier,
        con_id=con_id,
    )


async def find_condor(broker: IbBroker) -> Combo:
    """A condor around a level of 3000, streamed."""
    listed = await broker.list_options(ListOptions("SPX", "SPXW", EXPIRY))
    strikes = [row[0] for row in listed.rows]
    assert len(strikes) > 100
    combo = iron_condor(
        contract(listed, 2750.0, Right.PUT),
        contract(listed, 2775.0, Right.PUT),
        contract(listed, 3225.0, Right.CALL),
        contract(listed, 3250.0, Right.CALL),
    )
    broker.stream(tuple(sorted(leg.contract.con_id for leg in combo.legs)))
    return combo


async def wait_for(told: Told, kind: Callable[[Event], bool], tries: int = 300) -> None:
    for _ in range(tries):
        if any(kind(event) for event in told):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not told: {told}")


def is_status(status: OrderStatus) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, OrderReported) and event.status is status


async def trade_a_condor(broker: IbBroker, told: Told) -> None:
    """Quote it, work it, move it to the natural price, find the fills, and reconcile."""
    await broker.connect()
    named = await broker.name_contracts()
    assert [index.symbol for index in named.contracts[:4]] == ["SPX", "VIX", "VVIX", "AD-NYSE"]
    combo = await find_condor(broker)
    await asyncio.sleep(1.0)
    taken = broker.take_quotes()
    assert taken is not None
    assert taken.alive == (Feed.OPTION,)
    quotes = {con_id: Quote(bid, ask, last, START) for con_id, bid, ask, last in taken.quotes}
    price = combo_quote(combo, quotes)
    assert price is not None
    assert price.ask < 0.0
    ref = "alvh:condor"
    broker.place(PlaceOrder(ref, "1", combo, 2, round(price.bid - 0.5, 1)))
    await wait_for(told, is_status(OrderStatus.WORKING))
    broker.replace(ReplaceOrder(ref, round(price.ask + 0.5, 1)))
    await wait_for(told, is_status(OrderStatus.FILLED))
    await wait_for(told, lambda event: isinstance(event, CommissionReported))
    await asyncio.sleep(0.5)
    live = [event.fill for event in told if isinstance(event, Executed)]
    expected = {leg.contract.con_id: 2 * leg.signed_ratio for leg in combo.legs}
    assert {con_id: held.quantity for con_id, held in fold(live).positions().items()} == expected

    found = await broker.reconcile()
    assert dict(found.positions) == expected
    assert [(order.order_ref, order.status, order.filled) for order in found.orders] == [
        (ref, OrderStatus.FILLED, 2)
    ]
    assert {execution.fill.exec_id for execution in found.executions} == {fill.exec_id for fill in live}
    assert {execution.contract for execution in found.executions} == {leg.contract for leg in combo.legs}
    assert {commission.exec_id for commission in found.commissions} == {fill.exec_id for fill in live}
    assert not [event for event in told if isinstance(event, OrderReported) and event.order_ref != ref]


Conversation = Callable[[IbBroker, Told], Awaitable[None]]


def in_virtual_time(conversation: Conversation, start: datetime = START) -> tuple[Told, list[str]]:
    told: Told = []
    alerts: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        gateway = Gateway(Exchange(StochasticMarket(1, start), ACCOUNT), loop.now)
        server = GatewayServer(gateway, 4002, Pace())
        await server.start()
        broker = IbBroker(
            host="127.0.0.1",
            port=4002,
            client_id=442,
            account=ACCOUNT,
            clock=VirtualClock(loop, start),
            sink=told.append,
            notify=lambda alert: alerts.append(f"{alert.name} {alert.text}"),
        )
        await conversation(broker, told)
        await broker.disconnect()
        await server.stop()

    run(main(), start)
    return told, alerts


def test_a_condor_is_traded_in_virtual_time() -> None:
    _, alerts = in_virtual_time(trade_a_condor)
    assert alerts == []


def test_equal_seeds_tell_equal_events() -> None:
    assert in_virtual_time(trade_a_condor) == in_virtual_time(trade_a_condor)


async def test_a_condor_is_traded_over_a_real_socket() -> None:
    wall = WallClock()
    began = wall.now()

    def market_now() -> datetime:
        return START + (wall.now() - began)

    gateway = Gateway(Exchange(StochasticMarket(1, START), ACCOUNT), market_now)
    server = GatewayServer(gateway, 0)
    await server.start()
    clock = BrokerClock(wall)
    told: Told = []
    broker = IbBroker(
        host="127.0.0.1",
        port=server.port,
        client_id=442,
        account=ACCOUNT,
        clock=clock,
        sink=told.append,
    )
    try:
        await trade_a_condor(broker, told)
        await broker.heartbeat()
        assert abs(clock.now() - market_now()) < timedelta(seconds=2)
    finally:
        await broker.disconnect()
        await server.stop()


def test_a_working_order_survives_a_lost_socket_and_is_cancelled_in_the_next_session() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await broker.connect()
        combo = await find_condor(broker)
        broker.place(PlaceOrder("alvh:1", "1", combo, 1, -20.0))
        await wait_for(told, is_status(OrderStatus.WORKING))
        await broker.connect()
        found = await broker.reconcile()
        assert [(order.order_ref, order.status) for order in found.orders] == [
            ("alvh:1", OrderStatus.WORKING)
        ]
        broker.replace(ReplaceOrder("alvh:1", -19.0))
        await asyncio.sleep(3)
        assert not any(is_status(OrderStatus.UNKNOWN)(event) for event in told)
        broker.cancel(CancelOrder("alvh:1", "enough"))
        await wait_for(told, is_status(OrderStatus.CANCELLED))
        assert (await broker.reconcile()).positions == ()

    in_virtual_time(conversation)


def test_an_order_without_margin_is_rejected_with_the_brokers_reason() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await broker.connect()
        listed = await broker.list_options(ListOptions("SPX", "SPXW", EXPIRY))
        call = contract(listed, 3100.0, Right.CALL)
        broker.stream((call.con_id,))
        await asyncio.sleep(1)
        broker.place(PlaceOrder("alvh:1", "1", single(call, Action.SELL), 500, -1.0))
        await wait_for(told, is_status(OrderStatus.REJECTED))
        reported = [event for event in told if isinstance(event, OrderReported)][-1]
        assert reported.code == 201
        assert reported.reason

    in_virtual_time(conversation)


@pytest.mark.parametrize(
    ("symbol", "trading_class", "expiry"),
    [
        ("SPX", "SPX", date(2020, 3, 20)),
        ("SPX", "SPXW", date(2020, 3, 20)),
        ("VIX", "VIX", date(2020, 3, 18)),
        ("VIX", "VIX", date(2020, 5, 20)),
    ],
)
def test_listed_options_are_named_by_settlement_day(symbol: str, trading_class: str, expiry: date) -> None:
    async def conversation(broker: IbBroker, _: Told) -> None:
        await broker.connect()
        listed = await broker.list_options(ListOptions(symbol, trading_class, expiry))
        assert len(listed.rows) > 20
        assert all(call and put for _, call, put in listed.rows)
        assert listed.multiplier == 100
        assert listed.rows == tuple(sorted(listed.rows))

    in_virtual_time(conversation)


def test_a_future_is_bought_and_held_in_whole_contracts() -> None:
    async def conversation(broker: IbBroker, told: Told) -> None:
        await broker.connect()
        named = await broker.name_contracts()
        futures = [each for each in named.contracts if each.security_type is SecurityType.FUTURE]
        assert [future.multiplier for future in futures] == [1000] * 8  # no VXM before August 2020
        assert futures[0].expiry == date(2020, 3, 18)
        second = futures[1]
        broker.stream((second.con_id,))
        await asyncio.sleep(1)
        taken = broker.take_quotes()
        assert taken is not None
        ask = taken.quotes[0][2]
        assert ask is not None
        broker.place(PlaceOrder("alvh:vx", "1", single(second), 2, ask))
        await wait_for(told, is_status(OrderStatus.FILLED))
        assert (await broker.reconcile()).positions == ((second.con_id, 2),)

    in_virtual_time(conversation)
