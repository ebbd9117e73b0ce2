"""The forward an option is priced on: what put-call parity says of its own expiry (METHOD 4.4, 3.2).

Never the index and never spot VIX. The parity strikes lie around an anchor that follows the market in
steps, so that the set of streamed lines does not change with every tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from market.contract import Contract, Right
from market.parity import (
    ForwardBounds,
    ParityFault,
    ParityForward,
    Row,
    arbitrage_among,
    clean_pair,
    dealable_bounds,
    regression,
)
from market.quote import Quote, pair_rows
from market.records import quickly_made
from market.rounding import round_price
from strategies.costs import FEE_PER_CONTRACT_USD
from strategies.ladder import Ladder
from strategies.strikes import ForwardMarket

PARITY_STRIKES = 10
PARITY_BAND = 0.03  # of the index, on both sides: wide enough to see the discount factor
ANCHOR_SLACK = 0.01
VIX_ANCHOR_SLACK = 0.08
VX_TICK = 0.05


@dataclass(frozen=True, slots=True)
class _ParityTerms:
    """How an expiry's parity is read: largest residual in ticks, and the strikes' reach from the level."""

    tick: float
    band: float


_TERMS = {
    "SPXW": _ParityTerms(0.10, 0.08),
    "SPX": _ParityTerms(0.10, 0.08),
    "XSP": _ParityTerms(0.02, 0.08),
    "VIX": _ParityTerms(0.05, 0.60),
}


class SuspectDataError(ValueError):
    """Quotes that contradict each other: some of them is wrong, and nothing is ordered on any of them."""


@quickly_made
@dataclass(frozen=True, slots=True, eq=False)
class ChainParity:
    """What one chain says of its forward: the regression, and the bounds of dealable prices after fees."""

    rows: Sequence[Row]
    found: ParityForward
    bounds: ForwardBounds


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


@lru_cache(maxsize=16)
def both_rights(rungs: Ladder, strikes: tuple[float, ...]) -> tuple[Contract, ...]:
    """Call and put at each strike; the last answers are kept, as for `options_at`."""
    return tuple(rungs.options[(strike, right)] for strike in strikes for right in (Right.CALL, Right.PUT))


def conversion_cost(trading_class: str, multiplier: int = 100) -> float:
    """Fees of one conversion or reversal, two options, in points."""
    return round_price(2.0 * FEE_PER_CONTRACT_USD[trading_class] / multiplier)


def chain_parity(
    options: Sequence[Contract], quotes: Mapping[int, Quote], level: float, t_years: float
) -> ChainParity | str:
    """Parity of the quoted options of one expiry, or why there is none (METHOD 4.4).

    `level` is the index, or for VIX options the matching future where there is one. Raises SuspectDataError
    when the bounds cross, or when calls that parity agrees with still allow static arbitrage.
    """
    quoted = [option for option in options if option.con_id in quotes]
    if not quoted:
        return "no quotes yet"
    rows, trading_class = pair_rows(quoted, quotes), quoted[0].trading_class
    terms, cost = _TERMS[trading_class], conversion_cost(trading_class, quoted[0].multiplier)
    found = regression(rows, level, t_years, terms.tick, band=terms.band)
    if isinstance(found, ParityFault):
        return f"parity: {found.value}"
    bounds = dealable_bounds(rows, found.discount, cost)
    if bounds.crossed:
        raise SuspectDataError(f"data suspect: forward bounds crossed ({bounds.lo:g} > {bounds.hi:g})")
    calls = [(row[0], clean_pair(row, found.forward, found.discount, cost)[0]) for row in rows]
    widest = max(row[2] - row[1] for row in rows if row[1] <= row[2])
    # A mid may stand half a market off on each side of a pair, and a repriced one by the fees as well.
    slack = round_price(widest + 2.0 * cost)
    broken = arbitrage_among(calls, found.discount, slack)
    if broken:
        worst = max(broken, key=lambda one: one.amount)
        at = " ".join(f"{strike:g}" for strike in worst.strikes)
        raise SuspectDataError(f"data suspect: {worst.kind.value} at {at} by {worst.amount:g}")
    return ChainParity(rows, found, bounds)


def chain_forward(
    options: Sequence[Contract], quotes: Mapping[int, Quote], level: float, t_years: float
) -> tuple[ForwardMarket | None, str]:
    """Forward and discount factor by parity, or None and why not; suspect data give none either."""
    try:
        parity = chain_parity(options, quotes, level, t_years)
    except SuspectDataError as error:
        return None, str(error)
    if isinstance(parity, str):
        return None, parity
    found, half = parity.found, half_width(parity.bounds)
    return ForwardMarket(found.forward, found.discount, t_years, half_width=half), ""


def half_width(bounds: ForwardBounds) -> float:
    """Half the distance between the dealable bounds, 0 where one is missing."""
    return 0.0 if bounds.lo is None or bounds.hi is None else round_price((bounds.hi - bounds.lo) / 2.0)


def vix_forward(
    market: ForwardMarket | None, reason: str, future: Quote | None, t_years: float, gap_max_pts: float
) -> tuple[ForwardMarket | None, str]:
    """A VIX expiry's forward: its chain's parity, else the future of that settlement (METHOD 3.2).

    Where both are known they must agree within `gap_max_pts`, or within two ticks and half of both markets.
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
    allowed = round_price(max(gap_max_pts, 2.0 * VX_TICK + halves))
    detail = f"parity {market.forward:g}, future {mid:g}, gap {gap:g} of {allowed:g}"
    return (market if gap <= allowed else None), detail
