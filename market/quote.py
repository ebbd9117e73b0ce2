"""What things cost now: quotes, an option chain row by row, and the VIX futures curve.

A side that is missing, not finite, not positive or carries no size is no quote and is `None` here; the edge
(bot/broker) makes it so. Nothing in this module invents a price: where a side is missing, a derived value
is `None` or NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import nan
from typing import Any

from market.contract import Combo, Contract, Right
from market.records import draft_of, quickly_made
from market.rounding import round_price, round_ratio


@quickly_made
@dataclass(frozen=True, slots=True)
class Quote:
    """Top of book of one contract, with the time of its last change by our clock (aware).

    For AD-NYSE `bid` is the number of advancing and `ask` of declining issues. `last` is the level of an
    index.
    """

    bid: float | None
    ask: float | None
    last: float | None
    time: datetime

    @property
    def is_two_sided(self) -> bool:
        """Whether both sides stand and are not crossed."""
        return self.bid is not None and self.ask is not None and self.bid <= self.ask

    @property
    def mid(self) -> float | None:
        """Middle of a two-sided market, else None."""
        bid, ask = self.bid, self.ask
        if bid is None or ask is None or bid > ask:
            return None
        return round_price((bid + ask) / 2)


def stamped(
    rows: Sequence[tuple[int, float | None, float | None, float | None]], time: datetime
) -> Sequence[tuple[int, Quote]]:
    """Quotes of one instant by con_id, from rows of con_id, bid, ask and last.

    Every line of every snapshot passes here; even the quick constructor would take half as long again.
    """
    made = []
    for con_id, bid, ask, last in rows:
        quote = _new(_Draft)
        quote.bid, quote.ask, quote.last, quote.time = bid, ask, last, time
        quote.__class__ = Quote
        made.append((con_id, quote))
    return made


_new = object.__new__
_Draft: Any = draft_of(Quote)


@quickly_made
@dataclass(frozen=True, slots=True)
class ComboQuote:
    """What buying one unit of a combo costs: `bid` and `ask` are signed cash prices, negative for a credit.

    `ask` is the natural price (every leg crossed against us), `bid` what a seller of the same combo would
    receive.
    """

    bid: float
    ask: float

    @property
    def mid(self) -> float:
        """Middle of the two."""
        return round_price((self.bid + self.ask) / 2)

    @property
    def half_spread(self) -> float:
        """Distance from the middle to the natural price, never negative."""
        return round_price((self.ask - self.bid) / 2)


def combo_quote(combo: Combo, quotes: Mapping[int, Quote]) -> ComboQuote | None:
    """Net market of a combo out of its legs' quotes; None when a leg lacks a side it needs or is crossed.

    A missing bid counts as zero where the leg still has an ask: an option nobody bids for can be bought,
    and is worth nothing to a seller. A missing ask leaves the combo without a price.
    """
    bid = ask = 0.0
    for contract, ratio in combo.signed:
        quote = quotes.get(contract.con_id)
        if quote is None:
            return None
        leg_bid, leg_ask = quote.bid, quote.ask
        if leg_ask is None:
            return None
        if leg_bid is None:
            leg_bid = 0.0
        if leg_bid > leg_ask:
            return None
        if ratio > 0:
            bid += ratio * leg_bid
            ask += ratio * leg_ask
        else:
            bid += ratio * leg_ask
            ask += ratio * leg_bid
    return ComboQuote(round_price(bid), round_price(ask))


def pair_rows(
    contracts: Sequence[Contract], quotes: Mapping[int, Quote]
) -> list[tuple[float, float, float, float, float]]:
    """Options of one class and expiry by ascending strike: strike, call bid and ask, put bid and ask.

    A missing side is NaN. Raises ValueError when they differ in class or expiry or are none.
    """
    strikes, calls, puts = _layout(tuple(contracts))
    return [
        (strike, *bid_and_ask(call, quotes), *bid_and_ask(put, quotes))
        for strike, call, put in zip(strikes, calls, puts, strict=True)
    ]


def bid_and_ask(option: Contract | None, quotes: Mapping[int, Quote]) -> tuple[float, float]:
    """Both sides of an option's market, NaN where there is none."""
    quote = None if option is None else quotes.get(option.con_id)
    if quote is None:
        return nan, nan
    bid, ask = quote.bid, quote.ask
    return nan if bid is None else bid, nan if ask is None else ask


@lru_cache(maxsize=32)
def _layout(
    contracts: tuple[Contract, ...],
) -> tuple[tuple[float, ...], tuple[Contract | None, ...], tuple[Contract | None, ...]]:
    """Ascending strikes and the calls and puts on them: the same for as long as the lines are."""
    if not contracts or len({(contract.trading_class, contract.expiry) for contract in contracts}) != 1:
        raise ValueError("a chain holds options of one class and expiry")
    calls = {contract.strike: contract for contract in contracts if contract.right is Right.CALL}
    puts = {contract.strike: contract for contract in contracts if contract.right is not Right.CALL}
    strikes = tuple(sorted({*calls, *puts}))
    return (
        strikes,
        tuple(calls.get(strike) for strike in strikes),
        tuple(puts.get(strike) for strike in strikes),
    )


@dataclass(frozen=True, slots=True)
class VixCurve:
    """Monthly VX futures by final settlement day, in points, for one instant."""

    pairs: tuple[tuple[date, float], ...]

    def price(self, final_settlement: date) -> float | None:
        """The future that settles on this day, or None."""
        return dict(self.pairs).get(final_settlement)

    def backwardation(self, front: date, second: date) -> float | None:
        """`VX1 / VX2 - 1` of the given pair (METHOD 2.2); None, never 0, where one of them is missing."""
        near, far = self.price(front), self.price(second)
        if near is None or far is None or near <= 0.0 or far <= 0.0:
            return None
        return round_ratio(near / far - 1.0)
