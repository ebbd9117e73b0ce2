"""The broker's official client behind the desks of `terms`: threads and callbacks, recorded."""

import importlib
from collections.abc import Callable
from typing import Any

from tests.compat.official_client import OfficialClient, bag, contract, order_cancel
from tests.compat.terms import (
    Bar,
    Chain,
    Client,
    Execution,
    Gains,
    Named,
    Order,
    RefusedError,
    Ticks,
    Told,
    Wanted,
)

BID, ASK, LAST, MODEL = 1, 2, 4, 13
UNSET = 1e300


def _contract(wanted: Wanted) -> Any:
    if wanted.legs:
        return bag(list(wanted.legs), wanted.symbol)
    return contract(
        wanted.security_type, wanted.symbol, exchange=wanted.exchange, tradingClass=wanted.trading_class,
        lastTradeDateOrContractMonth=wanted.expiry, strike=wanted.strike, right=wanted.right,
        conId=wanted.con_id,
    )  # fmt: skip


def _order(order: Order, account: str) -> Any:
    made = importlib.import_module("ibapi.order").Order()
    made.action, made.orderType, made.tif = order.action, order.kind, order.tif
    made.totalQuantity = importlib.import_module("decimal").Decimal(order.quantity)
    made.orderRef, made.account = order.order_ref, account
    if order.kind != "MKT":
        made.lmtPrice = order.limit
    if order.stop:
        made.auxPrice = order.stop
    prices = []
    for price in order.leg_prices:
        one = importlib.import_module("ibapi.order").OrderComboLeg()
        one.price = price
        prices.append(one)
    made.orderComboLegs = prices
    return made


class _Desk:
    """What the desks share: the client, and a way to ask that hears a refusal."""

    def __init__(self, official: OfficialClient) -> None:
        self.official, self.ask = official, official.client

    def answer(self, request_id: int, name: str, *first: Any) -> tuple[Any, ...]:
        """The callback that ends a request. Raises RefusedError when an error about it comes instead."""

        def settled() -> tuple[str, tuple[Any, ...]] | None:
            done = self.official.all(name, *first)
            wrong = self.official.all("error", request_id)
            return (name, done[0]) if done else ("error", wrong[0]) if wrong else None

        answered: tuple[str, tuple[Any, ...]] = self.official.until(settled)
        said, args = answered
        if said == "error":
            raise RefusedError(args[2], args[3])
        return args


class _Reference(_Desk):
    def details(self, wanted: Wanted) -> list[Named]:
        request_id = self.official.new_id()
        self.ask.reqContractDetails(request_id, _contract(wanted))
        self.answer(request_id, "contractDetailsEnd", request_id)
        return [
            Named(
                one.contract.conId, one.contract.tradingClass, one.contract.lastTradeDateOrContractMonth,
                one.contract.strike, one.contract.right, one.contract.multiplier, one.minTick,
                tuple(one.validExchanges.split(",")), tuple(int(x) for x in one.marketRuleIds.split(",")),
                one.liquidHours,
            )
            for _, one in self.official.all("contractDetails", request_id)
        ]  # fmt: skip

    def chains(self, symbol: str, con_id: int) -> list[Chain]:
        request_id = self.official.new_id()
        self.ask.reqSecDefOptParams(request_id, symbol, "", "IND", con_id)
        self.answer(request_id, "securityDefinitionOptionParameterEnd", request_id)
        found = self.official.all("securityDefinitionOptionParameter", request_id)
        return [Chain(args[3], tuple(sorted(args[5])), tuple(sorted(args[6]))) for args in found]

    def price_steps(self, rule_id: int) -> list[tuple[float, float]]:
        self.ask.reqMarketRule(rule_id)
        _, steps = self.official.wait("marketRule", rule_id)
        return [(step.lowEdge, step.increment) for step in steps]

    def matching(self, pattern: str) -> list[str]:
        request_id = self.official.new_id()
        self.ask.reqMatchingSymbols(request_id, pattern)
        _, found = self.answer(request_id, "symbolSamples", request_id)
        return [one.contract.symbol for one in found]

    def server_time_s(self) -> float:
        self.ask.reqCurrentTime()
        return float(self.official.wait("currentTime")[0])

    def accounts(self) -> list[str]:
        self.official.forget("managedAccounts")
        self.ask.reqManagedAccts()
        self.official.forget("nextValidId")
        self.ask.reqIds(1)
        self.ask.setServerLogLevel(3)
        self.official.wait("nextValidId")
        return [one for one in str(self.official.wait("managedAccounts")[0]).split(",") if one]


class _Data(_Desk):
    def set_kind(self, kind: int) -> None:
        self.ask.reqMarketDataType(kind)

    def quote(self, wanted: Wanted, *, snapshot: bool = False) -> Ticks:
        request_id = self.official.new_id()
        self.ask.reqMktData(request_id, _contract(wanted), "", snapshot, False, [])

        def price(kind: int) -> float | None:
            found = [a[2] for a in self.official.all("tickPrice", request_id, kind) if a[2] > 0]
            return float(found[-1]) if found else None

        def has_price() -> bool:
            return (price(BID) is not None and price(ASK) is not None) or price(LAST) is not None

        self.official.until(has_price)
        greeks: tuple[Any, ...] | None = None
        if wanted.security_type == "OPT":
            greeks = self.official.wait("tickOptionComputation", request_id, MODEL)
        if not snapshot:
            self.ask.cancelMktData(request_id)
        bid, ask = price(BID) or -1.0, price(ASK) or -1.0
        return Ticks(bid, ask) if greeks is None else Ticks(bid, ask, greeks[3], greeks[4])

    def generic(self, wanted: Wanted, ticks: str) -> None:
        request_id = self.official.new_id()
        self.ask.reqMktData(request_id, _contract(wanted), ticks, False, False, [])
        self.official.wait("tickPrice", request_id)
        self.official.pause(0.3)
        self.ask.cancelMktData(request_id)

    def history(self, wanted: Wanted, size: str, duration: str) -> list[Bar]:
        request_id = self.official.new_id()
        self.ask.reqHistoricalData(
            request_id, _contract(wanted), "", duration, size, "TRADES", 1, 1, False, []
        )
        self.answer(request_id, "historicalDataEnd", request_id)
        return [
            Bar(str(b.date), b.open, b.high, b.low, b.close)
            for _, b in self.official.all("historicalData", request_id)
        ]

    def following(self, wanted: Wanted) -> tuple[int, int]:
        request_id = self.official.new_id()
        self.ask.reqHistoricalData(
            request_id, _contract(wanted), "", "5 D", "1 day", "TRADES", 1, 1, True, []
        )
        self.answer(request_id, "historicalDataEnd", request_id)
        self.official.wait("historicalDataUpdate", request_id)
        self.ask.cancelHistoricalData(request_id)
        updates = self.official.all("historicalDataUpdate", request_id)
        return len(self.official.all("historicalData", request_id)), len(updates)

    def first_bar(self, wanted: Wanted) -> str:
        request_id = self.official.new_id()
        self.ask.reqHeadTimeStamp(request_id, _contract(wanted), "TRADES", 1, 1)
        first = self.answer(request_id, "headTimestamp", request_id)[1]
        self.ask.cancelHeadTimeStamp(request_id)
        return str(first)

    def schedule(self, wanted: Wanted) -> list[str]:
        request_id = self.official.new_id()
        self.ask.reqHistoricalData(
            request_id, _contract(wanted), "", "5 D", "1 day", "SCHEDULE", 1, 1, False, []
        )
        found = self.answer(request_id, "historicalSchedule", request_id)[4]
        return [session.refDate for session in found]

    def live_bars(self, wanted: Wanted) -> int:
        request_id = self.official.new_id()
        self.ask.reqRealTimeBars(request_id, _contract(wanted), 5, "TRADES", True, [])
        self.answer(request_id, "realtimeBar", request_id)
        self.ask.cancelRealTimeBars(request_id)
        return len(self.official.all("realtimeBar", request_id))

    def single_ticks(self, wanted: Wanted, kind: str) -> int:
        request_id = self.official.new_id()
        self.ask.reqTickByTickData(request_id, _contract(wanted), kind, 0, False)
        name = {"BidAsk": "tickByTickBidAsk", "MidPoint": "tickByTickMidPoint"}[kind]
        self.answer(request_id, name, request_id)
        self.ask.cancelTickByTickData(request_id)
        return len(self.official.all(name, request_id))

    def implied_volatility(self, wanted: Wanted, price: float, underlying: float) -> float:
        request_id = self.official.new_id()
        self.ask.calculateImpliedVolatility(request_id, _contract(wanted), price, underlying, [])
        volatility = float(self.answer(request_id, "tickOptionComputation", request_id)[3])
        self.ask.cancelCalculateImpliedVolatility(request_id)
        return volatility

    def option_price(self, wanted: Wanted, volatility: float, underlying: float) -> float:
        request_id = self.official.new_id()
        self.ask.calculateOptionPrice(request_id, _contract(wanted), volatility, underlying, [])
        price = float(self.answer(request_id, "tickOptionComputation", request_id)[5])
        self.ask.cancelCalculateOptionPrice(request_id)
        return price


class _Orders(_Desk):
    def __init__(self, official: OfficialClient, account: str) -> None:
        super().__init__(official)
        self._account = account
        self._sent: dict[int, tuple[Any, Any]] = {}

    def what_if(self, wanted: Wanted, order: Order) -> float:
        order_id, made = self.official.new_id(), _order(order, self._account)
        made.whatIf = True
        self.ask.placeOrder(order_id, _contract(wanted), made)
        return float(self.answer(order_id, "openOrder", order_id)[3].initMarginChange)

    def place(self, wanted: Wanted, order: Order) -> int:
        order_id = self.official.new_id()
        self._sent[order_id] = (_contract(wanted), _order(order, self._account))
        self.ask.placeOrder(order_id, *self._sent[order_id])
        return order_id

    def modify(self, order_id: int, limit: float) -> None:
        sent, order = self._sent[order_id]
        order.lmtPrice = limit
        self.ask.placeOrder(order_id, sent, order)

    def modify_as(self, order_id: int, wanted: Wanted, order: Order) -> None:
        self.ask.placeOrder(order_id, _contract(wanted), _order(order, self._account))

    def cancel(self, order_id: int) -> None:
        self.ask.cancelOrder(order_id, order_cancel())

    def cancel_all(self) -> None:
        self.ask.reqGlobalCancel(order_cancel())

    def told(self, order_id: int) -> Told | None:
        found = self.official.all("orderStatus", order_id)
        if not found:
            return None
        args = found[-1]
        return Told(args[1], float(args[2]), float(args[3]), int(args[5]))

    def working(self, *, every_client: bool = False) -> list[str]:
        self.official.forget("openOrderEnd")
        self.official.forget("openOrder")
        (self.ask.reqAllOpenOrders if every_client else self.ask.reqOpenOrders)()
        self.official.wait("openOrderEnd")
        return [args[2].orderRef for args in self.official.all("openOrder")]

    def completed(self) -> list[tuple[str, str]]:
        self.official.forget("completedOrdersEnd")
        self.official.forget("completedOrder")
        self.ask.reqCompletedOrders(False)
        self.official.wait("completedOrdersEnd")
        return [(args[1].orderRef, args[2].status) for args in self.official.all("completedOrder")]

    def executions(self) -> list[Execution]:
        request_id = self.official.new_id()
        self.ask.reqExecutions(request_id, importlib.import_module("ibapi.execution").ExecutionFilter())
        self.answer(request_id, "execDetailsEnd", request_id)
        return [
            Execution(
                one.execId, one.permId, about.conId, about.secType, one.side, float(one.shares), one.price,
                one.orderRef,
            )
            for _, about, one in self.official.all("execDetails", request_id)
        ]  # fmt: skip

    def commissions_usd(self) -> dict[str, float]:
        reports = [args[0] for args in self.official.all("commissionAndFeesReport")]
        return {one.execId: one.commissionAndFees for one in reports if one.commissionAndFees < UNSET}


class _Account(_Desk):
    def __init__(self, official: OfficialClient, account: str) -> None:
        super().__init__(official)
        self._id = account

    def values(self) -> dict[str, str]:
        self._updates()
        return {a[0]: a[1] for a in self.official.all("updateAccountValue") if a[2] in {"", "USD"}}

    def summary(self) -> dict[str, str]:
        request_id = self.official.new_id()
        self.ask.reqAccountSummary(request_id, "All", "NetLiquidation,TotalCashValue,InitMarginReq")
        self.answer(request_id, "accountSummaryEnd", request_id)
        self.ask.cancelAccountSummary(request_id)
        return {args[2]: args[3] for args in self.official.all("accountSummary", request_id)}

    def multi(self) -> dict[str, str]:
        request_id = self.official.new_id()
        self.ask.reqAccountUpdatesMulti(request_id, self._id, "", False)
        self.answer(request_id, "accountUpdateMultiEnd", request_id)
        self.ask.cancelAccountUpdatesMulti(request_id)
        return {args[3]: args[4] for args in self.official.all("accountUpdateMulti", request_id)}

    def positions(self) -> dict[int, float]:
        self.official.forget("positionEnd")
        self.official.forget("position")
        self.ask.reqPositions()
        self.official.wait("positionEnd")
        self.ask.cancelPositions()
        return {args[1].conId: float(args[2]) for args in self.official.all("position")}

    def portfolio(self) -> dict[int, tuple[float, float]]:
        self._updates()
        return {a[0].conId: (float(a[1]), a[4]) for a in self.official.all("updatePortfolio")}

    def gains(self) -> Gains:
        request_id = self.official.new_id()
        self.ask.reqPnL(request_id, self._id, "")
        _, daily, unrealized, _ = self.answer(request_id, "pnl", request_id)
        self.ask.cancelPnL(request_id)
        return Gains(daily, unrealized)

    def gains_of(self, con_id: int) -> Gains:
        request_id = self.official.new_id()
        self.ask.reqPnLSingle(request_id, self._id, "", con_id)
        _, position, daily, unrealized, _, _ = self.answer(request_id, "pnlSingle", request_id)
        self.ask.cancelPnLSingle(request_id)
        return Gains(daily, unrealized, float(position))

    def _updates(self) -> None:
        self.official.forget("accountDownloadEnd")
        self.ask.reqAccountUpdates(True, self._id)
        self.official.wait("accountDownloadEnd", self._id)
        self.ask.reqAccountUpdates(False, self._id)


def connect(host: str, port: int, client_id: int) -> Client:
    """A connected client. Raises RefusedError with the gateway's error when it does not let it in."""
    official = OfficialClient()
    official.connect(port, client_id, host)
    if not official.all("nextValidId"):
        told = official.all("error")
        official.disconnect()
        raise RefusedError(told[-1][2] if told else 0)
    account = str(official.all("managedAccounts")[0][0])
    waiting: Callable[[Callable[[], Any]], Any] = official.until
    return Client(
        "ibapi", _Reference(official), _Data(official), _Orders(official, account),
        _Account(official, account), waiting, official.disconnect, official.errors,
    )  # fmt: skip
