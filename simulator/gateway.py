"""The gateway: one venue, its market, and the clients that talk to them.

It owns who is connected, tells each report of the venue to the clients it concerns in the order the
broker uses, and makes one step of time: move the market, match, and send every client what changed in one
piece.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from simulator.market_data import Entitlements
from simulator.model import (
    AccountChanged,
    Executed,
    Execution,
    OrderChanged,
    OrderError,
    OrderRequest,
    Report,
    Venue,
    WhatIfAnswer,
)
from simulator.session import Session


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
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.entitlements = Entitlements() if entitlements is None else entitlements
        self._master = master_client_id
        self._sessions: list[Session] = []
        self._clients: dict[int, Session] = {}
        self._requests: dict[int, OrderRequest] = {}

    def connect(self, send: Callable[[bytes], None], hang_up: Callable[[], None]) -> Session:
        """A new connection: `send` writes to it, `hang_up` closes it after what was written."""
        session = Session(self, send, hang_up)
        self._sessions.append(session)
        return session

    def disconnect(self, session: Session) -> None:
        """The connection of `session` is gone."""
        session.lost()
        if session in self._sessions:
            self._sessions.remove(session)
        if self._clients.get(session.peer.client_id) is session:
            del self._clients[session.peer.client_id]

    @property
    def clients(self) -> tuple[int, ...]:
        """Client ids that are connected and started, in the order they came."""
        return tuple(self._clients)

    def claim(self, client_id: int, session: Session) -> bool:
        """Register `session` under `client_id`; False when another session holds it."""
        return self._clients.setdefault(client_id, session) is session

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
        self._publish(options, others)
        for session in self._clients.values():
            session.account.tick(market.now)
            session.history.publish()
        self.flush()

    def notify(self, code: int, text: str) -> None:
        """Send a system notice (1100, 1102, 2103, ...) to every client."""
        for session in self._clients.values():
            session.peer.error(-1, code, text)
        self.flush()

    def compete(self, elsewhere: bool) -> None:
        """A live session of the same user takes the market data (error 10197 on each line), or gives it
        back.
        """
        if elsewhere and not self.entitlements.competing_session:
            for session in self._clients.values():
                session.quotes.interrupt()
        self.entitlements.competing_session = elsewhere
        self.flush()

    def hang_up(self) -> None:
        """Close every connection after what is queued for it."""
        for session in tuple(self._sessions):
            session.close()

    def flush(self) -> None:
        """Send what the conversations have queued, one write for each client."""
        for session in tuple(self._sessions):
            session.flush()

    def request_of(self, perm_id: int) -> OrderRequest | None:
        """The order behind a permanent id, if it worked or ended today."""
        if perm_id not in self._requests:
            orders = [*self.venue.open_orders(None), *self.venue.completed_orders()]
            self._requests = {order.perm_id: order.request for order in orders}
        return self._requests.get(perm_id)

    def route(self, reports: Sequence[Report]) -> None:
        """Tell the venue's reports to the clients they concern.

        Within one batch: order changes and fills as they come (after a fill the status precedes
        openOrder), then commissions, then positions and account values.
        """
        filled: dict[int, None] = {}
        executed: list[Execution] = []
        moved: list[int] = []
        account_changed = False
        for report in reports:
            match report:
                case OrderChanged(order):
                    self._requests[order.perm_id] = order.request
                    for session in self._audience(order.request.client_id):
                        session.orders.tell_change(report, after_fill=order.perm_id in filled)
                case Executed(execution):
                    filled[execution.perm_id] = None
                    executed.append(execution)
                    for session in self._audience(execution.client_id):
                        session.orders.tell_execution(execution, -1)
                case OrderError(client_id, order_id, code, text):
                    if client_id in self._clients:
                        self._clients[client_id].peer.error(order_id, code, text)
                case WhatIfAnswer(request):
                    if request.client_id in self._clients:
                        self._clients[request.client_id].orders.tell_what_if(report)
                case AccountChanged(con_ids):
                    account_changed = True
                    moved += con_ids
        for execution in executed:
            for session in self._audience(execution.client_id):
                session.orders.tell_commission(execution)
        if account_changed:
            for session in self._clients.values():
                session.account.changed(dict.fromkeys(moved))

    def _audience(self, owner: int) -> list[Session]:
        ids = dict.fromkeys([owner] if self._master is None else [owner, self._master])
        return [self._clients[client_id] for client_id in ids if client_id in self._clients]

    def _publish(self, options: bool, others: bool) -> None:
        wanted: dict[int, None] = {}
        for session in self._clients.values():
            if options:
                wanted.update(dict.fromkeys(session.quotes.watched(options=True)))
            if others:
                wanted.update(dict.fromkeys(session.quotes.watched(options=False)))
        if not wanted:
            return
        ticks = {tick.con_id: tick for tick in self.venue.market.ticks(wanted)}
        for session in self._clients.values():
            session.quotes.publish(ticks, options, others)
