"""What the broker itself has said about each order, and nothing else.

Evidence is an openOrder, an orderStatus, a completedOrder or an execution. An error on an order is not: both
client libraries mark an order Cancelled on codes that only mean that a modification or a cancellation was
refused, while the order lives on or is already filled. An error therefore waits a moment for the status that
explains it and lends it its code and reason; when no status follows, or when the error says that broker and
bot disagree (104, 161, 10147, 10148), the order is UNKNOWN until a reconciliation settles it. Warnings leave
an order alone.

What has ended stays ended, whatever comes late, with one exception: an order that the broker lists as open in
answer to a question put after it told the end lives, and is handed over with that answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from bot.broker.contracts import from_client
from bot.events import CommissionReported, Event, Executed, OrderReported
from market.contract import Action, Contract
from market.order import Fill, OrderStatus
from market.rounding import round_price

# Seconds an error waits for the order status that explains it.
STATUS_GRACE_S = 1.0

_LIVE_STATES = {"PendingSubmit", "ApiPending", "PreSubmitted", "Submitted"}
_AT_WORK = {"PreSubmitted", "Submitted"}
_REVOCABLE = {OrderStatus.CANCELLED, OrderStatus.REJECTED}  # ends the broker's own list can prove untrue
_ENDED = {
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "ApiCancelled": OrderStatus.CANCELLED,
}
# Order messages that change nothing about the order (399 e.g. "will not be placed until ...", 10349 time in
# force set by a preset); 2100-2199 are warnings by their numbering.
_WARNINGS = {399, 404, 10349}
_CANCELLED = 202
_CONTRADICTIONS = {104, 161, 10147, 10148}
_COMMISSION_USD_MAX = 1e9


@dataclass(slots=True)
class KnownOrder:
    """An order as the broker last told it. `contract` is the broker's own, so that it can be sent back."""

    order_ref: str
    order_id: int = 0
    client_id: int = 0
    perm_id: int = 0
    contract: Any = None
    action: Action = Action.BUY
    quantity: int = 0
    status: OrderStatus = OrderStatus.SENT
    filled: int = 0
    is_rejected: bool = False
    code: int = 0
    reason: str = ""
    told: tuple[Any, ...] = ()
    statements: int = 0  # how often the broker has spoken about it
    ended_in: int = 0  # snapshots begun when its end was told
    is_listed_alive: bool = False  # listed as open after its end, and not yet handed over as such
    is_written: bool = True  # False while our own new order waits for its turn on the line

    def report(self) -> OrderReported:
        """The event for this order as it stands."""
        return OrderReported(
            self.order_ref, self.perm_id, self.status, self.filled, code=self.code, reason=self.reason
        )

    @property
    def standing(self) -> tuple[Any, ...]:
        """What is worth telling once."""
        return self.status, self.filled, self.perm_id, self.code


@dataclass(slots=True)
class Evidence:
    """Keeps the orders of one broker session and tells `tell` what is new.

    `later` runs a function after so many seconds. Rows seen since `begin_snapshot` are what a reconciliation
    hands over.
    """

    client_id: int
    tell: Callable[[Event], None]
    later: Callable[[float, Callable[[], None]], object]
    contract_of: Callable[[int], Contract | None]
    order_id_max: int = 0
    _by_ref: dict[str, KnownOrder] = field(default_factory=dict)
    _by_id: dict[tuple[int, int], KnownOrder] = field(default_factory=dict)
    _by_perm: dict[int, KnownOrder] = field(default_factory=dict)
    _seen: dict[tuple[str, int], KnownOrder] = field(default_factory=dict)
    _snapshots: int = 0
    _is_listing: bool = False  # open orders have been asked for and not all been listed

    def find(self, order_ref: str) -> KnownOrder | None:
        """The latest order with this reference."""
        return self._by_ref.get(order_ref)

    def knows(self, order_id: int) -> bool:
        """Whether this id of our own client is an order."""
        return (self.client_id, order_id) in self._by_id

    def placed(self, order: KnownOrder) -> None:
        """An order of ours was handed to the transport; not yet evidence."""
        self._by_ref[order.order_ref] = order
        self._by_id[order.client_id, order.order_id] = order
        self.order_id_max = max(self.order_id_max, order.order_id)

    def begin_snapshot(self) -> None:
        """From now on collect the orders the broker lists."""
        self._seen = {}
        self._snapshots += 1
        self._is_listing = True

    def open_listed(self) -> None:
        """The broker has listed all open orders; what it says from here on answers no question."""
        self._is_listing = False

    def snapshot(self) -> tuple[OrderReported, ...]:
        """Orders listed since `begin_snapshot`, each as it stands now; with that they are told."""
        for order in self._seen.values():
            order.told, order.is_listed_alive = order.standing, False
        return tuple(order.report() for order in self._seen.values())

    def opened(self, order_id: int, contract: Any, raw: Any, state: Any) -> None:
        """openOrder: the broker lists or acknowledges an order."""
        order = self._order(order_id, raw.clientId, raw.permId, raw.orderRef)
        order.contract = contract
        order.action = Action.SELL if raw.action == "SELL" else Action.BUY
        order.quantity = _count(raw.totalQuantity)
        self._seen[order.order_ref, order.perm_id] = order
        if not self._lives_after_all(order, state.status):
            self._stands(order, state.status, order.filled)
            return
        # Not told by itself: the list of ended orders, which comes next, may still say otherwise.
        order.is_listed_alive = True
        order.status = OrderStatus.PARTIAL if order.filled else OrderStatus.WORKING
        order.is_rejected, order.code, order.reason = False, 0, ""

    def status(self, *told: Any) -> None:
        """OrderStatus, with the fields in the protocol's order."""
        order_id, state, filled, _remaining, _average, perm_id, _parent, _last, client_id, *_ = told
        order = self._by_id.get((client_id, order_id)) if order_id > 0 else None
        order = order or self._by_perm.get(perm_id)
        if order is None:
            # Its openOrder has not come yet, and only that says whose order it is; it repeats the state.
            return
        self._name(order, order_id, client_id, perm_id)
        self._stands(order, state, _count(filled))

    def completed(self, contract: Any, raw: Any, state: Any) -> None:
        """CompletedOrder: an order that ended today. It carries no order id."""
        order = self._by_perm.get(raw.permId) or self._order(0, 0, raw.permId, raw.orderRef)
        order.contract = order.contract or contract
        filled = _count(raw.filledQuantity) or order.filled
        text = state.completedStatus or ""
        if state.status == "Filled" and not filled:
            filled = _count(raw.totalQuantity)
        if text.startswith("Reject") or (state.status == "Inactive" and not filled):
            order.is_rejected = True
        order.reason = order.reason or text
        self._seen[order.order_ref, order.perm_id] = order
        self._stands(order, "Cancelled" if state.status == "Inactive" else state.status, filled)

    def executed(self, contract: Any, raw: Any) -> Executed | None:
        """ExecDetails as an event, or None for a combo's own line, whose legs are reported one by one."""
        if raw.clientId == self.client_id:
            self.order_id_max = max(self.order_id_max, raw.orderId if raw.orderId < 2**31 - 1 else 0)
        if contract.secType == "BAG":
            return None
        traded = self.contract_of(contract.conId) or from_client(contract)
        if traded is None:
            return None
        order = self._by_perm.get(raw.permId) or self._by_id.get((raw.clientId, raw.orderId))
        sign = 1 if raw.side == "BOT" else -1
        fill = Fill(
            exec_id=raw.execId,
            order_ref=raw.orderRef or (order.order_ref if order is not None else ""),
            perm_id=raw.permId,
            con_id=contract.conId,
            quantity=sign * _count(raw.shares),
            price=round_price(float(raw.price)),
            time=raw.time,
        )
        return Executed(fill, traded)

    def failed(self, order_id: int, code: int, text: str) -> None:
        """An error on one of our orders: never evidence by itself."""
        order = self._by_id[self.client_id, order_id]
        if order.status.is_terminal or code in _WARNINGS or 2100 <= code < 2200:
            return
        if code == _CANCELLED:
            order.reason = order.reason or text
            return
        if code in _CONTRADICTIONS:
            self._doubt(order, code, text)
            return
        order.code, order.reason, order.is_rejected = code, text, True
        heard = order.statements
        self.later(
            STATUS_GRACE_S, lambda: self._doubt(order, code, text) if order.statements == heard else None
        )

    def doubt(self, order_ref: str, reason: str) -> None:
        """We cannot know what became of an order; the engine has to ask."""
        self._doubt(self._by_ref.get(order_ref) or KnownOrder(order_ref), 0, reason)

    def _order(self, order_id: int, client_id: int, perm_id: int, order_ref: str) -> KnownOrder:
        order = self._by_id.get((client_id, order_id)) if order_id > 0 else None
        order = order or self._by_perm.get(perm_id)
        is_other = order is not None and (
            order.order_ref != order_ref or (perm_id and order.perm_id not in {0, perm_id})
        )
        if order is None or is_other:
            # Order ids are reissued after a restart of the gateway, and an order moved while the link was
            # down may stand twice: the reference and the permanent id together are what stays.
            named = self._by_ref.get(order_ref) if order_ref else None
            order = named if named is not None and named.perm_id in {0, perm_id} else KnownOrder(order_ref)
        if order_ref:
            self._by_ref[order_ref] = order
        self._name(order, order_id, client_id, perm_id)
        return order

    def _name(self, order: KnownOrder, order_id: int, client_id: int, perm_id: int) -> None:
        if order_id > 0:
            order.order_id, order.client_id = order_id, client_id
            self._by_id[client_id, order_id] = order
            if client_id == self.client_id:
                self.order_id_max = max(self.order_id_max, order_id)
        if perm_id:
            order.perm_id = perm_id
            self._by_perm[perm_id] = order

    def _lives_after_all(self, order: KnownOrder, state: str) -> bool:
        """Whether the broker lists as open what it told to have ended before it was asked."""
        is_answer = self._is_listing and order.ended_in < self._snapshots
        return is_answer and order.status in _REVOCABLE and state in _AT_WORK

    def _stands(self, order: KnownOrder, state: str, filled: int) -> None:
        order.statements += 1
        if order.status.is_terminal:
            return
        order.filled = max(order.filled, filled)
        status = _ENDED.get(state)
        if status is OrderStatus.CANCELLED and order.is_rejected and not order.filled:
            status = OrderStatus.REJECTED
        elif state == "Inactive":
            # Held or refused: refused only when an error said so. Held counts as live.
            status = OrderStatus.WORKING
            if order.is_rejected:
                status = OrderStatus.CANCELLED if order.filled else OrderStatus.REJECTED
            order.reason = order.reason or "Inactive"
        elif state == "PendingCancel":
            status = OrderStatus.CANCEL_SENT
        elif state in _LIVE_STATES:
            status = OrderStatus.PARTIAL if order.filled else OrderStatus.WORKING
            order.is_rejected, order.code, order.reason = False, 0, ""
        if status is None:
            self._doubt(order, 0, f"the broker reports an unknown state {state!r}")
            return
        order.status = status
        if status.is_terminal:
            order.ended_in = self._snapshots
        self._tell(order)

    def _doubt(self, order: KnownOrder, code: int, reason: str) -> None:
        if order.status.is_terminal:
            return
        order.status, order.code, order.reason = OrderStatus.UNKNOWN, code, reason
        self._tell(order)

    def _tell(self, order: KnownOrder) -> None:
        if order.is_listed_alive and not order.status.is_terminal:
            return
        if order.standing != order.told:
            order.told = order.standing
            self.tell(order.report())


def commission_event(raw: Any) -> CommissionReported | None:
    """A commission, or None for the sentinels that mean "not known yet"."""
    amount = float(raw.commission)
    if not isfinite(amount) or not 0.0 <= amount < _COMMISSION_USD_MAX or raw.currency not in {"", "USD"}:
        return None
    return CommissionReported(raw.execId, round_price(amount))


def _count(quantity: Any) -> int:
    # Unset doubles are the largest float there is; a count of contracts is small.
    value = float(quantity or 0.0)
    return round(value) if isfinite(value) and abs(value) < 1e9 else 0
