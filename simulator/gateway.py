"""The gateway: one venue, its market, and the clients that talk to them.

It owns who is connected, tells each report of the venue to the clients it concerns in the order the
broker uses, and makes one step of time: move the market, match, and send every client what changed in one
piece.
"""

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import Final

from simulator.api_settings import ApiSettings
from simulator.connectivity import Connectivity
from simulator.entitlements import Entitlements
from simulator.model import (
    AccountChanged,
    Executed,
    Execution,
    OrderBound,
    OrderChanged,
    OrderError,
    OrderRequest,
    Report,
    WhatIfAnswer,
    WorkingOrder,
)
from simulator.peer import Edge
from simulator.session import Session
from simulator.venue import Venue

#: Orders whose requests are remembered before those that ended on earlier days are let go.
_REQUESTS_KEPT: Final = 64


class Gateway:
    """Joins a venue to its clients. `clock` gives market time; the gateway reads no other clock.

    `master_client_id` is the client that is told of every order beside its owner, as the broker's setting
    of that name.
    """

    def __init__(
        self,
        venue: Venue,
        clock: Callable[[], datetime],
        entitlements: Entitlements | None = None,
        master_client_id: int | None = None,
        settings: ApiSettings | None = None,
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.entitlements = Entitlements() if entitlements is None else entitlements
        self.settings = ApiSettings(master_client_id=master_client_id) if settings is None else settings
        self.connectivity = Connectivity()
        self.edge: Edge | None = None
        self.accepts = True  # new connections; without, they are hung up on at once
        self._connections: list[Session] = []
        self.sessions: dict[int, Session] = {}  # by client id, in the order they came
        self._requests: dict[int, OrderRequest] = {}
        self._forget_at = _REQUESTS_KEPT

    def connect(self, send: Callable[[bytes], None], hang_up: Callable[[], None]) -> Session:
        """A new connection: `send` writes to it, `hang_up` closes it after what was written."""
        session = Session(self, send, hang_up)
        if not self.accepts:
            session.close()
            return session
        self._connections.append(session)
        return session

    def disconnect(self, session: Session) -> None:
        """The connection of `session` is gone."""
        session.lost()
        if self.edge is not None:
            self.edge.forget(session)
        if session in self._connections:
            self._connections.remove(session)
        if self.sessions.get(session.peer.client_id) is session:
            del self.sessions[session.peer.client_id]

    @property
    def clients(self) -> tuple[int, ...]:
        """Client ids that are connected and started, in the order they came."""
        return tuple(self.sessions)

    def claim(self, client_id: int, session: Session) -> bool:
        """Register `session` under `client_id`; False when another session holds it."""
        return self.sessions.setdefault(client_id, session) is session

    def followed_accounts(self, but: Session) -> dict[int, str]:
        """Accounts that sessions other than `but` follow, by client id."""
        return {
            client_id: session.account.updates_of
            for client_id, session in self.sessions.items()
            if session is not but and session.account.updates_of
        }

    def step(self, options: bool = True, others: bool = True) -> None:
        """Move the market to the clock, match orders, and send what changed: ticks of options, of others,
        or both.

        A clock that stands still or goes back leaves the market where it is.
        """
        market = self.venue.market
        now = self.clock()
        if now > market.now:
            market.advance(now)
            self.route(self.venue.match())
        if self.edge is not None:
            self.edge.step(now)
        self._publish(options, others)
        for session in self.sessions.values():
            if self.connectivity.quotes_pass:
                session.streams.publish()
            session.quotes.end_snapshots()
            session.account.tick(market.now)
            session.history.publish()
        self.flush()

    def place(self, request: OrderRequest) -> None:
        """Hand an order to the venue, or let it wait while the line to the broker is lost."""
        if self.connectivity.lost:
            self.connectivity.keep_order(request)
        else:
            self.route(self.venue.submit(request))

    def notify(self, code: int, text: str) -> None:
        """Send a system notice (1100, 1102, 2103, ...) to every client."""
        for session in self.sessions.values():
            session.peer.error(-1, code, text)
        self.flush()

    def compete(self, elsewhere: bool) -> None:
        """A live session of the same user takes the market data (error 10197 on each line), or gives it
        back.
        """
        if elsewhere and not self.entitlements.competing_session:
            for session in self.sessions.values():
                session.quotes.interrupt()
        self.entitlements.competing_session = elsewhere
        self.flush()

    def hang_up(self) -> None:
        """Close every connection after what is queued for it."""
        for session in tuple(self._connections):
            session.close()

    def flush(self) -> None:
        """Send what the conversations have queued, one write for each client."""
        for session in tuple(self._connections):
            session.flush()

    def request_of(self, perm_id: int) -> OrderRequest | None:
        """The order behind a permanent id, if it worked or ended today."""
        if perm_id not in self._requests:
            self._requests = self._requests_of_today()
        return self._requests.get(perm_id)

    def route(self, reports: Sequence[Report]) -> None:
        """Tell the venue's reports to the clients they concern.

        Within one batch: order changes and fills as they come (after a fill the status precedes
        openOrder), then commissions, then positions and account values.
        """
        if self.connectivity.lost:
            self.connectivity.keep_reports(reports)
            return
        filled: dict[int, None] = {}
        executed: list[Execution] = []
        moved: list[int] = []
        account_changed = False
        for report in reports:
            if isinstance(report, AccountChanged):
                account_changed = True
                moved += report.con_ids
            elif isinstance(report, Executed):
                filled[report.execution.perm_id] = None
                executed.append(report.execution)
                for session in self._audience(report.execution.client_id):
                    session.orders.tell_execution(report.execution, -1)
            else:
                self._tell(report, filled)
        for execution in executed:
            for session in self._audience(execution.client_id):
                session.orders.tell_commission(execution)
        if account_changed:
            for session in self.sessions.values():
                session.account.changed(dict.fromkeys(moved))

    def _tell(
        self, report: OrderChanged | OrderBound | OrderError | WhatIfAnswer, filled: Container[int]
    ) -> None:
        """One report about an order; `filled` are the permanent ids that traded in this batch."""
        match report:
            case OrderChanged(order):
                self._remember(order)
                for session in self._audience(order.request.client_id, order.request.order_id):
                    session.orders.tell_change(report, after_fill=order.perm_id in filled)
            case OrderBound(order):
                for session in self._audience(order.request.client_id):
                    session.orders.tell_bound(order)
            case OrderError(client_id, order_id, code, text):
                if client_id in self.sessions:
                    self.sessions[client_id].peer.error(order_id, code, text)
            case WhatIfAnswer(request):
                if request.client_id in self.sessions:
                    self.sessions[request.client_id].orders.tell_what_if(report)

    def _remember(self, order: WorkingOrder) -> None:
        """Keep the request for executions that name it; those of days gone by are let go now and then."""
        if len(self._requests) >= self._forget_at:
            self._requests = self._requests_of_today()
            self._forget_at = max(_REQUESTS_KEPT, 2 * len(self._requests))
        self._requests[order.perm_id] = order.request

    def _requests_of_today(self) -> dict[int, OrderRequest]:
        orders = [*self.venue.open_orders(None), *self.venue.completed_orders()]
        return {order.perm_id: order.request for order in orders}

    def _audience(self, owner: int, order_id: int = 1) -> list[Session]:
        # An order made by hand (id 0) is nobody's until it is bound; the master sees it all the same.
        ids = dict.fromkeys([owner] if order_id else [])
        if self.settings.master_client_id is not None:
            ids[self.settings.master_client_id] = None
        return [self.sessions[client_id] for client_id in ids if client_id in self.sessions]

    def _publish(self, options: bool, others: bool) -> None:
        if not self.connectivity.quotes_pass:
            return
        wanted: dict[int, None] = {}
        for session in self.sessions.values():
            if options:
                wanted.update(dict.fromkeys(session.quotes.watched(options=True)))
            if others:
                wanted.update(dict.fromkeys(session.quotes.watched(options=False)))
        ticks = {tick.con_id: tick for tick in self.venue.market.ticks(wanted)} if wanted else {}
        for session in self.sessions.values():
            session.quotes.publish(ticks, options, others)
