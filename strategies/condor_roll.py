"""The roll of a tested condor: its untested side moves up behind the market, each unit once (METHOD 4.7).

Tested is a short whose delta, at the worse end of the forward, has reached the limit. The other side's spread
is bought back and sold again at the entry's delta, same expiry and width, as one order, if that adds enough
credit, makes the worst loss no greater and leaves the short strikes in their order. Nothing is rolled in a
release window, and no call side under stress.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from market.contract import Action, Combo, Contract, Leg, Right, joined
from market.quote import ComboQuote, combo_quote
from market.records import quickly_made, replace
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ
from market.tick import COMBO_TICK, round_down
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.condor_exit import STRATEGY, Due, side_of
from strategies.condor_mark import Mark
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.expiry_parity import other_right
from strategies.ladder import Ladder, ladder
from strategies.rules import CondorRules
from strategies.strikes import DeltaStrike, ForwardMarket, choose, deltas, options_at

_ROLLED = frozenset({Due.ROLL_PUTS.value, Due.ROLL_CALLS.value})


@quickly_made
@dataclass(frozen=True, slots=True)
class RollWindow:
    """Where the new short strike of one structure is looked for, 0 for nowhere; when it was last tried."""

    structure_id: str
    centre: float = 0.0
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Spread:
    """One side of the condor: its short leg, its wing, and how far the wing lies (negative for puts)."""

    short: Leg
    wing: Leg

    @property
    def offset(self) -> float:
        return self.wing.contract.strike - self.short.contract.strike


def untested_side(
    structure: Structure, tested: Sequence[tuple[Right, float]], rules: CondorRules
) -> Right | None:
    """The side to roll: the other one where exactly one short is tested and both sides still stand."""
    beyond = [right for right, delta in tested if delta >= rules.exit.tested_delta]
    if not rules.adjust.roll_untested or len(beyond) != 1 or _ROLLED & set(structure.adjustments):
        return None
    untested = other_right(beyond[0])
    return untested if len(side_of(structure.combo, untested)) == 2 else None


def roll(
    snapshot: MarketSnapshot,
    structure: Structure,
    marked: Mark,
    untested: Right,
    window: RollWindow,
    rules: CondorRules,
    barred: Sequence[str],
) -> tuple[RollWindow, Evaluation]:
    """Look for the untested side's new place, and propose the move when it passes its gates.

    `barred` are the reasons why nothing may be adjusted on this side now.
    """
    name = structure.structure_id
    word = "put" if untested is Right.PUT else "call"
    gates = [Gate(f"{name}.roll_not_barred", not barred, ", ".join(barred) or f"{word} side untested")]
    if window.tried_at is not None and pauses(window, snapshot.time, rules):
        tried = f"tried at {window.tried_at.astimezone(MARKET_TZ):%H:%M}"
        gates.append(
            Gate(f"{name}.roll_pause", False, f"{tried}, again after {rules.adjust.roll_retry_s:g} s")
        )
        return window, Evaluation(gates=tuple(gates))
    contract = structure.combo.legs[0].contract
    rungs = ladder(snapshot, contract.trading_class, contract.expiry)
    market = marked.market
    if barred or rungs is None or market is None:
        return window, Evaluation(gates=tuple(gates))
    old = _spread(side_of(structure.combo, untested))
    window, lines, found = _look(snapshot, rungs, window, old, untested, market, rules)
    if found is None:
        gates.append(Gate(f"{name}.roll_strike", None, f"{word} delta not bracketed yet"))
        return window, Evaluation(gates=tuple(gates), lines=lines)
    return window, replace(_move(snapshot, structure, rungs, old, untested, found, rules, gates), lines=lines)


def pauses(window: RollWindow, now: datetime, rules: CondorRules) -> bool:
    """Whether the last attempt at this roll is too recent for another one."""
    if window.tried_at is None:
        return False
    return (now - window.tried_at).total_seconds() < rules.adjust.roll_retry_s


def _spread(legs: Sequence[Leg]) -> _Spread:
    short, wing = sorted(legs, key=lambda leg: leg.signed_ratio)
    return _Spread(short, wing)


def _look(
    snapshot: MarketSnapshot,
    rungs: Ladder,
    window: RollWindow,
    old: _Spread,
    right: Right,
    market: ForwardMarket,
    rules: CondorRules,
) -> tuple[RollWindow, tuple[Contract, ...], DeltaStrike | None]:
    options = options_at(rungs, window.centre, right, old.offset)
    seen = deltas(options, snapshot.quotes, market)
    centre, found = choose(rungs, seen, window.centre, right, rules.short_delta, market)
    if centre != window.centre:
        options = options_at(rungs, centre, right, old.offset)
    likely = centre if found is None else found.strike
    nearest = sorted(options, key=lambda option: (abs(option.strike - likely), option.strike))[:3]
    wings = tuple(rungs.options[(option.strike + old.offset, right)] for option in nearest)
    return replace(window, centre=centre), (*options, *wings), found


def _move(
    snapshot: MarketSnapshot,
    structure: Structure,
    rungs: Ladder,
    old: _Spread,
    right: Right,
    found: DeltaStrike,
    rules: CondorRules,
    gates: list[Gate],
) -> Evaluation:
    """The roll to the strike that was found, through its gates in order."""
    name, strike = structure.structure_id, found.strike
    is_put = right is Right.PUT
    was = old.short.contract.strike
    inward = strike > was if is_put else strike < was
    gates.append(Gate(f"{name}.roll_inward", inward, f"short {was:g} to {strike:g}"))
    other = next(
        leg.contract.strike for leg in side_of(structure.combo, other_right(right)) if leg.signed_ratio < 0
    )
    apart = strike < other if is_put else strike > other
    gates.append(Gate(f"{name}.roll_shorts_apart", apart, f"short {strike:g} beside {other:g}"))
    if not (inward and apart):
        return Evaluation(gates=tuple(gates))
    moved = Combo(
        (
            Leg(rungs.options[(strike + old.offset, right)], Action.BUY),
            Leg(rungs.options[(strike, right)], Action.SELL),
        )
    )
    combo = joined([(Combo((old.short, old.wing)).reversed(), 1), (moved, 1)])
    quote = None if combo is None else combo_quote(combo, snapshot.quotes)
    if combo is None or quote is None:
        gates.append(Gate(f"{name}.roll_quote", None, "a leg has no price"))
        return Evaluation(gates=tuple(gates))
    credit = structure.credit
    least = round_price(rules.adjust.roll_credit_min_fraction * credit)
    added = round_price(-quote.mid)
    readings = (Reading(f"{name}.roll_credit_pts", added, least, ">=", added >= least),)
    gates.append(Gate(f"{name}.roll_credit", added >= least, f"adds {added:g}, at least {least:g}"))
    before, after = _losses(structure, combo, credit, least)
    smaller = Gate(f"{name}.roll_max_loss", after <= before, f"{after:g} of {before:g} points")
    gates.append(smaller)
    if added < least or not smaller.passed:
        return Evaluation(readings=readings, gates=tuple(gates))
    figures = (
        ("credit", credit),
        ("added_mid", added),
        ("short_from", was),
        ("short_to", strike),
        ("delta", round_ratio(found.delta)),
        ("max_loss_before", before),
        ("max_loss_after", after),
    )
    due = Due.ROLL_PUTS if is_put else Due.ROLL_CALLS
    proposal = _proposal(structure, combo, quote, due, least, rules, figures)
    return Evaluation(readings=readings, gates=tuple(gates), proposals=(proposal,))


def _proposal(
    structure: Structure,
    combo: Combo,
    quote: ComboQuote,
    due: Due,
    least: float,
    rules: CondorRules,
    figures: tuple[tuple[str, float], ...],
) -> Proposal:
    """One order for all units; the least credit binds its whole walk."""
    trading_class = combo.legs[0].contract.trading_class
    tick = COMBO_TICK[trading_class]
    patient, final = rules.entry_patient_spread_fraction, rules.entry_final_spread_fraction
    start, worst = limits(quote, trading_class, Intent.OPEN, patient, final)
    worst = min(worst, round_down(-least, tick))
    return Proposal(
        strategy=STRATEGY,
        structure_id=structure.structure_id,
        intent=Intent.OPEN,
        combo=combo,
        quantity=structure.quantity,
        limit=min(start, worst),
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=due.value,
        fees_per_unit_usd=round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[trading_class]),
        tick=tick,
        notes=figures,
        adjusts=True,
    )


def _losses(structure: Structure, combo: Combo, credit: float, added: float) -> tuple[float, float]:
    """Worst loss of a unit at expiry before and after the roll, in points."""
    after = joined([(structure.combo, 1), (combo, 1)])
    held = structure.combo.payoff_range()[0]
    left = 0.0 if after is None else after.payoff_range()[0]
    return round_price(-held - credit), round_price(-left - credit - added)
