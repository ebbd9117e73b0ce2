"""Structures that a person closes at the broker: executions of no order of ours that undo whole units.

They are counted as a close of that structure, so that it ends and the books agree again. Nothing is guessed:
the executions alone have to make whole units of one structure, no order of ours may be under way for it, and
the broker's positions have to agree. Anything else stays a mismatch for a person to judge.
"""

from collections.abc import Mapping
from datetime import datetime

from bot.engine.book import apply_retold, with_order, with_structure
from bot.engine.state import EngineState, OrderLine
from bot.events import Alert
from market.order import Fill, Order, OrderStatus, execution_base
from market.records import replace
from market.rounding import round_price
from strategies.base import Intent, Structure

REASON = "closed by hand at the broker"


def take_closes(state: EngineState, theirs: Mapping[int, int], time: datetime) -> EngineState:
    """Count what a person has closed; `theirs` are the broker's positions by con_id."""
    foreign = [fill for fill in state.portfolio.fills.values() if fill.order_ref not in state.orders]
    if not foreign:
        return state
    busy = state.busy_structures()
    watched = [structure for structure in state.structures.values() if structure.legs]
    for structure in watched:
        legs = {leg.contract.con_id for leg in structure.combo.legs}
        is_shared = any(one is not structure and legs.intersection(one.legs) for one in watched)
        if is_shared or structure.structure_id in busy:
            continue
        fills = [fill for fill in foreign if fill.con_id in legs]
        units = _units(state, structure, fills, theirs)
        if units:
            state = _count(state, structure, fills, units, time)
    return state


def told(before: EngineState, after: EngineState) -> tuple[Alert, ...]:
    """A word about each structure, or part of one, that a person has closed."""
    lines = (line for ref, line in after.orders.items() if ref not in before.orders)
    return tuple(
        Alert(
            "warning", "structure.closed_by_hand", f"{line.structure_id}: {line.order.filled} units, {REASON}"
        )
        for line in lines
    )


def _units(state: EngineState, structure: Structure, fills: list[Fill], theirs: Mapping[int, int]) -> int:
    """Whole units of the structure that the executions undo, and the broker no longer holds; 0: unclear."""
    counts = dict.fromkeys((leg.contract.con_id for leg in structure.combo.legs), 0)
    for fill in fills:
        counts[fill.con_id] += fill.quantity
    first = structure.combo.legs[0]
    units = -counts[first.contract.con_id] // first.signed_ratio
    if not 1 <= units <= structure.quantity:
        return 0
    left = structure.quantity - units
    held = state.portfolio.positions()
    for leg in structure.combo.legs:
        con_id, ratio = leg.contract.con_id, leg.signed_ratio
        ours = held[con_id].quantity if con_id in held else 0
        is_even = (
            structure.legs.get(con_id) == structure.quantity * ratio and counts[con_id] == -units * ratio
        )
        if not is_even or not ours == theirs.get(con_id, 0) == left * ratio:
            return 0
    return units


def _count(
    state: EngineState, structure: Structure, fills: list[Fill], units: int, time: datetime
) -> EngineState:
    """A line for the order a person gave, and its executions on it, as with any order of ours."""
    price = round_price(sum(fill.quantity * fill.price for fill in fills) / units)
    order_ref = f"by-hand:{execution_base(fills[0].exec_id)}"
    at = min(fill.time for fill in fills)
    order = Order(
        order_ref,
        structure.combo.reversed(),
        units,
        price,
        OrderStatus.WORKING,
        fills[0].perm_id,
        placed_at=at,
    )
    line = OrderLine(
        order=order,
        strategy=structure.strategy,
        structure_id=structure.structure_id,
        intent=Intent.CLOSE,
        limit_first=price,
        limit_worst=price,
        tick=0.0,
        sent_at=at,
        priced_at=at,
        reason=REASON,
    )
    state = with_structure(with_order(state, line), replace(structure, closed_reason=REASON))
    for fill in fills:
        state = apply_retold(state, replace(fill, order_ref=order_ref), time)
    return state
