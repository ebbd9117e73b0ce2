"""The broker's own client: threads, and a wrapper that keeps every callback."""

import importlib
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.compat.driver import PATIENCE_S, until
from tests.compat.values import ACCOUNT, Chain, Details, Quote, Spec, Ticket, Told

Call = tuple[str, tuple[Any, ...]]


def _recorder_class(record: Callable[[str, tuple[Any, ...]], None]) -> Any:
    base = importlib.import_module("ibapi.wrapper").EWrapper
    names = [name for name, value in vars(base).items() if callable(value) and name[0] != "_"]

    def kept(name: str) -> Callable[..., None]:
        return lambda _wrapper, *arguments: record(name, arguments)

    return type("Recorder", (base,), {name: kept(name) for name in names})


class OfficialClient:
    """A client of the official library, and what it was told."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self.client: Any = importlib.import_module("ibapi.client").EClient(_recorder_class(self._record)())
        self._next_id = 1
        self._thread: threading.Thread | None = None
        self.reference = OfficialReference(self)
        self.quotes = OfficialQuotes(self)
        self.bars = OfficialBars(self)
        trading = importlib.import_module("tests.compat.official_trading")
        self.account = trading.OfficialAccount(self)
        self.orders = trading.OfficialOrders(self)

    def connect(self, port: int, client_id: int, patience_s: float = PATIENCE_S) -> bool:
        """Open the session; False where the gateway will not have it."""
        self.client.connect("127.0.0.1", port, client_id)
        self._thread = threading.Thread(target=self.client.run, daemon=True)
        self._thread.start()
        until(lambda: self.all("nextValidId") or self.all("connectionClosed"), "for the first order id")
        if not self.all("nextValidId"):
            return False
        self._next_id = max(self._next_id, int(self.all("nextValidId")[0][0]))
        return True

    def disconnect(self) -> None:
        """Close the session and end its thread."""
        self.client.disconnect()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def connected(self) -> bool:
        """Whether the session is open."""
        return bool(self.client.isConnected())

    def version(self) -> int:
        """What was agreed."""
        return int(self.client.serverVersion())

    def accounts(self) -> list[str]:
        """What the gateway announced."""
        return [name for name in str(self.wait("managedAccounts")[0]).split(",") if name]

    def clock(self) -> float:
        """The gateway's clock, epoch seconds."""
        before = len(self.all("currentTime"))
        self.client.reqCurrentTime()
        until(lambda: len(self.all("currentTime")) > before, "for the time")
        return float(self.all("currentTime")[-1][0])

    def told(self) -> list[Told]:
        """Errors and notices so far."""
        return [Told(args[0], args[2], args[3]) for args in self.all("error")]

    def new_id(self) -> int:
        """An id for a request or an order."""
        self._next_id += 1
        return self._next_id - 1

    def wire(self, name: str, *arguments: Any) -> None:
        """Write a message. A cancel of an order has a record where the others have a text."""
        if name == "cancelOrder":
            arguments = (arguments[0], importlib.import_module("ibapi.order_cancel").OrderCancel())
        getattr(self.client, name)(*arguments)

    def contract(self, spec: Spec) -> Any:
        """The library's contract."""
        made = importlib.import_module("ibapi.contract").Contract()
        for name, value in spec.fields.items():
            setattr(made, name, value)
        made.comboLegs = []
        for con_id, action in spec.legs:
            leg = importlib.import_module("ibapi.contract").ComboLeg()
            leg.conId, leg.ratio, leg.action, leg.exchange = con_id, 1, action, "SMART"
            made.comboLegs.append(leg)
        return made

    def order(self, ticket: Ticket) -> Any:
        """The library's order."""
        made = importlib.import_module("ibapi.order").Order()
        made.action, made.orderType, made.totalQuantity = ticket.action, "LMT", Decimal(str(ticket.quantity))
        made.lmtPrice, made.orderRef, made.account, made.tif = ticket.limit, ticket.ref, ACCOUNT, "DAY"
        made.orderComboLegs = []
        for price in ticket.leg_prices:
            leg = importlib.import_module("ibapi.order").OrderComboLeg()
            leg.price = price
            made.orderComboLegs.append(leg)
        for name, value in ticket.fields.items():
            setattr(made, name, value)
        return made

    def all(self, name: str, *first: Any) -> list[tuple[Any, ...]]:
        """Every call of one callback whose first arguments are these."""
        with self._lock:
            return [args for said, args in self._calls if said == name and args[: len(first)] == first]

    def wait(self, name: str, *first: Any) -> tuple[Any, ...]:
        """The first such call."""
        until(lambda: self.all(name, *first), f"for {name}{first}")
        return self.all(name, *first)[0]

    def _record(self, name: str, arguments: tuple[Any, ...]) -> None:
        with self._lock:
            self._calls.append((name, arguments))


class Desk:
    """One field of work of a client."""

    def __init__(self, client: OfficialClient) -> None:
        self._client = client
        self._wire = client.wire
        self._all = client.all
        self._wait = client.wait

    def asked(self, name: str, *arguments: Any) -> int:
        """Write a request under a new id, which is given."""
        req_id = self._client.new_id()
        self._wire(name, req_id, *arguments)
        return req_id

    def end(self, name: str, *first: Any) -> None:
        """Wait for an end marker, or for the error that stands for it."""
        until(
            lambda: self._all(name, *first) or (first and self._all("error", first[0])), f"for {name}{first}"
        )

    def since(self, name: str, ends: str, ask: Callable[[], None]) -> list[tuple[Any, ...]]:
        """What `ask`, which has no id of its own, was answered with until its end marker."""
        before, ended = len(self._all(name)), len(self._all(ends))
        ask()
        until(lambda: len(self._all(ends)) > ended, f"for {ends}")
        return self._all(name)[before:]


class OfficialReference(Desk):
    """What there is to trade."""

    def details(self, spec: Spec) -> list[Details]:
        """All that match."""
        req_id = self.asked("reqContractDetails", self._client.contract(spec))
        self.end("contractDetailsEnd", req_id)
        return [
            Details(
                one.contract.conId, one.minTick, one.contract.multiplier,
                tuple(one.validExchanges.split(",")), tuple(one.marketRuleIds.split(",")),
                one.contract.lastTradeDateOrContractMonth,
                one.tradingHours,
            )
            for _, one in self._all("contractDetails", req_id)
        ]  # fmt: skip

    def chains(self, underlying: Spec) -> list[Chain]:
        """The option classes on an underlying."""
        arguments = (underlying.symbol, "", underlying.kind, underlying.con_id)
        req_id = self.asked("reqSecDefOptParams", *arguments)
        self.end("securityDefinitionOptionParameterEnd", req_id)
        return [
            Chain(args[3], args[1], tuple(sorted(args[5])), tuple(sorted(args[6])))
            for args in self._all("securityDefinitionOptionParameter", req_id)
        ]

    def rule(self, rule_id: int) -> list[tuple[float, float]]:
        """Price steps: from which price, how much."""
        self._wire("reqMarketRule", rule_id)
        return [(step.lowEdge, step.increment) for step in self._wait("marketRule", rule_id)[1]]

    def symbols(self, pattern: str) -> list[tuple[int, str]]:
        """What a pattern finds."""
        found = self._wait("symbolSamples", self.asked("reqMatchingSymbols", pattern))[1]
        return [(one.contract.conId, one.contract.symbol) for one in found]

    def price_at(self, spec: Spec, volatility: float, underlying: float) -> float:
        """The price of an option."""
        contract = self._client.contract(spec)
        req_id = self.asked("calculateOptionPrice", contract, volatility, underlying, [])
        return float(self._wait("tickOptionComputation", req_id)[5])

    def volatility_at(self, spec: Spec, price: float, underlying: float) -> float:
        """The volatility behind a price."""
        contract = self._client.contract(spec)
        req_id = self.asked("calculateImpliedVolatility", contract, price, underlying, [])
        return float(self._wait("tickOptionComputation", req_id)[3])


class OfficialQuotes(Desk):
    """Market-data lines; a handle is the request's id."""

    def kind(self, kind: int) -> None:
        """Live, frozen or delayed from now on."""
        self._wire("reqMarketDataType", kind)

    def watch(self, spec: Spec) -> Any:
        """Open a line."""
        return self.asked("reqMktData", self._client.contract(spec), "", False, False, [])

    def quote(self, line: Any) -> Quote:
        """The line as it stands."""
        prices = {args[1]: float(args[2]) for args in self._all("tickPrice", line)}
        sizes = {args[1]: float(args[2]) for args in self._all("tickSize", line)}
        model = [args for args in self._all("tickOptionComputation", line) if args[1] in {13, 83}]
        delta, volatility, underlying = (
            (model[-1][4], model[-1][3], model[-1][10]) if model else (None, None, None)
        )
        kinds = self._all("marketDataType", line)
        return Quote(
            prices.get(1, prices.get(66)), prices.get(2, prices.get(67)), prices.get(4, prices.get(68)),
            sizes.get(0, sizes.get(69)), delta, volatility, underlying, kinds[-1][1] if kinds else None,
        )  # fmt: skip

    def unwatch(self, line: Any) -> None:
        """Close it."""
        self._wire("cancelMktData", line)

    def snapshot(self, spec: Spec) -> Quote:
        """One look, told to have ended."""
        line = self.asked("reqMktData", self._client.contract(spec), "", True, False, [])
        self._wait("tickSnapshotEnd", line)
        return self.quote(line)

    def follow_ticks(self, spec: Spec, kind: str) -> Any:
        """Single ticks from now on."""
        return self.asked("reqTickByTickData", self._client.contract(spec), kind, 0, False)

    def ticks(self, stream: Any) -> int:
        """How many so far."""
        names = ("tickByTickAllLast", "tickByTickBidAsk", "tickByTickMidPoint")
        return sum(len(self._all(name, stream)) for name in names)

    def stop_ticks(self, stream: Any) -> None:
        """No more."""
        self._wire("cancelTickByTickData", stream)


class OfficialBars(Desk):
    """Bars; a handle is the request's id."""

    def history(self, spec: Spec, duration: str, size: str, *, keep: bool = False) -> Any:
        """Bars until now, and those to come if they are kept."""
        contract = self._client.contract(spec)
        req_id = self.asked("reqHistoricalData", contract, "", duration, size, "TRADES", 1, 1, keep, [])
        self.end("historicalDataEnd", req_id)
        return req_id

    def closes(self, bars: Any) -> list[float]:
        """Closing prices."""
        return [float(args[1].close) for args in self._all("historicalData", bars)]

    def updates(self, bars: Any) -> int:
        """How often the newest changed."""
        return len(self._all("historicalDataUpdate", bars))

    def stop(self, bars: Any) -> None:
        """No more."""
        self._wire("cancelHistoricalData", bars)

    def head(self, spec: Spec) -> str:
        """When history begins."""
        req_id = self.asked("reqHeadTimeStamp", self._client.contract(spec), "TRADES", 1, 1)
        text = str(self._wait("headTimestamp", req_id)[1])
        self._wire("cancelHeadTimeStamp", req_id)
        return text[:8]

    def schedule(self, spec: Spec, sessions: int) -> int:
        """How many sessions are told."""
        contract, span = self._client.contract(spec), f"{sessions} D"
        req_id = self.asked("reqHistoricalData", contract, "", span, "1 day", "SCHEDULE", 1, 1, False, [])
        return len(self._wait("historicalSchedule", req_id)[4])

    def follow_fives(self, spec: Spec) -> Any:
        """Five-second bars from now on."""
        return self.asked("reqRealTimeBars", self._client.contract(spec), 5, "TRADES", False, [])

    def fives(self, stream: Any) -> int:
        """How many so far."""
        return len(self._all("realtimeBar", stream))

    def stop_fives(self, stream: Any) -> None:
        """No more."""
        self._wire("cancelRealTimeBars", stream)
