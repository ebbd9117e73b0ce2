"""How each code of the gateway comes about, through the unmodified client library."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from ib_async import IB, Contract, Index, LimitOrder, MarketOrder, OrderComboLeg, Stock, TagValue, Trade

from simulator.api_settings import ApiSettings
from simulator.disturbances import Disturbances
from simulator.entitlements import Entitlements
from simulator.floor import HouseRules
from simulator.notices import Farm, notice
from simulator.server import HOST
from tests.simulator.fixture_venue import ACCOUNT
from tests.simulator.trading import Trading, condor, until

SPX = Index("SPX", "CBOE", "USD", conId=416904)
VNQ = Stock("VNQ", "SMART", "USD")


@dataclass
class House:
    """What is special about the gateway of one case."""

    entitlements: Entitlements = field(default_factory=Entitlements)
    settings: ApiSettings = field(default_factory=ApiSettings)
    rules: HouseRules = field(default_factory=HouseRules)
    later: timedelta = timedelta(0)


Provoke = Callable[[Trading], Awaitable[object]]


def wire(trading: Trading) -> Any:
    """The library's own writer of messages, below its bookkeeping."""
    return trading.ib.client


async def place(trading: Trading, limit: float, **fields: object) -> Trade:
    return trading.ib.placeOrder(await condor(trading.ib), order(limit, **fields))


def order(limit: float, **fields: object) -> LimitOrder:
    made = LimitOrder("BUY", 1, limit, tif="DAY")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


async def filled(trading: Trading) -> Trade:
    trade = await place(trading, 5.0)
    await until(trade.isDone)
    return trade


async def too_many_messages(t: Trading) -> None:
    wire(t).MaxRequests = 0
    for _ in range(20):
        wire(t).reqCurrentTime()
    await until(lambda: not t.ib.isConnected())
    assert [code for _, code in t.errors].count(100) == 3


async def two_lines(t: Trading) -> None:
    wire(t).reqMktData(900, SPX, "", False, False, [])
    wire(t).reqMktData(901, SPX, "", False, False, [])


async def one_id_twice(t: Trading) -> None:
    for _ in range(2):
        wire(t).reqMktData(900, SPX, "", False, False, [])


async def old_order_id(t: Trading) -> None:
    trade = await place(t, -45.0)
    await until(lambda: trade.orderStatus.status == "Submitted")
    wire(t).placeOrder(trade.order.orderId - 1, trade.contract, order(-45.0))


async def modify_filled(t: Trading) -> None:
    trade = await filled(t)
    wire(t).placeOrder(trade.order.orderId, trade.contract, order(6.0))


async def modify_side(t: Trading) -> None:
    trade = await place(t, -45.0)
    await until(lambda: trade.orderStatus.status == "Submitted")
    trade.order.action = "SELL"
    t.ib.placeOrder(trade.contract, trade.order)


async def cancel_twice(t: Trading) -> None:
    trade = await place(t, -45.0)
    await until(lambda: trade.orderStatus.status in {"Submitted", "PreSubmitted"})
    wire(t).cancelOrder(trade.order.orderId, "")
    wire(t).cancelOrder(trade.order.orderId, "")


async def modify_while_cancelling(t: Trading) -> None:
    trade = await place(t, -45.0)
    await until(lambda: trade.orderStatus.status in {"Submitted", "PreSubmitted"})
    wire(t).cancelOrder(trade.order.orderId, "")
    wire(t).placeOrder(trade.order.orderId, trade.contract, order(-44.0, orderRef=trade.order.orderRef))


async def history_twice(t: Trading) -> None:
    for _ in range(2):
        await t.ib.reqHistoricalDataAsync(SPX, "", "5 D", "1 day", "TRADES", True, timeout=1.0)


async def history_without_its_farm(t: Trading) -> None:
    Disturbances(t.gateway).set_farm(Farm.HISTORY, works=False)
    await t.ib.reqHistoricalDataAsync(SPX, "", "5 D", "1 day", "TRADES", True, timeout=1.0)


async def nobody(t: Trading) -> None:
    await t.ib.reqContractDetailsAsync(Stock("NOPE", "SMART", "USD"))


async def buy_an_index(t: Trading) -> None:
    t.ib.placeOrder(SPX, MarketOrder("BUY", 1, tif="DAY"))


async def cancel(t: Trading) -> None:
    trade = await place(t, -45.0)
    await until(lambda: trade.orderStatus.status == "Submitted")
    t.ib.cancelOrder(trade.order)


async def details_of_a_combo(t: Trading) -> None:
    wire(t).reqContractDetails(900, Contract(symbol="SPX", secType="BAG", exchange="SMART"))


async def twin(t: Trading) -> None:
    other = IB()
    other.errorEvent += lambda req_id, code, text, *_: t.told.append((req_id, code, text))
    with pytest.raises(TimeoutError):
        await other.connectAsync(HOST, t.server.port, clientId=7, timeout=0.5)


async def watch(t: Trading) -> None:
    wire(t).reqMktData(900, SPX, "", False, False, [])


async def watch_delayed(t: Trading) -> None:
    t.ib.reqMarketDataType(3)
    wire(t).reqMktData(900, SPX, "", False, False, [])


async def other_session(t: Trading) -> None:
    wire(t).reqMktData(900, SPX, "", False, False, [])
    await asyncio.sleep(1.0)
    t.gateway.compete(elsewhere=True)


async def leg_prices(t: Trading) -> None:
    prices = [OrderComboLeg(price) for price in (1.0, 2.0, 3.0, 4.0)]
    await place(t, -1.0, orderComboLegs=prices)


async def lost_and_found(t: Trading, *, data_kept: bool) -> None:
    Disturbances(t.gateway).lose_connectivity()
    await asyncio.sleep(5.0)
    Disturbances(t.gateway).restore_connectivity(data_kept=data_kept)


async def farm(t: Trading, which: Farm) -> None:
    Disturbances(t.gateway).set_farm(which, works=False)
    await asyncio.sleep(5.0)
    Disturbances(t.gateway).set_farm(which, works=True)


async def told(t: Trading, code: int, farm_name: str = "ushmds") -> None:
    t.gateway.notify(*notice(code, farm=farm_name))


async def moved_port(t: Trading) -> None:
    Disturbances(t.gateway).move_port(4003)
    await until(lambda: not t.ib.isConnected())


async def adaptive(t: Trading, params: list[TagValue]) -> Trade:
    await t.ib.qualifyContractsAsync(VNQ)
    fields = {"algoStrategy": "Adaptive", "algoParams": params}
    return t.ib.placeOrder(VNQ, order(1.0, **fields))


async def cancel_unknown(t: Trading) -> None:
    wire(t).cancelOrder(77, "")


async def cancel_filled(t: Trading) -> None:
    trade = await filled(t)
    wire(t).cancelOrder(trade.order.orderId, "")


async def impossible_id(t: Trading) -> None:
    wire(t).placeOrder(-5, await condor(t.ib), order(-45.0))


async def far_from_the_market(t: Trading) -> None:
    await t.ib.qualifyContractsAsync(VNQ)
    t.ib.placeOrder(VNQ, order(1.0))


async def turn_over(t: Trading) -> None:
    await t.ib.qualifyContractsAsync(VNQ)
    bought = t.ib.placeOrder(VNQ, order(500.0))
    await until(bought.isDone)
    sold = order(500.0, action="SELL", totalQuantity=2)
    t.ib.placeOrder(VNQ, sold)


async def third_summary(t: Trading) -> None:
    for req_id in (900, 901, 902):
        wire(t).reqAccountSummary(req_id, "All", "NetLiquidation")


async def cancel_no_line(t: Trading) -> None:
    wire(t).cancelMktData(900)


async def cancel_no_history(t: Trading) -> None:
    wire(t).cancelHistoricalData(900)


async def other_name(t: Trading) -> None:
    wire(t).reqAccountUpdates(True, "All")


async def other_name_elsewhere(t: Trading) -> None:
    other = IB()
    other.errorEvent += lambda req_id, code, text, *_: t.told.append((req_id, code, text))
    await other.connectAsync(HOST, t.server.port, clientId=8, account=ACCOUNT)
    writer: Any = other.client
    writer.reqAccountUpdates(True, "All")
    await until(lambda: 2101 in [code for _, code, _ in t.told])
    other.disconnect()
