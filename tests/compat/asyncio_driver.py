"""The two asyncio libraries behind the desks of `terms`: ib_async, or ib_insync where that is installed.

Both run the event loop that is set, so one has to be set before the first of them is imported.
"""

import importlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

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

ANSWER_S = 20.0
LOOK_S = 0.02
UNSET = 1e300


class Library:
    """One connection of whichever library is here."""

    def __init__(self, name: str) -> None:
        self.module: Any = importlib.import_module(name)
        self.ib: Any = self.module.IB()
        self.ib.RaiseRequestErrors = True
        self.ib.RequestTimeout = ANSWER_S
        self.errors: list[tuple[int, int, str]] = []
        self.ib.errorEvent += lambda about, code, text, _contract: self.errors.append((about, code, text))

    def wait(self, holds: Callable[[], Any]) -> Any:
        """Let the library's loop run until something is true, and return it."""
        for _ in range(int(ANSWER_S / LOOK_S)):
            found = holds()
            if found:
                return found
            self.ib.sleep(LOOK_S)
        raise AssertionError(f"waited in vain; errors so far: {self.errors[-5:]}")

    def ask(self, request: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """A request whose refusal is an error of the suite."""
        try:
            return request(*args, **named)
        except self.module.wrapper.RequestError as error:
            raise RefusedError(error.code, error.message) from error

    def contract(self, wanted: Wanted) -> Any:
        """The library's own form of a contract."""
        made = self.module.Contract(
            secType=wanted.security_type, symbol=wanted.symbol, exchange=wanted.exchange, currency="USD",
            tradingClass=wanted.trading_class, lastTradeDateOrContractMonth=wanted.expiry,
            strike=wanted.strike, right=wanted.right, conId=wanted.con_id,
        )  # fmt: skip
        made.comboLegs = [
            self.module.ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART")
            for con_id, action in wanted.legs
        ]
        return made

    def order(self, order: Order) -> Any:
        """The library's own form of an order."""
        made = self.module.Order(
            action=order.action, totalQuantity=order.quantity, orderType=order.kind, tif=order.tif,
            orderRef=order.order_ref, account=self.ib.managedAccounts()[0],
        )  # fmt: skip
        if order.kind != "MKT":
            made.lmtPrice = order.limit
        if order.stop:
            made.auxPrice = order.stop
        made.orderComboLegs = [self.module.OrderComboLeg(price=price) for price in order.leg_prices]
        return made


class _Reference:
    def __init__(self, library: Library) -> None:
        self._library, self._ib = library, library.ib

    def details(self, wanted: Wanted) -> list[Named]:
        found = self._library.ask(self._ib.reqContractDetails, self._library.contract(wanted))
        return [
            Named(
                one.contract.conId, one.contract.tradingClass, one.contract.lastTradeDateOrContractMonth,
                one.contract.strike, one.contract.right, one.contract.multiplier, one.minTick,
                tuple(one.validExchanges.split(",")), tuple(int(x) for x in one.marketRuleIds.split(",")),
                one.liquidHours,
            )
            for one in found
        ]  # fmt: skip

    def chains(self, symbol: str, con_id: int) -> list[Chain]:
        found = self._library.ask(self._ib.reqSecDefOptParams, symbol, "", "IND", con_id)
        return [Chain(c.tradingClass, tuple(sorted(c.expirations)), tuple(sorted(c.strikes))) for c in found]

    def price_steps(self, rule_id: int) -> list[tuple[float, float]]:
        return [(step.lowEdge, step.increment) for step in self._ib.reqMarketRule(rule_id)]

    def matching(self, pattern: str) -> list[str]:
        return [one.contract.symbol for one in self._ib.reqMatchingSymbols(pattern)]

    def server_time_s(self) -> float:
        time: float = self._ib.reqCurrentTime().timestamp()
        return time

    def accounts(self) -> list[str]:
        self._ib.client.reqManagedAccts()
        self._ib.client.reqIds(1)
        self._ib.client.setServerLogLevel(3)
        return list(self._ib.managedAccounts())


class _Data:
    def __init__(self, library: Library) -> None:
        self._library, self._ib = library, library.ib

    def set_kind(self, kind: int) -> None:
        self._ib.reqMarketDataType(kind)

    def quote(self, wanted: Wanted, *, snapshot: bool = False) -> Ticks:
        contract = self._library.contract(wanted)
        ticker = self._ib.reqMktData(contract, "", snapshot, False)
        self._library.wait(lambda: (ticker.bid > 0 and ticker.ask > 0) or ticker.last > 0)
        if wanted.security_type == "OPT":
            self._library.wait(lambda: ticker.modelGreeks is not None)
        if not snapshot:
            self._ib.cancelMktData(contract)
        greeks = ticker.modelGreeks
        if greeks is None:
            return Ticks(ticker.bid, ticker.ask)
        return Ticks(ticker.bid, ticker.ask, greeks.impliedVol, greeks.delta)

    def generic(self, wanted: Wanted, ticks: str) -> None:
        contract = self._library.contract(wanted)
        ticker = self._ib.reqMktData(contract, ticks, False, False)
        self._library.wait(lambda: ticker.last > 0 or ticker.bid > 0)
        self._ib.sleep(0.3)
        self._ib.cancelMktData(contract)

    def history(self, wanted: Wanted, size: str, duration: str) -> list[Bar]:
        contract = self._library.contract(wanted)
        found = self._library.ask(
            self._ib.reqHistoricalData, contract, "", duration, size, "TRADES", True, 1, False, [], ANSWER_S
        )
        return [Bar(str(b.date), b.open, b.high, b.low, b.close) for b in found]

    def following(self, wanted: Wanted) -> tuple[int, int]:
        contract = self._library.contract(wanted)
        bars = self._ib.reqHistoricalData(contract, "", "5 D", "1 day", "TRADES", True, 1, True)
        updates: list[object] = []
        bars.updateEvent += lambda *_: updates.append(None)
        self._library.wait(lambda: updates)
        self._ib.cancelHistoricalData(bars)
        return len(bars), len(updates)

    def first_bar(self, wanted: Wanted) -> str:
        return str(self._ib.reqHeadTimeStamp(self._library.contract(wanted), "TRADES", True))

    def schedule(self, wanted: Wanted) -> list[str]:
        found = self._ib.reqHistoricalSchedule(self._library.contract(wanted), 5)
        return [session.refDate for session in found.sessions]

    def live_bars(self, wanted: Wanted) -> int:
        bars = self._ib.reqRealTimeBars(self._library.contract(wanted), 5, "TRADES", True)
        self._library.wait(lambda: len(bars))
        self._ib.cancelRealTimeBars(bars)
        return len(bars)

    def single_ticks(self, wanted: Wanted, kind: str) -> int:
        contract = self._library.contract(wanted)
        ticker = self._ib.reqTickByTickData(contract, kind)
        ticks: list[object] = []
        ticker.updateEvent += lambda one: ticks.extend(one.tickByTicks)
        self._library.wait(lambda: ticks)
        self._ib.cancelTickByTickData(contract, kind)
        return len(ticks)

    def implied_volatility(self, wanted: Wanted, price: float, underlying: float) -> float:
        found = self._ib.calculateImpliedVolatility(self._library.contract(wanted), price, underlying)
        volatility: float = found.impliedVol
        return volatility

    def option_price(self, wanted: Wanted, volatility: float, underlying: float) -> float:
        found = self._ib.calculateOptionPrice(self._library.contract(wanted), volatility, underlying)
        price: float = found.optPrice
        return price


class _Orders:
    def __init__(self, library: Library) -> None:
        self._library, self._ib = library, library.ib
        self._trades: dict[int, Any] = {}
        self._told: dict[int, Told] = {}
        self._listen()

    def _listen(self) -> None:
        """Keep what the gateway reports, which is not always what the library makes of an error."""
        heard = self._ib.wrapper.orderStatus

        def order_status(order_id: int, status: str, filled: float, remaining: float, *rest: Any) -> None:
            self._told[order_id] = Told(status, float(filled), float(remaining), int(rest[1]))
            heard(order_id, status, filled, remaining, *rest)

        self._ib.wrapper.orderStatus = order_status

    def what_if(self, wanted: Wanted, order: Order) -> float:
        state = self._ib.whatIfOrder(self._library.contract(wanted), self._library.order(order))
        return float(state.initMarginChange)

    def place(self, wanted: Wanted, order: Order) -> int:
        trade = self._ib.placeOrder(self._library.contract(wanted), self._library.order(order))
        order_id: int = trade.order.orderId
        self._trades[order_id] = trade
        return order_id

    def modify(self, order_id: int, limit: float) -> None:
        trade = self._trades[order_id]
        trade.order.lmtPrice = limit
        self._ib.placeOrder(trade.contract, trade.order)

    def modify_as(self, order_id: int, wanted: Wanted, order: Order) -> None:
        made = self._library.order(order)
        made.orderId = order_id
        self._ib.client.placeOrder(order_id, self._library.contract(wanted), made)

    def cancel(self, order_id: int) -> None:
        self._ib.client.cancelOrder(order_id, "")

    def cancel_all(self) -> None:
        self._ib.reqGlobalCancel()

    def told(self, order_id: int) -> Told | None:
        return self._told.get(order_id)

    def working(self, *, every_client: bool = False) -> list[str]:
        ask = self._ib.reqAllOpenOrders if every_client else self._ib.reqOpenOrders
        return [getattr(trade, "order", trade).orderRef for trade in ask()]

    def completed(self) -> list[tuple[str, str]]:
        return [
            (trade.order.orderRef, trade.orderStatus.status) for trade in self._ib.reqCompletedOrders(False)
        ]

    def executions(self) -> list[Execution]:
        return [
            Execution(
                fill.execution.execId, fill.execution.permId, fill.contract.conId, fill.contract.secType,
                fill.execution.side, float(fill.execution.shares), fill.execution.price,
                fill.execution.orderRef,
            )
            for fill in self._ib.reqExecutions()
        ]  # fmt: skip

    def commissions_usd(self) -> dict[str, float]:
        return {
            fill.execution.execId: fill.commissionReport.commission
            for fill in self._ib.fills()
            if fill.commissionReport.execId and fill.commissionReport.commission < UNSET
        }


class _Account:
    def __init__(self, library: Library) -> None:
        self._library, self._ib = library, library.ib
        self._id = library.ib.managedAccounts()[0]

    def values(self) -> dict[str, str]:
        return {one.tag: one.value for one in self._ib.accountValues() if one.currency in {"", "USD"}}

    def summary(self) -> dict[str, str]:
        return {one.tag: one.value for one in self._ib.accountSummary()}

    def multi(self) -> dict[str, str]:
        found: dict[str, str] = {}
        heard = self._ib.wrapper.accountUpdateMulti

        def update(*args: Any) -> None:
            found[args[3]] = args[4]
            heard(*args)

        self._ib.wrapper.accountUpdateMulti = update
        self._ib.reqAccountUpdatesMulti(self._id)
        self._ib.wrapper.accountUpdateMulti = heard
        return found

    def positions(self) -> dict[int, float]:
        found = {one.contract.conId: float(one.position) for one in self._ib.reqPositions()}
        self._ib.client.cancelPositions()
        return found

    def portfolio(self) -> dict[int, tuple[float, float]]:
        return {one.contract.conId: (float(one.position), one.averageCost) for one in self._ib.portfolio()}

    def gains(self) -> Gains:
        found = self._ib.reqPnL(self._id)
        self._library.wait(lambda: found.dailyPnL == found.dailyPnL)
        self._ib.cancelPnL(self._id)
        return Gains(found.dailyPnL, found.unrealizedPnL)

    def gains_of(self, con_id: int) -> Gains:
        found = self._ib.reqPnLSingle(self._id, "", con_id)
        self._library.wait(lambda: found.value == found.value and found.position)
        self._ib.cancelPnLSingle(self._id, "", con_id)
        return Gains(found.dailyPnL, found.unrealizedPnL, float(found.position))


def connect(name: str, host: str, port: int, client_id: int, patience_s: float) -> Client:
    """A connected client. Raises RefusedError with the gateway's last error when it does not let it in."""
    library = Library(name)
    try:
        library.ib.connect(host, port, client_id, patience_s)
    except (TimeoutError, ConnectionError) as error:
        library.ib.disconnect()
        told = library.errors[-1] if library.errors else (-1, 0, str(error))
        raise RefusedError(told[1], told[2]) from error

    def hang_up() -> None:
        with suppress(RuntimeError):  # its loop may have ended with the connection
            library.ib.disconnect()

    return Client(
        name, _Reference(library), _Data(library), _Orders(library), _Account(library), library.wait, hang_up,
        library.errors,
    )  # fmt: skip
