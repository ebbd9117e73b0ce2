"""A venue to talk to: the real exchange over a seeded market, a client, and readers of what was sent."""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from ib_async import ComboLeg, Contract, LimitOrder

from market.contract import Right, SecurityType
from simulator.entitlements import Entitlements
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.model import Instrument, OrderLeg
from simulator.session import Session
from simulator.stochastic import StochasticMarket
from simulator.wire import frame, split
from tests.simulator.client_library import encoded

START = datetime(2020, 3, 2, 15, 0, tzinfo=UTC)
ACCOUNT = "DU0000000"

#: Contract fields as clients write them: the index, and something nobody lists.
SPX = (416904, "SPX", "IND", "", "0.0", "", "", "CBOE", "", "USD", "", "")
NOBODY = (0, "NOPE", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


class Clock:
    """Time that tests move."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@lru_cache(maxsize=1)
def _shared_market() -> tuple[StochasticMarket, Mapping[str, Any]]:
    market = StochasticMarket(1, START)
    return market, market.dump()


def open_gateway(
    clock: Callable[[], datetime] | None = None,
    entitlements: Entitlements | None = None,
    master_client_id: int | None = None,
    own_market: bool = False,
) -> Gateway:
    """A gateway over the real exchange and the stochastic market of seed 1.

    One market serves all tests, set back to its start each time; a test with two gateways at once asks for
    its `own_market`.
    """
    if own_market:
        market = StochasticMarket(1, START)
    else:
        market, at_start = _shared_market()
        market.load(at_start)
    venue = Exchange(market, ACCOUNT)
    return Gateway(venue, clock or Clock(), entitlements, master_client_id)


class Line:
    """A client that speaks raw fields, and keeps what it was sent."""

    def __init__(self, gateway: Gateway, client_id: int = 7, versions: bytes = b"v157..178") -> None:
        self.sent = b""
        self.closed = False
        self.session: Session = gateway.connect(self._take, self._close)
        self.session.receive(b"API\0" + frame(versions))
        if client_id >= 0:
            self.ask(71, 2, client_id, "")

    def _take(self, data: bytes) -> None:
        self.sent += data

    def _close(self) -> None:
        self.closed = True

    def ask(self, *fields: object) -> list[list[str]]:
        """Send one message; the messages it was answered with at once."""
        before = len(self.sent)
        self.session.receive(encode(*fields))
        return messages(self.sent[before:])

    def fresh(self, before: int) -> list[list[str]]:
        """Messages sent since the byte count `before`."""
        return messages(self.sent[before:])


def encode(*fields: object) -> bytes:
    """A client's frame."""
    return frame("".join(f"{field}\0" for field in fields).encode())


def messages(data: bytes) -> list[list[str]]:
    """Messages of a byte stream that ends with a whole frame."""
    found = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        assert len(data) >= 4 + length, "the stream ends inside a frame"
        found.append(split(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def contract(instrument: Instrument, exchange: str = "SMART") -> tuple[object, ...]:
    """The twelve contract fields of a client that knows the contract id only."""
    return (instrument.contract.con_id, "", "", "", "0.0", "", "", exchange, "", "", "", "")


def options(gateway: Gateway, strikes: Sequence[float], right: Right = Right.PUT) -> list[Instrument]:
    """SPXW options of one expiry a few weeks away."""
    market = gateway.venue.market
    chain = next(c for c in market.chains(416904) if c.trading_class == "SPXW")
    fridays = [day for day in chain.expiries if day.weekday() == 4]
    return [
        market.find(
            symbol="SPX",
            security_type=SecurityType.OPTION,
            trading_class="SPXW",
            expiry=fridays[10],
            strike=strike,
            right=right,
        )[0]
        for strike in strikes
    ]


def codes(found: list[list[str]]) -> list[tuple[str, str]]:
    """(id, code) of the errors among messages."""
    return [(m[2], m[3]) for m in found if m[0] == "4"]


def market_data(req_id: int, fields: tuple[object, ...] = SPX, snapshot: int = 0) -> tuple[object, ...]:
    return (1, 11, req_id, *fields, 0, "", snapshot, 0, "")


def place(
    order_id: int, legs: tuple[OrderLeg, ...], limit: float, quantity: int = 1, what_if: bool = False
) -> bytes:
    combo = [ComboLeg(conId=leg.con_id, ratio=leg.ratio, action=leg.action, exchange="SMART") for leg in legs]
    bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=combo)
    order = LimitOrder("BUY", quantity, limit, tif="DAY", orderRef=f"ref-{order_id}", whatIf=what_if)
    (message,) = encoded(176, lambda client: client.placeOrder(order_id, bag, order))
    return encode(*message)


def condor(gateway: Gateway) -> tuple[OrderLeg, ...]:
    puts = options(gateway, (2800.0, 2850.0))
    calls = options(gateway, (3200.0, 3250.0), Right.CALL)
    actions = ("BUY", "SELL", "SELL", "BUY")
    return tuple(
        OrderLeg(line.contract.con_id, 1, action)
        for line, action in zip([*puts, *calls], actions, strict=True)
    )


def kinds(found: list[list[str]]) -> list[str]:
    """Message ids, with the status where there is one."""
    return [f"{m[0]}:{m[2]}" if m[0] == "3" else m[0] for m in found]
