"""One client's conversation with the gateway, without any input or output of its own.

Bytes come in through `receive` and leave through the `send` callable; everything between is a plain
function of them, of the venue and of the gateway's clock. The same conversation therefore runs over a
real socket and in virtual time, and the same inputs give the same bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from simulator import calculator, reference, replies
from simulator import client_messages as ask
from simulator.account_feed import AccountFeed
from simulator.api_settings import BREACHES_MAX, ApiSettings, MessageRate
from simulator.connectivity import Connectivity
from simulator.entitlements import Entitlements
from simulator.market_data import MarketDataDesk
from simulator.model import OrderRequest, Report
from simulator.notices import Farm, farm_notice, notice
from simulator.order_entry import OrderDesk
from simulator.order_fields import DecodeError, VersionMismatchError
from simulator.peer import Edge, Peer
from simulator.price_history import HistoryDesk
from simulator.requests import decode, subject
from simulator.streams import StreamDesk
from simulator.venue import Venue
from simulator.wire import FrameDecoder, FrameTooLongError, split

#: The newest dialect that every client library decodes, and the oldest that the asyncio libraries accept.
SERVER_VERSION: Final = 176
OLDEST_VERSION: Final = 157

_GREETING: Final = b"API\0"
_VERSIONS: Final = re.compile(rb"v(\d{1,4})(?:\.\.(\d{1,4}))?(?: .*)?\0?", re.DOTALL)


class Office(Protocol):
    """What a conversation needs of the gateway behind it."""

    venue: Venue
    entitlements: Entitlements
    settings: ApiSettings
    connectivity: Connectivity
    edge: Edge | None
    clock: Callable[[], datetime]

    def claim(self, client_id: int, session: "Session") -> bool:
        """Register the session under its client id; False when another one holds it."""

    def followed_accounts(self, but: "Session") -> Mapping[int, str]:
        """Accounts that sessions other than this one follow, by client id."""

    def route(self, reports: Sequence[Report]) -> None:
        """Tell the venue's reports to every client they concern."""

    def place(self, request: OrderRequest) -> None:
        """Hand an order to the venue, now or when the line to it works."""

    def request_of(self, perm_id: int) -> OrderRequest | None:
        """The order behind a permanent id, if it worked or ended today."""

    def flush(self) -> None:
        """Send what the clients' conversations have queued."""


class Session:
    """Greeting, version, start, and then any request in any order until one side hangs up."""

    def __init__(self, office: Office, send: Callable[[bytes], None], hang_up: Callable[[], None]) -> None:
        self._office = office
        self._send = send
        self._hang_up = hang_up
        self._frames = FrameDecoder()
        self._greeted = False
        self._open = True
        self.started = False
        self.peer = Peer()
        self.quotes = MarketDataDesk(self.peer, office.venue.market, office.entitlements)
        self.streams = StreamDesk(self.peer, office.venue.market, office.entitlements)
        self._rate = MessageRate()
        self.account = AccountFeed(self.peer, office.venue, lambda: office.followed_accounts(self))
        self.orders = OrderDesk(
            self.peer, office.venue, office.route, office.request_of, office.place, self._closed
        )
        self.history = HistoryDesk(self.peer, office.venue.market, office.connectivity)
        self._handlers = self._table()

    def receive(self, data: bytes) -> None:
        """Take bytes from the client. Never raises on anything a client may send; a broken stream ends the
        connection.
        """
        if not self._open:
            return
        try:
            self._read(data)
        except FrameTooLongError as broken:
            self.peer.error(-1, 320, f"Error reading request. {broken}")
            self.close()
        if self._office.connectivity.quotes_pass:
            self.quotes.publish_first()
        self._office.flush()

    def flush(self) -> None:
        """Send what is queued, in one piece."""
        # Until the client has started, nothing stands between it and the gateway.
        edge = self._office.edge if self.started else None
        data = self.peer.drain(edge, self)
        if data and self._open:
            self._send(data)

    def close(self) -> None:
        """Send what is queued and hang up."""
        if self._open:
            self.flush()
            self._open = False
            self.started = False
            self._hang_up()

    def lost(self) -> None:
        """The connection is gone: nothing is sent any more."""
        self._open = False
        self.started = False
        self.peer.outgoing.clear()

    def _read(self, data: bytes) -> None:
        if not self._greeted:
            self._frames.hold(data)
            start = self._frames.take(len(_GREETING))
            if start is None:
                return
            if start != _GREETING:
                self.close()
                return
            self._greeted = True
            data = b""
        for payload in self._frames.feed(data):
            if not self._open:
                return
            if self.peer.version:
                self._dispatch(split(payload))
            else:
                self._agree(payload)

    def _agree(self, payload: bytes) -> None:
        offered = _VERSIONS.fullmatch(payload)
        oldest, newest = (int(offered[1]), int(offered[2] or offered[1])) if offered else (0, 0)
        version = min(SERVER_VERSION, newest)
        if version < max(OLDEST_VERSION, oldest):
            self.close()
            return
        self.peer.version = version
        self.peer.write(replies.greeting(version, self._office.clock()))

    def _closed(self) -> str:
        return "The API interface is currently in Read-Only mode." if self._office.settings.read_only else ""

    def _admits(self) -> bool:
        limit = self._office.settings.messages_per_s
        if limit is None or self._rate.admits(self._office.clock(), limit):
            return True
        self.peer.error(-1, 100, self._rate.complaint(limit))
        if self._rate.breaches >= BREACHES_MAX:
            self.close()
        return False

    def _dispatch(self, message: Sequence[str]) -> None:
        if self.started and not self._admits():
            return
        edge = self._office.edge
        if edge is not None and not edge.hears(message):
            return
        try:
            request = decode(message, self.peer.version, self.peer.client_id)
        except VersionMismatchError as error:
            self.peer.error(subject(message), 320, f"Error reading request. Version mismatch: {error}")
            return
        except DecodeError as error:
            self.peer.error(subject(message), 320, f"Error reading request. {error}")
            return
        if isinstance(request, ask.StartApi):
            self._start(request)
        elif self.started:
            self._handlers[type(request)](request)

    def _start(self, request: ask.StartApi) -> None:
        if self.started:
            return
        self.peer.client_id = request.client_id
        if not self._office.claim(request.client_id, self):
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            self.peer.error(-1, 326, text)
            self.close()
            return
        self.started = True
        self._tell_accounts()
        self._tell_next_id()
        for farm in Farm:
            works = farm not in self._office.connectivity.broken
            self.peer.error(-1, *farm_notice(farm, works=works))
        if self._office.connectivity.lost:
            self.peer.error(-1, *notice(1100))

    def _tell_accounts(self) -> None:
        self.peer.write(replies.managed_accounts(self._office.venue.account_id))

    def _tell_next_id(self) -> None:
        self.peer.write(replies.next_valid_id(self._office.venue.next_order_id(self.peer.client_id)))

    def _tell_time(self) -> None:
        self.peer.write(replies.current_time(int(self._office.clock().timestamp())))

    def _refuse(self, request: ask.Unserved) -> None:
        if not request.quiet:
            text = f"Error processing request.-'bZ' : cause - {request.name} is not served"
            self.peer.error(request.req_id, 322, text)

    def _table(self) -> Mapping[type, Callable[[Any], None]]:
        peer, market = self.peer, self._office.venue.market
        return {
            ask.RequestIds: lambda _: self._tell_next_id(),
            ask.RequestManagedAccounts: lambda _: self._tell_accounts(),
            ask.RequestCurrentTime: lambda _: self._tell_time(),
            ask.SetServerLogLevel: lambda _: None,
            ask.RequestContractDetails: lambda x: reference.answer_contract_details(peer, market, x),
            ask.RequestOptionParameters: lambda x: reference.answer_option_parameters(peer, market, x),
            ask.RequestMarketRule: lambda x: reference.answer_market_rule(peer, x),
            ask.RequestMatchingSymbols: lambda x: reference.answer_matching_symbols(peer, market, x),
            ask.RequestMarketDataType: self.quotes.set_kind,
            ask.RequestMarketData: self.quotes.subscribe,
            ask.CancelMarketData: self.quotes.cancel,
            ask.RequestHistory: self.history.answer,
            ask.CancelHistory: self.history.cancel,
            ask.RequestHeadTimestamp: self.history.answer_head,
            ask.CancelHeadTimestamp: lambda _: None,
            ask.RequestRealTimeBars: self.streams.follow_bars,
            ask.CancelRealTimeBars: self.streams.stop_bars,
            ask.RequestTickByTick: self.streams.follow_ticks,
            ask.CancelTickByTick: self.streams.stop_ticks,
            ask.RequestImpliedVolatility: lambda x: calculator.answer_implied_volatility(peer, market, x),
            ask.RequestOptionPrice: lambda x: calculator.answer_option_price(peer, market, x),
            ask.Unserved: self._refuse,
            ask.RequestAccountUpdates: self.account.follow_updates,
            ask.RequestAccountSummary: self.account.follow_summary,
            ask.CancelAccountSummary: self.account.stop,
            ask.RequestAccountUpdatesMulti: self.account.follow_multi,
            ask.CancelAccountUpdatesMulti: self.account.stop,
            ask.RequestPositions: lambda _: self.account.follow_positions(),
            ask.CancelPositions: self.account.stop,
            ask.RequestPnl: self.account.follow_pnl,
            ask.CancelPnl: self.account.stop,
            ask.RequestPnlSingle: self.account.follow_pnl_single,
            ask.CancelPnlSingle: self.account.stop,
            OrderRequest: self.orders.place,
            ask.CancelOrder: self.orders.cancel,
            ask.GlobalCancel: lambda _: self.orders.cancel_all(),
            ask.RequestOpenOrders: lambda _: self.orders.list_open(every_client=False),
            ask.RequestAllOpenOrders: lambda _: self.orders.list_open(every_client=True),
            ask.RequestAutoOpenOrders: self.orders.bind,
            ask.RequestCompletedOrders: lambda _: self.orders.list_completed(),
            ask.RequestExecutions: self.orders.list_executions,
        }
