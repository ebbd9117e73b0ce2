"""What is judged at the moment an order's bytes are written: from the wire and the venue's own books."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from math import inf, isfinite

from bot.engine.decision import Verb
from bot.engine.state import EngineState
from config.rules import Rules
from market.contract import Contract
from market.sessions import MARKET_TZ
from risk.state import Cause, TradingState
from simulator.exchange import Exchange
from simulator.model import OrderRequest
from tests.scenarios.faults.exposure import least_value_usd, naked, range_points
from tests.scenarios.faults.line import Line
from tests.scenarios.faults.records import Records
from tests.scenarios.faults.scenes import ACCOUNT

FRAMES_PER_S_MAX = 45
LOTS_MAX = 100
QUOTE_AGE_MAX = timedelta(seconds=75)  # one look a minute, and the fifteen seconds an option may be silent
TICK_PTS = 0.05
HALF_DAYS = {(11, 27), (12, 24), (7, 3)}
LAYERS = {"near_term": "l1_fraction", "mid_term": "l2_fraction", "reserve": "l3_fraction"}


@dataclass
class OrderJudge:
    """Orders as they are written to the line. `now` is true time."""

    exchange: Exchange
    records: Records
    line: Line
    rules: Rules
    now: Callable[[], datetime]
    ids: dict[str, int] = field(default_factory=dict)  # order id of each reference that was written
    moves: dict[str, int] = field(default_factory=dict)
    written: list[datetime] = field(default_factory=list)
    asked: dict[frozenset[tuple[Contract, int]], datetime] = field(default_factory=dict)
    hedges: dict[str, float] = field(default_factory=dict)  # USD of each opening hedge order

    def judge(self, order: OrderRequest, state: EngineState | None) -> bool:
        """One placeOrder; whether it is a new order."""
        ref = order.order_ref
        intent = self.records.intents.get(ref)
        if intent is None or intent[0] > self.records.durable:
            self._accuse("I-08", f"{ref} is written before its intent is durable")
        self._form(order)
        is_new = ref not in self.ids
        if not is_new and self.ids[ref] != order.order_id:
            self._accuse("I-07", f"{ref} is written twice, as {self.ids[ref]} and {order.order_id}")
        if is_new:
            self.ids[ref] = order.order_id
            self._new(order, state)
        else:
            self.moves[ref] = self.moves.get(ref, 0) + 1
            if self.moves[ref] > self.records.moves[ref]:
                self._accuse("I-08", f"{ref} is moved without a durable decision")
        self._state(order, state, is_new)
        self._price(order)
        self._self_cross(order)
        return is_new

    def judge_what_if(self, order: OrderRequest) -> None:
        """One placeOrder that is only to be judged: of our account, and the same not within a minute."""
        if order.account != ACCOUNT:
            self._accuse("I-13", f"a what-if names account {order.account!r}")
        about, now = frozenset(self.legs(order).items()), self.now()
        before = self.asked.get(about)
        # The minute is between decisions: a question may have waited for its turn behind a greeting.
        if before is not None and now - before < timedelta(seconds=55):
            self._accuse("I-14", f"the margin of {about} is asked again after {now - before}")
        self.asked[about] = now

    def legs(self, order: OrderRequest) -> dict[Contract, int]:
        """Contracts gained by one unit; sold ones are negative."""
        sign = 1 if order.action == "BUY" else -1
        pairs = [(leg.con_id, leg.ratio * (1 if leg.action == "BUY" else -1)) for leg in order.legs]
        found = {}
        for con_id, count in pairs or [(order.con_id, 1)]:
            instrument = self.exchange.market.instrument(con_id)
            if instrument is not None:
                found[instrument.contract] = sign * count
        return found

    def paid(self, order: OrderRequest) -> float:
        """Points paid for one unit, negative for a credit."""
        price = order.limit_price if order.limit_price is not None else inf
        return price if order.action == "BUY" else -price

    def holdings(self) -> dict[Contract, int]:
        """The venue's positions."""
        return {
            one.contract: one.quantity for one in self.exchange._account.holdings.values() if one.quantity
        }

    # ------------------------------------------------------------------

    def _accuse(self, invariant: str, text: str) -> None:
        self.records.accuse(invariant, text)

    def _form(self, order: OrderRequest) -> None:
        if order.account != ACCOUNT:
            self._accuse("I-13", f"{order.order_ref} names account {order.account!r}")
        if order.order_type != "LMT" or order.limit_price is None:
            self._accuse("I-15", f"{order.order_ref} is a {order.order_type} order")
        if order.security_type == "FUT":
            self._accuse("I-04", f"{order.order_ref} trades a future")
        local = self.now().astimezone(MARKET_TZ)
        closes = time(13, 15) if (local.month, local.day) in HALF_DAYS else time(16, 15)
        if local.weekday() > 4 or not time(9, 30) <= local.time() <= closes:
            self._accuse("I-15", f"{order.order_ref} is written at {local:%a %H:%M:%S} New York time")
        if not 1 <= order.quantity <= LOTS_MAX:
            self._accuse("I-14", f"{order.order_ref} is for {order.quantity:g} units")

    def _new(self, order: OrderRequest, state: EngineState | None) -> None:
        now = self.now()
        self.written.append(now)
        lately = sum(now - at < timedelta(minutes=1) for at in self.written)
        if lately > self.rules.risk.orders_per_minute_max:
            self._accuse("I-14", f"{lately} orders within a minute")
        decision = self.records.decisions.get(order.order_ref)
        if decision is None:
            return
        for other in self.exchange._blotter.working.values():
            rival = self.records.decisions.get(other.request.order_ref)
            if rival is not None and rival.structure_id == decision.structure_id:
                self._accuse("I-07", f"{order.order_ref}: {other.request.order_ref} still lives")
        if decision.verb is Verb.OPEN:
            self._capital(order, decision.strategy)
            self._fresh(order)

    def _state(self, order: OrderRequest, state: EngineState | None, is_new: bool) -> None:
        ref = order.order_ref
        if not self.records.is_reconciled or state is None:
            self._accuse("I-12", f"{ref} is written before the book is reconciled")
        elif state.risk.trading is TradingState.HALTED:
            self._accuse("I-12", f"{ref} is written while trading is halted")
        elif state.risk.trading is TradingState.REDUCING and is_new:
            causes = {cause for cause, _ in state.risk.causes}
            is_hedge = ref.split(":")[1] in LAYERS
            if not (is_hedge and causes <= {Cause.LOSS, Cause.DRAWDOWN}) and self._delta_usd(order) > 1.0:
                self._accuse("I-12", f"{ref} adds risk while trading is reducing")

    def _delta_usd(self, order: OrderRequest) -> float:
        """By how much the order adds to the worst loss when it fills at its limit."""
        before, after = self.holdings(), self.holdings()
        multiplier = 100
        for contract, count in self.legs(order).items():
            after[contract] = after.get(contract, 0) + round(count * order.quantity)
            multiplier = contract.multiplier
        cost = self.paid(order) * multiplier * order.quantity
        return least_value_usd(before) - least_value_usd(after) + cost

    def _capital(self, order: OrderRequest, strategy: str) -> None:
        legs, paid = self.legs(order), self.paid(order)
        low, _ = range_points(legs)
        multiplier = max((contract.multiplier for contract in legs), default=100)
        loss = (paid - low) * multiplier * order.quantity
        equity = self.exchange._valuation().equity
        budget = self.rules.budget
        if strategy in LAYERS:
            share = getattr(budget, LAYERS[strategy])
            self.hedges[order.order_ref] = max(paid, 0.0) * multiplier
            spent = sum(
                self.hedges[one.request.order_ref] * one.filled
                for one in (*self.exchange._blotter.working.values(), *self.exchange._blotter.ended)
                if one.request.order_ref in self.hedges
            )
            allowed = share * budget.campaign_bps * 1e-4 * equity + self.hedges[order.order_ref]
            if spent + loss > allowed * 1.02:
                self._accuse(
                    "I-03", f"{order.order_ref}: {spent + loss:.0f} USD of {allowed:.0f} for its layer"
                )
            return
        allowed = self.rules.risk.initiation_max_fraction * equity
        if not loss <= allowed * 1.02 + 100.0:
            self._accuse("I-03", f"{order.order_ref} can lose {loss:.0f} USD, allowed are {allowed:.0f}")
        after = self.holdings()
        for contract, count in legs.items():
            after[contract] = after.get(contract, 0) + round(count * order.quantity)
        bare = naked(after)
        if bare:
            self._accuse("I-01", f"{order.order_ref} would leave {bare}")
        # Hedges are paid for: what a book can lose from here is the value of its condors' worst end.
        condors = {contract: count for contract, count in after.items() if contract.symbol == "SPX"}
        worst, most = -least_value_usd(condors), self.rules.risk.open_max_loss_fraction * equity
        if not worst <= most * 1.05 + 1000.0:
            self._accuse("I-02", f"the book can lose {worst:.0f} USD, allowed are {most:.0f}")

    def _price(self, order: OrderRequest) -> None:
        legs, paid = self.legs(order), self.paid(order)
        low, high = range_points(legs)
        if not low <= paid < high or (low < 0.0 and high <= 0.0 and paid >= 0.0):
            self._accuse("I-14", f"{order.order_ref} at {paid:g} is outside {low:g} to {high:g}")
        self.line.read()
        bounds = [0.0, 0.0]
        for contract, count in legs.items():
            quote = self.line.quotes.get(contract.con_id)
            if quote is None or quote.bid is None or quote.ask is None:
                return
            bounds[0] += count * (quote.bid if count > 0 else quote.ask)
            bounds[1] += count * (quote.ask if count > 0 else quote.bid)
        slack = (self.rules.risk.collar_ticks + 1) * TICK_PTS
        if all(isfinite(one) for one in bounds) and not bounds[0] - slack <= paid <= bounds[1] + slack:
            self._accuse("I-14", f"{order.order_ref} at {paid:g} is far from {bounds[0]:g} to {bounds[1]:g}")

    def _fresh(self, order: OrderRequest) -> None:
        """An order that adds risk rests on quotes that came lately and make sense."""
        self.line.read()
        now = self.now()
        kinds = {contract.con_id for contract in self.legs(order)}
        for con_id in kinds:
            quote = self.line.quotes.get(con_id)
            if quote is None or quote.bid is None or quote.ask is None:
                continue
            if not 0.0 < quote.bid <= quote.ask < inf:
                self._accuse("I-17", f"{order.order_ref} rests on {quote.bid:g} / {quote.ask:g}")
        newest = max((one.at for one in self.line.quotes.values() if one.at is not None), default=None)
        if newest is None or now - newest > QUOTE_AGE_MAX:
            self._accuse("I-17", f"{order.order_ref} rests on quotes of {newest}")

    def _self_cross(self, order: OrderRequest) -> None:
        mine = {contract.con_id: count for contract, count in self.legs(order).items()}
        for other in self.exchange._blotter.working.values():
            if other.request.order_ref == order.order_ref:
                continue
            for contract, count in self.legs(other.request).items():
                if mine.get(contract.con_id, 0) * count < 0:
                    self._accuse("I-16", f"{order.order_ref} crosses {other.request.order_ref}")
                    return
