"""Contracts of which the broker, the executions and the structures do not hold the same.

The broker's count is kept until it tells another one: a decision in between must not close what the broker
does not hold, and a close that is at work already must not stay there for it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.engine.state import Difference, EngineState, OrderLine
from market.records import replace
from risk.state import Cause
from strategies.base import Intent

# The broker's count may come ahead of the executions behind it: for so long they may explain it.
EXECUTIONS_DUE = timedelta(seconds=5)


def told(state: EngineState, con_id: int, mine: int, broker: int, legs: int) -> str:
    """One contract of which the three accounts differ, in signed contracts."""
    return f"{named(state, con_id)}: journal {mine}, broker {broker}, structures {legs}"


def named(state: EngineState, con_id: int) -> str:
    """A contract as a person knows it."""
    contract = state.contracts.get(con_id)
    return contract.describe() if contract is not None else f"contract {con_id}"


def noted(state: EngineState, con_id: int, broker: int, time: datetime) -> EngineState:
    """The broker's word about one contract, kept for as long as ours is another."""
    mine = _count(state, con_id)
    known = state.differing.get(con_id)
    if mine == broker:
        if known is None:
            return state
        kept = {key: one for key, one in state.differing.items() if key != con_id}
        return replace(state, differing=kept)
    # Where ours has become what was told before, that is explained, and this is another difference.
    since = time if known is None or mine == known.broker else known.since
    difference = Difference(mine, broker, since)
    return replace(state, differing={**state.differing, con_id: difference})


def explained(state: EngineState, con_id: int) -> EngineState:
    """Where executions have made the count the broker told, it differs no longer."""
    known = state.differing.get(con_id)
    if known is None or _count(state, con_id) != known.broker:
        return state
    return replace(state, differing={key: one for key, one in state.differing.items() if key != con_id})


def listed(state: EngineState, theirs: Mapping[int, int], con_ids: list[int], time: datetime) -> EngineState:
    """The broker's complete word about these contracts, in place of what it said of any before."""
    state = replace(
        state, differing={con_id: one for con_id, one in state.differing.items() if con_id in con_ids}
    )
    for con_id in con_ids:
        state = noted(state, con_id, theirs.get(con_id, 0), time)
    return state


def missing(state: EngineState) -> Mapping[int, int]:
    """Signed contracts by con_id that the executions say are held and the broker does not hold.

    What it holds beyond them is not counted: that is nothing a close could turn round. Executions that came
    behind the broker's word and make the count it told explain it.
    """
    lacking = {}
    for con_id, one in sorted(state.differing.items()):
        still = one.broker if one.broker * one.mine > 0 else 0
        if _count(state, con_id) not in (0, one.broker) and abs(still) < abs(one.mine):
            lacking[con_id] = one.mine - still
    return lacking


def set_aside(state: EngineState) -> Mapping[int, int]:
    """Signed contracts by con_id that are held and belong to no structure: never counted, never traded.

    Executions tell of them, or, where they tell nothing of a contract, the broker's positions alone.
    """
    found = {con_id: position.quantity for con_id, position in state.portfolio.positions().items()}
    found.update({con_id: one.broker for con_id, one in state.differing.items() if con_id not in found})
    for structure in state.structures.values():
        for con_id, count in structure.legs.items():
            found[con_id] = found.get(con_id, 0) - count
    return {con_id: count for con_id, count in sorted(found.items()) if count}


def unheld(state: EngineState, line: OrderLine, time: datetime) -> tuple[str, bool]:
    """What a close at work would take beyond what is held, and whether that is certain; or nothing.

    Its rest is judged leg by leg, so that its own executions hinder it no more than they lower what it may
    still take. What executions prove is certain at once. What only the broker's positions say is so when no
    execution has explained it for a while.
    """
    is_mismatch = any(cause is Cause.MISMATCH for cause, _ in state.risk.causes)
    if line.intent is not Intent.CLOSE or not (is_mismatch or state.differing):
        return "", False
    lacking = missing(state)
    found, is_certain = [], False
    for con_id, rest in _rest(line).items():
        proved = _held(state, line.structure_id, con_id)
        there = proved
        if con_id in lacking:
            left = _count(state, con_id) - lacking[con_id] + _taken_by_others(state, line, con_id)
            there = min(proved, left, key=abs) if left * proved > 0 else 0
        if not _covers(there, rest):
            found.append(f"{named(state, con_id)} {rest:+d} of {there}")
            waited = con_id in lacking and time - state.differing[con_id].since >= EXECUTIONS_DUE
            is_certain = is_certain or waited or not _covers(proved, rest)
    return ", ".join(found), is_certain


def _covers(held: int, rest: int) -> bool:
    """Whether trading `rest` leaves a position that is no more than closed."""
    return not rest or (held * rest < 0 and abs(rest) <= abs(held))


def _rest(line: OrderLine) -> dict[int, int]:
    """Signed contracts by con_id that an order may still trade."""
    traded = dict(line.filled_legs)
    return {
        leg.contract.con_id: line.order.quantity * leg.signed_ratio - traded.get(leg.contract.con_id, 0)
        for leg in line.order.combo.legs
    }


def _held(state: EngineState, structure_id: str, con_id: int) -> int:
    """Contracts of a structure's leg, with what executions hold beyond all structures, or lack of them."""
    of_all = sum(one.legs.get(con_id, 0) for one in state.structures.values())
    own = state.structures[structure_id].legs.get(con_id, 0)
    return own + _count(state, con_id) - of_all


def _taken_by_others(state: EngineState, line: OrderLine, con_id: int) -> int:
    """What other closes at work may still trade of a contract."""
    return sum(
        _rest(one).get(con_id, 0)
        for one in state.working()
        if one.intent is Intent.CLOSE and one.order.order_ref != line.order.order_ref
    )


def _count(state: EngineState, con_id: int) -> int:
    position = state.portfolio.positions().get(con_id)
    return 0 if position is None else position.quantity
