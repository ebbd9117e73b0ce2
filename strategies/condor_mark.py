"""What an open condor is worth: the middle of its legs, believed as far as parity agrees (METHOD 4.4).

A leg whose market breaks parity by more than its spread is priced from its partner, the other right at the
same strike, if that one is the more liquid. A missing bid is not a price of zero: the partner prices the leg,
or the mark is unknown. Where no parity is known yet, plain mids serve, so that an unknown forward never keeps
an exit from its price; where the quotes contradict each other there is no mark at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isnan, nan

from market.contract import Combo, Contract, Right
from market.parity import Row, clean_pair, dealable_bounds
from market.quote import Quote, bid_and_ask
from market.records import quickly_made
from market.rounding import round_price
from strategies.base import MarketSnapshot, Structure
from strategies.expiry_parity import ParityWatch, other_right, spot_of
from strategies.forwards import conversion_cost
from strategies.ladder import Ladder, ladder
from strategies.strikes import ForwardMarket


@quickly_made
@dataclass(frozen=True, slots=True)
class Mark:
    """Points a unit costs to buy back at clean mids, or None and the reason.

    `mids` are the clean mids of the legs in the combo's order, `repriced` the legs that parity priced,
    `market` the forward market they were judged by; `suspect` says that the quotes contradict each other, so
    that nothing may be ordered on them.
    """

    value: float | None
    reason: str = ""
    mids: tuple[float, ...] = ()
    repriced: tuple[str, ...] = ()
    market: ForwardMarket | None = None
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The other rights beside a combo's legs, and (strike, call, put) at each of its strikes, ascending."""

    partners: tuple[Contract, ...]
    at: tuple[tuple[float, Contract | None, Contract | None], ...]


def partners(snapshot: MarketSnapshot, combo: Combo) -> tuple[Contract, ...]:
    """The other right at each strike of the combo, as far as it is listed."""
    return _pairs_of(snapshot, combo).partners


def _pairs_of(snapshot: MarketSnapshot, combo: Combo) -> _Pairs:
    first = combo.legs[0].contract
    return _pairs(combo, ladder(snapshot, first.trading_class, first.expiry))


@lru_cache(maxsize=64)
def _pairs(combo: Combo, rungs: Ladder | None) -> _Pairs:
    """A combo and a listing stand for many looks; the last answers are kept."""
    found: dict[int, Contract] = {}
    sides: dict[float, dict[Right, Contract]] = {}
    for leg in combo.legs:
        contract = leg.contract
        other = other_right(contract.right)
        side = sides.setdefault(contract.strike, {})
        side[other_right(other)] = contract
        partner = None if rungs is None else rungs.options.get((contract.strike, other))
        if partner is not None:
            found[partner.con_id] = side[other] = partner
    return _Pairs(
        tuple(found.values()),
        tuple(
            (strike, sides[strike].get(Right.CALL), sides[strike].get(Right.PUT)) for strike in sorted(sides)
        ),
    )


def mark(snapshot: MarketSnapshot, structure: Structure, parity: ParityWatch) -> Mark:
    """The structure's mark now."""
    return marks(snapshot, (structure,), parity)[0]


def marks(snapshot: MarketSnapshot, structures: Sequence[Structure], parity: ParityWatch) -> list[Mark]:
    """The mark of each structure now; those of one expiry are judged by one forward market."""
    markets: dict[date | None, ForwardMarket | None] = {}
    found = []
    for structure in structures:
        combo = structure.combo
        expiry = combo.legs[0].contract.expiry
        suspicion = parity.suspicion(expiry)
        if suspicion:
            found.append(Mark(None, suspicion, suspect=True))
            continue
        if not all(contract.con_id in snapshot.quotes for contract, _ in combo.signed):
            found.append(Mark(None, "a leg has no price"))
            continue
        if expiry not in markets:
            markets[expiry] = _market(snapshot, parity, expiry)
        market = markets[expiry]
        found.append(_plain(combo, snapshot.quotes) if market is None else _clean(snapshot, combo, market))
    return found


def _market(snapshot: MarketSnapshot, parity: ParityWatch, expiry: date | None) -> ForwardMarket | None:
    reading = parity.reading(expiry, snapshot.session)
    spot = None if reading is None else spot_of(snapshot, reading.trading_class)
    market = None if reading is None or spot is None else reading.market(snapshot.time, spot)
    return market if market is not None and market.t_years > 0.0 else None


def _plain(combo: Combo, quotes: Mapping[int, Quote]) -> Mark:
    mids = [quotes[leg.contract.con_id].mid for leg in combo.legs]
    known = tuple(mid for mid in mids if mid is not None)
    if len(known) < len(mids):
        return Mark(None, "a leg has no price")
    return _valued(combo, known, (), None)


def _clean(snapshot: MarketSnapshot, combo: Combo, market: ForwardMarket) -> Mark:
    first, quotes = combo.legs[0].contract, snapshot.quotes
    cost = conversion_cost(first.trading_class, first.multiplier)
    at = _pairs_of(snapshot, combo).at
    rows = [(strike, *bid_and_ask(call, quotes), *bid_and_ask(put, quotes)) for strike, call, put in at]
    forward, discount = market.forward, market.discount
    # The forward itself is known no better than conversions and reversals bound it.
    slack = round_price(cost + market.half_width * discount)
    bounds = dealable_bounds(rows, discount, slack)
    if bounds.crossed:
        return Mark(
            None, f"data suspect: forward bounds crossed ({bounds.lo:g} > {bounds.hi:g})", suspect=True
        )
    clean = {row[0]: (row, clean_pair(row, forward, discount, slack)) for row in rows}
    mids, repriced = [], []
    for contract, _ in combo.signed:
        row, (call, put, call_repriced, put_repriced) = clean[contract.strike]
        is_call = contract.right is Right.CALL
        mid, is_repriced = (call, call_repriced) if is_call else (put, put_repriced)
        if isnan(mid):
            mid = _from_partner(row, is_call, put if is_call else call, market)
            is_repriced = True
            if isnan(mid):
                return Mark(None, "a leg has no price", market=market)
        mids.append(mid)
        if is_repriced:
            repriced.append(contract.describe())
    return _valued(combo, tuple(mids), tuple(repriced), market)


def _from_partner(row: Row, is_call: bool, partner: float, market: ForwardMarket) -> float:
    """A leg without a market of its own by parity, never outside of the side that stands; NaN without one."""
    strike, call_bid, call_ask, put_bid, put_ask = row
    bid, ask = (call_bid, call_ask) if is_call else (put_bid, put_ask)
    if bid > ask:
        return nan  # a crossed market is no market
    parity = market.discount * (market.forward - strike)
    worth = max(partner + parity if is_call else partner - parity, 0.0)
    worth = min(worth, ask) if ask >= 0.0 else worth
    return round_price(max(worth, bid) if bid >= 0.0 else worth)


def _valued(
    combo: Combo, mids: tuple[float, ...], repriced: tuple[str, ...], market: ForwardMarket | None
) -> Mark:
    """The value, if it lies within what the structure can be worth; anything else is a bad quote."""
    value = round_price(-sum([ratio * mid for (_, ratio), mid in zip(combo.signed, mids, strict=True)]))
    most = round_price(-combo.payoff_range()[0])
    if not 0.0 <= value <= most:
        return Mark(None, f"mark {value:g} outside 0..{most:g}", market=market)
    return Mark(value, "", mids, repriced, market)
