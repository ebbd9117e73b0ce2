"""The SPX iron condor: a weekly entry, watched and closed as a whole (METHOD 4).

`evaluate` is a pure function of the snapshot, its own small state and the structures it opened. A mark that
cannot be made (a leg without a price, a value outside what the condor can be worth) is unknown: it fires
nothing, and an exit that is due waits for a price and says so. Marks are clean of quotes that break parity;
on quotes that contradict each other nothing is ordered at all.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from market.contract import Contract, Right
from market.quote import ComboQuote, combo_quote
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ, days_to_expiry, regular_hours
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.condor_entry import Entry, enter
from strategies.condor_mark import Mark, mark, partners
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.expiry_parity import ParityWatch, watch
from strategies.rules import CondorRules
from strategies.strikes import StrikeWindow

STRATEGY = "iron_condor"
TARGETS_FROM = time(
    9, 45
)  # profit and time exits wait until the opening quotes have settled; the stop does not


@dataclass(frozen=True, slots=True)
class CondorState:
    """What the strategy remembers: strike window, this week's entries, first stop breaches, parity."""

    session: date | None = None
    week: str = ""
    entries: tuple[str, ...] = ()
    width: float = 0.0
    window: StrikeWindow = field(default_factory=StrikeWindow)
    breaches: tuple[tuple[str, datetime], ...] = ()
    parity: ParityWatch = field(default_factory=ParityWatch)


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
    slot = Entry(
        structure_id=f"condor-{state.week}-{len(state.entries) + 1}",
        entries=len(state.entries),
        open_count=len(held),
        width=state.width,
        window=state.window,
    )
    slot, entry = enter(snapshot, slot, initiation_usd, rules, working, barred)
    state, read = _watch(snapshot, state, held, rules, bool(entry.lines))
    exits = [_exit(snapshot, state, structure, rules, working, hours) for structure in held]
    breaches = tuple(
        (structure.structure_id, found.breach)
        for structure, found in zip(held, exits, strict=True)
        if found.breach is not None
    )
    state = replace(state, breaches=breaches)
    lines = {leg.contract.con_id: leg.contract for structure in held for leg in structure.combo.legs}
    for structure in held:
        lines.update((one.con_id, one) for one in partners(snapshot, structure.combo))
    lines.update((contract.con_id, contract) for contract in (*read.lines, *entry.lines))
    return replace(state, width=slot.width, window=slot.window), Evaluation(
        readings=(*(reading for found in exits for reading in found.readings), *entry.readings),
        gates=(*(gate for found in exits for gate in found.gates), *entry.gates),
        proposals=(*(found.proposal for found in exits if found.proposal), *entry.proposals),
        listings=tuple(dict.fromkeys((*read.listings, *entry.listings))),
        lines=tuple(lines.values()),
    )


def _watch(
    snapshot: MarketSnapshot,
    state: CondorState,
    held: Sequence[Structure],
    rules: CondorRules,
    is_busy: bool,
) -> tuple[CondorState, Evaluation]:
    """The parity of the expiries that are held; the state is the same object when nothing was read."""
    if not held and not state.parity.readings:
        return state, Evaluation()
    expiries = {}
    for structure in held:
        contract = structure.combo.legs[0].contract
        if contract.expiry is not None:
            expiries[contract.expiry] = (contract.symbol, contract.trading_class)
    parity, found = watch(
        snapshot, state.parity, expiries, timedelta(seconds=rules.parity_refresh_s), is_busy
    )
    return (state if parity == state.parity else replace(state, parity=parity)), found


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
    marked = mark(snapshot, structure, state.parity)
    value, reason = marked.value, marked.reason
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
        _mark_gate(name, marked, credit),
    )
    if name in working or value is None:
        return _Exit(readings, gates, None, breach)
    return _Exit(readings, gates, _close(snapshot, structure, due, marked, width, rules), breach)


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
    snapshot: MarketSnapshot, structure: Structure, due: str, marked: Mark, width: float, rules: CondorRules
) -> Proposal | None:
    """Buy the reversed combo: a stop goes straight to the natural price, the others start nearer the mid.

    A wing nobody bids for is sold at nothing: that is the one place where a missing bid is a price of zero.
    """
    combo = structure.combo.reversed()
    natural, value = combo_quote(combo, snapshot.quotes), marked.value
    if natural is None or value is None:
        return None
    middle = min(value, natural.ask)
    quote = ComboQuote(round_price(2.0 * middle - natural.ask), natural.ask)
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
