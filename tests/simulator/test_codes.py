"""Every code the gateway knows, provoked once through the unmodified client library, with its text."""

import asyncio
import re
from datetime import timedelta

import pytest
from ib_async import (
    Order,
    TagValue,
    Trade,
)

from simulator import virtual
from simulator.api_settings import ApiSettings
from simulator.entitlements import Entitlements
from simulator.exchange import Exchange
from simulator.floor import HouseRules
from simulator.gateway import Gateway
from simulator.notices import Farm
from simulator.server import Pace
from tests.simulator.fixture_venue import ACCOUNT, START, open_gateway
from tests.simulator.provocations import (
    VNQ,
    House,
    Provoke,
    adaptive,
    buy_an_index,
    cancel,
    cancel_filled,
    cancel_no_history,
    cancel_no_line,
    cancel_twice,
    cancel_unknown,
    details_of_a_combo,
    far_from_the_market,
    farm,
    history_twice,
    history_without_its_farm,
    impossible_id,
    leg_prices,
    lost_and_found,
    modify_filled,
    modify_side,
    modify_while_cancelling,
    moved_port,
    nobody,
    old_order_id,
    one_id_twice,
    other_name,
    other_name_elsewhere,
    other_session,
    place,
    third_summary,
    told,
    too_many_messages,
    turn_over,
    twin,
    two_lines,
    watch,
    watch_delayed,
)
from tests.simulator.trading import PORT, Trading, until

NOT_SUBSCRIBED = House(Entitlements(symbols_not_subscribed={"SPX"}))
SLOW = House(rules=HouseRules(cancel_on_arrival=False))
ADAPTIVE = [TagValue("adaptivePriority", "Hurried")]

#: code, whom it concerns (order, request or connection), the text, how it comes about, what is special.
CASES: list[tuple[int, str, str, Provoke, House]] = [
    (100, "connection", r"Max rate of messages per second has been exceeded:max=15 rec=16 \(1\)",
     too_many_messages, House(settings=ApiSettings(messages_per_s=15))),
    (101, "request", r"Max number of tickers has been reached\.", two_lines, House(Entitlements(lines=1))),
    (102, "request", r"Duplicate ticker ID\.", one_id_twice, House()),
    (103, "order", r"Duplicate order id", old_order_id, House()),
    (104, "order", r"Cannot modify a filled order\.", modify_filled, House()),
    (105, "order", r"Order being modified does not match original order\.", modify_side, House()),
    (106, "order", r"Can't transmit order ID:-5", impossible_id, House()),
    (107, "order", r"Cannot transmit incomplete order\.", lambda t: place(t, -1.0, orderType=""), House()),
    (109, "order", r"Price is out of the range defined by the Percentage setting at order defaults frame\..*",
     far_from_the_market, House(rules=HouseRules(price_range_pct=5.0))),
    (110, "order", r"The price does not conform to the minimum price variation for this contract\.",
     lambda t: place(t, -1.03), House()),
    (161, "order", r"Cancel attempted when order is not in a cancellable state\. .*Order permId =\d+",
     cancel_twice, SLOW),
    (162, "request", r"Historical Market Data Service error message:.*pacing violation", history_twice,
     House()),
    (162, "request", r"Historical Market Data Service error message:HMDS server disconnect occurred\..*",
     history_without_its_farm, House()),
    (200, "request", r"No security definition has been found for the request", nobody, House()),
    (201, "order", r"Order rejected - reason:The instrument is not available for trading", buy_an_index,
     House()),
    (202, "order", r"Order Canceled - reason:", cancel, House()),
    (300, "request", r"Can't find EId with tickerId:900", cancel_no_line, House()),
    (321, "request", r"Error validating request\.-'bE' : cause - BAG isn't supported.*", details_of_a_combo,
     House()),
    (321, "order", r"Error validating request\..* - The API interface is currently in Read-Only mode\.",
     lambda t: place(t, -1.0), House(settings=ApiSettings(read_only=True))),
    (322, "request", r"Error processing request\..* Maximum number of account summary requests exceeded",
     third_summary, House()),
    (326, "connection", r"Unable to connect as the client id is already in use\..*", twin, House()),
    (334, "order", r"Invalid Good Till Date order",
     lambda t: place(t, -1.0, tif="GTD", goodTillDate="20190101 10:00:00 US/Eastern"), House()),
    (354, "request", r"Requested market data is not subscribed\.", watch, NOT_SUBSCRIBED),
    (354, "request", r"Requested market data is not subscribed\.Delayed market data is available\.", watch,
     House(Entitlements(symbols_not_subscribed={"SPX"}, delayed_data=True))),
    (366, "request", r"No historical data query found for ticker id:900", cancel_no_history, House()),
    (387, "order", r"Unsupported order type for this exchange and security type\.",
     lambda t: place(t, -1.0, orderType="MOC"), House()),
    (399, "order", r"Order Message:\nBUY 1 SPX BAG\n.* until 2020-03-03 09:30:00 US/Eastern",
     lambda t: place(t, -1.0), House(later=timedelta(hours=8))),
    (434, "order", r"The order size cannot be zero\.", lambda t: place(t, -1.0, totalQuantity=0), House()),
    (439, "order", r"Order processing failed\. Algorithm definition not found\.",
     lambda t: place(t, -1.0, algoStrategy="Vwap"), House()),
    (441, "order", r"Algo attributes validation failed:.*", lambda t: adaptive(t, ADAPTIVE), House()),
    (442, "order", r"Specified algorithm is not allowed for this order\.",
     lambda t: place(t, -1.0, algoStrategy="Adaptive"), House()),
    (1100, "connection", r"Connectivity between IB and Trader Workstation has been lost\.",
     lambda t: lost_and_found(t, data_kept=True), House()),
    (1101, "connection", r"Connectivity .* has been restored - data lost\.",
     lambda t: lost_and_found(t, data_kept=False), House()),
    (1102, "connection", r"Connectivity .* has been restored - data maintained\.",
     lambda t: lost_and_found(t, data_kept=True), House()),
    (1300, "connection", r"Socket port has been reset .* reconnect on the new port -4003", moved_port,
     House()),
    (2100, "connection", r"New account data requested from TWS\.  API client has been unsubscribed .*",
     other_name, House()),
    (2101, "connection", r"Unable to subscribe to account as .* subscribed to a different account:7",
     other_name_elsewhere, House()),
    (2102, "order", r"Unable to modify this order as it is still being processed\.", modify_while_cancelling,
     SLOW),
    (2103, "connection", r"Market data farm connection is broken:usopt", lambda t: farm(t, Farm.MARKET_DATA),
     House()),
    (2104, "connection", r"Market data farm connection is OK:usopt", lambda t: farm(t, Farm.MARKET_DATA),
     House()),
    (2105, "connection", r"HMDS data farm connection is broken:ushmds", lambda t: farm(t, Farm.HISTORY),
     House()),
    (2106, "connection", r"HMDS data farm connection is OK:ushmds", lambda t: farm(t, Farm.HISTORY), House()),
    (2107, "connection", r"HMDS data farm connection is inactive .* upon demand\.ushmds",
     lambda t: told(t, 2107), House()),
    (2108, "connection", r"Market data farm connection is inactive .* upon demand\.usopt",
     lambda t: told(t, 2108, "usopt"), House()),
    (2109, "order", r"Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored .*",
     lambda t: place(t, -45.0, outsideRth=True), House()),
    (2110, "connection", r"Connectivity between Trader Workstation and server is broken\..*",
     lambda t: told(t, 2110), House()),
    (2137, "order", r"The closing order quantity is greater than your current position\.", turn_over,
     House()),
    (2157, "connection", r"Sec-def data farm connection is broken:secdefnj",
     lambda t: farm(t, Farm.SECURITY_DEFINITIONS), House()),
    (2158, "connection", r"Sec-def data farm connection is OK:secdefnj",
     lambda t: farm(t, Farm.SECURITY_DEFINITIONS), House()),
    (10058, "order", r"Combo per-leg prices are only supported for non-guaranteed smart combos .*",
     leg_prices, House()),
    (10089, "request", r"Requested market data requires additional subscription for API\..*", watch,
     House(Entitlements(symbols_without_api={"SPX"}))),
    (10147, "order", r"OrderId 77 that needs to be cancelled is not found\.",
     cancel_unknown, House()),
    (10148, "order", r"OrderId \d+ that needs to be cancelled cannot be cancelled, state: Filled\.",
     cancel_filled, House()),
    (10167, "request", r"Requested market data is not subscribed\. Displaying delayed market data\.",
     watch_delayed, House(Entitlements(symbols_not_subscribed={"SPX"}, delayed_data=True))),
    (10186, "request", r"Requested market data is not subscribed\. Delayed market data is not enabled\.",
     watch_delayed, NOT_SUBSCRIBED),
    (10197, "request", r"No market data during competing live session", other_session, House()),
    (10243, "order", r"Fractional-sized order cannot be placed via API\..*",
     lambda t: place(t, -1.0, totalQuantity=1.5), House()),
    (10349, "order", r"Order TIF was set to DAY based on order preset\.", lambda t: place(t, -45.0, tif=""),
     House()),
]  # fmt: skip


def gateway_of(house: House, loop: virtual.VirtualLoop) -> Gateway:
    market = open_gateway(loop.now).venue.market
    exchange = Exchange(market, ACCOUNT, rules=house.rules)
    return Gateway(exchange, loop.now, house.entitlements, settings=house.settings)


@pytest.mark.parametrize(("code", "whom", "text", "provoke", "house"), CASES)
def test_each_code_is_provoked_once_with_its_text(
    code: int, whom: str, text: str, provoke: Provoke, house: House
) -> None:
    async def main() -> list[tuple[int, int, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        async with Trading(gateway_of(house, loop), PORT, Pace(1.0, 1.0)) as trading:
            trading.told.clear()
            await provoke(trading)
            await until(lambda: code in [found for _, found, _ in trading.told])
            return trading.told

    found = virtual.run(main(), START + house.later)
    matching = [(req_id, words) for req_id, told_code, words in found if told_code == code]
    assert re.fullmatch(text, matching[0][1], re.DOTALL), matching
    assert (matching[0][0] == -1) is (whom == "connection")


def test_the_adaptive_algorithm_is_taken_for_a_single_contract_and_told_back() -> None:
    async def main() -> tuple[str, str, str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        async with Trading(gateway_of(House(), loop), PORT, Pace(1.0, 1.0)) as trading:
            trade = await adaptive(trading, [TagValue("adaptivePriority", "Patient")])
            await until(lambda: trade.orderStatus.status == "Submitted")
            (told_back,) = await trading.ib.reqAllOpenOrdersAsync()
            params = told_back.order.algoParams
            return told_back.order.algoStrategy, params[0].tag, params[0].value

    assert virtual.run(main(), START) == ("Adaptive", "adaptivePriority", "Patient")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("LMT", {"lmtPrice": 1000.0}),
        ("MKT", {}),
        ("STP", {"auxPrice": 1.0}),
        ("STP LMT", {"auxPrice": 1.0, "lmtPrice": 1000.0}),
    ],
)
@pytest.mark.parametrize("tif", ["DAY", "GTC", "IOC", "FOK", "GTD"])
def test_each_order_type_trades_under_each_time_in_force(
    kind: str, fields: dict[str, float], tif: str
) -> None:
    async def main() -> Trade:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.VirtualLoop)
        async with Trading(gateway_of(House(), loop), PORT, Pace(1.0, 1.0)) as trading:
            await trading.ib.qualifyContractsAsync(VNQ)
            until_day = "20200303 16:00:00 US/Eastern" if tif == "GTD" else ""
            wanted = Order(action="BUY", totalQuantity=1, orderType=kind, tif=tif, goodTillDate=until_day)
            for name, value in fields.items():
                setattr(wanted, name, value)
            trade = trading.ib.placeOrder(VNQ, wanted)
            await until(trade.isDone)
            return trade

    trade = virtual.run(main(), START)
    assert (trade.orderStatus.status, trade.filled()) == ("Filled", 1.0)
