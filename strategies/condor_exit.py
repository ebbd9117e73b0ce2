"""Exits of an open condor: stop, delta, profit, time, and spreads that cost next to nothing (METHOD 4.7).

A mark that cannot be made is unknown: it fires nothing, and an exit that is due waits for a price and says
so.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from market.contract import Combo, Contract, Leg, Right
from market.pricing import delta_of_one, volatility_and_delta
from market.quote import ComboQuote, combo_quote
from market.records import quickly_made
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ, days_to_expiry, regular_hours
from market.tick import COMBO_TICK
from strategies.base import Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.condor_mark import Mark
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.rules import CondorRules

STRATEGY = "iron_condor"
_WORDS = {Right.CALL: "call", Right.PUT: "put"}


class Due(StrEnum):
    """Why a condor, or a part of it, is traded after it was opened."""

    STOP = "stop"
    DELTA = "delta"
    PROFIT = "profit"
    TIME = "time"
    EARLY_CLOSE = "early close"
    BUY_BACK = "spread bought back"
    ROLL_PUTS = "untested puts rolled"
    ROLL_CALLS = "untested calls rolled"
    SHIFT_PUTS = "time, puts to be shifted"
    SHIFT_CALLS = "time, calls to be shifted"


SHIFT_OF = {Right.PUT: Due.SHIFT_PUTS, Right.CALL: Due.SHIFT_CALLS}
CONDOR_LEGS = 4


@quickly_made
@dataclass(frozen=True, slots=True)
class Hours:
    """Which exits may act now."""

    stops: bool = False
    targets: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class Exit:
    """What was measured of one condor, what is proposed for it, and its first breach of the stop.

    `tested` is the larger delta of its shorts at the worse end of the forward, by right.
    """

    readings: tuple[Reading, ...]
    gates: tuple[Gate, ...] = ()
    proposal: Proposal | None = None
    breach: datetime | None = None
    due: str = ""
    tested: tuple[tuple[Right, float], ...] = ()


def hours_of(snapshot: MarketSnapshot, rules: CondorRules) -> Hours:
    """Stops act in regular hours, targets once the opening quotes have settled."""
    now = snapshot.time.astimezone(MARKET_TZ)
    opening, close = regular_hours(snapshot.session)
    trading = opening <= now < close
    return Hours(trading, trading and now.time() >= rules.exit.targets_start_time)


def side_of(combo: Combo, right: Right) -> tuple[Leg, ...]:
    """The legs of one right."""
    return tuple(leg for leg in combo.legs if leg.contract.right is right)


def has_shorts(structure: Structure) -> bool:
    """Whether anything is sold in it: bought options alone need no watching, they settle."""
    return any(ratio < 0 for _, ratio in structure.combo.signed)


def width_of(structure: Structure) -> float:
    """Points between short strike and wing, the wider side."""
    return _width(structure.combo)


@lru_cache(maxsize=64)
def _width(combo: Combo) -> float:
    strikes = [[leg.contract.strike for leg in side_of(combo, right)] for right in Right]
    return max((max(side) - min(side) for side in strikes if side), default=0.0)


@lru_cache(maxsize=64)
def _buying_back(combo: Combo) -> tuple[tuple[tuple[Leg, ...], Combo], ...]:
    """Each side that stands, and what buys it back; a condor held is asked for them at every look."""
    sides = (side_of(combo, right) for right in Right)
    return tuple((side, Combo(side).reversed()) for side in sides if side)


def short_deltas(structure: Structure, marked: Mark) -> tuple[tuple[Right, float], ...]:
    """|delta| of each short at the worse end of the forward's bounds; empty without a parity forward.

    The volatility is that of its clean mid; the end is the one nearer to the money (METHOD 4.2, 4.5).
    """
    market = marked.market
    if market is None or marked.value is None:
        return ()
    found = []
    for (contract, ratio), mid in zip(structure.combo.signed, marked.mids, strict=True):
        if ratio > 0:
            continue
        strike, is_call = contract.strike, contract.right is Right.CALL
        valued = volatility_and_delta(mid, market.forward, strike, market.t_years, market.discount, is_call)
        if valued is None:
            continue
        worse = market.forward + (market.half_width if is_call else -market.half_width)
        delta = delta_of_one(worse, strike, market.t_years, valued[0], is_call)
        found.append((Right.CALL if is_call else Right.PUT, round_ratio(abs(delta))))
    return tuple(found)


def find_exit(
    snapshot: MarketSnapshot,
    structure: Structure,
    marked: Mark,
    first_breach: datetime | None,
    rules: CondorRules,
    working: AbstractSet[str],
    hours: Hours,
) -> Exit:
    """Measure one open condor and propose to close it, or a spread of it, when that is due."""
    name, credit, width = structure.structure_id, structure.credit, width_of(structure)
    value, reason = marked.value, marked.reason
    profit = _profit(name, value, credit, rules, reason)
    dte = days_to_expiry(snapshot.session, structure.combo.legs[0].contract.expiry or snapshot.session)
    timed = Reading(f"{name}.dte", float(dte), float(rules.exit.exit_dte), "<=", dte <= rules.exit.exit_dte)
    stop, breach = _stop(snapshot, first_breach, name, value, credit, width, rules, reason)
    tested = short_deltas(structure, marked)
    readings = (profit, timed, stop, *_delta_readings(name, tested, rules))
    due: Due | None = None
    if hours.stops and stop.fired:
        due = Due.STOP
    elif hours.targets:
        due = _target(profit, timed, tested, rules)
    if due is Due.TIME:
        due = _shifted(structure, value, tested, rules) or due
    if due is not None:
        sides = _dealable(snapshot, structure)
        gates = (
            Gate(f"{name}.no_working_order", name not in working, f"exit due: {due.value}"),
            _mark_gate(name, marked, credit),
            Gate(f"{name}.dealable", bool(sides), "" if sides else "only bought options are left"),
        )
        proposal = None
        if name not in working and value is not None and sides:
            proposal = _close(snapshot, structure, due, marked, sides, rules)
        return Exit(readings, gates, proposal, breach, due.value, tested)
    # A breached stop is about to close all of it: nothing smaller may stand in its way.
    if hours.targets and name not in working and value is not None and breach is None:
        proposal = _buy_back(snapshot, structure, rules)
        if proposal is not None:
            return Exit(readings, (), proposal, breach, proposal.reason, tested)
    return Exit(readings, (), None, breach, "", tested)


def _target(
    profit: Reading, timed: Reading, tested: tuple[tuple[Right, float], ...], rules: CondorRules
) -> Due | None:
    if rules.exit.delta_close and any(delta >= rules.exit.delta_close_delta for _, delta in tested):
        return Due.DELTA
    if profit.fired:
        return Due.PROFIT
    return Due.TIME if timed.fired else None


def _shifted(
    structure: Structure, value: float | None, tested: tuple[tuple[Right, float], ...], rules: CondorRules
) -> Due | None:
    """The side to shift to a later expiry after a time exit: the challenged one, each side once."""
    kind = rules.adjust.time_shift
    if kind == "off" or len(structure.combo.legs) < CONDOR_LEGS or not tested:
        return None
    right, delta = max(tested, key=lambda one: one[1])
    is_challenged = delta >= rules.exit.tested_delta
    if kind == "loss":
        is_challenged = value is not None and value > structure.credit
    due = SHIFT_OF[right]
    return due if is_challenged and due.value not in structure.adjustments else None


def _delta_readings(
    name: str, tested: tuple[tuple[Right, float], ...], rules: CondorRules
) -> tuple[Reading, ...]:
    """One reading for each short, where it is known."""
    limit = rules.exit.tested_delta
    return tuple(
        [
            Reading(f"{name}.{_WORDS[right]}_delta", delta, limit, ">=", delta >= limit)
            for right, delta in tested
        ]
    )


def _mark_gate(name: str, marked: Mark, credit: float) -> Gate:
    if marked.value is None:
        return Gate(f"{name}.mark", False if marked.suspect else None, marked.reason)
    source = "parity-clean" if marked.market is not None else "plain mids, parity unknown"
    repriced = f", by parity: {', '.join(marked.repriced)}" if marked.repriced else ""
    return Gate(f"{name}.mark", True, f"{marked.value:g} of {credit:g} credit, {source}{repriced}")


def _profit(name: str, value: float | None, credit: float, rules: CondorRules, reason: str) -> Reading:
    limit = rules.exit.profit_of_credit_fraction
    if value is None or credit <= 0.0:
        return Reading(f"{name}.value_to_credit", None, limit, "<=", None, reason=reason or "no credit")
    ratio = round_ratio(value / credit)
    return Reading(f"{name}.value_to_credit", ratio, limit, "<=", ratio <= limit)


def _stop(
    snapshot: MarketSnapshot,
    first: datetime | None,
    name: str,
    value: float | None,
    credit: float,
    width: float,
    rules: CondorRules,
    reason: str,
) -> tuple[Reading, datetime | None]:
    """The stop's reading and the time of its first breach in the current row.

    It fires at the second breach far enough from the first. A mark below the stop ends the row; an unknown
    one neither counts nor ends it.
    """
    of_max_loss = rules.exit.stop_of_max_loss_fraction * (width - credit)
    # A structure that has cost more than it brought in has no credit to lose: its worst loss alone counts.
    limit = round_price(
        min(rules.exit.stop_credit_ratio * credit, of_max_loss) if credit > 0.0 else of_max_loss
    )
    if value is None:
        return Reading(f"{name}.loss_pts", None, limit, ">=", None, reason=reason), first
    loss = round_price(value - credit)
    if loss < limit:
        return Reading(f"{name}.loss_pts", loss, limit, ">=", False), None
    if first is None:
        return Reading(f"{name}.loss_pts", loss, limit, ">=", False, reason="first breach"), snapshot.time
    confirmed = snapshot.time - first >= timedelta(seconds=rules.exit.stop_confirm_s)
    return Reading(f"{name}.loss_pts", loss, limit, ">=", confirmed, as_of=first.isoformat()), first


def _dealable(snapshot: MarketSnapshot, structure: Structure) -> tuple[Leg, ...]:
    """The legs an exit trades: all of them but wings nobody bids for, as long as a short is closed with them.

    In a crash the far wing is worth nothing and has no bid. It would keep the rest from being closed; left
    out, it is a bought option that can lose no more, and settles.
    """
    legs = []
    for leg in structure.combo.legs:
        quote = snapshot.quotes.get(leg.contract.con_id)
        if leg.signed_ratio < 0 or quote is None or quote.bid is not None:
            legs.append(leg)
    return tuple(legs) if any(leg.signed_ratio < 0 for leg in legs) else ()


def _close(
    snapshot: MarketSnapshot,
    structure: Structure,
    due: Due,
    marked: Mark,
    sides: tuple[Leg, ...],
    rules: CondorRules,
) -> Proposal | None:
    """Buy the legs back: a stop goes straight to the natural price, the others start nearer the mid.

    What is left of it then is no condor any more, but bought options.
    """
    combo = Combo(sides).reversed()
    natural = combo_quote(combo, snapshot.quotes)
    if natural is None or marked.value is None:
        return None
    mids = dict(zip((leg.contract.con_id for leg in structure.combo.legs), marked.mids, strict=True))
    value = round_price(-sum(leg.signed_ratio * mids[leg.contract.con_id] for leg in sides))
    middle = min(value, natural.ask)
    quote = ComboQuote(round_price(2.0 * middle - natural.ask), natural.ask)
    patient = 1.0 if due is Due.STOP else rules.entry_patient_spread_fraction
    final = 1.0 if due is Due.STOP else rules.entry_final_spread_fraction
    contract: Contract = combo.legs[0].contract
    tick = COMBO_TICK[contract.trading_class]
    start, worst = limits(quote, contract.trading_class, Intent.CLOSE, patient, final)
    worst = min(max(worst, tick), round_price(-structure.combo.payoff_range()[0]))
    start = min(max(start, tick), worst)
    notes = (("credit", structure.credit), ("value", value), ("natural", quote.ask))
    is_part = len(sides) < len(structure.combo.legs)
    return _closing(structure, combo, due, start, worst, notes, adjusts=is_part)


def _closing(
    structure: Structure,
    combo: Combo,
    due: Due,
    start: float,
    worst: float,
    notes: tuple[tuple[str, float], ...],
    adjusts: bool = False,
) -> Proposal:
    trading_class = combo.legs[0].contract.trading_class
    return Proposal(
        strategy=STRATEGY,
        structure_id=structure.structure_id,
        intent=Intent.CLOSE,
        combo=combo,
        quantity=structure.quantity,
        limit=start,
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=due.value,
        fees_per_unit_usd=round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[trading_class]),
        tick=COMBO_TICK[trading_class],
        notes=notes,
        adjusts=adjusts,
    )


def _buy_back(snapshot: MarketSnapshot, structure: Structure, rules: CondorRules) -> Proposal | None:
    """Buy a spread back that is offered at next to nothing; the last one of a structure closes it."""
    sides, limit = _buying_back(structure.combo), rules.exit.buy_back_pts
    for side, combo in sides:
        quote = combo_quote(combo, snapshot.quotes)
        if quote is None or not 0.0 <= quote.ask <= limit:
            continue
        if any(snapshot.quotes[leg.contract.con_id].bid is None for leg in side if leg.signed_ratio > 0):
            continue
        notes = (("credit", structure.credit), ("natural", quote.ask))
        is_last = len(sides) == 1
        due = Due.EARLY_CLOSE if is_last else Due.BUY_BACK
        return _closing(structure, combo, due, limit, limit, notes, adjusts=not is_last)
    return None
