"""The venue behind the gateway: takes orders, fills them from the market's top of book, keeps the account,
forgets nothing.

Every public call that changes something saves the whole state before it returns its reports, so that a client
is never told what a killed gateway would not remember. Time is the market's, identities come from counters in
the state; equal requests at equal market steps give equal reports.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from simulator.account import STARTING_CASH_USD, Account, Valuation
from simulator.appraisal import Appraisal, trial
from simulator.back_office import BackOffice
from simulator.blotter import Blotter
from simulator.clearing import Clearing
from simulator.floor import Floor, HouseRules, changed, not_cancellable, order_error
from simulator.judgement import (
    Refusal,
    crowded_refusal,
    held_until,
    margin_refusal,
    modification_refusal,
    notices,
    range_refusal,
    refusal,
    untransmittable,
)
from simulator.matching import gains
from simulator.model import (
    AccountChanged,
    Execution,
    Market,
    OrderError,
    OrderRequest,
    OrderState,
    PositionLine,
    Report,
    WhatIfAnswer,
    WorkingOrder,
)
from simulator.statement import account_values
from simulator.store import StateError, Store


class Exchange:
    """The venue of one paper account (implements simulator.venue.Venue)."""

    def __init__(
        self,
        market: Market,
        account_id: str,
        *,
        store: Store | None = None,
        rules: HouseRules | None = None,
        starting_cash_usd: float = STARTING_CASH_USD,
    ) -> None:
        """A venue over `market`; with a store that holds a state, the venue, the account and the market as
        they were saved.

        Raises StateError when the store holds the state of another account or one that cannot be read.
        """
        self.market = market
        self.clock_offset_s = 0.0  # market time less wall time, kept here for the gateway
        self._rules = rules or HouseRules()
        self._store = store
        self._account = Account(account_id, starting_cash_usd)
        self._blotter = Blotter(market.now)
        self._clearing = Clearing.opened(market.now, self._rules.settlement_lag, self._rules.interest)
        saved = None if store is None else store.load()
        if saved is not None:
            self._restore(saved)
        self._floor = Floor(market, self._account, self._blotter, self._rules)
        books = (self._account, self._blotter, self._clearing, self._floor)
        self.by_hand = BackOffice(books, self._take, self.checkpoint)
        self.checkpoint()

    @property
    def account_id(self) -> str:
        """The one account this venue serves."""
        return self._account.account_id

    def next_order_id(self, client_id: int) -> int:
        """Lowest order id this client may use."""
        return self._blotter.next_order_id(client_id)

    def submit(self, request: OrderRequest) -> Sequence[Report]:
        """Judge and take a new order, a modification or a what-if. State is durable before the reports are
        returned.
        """
        request = _without_infinities(request)
        if request.what_if:
            return self._what_if(request)
        known = self._blotter.find(request.client_id, request.order_id)
        if known is not None and known.perm_id in self._blotter.working:
            return self._modify(known, request)
        if known is not None and known.state is OrderState.FILLED:
            return [order_error(request, Refusal(104, "Cannot modify a filled order."))]
        forbidden = untransmittable(request)
        if forbidden is not None:
            return [order_error(request, forbidden)]
        if request.order_id < self.next_order_id(request.client_id):
            return [order_error(request, Refusal(103, "Duplicate order id"))]
        return self._take(request)

    def cancel(self, client_id: int, order_id: int) -> Sequence[Report]:
        """Cancel, or report why not (10147 unknown, 10148 ended already)."""
        order = self._blotter.find(client_id, order_id)
        if order is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            return [OrderError(client_id, order_id, 10147, text)]
        if order.perm_id not in self._blotter.working:
            return [order_error(order.request, not_cancellable(order))]
        if order.state is OrderState.PENDING_CANCEL:
            text = (
                f"Cancel attempted when order is not in a cancellable state.  Order permId ={order.perm_id}"
            )
            return [OrderError(client_id, order_id, 161, text)]
        reports = self._floor.cancel(order)
        self.checkpoint()
        return reports

    def cancel_all(self) -> Sequence[Report]:
        """reqGlobalCancel."""
        reports = [
            report for order in tuple(self._blotter.working.values()) for report in self._floor.cancel(order)
        ]
        if reports:
            self.checkpoint()
        return reports

    def match(self) -> Sequence[Report]:
        """Fill what the current top of book fills; expire, settle, mark. Called after each market step.

        With no working order and nothing due this is one comparison of times.
        """
        due = self.market.now >= self._clearing.next_due
        if not self._blotter.working and not due:
            return ()
        reports: list[Report] = []
        if due:
            moved = self._clearing.run(self.market, self._account)
            self._blotter.forget_before_midnight(self.market.now)
            if moved is not None:
                reports.append(AccountChanged(moved))
        if self._blotter.working:
            reports += self._floor.work(tuple(self._blotter.working.values()))
        if reports:
            self.checkpoint()
        return reports

    def open_orders(self, client_id: int | None) -> Sequence[WorkingOrder]:
        """Working orders of one client, or of all, as they are at this moment."""
        working = self._blotter.working.values()
        return [replace(o) for o in working if client_id is None or o.request.client_id == client_id]

    def completed_orders(self) -> Sequence[WorkingOrder]:
        """Orders that ended since midnight in New York."""
        return self._blotter.since_midnight(self.market.now)[0]

    def executions(self) -> Sequence[Execution]:
        """Executions since midnight in New York."""
        return self._blotter.since_midnight(self.market.now)[1]

    def positions(self) -> Sequence[PositionLine]:
        """Positions now, marked; a position closed by a trade today is shown with quantity zero until
        midnight.
        """
        return self._account.positions(Appraisal(self.market, self._account).mark)

    def account_values(self) -> Sequence[tuple[str, str, str]]:
        """(key, value, currency) in the broker's words."""
        return account_values(self._account, self._valuation())

    def pnl(self) -> tuple[float, float, float]:
        """Daily, unrealised and realised P&L in USD; the day begins at midnight in New York."""
        now = self._valuation()
        return round(now.equity - self._account.day_start_equity_usd, 6), now.unrealised, now.realised

    def correct(self, exec_id: str, price: float) -> Sequence[Report]:
        """Correct an execution of today to another price, as an exchange does: same stem, next version.

        Raises KeyError when there is no such execution, or when its position has been settled since.
        """
        return self.by_hand.correct(exec_id, price)

    def checkpoint(self) -> None:
        """Make everything durable now, the market's generator included; nothing without a store."""
        if self._store is not None:
            self._store.save(self._state())

    def _take(self, request: OrderRequest) -> list[Report]:
        """Judge a new order, and enter it unless its form is wrong."""
        refused = (
            self.by_hand.refusal()
            or refusal(request, self.account_id, self.market.instrument, self.market.now)
            or range_refusal(request, self._middle(request), self._rules.price_range_pct)
            or crowded_refusal(self._blotter.on_side(request))
            or self._margin_refusal(request, request.quantity)
        )
        if refused is not None and refused.code != 201:
            return [order_error(request, refused)]
        order = self._blotter.enter(request, self.market.now)
        if refused is not None:
            self._blotter.end(order, OrderState.INACTIVE, "Inactive", self.market.now, refused.text)
            reports: list[Report] = [order_error(request, refused), changed(order)]
        else:
            reports = self._accept(order)
        self.checkpoint()
        return reports

    def _accept(self, order: WorkingOrder) -> list[Report]:
        if not order.request.transmit:
            order.state = OrderState.PENDING_SUBMIT
            return [changed(order)]
        reports: list[Report] = [changed(order)]
        held = self._account.holdings.get(order.request.con_id)
        remarks = notices(order.request, held.quantity if held is not None else 0)
        reports += [order_error(order.request, remark) for remark in remarks]
        opens = self._floor.admit(order)
        if opens is not None:
            reports.append(order_error(order.request, held_until(order.request, opens)))
        elif self._rules.fill_on_arrival:
            reports += self._floor.work((order,))
        return reports

    def _modify(self, order: WorkingOrder, request: OrderRequest) -> list[Report]:
        if order.state is OrderState.PENDING_CANCEL:
            text = "Unable to modify this order as it is still being processed."
            return [order_error(request, Refusal(2102, text))]
        refused = (
            modification_refusal(request, order.request, order.filled)
            or refusal(request, self.account_id, self.market.instrument, self.market.now)
            or range_refusal(request, self._middle(request), self._rules.price_range_pct)
            or self._margin_refusal(request, request.quantity - order.filled)
        )
        if refused is not None:
            # The original works on; its status follows a rejection so that the client does not believe it
            # dead.
            return [order_error(request, refused), *([changed(order)] if refused.code == 201 else [])]
        if (request.order_type, request.aux_price) != (order.request.order_type, order.request.aux_price):
            order.triggered = False
            order.state = OrderState.PRE_SUBMITTED
        if order.state is OrderState.PENDING_SUBMIT:
            order.state = OrderState.PRE_SUBMITTED
        order.request = request
        order.rests_on = None  # a changed order comes to the book anew
        reports = self._accept(order)
        self.checkpoint()
        return reports

    def _what_if(self, request: OrderRequest) -> list[Report]:
        refused = refusal(request, self.account_id, self.market.instrument, self.market.now)
        if refused is not None:
            return [order_error(request, refused)]
        tried = trial(self.market, self._account, request, int(request.quantity))
        before, after = tried.before.margin, tried.after.margin
        return [
            WhatIfAnswer(
                request,
                init_margin_change=round(after.initial_usd - before.initial_usd, 2),
                maint_margin_change=round(after.maintenance_usd - before.maintenance_usd, 2),
                init_margin_after=after.initial_usd,
                maint_margin_after=after.maintenance_usd,
                equity_after=round(tried.after.equity_with_loan, 2),
                commission=tried.commission_usd,
            )
        ]

    def _margin_refusal(self, request: OrderRequest, units: float) -> Refusal | None:
        if self._only_closes(request, int(units)):
            return None
        tried = trial(self.market, self._account, request, int(units))
        if tried.affordable:
            return None
        return margin_refusal(tried.after.equity_with_loan, tried.after.margin.initial_usd)

    def _middle(self, request: OrderRequest) -> float | None:
        """Between the sides of a single contract's market, where the order presets look at it."""
        if self._rules.price_range_pct is None or request.legs:
            return None
        (tick,) = self.market.ticks([request.con_id])
        return None if tick.bid is None or tick.ask is None else (tick.bid + tick.ask) / 2.0

    def _only_closes(self, request: OrderRequest, units: int) -> bool:
        """Whether the order only takes contracts away from positions: never refused for want of funds."""
        holdings = self._account.holdings
        moves = [(holdings.get(gain.con_id), gain.quantity * units) for gain in gains(request)]
        return all(
            held is not None and held.quantity * moved < 0 and abs(moved) <= abs(held.quantity)
            for held, moved in moves
        )

    def _valuation(self) -> Valuation:
        return Appraisal(self.market, self._account).valuation()

    def _state(self) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "clock_offset_s": self.clock_offset_s,
            "account": self._account.dump(),
            "clearing": self._clearing.dump(),
            "blotter": self._blotter.dump(),
            "market": self.market.dump(),
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        if saved.get("account_id") != self.account_id:
            raise StateError(f"the state is of account {saved.get('account_id')}, not of {self.account_id}")
        try:
            self.market.load(saved["market"])
            self._account = Account.load(self.account_id, saved["account"])
            self._clearing = Clearing.load(
                saved["clearing"], self._rules.settlement_lag, self._rules.interest
            )
            self._blotter = Blotter.load(self.market.now, saved["blotter"])
            self.clock_offset_s = float(saved["clock_offset_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"the state cannot be read: {error!r}") from error


def _without_infinities(request: OrderRequest) -> OrderRequest:
    """Prices that are not numbers count as absent."""
    return replace(request, limit_price=_number(request.limit_price), aux_price=_number(request.aux_price))


def _number(price: float | None) -> float | None:
    return price if price is not None and isfinite(price) else None
