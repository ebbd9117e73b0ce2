"""One paper account behind TWS or IB Gateway: the only door through which orders leave the product.

The client library serves as socket, encoder and decoder; what its messages mean is decided in the rooms
beside this one. Rules that hold throughout: exactly the allow-listed paper account, checked when the gateway
names it and again before each order; a deadline on every question; nothing is complete before its end
marker; every message is paced below the limit, orders first; and a message that cannot be read ends the
session, because reconciling anew is safer than going on without it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.broker import listing
from bot.broker.contracts import order_terms
from bot.broker.inbox import ACCOUNT, READ_ONLY, TIME, is_read_only
from bot.broker.margin import MarginDesk
from bot.broker.orders import OrderDesk
from bot.broker.pacing import MESSAGES_PER_S, Pacer
from bot.broker.quotes import LineBook
from bot.broker.reconciliation import reconciled
from bot.broker.requests import RefusedError
from bot.broker.session import Hooks, Session, require_paper
from bot.broker.skew import SkewWatch
from bot.clock import BrokerClock, Clock, host_ahead_s
from bot.errors import BrokerError, BrokerUnreachableError, NotPaperAccountError, ReadOnlyApiError
from bot.events import (
    AccountTaken,
    Alert,
    CancelOrder,
    Connected,
    ContractsNamed,
    Disconnected,
    Event,
    ListOptions,
    MoveWithheld,
    OptionsListed,
    OrderReported,
    PlaceOrder,
    QuotesTaken,
    Reconciled,
    ReplaceOrder,
)
from bot.port import MarginPort
from market.contract import Contract
from market.order import OrderStatus
from market.rounding import round_price

HEARTBEAT_S = 5.0
_ACCOUNT_AGE_MAX = timedelta(seconds=60)
_ACCOUNT_REPEAT = timedelta(seconds=10)
_LIVE_DATA = 1
_NO_DEFINITION = 200
_OPTION_MULTIPLIER = 100


def _nothing(_: object) -> None:
    return None


class IbBroker:
    """The broker as the daemon sees it. `sink` is handed each event as it happens, `notify` each alert.

    `Disconnected` comes both when the socket is gone (`is_connected` is then False: connect again) and when
    the gateway has lost the broker behind it (it is still True: a `Connected` follows by itself). After any
    `Connected` the daemon reconciles.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: int,
        account: str,
        clock: Clock,
        sink: Callable[[Event], None] = _nothing,
        notify: Callable[[Alert], None] = _nothing,
        connect_timeout_s: float = 10.0,
        request_timeout_s: float = 10.0,
        feed_silence_s: float = 30.0,
        host_skew_s_max: float | None = None,
        messages_per_s: int = MESSAGES_PER_S,
    ) -> None:
        require_paper([account], account)
        self.sink = sink
        self.notify = notify
        self._host, self._port, self._client_id, self._account = host, port, client_id, account
        self._clock = clock
        self._connect_timeout_s, self._request_timeout_s = connect_timeout_s, request_timeout_s
        self._lines = LineBook(timedelta(seconds=feed_silence_s))
        self.heard_at = lambda: self._lines.heard_at
        self._contracts: dict[int, Contract] = {}
        self._desk = OrderDesk(account, client_id, self._tell)
        self.margin: MarginPort = MarginDesk(account, client_id, self._require_trading, self._raise_floor)
        self._wanted: tuple[int, ...] = ()
        self.epoch = 0
        self._account_asked: datetime | None = None
        self._skew = SkewWatch(host_skew_s_max, isinstance(clock, BrokerClock))
        # One pace for all sessions: no second has more, not even one in which a session follows another.
        self._pacer = Pacer(lambda: asyncio.get_running_loop().time(), messages_per_s)
        self._is_telling = False
        self._order_id_floor = 0
        self._session: Session | None = None
        self._turns: dict[str, asyncio.Lock] = {}

    @property
    def is_connected(self) -> bool:
        """Whether a socket to the gateway stands and has been greeted."""
        return self._session is not None

    # ------------------------------------------------------------------ session

    async def connect(self) -> Connected:
        """Greet the gateway, check its account and prove that it answers every kind of list to the end.

        Raises NotPaperAccountError before anything else can be the matter, BrokerUnreachableError when the
        gateway does not answer, has no broker or the client id is taken, ReadOnlyApiError when it takes no
        orders. The lines of the last session are streamed again.
        """
        await self.disconnect()
        # What is learned while connecting is not told piece by piece: the reconciliation that has to follow
        # a connection tells it as a whole.
        self._is_telling = False
        session = Session(
            account=self._account,
            client_id=self._client_id,
            clock=self._clock,
            lines=self._lines,
            contracts=self._contracts,
            pacer=self._pacer,
            answers_within_s=self._request_timeout_s,
            hooks=Hooks(self._tell, self._notify, self._lost, self._link_changed),
        )
        await session.open(self._host, self._port, self._connect_timeout_s)
        self._session = session
        try:
            session.client.updateReqId(self._order_id_floor)
            session.client.reqMarketDataType(_LIVE_DATA)
            session.outbox.pacer.sent()
            # First of all the time: a clock that follows the gateway knows nothing before.
            await self._server_time()
            await session.ask(ACCOUNT, lambda: session.client.reqAccountUpdates(True, self._account))
            await self.reconcile()
            # A link lost meanwhile was told to nobody, and what was answered then came from a cache.
            self._require_trading()
        except BaseException as error:  # raised again: a cancelled connection is closed too
            await self.disconnect()
            if isinstance(error, RefusedError) and is_read_only(error.code, error.text):
                raise ReadOnlyApiError(READ_ONLY) from error
            raise
        self.epoch += 1
        self._is_telling = True
        session.outbox.stream(self._wanted)
        return Connected(self._account, self.epoch)

    async def disconnect(self) -> None:
        """Close the session, if there is one. No event tells of it."""
        session, self._session = self._session, None
        if session is not None:
            session.forget("the session was closed")
            await session.close()

    async def heartbeat(self) -> datetime:
        """Prove that the gateway still answers; its time in UTC, in whole seconds.

        A connected socket proves nothing. A BrokerClock learns from each answer.

        Raises BrokerUnreachableError after five seconds of silence; the session is then dropped.
        """
        session = self._require_session()
        try:
            return await self._server_time(HEARTBEAT_S)
        except BrokerUnreachableError:
            if self._session is session:
                await self.disconnect()
            raise

    async def reconcile(self) -> Reconciled:
        """All the broker knows: orders, today's executions, positions, each list proved complete by its end.

        Settled contracts and combo lines are left out of the positions. Raises BrokerUnreachableError when an
        end marker is missing, NotPaperAccountError when a row belongs to another account.
        """
        async with self._turn("reconcile"):
            session = self._require_session()
            found = await reconciled(session, self._contracts, self._clock.now)
            self._raise_floor(session, session.evidence.order_id_max + 1)
            return found

    def account_now(self) -> AccountTaken | None:
        """The account's figures as last told, or None while one is missing or they are over a minute old.

        The broker repeats unchanged figures only every few minutes: old ones are asked for anew, and stand at
        the next call.
        """
        session = self._session
        if session is None:
            return None
        account = session.inbox.figures
        now = self._clock.now()
        if account.updated is None or now - account.updated > _ACCOUNT_AGE_MAX:
            self._refresh_account(session, now)
            return None
        return account.taken()

    # ------------------------------------------------------------------ contracts and quotes

    def remember(self, contracts: Iterable[Contract]) -> None:
        """Learn contracts the journal knows, so that they can be streamed before they are listed again."""
        for contract in contracts:
            if contract.con_id:
                self._contracts[contract.con_id] = contract

    async def name_contracts(self) -> ContractsNamed:
        """Indexes, shares and the nearest monthly VX and VXM futures with their ids, by final settlement day.

        An index the broker does not know is left out, with an alert. Raises BrokerError on an ambiguous name.
        """
        named = await listing.name_all(self._definitions, self._clock.now(), self.notify)
        self.remember(named)
        return ContractsNamed(tuple(named))

    async def list_options(self, command: ListOptions) -> OptionsListed:
        """Every option listed for one class and expiry, no row when there is none.

        Raises BrokerError when multipliers differ.
        """
        options = await listing.options_of(self._definitions, command)
        self.remember(options)
        return OptionsListed(
            symbol=command.symbol,
            trading_class=command.trading_class,
            expiry=command.expiry,
            multiplier=options[0].multiplier if options else _OPTION_MULTIPLIER,
            exchange="SMART",
            rows=listing.strike_rows(options),
        )

    def stream(self, con_ids: Sequence[int]) -> None:
        """Stream exactly these contracts from now on. Changes go out as the pace allows; none is lost."""
        self._wanted = tuple(con_ids)
        if self._session is not None:
            self._session.stream(con_ids)

    def take_quotes(self, anyway: bool = False) -> QuotesTaken | None:
        """Changed quotes and the feeds that live; None when neither is news, unless it is wanted `anyway`."""
        interest = self._lines.interest.take()
        if interest is not None:
            self._tell(interest)
        return self._lines.take(self._clock.now(), anyway)

    # ------------------------------------------------------------------ orders

    def place(self, command: PlaceOrder) -> None:
        """Hand a new order to the transport.

        Raises NotPaperAccountError when the session's account is not the allow-listed one. An order that
        could not be written, because no broker is in reach or its terms are impossible, is told as UNKNOWN
        with the reason: whether it exists is for the next reconciliation to prove. A reference already sent
        in this session is never sent twice.
        """
        try:
            session = self._require_trading()
            terms = order_terms(command.combo, command.quantity, round_price(command.limit))
        except NotPaperAccountError:
            raise
        except BrokerError as error:
            self._unwritten(command.order_ref, str(error))
            return
        known = session.evidence.find(command.order_ref)
        if known is not None:
            self.notify(
                Alert("error", "order_repeated", f"{command.order_ref} was already sent: not sent again")
            )
            self.sink(known.report())
            return
        self.remember(leg.contract for leg in command.combo.legs)
        order_id = session.next_id()
        self._raise_floor(session, order_id + 1)
        self._desk.place(session, command.order_ref, terms, order_id)

    def replace(self, command: ReplaceOrder) -> None:
        """Move a working order's limit: the same id, with the contract as the broker returned it.

        An order this session does not know is told as UNKNOWN, one that has ended is told again; neither is
        sent. Raises as `place` does.
        """
        try:
            session = self._require_trading()
        except BrokerUnreachableError as error:
            self._unwritten(command.order_ref, str(error))
            self.sink(MoveWithheld(command.order_ref, command.limit, f"never written: {error}"))
            return
        self._desk.replace(session, command.order_ref, command.limit)

    def cancel(self, command: CancelOrder) -> None:
        """Ask for a working order's cancellation.

        Unknown and ended orders, and a lost broker, as in `replace`.
        """
        session = self._session
        if session is None or not session.is_writable:
            self._unwritten(command.order_ref, "no session with the gateway")
            return
        self._desk.cancel(session, command.order_ref)

    def _unwritten(self, order_ref: str, reason: str) -> None:
        self.sink(OrderReported(order_ref, 0, OrderStatus.UNKNOWN, reason=f"never written: {reason}"))

    # ------------------------------------------------------------------ inside

    async def _server_time(self, within_s: float | None = None) -> datetime:
        async with self._turn(TIME):
            session, clock = self._require_session(), self._clock
            host = clock.underlying if isinstance(clock, BrokerClock) else clock
            text = ""
            for _ in range(2):
                asked, answer = host.now(), await session.ask(TIME, session.client.reqCurrentTime, within_s)
                server_time, answered = datetime.fromtimestamp(answer[0], UTC), host.now()
                if not isinstance(clock, BrokerClock) or clock.measure(server_time, asked, answered):
                    # To the sink itself: a reconciliation tells no halt.
                    ahead_s = host_ahead_s(server_time, asked, answered)
                    self._skew.measured(ahead_s, self.notify, self.sink)
                    return server_time
                text = f"the gateway says it is {server_time:%Y-%m-%d %H:%M:%S} UTC"
                if clock.is_measured:
                    text += ", far off what it said before: believed when it says so again"
                    self.notify(Alert("warning", "clock_doubted", text))
            if isinstance(clock, BrokerClock) and not clock.is_measured:
                raise BrokerUnreachableError(f"{text}, and said another time just before")
            return clock.now()

    async def _definitions(self, raw: Any) -> list[Contract]:
        session = self._require_session()
        request_id = session.next_id()
        try:
            rows = await session.ask(request_id, lambda: session.client.reqContractDetails(request_id, raw))
        except RefusedError as refused:
            if refused.code == _NO_DEFINITION:
                return []
            raise
        return listing.described(rows)

    def _refresh_account(self, session: Session, now: datetime) -> None:
        pacer = session.outbox.pacer
        asked = self._account_asked
        if (asked is None or now - asked > _ACCOUNT_REPEAT) and session.is_writable and not pacer.wait_s():
            self._account_asked = now
            pacer.sent()
            session.client.reqAccountUpdates(True, self._account)

    def _raise_floor(self, session: Session, order_id: int) -> None:
        # The gateway may hand out ids again after its nightly restart; ours only rise.
        self._order_id_floor = max(self._order_id_floor, order_id)
        session.client.updateReqId(self._order_id_floor)

    def _turn(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())

    def _require_session(self) -> Session:
        if self._session is None:
            raise BrokerUnreachableError("no session with the gateway")
        return self._session

    def _require_trading(self) -> Session:
        session = self._require_session()
        session.require_trading()
        return session

    def _tell(self, event: Event) -> None:
        if self._is_telling:
            self.sink(event)

    def _notify(self, alert: Alert) -> None:
        self.notify(alert)

    def _lost(self, session: Session, reason: str) -> None:
        if session is not self._session:
            return
        self._session = None
        session.forget(reason)
        session.drop()
        self._tell(Disconnected(reason))

    def _link_changed(self, session: Session, is_up: bool, data_lost: bool, text: str) -> None:
        if session is not self._session:
            return
        if not is_up:
            self._tell(Disconnected(text))
            return
        if data_lost:
            self._lines.clear()
            session.outbox.flush()
        self.epoch += 1
        self._tell(Connected(self._account, self.epoch))
