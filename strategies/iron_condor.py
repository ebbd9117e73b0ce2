"""The SPX iron condor: a weekly entry, watched, adjusted and closed as a whole (METHOD 4).

`evaluate` is a pure function of the snapshot, its own small state and the structures it opened: exits first,
then the roll of tested condors and the shift of those whose time is over, then the entry. On quotes that
contradict each other nothing is ordered.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime

from market.contract import Right
from market.records import quickly_made, replace
from strategies.base import Evaluation, MarketSnapshot, Structure
from strategies.condor_entry import Entry, enter
from strategies.condor_exit import STRATEGY, Exit, Hours, find_exit, has_shorts, hours_of
from strategies.condor_mark import Mark, marks, partners
from strategies.condor_roll import RollWindow, pauses, roll, untested_side
from strategies.condor_shift import Shift, pending, shift
from strategies.expiry_parity import ParityWatch, watch
from strategies.rules import CondorRules
from strategies.strikes import StrikeWindow

__all__ = ["STRATEGY", "CondorState", "evaluate"]


@quickly_made
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
    rolls: tuple[RollWindow, ...] = ()  # of tested condors, where their new strikes are looked for
    shifts: tuple[Shift, ...] = ()  # of time exits that may be followed by a later expiry, this session only


def evaluate(
    snapshot: MarketSnapshot,
    state: CondorState,
    structures: Sequence[Structure],
    initiation_usd: float | None,
    rules: CondorRules,
    working: AbstractSet[str] = frozenset(),
    barred: Sequence[str] = (),
    roll_barred: Mapping[Right, Sequence[str]] | None = None,
) -> tuple[CondorState, Evaluation]:
    """Look once: exits and adjustments of every open condor, and the entry that may be due.

    `structures` may hold those of other strategies. `initiation_usd` is what a new condor may lose (None:
    unknown). `working` are structures with a live order, for which nothing is proposed. `barred` are
    reasons why nothing new may be opened now, such as a release window or a crisis regime; `roll_barred`
    those why a side may not be adjusted. Neither ever stops an exit.
    """
    mine = [structure for structure in structures if structure.strategy == STRATEGY]
    state = _today(state, snapshot.session, mine)
    held = [structure for structure in mine if structure.quantity and has_shorts(structure)]
    hours = hours_of(snapshot, rules) if held else Hours()
    slot = Entry(
        structure_id=f"condor-{state.week}-{len(state.entries) + 1}",
        entries=len(state.entries),
        open_count=len(held),
        width=state.width,
        window=state.window,
    )
    slot, entry = enter(snapshot, slot, initiation_usd, rules, working, barred)
    state, read = _watch(snapshot, state, held, rules, bool(entry.lines))
    marked = marks(snapshot, held, state.parity)
    breached = dict(state.breaches)
    exits = [
        find_exit(snapshot, one, value, breached.get(one.structure_id), rules, working, hours)
        for one, value in zip(held, marked, strict=True)
    ]
    breaches = tuple(
        (structure.structure_id, found.breach)
        for structure, found in zip(held, exits, strict=True)
        if found.breach is not None
    )
    windows, rolls = _rolls(
        snapshot, state, list(zip(held, marked, exits, strict=True)), rules, working, hours, roll_barred or {}
    )
    due = {one.structure_id: out.due for one, out in zip(held, exits, strict=True)}
    shifts, shifted = _shifts(
        snapshot, state, mine, due, initiation_usd, rules, working, barred, roll_barred or {}
    )
    state = replace(
        state, breaches=breaches, rolls=windows, shifts=shifts, width=slot.width, window=slot.window
    )
    return state, _together(snapshot, held, exits, (*rolls, *shifted), read, entry)


def _together(
    snapshot: MarketSnapshot,
    held: Sequence[Structure],
    exits: Sequence[Exit],
    moved: Sequence[Evaluation],
    read: Evaluation,
    entry: Evaluation,
) -> Evaluation:
    """What was found of exits, rolls and shifts, the expiries read and the entry, in this order."""
    lines = {contract.con_id: contract for structure in held for contract, _ in structure.combo.signed}
    beside = [contract for structure in held for contract in partners(snapshot, structure.combo)]
    moving = [contract for found in moved for contract in found.lines]
    lines |= {contract.con_id: contract for contract in (*beside, *moving, *read.lines, *entry.lines)}
    told: list[Exit | Evaluation] = [*exits, *moved]
    listings = [*read.listings, *(one for found in moved for one in found.listings), *entry.listings]
    return Evaluation(
        readings=(*(reading for one in told for reading in one.readings), *entry.readings),
        gates=(*(gate for one in told for gate in one.gates), *entry.gates),
        proposals=(
            *(found.proposal for found in exits if found.proposal),
            *(proposal for found in moved for proposal in found.proposals),
            *entry.proposals,
        ),
        listings=tuple(dict.fromkeys(listings)),
        lines=tuple(lines.values()),
    )


def _rolls(
    snapshot: MarketSnapshot,
    state: CondorState,
    held: Sequence[tuple[Structure, Mark, Exit]],
    rules: CondorRules,
    working: AbstractSet[str],
    hours: Hours,
    barred: Mapping[Right, Sequence[str]],
) -> tuple[tuple[RollWindow, ...], list[Evaluation]]:
    """The adjustments of tested condors that nothing else is due for; a window is kept while it is tested."""
    known = {window.structure_id: window for window in state.rolls}
    windows, found = [], []
    for structure, marked, out in held:
        name = structure.structure_id
        untested = untested_side(structure, out.tested, rules) if hours.targets and not out.due else None
        window = known.get(name, RollWindow(name))
        if untested is None:
            if pauses(window, snapshot.time, rules):
                windows.append(window)  # a short that is tested on and off is not tried at every turn
            continue
        if name in working:
            window = replace(window, tried_at=snapshot.time)
        else:
            window, one = roll(snapshot, structure, marked, untested, window, rules, barred.get(untested, ()))
            found.append(one)
        windows.append(window)
    return tuple(windows), found


def _shifts(
    snapshot: MarketSnapshot,
    state: CondorState,
    mine: Sequence[Structure],
    due: Mapping[str, str],
    initiation_usd: float | None,
    rules: CondorRules,
    working: AbstractSet[str],
    barred: Sequence[str],
    roll_barred: Mapping[Right, Sequence[str]],
) -> tuple[tuple[Shift, ...], list[Evaluation]]:
    """The successors of condors whose time exit calls for one; barred is what bars an entry or that side."""
    if rules.adjust.time_shift == "off":  # a restart may have brought this rule: what was pending then ends
        return (), []
    structures = {one.structure_id: one for one in mine}
    shifts, found = [], []
    for known in pending(state.shifts, due, structures, working):
        bars = tuple(dict.fromkeys((*barred, *roll_barred.get(known.right, ()))))
        origin = structures[known.structure_id]
        one, told = shift(snapshot, origin, known, initiation_usd, rules, working, bars)
        shifts.append(one)
        found.append(told)
    return tuple(shifts), found


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
    firsts = (structure.combo.legs[0].contract for structure in held)
    expiries = {
        contract.expiry: (contract.symbol, contract.trading_class)
        for contract in firsts
        if contract.expiry is not None
    }
    parity, found = watch(snapshot, state.parity, expiries, rules, is_busy)
    return (state if parity == state.parity else replace(state, parity=parity)), found


def _today(state: CondorState, session: date, mine: Sequence[Structure]) -> CondorState:
    year, number, _ = session.isocalendar()
    week = f"{year}-W{number:02d}"
    if state.session != session:
        # A breach of yesterday confirms nothing today: the two marks must come from one session's market.
        state = replace(state, session=session, breaches=(), shifts=(), width=0.0, window=StrikeWindow())
    if state.week != week:
        state = replace(state, week=week, entries=())
    prefix = f"condor-{week}-"
    # Units that were adjusted apart are a structure of their own, not an entry of theirs.
    fresh = [
        one.structure_id
        for one in mine
        if one.opened_legs and one.structure_id.startswith(prefix) and not one.adjustments
    ]
    if set(fresh) - set(state.entries):
        state = replace(state, entries=tuple(sorted({*state.entries, *fresh})))
    return state
