"""The book: orders moved by broker evidence alone, executions folded into structures.

Identity is the order reference; the broker's order ids are not identities across a restart. A fill is
whatever an execution says, each counted once; a status never fills anything, it only tells how many fills
are still to be heard of.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from bot.engine.adjusting import adjusted
from bot.engine.differences import explained
from bot.engine.state import EngineState, OrderLine
from bot.events import CommissionReported, Executed, OrderReported
from market.order import Fill, OrderStatus, execution_base, may_become
from market.records import replace
from market.rounding import round_price
from market.sessions import MARKET_TZ
from risk.state import Cause
from strategies.base import Intent, Structure

K = TypeVar("K")
V = TypeVar("V")

# A broker tells the executions of up to seven days again: what is forgotten must be older.
EXECUTIONS_KEPT = timedelta(days=8)
ENDED_ORDERS_KEPT = EXECUTIONS_KEPT


def report_order(state: EngineState, report: OrderReported, time: datetime) -> EngineState:
    """Move an order by one piece of broker evidence; a step the table does not know is ignored.

    A report for an order that is not ours changes nothing here: reconciliation decides about strangers. One
    order that lives under two permanent ids, or one that works although it had ended, halts trading.
    """
    line = state.orders.get(report.order_ref)
    if line is None:
        return state
    order = line.order
    fault = contradiction(line, report)
    if fault:
        return replace(state, risk=state.risk.with_cause(Cause.HALT, fault))
    if order.perm_id and report.perm_id and report.perm_id != order.perm_id:
        return state  # a twin that has ended: what it traded, its executions say
    order = replace(order, perm_id=report.perm_id or order.perm_id)
    if report.status != order.status and may_become(order.status, report.status):
        order = replace(order, status=report.status, reason=report.reason or order.reason)
    told = order.quantity if report.status is OrderStatus.FILLED else report.filled
    line = replace(
        line,
        order=order,
        told=max(line.told, told),
        ended_at=time if order.status.is_terminal and line.ended_at is None else line.ended_at,
        # A doubt of our own side is no sign of life.
        absent_since=line.absent_since if report.status is OrderStatus.UNKNOWN else None,
    )
    return folded(with_order(state, line), line)


def folded(state: EngineState, line: OrderLine) -> EngineState:
    """Make an adjustment that has ended part of its structure; what it could not change stays as it was."""
    structure = state.structures.get(line.structure_id)
    over = line.order.status.is_terminal and not line.awaits_executions and not line.has_odd_legs
    if not line.adjusts or not over or structure is None:
        return state
    if not structure.adjusting_legs and structure.adjusting_cost:
        # A corrected price of an adjustment that is part of the structure already.
        cost = round_price(structure.opened_cost + structure.adjusting_cost)
        return with_structure(state, replace(structure, opened_cost=cost, adjusting_cost=0.0))
    for one in adjusted(structure, line):
        state = with_structure(state, one)
    return state


def contradiction(line: OrderLine, report: OrderReported) -> str:
    """What a report says that cannot be true of this order, or nothing."""
    order = line.order
    is_live = not report.status.is_terminal and report.status is not OrderStatus.UNKNOWN
    if is_live and order.perm_id and report.perm_id and report.perm_id != order.perm_id:
        return f"{order.order_ref} lives twice at the broker: {order.perm_id} and {report.perm_id}"
    # A report of a filled order may simply be older than its last execution.
    is_over = order.status.is_terminal and order.status is not OrderStatus.FILLED
    return (
        f"{order.order_ref} is {order.status.value} here and works at the broker"
        if is_over and is_live
        else ""
    )


def apply_execution(state: EngineState, executed: Executed, time: datetime) -> EngineState:
    """Fold one execution in, once.

    A correction first takes out what it corrects, and counts for the same order where it names none of ours,
    as with a person's executions that were counted as a close. An execution that no order of ours explains
    makes the book a mismatch, until it is told again under one that does (the first telling may have been
    garbled on the line); one of our own order in a contract it has no leg in halts trading, and so does one
    leg more than was ordered.
    """
    fill, contract = executed.fill, executed.contract
    heard = state.portfolio.fills.get(execution_base(fill.exec_id))
    if heard is not None and heard.exec_id == fill.exec_id and _explains(state, fill, heard):
        return apply_retold(state, fill, time)
    if state.portfolio.knows(fill.exec_id) or fill.time < time - EXECUTIONS_KEPT:
        return state
    base = execution_base(fill.exec_id)
    corrected = state.portfolio.fills.get(base)
    if corrected is not None and _explains(state, corrected, fill):
        fill = replace(fill, order_ref=corrected.order_ref)
    line = state.orders.get(fill.order_ref)
    if line is not None and line.adopted:
        state = _take_back(state, line)
    portfolio = state.portfolio.apply(fill)
    state = replace(state, portfolio=portfolio, contracts={**state.contracts, contract.con_id: contract})
    state = explained(state, contract.con_id)
    if corrected is not None:
        paid = None if corrected.commission is None else -corrected.commission
        state = _book(state, replace(corrected, quantity=-corrected.quantity, commission=paid), time)
    return _book(state, portfolio.fills[base], time)


def apply_retold(state: EngineState, fill: Fill, time: datetime) -> EngineState:
    """Count an execution that no order explained on the order it turns out to belong to."""
    portfolio = state.portfolio.retold(fill)
    return _book(replace(state, portfolio=portfolio), portfolio.fills[execution_base(fill.exec_id)], time)


def _explains(state: EngineState, fill: Fill, heard: Fill) -> bool:
    """Whether `fill` stands under an order of ours and what was heard of the same execution does not."""
    return heard.order_ref not in state.orders and fill.order_ref in state.orders


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
    return with_structure(state, replace(structure, fees_usd=fees))


def mark_in_flight_unknown(state: EngineState) -> EngineState:
    """After a lost connection or a restart, nobody knows what became of orders that were under way."""
    orders = dict(state.orders)
    for ref, line in state.orders.items():
        if may_become(line.order.status, OrderStatus.UNKNOWN):
            order = replace(line.order, status=OrderStatus.UNKNOWN)
            orders[ref] = replace(line, order=order, doubted=True)
    return refresh_unknown(replace(state, orders=orders, reconciled=False))


def refresh_unknown(state: EngineState) -> EngineState:
    """Raise or lift the cause UNKNOWN_ORDER."""
    unknown = [line for line in state.working() if line.order.status is OrderStatus.UNKNOWN]
    if not unknown:
        return replace(state, risk=state.risk.without(Cause.UNKNOWN_ORDER))
    return replace(state, risk=state.risk.with_cause(Cause.UNKNOWN_ORDER, unknown[0].order.order_ref))


def tidy(state: EngineState, time: datetime) -> EngineState:
    """Forget what can no longer matter: ended orders, closed structures, old executions and old words."""
    orders = _only(
        state.orders, lambda _, line: line.ended_at is None or time - line.ended_at < ENDED_ORDERS_KEPT
    )
    owners = {line.structure_id for line in orders.values()}
    structures = _only(state.structures, lambda key, structure: not structure.is_flat or key in owners)
    portfolio = state.portfolio.carry(time - EXECUTIONS_KEPT)
    kept = {
        *state.lines,
        *portfolio.positions(),
        *(fill.con_id for fill in portfolio.fills.values()),
        *(leg.contract.con_id for structure in structures.values() for leg in structure.combo.legs),
    }
    told = _only(state.held_at, lambda _, at: time - at < ENDED_ORDERS_KEPT)
    return replace(
        state,
        orders=orders,
        structures=structures,
        contracts=_only(state.contracts, lambda con_id, contract: contract.right is None or con_id in kept),
        portfolio=portfolio,
        last_held=_only(state.last_held, lambda about, _: about in told),
        held_since=_only(state.held_since, lambda about, _: about in told),
        held_at=told,
    )


def _only(known: Mapping[K, V], is_kept: Callable[[K, V], bool]) -> Mapping[K, V]:
    """What is kept of a mapping: the mapping itself when that is all of it, as nearly always."""
    kept = {key: value for key, value in known.items() if is_kept(key, value)}
    return known if len(kept) == len(known) else kept


def with_order(state: EngineState, line: OrderLine) -> EngineState:
    """The state with this order in place of what it was."""
    return replace(state, orders={**state.orders, line.order.order_ref: line})


def with_structure(state: EngineState, structure: Structure) -> EngineState:
    """The state with this structure in place of what it was."""
    return replace(state, structures={**state.structures, structure.structure_id: structure})


def _book(state: EngineState, fill: Fill, time: datetime) -> EngineState:
    """Count a fill on its order and on its structure."""
    line = state.orders.get(fill.order_ref)
    if line is None:
        detail = f"execution {fill.exec_id} of contract {fill.con_id} belongs to no order of ours"
        return replace(state, risk=state.risk.with_cause(Cause.MISMATCH, detail))
    if all(leg.contract.con_id != fill.con_id for leg in line.order.combo.legs):
        detail = f"execution {fill.exec_id} is of contract {fill.con_id}, no leg of {fill.order_ref}"
        return replace(state, risk=state.risk.with_cause(Cause.HALT, detail))
    line, structure = _structure_of(state, line)
    fees = round_price(structure.fees_usd + (fill.commission or 0.0))
    structure = replace(structure, fees_usd=fees)
    state = _trade(state, line, structure, {fill.con_id: fill.quantity}, fill.quantity * fill.price, time)
    return _halt_when_overfilled(state, line, fill.con_id)


def adopt(state: EngineState, line: OrderLine, units: int, time: datetime) -> EngineState:
    """Count whole units of an order by the broker's positions, at the order's limit, and end the order.

    For an order of an earlier day that the broker no longer lists and whose executions it no longer tells:
    its positions are then the only evidence left, and the limit the worst price it can have traded at.
    """
    order = line.order
    legs = {leg.contract.con_id: units * leg.signed_ratio for leg in order.combo.legs}
    line, structure = _structure_of(state, replace(line, adopted=line.adopted + units))
    state = replace(state, portfolio=state.portfolio.adjust(legs))
    state = _trade(state, line, structure, legs, units * order.limit, time)
    line = state.orders[order.order_ref]
    if not line.order.status.is_terminal:
        reason = "its day is over; the broker's positions say what it traded"
        line = replace(line, order=replace(line.order, status=OrderStatus.CANCELLED, reason=reason))
    return with_order(state, replace(line, told=line.order.filled, ended_at=time))


def _take_back(state: EngineState, line: OrderLine) -> EngineState:
    """An execution is told after all: it counts, and what was adopted in its place does not."""
    units = -line.adopted
    legs = {leg.contract.con_id: units * leg.signed_ratio for leg in line.order.combo.legs}
    line, structure = _structure_of(state, replace(line, adopted=0))
    state = replace(state, portfolio=state.portfolio.adjust(legs))
    return _trade(state, line, structure, legs, units * line.order.limit, line.executed_at or line.sent_at)


def _trade(
    state: EngineState,
    line: OrderLine,
    structure: Structure,
    legs: Mapping[int, int],
    cost: float,
    time: datetime,
) -> EngineState:
    """Count signed contracts and what was paid for them on an order and on its structure."""
    line = replace(
        line,
        filled_legs=_count(line.filled_legs, legs),
        cost=round_price(line.cost + cost),
        executed_at=time,
    )
    if line.adjusts:
        structure = replace(
            structure,
            adjusting_legs=_count(structure.adjusting_legs, legs),
            adjusting_cost=round_price(structure.adjusting_cost + cost),
        )
    elif line.intent is Intent.OPEN:
        structure = replace(
            structure,
            opened_legs=_count(structure.opened_legs, legs),
            opened_cost=round_price(structure.opened_cost + cost),
        )
    else:
        structure = replace(
            structure,
            closed_legs=_count(structure.closed_legs, legs),
            closed_cost=round_price(structure.closed_cost + cost),
        )
    line = _follow_fills(line, time)
    return folded(with_order(with_structure(state, structure), line), line)


def _halt_when_overfilled(state: EngineState, before: OrderLine, con_id: int) -> EngineState:
    """One contract more than was ordered, the moment it is told, halts trading."""
    order = before.order
    ordered = {leg.contract.con_id: abs(leg.signed_ratio) * order.quantity for leg in order.combo.legs}
    was = abs(dict(before.filled_legs).get(con_id, 0))
    now = abs(dict(state.orders[order.order_ref].filled_legs).get(con_id, 0))
    if not was <= ordered[con_id] < now:
        return state
    detail = f"{order.order_ref} traded {now} of contract {con_id}, {ordered[con_id]} were ordered"
    return replace(state, risk=state.risk.with_cause(Cause.HALT, detail))


def _structure_of(state: EngineState, line: OrderLine) -> tuple[OrderLine, Structure]:
    """The structure an order's fills belong to.

    A later attempt may stand in its place with other strikes: then a late fill of the earlier one is a
    structure of its own, watched and closed like any other.
    """
    structure = state.structures.get(line.structure_id)
    is_its_own = line.intent is Intent.CLOSE or line.adjusts
    if structure is not None and (is_its_own or structure.combo == line.order.combo):
        return line, structure
    number = line.order.order_ref.rpartition("-")[2]
    line = replace(line, structure_id=f"{line.structure_id}-late-{number}")
    opened = line.sent_at.astimezone(MARKET_TZ).date()
    late = Structure(line.structure_id, line.strategy, line.order.combo, opened)
    if structure is None or not structure.follows:
        return line, late
    return line, replace(
        late,
        follows=structure.follows,
        adjustments=structure.adjustments,
        carried=structure.carried,
        carried_fees_usd=structure.carried_fees_usd,
    )


def _count(legs: tuple[tuple[int, int], ...], traded: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    counts = dict(legs)
    for con_id, quantity in traded.items():
        counts[con_id] = counts.get(con_id, 0) + quantity
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
    status = order.status
    if units >= order.quantity and may_become(status, OrderStatus.FILLED):
        status = OrderStatus.FILLED
    ended = time if status.is_terminal and line.ended_at is None else line.ended_at
    return replace(line, order=replace(order, filled=units, status=status), ended_at=ended, absent_since=None)


def round_trips(state: EngineState) -> int:
    """Structures closed by orders in this session; one that was sold in part is held on and not yet one."""
    closed = {
        line.structure_id
        for line in state.orders.values()
        if line.intent is Intent.CLOSE
        and not line.adjusts
        and line.order.filled
        and line.ended_at is not None
        and line.ended_at.astimezone(MARKET_TZ).date() == state.session
    }
    return sum(name not in state.structures or state.structures[name].is_flat for name in closed)
