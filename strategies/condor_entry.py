"""The weekly condor entry: cheap gates first, then the forward, the strikes, the credit and the size.

Each gate carries its value and its limit, and the first one that does not pass ends the look: what comes
after it has not been measured. The strikes are looked for from a little before the entry window, so that
they stand when it opens.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import zip_longest
from math import floor, sqrt

from market.contract import Combo, Contract, Right, iron_condor
from market.quote import ComboQuote, combo_quote
from market.records import quickly_made, replace
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ, regular_hours, t_years
from market.tick import COMBO_TICK, round_down
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.expiry_parity import spot_of
from strategies.forwards import both_rights, chain_forward, index_parity_strikes
from strategies.ladder import Ladder, ladder
from strategies.rules import CondorRules
from strategies.strikes import (
    DeltaStrike,
    ForwardMarket,
    Series,
    StrikeWindow,
    at_the_money,
    choose,
    condor_series,
    deltas,
    options_at,
    scale_of,
    wing_width,
)

WINGS_SHOWN = 3


@quickly_made
@dataclass(frozen=True, slots=True)
class Entry:
    """The entry slot of this moment: its name, what is taken already, and where strikes are looked for."""

    structure_id: str
    entries: int
    open_count: int
    width: float
    window: StrikeWindow


@quickly_made
@dataclass(frozen=True, slots=True)
class Shorts:
    """The short strikes and the market they were chosen in."""

    market: ForwardMarket
    put: DeltaStrike
    call: DeltaStrike


@quickly_made
@dataclass(frozen=True, slots=True)
class View:
    """What the window shows: the lines it needs, and the short strikes once both sides are bracketed."""

    window: StrikeWindow
    lines: tuple[Contract, ...]
    shorts: Shorts | None = None
    reason: str = ""


def enter(
    snapshot: MarketSnapshot,
    slot: Entry,
    initiation_usd: float | None,
    rules: CondorRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[Entry, Evaluation]:
    """The slot with its moved window, and what was found.

    Gates always, lines while preparing, a proposal if due.
    """
    preparing, gates = _cheap_gates(snapshot, slot, rules, working, barred)
    if not preparing:
        return slot, Evaluation(gates=gates)
    series = condor_series(snapshot.session, rules)
    spot = spot_of(snapshot)
    if series is None or spot is None:
        detail = "no expiry in the window of days" if series is None else "no index level"
        return slot, Evaluation(gates=(*gates, Gate("market", None, detail)))
    if slot.window.expiry != series.expiry:
        slot = replace(slot, window=StrikeWindow(series.expiry))
    listings = ((series.symbol, series.trading_class, series.expiry),)
    rungs = ladder(snapshot, series.trading_class, series.expiry)
    if rungs is None:
        gate = Gate("listing", None, f"{series.trading_class} {series.expiry} not listed yet")
        return slot, Evaluation(gates=(*gates, gate), listings=listings)
    width = slot.width or round_price(series.scale * _first_width(spot, initiation_usd, rules, series.scale))
    level = round_price(series.scale * spot)
    view = look(snapshot, rungs, slot.window, series, level, width, rules)
    slot = replace(slot, window=view.window, width=width)
    found = Evaluation(gates=gates, listings=listings, lines=view.lines)
    if view.shorts is None:
        return slot, replace(found, gates=(*gates, Gate("strikes", None, view.reason)))
    if not all(gate.passed for gate in gates):
        return slot, found
    return _priced(snapshot, slot, rungs, view.shorts, initiation_usd, rules, found)


def _cheap_gates(
    snapshot: MarketSnapshot,
    slot: Entry,
    rules: CondorRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[bool, tuple[Gate, ...]]:
    """Whether strikes should be looked for now, and the gates that need no quote."""
    now = snapshot.time.astimezone(MARKET_TZ)
    start, end, _ = _entry_hours(
        snapshot.session, rules.entry_start_time, rules.entry_end_time, rules.entry_end_before_close_s
    )
    gates = (
        Gate(
            "week_entries",
            slot.entries < rules.entries_per_week_max,
            f"{slot.entries} of {rules.entries_per_week_max}",
        ),
        Gate(
            "open_condors",
            slot.open_count < rules.open_max_count,
            f"{slot.open_count} of {rules.open_max_count}",
        ),
        Gate("not_barred", not barred, ", ".join(barred)),
        Gate("no_working_order", slot.structure_id not in working, slot.structure_id),
    )
    window = hours_gate("entry_window", snapshot, rules)
    free = all(gate.passed for gate in gates)
    preparing = start - timedelta(seconds=rules.preparation_s) <= now < end
    return free and preparing, (window, *gates)


@lru_cache(maxsize=16)
def _entry_hours(
    session: date, start_time: time, end_time: time, end_before_close_s: float
) -> tuple[datetime, datetime, str]:
    """The hours of a session, also in words: every look asks for them."""
    start = datetime.combine(session, start_time, MARKET_TZ)
    end = datetime.combine(session, end_time, MARKET_TZ)
    end = min(end, regular_hours(session)[1] - timedelta(seconds=end_before_close_s))
    return start, end, f"{start:%H:%M}-{end:%H:%M}"


def hours_gate(name: str, snapshot: MarketSnapshot, rules: CondorRules) -> Gate:
    """Whether it is time to open one."""
    now = snapshot.time.astimezone(MARKET_TZ)
    start, end, hours = _entry_hours(
        snapshot.session, rules.entry_start_time, rules.entry_end_time, rules.entry_end_before_close_s
    )
    return Gate(name, start <= now < end, f"{now.hour:02d}:{now.minute:02d} in {hours}")


def _first_width(spot: float, initiation_usd: float | None, rules: CondorRules, scale: float = 1.0) -> float:
    """The regular width, or the least one where even the highest credit leaves no room for a single unit."""
    width = wing_width(spot, rules)
    least_loss = 100.0 * scale * width * (1.0 - rules.credit_max_of_width_fraction)
    return rules.wing_min_pts if initiation_usd is not None and initiation_usd < least_loss else width


def look(
    snapshot: MarketSnapshot,
    rungs: Ladder,
    window: StrikeWindow,
    series: Series,
    spot: float,
    width: float,
    rules: CondorRules,
) -> View:
    """Read the forward and both sides through the window, and move it where it does not show enough."""
    anchor, strikes = index_parity_strikes(rungs, window.anchor, spot)
    window, parity = replace(window, anchor=anchor), both_rights(rungs, strikes)
    t = t_years(snapshot.time, series.trading_class, series.expiry)
    market, reason = chain_forward(parity, snapshot.quotes, spot, t)
    puts = options_at(rungs, window.put_centre, Right.PUT, -width)
    calls = options_at(rungs, window.call_centre, Right.CALL, width)
    seen: list[DeltaStrike | None] = []
    if market is not None:
        around = at_the_money(rungs, strikes, market.forward)
        seen = deltas([*around, *puts, *calls], snapshot.quotes, market)
        reason = "no at-the-money volatility"
    sigma = next((one.sigma for one in seen[:2] if one is not None), None)
    if market is None or sigma is None:
        # Without a forward the window stays as it is, lines and all, until the quotes come back.
        lines = _lines(rungs, strikes, window, (window.put_centre, window.call_centre), width)
        return View(window, lines, reason=reason)
    market = replace(market, sigma_atm=sigma)
    target, split = rules.short_delta, 2 + len(puts)
    put_centre, put = choose(rungs, seen[2:split], window.put_centre, Right.PUT, target, market)
    call_centre, call = choose(rungs, seen[split:], window.call_centre, Right.CALL, target, market)
    window = replace(window, put_centre=put_centre, call_centre=call_centre)
    likely = put_centre if put is None else put.strike, call_centre if call is None else call.strike
    lines = _lines(rungs, strikes, window, likely, width)
    if put is None or call is None:
        missing = [side for side, found in (("put", put), ("call", call)) if found is None]
        return View(window, lines, reason=f"{' and '.join(missing)} delta not bracketed yet")
    return View(window, lines, Shorts(market, put, call))


@lru_cache(maxsize=16)
def _lines(
    rungs: Ladder,
    strikes: tuple[float, ...],
    window: StrikeWindow,
    likely: tuple[float, float],
    width: float,
) -> tuple[Contract, ...]:
    """What is streamed for an entry: both rights at the parity strikes, then both sides in the order of need.

    `likely` are the strikes each side is ordered by, put and call. A window stands for many looks; the last
    answers are kept.
    """
    puts = options_at(rungs, window.put_centre, Right.PUT, -width)
    calls = options_at(rungs, window.call_centre, Right.CALL, width)
    sides = _by_need(_with_wings(rungs, puts, likely[0], -width), _with_wings(rungs, calls, likely[1], width))
    return (*both_rights(rungs, strikes), *sides)


def _with_wings(
    rungs: Ladder, options: Sequence[Contract], likely: float, offset: float
) -> tuple[Contract, ...]:
    """One side's lines from the likely strike outwards, the wings of the first three right behind them."""
    lines: list[Contract] = []
    for place, one in enumerate(
        sorted(options, key=lambda option: (abs(option.strike - likely), option.strike))
    ):
        lines.append(one)
        if place < WINGS_SHOWN:
            lines.append(rungs.options[(one.strike + offset, one.right or Right.PUT)])
    return tuple(lines)


def _by_need(puts: Sequence[Contract], calls: Sequence[Contract]) -> tuple[Contract, ...]:
    """Both sides in turn, the most needed first: where lines run short, the farthest strikes go."""
    return tuple(one for pair in zip_longest(puts, calls) for one in pair if one is not None)


def _priced(
    snapshot: MarketSnapshot,
    slot: Entry,
    rungs: Ladder,
    shorts: Shorts,
    initiation_usd: float | None,
    rules: CondorRules,
    found: Evaluation,
) -> tuple[Entry, Evaluation]:
    """The condor on the chosen strikes: its credit against its width, then its size."""
    combo = iron_condor(
        rungs.options[(shorts.put.strike - slot.width, Right.PUT)],
        rungs.options[(shorts.put.strike, Right.PUT)],
        rungs.options[(shorts.call.strike, Right.CALL)],
        rungs.options[(shorts.call.strike + slot.width, Right.CALL)],
    )
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None:
        return slot, replace(found, gates=(*found.gates, Gate("combo_quote", None, "a leg has no price")))
    ratio = round_ratio(-quote.mid / slot.width)
    least, most = rules.credit_min_of_width_fraction, rules.credit_max_of_width_fraction
    readings = (
        Reading("credit_to_width", ratio, least, ">=", ratio >= least),
        Reading("credit_to_width", ratio, most, "<=", ratio <= most),
    )
    gate = Gate(
        "credit", least <= ratio <= most, f"{ratio:.4f} of width {slot.width:g} in {least:g}-{most:g}"
    )
    found = replace(found, readings=readings, gates=(*found.gates, gate))
    if not gate.passed:
        return slot, found
    return _sized(slot, combo, quote, shorts, initiation_usd, rules, found)


def _sized(
    slot: Entry,
    combo: Combo,
    quote: ComboQuote,
    shorts: Shorts,
    initiation_usd: float | None,
    rules: CondorRules,
    found: Evaluation,
) -> tuple[Entry, Evaluation]:
    """The proposal, or the least width for the next look where the regular one leaves no unit."""
    trading_class = combo.legs[0].contract.trading_class
    least_width = round_price(scale_of(trading_class) * rules.wing_min_pts)
    patient, final = rules.entry_patient_spread_fraction, rules.entry_final_spread_fraction
    start, worst = limits(quote, trading_class, Intent.OPEN, patient, final)
    # The least credit binds the whole walk of the limit, not only its start.
    worst = min(
        worst, round_down(-rules.credit_min_of_width_fraction * slot.width, COMBO_TICK[trading_class])
    )
    start = min(start, worst)
    fees = round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[trading_class])
    loss = round_price(combo.max_loss(worst) * combo.multiplier + fees)
    quantity = None if initiation_usd is None else floor(initiation_usd / loss)
    if quantity is None or quantity < 1:
        detail = f"{loss:g} USD a unit at width {slot.width:g}, {initiation_usd or 0.0:g} USD left for it"
        gate = Gate("size", None if quantity is None else False, f"too_small: {detail}")
        if quantity is not None and slot.width > least_width:
            slot = replace(slot, width=least_width)
        return slot, replace(found, gates=(*found.gates, gate))
    proposal = Proposal(
        strategy="iron_condor",
        structure_id=slot.structure_id,
        intent=Intent.OPEN,
        combo=combo,
        quantity=quantity,
        limit=start,
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason="weekly entry",
        fees_per_unit_usd=fees,
        tick=COMBO_TICK[trading_class],
        notes=_notes(combo, quote, shorts, slot.width, fees),
    )
    gate = Gate("size", True, f"{quantity} at {loss:g} USD")
    return slot, replace(found, gates=(*found.gates, gate), proposals=(proposal,))


def _notes(
    combo: Combo, quote: ComboQuote, shorts: Shorts, width: float, fees: float
) -> tuple[tuple[str, float], ...]:
    """Figures a trader would ask for; the break-evens are those at the mid credit after fees (METHOD 4.3)."""
    market, credit = shorts.market, round_price(-quote.mid - fees / combo.multiplier)
    return (
        ("forward", market.forward),
        ("sigma_atm", market.sigma_atm),
        ("one_sd_pts", round_price(market.forward * market.sigma_atm * sqrt(market.t_years))),
        ("put_delta", shorts.put.delta),
        ("call_delta", shorts.call.delta),
        ("width", width),
        ("credit_mid", -quote.mid),
        ("credit_natural", -quote.ask),
        ("break_even_low", round_price(shorts.put.strike - credit)),
        ("break_even_high", round_price(shorts.call.strike + credit)),
    )
