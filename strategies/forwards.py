"""The forward an option is priced on: what put-call parity says of its own expiry (METHOD 4.4, 3.2).

Never the index and never spot VIX. The parity strikes lie around an anchor that follows the market in
steps, so that the set of streamed lines does not change with every tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from market.contract import Contract, Right
from market.parity import ParityFault, executable_bounds, parity_regression
from market.quote import Quote, option_chain
from market.rounding import round_price
from strategies.ladder import Ladder
from strategies.strikes import ForwardMarket

PARITY_STRIKES = 10
PARITY_BAND = 0.03  # of the index, on both sides: wide enough to see the discount factor
ANCHOR_SLACK = 0.01
VIX_ANCHOR_SLACK = 0.08
FORWARD_GAP_PTS = 0.15
VX_TICK = 0.05


@dataclass(frozen=True, slots=True)
class _ParityTerms:
    """How an expiry's parity is read: largest residual in ticks, and the strikes' reach from the level."""

    tick: float
    band: float


_TERMS = {"SPXW": _ParityTerms(0.10, 0.08), "SPX": _ParityTerms(0.10, 0.08), "VIX": _ParityTerms(0.05, 0.60)}


def index_parity_strikes(rungs: Ladder, anchor: float, level: float) -> tuple[float, tuple[float, ...]]:
    """The anchor to keep, and the parity strikes laid evenly around it.

    The anchor moves to the level only once the level has left it by more than the slack.
    """
    if anchor <= 0.0 or abs(level / anchor - 1.0) > ANCHOR_SLACK:
        anchor = round_price(level)
    return anchor, rungs.spread(anchor * (1.0 - PARITY_BAND), anchor * (1.0 + PARITY_BAND), PARITY_STRIKES)


def vix_parity_strikes(rungs: Ladder, anchor: float, level: float) -> tuple[float, tuple[float, ...]]:
    """The same for VIX options, whose strikes are coarse: the nearest ones, anchored with more slack."""
    if anchor <= 0.0 or abs(level / anchor - 1.0) > VIX_ANCHOR_SLACK:
        anchor = round_price(level)
    return anchor, rungs.nearest(anchor, PARITY_STRIKES)


@lru_cache(maxsize=64)
def both_rights(rungs: Ladder, strikes: tuple[float, ...]) -> tuple[Contract, ...]:
    """Call and put at each strike; the last answers are kept, as for `options_at`."""
    return tuple(rungs.options[(strike, right)] for strike in strikes for right in (Right.CALL, Right.PUT))


def chain_forward(
    options: Sequence[Contract], quotes: Mapping[int, Quote], level: float, t_years: float
) -> tuple[ForwardMarket | None, str]:
    """Forward and discount factor by parity, or None and why not.

    `level` is the index, or for VIX options the matching future where there is one. Bounds that cross mean
    that some quote is wrong: no forward then, and no order built on it.
    """
    quoted = [option for option in options if option.con_id in quotes]
    if not quoted:
        return None, "no quotes yet"
    chain = option_chain(quoted, quotes)
    terms = _TERMS[chain.trading_class]
    sides = (chain.strikes, chain.call_bid, chain.call_ask, chain.put_bid, chain.put_ask)
    found = parity_regression(*sides, level, t_years, terms.tick, band=terms.band)
    if isinstance(found, ParityFault):
        return None, f"parity: {found.value}"
    bounds = executable_bounds(*sides, found.discount)
    if bounds.crossed:
        return None, f"data suspect: forward bounds crossed ({bounds.lo:g} > {bounds.hi:g})"
    half_width = 0.0 if bounds.lo is None or bounds.hi is None else (bounds.hi - bounds.lo) / 2.0
    return ForwardMarket(found.forward, found.discount, t_years, half_width=round_price(half_width)), ""


def vix_forward(
    market: ForwardMarket | None, reason: str, future: Quote | None, t_years: float
) -> tuple[ForwardMarket | None, str]:
    """A VIX expiry's forward: its chain's parity, else the future of that settlement (METHOD 3.2).

    Where both are known they must agree within 0.15 points, or within two ticks and half of both markets.
    """
    mid = None if future is None else future.mid
    if market is None:
        if mid is None:
            return None, f"{reason}; no matching future"
        # Without parity the discount factor is unknown; a month of it moves a delta by less than a strike.
        return ForwardMarket(mid, 1.0, t_years), f"future {mid:g} ({reason})"
    if mid is None or future is None or future.bid is None or future.ask is None:
        return market, f"parity {market.forward:g}, no matching future"
    gap = round_price(abs(market.forward - mid))
    halves = market.half_width + (future.ask - future.bid) / 2.0
    allowed = round_price(max(FORWARD_GAP_PTS, 2.0 * VX_TICK + halves))
    detail = f"parity {market.forward:g}, future {mid:g}, gap {gap:g} of {allowed:g}"
    return (market if gap <= allowed else None), detail
