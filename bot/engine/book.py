"""The book: orders, executions, and the proof that the two agree.

Orders are moved by broker evidence alone, executions are folded into structures. Identity is the
order reference; the broker's order ids are not identities across a restart. A fill is whatever an execution
says, each counted once; a status never fills anything.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.engine.state import EngineState, OrderLine
from bot.events import CommissionReported, Executed, OrderReported, Reconciled
from market.contract import Contract
from market.order import Fill, OrderStatus, execution_base, may_become
from market.rounding import round_price
from risk.state import Cause
from strategies.base import Intent, Structure

ABSENCE_PROOF = timedelta(seconds=60)
ENDED_ORDERS_KEPT = timedelta(days=4)
EXECUTIONS_KEPT = timedelta(days=4)


def report_order(state: EngineState, report: OrderReported, time: datetime) -> EngineState:
    """Move an order by one piece of broker evidence; a step the table does not know is ignored.

    A report for an order that is not ours is remembered as nothing: `reconcile` decides about strangers.
    """
    line = state.orders.get(report.order_ref)
    if line is None:
        return state
    order = line.order
    perm_id = report.perm_id or order.perm_id
    if order.perm_id and perm_id != order.perm_id:
        detail = f"{order.order_ref} lives twice at the broker: {order.perm_id} and {perm_id}"
        return replace(state, risk=state.risk.with_cause(Cause.MISMATCH, detail))
    if report.status == order.status or not may_become(order.status, report.status):
        moved = replace(order, perm_id=perm_id)
    else:
        moved = replace(order, perm_id=perm_id, status=report.status, reason=report.reason or order.reason)
    ended = time if moved.status.is_terminal and line.ended_at is None else line.ended_at
    return _with_order(state, replace(line, order=moved, ended_at=ended, absent_since=None))


def apply_execution(state: EngineState, executed: Executed, time: datetime) -> EngineState:
    """Fold one execution in, once.

    One that no order of ours explains makes the book a mismatch.
    """
    fill, contract = executed.fill, executed.contract
    if state.portfolio.knows(fill.exec_id):
        return state
    replaced = state.portfolio.fills.get(execution_base(fill.exec_id))
    state = replace(
        state,
        portfolio=state.portfolio.apply(fill),
        contracts={**state.contracts, contract.con_id: contract},
    )
    line = state.orders.get(fill.order_ref)
    if line is None:
        detail = f"execution {fill.exec_id} of {contract.describe()} belongs to no order of ours"
        return replace(state, risk=state.risk.with_cause(Cause.MISMATCH, detail))
    if replaced is not None:  # a correction: what it corrects goes out of the books before it goes in
        undo = replace(fill, quantity=-replaced.quantity, price=replaced.price)
        line, state = _book_fill(state, line, undo)
    line, state = _book_fill(state, line, fill)
    line = _follow_fills(line, time)
    return _with_order(state, line)


def apply_commission(state: EngineState, report: CommissionReported) -> EngineState:
    """Attach a commission once; reconciliation asks again for one that comes before its execution."""
    known = state.portfolio.fills.get(execution_base(report.exec_id))
    if known is None or known.commission == report.commission_usd:
        return state
    portfolio = state.portfolio.commission(report.exec_id, report.commission_usd)
    state = replace(state, portfolio=portfolio)
    line = state.orders.get(known.order_ref)
    structure = state.structures.get(line.structure_id) if line is not None else None
    if structure is None:
        return state
    fees = round_price(structure.fees_usd - (known.commission or 0.0) + report.commission_usd)
    return _with_structure(state, replace(structure, fees_usd=fees))


def reconcile(state: EngineState, found: Reconciled, time: datetime) -> EngineState:
    """Take the broker's complete knowledge in: executions first, then orders, then compare positions.

    An order the broker does not know is LOST only after two complete snapshots at least 60 s apart;
    until then it is UNKNOWN. Positions that differ from the fold of executions make the state REDUCING
    until they agree again.
    """
    for executed in found.executions:
        state = apply_execution(state, executed, time)
    for commission in found.commissions:
        state = apply_commission(state, commission)
    for report in found.orders:
        state = report_order(state, report, time)
    known = {report.order_ref for report in found.orders}
    for line in state.working():
        if line.order.order_ref not in known:
            state = _with_order(state, _absent(line, time))
    strangers = sorted(
        report.order_ref or f"perm id {report.perm_id}"
        for report in found.orders
        if report.order_ref not in state.orders and not report.status.is_terminal
    )
    state = _settle_expired(state, dict(found.positions), time)
    state = _compare(state, dict(found.positions), strangers)
    return replace(state, reconciled=True)


def mark_in_flight_unknown(state: EngineState) -> EngineState:
    """After a lost connection or a restart, nobody knows what became of orders that were under way."""
    orders = dict(state.orders)
    for ref, line in state.orders.items():
        if may_become(line.order.status, OrderStatus.UNKNOWN):
            orders[ref] = replace(line, order=replace(line.order, status=OrderStatus.UNKNOWN))
    return refresh_unknown(replace(state, orders=orders, reconciled=False))


def refresh_unknown(state: EngineState) -> EngineState:
    """Raise or lift the cause UNKNOWN_ORDER."""
    unknown = [line for line in state.working() if line.order.status is OrderStatus.UNKNOWN]
    if not unknown:
        return replace(state, risk=state.risk.without(Cause.UNKNOWN_ORDER))
    return replace(state, risk=state.risk.with_cause(Cause.UNKNOWN_ORDER, unknown[0].order.order_ref))


def tidy(state: EngineState, time: datetime) -> EngineState:
    """Forget what can no longer matter: ended orders, closed structures and old executions."""
    orders = {
        ref: line
        for ref, line in state.orders.items()
        if line.ended_at is None or time - line.ended_at < ENDED_ORDERS_KEPT
    }
    owners = {line.structure_id for line in orders.values()}
    structures = {
        key: structure
        for key, structure in state.structures.items()
        if not structure.is_flat or key in owners
    }
    held = {con_id for structure in structures.values() for con_id in dict(structure.opened_legs)}
    streamed = (
        set(state.lines) | held | {leg.contract.con_id for s in structures.values() for leg in s.combo.legs}
    )
    contracts = {
        con_id: contract
        for con_id, contract in state.contracts.items()
        if contract.right is None or con_id in streamed or con_id in state.portfolio.positions()
    }
    return replace(
        state,
        orders=orders,
        structures=structures,
        contracts=contracts,
        portfolio=state.portfolio.carry(time - EXECUTIONS_KEPT),
    )


def _absent(line: OrderLine, time: datetime) -> OrderLine:
    order = line.order
    if line.absent_since is not None and time - line.absent_since >= ABSENCE_PROOF:
        status = OrderStatus.LOST if not line.filled_legs else OrderStatus.CANCELLED
        if may_become(order.status, status):
            lost = replace(order, status=status, reason="the broker knows no such order")
            return replace(line, order=lost, ended_at=time)
    if may_become(order.status, OrderStatus.UNKNOWN):
        order = replace(order, status=OrderStatus.UNKNOWN)
    return replace(line, order=order, absent_since=line.absent_since or time)


def _settle_expired(state: EngineState, held: Mapping[int, int], time: datetime) -> EngineState:
    """Close structures whose expiry has passed and whose legs the broker no longer shows."""
    today = time.date()
    for key, structure in state.structures.items():
        expiry = structure.combo.legs[0].contract.expiry
        legs = structure.legs
        if expiry is None or expiry >= today or not legs or any(con_id in held for con_id in legs):
            continue
        settled = replace(structure, settled=True, closed_reason="expired and settled in cash")
        state = _with_structure(state, settled)
        state = replace(state, portfolio=state.portfolio.settle(legs))
        state = replace(state, structures={**state.structures, key: settled})
    return state


def _compare(state: EngineState, held: Mapping[int, int], strangers: list[str]) -> EngineState:
    ours = {con_id: position.quantity for con_id, position in state.portfolio.positions().items()}
    theirs = {con_id: quantity for con_id, quantity in held.items() if quantity}
    broken = _half_filled(state)
    if ours == theirs and not strangers and not broken:
        return replace(state, risk=state.risk.without(Cause.MISMATCH))
    if strangers:
        detail = f"working order {strangers[0]} is not ours"
    elif broken:
        detail = f"{broken} holds legs that are not whole units"
    else:
        con_id = min(set(ours.items()) ^ set(theirs.items()))[0]
        name = _name(state.contracts, con_id)
        detail = f"{name}: journal {ours.get(con_id, 0)}, broker {theirs.get(con_id, 0)}"
    risk = state.risk.without(Cause.MISMATCH).with_cause(Cause.MISMATCH, detail)
    return replace(state, risk=risk)


def _half_filled(state: EngineState) -> str:
    """A structure no order works on whose legs are not its whole units, or nothing."""
    busy = state.busy_structures()
    for key, structure in state.structures.items():
        whole = {leg.contract.con_id: structure.quantity * leg.signed_ratio for leg in structure.combo.legs}
        held = structure.legs
        if key not in busy and held and held != {con_id: count for con_id, count in whole.items() if count}:
            return key
    return ""


def _name(contracts: Mapping[int, Contract], con_id: int) -> str:
    contract = contracts.get(con_id)
    return contract.describe() if contract is not None else f"contract {con_id}"


def _book_fill(state: EngineState, line: OrderLine, fill: Fill) -> tuple[OrderLine, EngineState]:
    """Count a fill on its order and on its structure."""
    line = replace(
        line,
        filled_legs=_count(line.filled_legs, fill),
        cost=round_price(line.cost + fill.quantity * fill.price),
    )
    structure = state.structures.get(line.structure_id)
    if structure is None:
        return line, state
    cost = fill.quantity * fill.price
    fees = round_price(structure.fees_usd + (fill.commission or 0.0))
    if line.intent is Intent.OPEN:
        structure = replace(
            structure,
            opened_legs=_count(structure.opened_legs, fill),
            opened_cost=round_price(structure.opened_cost + cost),
            fees_usd=fees,
        )
    else:
        structure = replace(
            structure,
            closed_legs=_count(structure.closed_legs, fill),
            closed_cost=round_price(structure.closed_cost + cost),
            fees_usd=fees,
        )
    return line, _with_structure(state, structure)


def _count(legs: tuple[tuple[int, int], ...], fill: Fill) -> tuple[tuple[int, int], ...]:
    counts = dict(legs)
    counts[fill.con_id] = counts.get(fill.con_id, 0) + fill.quantity
    return tuple(sorted((con_id, quantity) for con_id, quantity in counts.items() if quantity))


def _follow_fills(line: OrderLine, time: datetime) -> OrderLine:
    """Whole units filled by executions, and the status they prove."""
    order = line.order
    counts = dict(line.filled_legs)
    units = min(
        counts.get(leg.contract.con_id, 0) // leg.signed_ratio
        if counts.get(leg.contract.con_id, 0) * leg.signed_ratio > 0
        else 0
        for leg in order.combo.legs
    )
    status = OrderStatus.FILLED if units >= order.quantity else OrderStatus.PARTIAL
    if status is OrderStatus.PARTIAL and order.status is not OrderStatus.SENT:
        status = order.status
    if order.status is OrderStatus.FILLED or not may_become(order.status, status):
        status = order.status
    ended = time if status.is_terminal and line.ended_at is None else line.ended_at
    return replace(line, order=replace(order, filled=units, status=status), ended_at=ended)


def _with_order(state: EngineState, line: OrderLine) -> EngineState:
    return replace(state, orders={**state.orders, line.order.order_ref: line})


def _with_structure(state: EngineState, structure: Structure) -> EngineState:
    return replace(state, structures={**state.structures, structure.structure_id: structure})
