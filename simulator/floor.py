"""The floor of the exchange: one order after another meets the top of the book, trades, waits, or ends.

Orders meet the book oldest first and share the sizes on display. Every change gives reports in the order in
which a broker sends them: executions, then the order's state, then the account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from market.contract import SecurityType
from market.sessions import MARKET_TZ
from simulator.account import Account
from simulator.blotter import Blotter
from simulator.fees import execution_fee, minimum_top_up, order_minimum_usd
from simulator.good_till import good_till
from simulator.hours import next_open, trading_day
from simulator.interest import CashInterest
from simulator.judgement import Refusal
from simulator.matching import (
    UNLIMITED,
    DisplayedSize,
    Gain,
    gains,
    leg_price,
    natural_outlay,
    order_price,
    reaches_limit,
    reaches_stop,
    traded_outlay,
    traded_prices,
)
from simulator.model import (
    AccountChanged,
    Executed,
    Execution,
    Instrument,
    Market,
    OrderChanged,
    OrderError,
    OrderRequest,
    OrderState,
    Report,
    Tick,
    WorkingOrder,
)

#: The broker's con_id of every USD combination.
COMBO_CON_ID: Final = 28812380


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What a test or a fault plan may change about the venue."""

    limit_to_displayed_size: bool = True
    #: False: a new order waits for the next match(), so that a cancel can race its fill.
    fill_on_arrival: bool = True
    #: False: a cancel waits for the next match() and meets the book after the fills of that moment.
    cancel_on_arrival: bool = True
    #: From the settlement value being known to the cash being booked.
    settlement_lag: timedelta = timedelta(0)
    #: How far the limit of a single contract may lie from the middle of its market, in percent (error 109);
    #: None: as far as it likes, which is what a new paper account allows over the API.
    price_range_pct: float | None = None
    #: None: cash neither earns nor costs anything.
    interest: CashInterest | None = None


class Floor:
    """Where working orders trade."""

    def __init__(self, market: Market, account: Account, blotter: Blotter, rules: HouseRules) -> None:
        """A floor that books its trades into `account` and `blotter`."""
        self._market = market
        self._account = account
        self._blotter = blotter
        self._rules = rules
        self._displayed_at: datetime | None = None
        self._displayed = DisplayedSize()
        #: The next fill is cut to so many units; None: as many as the book shows.
        self.next_fill_units: int | None = None

    def admit(self, order: WorkingOrder) -> datetime | None:
        """Give the order its trading day; when it has to wait for an open, that open (now if the calendar has
        none).
        """
        legs = gains(order.request)
        instruments = self._instruments(legs)
        now = self._market.now
        is_open = self._is_open(legs)
        order.session = trading_day(instruments, now, is_open=is_open)
        return None if is_open else next_open(instruments, now) or now

    def work(self, orders: Sequence[WorkingOrder]) -> list[Report]:
        """Let `orders`, oldest first, meet the book of this moment."""
        reports: list[Report] = []
        ready: list[tuple[WorkingOrder, tuple[Gain, ...]]] = []
        for order in orders:
            legs = gains(order.request)
            if not order.request.transmit:
                continue
            is_open = self._is_open(legs)
            over = self._over(order, legs, is_open=is_open)
            if over:
                reports += self._expire(order, over)
            elif is_open:
                ready.append((order, legs))
            elif order.state is OrderState.SUBMITTED:
                order.state = OrderState.PRE_SUBMITTED
                reports.append(changed(order))
            if order.state is OrderState.PENDING_CANCEL and not is_open:
                reports += self._cancelled(order, "")
        if not ready:
            return reports
        con_ids = dict.fromkeys(gain.con_id for _, legs in ready for gain in legs)
        book = {tick.con_id: tick for tick in self._market.ticks(con_ids)}
        if self._market.now != self._displayed_at:
            self._displayed_at = self._market.now
            self._displayed = DisplayedSize()
        for order, legs in ready:
            reports += self._meet(order, legs, book)
        return reports

    def cancel(self, order: WorkingOrder, reason: str = "") -> list[Report]:
        """End an order: pending, then cancelled with the broker's 202, at once or, by the house rules, at the
        next match. A `reason` of the house's own never waits.
        """
        order.state = OrderState.PENDING_CANCEL
        pending = OrderChanged(replace(order), open_order=False)
        if not self._rules.cancel_on_arrival and order.request.transmit and not reason:
            return [pending]
        return [pending, *self._cancelled(order, reason)]

    def _cancelled(self, order: WorkingOrder, reason: str) -> list[Report]:
        self._blotter.end(order, OrderState.CANCELLED, "Cancelled by Trader", self._market.now, reason)
        return [
            changed(order),
            order_error(order.request, Refusal(202, f"Order Canceled - reason:{reason}")),
        ]

    def _expire(self, order: WorkingOrder, reason: str) -> list[Report]:
        self._blotter.end(order, OrderState.CANCELLED, "Expired", self._market.now, reason)
        return [changed(order)]

    def _over(self, order: WorkingOrder, legs: Sequence[Gain], *, is_open: bool) -> str:
        """Why the order can no longer trade; empty while it can."""
        now = self._market.now
        instruments = self._instruments(legs)
        if not is_open and any(i.last_trade is not None and now >= i.last_trade for i in instruments):
            return "The contract has expired"
        if order.request.tif == "GTD":
            until = good_till(order.request.good_till)
            return "The good-till-date order expired" if until is not None and now >= until else ""
        if order.request.tif not in {"", "DAY"} or order.session is None:
            return ""
        day = trading_day(instruments, now, is_open=is_open)
        return "The day order expired at the close" if day > order.session else ""

    def _meet(self, order: WorkingOrder, legs: tuple[Gain, ...], book: Mapping[int, Tick]) -> list[Report]:
        """One order against the book of this moment."""
        reports: list[Report] = []
        outlay = natural_outlay(legs, book)
        is_stop = "STP" in order.request.order_type
        if is_stop and not order.triggered and outlay is not None:
            order.triggered = reaches_stop(order.request, outlay)
        active = order.triggered or not is_stop
        if active and order.state is OrderState.PRE_SUBMITTED:
            order.state = OrderState.SUBMITTED
            reports.append(changed(order))
        if active and outlay is not None and reaches_limit(order.request, outlay):
            shown = self._displayed.units(legs, book) if self._rules.limit_to_displayed_size else UNLIMITED
            units = min(int(order.remaining), shown)
            if order.request.tif == "FOK" and units < order.remaining:
                units = 0
            resting = order.rests_on == _market_day(self._market.now)
            if units and self.next_fill_units is not None:
                units, self.next_fill_units = min(units, self.next_fill_units), None
            if units:
                cancelling = order.state is OrderState.PENDING_CANCEL
                self._displayed.take(legs, units)
                paid = traded_outlay(order.request, outlay, resting=resting)
                reports += self._fill(order, legs, units, paid, book)
                if cancelling and not order.remaining:
                    reports.append(order_error(order.request, not_cancellable(order)))
        if order.perm_id in self._blotter.working:
            if active:
                order.rests_on = _market_day(self._market.now)
            if order.state is OrderState.PENDING_CANCEL:
                reports += self._cancelled(order, "")
            elif order.request.tif in _AT_ONCE:
                reports += self.cancel(order, _AT_ONCE[order.request.tif])
            elif order.filled and order.request.order_type == "MKT" and order.request.exchange != "SMART":
                reports += self.cancel(order, "The remainder of a partially filled market order")
        return reports

    def _fill(
        self, order: WorkingOrder, legs: tuple[Gain, ...], units: int, outlay: float, book: Mapping[int, Tick]
    ) -> list[Report]:
        request = order.request
        price = order_price(request, outlay)
        order.average_price = round(
            (order.average_price * order.filled + price * units) / (order.filled + units), 9
        )
        order.filled += units
        order.last_price = price
        ids = self._blotter.fill_ids(self._market.now, len(request.legs))
        executions = []
        if request.legs:
            executions.append(
                replace(
                    _line(order, ids.pop(0), COMBO_CON_ID, SecurityType.COMBO, self._market.now),
                    side=_SIDE[request.action],
                    quantity=float(units),
                    price=price,
                    exchange=request.exchange,
                    cumulative=order.filled,
                    average_price=order.average_price,
                )
            )
        natural = [leg_price(gain, book[gain.con_id]) for gain in legs]
        prices = traded_prices(legs, [price for price in natural if price is not None], outlay)
        for index, (gain, exec_id) in enumerate(zip(legs, ids, strict=True)):
            executions.append(self._fill_leg(order, index, gain, units, exec_id, prices[index]))
        self._blotter.executions += executions
        if not order.remaining:
            self._blotter.end(order, OrderState.FILLED, f"Filled Size: {order.filled:g}", self._market.now)
        return [
            *map(Executed, executions),
            changed(order),
            AccountChanged(tuple(gain.con_id for gain in legs)),
        ]

    def _fill_leg(
        self, order: WorkingOrder, index: int, gain: Gain, units: int, exec_id: str, price: float
    ) -> Execution:
        instrument = self._market.instrument(gain.con_id)
        if instrument is None:
            raise AssertionError("a leg fills only where the natural price was formed")
        contract = instrument.contract
        quantity = units * abs(gain.quantity)
        fee = execution_fee(contract, quantity, price, in_combo=bool(order.request.legs))
        top_up = minimum_top_up(order.accrued_commission, fee.broker_usd, order_minimum_usd(contract))
        order.accrued_commission = round(order.accrued_commission + fee.broker_usd, 6)
        commission = round(fee.total_usd + top_up, 6)
        realised = self._account.trade(contract, units * gain.quantity, price, commission)
        costs = list(order.leg_costs)
        costs[index] = round(costs[index] + quantity * price, 6)
        order.leg_costs = tuple(costs)
        cumulative = order.filled * abs(gain.quantity)
        return replace(
            _line(order, exec_id, gain.con_id, contract.security_type, self._market.now),
            side="BOT" if gain.takes_ask else "SLD",
            quantity=float(quantity),
            price=price,
            exchange=contract.exchange
            if contract.exchange != "SMART"
            else instrument.primary_exchange or "CBOE",
            cumulative=cumulative,
            average_price=round(costs[index] / cumulative, 9),
            commission=commission,
            realised_pnl=realised,
        )

    def _instruments(self, legs: Sequence[Gain]) -> list[Instrument]:
        return [found for gain in legs if (found := self._market.instrument(gain.con_id)) is not None]

    def _is_open(self, legs: Sequence[Gain]) -> bool:
        return all(self._market.is_open(gain.con_id) for gain in legs)


def _market_day(now: datetime) -> date:
    return now.astimezone(MARKET_TZ).date()


def changed(order: WorkingOrder) -> OrderChanged:
    """The order as it is at this moment; what happens to it later does not change the report."""
    return OrderChanged(replace(order))


def not_cancellable(order: WorkingOrder) -> Refusal:
    """The answer to a cancel that came too late."""
    subject = f"OrderId {order.request.order_id} that needs to be cancelled"
    return Refusal(10148, f"{subject} cannot be cancelled, state: {order.state}.")


def order_error(request: OrderRequest, refused: Refusal) -> OrderError:
    """A refusal addressed to the order's owner."""
    return OrderError(request.client_id, request.order_id, refused.code, refused.text)


_SIDE: Final = {"BUY": "BOT", "SELL": "SLD"}
#: Times in force that end with the first look at the book, and why.
_AT_ONCE: Final = {
    "IOC": "The remainder of an immediate-or-cancel order",
    "FOK": "A fill-or-kill order that could not be filled whole",
}


def _line(order: WorkingOrder, exec_id: str, con_id: int, kind: SecurityType, now: datetime) -> Execution:
    """An execution with everything the lines of one order share."""
    request = order.request
    return Execution(
        exec_id=exec_id,
        order_id=request.order_id,
        client_id=request.client_id,
        perm_id=order.perm_id,
        account=request.account,
        con_id=con_id,
        security_type=kind.value,
        side="",
        quantity=0.0,
        price=0.0,
        time=now,
        exchange="",
        cumulative=0.0,
        average_price=0.0,
        order_ref=request.order_ref,
    )
