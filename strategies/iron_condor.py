"""The SPX iron condor: a weekly entry, watched and closed as a whole (METHOD 4).

`evaluate` is a pure function of the snapshot, its own small state and the structures it opened. A mark that
cannot be made (a leg without a price, a value outside what the condor can be worth) is unknown: it fires
nothing, and an exit that is due waits for a price and says so. Rolling the untested side and buying back
cheap spreads are not done here.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from market.contract import Contract, Right
from market.quote import combo_quote
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ, days_to_expiry, regular_hours
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.condor_entry import Entry, enter
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.rules import CondorRules
from strategies.strikes import StrikeWindow

STRATEGY = "iron_condor"
TARGETS_FROM = time(
    9, 45
)  # profit and time exits wait until the opening quotes have settled; the stop does not


@dataclass(frozen=True, slots=True)
class CondorState:
    """What the strategy remembers: strike window, this ISO week's entries, first breach of each stop."""

    session: date | None = None
    week: str = ""
    entries: tuple[str, ...] = ()
    width: float = 0.0
    window: StrikeWindow = field(default_factory=StrikeWindow)
    breaches: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class _Hours:
    """Which exits may act now."""

    stops: bool
    targets: bool


@dataclass(frozen=True, slots=True)
class _Exit:
    readings: tuple[Reading, ...]
    gates: tuple[Gate, ...]
    proposal: Proposal | None
    breach: datetime | None


def evaluate(
    snapshot: MarketSnapshot,
    state: CondorState,
    structures: Sequence[Structure],
    initiation_usd: float | None,
    rules: CondorRules,
    working: AbstractSet[str] = frozenset(),
    barred: Sequence[str] = (),
) -> tuple[CondorState, Evaluation]:
    """Look once: exits of every open condor, then the entry that may be due.

    `structures` may hold those of other strategies. `initiation_usd` is what a new condor may lose (None:
    unknown). `working` are structures with a live order, for which nothing is proposed. `barred` are
    reasons why nothing new may be opened now, such as a release window or a crisis regime; they never stop
    an exit.
    """
    mine = [structure for structure in structures if structure.strategy == STRATEGY]
    state = _today(state, snapshot.session, mine)
    held = [structure for structure in mine if structure.quantity]
    hours = _hours(snapshot) if held else _Hours(False, False)
    exits = [_exit(snapshot, state, structure, rules, working, hours) for structure in held]
    breaches = tuple(
        (structure.structure_id, found.breach)
        for structure, found in zip(held, exits, strict=True)
        if found.breach is not None
    )
    state = replace(state, breaches=breaches)
    slot = Entry(
        structure_id=f"condor-{state.week}-{len(state.entries) + 1}",
        entries=len(state.entries),
        open_count=len(exits),
        width=state.width,
        window=state.window,
    )
    slot, entry = enter(snapshot, slot, initiation_usd, rules, working, barred)
    lines = {leg.contract.con_id: leg.contract for structure in held for leg in structure.combo.legs}
    lines.update((contract.con_id, contract) for contract in entry.lines)
    return replace(state, width=slot.width, window=slot.window), Evaluation(
        readings=(*(reading for found in exits for reading in found.readings), *entry.readings),
        gates=(*(gate for found in exits for gate in found.gates), *entry.gates),
        proposals=(*(found.proposal for found in exits if found.proposal), *entry.proposals),
        listings=entry.listings,
        lines=tuple(lines.values()),
    )


def width_of(structure: Structure) -> float:
    """Points between short strike and wing, the wider side."""
    puts = [leg.contract.strike for leg in structure.combo.legs if leg.contract.right is Right.PUT]
    calls = [leg.contract.strike for leg in structure.combo.legs if leg.contract.right is Right.CALL]
    return max((max(side) - min(side) for side in (puts, calls) if side), default=0.0)


def _today(state: CondorState, session: date, mine: Sequence[Structure]) -> CondorState:
    year, number, _ = session.isocalendar()
    week = f"{year}-W{number:02d}"
    if state.session != session:
        # A breach of yesterday confirms nothing today: the two marks must come from one session's market.
        state = replace(state, session=session, breaches=(), width=0.0, window=StrikeWindow())
    if state.week != week:
        state = replace(state, week=week, entries=())
    prefix = f"condor-{week}-"
    fresh = [s.structure_id for s in mine if s.opened_legs and s.structure_id.startswith(prefix)]
    if set(fresh) - set(state.entries):
        state = replace(state, entries=tuple(sorted({*state.entries, *fresh})))
    return state


def _hours(snapshot: MarketSnapshot) -> _Hours:
    now = snapshot.time.astimezone(MARKET_TZ)
    opening, close = regular_hours(snapshot.session)
    trading = opening <= now < close
    return _Hours(trading, trading and now.time() >= TARGETS_FROM)


def _exit(
    snapshot: MarketSnapshot,
    state: CondorState,
    structure: Structure,
    rules: CondorRules,
    working: AbstractSet[str],
    hours: _Hours,
) -> _Exit:
    """Measure one open condor and propose to close it when one of its three exits is due."""
    name, credit, width = structure.structure_id, -structure.entry_price, width_of(structure)
    quote = combo_quote(structure.combo, snapshot.quotes)
    value, unclean = _value(None if quote is None else -quote.mid, width)
    reason = unclean or ("a leg has no price" if value is None else "")
    profit = _profit(name, value, credit, rules, reason)
    dte = days_to_expiry(snapshot.session, structure.combo.legs[0].contract.expiry or snapshot.session)
    timed = Reading(f"{name}.dte", float(dte), float(rules.exit.exit_dte), "<=", dte <= rules.exit.exit_dte)
    stop, breach = _stop(snapshot, state, name, value, credit, width, rules, reason)
    due = (
        "stop"
        if stop.fired and hours.stops
        else "profit"
        if profit.fired and hours.targets
        else "time"
        if timed.fired and hours.targets
        else ""
    )
    readings = (profit, timed, stop)
    if not due:
        return _Exit(readings, (), None, breach)
    gates = (
        Gate(f"{name}.no_working_order", name not in working, f"exit due: {due}"),
        Gate(f"{name}.mark", None if value is None else True, reason or f"{value:g} of {credit:g} credit"),
    )
    if name in working or value is None:
        return _Exit(readings, gates, None, breach)
    return _Exit(readings, gates, _close(snapshot, structure, due, value, width, rules), breach)


def _value(value: float | None, width: float) -> tuple[float | None, str]:
    """A clean mark lies within what the condor can be worth; anything else is a bad quote, not a value."""
    if value is None:
        return None, ""
    if not 0.0 <= value <= width:
        return None, f"mark {value:g} outside 0..{width:g}"
    return value, ""


def _profit(name: str, value: float | None, credit: float, rules: CondorRules, reason: str) -> Reading:
    limit = rules.exit.profit_of_credit_fraction
    if value is None or credit <= 0.0:
        return Reading(f"{name}.value_to_credit", None, limit, "<=", None, reason=reason or "no credit")
    ratio = round_ratio(value / credit)
    return Reading(f"{name}.value_to_credit", ratio, limit, "<=", ratio <= limit)


def _stop(
    snapshot: MarketSnapshot,
    state: CondorState,
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
    limit = min(
        rules.exit.stop_credit_ratio * credit, rules.exit.stop_of_max_loss_fraction * (width - credit)
    )
    limit = round_price(limit)
    first = dict(state.breaches).get(name)
    if value is None:
        return Reading(f"{name}.loss_pts", None, limit, ">=", None, reason=reason), first
    loss = round_price(value - credit)
    if loss < limit:
        return Reading(f"{name}.loss_pts", loss, limit, ">=", False), None
    if first is None:
        return Reading(f"{name}.loss_pts", loss, limit, ">=", False, reason="first breach"), snapshot.time
    confirmed = snapshot.time - first >= timedelta(seconds=rules.exit.stop_confirm_s)
    return Reading(f"{name}.loss_pts", loss, limit, ">=", confirmed, as_of=first.isoformat()), first


def _close(
    snapshot: MarketSnapshot, structure: Structure, due: str, value: float, width: float, rules: CondorRules
) -> Proposal | None:
    """Buy the reversed combo: a stop goes straight to the natural price, the others start nearer the mid."""
    combo = structure.combo.reversed()
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None:
        return None
    patient = 1.0 if due == "stop" else rules.entry_patient_spread_fraction
    final = 1.0 if due == "stop" else rules.entry_final_spread_fraction
    contract: Contract = combo.legs[0].contract
    tick = COMBO_TICK[contract.trading_class]
    start, worst = limits(quote, contract.trading_class, Intent.CLOSE, patient, final)
    worst = min(max(worst, tick), width)
    start = min(max(start, tick), worst)
    return Proposal(
        strategy=STRATEGY,
        structure_id=structure.structure_id,
        intent=Intent.CLOSE,
        combo=combo,
        quantity=structure.quantity,
        limit=start,
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=due,
        fees_per_unit_usd=round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[contract.trading_class]),
        tick=tick,
        notes=(("credit", -structure.entry_price), ("value", value), ("natural", quote.ask)),
    )
