"""Which expiry and which strikes, out of what is listed and of the few lines that are streamed.

A chain has hundreds of strikes and the account about a hundred lines, so the choice looks through a window:
strikes around the money for the parity forward, and a handful where the wanted delta should be. When the
delta is not bracketed there, the window moves to where the volatility at its edge puts it. The window is a
small state; everything else is a pure function of the snapshot (METHOD 3.3, 4.1, 4.2).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from market.contract import Contract, Right
from market.pricing import black76_delta_forward, volatility_and_delta
from market.quote import Quote
from market.records import quickly_made
from market.rounding import round_ratio, round_volatility
from market.sessions import spx_monthly_expiries, spxw_expiries, vix_expiries
from strategies.ladder import Ladder
from strategies.rules import CondorRules, TrancheRules

WINDOW_STRIKES = 8
PM_SETTLED_FROM = date(2010, 12, 1)  # week-end expiries of SPXW


@quickly_made
@dataclass(frozen=True, slots=True)
class StrikeWindow:
    """Where in an expiry's ladder we look.

    The middle of the parity strikes and of each side's window, 0 for nowhere.
    """

    expiry: date | None = None
    anchor: float = 0.0
    put_centre: float = 0.0
    call_centre: float = 0.0


@quickly_made
@dataclass(frozen=True, slots=True)
class ForwardMarket:
    """One expiry's forward and discount factor now, and its at-the-money volatility (1.00 = 100 %).

    `half_width` is half the distance between the dealable bounds of the forward, in points.
    """

    forward: float
    discount: float
    t_years: float
    sigma_atm: float = 0.0
    half_width: float = 0.0


@quickly_made
@dataclass(frozen=True, slots=True)
class DeltaStrike:
    """A strike with its delta (signed, undiscounted) and implied volatility."""

    strike: float
    delta: float
    sigma: float


@quickly_made
@dataclass(frozen=True, slots=True)
class Series:
    """One class and expiry that condors are sold in; `scale` is its points for a point of the index."""

    symbol: str
    trading_class: str
    expiry: date
    scale: float = 1.0


def condor_series(session: date, rules: CondorRules) -> Series | None:
    """The expiry in the window closest to the target, the earlier one of two equally close (METHOD 4.1).

    SPXW, or XSP where the rules say so, on a Friday's close. Before those were listed, the monthly SPX
    options, which settle on a Friday's open.
    """
    if session < PM_SETTLED_FROM:
        first, last = session + timedelta(rules.min_dte), session + timedelta(rules.max_dte)
        monthly = _closest(spx_monthly_expiries(first, last), session, rules.target_dte)
        return None if monthly is None else Series("SPX", "SPX", monthly)
    friday = _friday(session, rules.min_dte, rules.max_dte, rules.target_dte)
    if friday is None:
        return None
    if rules.underlying == "XSP":
        return Series("XSP", "XSP", friday, scale_of("XSP"))
    return Series("SPX", "SPXW", friday)


@lru_cache(maxsize=16)
def _friday(session: date, min_dte: int, max_dte: int, target_dte: int) -> date | None:
    first, last = session + timedelta(min_dte), session + timedelta(max_dte)
    return _closest(spxw_expiries(first, last), session, target_dte)


def scale_of(trading_class: str) -> float:
    """Points of a class for a point of the index: the small options are a tenth."""
    return 0.1 if trading_class == "XSP" else 1.0


def vix_expiry(session: date, rules: TrancheRules) -> date | None:
    """The monthly VIX settlement day closest to the target within the window of days."""
    first, last = session + timedelta(rules.min_dte), session + timedelta(rules.max_dte)
    return _closest(vix_expiries(first, last), session, rules.target_dte)


def wing_width(spot: float, rules: CondorRules) -> float:
    """Points between short strike and wing: a share of the index in steps, the minimum at least."""
    step = rules.wing_step_pts
    return max(rules.wing_min_pts, step * round(rules.wing_of_spot_fraction * spot / step))


@lru_cache(maxsize=16)
def options_at(rungs: Ladder, centre: float, right: Right, offset: float) -> tuple[Contract, ...]:
    """The options to look at around `centre`: those whose wing, `offset` points away, is listed too.

    A window stands where it is for many looks; the last answers are kept, of each ladder apart.
    """
    if centre <= 0.0:
        return ()
    nearby = rungs.nearest(centre, 2 * WINDOW_STRIKES)
    usable = [strike for strike in nearby if offset == 0.0 or rungs.has(strike + offset)]
    closest = sorted(usable, key=lambda strike: (abs(strike - centre), strike))[:WINDOW_STRIKES]
    return tuple(rungs.options[(strike, right)] for strike in sorted(closest))


def deltas(
    options: Sequence[Contract], quotes: Mapping[int, Quote], market: ForwardMarket
) -> list[DeltaStrike | None]:
    """Delta and volatility of each option, None where it has no two-sided market or no volatility."""
    found: list[DeltaStrike | None] = []
    forward, t, discount = market.forward, market.t_years, market.discount
    for option in options:
        quote = quotes.get(option.con_id)
        mid = None if quote is None else quote.mid
        valued = None
        if mid is not None:
            valued = volatility_and_delta(
                mid, forward, option.strike, t, discount, option.right is Right.CALL
            )
        if valued is None:
            found.append(None)
        else:
            found.append(DeltaStrike(option.strike, round_ratio(valued[1]), round_volatility(valued[0])))
    return found


def at_the_money(rungs: Ladder, strikes: Sequence[float], forward: float) -> list[Contract]:
    """The out-of-the-money options at the two ascending strikes nearest to the forward, the nearer first."""
    above = bisect_left(strikes, forward)
    around = strikes[max(above - 2, 0) : above + 2]
    nearest = sorted(around, key=lambda strike: (abs(strike - forward), strike))[:2]
    return [rungs.options[(one, Right.CALL if one >= forward else Right.PUT)] for one in nearest]


def choose(
    rungs: Ladder,
    seen: Sequence[DeltaStrike | None],
    centre: float,
    right: Right,
    target: float,
    market: ForwardMarket,
) -> tuple[float, DeltaStrike | None]:
    """The window's next centre, and the strike nearest to `target` |delta| once the window brackets it.

    Of two equally near strikes the one farther out of the money. Without a bracket nothing is chosen and
    the centre moves to where the volatility nearest to the target would put it.
    """
    known = [one for one in seen if one is not None]
    if centre <= 0.0 or not known:
        return centre or strike_at_delta(rungs, market, market.sigma_atm, target, right), None
    nearest = min(known, key=lambda one: (abs(abs(one.delta) - target), abs(one.delta)))
    sizes = [abs(one.delta) for one in known]
    if min(sizes) <= target <= max(sizes):
        return centre, nearest
    return strike_at_delta(rungs, market, nearest.sigma, target, right), None


def strike_at_delta(rungs: Ladder, market: ForwardMarket, sigma: float, target: float, right: Right) -> float:
    """The listed strike nearest to `target` |delta| at a flat volatility; 0 without a volatility."""
    if sigma <= 0.0 or not rungs.strikes:
        return 0.0
    deltas_at = black76_delta_forward(
        market.forward, np.array(rungs.strikes), market.t_years, sigma, right is Right.CALL
    )
    distance = [round_ratio(abs(abs(delta) - target)) for delta in deltas_at.tolist()]
    return rungs.strikes[distance.index(min(distance))]


def _closest(expiries: Sequence[date], session: date, target_dte: int) -> date | None:
    return min(expiries, key=lambda day: (abs((day - session).days - target_dte), day), default=None)
