"""The account valued at one moment of the market, and an order tried out on a copy of its books.

Positions are valued only when someone asks. All quotes needed, those of the underlyings of short options
included, are fetched in one call, so that the market can value them in one pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from market.contract import Contract, SecurityType
from simulator.account import Account, Valuation, mark_of
from simulator.fees import execution_fee, minimum_top_up, order_minimum_usd
from simulator.matching import Gain, gains, leg_price, natural_outlay, outlay_at, reaches_limit
from simulator.model import Market, OrderRequest, Tick


@dataclass(frozen=True)
class Trial:
    """The account before an order and as it would be after the order filled, with its commission in USD."""

    before: Valuation
    after: Valuation
    commission_usd: float

    @property
    def affordable(self) -> bool:
        """Whether funds remain, or at least no more are missing than before."""
        return self.after.available >= 0 or self.after.available >= self.before.available


class Appraisal:
    """Quotes of one moment and the values that follow from them. `more` are contracts needed beside the
    positions.
    """

    def __init__(self, market: Market, account: Account, more: Iterable[int] = ()) -> None:
        """Nothing is fetched before the first question."""
        self._market = market
        self._account = account
        self._more = tuple(more)

    @cached_property
    def book(self) -> Mapping[int, Tick]:
        """Quotes of all positions, of `more`, and of what lies under them."""
        con_ids = dict.fromkeys((*sorted(self._account.holdings), *self._more))
        for con_id in tuple(con_ids):
            instrument = self._market.instrument(con_id)
            if instrument is not None and instrument.underlying_con_id:
                con_ids[instrument.underlying_con_id] = None
        return {tick.con_id: tick for tick in self._market.ticks(con_ids)}

    def mark(self, con_id: int) -> float | None:
        """The price of a position in points: what it settles at once that is known, else from its quote."""
        held = self._account.holdings.get(con_id)
        if held is not None and held.contract.expiry is not None:
            settlement = self._market.settlement(con_id)
            if settlement is not None:
                return held.contract.payoff(settlement)
        tick = self.book.get(con_id)
        return None if tick is None else mark_of(tick)

    def underlying(self, con_id: int) -> float | None:
        """Spot under an option: the index itself, else what the option's own model tick says."""
        instrument = self._market.instrument(con_id)
        if instrument is not None and instrument.underlying_con_id in self.book:
            spot = mark_of(self.book[instrument.underlying_con_id])
            if spot is not None:
                return spot
        tick = self.book.get(con_id)
        return None if tick is None else tick.underlying

    def valuation(self) -> Valuation:
        """The account now."""
        return self._account.valuation(self.mark, self.underlying)


def trial(market: Market, account: Account, request: OrderRequest, units: int) -> Trial:
    """Fill `units` of the order on a copy of the books: at the natural price if it is within the limit, else
    at the limit.
    """
    legs = gains(request)
    appraisal = Appraisal(market, account, [gain.con_id for gain in legs])
    before = appraisal.valuation()
    contracts = [_contract(market, gain.con_id) for gain in legs]
    copy = account.copy()
    commission = accrued = 0.0
    for gain, contract, price in zip(legs, contracts, _fill_prices(request, legs, appraisal), strict=True):
        fee = execution_fee(contract, units * abs(gain.quantity), abs(price), in_combo=len(legs) > 1)
        cost = fee.total_usd + minimum_top_up(accrued, fee.broker_usd, order_minimum_usd(contract))
        accrued += fee.broker_usd
        commission += cost
        copy.trade(contract, units * gain.quantity, price, cost)
    after = copy.valuation(appraisal.mark, appraisal.underlying)
    return Trial(before, after, round(commission, 2))


def _fill_prices(request: OrderRequest, legs: tuple[Gain, ...], appraisal: Appraisal) -> list[float]:
    """A price per leg, together the outlay at which the order would fill."""
    prices = []
    for gain in legs:
        price = leg_price(gain, appraisal.book.get(gain.con_id))
        if price is None:
            price = appraisal.mark(gain.con_id)
        prices.append(0.0 if price is None else price)
    natural = natural_outlay(legs, appraisal.book)
    worst = _price_of(request)
    if worst is not None and (
        natural is None or not reaches_limit(request, natural) or "STP" in request.order_type
    ):
        outlay = sum(gain.quantity * price for gain, price in zip(legs, prices, strict=True))
        # The whole difference goes into one leg: margin and cash look at sums of legs only.
        prices[0] += (outlay_at(request, worst) - outlay) / legs[0].quantity
    return prices


def _price_of(request: OrderRequest) -> float | None:
    if "LMT" in request.order_type:
        return request.limit_price
    return request.aux_price if request.order_type == "STP" else None


def _contract(market: Market, con_id: int) -> Contract:
    instrument = market.instrument(con_id)
    if instrument is None or instrument.contract.security_type is SecurityType.INDEX:
        raise LookupError(f"contract {con_id} is not traded")
    return instrument.contract
