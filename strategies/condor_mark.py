"""What an open condor is worth: the middle of its legs, believed as far as parity agrees (METHOD 4.4).

A leg whose market breaks parity by more than its spread is priced from its partner, the other right at the
same strike, if that one is the more liquid. A missing bid is not a price of zero: the partner prices the leg,
or the mark is unknown. Where no parity is known yet, plain mids serve, so that an unknown forward never keeps
an exit from its price; where the quotes contradict each other there is no mark at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isnan

from market.contract import Combo, Contract, Right
from market.parity import clean_mids, executable_bounds
from market.quote import OptionChain, Quote, option_chain
from market.rounding import round_price
from strategies.base import MarketSnapshot, Structure
from strategies.expiry_parity import ParityWatch, other_right, spot_of
from strategies.forwards import conversion_cost
from strategies.ladder import ladder
from strategies.strikes import ForwardMarket


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


def partners(snapshot: MarketSnapshot, combo: Combo) -> tuple[Contract, ...]:
    """The other right at each strike of the combo, as far as it is listed."""
    found = {}
    rungs, arranged = None, None
    for leg in combo.legs:
        contract = leg.contract
        if contract.expiry is not None and arranged != contract.expiry:
            rungs, arranged = ladder(snapshot, contract.trading_class, contract.expiry), contract.expiry
        partner = None if rungs is None else rungs.options.get((contract.strike, other_right(contract.right)))
        if partner is not None:
            found[partner.con_id] = partner
    return tuple(found.values())


def mark(snapshot: MarketSnapshot, structure: Structure, parity: ParityWatch) -> Mark:
    """The structure's mark now."""
    combo, quotes = structure.combo, snapshot.quotes
    expiry = combo.legs[0].contract.expiry
    suspicion = parity.suspicion(expiry)
    if suspicion:
        return Mark(None, suspicion, suspect=True)
    if any(leg.contract.con_id not in quotes for leg in combo.legs):
        return Mark(None, "a leg has no price")
    market = _market(snapshot, parity, expiry)
    if market is None:
        return _plain(combo, quotes)
    options = (*(leg.contract for leg in combo.legs), *partners(snapshot, combo))
    return _clean(combo, option_chain(options, quotes), market)


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


def _clean(combo: Combo, chain: OptionChain, market: ForwardMarket) -> Mark:
    contract = combo.legs[0].contract
    cost = conversion_cost(contract.trading_class, contract.multiplier)
    sides = (chain.strikes, chain.call_bid, chain.call_ask, chain.put_bid, chain.put_ask)
    # The forward itself is known no better than conversions and reversals bound it.
    slack = round_price(cost + market.half_width * market.discount)
    bounds = executable_bounds(*sides, market.discount, slack)
    if bounds.crossed:
        return Mark(
            None, f"data suspect: forward bounds crossed ({bounds.lo:g} > {bounds.hi:g})", suspect=True
        )
    clean = clean_mids(*sides, market.forward, market.discount, slack)
    mids, repriced = [], []
    row = {strike: index for index, strike in enumerate(chain.strikes.tolist())}
    for leg in combo.legs:
        index = row[leg.contract.strike]
        is_call = leg.contract.right is Right.CALL
        own, partner = (clean.call_mid, clean.put_mid) if is_call else (clean.put_mid, clean.call_mid)
        mid, is_repriced = (
            float(own[index]),
            bool((clean.call_repriced if is_call else clean.put_repriced)[index]),
        )
        if isnan(mid):
            mid = _from_partner(chain, index, is_call, float(partner[index]), market)
            is_repriced = True
        if isnan(mid):
            return Mark(None, "a leg has no price", market=market)
        mids.append(mid)
        if is_repriced:
            repriced.append(leg.contract.describe())
    return _valued(combo, tuple(mids), tuple(repriced), market)


def _from_partner(
    chain: OptionChain, index: int, is_call: bool, partner: float, market: ForwardMarket
) -> float:
    """A leg without a market of its own by parity, never outside of the side that stands; NaN without one."""
    ask = float((chain.call_ask if is_call else chain.put_ask)[index])
    bid = float((chain.call_bid if is_call else chain.put_bid)[index])
    if bid > ask:
        return float("nan")  # a crossed market is no market
    parity = market.discount * (market.forward - float(chain.strikes[index]))
    worth = max(partner + parity if is_call else partner - parity, 0.0)
    worth = min(worth, ask) if ask >= 0.0 else worth
    return round_price(max(worth, bid) if bid >= 0.0 else worth)


def _valued(
    combo: Combo, mids: tuple[float, ...], repriced: tuple[str, ...], market: ForwardMarket | None
) -> Mark:
    """The value, if it lies within what the structure can be worth; anything else is a bad quote."""
    value = round_price(-sum(leg.signed_ratio * mid for leg, mid in zip(combo.legs, mids, strict=True)))
    most = round_price(-combo.payoff_range()[0])
    if not 0.0 <= value <= most:
        return Mark(None, f"mark {value:g} outside 0..{most:g}", market=market)
    return Mark(value, "", mids, repriced, market)
