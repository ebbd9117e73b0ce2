"""The two asyncio libraries, ib_async and its predecessor ib_insync, each through its own `IB`.

Their names are the same; the library runs on a loop in a thread of its own, so that cases read like those of
the broker's threaded client.
"""

import asyncio
import importlib
import math
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.compat.driver import PATIENCE_S
from tests.compat.values import ACCOUNT, Chain, Details, Quote, Spec, Ticket, Told

Result = TypeVar("Result")


class Background:
    """A loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)  # the older library asks its thread for a loop
        self.loop.run_forever()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine, or its exception."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, PATIENCE_S), self.loop).result()

    def do(self, action: Callable[..., Result], *arguments: Any) -> Result:
        """Carry a plain call out on the loop."""

        async def carry_out() -> Result:
            return action(*arguments)

        return self.run(carry_out())

    def end(self) -> None:
        """Stop the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()


def known(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


class AsyncioClient:
    """A client of either library."""

    def __init__(self, library: str) -> None:
        self.module: Any = importlib.import_module(library)
        self.background = Background()
        self.ib: Any = self.background.do(self.module.IB)
        self._told: list[Told] = []
        self.ib.errorEvent += lambda about, code, text, *_: self._told.append(Told(about, code, text))
        self.reference = AsyncioReference(self)
        self.quotes = AsyncioQuotes(self)
        self.bars = AsyncioBars(self)
        trading = importlib.import_module("tests.compat.asyncio_trading")
        self.account = trading.AsyncioAccount(self)
        self.orders = trading.AsyncioOrders(self)

    def connect(self, port: int, client_id: int, patience_s: float = PATIENCE_S) -> bool:
        """Open the session; False where the gateway will not have it."""
        try:
            self.background.run(
                self.ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=patience_s)
            )
        except (TimeoutError, ConnectionError):
            return False
        return True

    def disconnect(self) -> None:
        """Close the session and end the loop."""
        self.background.do(self.ib.disconnect)
        self.background.run(asyncio.sleep(0.05))
        self.background.end()

    def connected(self) -> bool:
        """Whether the session is open."""
        return bool(self.ib.isConnected())

    def version(self) -> int:
        """What was agreed."""
        return int(self.ib.client.serverVersion())

    def accounts(self) -> list[str]:
        """What the gateway announced."""
        return list(self.ib.managedAccounts())

    def clock(self) -> float:
        """The gateway's clock, epoch seconds."""
        return float(self.ask("reqCurrentTimeAsync").timestamp())

    def told(self) -> list[Told]:
        """Errors and notices so far."""
        return self.do(lambda: list(self._told))

    def new_id(self) -> int:
        """An id for a request or an order."""
        return int(self.do(self.ib.client.getReqId))

    def wire(self, name: str, *arguments: Any) -> None:
        """Write a message below the library's bookkeeping and throttle."""

        def write() -> None:
            self.ib.client.MaxRequests = 0
            getattr(self.ib.client, name)(*arguments)
            self.ib.client.MaxRequests = 45

        self.do(write)

    def contract(self, spec: Spec) -> Any:
        """The library's contract."""
        made = self.module.Contract(**spec.fields)
        made.comboLegs = [
            self.module.ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART")
            for con_id, action in spec.legs
        ]
        return made

    def order(self, ticket: Ticket) -> Any:
        """The library's order."""
        made = self.module.LimitOrder(
            ticket.action, ticket.quantity, ticket.limit, orderRef=ticket.ref, account=ACCOUNT, tif="DAY"
        )
        made.orderComboLegs = [self.module.OrderComboLeg(price) for price in ticket.leg_prices]
        for name, value in ticket.fields.items():
            setattr(made, name, value)
        return made

    def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call an `...Async` method of the library on its loop and wait for its answer."""

        async def wait() -> Any:
            return await getattr(self.ib, name)(*arguments, **options)

        return self.background.run(wait())

    def do(self, action: Callable[..., Result], *arguments: Any) -> Result:
        """Carry a plain call out on the loop."""
        return self.background.do(action, *arguments)


class Desk:
    """One field of work of a client."""

    def __init__(self, client: AsyncioClient) -> None:
        self._client = client
        self._ib = client.ib
        self._do = client.do
        self._ask = client.ask


class AsyncioReference(Desk):
    """What there is to trade."""

    def details(self, spec: Spec) -> list[Details]:
        """All that match."""
        return [
            Details(
                one.contract.conId, one.minTick, one.contract.multiplier,
                tuple(one.validExchanges.split(",")), tuple(one.marketRuleIds.split(",")),
                one.contract.lastTradeDateOrContractMonth,
                one.tradingHours,
            )
            for one in self._ask("reqContractDetailsAsync", self._client.contract(spec))
        ]  # fmt: skip

    def chains(self, underlying: Spec) -> list[Chain]:
        """The option classes on an underlying."""
        arguments = (underlying.symbol, "", underlying.kind, underlying.con_id)
        return [
            Chain(one.tradingClass, one.exchange, tuple(sorted(one.expirations)), tuple(sorted(one.strikes)))
            for one in self._ask("reqSecDefOptParamsAsync", *arguments)
        ]

    def rule(self, rule_id: int) -> list[tuple[float, float]]:
        """Price steps: from which price, how much."""
        return [(step.lowEdge, step.increment) for step in self._ask("reqMarketRuleAsync", rule_id)]

    def symbols(self, pattern: str) -> list[tuple[int, str]]:
        """What a pattern finds."""
        found = self._ask("reqMatchingSymbolsAsync", pattern)
        return [(one.contract.conId, one.contract.symbol) for one in found]

    def price_at(self, spec: Spec, volatility: float, underlying: float) -> float:
        """The price of an option."""
        contract = self._client.contract(spec)
        return float(self._ask("calculateOptionPriceAsync", contract, volatility, underlying).optPrice)

    def volatility_at(self, spec: Spec, price: float, underlying: float) -> float:
        """The volatility behind a price."""
        contract = self._client.contract(spec)
        return float(self._ask("calculateImpliedVolatilityAsync", contract, price, underlying).impliedVol)


class AsyncioQuotes(Desk):
    """Market-data lines; a handle is the pair of contract and ticker."""

    def kind(self, kind: int) -> None:
        """Live, frozen or delayed from now on."""
        self._do(self._ib.reqMarketDataType, kind)

    def watch(self, spec: Spec) -> Any:
        """Open a line."""
        contract = self._client.contract(spec)
        return contract, self._do(self._ib.reqMktData, contract)

    def quote(self, line: Any) -> Quote:
        """The line as it stands."""
        ticker = line[1]
        greeks = ticker.modelGreeks
        return Quote(
            known(ticker.bid), known(ticker.ask), known(ticker.last), known(ticker.bidSize),
            None if greeks is None else known(greeks.delta),
            None if greeks is None else known(greeks.impliedVol),
            None if greeks is None else known(greeks.undPrice),
            ticker.marketDataType,
        )  # fmt: skip

    def unwatch(self, line: Any) -> None:
        """Close it."""
        self._do(self._ib.cancelMktData, line[0])

    def snapshot(self, spec: Spec) -> Quote:
        """One look, told to have ended."""
        (ticker,) = self._ask("reqTickersAsync", self._client.contract(spec))
        return self.quote((None, ticker))

    def follow_ticks(self, spec: Spec, kind: str) -> Any:
        """Single ticks from now on."""
        contract, seen = self._client.contract(spec), [0]
        ticker = self._do(self._ib.reqTickByTickData, contract, kind)

        def count(updated: Any) -> None:
            seen[0] += len(updated.tickByTicks)

        ticker.updateEvent += count
        return contract, kind, seen

    def ticks(self, stream: Any) -> int:
        """How many so far."""
        return int(stream[2][0])

    def stop_ticks(self, stream: Any) -> None:
        """No more."""
        self._do(self._ib.cancelTickByTickData, stream[0], stream[1])


class AsyncioBars(Desk):
    """Bars; a handle is the library's list, which grows."""

    def history(self, spec: Spec, duration: str, size: str, *, keep: bool = False) -> Any:
        """Bars until now, and those to come if they are kept."""
        contract = self._client.contract(spec)
        bars = self._ask(
            "reqHistoricalDataAsync", contract, "", duration, size, "TRADES", True, keepUpToDate=keep
        )
        seen = [0]

        def count(*_: Any) -> None:
            seen[0] += 1

        bars.updateEvent += count
        return bars, seen

    def closes(self, bars: Any) -> list[float]:
        """Closing prices."""
        return [float(bar.close) for bar in bars[0]]

    def updates(self, bars: Any) -> int:
        """How often the newest changed."""
        return int(bars[1][0])

    def stop(self, bars: Any) -> None:
        """No more."""
        self._do(self._ib.cancelHistoricalData, bars[0])

    def head(self, spec: Spec) -> str:
        """When history begins."""
        return f"{self._ask('reqHeadTimeStampAsync', self._client.contract(spec), 'TRADES', True, 1):%Y%m%d}"

    def schedule(self, spec: Spec, sessions: int) -> int:
        """How many sessions are told."""
        return len(self._ask("reqHistoricalScheduleAsync", self._client.contract(spec), sessions).sessions)

    def follow_fives(self, spec: Spec) -> Any:
        """Five-second bars from now on."""
        return self._do(self._ib.reqRealTimeBars, self._client.contract(spec), 5, "TRADES", False)

    def fives(self, stream: Any) -> int:
        """How many so far."""
        return len(stream)

    def stop_fives(self, stream: Any) -> None:
        """No more."""
        self._do(self._ib.cancelRealTimeBars, stream)
