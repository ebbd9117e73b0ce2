"""One connection to the gateway, from the greeting to its loss.

Each connection gets a client, an inbox and evidence of its own, so that an answer that comes late, or an
order id the gateway hands out again, can never be taken for something of another connection.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bot.broker.compat import Client, RawContract
from bot.broker.contracts import to_client
from bot.broker.evidence import Evidence
from bot.broker.inbox import CLIENT_ID_IN_USE, Inbox
from bot.broker.interest import generic_ticks
from bot.broker.pacing import Outbox, Pacer
from bot.broker.quotes import LineBook
from bot.broker.requests import Key, Requests
from bot.clock import Clock
from bot.errors import BrokerUnreachableError, LinkDownError, NotPaperAccountError
from bot.events import Alert, Event, Halted
from market.contract import Contract, SecurityType

FRAME_BYTES_MAX = 2**20
_PAPER_ACCOUNT = re.compile(r"DU[0-9]+")
_MESSAGE_ID = re.compile(r"fields: \['(\d+)'")
_TICK = re.compile(r"fields: \['[12]', '[^']*', '(\d+)'")
_NAMED_MESSAGE = re.compile(r"Error for (\w+)")
# Messages that only decorate a line; one that cannot be read harms nothing.
_DECORATION = {
    "21",
    "45",
    "46",
    "47",
    "57",
    "58",
    "81",
    "84",
    "tickGeneric",
    "tickString",
    "tickEFP",
    "tickReqParams",
}


def require_paper(accounts: list[str], allowed: str) -> None:
    """Raise NotPaperAccountError unless `accounts` is exactly the allowed account and that is a paper one."""
    if not _PAPER_ACCOUNT.fullmatch(allowed):
        raise NotPaperAccountError(
            f"{allowed!r} is not a paper account: set broker.account to your paper account, DU and digits"
        )
    if accounts != [allowed]:
        served = ", ".join(accounts) or "no account"
        raise NotPaperAccountError(
            f"the gateway serves {served}, not exactly {allowed}: log it in to the paper account only"
        )


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom a session tells.

    Events and alerts, and about itself `lost(session, reason)` and `linked(session, is_up, data_lost, text)`.
    """

    tell: Callable[[Event], None]
    notify: Callable[[Alert], None]
    lost: Callable[["Session", str], None]
    linked: Callable[["Session", bool, bool, str], None]


class Session:
    """A client, what it hears, and what still has to be said through it."""

    def __init__(
        self,
        *,
        account: str,
        client_id: int,
        clock: Clock,
        lines: LineBook,
        contracts: Mapping[int, Contract],
        pacer: Pacer,
        answers_within_s: float,
        hooks: Hooks,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._account, self._client_id = account, client_id
        self._answers_within_s = answers_within_s
        self._hooks, self._lines, self._contracts = hooks, lines, contracts
        self._foreign: str | None = None
        self._refusal: asyncio.Future[None] = loop.create_future()
        self._now = clock.now
        self.is_linked = True
        self.links = 0  # how often the gateway found its broker again
        self.requests = Requests()
        self.evidence = Evidence(client_id, hooks.tell, loop.call_later, contracts.get)
        self.inbox = Inbox(
            account=account,
            now=clock.now,
            lines=lines,
            requests=self.requests,
            evidence=self.evidence,
            tell=hooks.tell,
            notify=hooks.notify,
            on_accounts=self._greeted_by,
            on_foreign=self._saw_foreign,
            on_refused=self._refused,
            on_link=self._link_changed,
            on_lost=lambda reason: hooks.lost(self, reason),
        )
        self.client: Any = Client(self.inbox.callbacks())
        self.client.decoder.logger = _Undecoded(self._unreadable)
        self.client.apiError += self._closed_early
        self.client.conn.hasData += self._measure_frame
        self.outbox = Outbox(pacer, lambda: lines.streamed, self._subscribe, self._unsubscribe)

    @property
    def is_writable(self) -> bool:
        """Whether bytes handed over now reach the socket."""
        transport = self.client.conn.transport
        return transport is not None and not transport.is_closing()

    async def open(self, host: str, port: int, within_s: float) -> None:
        """Connect and be greeted. Raises NotPaperAccountError, or BrokerUnreachableError with the reason."""
        greeting = asyncio.ensure_future(self.client.connectAsync(host, port, self._client_id, within_s))
        try:
            await asyncio.wait(
                {greeting, self._refusal}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self._refusal.done():
                self._refusal.result()
            if not greeting.done():
                raise BrokerUnreachableError(f"the gateway at {host}:{port} did not greet in {within_s:g} s")
            try:
                greeting.result()
            except TimeoutError:
                raise BrokerUnreachableError(
                    f"the gateway at {host}:{port} did not greet in {within_s:g} s"
                ) from None
            except OSError as error:
                raise BrokerUnreachableError(
                    f"nothing answers at {host}:{port}: start the gateway and enable its API ({error!r})"
                ) from error
            self.require_paper()
            self.outbox.pacer.sent()
        except BaseException:  # raised again: a cancelled greeting leaves no socket either
            greeting.cancel()
            with suppress(BaseException):
                await greeting
            await self.close()
            raise
        finally:
            if not self._refusal.done():
                self._refusal.cancel()
            elif not self._refusal.cancelled():
                self._refusal.exception()

    def drop(self) -> None:
        """Close the connection without telling anybody."""
        self.client.apiError -= self._closed_early
        self.client.conn.hasData -= self._measure_frame
        if self.is_writable:
            self.client.disconnect()

    async def close(self) -> None:
        """Drop the connection and let the loop see it closed."""
        self.drop()
        await asyncio.sleep(0)

    def require_paper(self) -> None:
        """Raise NotPaperAccountError unless all that was seen is of the one paper account.

        Raises BrokerUnreachableError where the connection is gone: the client has then forgotten whom it
        served, which says nothing of the account.
        """
        if self._foreign is not None:
            raise NotPaperAccountError(f"the gateway sent a message of account {self._foreign}")
        if not self.client.isReady():
            raise BrokerUnreachableError("the connection to the gateway is gone")
        require_paper(self.client.getAccounts(), self._account)

    def require_trading(self) -> None:
        """Raise unless an order can be sent: NotPaperAccountError, LinkDownError, BrokerUnreachableError."""
        self.require_paper()
        if not self.is_linked:
            raise LinkDownError("the gateway has no connection to the broker")
        if not self.is_writable:
            raise BrokerUnreachableError("the socket to the gateway is closing")

    def next_id(self) -> int:
        """An id for an order or a question that no other of this session has.

        Raises BrokerUnreachableError where the connection is gone.
        """
        if not self.client.isReady():
            raise BrokerUnreachableError("the connection to the gateway is gone")
        return int(self.client.getReqId())

    async def ask(self, key: Key, send: Callable[[], Any], within_s: float | None = None) -> list[Any]:
        """Put a question and wait for its complete answer.

        Raises as `Requests.answer` does, and BrokerUnreachableError where the connection is gone.
        """
        pacer = self.outbox.pacer
        while wait_s := pacer.wait_s():  # noqa: ASYNC110 -- the pace is a matter of time alone
            await asyncio.sleep(wait_s)
        if not self.is_writable:
            raise BrokerUnreachableError("the connection to the gateway is gone: the question was not put")
        self.requests.open(key)
        pacer.sent()
        send()
        return await self.requests.answer(key, self._answers_within_s if within_s is None else within_s)

    def forget(self, reason: str) -> None:
        """The connection is gone: open questions fail, and orders that were never written are in doubt."""
        for order_ref in self.outbox.close():
            self.evidence.doubt(order_ref, f"never written: {reason}")
        self.requests.abandon(reason)
        self._lines.clear()

    def stream(self, con_ids: Sequence[int]) -> None:
        """Stream exactly these contracts; those the account had no line for are asked for once more."""
        self._lines.retry()
        self.outbox.stream(con_ids)

    def _subscribe(self, con_id: int) -> None:
        contract = self._contracts.get(con_id)
        request_id = self.next_id()
        self._lines.open(request_id, contract or Contract(SecurityType.OPTION, "", con_id=con_id))
        raw = RawContract(conId=con_id, exchange="SMART") if contract is None else to_client(contract)
        asked = "" if contract is None else generic_ticks(contract)
        self.client.reqMktData(request_id, raw, asked, False, False, [])

    def _unsubscribe(self, con_id: int) -> None:
        self.client.cancelMktData(self._lines.close(con_id))

    def _greeted_by(self, accounts: list[str]) -> None:
        try:
            require_paper(accounts, self._account)
        except NotPaperAccountError as error:
            if not self._refuse(error):
                self._saw_foreign(", ".join(accounts))

    def _saw_foreign(self, account: str) -> None:
        if self._foreign is None:
            self._foreign = account
            text = f"the gateway sent a message of account {account}, allowed is {self._account}"
            self._hooks.notify(Alert("error", "foreign_account", text))
            self._hooks.tell(Halted(text))

    def _refused(self, code: int, text: str) -> None:
        remedy = ""
        if code == CLIENT_ID_IN_USE:
            remedy = f": another program uses client id {self._client_id}; stop it, or choose another id"
        self._refuse(BrokerUnreachableError(f"{code} {text}{remedy}"))

    def _closed_early(self, message: str) -> None:
        # A failure to connect is told here as well, but the one who connects knows more about it.
        if not message.startswith("API connection failed"):
            self._refuse(BrokerUnreachableError(f"the gateway closed the connection: {message}"))

    def _refuse(self, error: Exception) -> bool:
        if self._refusal.done():
            return False
        self._refusal.set_exception(error)
        return True

    def _link_changed(self, is_up: bool, data_lost: bool, text: str) -> None:
        self.is_linked = is_up
        self.links += is_up
        self._hooks.linked(self, is_up, data_lost, text)

    def _measure_frame(self, _: bytes) -> None:
        """A length that cannot be meant is noticed at once: the library would wait for its bytes for ever."""
        self._lines.heard_at = self._now()
        waiting = self.client._data
        length = int.from_bytes(waiting[:4]) if len(waiting) >= 4 else 0
        if length > FRAME_BYTES_MAX:
            reason = f"a message of {length} bytes is announced, at most {FRAME_BYTES_MAX} can be meant"
            self._hooks.notify(Alert("error", "unreadable_message", reason))
            asyncio.get_running_loop().call_soon(self._hooks.lost, self, reason)

    def _unreadable(self, message: str) -> None:
        found = _MESSAGE_ID.search(message) or _NAMED_MESSAGE.search(message)
        name = found.group(1) if found else "?"
        is_unknown = name.isdigit() and int(name) not in self.client.decoder.handlers
        tick = _TICK.search(message)
        is_tick = tick is not None or name == "tickSize"
        if is_tick:
            self._lines.blank(None if tick is None else int(tick.group(1)))
        harmless = is_unknown or is_tick or name in _DECORATION
        self._hooks.notify(
            Alert("warning" if harmless else "error", "unreadable_message", f"message {name} cannot be read")
        )
        if not harmless:
            # Not from inside the decoder, which still walks over the bytes it received.
            asyncio.get_running_loop().call_soon(self._hooks.lost, self, f"unreadable message {name}")


class _Undecoded:
    """Stands in for the decoder's logger, through which it reports and then forgets what it cannot read."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report

    def exception(self, message: str, *_: object) -> None:
        """The decoder, or a handler it called, failed."""
        self._report(message)
