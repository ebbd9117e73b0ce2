"""The hedge: three layers of tranches, one mechanism (METHOD 3).

A fire of session s may trade on session s+1 only, in the hours of the rules (METHOD 0, 3). What has not
traded by then expires with the reason that stood in the way last: a trigger that confirms a shock goes stale,
and the layer is bought at the next fire or not at all. A tranche is bought once; a part fill is not topped
up. A roll sells a tranche and buys its successor, for no more units and no more money than that brought
beside what the layer's budget still holds.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, time

from market.records import replace
from market.rounding import round_price
from market.sessions import MARKET_TZ, next_session, regular_hours, sessions_between
from strategies.base import Evaluation, Gate, MarketSnapshot, Proposal, Structure
from strategies.hedge_entry import TOO_THIN, TOO_WIDE, Order, enter
from strategies.hedge_exit import Due, watch
from strategies.hedge_linear import FUTURE_CLASS, enter_future, enter_shares
from strategies.hedge_state import (
    LAYER_OF,
    HedgeState,
    PendingEntry,
    Tranche,
    booked,
    bought,
    expired,
    hedges,
    layer_fired,
    reserved_usd,
    session_closed,
)
from strategies.layers import LAYERS, STRATEGY_OF
from strategies.rules import HedgeBudgetRules, HedgeRules
from strategies.strikes import StrikeWindow

__all__ = [
    "LAYER_OF",
    "HedgeState",
    "PendingEntry",
    "evaluate",
    "layer_fired",
    "reserved_usd",
    "session_closed",
]


def evaluate(
    snapshot: MarketSnapshot,
    state: HedgeState,
    structures: Sequence[Structure],
    nav_usd: float | None,
    rules: HedgeRules,
    budget: HedgeBudgetRules,
    working: AbstractSet[str] = frozenset(),
    barred: Sequence[str] = (),
    holds: Mapping[str, bool | None] | None = None,
) -> tuple[HedgeState, Mapping[str, Evaluation]]:
    """Look once, each layer: the exits of its open tranches, then the entry that waits.

    `barred` are release windows; a fire deep enough in backwardation trades through them (METHOD 3.4).
    `holds` says by layer whether the signal still stands, which a roll needs. The evaluations are by
    strategy; a layer that has nothing to say is left out, the first one never.
    """
    mine = hedges(structures)
    if not mine and not state.pending:
        return state, {STRATEGY_OF["L1"]: Evaluation()}
    state = booked(state, mine, rules)
    found: dict[str, Evaluation] = {}
    for layer in LAYERS:
        own = [structure for structure in mine if LAYER_OF[structure.strategy] == layer]
        parts: list[Evaluation] = []
        for structure in own:
            if structure.quantity:
                one = watch(
                    snapshot, structure, state.tranche(structure.structure_id), rules, holds or {}, working
                )
                state = state.with_tranche(one.tranche)
                lines = tuple(leg.contract for leg in structure.combo.legs)
                parts.append(replace(one.found, lines=lines))
        state = _after_rolls(snapshot, state, layer, own, rules)
        state, entry = _entry(snapshot, state, layer, own, nav_usd, rules, budget, working, barred)
        if parts or entry.gates or layer == "L1":
            found[STRATEGY_OF[layer]] = _joined((*parts, entry))
    return state, found


def _joined(parts: Sequence[Evaluation]) -> Evaluation:
    lines = {contract.con_id: contract for part in parts for contract in part.lines}
    return Evaluation(
        readings=tuple(reading for part in parts for reading in part.readings),
        gates=tuple(gate for part in parts for gate in part.gates),
        proposals=tuple(proposal for part in parts for proposal in part.proposals),
        listings=tuple(listing for part in parts for listing in part.listings),
        lines=tuple(lines.values()),
    )


def _after_rolls(
    snapshot: MarketSnapshot, state: HedgeState, layer: str, own: Sequence[Structure], rules: HedgeRules
) -> HedgeState:
    """A tranche sold in order to be rolled leaves an entry behind: its successor's."""
    for structure in own:
        tranche = state.tranche(structure.structure_id)
        if not tranche.roll_units or not structure.is_flat:
            continue
        state = state.with_tranche(replace(tranche, roll_units=0))
        if structure.closed_reason == Due.ROLL and state.waiting(layer) is None:
            entry = _successor(snapshot, structure, tranche, layer, rules)
            state = replace(state, windows={**state.windows, layer: StrikeWindow()})
            state = state.with_pending(layer, entry)
    return state


def _successor(
    snapshot: MarketSnapshot, structure: Structure, tranche: Tranche, layer: str, rules: HedgeRules
) -> PendingEntry:
    session, now = snapshot.session, snapshot.time.astimezone(MARKET_TZ)
    rolls = tranche.rolls + 1
    late = now >= regular_hours(session)[1] - rules.trade_before_close
    brought = (tranche.roll_cost - structure.closed_cost) * structure.combo.multiplier
    return PendingEntry(
        layer=layer,
        structure_id=f"{tranche.lineage}-roll-{rolls}",
        signal=session,
        session=next_session(session) if late else session,
        backwardation=0.0,
        lineage=tranche.lineage,
        rolls=rolls,
        units_max=tranche.roll_units,
        credit_usd=max(round_price(brought), 0.0),
    )


def _entry(
    snapshot: MarketSnapshot,
    state: HedgeState,
    layer: str,
    own: Sequence[Structure],
    nav_usd: float | None,
    rules: HedgeRules,
    budget: HedgeBudgetRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[HedgeState, Evaluation]:
    entry = state.waiting(layer)
    if entry is None:
        return state, Evaluation()
    name = entry.structure_id
    if snapshot.session > entry.session:
        state = expired(state, snapshot.session, own)
        reason = "" if state.expired is None else state.expired[1]
        return state, Evaluation(gates=(Gate(f"{name}.session", False, f"expired: {reason}"),))
    has_traded = bought(entry, own)
    gates = _gates(snapshot, entry, own, has_traded, rules, working, barred)
    until = regular_hours(snapshot.session)[1] - rules.trade_before_close
    if snapshot.session < entry.session or has_traded or snapshot.time >= until:
        return state, Evaluation(gates=gates)
    left = None
    if nav_usd is not None:
        left = state.ledger.left_usd(layer, snapshot.session, nav_usd, budget) + entry.credit_usd
    reason = f"{name} continues {entry.lineage}" if entry.rolls else f"{_NAMES[layer]} layer fired"
    ready = all(gate.passed for gate in gates)
    began = state.ledger.campaign
    age = 0 if began is None else sessions_between(began, snapshot.session)
    order = Order(layer, name, left, ready, reason, entry.units_max, age)
    state, opened = _instrument(snapshot, state, order, rules)
    every = (*gates, *opened.gates)
    obstacle = next(
        (f"{gate.name}: {gate.detail}" for gate in every if not gate.passed), "proposed, not filled"
    )
    state = state.with_pending(layer, replace(entry, obstacle=obstacle))
    for proposal in opened.proposals:
        state = state.with_tranche(_born(entry, proposal))
    return state, replace(opened, gates=every)


_NAMES = {"L1": "near-term", "L2": "mid-term", "L3": "reserve"}


def _gates(
    snapshot: MarketSnapshot,
    entry: PendingEntry,
    own: Sequence[Structure],
    has_traded: bool,
    rules: HedgeRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[Gate, ...]:
    name, now = entry.structure_id, snapshot.time.astimezone(MARKET_TZ)
    start = rules.trade_start_time
    until = (regular_hours(snapshot.session)[1] - rules.trade_before_close).time()
    in_time = snapshot.session == entry.session and start <= now.time() < until
    deep = entry.backwardation > rules.blackout_override_backwardation_fraction
    others = [one.structure_id for one in own if not one.is_flat and one.structure_id != name]
    return (
        Gate(
            f"{name}.session",
            in_time,
            f"{now.month:02d}-{now.day:02d} {_clock(now)} on {entry.session} {_clock(start)}-{_clock(until)}",
        ),
        Gate(f"{name}.not_bought", not has_traded, "bought once"),
        Gate(f"{name}.layer_free", not others, ", ".join(others)),
        Gate(f"{name}.not_barred", not barred or deep, ", ".join(barred)),
        Gate(f"{name}.no_working_order", name not in working),
    )


def _clock(moment: datetime | time) -> str:
    """Hours and minutes; `strftime` takes ten times as long, and every look tells three of them."""
    return f"{moment.hour:02d}:{moment.minute:02d}"


def _instrument(
    snapshot: MarketSnapshot, state: HedgeState, order: Order, rules: HedgeRules
) -> tuple[HedgeState, Evaluation]:
    """The layer's instrument; shares where its options cannot be traded and the rules name a fallback."""
    tranche = rules.of(order.layer)
    if tranche.instrument in FUTURE_CLASS:
        return state, enter_future(snapshot, order, rules)
    window = state.windows.get(order.layer, StrikeWindow())
    window, found = enter(snapshot, window, order, rules)
    state = replace(state, windows={**state.windows, order.layer: window})
    untradable = any(gate.name in (TOO_WIDE, TOO_THIN) and not gate.passed for gate in found.gates)
    if not untradable:
        return state, found
    shares = enter_shares(snapshot, order, rules)
    # What made the options untradable is told as a passed gate: it chose the fallback, it does not block it.
    told = tuple(
        Gate(gate.name, True, f"{gate.detail}: {tranche.fallback} instead")
        if gate.name in (TOO_WIDE, TOO_THIN) and not gate.passed
        else gate
        for gate in found.gates
    )
    return state, replace(
        shares,
        readings=found.readings,
        gates=(*told, *shares.gates),
        lines=(*found.lines, *shares.lines),
        listings=found.listings,
    )


def _born(entry: PendingEntry, proposal: Proposal) -> Tranche:
    """What is remembered of a tranche from its proposal on: lineage, and the forward it stands on."""
    forward = dict(proposal.notes).get("forward", 0.0)
    return Tranche(entry.structure_id, entry.lineage, entry.rolls, forward, credit_usd=entry.credit_usd)
