"""Everything the broker says in one session, sorted by whom it concerns.

Answers, quotes, evidence about orders, the account's figures and news of the link each go their own way.
The client library's decoder calls one function for each kind of message; `callbacks` is the table of them.
No message changes anything by being absent from it: what is not listed is not asked for either.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from types import SimpleNamespace
from typing import Any

from bot.broker.evidence import Evidence, commission_event
from bot.broker.quotes import LineBook
from bot.broker.requests import Requests
from bot.events import AccountTaken, Alert, CommissionReported, Event, Halted, PositionMoved
from market.rounding import round_price

POSITIONS = "positions"
OPEN_ORDERS = "open orders"
COMPLETED_ORDERS = "completed orders"
ACCOUNT = "the account"
TIME = "the time"

CLIENT_ID_IN_USE = 326
_BAD_REQUEST = 321  # also what a read-only API says, to orders and to lists of them
READ_ONLY = "the gateway's API is read-only: clear `Read-Only API` in its API settings"
_LINK_LOST = {1100, 1300, 2110}
_LINK_RESTORED = {1101: True, 1102: False}  # code -> whether the subscriptions are gone
_FARM_BROKEN = {2103, 2105, 2157}
_FARM_FINE = {2100, 2104, 2106, 2107, 2108, 2119, 2158}
_NO_MORE_LINES = 101
_COMPETING_SESSION = 10197
_NO_REFUSAL = {165, 399, 10167}
_ACCOUNT_TAGS = {"NetLiquidation", "TotalCashValue", "InitMarginReq", "MaintMarginReq"}


@dataclass(slots=True)
class AccountFigures:
    """The account's figures as last pushed, in USD, and when the last one came."""

    figures: dict[str, float] = field(default_factory=dict)
    updated: datetime | None = None

    def taken(self) -> AccountTaken | None:
        """The figures as an event, or None while one is missing."""
        if self.figures.keys() != _ACCOUNT_TAGS:
            return None
        return AccountTaken(
            nav_usd=round_price(self.figures["NetLiquidation"]),
            cash_usd=round_price(self.figures["TotalCashValue"]),
            init_margin_usd=round_price(self.figures["InitMarginReq"]),
            maint_margin_usd=round_price(self.figures["MaintMarginReq"]),
        )


@dataclass(slots=True)
class Inbox:
    """Sorts one session's messages. `account` is the only account whose messages are expected.

    `tell` takes events, `notify` what a person should see. `on_accounts` is told the accounts the gateway
    serves, `on_foreign` an account that has no business here, `on_refused` why the gateway will not have us,
    `on_link` whether the gateway itself reaches the broker and whether subscriptions were lost, and `on_lost`
    that the socket closed.
    """

    account: str
    now: Callable[[], datetime]
    lines: LineBook
    requests: Requests
    evidence: Evidence
    tell: Callable[[Event], None]
    notify: Callable[[Alert], None]
    on_accounts: Callable[[list[str]], None]
    on_foreign: Callable[[str], None]
    on_refused: Callable[[int, str], None]
    on_link: Callable[[bool, bool, str], None]
    on_lost: Callable[[str], None]
    figures: AccountFigures = field(default_factory=AccountFigures)
    commissions: list[CommissionReported] | None = None  # collected while executions are being listed

    def callbacks(self) -> SimpleNamespace:
        """The decoder's table: message name -> what is done with it."""
        requests, lines = self.requests, self.lines

        def ignore(*_: Any) -> None:
            return None

        return SimpleNamespace(
            ib=SimpleNamespace(TimezoneTWS="America/New_York"),  # for times printed without a zone
            defaultTimezone=UTC,
            connectAck=ignore,
            setEventsDone=ignore,
            connectionClosed=lambda: self.on_lost("the socket closed"),
            managedAccounts=lambda text: self.on_accounts([name for name in text.split(",") if name]),
            error=self._error,
            currentTime=self._time,
            contractDetails=requests.row,
            contractDetailsEnd=requests.end,
            priceSizeTick=lines.price_tick,
            tickSize=lines.size_tick,
            tickGeneric=lines.generic_tick,
            marketDataType=lines.data_type,
            tickOptionComputation=ignore,
            position=self._position,
            positionEnd=lambda: requests.end(POSITIONS),
            openOrder=self._open_order,
            openOrderEnd=self._open_orders_listed,
            orderStatus=self.evidence.status,
            completedOrder=self._completed_order,
            completedOrdersEnd=lambda: requests.end(COMPLETED_ORDERS),
            execDetails=self._execution,
            execDetailsEnd=requests.end,
            commissionReport=self._commission,
            updateAccountValue=self._account_value,
            updatePortfolio=ignore,
            accountDownloadEnd=lambda _account: requests.end(ACCOUNT),
        )

    def _time(self, seconds: int) -> None:
        self.requests.row(TIME, seconds)
        self.requests.end(TIME)

    def _position(self, account: str, contract: Any, quantity: float, _average_cost: float) -> None:
        self._expect(account)
        is_asked_for = self.requests.row(POSITIONS, (contract, quantity))
        if not is_asked_for and contract.conId and contract.secType != "BAG":
            self.tell(PositionMoved(contract.conId, round(quantity)))

    def _open_order(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        self._expect(order.account)
        if order.whatIf:
            self.requests.row(order_id, state)
            self.requests.end(order_id)
            return
        self.evidence.opened(order_id, contract, order, state)

    def _open_orders_listed(self) -> None:
        self.evidence.open_listed()
        self.requests.end(OPEN_ORDERS)

    def _completed_order(self, contract: Any, order: Any, state: Any) -> None:
        self._expect(order.account)
        self.evidence.completed(contract, order, state)

    def _execution(self, request_id: int, contract: Any, execution: Any) -> None:
        self._expect(execution.acctNumber)
        event = self.evidence.executed(contract, execution)
        if event is None:
            return
        if not self.requests.row(request_id, event):
            self.tell(event)

    def _commission(self, report: Any) -> None:
        event = commission_event(report)
        if event is None:
            return
        if self.commissions is not None:
            self.commissions.append(event)
        else:
            self.tell(event)

    def _account_value(self, tag: str, value: str, currency: str, account: str) -> None:
        self._expect(account)
        if tag not in _ACCOUNT_TAGS or currency != "USD":
            return
        try:
            figure = float(value)
        except ValueError:
            return
        if isfinite(figure):
            self.figures.figures[tag] = figure
            self.figures.updated = self.now()

    def _expect(self, account: str) -> None:
        if account and account != self.account:
            self.on_foreign(account)

    def _error(self, request_id: int, code: int, text: str, *_: Any) -> None:
        if is_read_only(code, text):
            # Before the order's own refusal: nothing may be ordered in its place.
            self.tell(Halted(READ_ONLY))
        if code in _LINK_LOST:
            self.lines.interrupt()
            self.on_link(False, False, f"{code} {text}")
        elif code in _LINK_RESTORED:
            self.on_link(True, _LINK_RESTORED[code], f"{code} {text}")
        elif code == CLIENT_ID_IN_USE:
            self.on_refused(code, text)
        elif request_id < 0:
            self._notice(code, text)
        elif self.evidence.knows(request_id):
            self.evidence.failed(request_id, code, text)
            self.notify(Alert("warning", "order_message", f"{code} {text}"))
        elif (con_id := self.lines.contract_of(request_id)) is not None:
            if code == _COMPETING_SESSION:
                self.lines.interrupt()
            elif code == _NO_MORE_LINES:
                self.lines.refuse(request_id)
                text += " (lower market_data_lines_max in the rules to what the account has)"
            self.notify(Alert("warning", "market_data_refused", f"contract {con_id}: {code} {text}"))
        elif code in _NO_REFUSAL or 2100 <= code < 2200 or not self.requests.refuse(request_id, code, text):
            self.notify(Alert("warning", "broker_message", f"{code} {text}"))

    def _notice(self, code: int, text: str) -> None:
        if code in _FARM_FINE:
            return
        if code in _FARM_BROKEN or code == _COMPETING_SESSION:
            self.lines.interrupt()
        if code == _BAD_REQUEST:
            self.requests.refuse_named(code, text)
        level = "error" if code in {_BAD_REQUEST, _COMPETING_SESSION} else "warning"
        self.notify(Alert(level, "broker_message", f"{code} {text}"))


def is_read_only(code: int, text: str) -> bool:
    """Whether the gateway says that its API takes no orders."""
    return code == _BAD_REQUEST and "read-only" in text.lower()
