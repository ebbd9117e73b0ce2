"""Opening a tranche of VIX options: which strikes, and how many the budget buys (METHOD 3.1-3.3).

VIX options are priced on the forward of their own settlement date: parity of their chain, checked against
the matching future. The long strike is the listed one nearest to the wanted delta (undiscounted). A spread's
short one is the first at least the width above it and not nearer than its own delta. Size is what the layer's
budget buys at the natural price, rounded down; nothing is ever rounded up.
"""

from dataclasses import dataclass
from datetime import date
from math import floor

from market.contract import Combo, Contract, Right, call_spread, single
from market.quote import combo_quote
from market.records import replace
from market.rounding import round_price, round_ratio
from market.sessions import t_years
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.forwards import both_rights, chain_forward, vix_forward, vix_parity_strikes
from strategies.ladder import Ladder, ladder
from strategies.layers import STRATEGY_OF
from strategies.rules import HedgeRules, TrancheRules
from strategies.strikes import (
    DeltaStrike,
    ForwardMarket,
    StrikeWindow,
    at_the_money,
    choose,
    deltas,
    options_at,
    strike_at_delta,
    vix_expiry,
)

SYMBOL = TRADING_CLASS = "VIX"
SHORTS_SHOWN = 3
TOO_WIDE, TOO_THIN = "option_market", "open_interest"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be bought: the layer, the tranche's name, and the money and units it may take.

    `left_usd` is what the layer's budget still holds, None while the net asset value is unknown; `units_max`
    caps a roll (0: no cap). `ready` says that all earlier gates passed: only then is anything proposed.
    """

    layer: str
    structure_id: str
    left_usd: float | None
    ready: bool
    reason: str
    units_max: int = 0
    campaign_age_sessions: int = 0


@dataclass(frozen=True, slots=True)
class _View:
    """What the window shows: its lines, and the long strike once the delta is bracketed."""

    window: StrikeWindow
    lines: tuple[Contract, ...]
    gates: tuple[Gate, ...]
    market: ForwardMarket | None = None
    long: DeltaStrike | None = None


def enter(
    snapshot: MarketSnapshot, window: StrikeWindow, order: Order, hedge: HedgeRules
) -> tuple[StrikeWindow, Evaluation]:
    """The moved window and what was found: lines, gates, and a proposal when the order is ready."""
    rules = hedge.of(order.layer)
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
    view = _look(snapshot, rungs, window, expiry, rules, hedge.forward_gap_max_pts)
    found = Evaluation(gates=view.gates, listings=listings, lines=view.lines)
    if view.market is None or view.long is None or not order.ready:
        return view.window, found
    combo = _combo(rungs, view.market, view.long, rules)
    if combo is None:
        gate = Gate("short_strike", None, f"none far enough above {view.long.strike:g}")
        return view.window, replace(found, gates=(*found.gates, gate))
    return view.window, _priced(snapshot, combo, order, view.market, view.long, hedge, found)


def _combo(rungs: Ladder, market: ForwardMarket, long: DeltaStrike, rules: TrancheRules) -> Combo | None:
    """The call, or the spread over it."""
    bought = rungs.options[(long.strike, Right.CALL)]
    if rules.instrument == "call":
        return single(bought)
    short = _short_strike(rungs, market, long, rules)
    return None if short is None else call_spread(bought, rungs.options[(short, Right.CALL)])


def _short_strike(
    rungs: Ladder, market: ForwardMarket | None, long: DeltaStrike, rules: TrancheRules
) -> float | None:
    least = long.strike + rules.width_min_pts
    if rules.short_delta > 0.0 and market is not None:
        least = max(least, strike_at_delta(rungs, market, long.sigma, rules.short_delta, Right.CALL))
    short = rungs.first_at_or_above(least)
    return None if short is None or short <= long.strike else short


def _look(
    snapshot: MarketSnapshot,
    rungs: Ladder,
    window: StrikeWindow,
    expiry: date,
    rules: TrancheRules,
    gap_max_pts: float,
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
    market, detail = vix_forward(*chain_forward(parity, snapshot.quotes, level, t), future, t, gap_max_pts)
    agreed = Gate("forward", True if market is not None else None, detail)
    # Without a forward the window stays as it is, lines and all, until the quotes come back.
    lines = (*parity, *_call_lines(rungs, window.call_centre, None, None, rules))
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
    lines = (*parity, *_call_lines(rungs, centre, long, market, rules))
    detail = "long delta not bracketed yet" if long is None else f"{long.strike:g} at delta {long.delta:.4f}"
    gates = (agreed, Gate("strikes", None if long is None else True, detail))
    return _View(window, lines, gates, market, long)


def _call_lines(
    rungs: Ladder,
    centre: float,
    long: DeltaStrike | None,
    market: ForwardMarket | None,
    rules: TrancheRules,
) -> tuple[Contract, ...]:
    """The window's calls from the likely one outwards, the short legs of the first three behind them."""
    options = options_at(rungs, centre, Right.CALL, 0.0)
    middle = centre if long is None else long.strike
    sigma = 0.0 if long is None else long.sigma
    lines: list[Contract] = []
    for place, one in enumerate(
        sorted(options, key=lambda option: (abs(option.strike - middle), option.strike))
    ):
        lines.append(one)
        if rules.instrument == "call_spread" and place < SHORTS_SHOWN:
            short = _short_strike(rungs, market, DeltaStrike(one.strike, 0.0, sigma), rules)
            if short is not None:
                lines.append(rungs.options[(short, Right.CALL)])
    return tuple(lines)


def _priced(
    snapshot: MarketSnapshot,
    combo: Combo,
    order: Order,
    market: ForwardMarket,
    long: DeltaStrike,
    hedge: HedgeRules,
    found: Evaluation,
) -> Evaluation:
    """The options' price: whether it can be traded at all, and the proposal."""
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None or quote.ask <= 0.0:
        return replace(found, gates=(*found.gates, Gate("combo_quote", None, "the options have no price")))
    if hedge.of(order.layer).fallback != "none":
        limit = hedge.fallback_spread_above_fraction
        width = round_ratio((quote.ask - quote.bid) / quote.mid) if quote.mid > 0.0 else 1.0
        found = replace(
            found,
            gates=(
                *found.gates,
                Gate(TOO_WIDE, width <= limit, f"spread {width:g} of mid, at most {limit:g}"),
            ),
        )
        found = _with_interest(snapshot, combo, hedge, found)
        if not all(gate.passed for gate in found.gates if gate.name in (TOO_WIDE, TOO_THIN)):
            return found
    notes = (
        ("forward", market.forward),
        ("long_delta", long.delta),
        ("long_sigma", long.sigma),
    )
    return proposed(snapshot, combo, order, hedge, found, None, notes)


def _with_interest(
    snapshot: MarketSnapshot, combo: Combo, hedge: HedgeRules, found: Evaluation
) -> Evaluation:
    """The contracts open in the leg that has the fewest, against what the rules ask for (METHOD 3.3).

    What the broker has not told is unknown: a reading says so, and the spread alone decides.
    """
    least = hedge.fallback_open_interest_below_count
    if not least:
        return found
    counts = [snapshot.open_interest.get(leg.contract.con_id) for leg in combo.legs]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts) and min(known, default=least) >= least:
        reason = "the broker has not told it: the spread alone decides"
        unknown = Reading(TOO_THIN, None, float(least), ">=", None, source="generic tick 101", reason=reason)
        return replace(found, readings=(*found.readings, unknown))
    gate = Gate(TOO_THIN, min(known) >= least, f"{min(known)} contracts open, at least {least}")
    return replace(found, gates=(*found.gates, gate))


def proposed(
    snapshot: MarketSnapshot,
    combo: Combo,
    order: Order,
    hedge: HedgeRules,
    found: Evaluation,
    stake_fraction: float | None,
    notes: tuple[tuple[str, float], ...],
) -> Evaluation:
    """The price against the layer's budget, and the proposal.

    What a unit takes of the budget is its natural price, or `stake_fraction` of it where it can be sold
    again long before it is worth nothing. Never more units than the order allows.
    """
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None or quote.ask <= 0.0:
        return replace(found, gates=(*found.gates, Gate("combo_quote", None, "it has no price")))
    trading_class = combo.legs[0].contract.trading_class
    patient, final = hedge.entry_patient_spread_fraction, hedge.entry_final_spread_fraction
    start, worst = limits(quote, trading_class, Intent.OPEN, patient, final)
    tick = COMBO_TICK[trading_class]
    start, worst = max(start, tick), max(worst, tick)
    fees = round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[trading_class])
    stake = 1.0 if stake_fraction is None else stake_fraction
    unit = round_price(max(quote.ask, worst) * stake * combo.multiplier + fees)
    quantity = None if order.left_usd is None else floor(order.left_usd / unit)
    if quantity is None or quantity < 1:
        detail = f"too_small: {unit:g} USD a unit, {order.left_usd or 0.0:g} USD of budget left"
        gate = Gate("budget", None if quantity is None else False, detail)
        return replace(found, gates=(*found.gates, gate))
    if order.units_max:
        quantity = min(quantity, order.units_max)
    proposal = Proposal(
        strategy=STRATEGY_OF[order.layer],
        structure_id=order.structure_id,
        intent=Intent.OPEN,
        combo=combo,
        quantity=quantity,
        limit=start,
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=order.reason,
        reserves=True,
        fees_per_unit_usd=fees,
        tick=tick,
        notes=(
            *notes,
            ("premium_mid", quote.mid),
            ("premium_natural", quote.ask),
            ("budget_left_usd", round_price(order.left_usd or 0.0)),
            ("campaign_age_sessions", float(order.campaign_age_sessions)),
        ),
    )
    gate = Gate("budget", True, f"{quantity} at {unit:g} USD of {order.left_usd:g} USD")
    return replace(found, gates=(*found.gates, gate), proposals=(proposal,))
