"""Whether the embedded gateway's memory stays flat over ten virtual days.

A client with sixty option lines follows the account, trades in and out, rests and cancels orders, and
reconnects every day, while the market steps every two minutes of each session and through the nights. Memory
that Python allocated is counted each midnight, after a collection. The first three days fill the caches; from
then on it may grow by a twentieth, which is more than a longer history of sessions needs. Run
`python -m benchmarks.gateway_memory [--days N]`; exit code 1 when it grew more.
"""

import argparse
import gc
import resource
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ib_async import ComboLeg, Contract, LimitOrder
from ib_async.client import Client

from market.contract import Right
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.instruments import option
from simulator.pacing import next_step
from simulator.session import Session
from simulator.stochastic import StochasticMarket
from simulator.wire import frame

DAYS = 10
WARM_DAYS = 3
GROWTH_MAX = 1.05
INTERVAL = timedelta(seconds=120)
TRADE_EVERY_STEPS = 5
START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


class Writer(Client):
    """The client library's own encoder, connected to nothing."""

    def __init__(self) -> None:
        super().__init__(object())  # type: ignore[no-untyped-call]  # the library is untyped here
        self.connState = Client.CONNECTED
        self._serverVersion = 176
        self.written = b""

    def sendMsg(self, msg: str) -> None:  # noqa: N802  the library's name
        """Keep a message instead of sending it."""
        self.written += frame(msg.encode())


class Visitor:
    """A client that asks, trades and goes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._order_id = 0
        self.received = 0
        self.session = self._connect()

    def again(self) -> None:
        """Leave and come back."""
        self._gateway.disconnect(self.session)
        self.session = self._connect()

    def trade(self, number: int) -> None:
        """One of: buy a condor, sell it back, rest one, cancel it."""
        turn = number % 4
        if turn < 3:
            self._order_id = self._gateway.venue.next_order_id(7)
            limit, action = ((45.0, "BUY"), (-45.0, "SELL"), (-45.0, "BUY"))[turn]
            order = LimitOrder(action, 1, limit, tif="DAY", orderRef=f"m-{self._order_id}")
            self._say(lambda writer: writer.placeOrder(self._order_id, self._combo(), order))
        else:
            self._say(lambda writer: writer.cancelOrder(self._order_id, ""))

    def _connect(self) -> Session:
        session = self._gateway.connect(self._take, lambda: None)
        session.receive(b"API\0" + frame(b"v157..176"))
        self.session = session
        self._say(lambda writer: writer.send(71, 2, 7, ""))
        self._say(lambda writer: writer.reqAccountUpdates(True, ""))
        self._say(lambda writer: writer.reqPositions())
        self._say(lambda writer: writer.reqPnL(900, "DU0000000", ""))
        for number, con_id in enumerate(self._listed()):
            line = Contract(conId=con_id, exchange="SMART")
            self._say(_subscribing(number + 1, line))
        return session

    def _listed(self) -> list[int]:
        chains = self._gateway.venue.market.chains(416904)
        weekly = next(chain for chain in chains if chain.trading_class == "SPXW")
        fridays = [day for day in weekly.expiries if day.weekday() == 4][3:6]
        return [
            option("SPXW", expiry, 2800.0 + 25.0 * n, Right.PUT).con_id
            for expiry in fridays
            for n in range(20)
        ]

    def _combo(self) -> Contract:
        legs = zip(self._listed()[:4], ("BUY", "SELL", "SELL", "BUY"), strict=True)
        found = [ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART") for con_id, action in legs]
        return Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=found)

    def _say(self, call: Callable[[Any], object]) -> None:
        writer = Writer()
        call(writer)
        self.session.receive(writer.written)

    def _take(self, data: bytes) -> None:
        self.received += len(data)


def _subscribing(req_id: int, line: Contract) -> Callable[[Any], object]:
    return lambda writer: writer.reqMktData(req_id, line, "", False, False, [])


def measured(days: int) -> list[int]:
    """Bytes Python holds at the end of each day."""
    now = START
    tracemalloc.start()
    gateway = Gateway(Exchange(StochasticMarket(1, START, 30.0), "DU0000000"), lambda: now)
    visitor = Visitor(gateway)
    held: list[int] = []
    step = 0
    for day in range(1, days + 1):
        end = START + timedelta(days=day)
        while now < end:
            now = min(next_step(now, INTERVAL), end)
            gateway.step()
            step += 1
            if step % TRADE_EVERY_STEPS == 0:
                visitor.trade(step // TRADE_EVERY_STEPS)
        visitor.again()
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return held


def main() -> int:
    """Print memory by day; 1 when it is not flat."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--days", type=int, default=DAYS)
    held = measured(arguments.parse_args().days)
    growth = held[-1] / max(held[:WARM_DAYS])
    print("MB by day: " + " ".join(f"{size / 1e6:.2f}" for size in held))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f"growth since day {WARM_DAYS}: {growth:.3f} (at most {GROWTH_MAX}); peak {peak_mb:.0f} MB")
    return 0 if growth <= GROWTH_MAX else 1


if __name__ == "__main__":
    raise SystemExit(main())
