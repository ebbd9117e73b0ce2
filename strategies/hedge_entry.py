"""Opening the near-term tranche: which VIX call spread, and how many the budget buys (METHOD 3.1-3.3).

VIX options are priced on the forward of their own settlement date: parity of their chain, checked against
the matching future. The long strike is the listed one nearest to the wanted delta (undiscounted), the short
one the first at least the width above it. Size is what the layer's budget buys at the natural price,
rounded down; nothing is ever rounded up.
"""

from dataclasses import dataclass, replace
from datetime import date
from math import floor

from market.contract import Combo, Contract, Right, call_spread
from market.quote import combo_quote
from market.rounding import round_price
from market.sessions import t_years
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.forwards import both_rights, chain_forward, vix_forward, vix_parity_strikes
from strategies.ladder import Ladder, ladder
from strategies.rules import NearTermRules
from strategies.strikes import (
    DeltaStrike,
    ForwardMarket,
    StrikeWindow,
    at_the_money,
    choose,
    deltas,
    options_at,
    vix_expiry,
)

STRATEGY, LAYER = "near_term", "L1"
SYMBOL = TRADING_CLASS = "VIX"
SHORTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _View:
    """What the window shows: its lines, and the long strike once the delta is bracketed."""

    window: StrikeWindow
    lines: tuple[Contract, ...]
    gates: tuple[Gate, ...]
    market: ForwardMarket | None = None
    long: DeltaStrike | None = None


def enter(
    snapshot: MarketSnapshot,
    window: StrikeWindow,
    structure_id: str,
    left_usd: float | None,
    rules: NearTermRules,
    ready: bool,
) -> tuple[StrikeWindow, Evaluation]:
    """The moved window and what was found.

    A proposal only when `ready`, which says that all earlier gates passed.

    `left_usd` is what the layer's budget still holds, None while the net asset value is unknown.
    """
    expiry = vix_expiry(snapshot.session, rules)
    if expiry is None:
        return window, Evaluation(gates=(Gate("expiry", None, "no monthly expiry in the window of days"),))
    if window.expiry != expiry:
        window = StrikeWindow(expiry)
    listings = ((SYMBOL, TRADING_CLASS, expiry),)
    rungs = ladder(snapshot, TRADING_CLASS, expiry)
    if rungs is None:
        gate = Gate("listing", None, f"{TRADING_CLASS} {expiry} not listed yet")
        return window, Evaluation(gates=(gate,), listings=listings)
    view = _look(snapshot, rungs, window, expiry, rules)
    found = Evaluation(gates=view.gates, listings=listings, lines=view.lines)
    if view.market is None or view.long is None or not ready:
        return view.window, found
    short = rungs.first_at_or_above(view.long.strike + rules.width_min_pts)
    if short is None:
        gate = Gate("short_strike", None, f"none at or above {view.long.strike + rules.width_min_pts:g}")
        return view.window, replace(found, gates=(*found.gates, gate))
    combo = call_spread(rungs.options[(view.long.strike, Right.CALL)], rungs.options[(short, Right.CALL)])
    return view.window, _priced(snapshot, combo, structure_id, left_usd, view.market, view.long, rules, found)


def _look(
    snapshot: MarketSnapshot, rungs: Ladder, window: StrikeWindow, expiry: date, rules: NearTermRules
) -> _View:
    """Read the forward and the call side through the window, and move it where it does not show enough."""
    future = snapshot.quote(next((one for one in snapshot.futures if one.expiry == expiry), None))
    index = snapshot.quote(snapshot.vix)
    level = None if future is None else future.mid
    if level is None and index is not None:
        level = index.last if index.last is not None else index.mid
    if level is None or level <= 0.0:
        return _View(window, (), (Gate("forward", None, "neither the matching future nor VIX is known"),))
    anchor, strikes = vix_parity_strikes(rungs, window.anchor, level)
    window, parity = replace(window, anchor=anchor), both_rights(rungs, strikes)
    t = t_years(snapshot.time, TRADING_CLASS, expiry)
    market, detail = vix_forward(*chain_forward(parity, snapshot.quotes, level, t), future, t)
    agreed = Gate("forward", True if market is not None else None, detail)
    # Without a forward the window stays as it is, lines and all, until the quotes come back.
    lines = (*parity, *_call_lines(rungs, window.call_centre, None, rules))
    if market is None:
        return _View(window, lines, (agreed,))
    calls = options_at(rungs, window.call_centre, Right.CALL, 0.0)
    seen = deltas([*at_the_money(rungs, strikes, market.forward), *calls], snapshot.quotes, market)
    sigma = next((one.sigma for one in seen[:2] if one is not None), None)
    if sigma is None:
        return _View(window, lines, (agreed, Gate("strikes", None, "no at-the-money volatility")))
    market = replace(market, sigma_atm=sigma)
    centre, long = choose(rungs, seen[2:], window.call_centre, Right.CALL, rules.long_delta, market)
    window = replace(window, call_centre=centre)
    lines = (*parity, *_call_lines(rungs, centre, long, rules))
    detail = "long delta not bracketed yet" if long is None else f"{long.strike:g} at delta {long.delta:.4f}"
    gates = (agreed, Gate("strikes", None if long is None else True, detail))
    return _View(window, lines, gates, market, long)


def _call_lines(
    rungs: Ladder, centre: float, long: DeltaStrike | None, rules: NearTermRules
) -> tuple[Contract, ...]:
    """The window's calls from the likely one outwards, the short legs of the first three behind them."""
    options = options_at(rungs, centre, Right.CALL, 0.0)
    middle = centre if long is None else long.strike
    lines: list[Contract] = []
    for place, one in enumerate(
        sorted(options, key=lambda option: (abs(option.strike - middle), option.strike))
    ):
        lines.append(one)
        short = rungs.first_at_or_above(one.strike + rules.width_min_pts) if place < SHORTS_SHOWN else None
        if short is not None:
            lines.append(rungs.options[(short, Right.CALL)])
    return tuple(lines)


def _priced(
    snapshot: MarketSnapshot,
    combo: Combo,
    structure_id: str,
    left_usd: float | None,
    market: ForwardMarket,
    long: DeltaStrike,
    rules: NearTermRules,
    found: Evaluation,
) -> Evaluation:
    """The spread's price against the layer's budget, and the proposal."""
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None or quote.ask <= 0.0:
        return replace(found, gates=(*found.gates, Gate("combo_quote", None, "the spread has no price")))
    patient, final = rules.entry_patient_spread_fraction, rules.entry_final_spread_fraction
    start, worst = limits(quote, TRADING_CLASS, Intent.OPEN, patient, final)
    tick = COMBO_TICK[TRADING_CLASS]
    start, worst = max(start, tick), max(worst, tick)
    fees = round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[TRADING_CLASS])
    unit = round_price(max(quote.ask, worst) * combo.multiplier + fees)
    quantity = None if left_usd is None else floor(left_usd / unit)
    if quantity is None or quantity < 1:
        detail = f"too_small: {unit:g} USD a unit, {left_usd or 0.0:g} USD of budget left"
        gate = Gate("budget", None if quantity is None else False, detail)
        return replace(found, gates=(*found.gates, gate))
    proposal = Proposal(
        strategy=STRATEGY,
        structure_id=structure_id,
        intent=Intent.OPEN,
        combo=combo,
        quantity=quantity,
        limit=start,
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason="near-term layer fired",
        reserves=True,
        fees_per_unit_usd=fees,
        tick=tick,
        notes=(
            ("forward", market.forward),
            ("long_delta", long.delta),
            ("long_sigma", long.sigma),
            ("premium_mid", quote.mid),
            ("premium_natural", quote.ask),
            ("budget_left_usd", round_price(left_usd or 0.0)),
        ),
    )
    gate = Gate("budget", True, f"{quantity} at {unit:g} USD of {left_usd:g} USD")
    return replace(found, gates=(*found.gates, gate), proposals=(proposal,))
