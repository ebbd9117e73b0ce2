"""A gateway that says exactly what a test lets it say, in virtual time, to the real client library.

It greets, and answers the lists a connection needs (empty, unless a test fills or mutes them). Everything
else is the test's: it reads what arrived and sends the broker's messages, well-formed or not, in any order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.events import Alert, Event, PlaceOrder
from market.contract import Combo, Contract, Right, SecurityType, iron_condor
from simulator import order_replies
from simulator.model import OrderRequest, OrderState, WorkingOrder
from simulator.requests import decode
from simulator.virtual import VirtualLoop, run
from simulator.wire import FrameDecoder, Value, frame, message, split, to_bytes

START = datetime(2020, 3, 16, 14, 0, tzinfo=UTC)
ACCOUNT = "DU0000000"
CLIENT_ID = 442
HOST, PORT = "127.0.0.1", 4002
VERSION = 176

SPX = Contract(SecurityType.INDEX, "SPX", exchange="CBOE", con_id=416904)
BREADTH = Contract(SecurityType.INDEX, "AD-NYSE", exchange="NYSE", con_id=77)


def option(strike: float, right: Right, con_id: int) -> Contract:
    """An SPXW option that settles on 2020-04-17."""
    return Contract(
        SecurityType.OPTION,
        "SPX",
        "SPXW",
        datetime(2020, 4, 17, tzinfo=UTC).date(),
        strike,
        right,
        100,
        con_id=con_id,
    )


PUT_WING, PUT = option(2600, Right.PUT, 1), option(2650, Right.PUT, 2)
CALL, CALL_WING = option(2900, Right.CALL, 3), option(2950, Right.CALL, 4)


def condor() -> Combo:
    """A short iron condor."""
    return iron_condor(PUT_WING, PUT, CALL, CALL_WING)


class _Line(asyncio.Protocol):
    def __init__(self, gateway: "ScriptedGateway") -> None:
        self.gateway = gateway
        self.frames = FrameDecoder()
        self.transport: asyncio.Transport | None = None
        self.greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.gateway.line = self
        self.gateway.connections += 1

    def data_received(self, data: bytes) -> None:
        if not self.greeted:
            self.greeted = True
            data = data.removeprefix(b"API\0")
            for _ in self.frames.feed(data):
                self.gateway.greet()
            return
        for payload in self.frames.feed(data):
            self.gateway.take(split(payload))


@dataclass
class ScriptedGateway:
    """See the module. `muted` are message ids that get no answer; `answers` replace the usual answer to
    one.
    """

    accounts: str = ACCOUNT
    next_id: int = 1
    muted: set[int] = field(default_factory=set)
    answers: dict[int | str, Callable[[list[str]], None]] = field(default_factory=dict)
    received: list[list[str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    orders: dict[str, WorkingOrder] = field(default_factory=dict)
    connections: int = 0
    line: _Line | None = None

    async def open(self, port: int = PORT) -> asyncio.Server:
        """Listen."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Line(self), HOST, port)

    def greet(self) -> None:
        """The handshake: version and time, no message id."""
        if "greeting" not in self.answers:
            self.write(frame(f"{VERSION}\0{START:%Y%m%d %H:%M:%S} EST\0".encode()))

    def write(self, data: bytes) -> None:
        """Raw bytes to the client."""
        assert self.line is not None
        assert self.line.transport is not None
        self.line.transport.write(data)

    def say(self, *values: Value) -> None:
        """One message to the client."""
        self.write(to_bytes([message(*values)]))

    def error(self, request_id: int, code: int, text: str = "because") -> None:
        """An error or notice."""
        self.say(4, 2, request_id, code, text, "")

    def hang_up(self) -> None:
        """Close the connection."""
        assert self.line is not None
        assert self.line.transport is not None
        self.line.transport.close()

    def take(self, fields: list[str]) -> None:
        """A message of the client."""
        self.received.append(fields)
        self.times.append(asyncio.get_running_loop().time())
        kind = int(fields[0])
        if kind == 3:
            self._keep(fields)
        if kind in self.answers:
            self.answers[kind](fields)
        elif kind not in self.muted:
            self._answer(kind, fields)

    def sent(self, kind: int) -> list[list[str]]:
        """Messages of one kind that arrived."""
        return [fields for fields in self.received if int(fields[0]) == kind]

    def last_order(self) -> OrderRequest:
        """The latest placeOrder, decoded by the simulator's own decoder."""
        request = decode(self.sent(3)[-1], VERSION, CLIENT_ID)
        assert isinstance(request, OrderRequest)
        return request

    def open_order(self, order_ref: str, state: OrderState, **changes: Any) -> None:
        """openOrder for an order the client placed."""
        order = self._changed(order_ref, state, **changes)
        self.write(to_bytes([order_replies.open_order(VERSION, order, lambda _: None)]))

    def status(self, order_ref: str, state: OrderState, **changes: Any) -> None:
        """orderStatus for an order the client placed."""
        order = self._changed(order_ref, state, **changes)
        self.write(to_bytes([order_replies.order_status(order)]))

    def completed(self, order_ref: str, state: OrderState, text: str, **changes: Any) -> None:
        """completedOrder for an order the client placed."""
        order = self._changed(order_ref, state, completed_status=text, **changes)
        self.write(to_bytes([order_replies.completed_order(VERSION, order, lambda _: None)]))

    def executed(
        self,
        order_ref: str,
        exec_id: str,
        contract: Contract | None,
        side: str,
        quantity: float,
        price: float,
        *,
        request_id: int = -1,
        account: str = ACCOUNT,
        tells_ref: bool = True,
    ) -> None:
        """execDetails for one contract, or for the combo itself when `contract` is None."""
        order = self.orders[order_ref]
        if contract is None:
            described: tuple[Value, ...] = (28812380, "SPX", "BAG", "", 0.0, "", "", "SMART", "USD", "", "")
        else:
            described = (
                contract.con_id, contract.symbol, contract.security_type.value,
                "" if contract.expiry is None else f"{contract.expiry:%Y%m%d}", contract.strike,
                contract.right.value if contract.right else "", contract.multiplier, "CBOE", "USD", "",
                contract.trading_class,
            )  # fmt: skip
        self.say(
            11, request_id, order.request.order_id, *described, exec_id, "20200316 10:00:01 America/New_York",
            account, "CBOE", side, quantity, price, order.perm_id, CLIENT_ID, 0, quantity, price,
            order_ref if tells_ref else "", "", "", "", 1,
        )  # fmt: skip

    def commission(self, exec_id: str, amount: Value, currency: str = "USD") -> None:
        """CommissionReport."""
        self.say(59, 1, exec_id, amount, currency, "", "", "")

    def _changed(self, order_ref: str, state: OrderState, **changes: Any) -> WorkingOrder:
        order = replace(self.orders[order_ref], state=state, **changes)
        self.orders[order_ref] = order
        return order

    def _keep(self, fields: list[str]) -> None:
        request = decode(fields, VERSION, CLIENT_ID)
        assert isinstance(request, OrderRequest)
        known = self.orders.get(request.order_ref)
        perm_id = known.perm_id if known is not None else 900 + len(self.orders)
        self.orders[request.order_ref] = WorkingOrder(request, perm_id, OrderState.PRE_SUBMITTED)

    def _answer(self, kind: int, fields: list[str]) -> None:
        match kind:
            case 71:
                self.say(15, 1, self.accounts)
                self.say(9, 1, self.next_id)
            case 49:
                self.say(49, 1, int(START.timestamp()) + int(asyncio.get_running_loop().time()))
            case 6:
                for tag, value in (
                    ("NetLiquidation", "1000000.00"),
                    ("TotalCashValue", "900000.50"),
                    ("InitMarginReq", "2500.00"),
                    ("MaintMarginReq", "2000.00"),
                ):
                    self.say(6, 2, tag, value, "USD", ACCOUNT)
                self.say(6, 2, "AccountType", "INDIVIDUAL", "", ACCOUNT)
                self.say(54, 1, ACCOUNT)
            case 61:
                self.say(62, 1)
            case 16:
                self.say(53, 1)
            case 99:
                self.say(102)
            case 7:
                self.say(55, 1, fields[2])


@dataclass
class Desk:
    """What a test has at hand: the gateway, the adapter, and everything the adapter told."""

    gateway: ScriptedGateway
    broker: IbBroker
    events: list[Event] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    async def settle(self, seconds: float = 0.01) -> None:
        """Let messages in flight arrive."""
        await asyncio.sleep(seconds)

    def take(self) -> list[Event]:
        """Events told since the last call."""
        told, self.events[:] = list(self.events), []
        return told

    async def place(self, order_ref: str = "alvh:1", quantity: int = 2, limit: float = -1.35) -> list[str]:
        """Place a condor; the order's message."""
        self.broker.place(PlaceOrder(order_ref, "1", condor(), quantity, limit))
        await self.settle()
        return self.gateway.sent(3)[-1]

    async def work(self, order_ref: str = "alvh:1") -> int:
        """Place a condor and let the broker acknowledge it; its order id."""
        fields = await self.place(order_ref)
        self.gateway.open_order(order_ref, OrderState.SUBMITTED)
        self.gateway.status(order_ref, OrderState.SUBMITTED)
        await self.settle()
        self.take()
        return int(fields[1])


def at_the_desk(
    script: Callable[[Desk], Awaitable[None]],
    *,
    gateway: ScriptedGateway | None = None,
    connect: bool = True,
    account: str = ACCOUNT,
    start: datetime = START,
    **options: Any,
) -> Desk:
    """Run a script against a connected adapter (unless `connect` is False) in virtual time."""
    scripted = gateway if gateway is not None else ScriptedGateway()

    async def main() -> Desk:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await scripted.open()
        events: list[Event] = []
        alerts: list[Alert] = []
        broker = IbBroker(
            host=HOST,
            port=PORT,
            client_id=CLIENT_ID,
            account=account,
            clock=VirtualClock(loop, start),
            sink=events.append,
            notify=alerts.append,
            **options,
        )
        desk = Desk(scripted, broker, events, alerts)
        if connect:
            await broker.connect()
        await script(desk)
        await broker.disconnect()
        return desk

    return run(main(), start)
