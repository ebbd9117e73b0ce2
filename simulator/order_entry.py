"""One client's orders: placing and cancelling, the three lists of orders, and executions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from simulator import client_messages as ask
from simulator import order_replies, replies
from simulator.back_office import HAND_CLIENT
from simulator.judgement import invalid
from simulator.model import Execution, OrderChanged, OrderRequest, Report, WhatIfAnswer, WorkingOrder
from simulator.peer import Peer
from simulator.venue import Venue
from simulator.wire import Value

#: Why orders are not taken at all; empty while they are.
Closed = Callable[[], str]
Place = Callable[[OrderRequest], None]
Route = Callable[[Sequence[Report]], None]
RequestOf = Callable[[int], OrderRequest | None]


class OrderDesk:
    """Serves the order requests of one client and tells it what the venue reports."""

    def __init__(
        self, peer: Peer, venue: Venue, route: Route, request_of: RequestOf, place: Place, closed: Closed
    ) -> None:
        self._peer = peer
        self._venue = venue
        self._route = route
        self._request_of = request_of
        self._place = place
        self._closed = closed

    def place(self, request: OrderRequest) -> None:
        """Hand a new order, a modification or a what-if to the venue."""
        if self._is_closed(request.order_id):
            return
        account = request.account or self._venue.account_id
        self._place(replace(request, account=account))

    def cancel(self, request: ask.CancelOrder) -> None:
        """Cancel one order of this client."""
        if self._is_closed(request.order_id):
            return
        self._route(self._venue.cancel(self._peer.client_id, request.order_id))

    def cancel_all(self) -> None:
        """Cancel every order of the account."""
        if self._is_closed(-1):
            return
        self._route(self._venue.cancel_all())

    def bind(self, request: ask.RequestAutoOpenOrders) -> None:
        """Client 0 may have orders made by hand bound to it as they come; others may not ask."""
        if self._peer.client_id == HAND_CLIENT:
            self._venue.by_hand.auto_bind = request.bind
        elif request.bind:
            cause = "Only client 0 can request auto-binding of orders"
            self._peer.error(-1, 321, f"Error validating request.-'cA' : cause - {cause}")

    def list_open(self, every_client: bool) -> None:
        """Working orders of this client or of all. Client 0 asking for its own binds those made by hand."""
        if self._peer.client_id == HAND_CLIENT and not every_client:
            self._route(self._venue.by_hand.bind())
        for order in self._venue.open_orders(None if every_client else self._peer.client_id):
            self._tell_open(order)
            self._peer.write(order_replies.order_status(order))
        self._peer.write(replies.open_order_end())

    def list_completed(self) -> None:
        """Orders that ended since midnight."""
        for order in self._venue.completed_orders():
            message = order_replies.completed_order(self._peer.version, order, self._venue.market.instrument)
            self._peer.write(message)
        self._peer.write(replies.completed_orders_end())

    def list_executions(self, request: ask.RequestExecutions) -> None:
        """Executions since midnight that pass the filter, each with its commission report."""
        chosen = [execution for execution in self._venue.executions() if self._passes(execution, request)]
        for execution in chosen:
            self.tell_execution(execution, request.req_id)
            self.tell_commission(execution)
        self._peer.write(replies.executions_end(request.req_id))

    def tell_change(self, report: OrderChanged, after_fill: bool) -> None:
        """Send openOrder and orderStatus; after a fill the status comes first."""
        if report.status and after_fill:
            self._peer.write(order_replies.order_status(report.order))
        if report.open_order:
            self._tell_open(report.order)
        if report.status and not after_fill:
            self._peer.write(order_replies.order_status(report.order))

    def tell_bound(self, order: WorkingOrder) -> None:
        """Send orderBound: an order made by hand has an id now."""
        request = order.request
        self._peer.write(replies.order_bound(order.perm_id, request.client_id, request.order_id))

    def tell_what_if(self, answer: WhatIfAnswer) -> None:
        """Send the answer to a what-if request."""
        before = next((v for k, v, _ in self._venue.account_values() if k == "EquityWithLoanValue"), None)
        equity_before = answer.equity_after if before is None else float(before)
        find = self._venue.market.instrument
        self._peer.write(order_replies.what_if(self._peer.version, answer, equity_before, find))

    def tell_execution(self, execution: Execution, req_id: int) -> None:
        """Send execDetails; `req_id` is -1 for a live fill."""
        self._peer.write(replies.execution_details(req_id, execution, self._contract(execution)))

    def tell_commission(self, execution: Execution) -> None:
        """Send the commission report, which the combo's own line does not have."""
        if execution.commission is not None:
            self._peer.write(replies.commission_report(execution, "USD"))

    def _is_closed(self, order_id: int) -> bool:
        why = self._closed()
        if why:
            refused = invalid(why)
            self._peer.error(order_id, refused.code, refused.text)
        return bool(why)

    def _tell_open(self, order: WorkingOrder) -> None:
        find = self._venue.market.instrument
        self._peer.write(order_replies.open_order(self._peer.version, order, find))

    def _contract(self, execution: Execution) -> tuple[Value, ...]:
        instrument = self._venue.market.instrument(execution.con_id)
        if execution.security_type != "BAG" and instrument is not None:
            return replies.contract_fields(instrument, execution.exchange)
        request = self._request_of(execution.perm_id)
        symbol, currency = ("", "USD") if request is None else (request.symbol, request.currency or "USD")
        return replies.bag_fields(symbol, execution.exchange, currency)

    def _passes(self, execution: Execution, wanted: ask.RequestExecutions) -> bool:
        fields = self._contract(execution)
        since = _filter_time(wanted.time)
        return (
            wanted.client_id in {"", "0", str(execution.client_id)}
            and wanted.account in {"", execution.account}
            and wanted.symbol in {"", fields[1]}
            and wanted.security_type in {"", execution.security_type}
            and wanted.exchange in {"", execution.exchange}
            and wanted.side.upper() in {"", execution.side, "BUY" if execution.side == "BOT" else "SELL"}
            and (since is None or execution.time >= since)
        )


@lru_cache(maxsize=8)
def _filter_time(text: str) -> datetime | None:
    """`YYYYMMDD-HH:MM:SS` (UTC) or `YYYYMMDD HH:MM:SS` (New York); anything else does not filter."""
    for pattern, zone in (("%Y%m%d-%H:%M:%S", UTC), ("%Y%m%d %H:%M:%S", replies.NEW_YORK)):
        try:
            naive = datetime.strptime(" ".join(text.split())[:17], pattern)  # noqa: DTZ007  zone set on the next line
        except ValueError:
            continue
        return naive.replace(tzinfo=zone)
    return None
