"""The broker's complete knowledge against ours.

What is absent is proved lost, what expired is settled, and whatever does not add up is a mismatch that lasts
until it does.
Three accounts of the same position have to agree: the broker's, the fold of all executions, and the legs of
the structures the strategies watch. Contracts whose settlement has come are left out: the clearing house
takes them away without an execution, and brokers show them for a while longer.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from bot.engine.book import adopt, apply_commission, apply_execution, report_order, with_order
from bot.engine.by_hand import take_closes
from bot.engine.differences import listed, named, noted, set_aside, told
from bot.engine.orders import OURS
from bot.engine.state import EngineState, OrderLine, Step
from bot.engine.working import may_ask
from bot.events import OrderReported, PositionMoved, Reconcile, Reconciled
from market.broker_hours import reset_end
from market.contract import Contract
from market.order import Fill, OrderStatus, execution_base
from market.records import replace
from market.sessions import MARKET_TZ, option_expiry_instant
from risk.state import Cause

ABSENCE_PROOF = timedelta(seconds=60)
EVEN_LEGS_DUE = timedelta(seconds=30)


def reconcile(state: EngineState, found: Reconciled, time: datetime) -> EngineState:
    """Take the broker's complete knowledge in: executions first, then orders, then compare positions.

    An order the broker does not know is LOST only after two complete snapshots at least 60 s apart, taken
    with the broker in reach and outside of its resets, and only if all positions agree and no order of a
    stranger works; until then it is UNKNOWN. When it is absent and something still differs 60 s later, only a
    person may judge: trading is halted. Whatever differs makes the state REDUCING until it agrees again.
    """
    heard = state.portfolio.fills
    numbers = {execution_base(executed.fill.exec_id) for executed in found.executions}
    for executed in found.executions:
        state = apply_execution(_named(state, executed.fill, numbers), executed, time)
    for commission in found.commissions:
        state = apply_commission(state, commission)
    for report in found.orders:
        state = report_order(state, report, time)
    theirs = {con_id: quantity for con_id, quantity in found.positions if quantity}
    state = _settle(state, theirs, time)
    known = {report.order_ref for report in found.orders}
    for line in tuple(state.orders.values()):
        if line.awaits_executions and line.order.order_ref not in known:
            state = _never_told(state, line, theirs, time)
    for line in state.working():
        if line.order.order_ref not in known:
            doubt = _stranger(state, found.orders) or _unequal(state, theirs, time)
            state = _absent(state, line, theirs, time, doubt)
        elif line.absent_since is not None:
            state = with_order(state, replace(line, absent_since=None, disputed_since=None))
    state = take_closes(state, theirs, time)
    faults = (_stranger(state, found.orders), _half_filled(state, time), _unequal(state, theirs, time))
    detail = "; ".join(fault for fault in faults if fault)
    state = replace(state, reconciled=True, position_doubted=False)
    state = listed(state, theirs, _unsettled(state, theirs, time), time)
    risk = state.risk.without(Cause.MISMATCH)
    if alien := _unknown_legs(state, found, heard):
        risk = risk.with_cause(Cause.HALT, alien)
    if detail:
        return replace(state, risk=risk.with_cause(Cause.MISMATCH, detail))
    return replace(_nothing_due(state, time), risk=risk)


def position_moved(state: EngineState, event: PositionMoved, time: datetime) -> Step:
    """A position the broker tells by itself: where ours is another, everything is asked for at once.

    After a fill of ours it comes behind the executions and agrees with them. Told right behind another
    question, it is remembered until the broker's next complete answer and asked about when its turn comes.
    """
    contract = state.contracts.get(event.con_id)
    if not (state.connected and state.reconciled) or (contract is not None and is_settled(contract, time)):
        return Step(state)
    state = noted(state, event.con_id, event.quantity, time)
    if event.con_id not in state.differing:
        return Step(state)
    if not may_ask(state, time):
        return Step(replace(state, position_doubted=True))
    asked = replace(state, position_doubted=True, reconcile_asked_at=time)
    return Step(asked, (), (Reconcile(f"the broker holds {event.quantity} of contract {event.con_id}"),))


def is_settled(contract: Contract, time: datetime) -> bool:
    """Whether the contract's settlement has come; never for an undated one."""
    if contract.expiry is None:
        return False
    try:
        return option_expiry_instant(contract.trading_class, contract.expiry) <= time
    except ValueError:
        # A class or a day our calendar does not know: the day itself has to be over.
        return contract.expiry < time.astimezone(MARKET_TZ).date()


def _named(state: EngineState, fill: Fill, numbers: AbstractSet[str]) -> EngineState:
    """Give an execution the number under which the broker lists it, when it was first told under another.

    The line may have garbled it: the list knows no such number, and has one that is otherwise the same.
    """
    fills = state.portfolio.fills
    if execution_base(fill.exec_id) in fills:
        return state
    same = (fill.order_ref, fill.con_id, fill.quantity, fill.price, fill.time)
    for base, one in fills.items():
        if base not in numbers and (one.order_ref, one.con_id, one.quantity, one.price, one.time) == same:
            return replace(state, portfolio=state.portfolio.renamed(base, fill))
    return state


def _absent(
    state: EngineState, line: OrderLine, theirs: Mapping[int, int], time: datetime, doubt: str
) -> EngineState:
    """A complete snapshot does not know the order; what that proves depends on the positions.

    `doubt` is what speaks against it: another order at the broker, or a position that differs.
    """
    is_proof = state.connected and not reset_end(time)
    order = line.order
    if order.status is not OrderStatus.UNKNOWN:
        order = replace(order, status=OrderStatus.UNKNOWN)
    elif is_proof and line.absent_since is not None and time - line.absent_since >= ABSENCE_PROOF:
        units = _unheard_units(state, line, theirs, time)
        if units:
            return adopt(state, line, units, time)
        if not doubt:
            never_was = not line.filled_legs and not order.perm_id
            status = OrderStatus.LOST if never_was else OrderStatus.CANCELLED
            reason = "the broker knows no such order" if never_was else "the broker lists it no longer"
            gone = replace(order, status=status, reason=reason)
            return with_order(state, replace(line, order=gone, ended_at=time))
        return _disputed(state, line, time, doubt)
    since = line.absent_since or time if is_proof else line.absent_since
    return with_order(state, replace(line, order=order, absent_since=since, disputed_since=None))


def _never_told(
    state: EngineState, line: OrderLine, theirs: Mapping[int, int], time: datetime
) -> EngineState:
    """An order that ended on an earlier day with fills whose executions nobody tells any more.

    After the same two complete snapshots as for an absent order the positions count, up to what its status
    told.
    """
    if not (state.connected and not reset_end(time)) or _is_of_today(line, time):
        return state
    if line.absent_since is None:
        return with_order(state, replace(line, absent_since=time))
    if time - line.absent_since < ABSENCE_PROOF:
        return state
    units = _unheard_units(state, line, theirs, time)
    return adopt(state, line, units, time) if units and units <= line.told - line.order.filled else state


def _disputed(state: EngineState, line: OrderLine, time: datetime, doubt: str) -> EngineState:
    """The order is absent and the books differ: once more may be a fill between two lists, twice is not."""
    since = line.disputed_since or time
    state = with_order(state, replace(line, disputed_since=since))
    if time - since < ABSENCE_PROOF:
        return state
    detail = f"{line.order.order_ref} is not listed by the broker, and the books differ: {doubt}"
    return replace(state, risk=state.risk.with_cause(Cause.HALT, detail))


def _unheard_units(
    state: EngineState, line: OrderLine, theirs: Mapping[int, int], time: datetime
) -> int | None:
    """Units of an absent order that the broker's positions hold and no execution told of; None: unclear.

    Executions are told only of the day: from the next one on, positions are all there is to go by.
    """
    ours = state.portfolio.positions()
    differences = []
    for leg in line.order.combo.legs:
        con_id = leg.contract.con_id
        if is_settled(leg.contract, time):
            return 0
        mine = ours[con_id].quantity if con_id in ours else 0
        differences.append((theirs.get(con_id, 0) - mine, leg.signed_ratio))
    if not any(difference for difference, _ in differences):
        return 0
    difference, ratio = differences[0]
    units, rest = divmod(difference, ratio)
    fits = not rest and all(difference == units * ratio for difference, ratio in differences)
    return units if fits and 1 <= units <= line.order.remaining and not _is_of_today(line, time) else None


def _is_of_today(line: OrderLine, time: datetime) -> bool:
    """Whether the broker would still tell what the order traded."""
    return line.sent_at.astimezone(MARKET_TZ).date() == time.astimezone(MARKET_TZ).date()


def _settle(state: EngineState, theirs: Mapping[int, int], time: datetime) -> EngineState:
    """Drop what has settled and the broker no longer shows; structures end with their last leg.

    Also one whose legs a person has closed at the broker: its day ends it, whatever became of them.
    """
    ours = state.portfolio.positions()
    watched = {con_id for structure in state.structures.values() for con_id in structure.legs}
    gone = {
        con_id
        for con_id in {*ours, *watched}
        if con_id not in theirs
        and (contract := state.contracts.get(con_id)) is not None
        and is_settled(contract, time)
    }
    structures = dict(state.structures)
    for key, structure in state.structures.items():
        if structure.legs and gone.issuperset(structure.legs):
            held = any(con_id in ours for con_id in structure.legs)
            reason = "expired and settled in cash" if held else "expired; it was not held any more"
            structures[key] = replace(structure, settled=True, closed_reason=reason)
    settled = sorted(gone.intersection(ours))
    return replace(state, structures=structures, portfolio=state.portfolio.settle(settled))


def _stranger(state: EngineState, reports: tuple[OrderReported, ...]) -> str:
    """A working order at the broker that is not ours, or nothing. It is told and counted, never touched."""
    for report in reports:
        if report.order_ref not in state.orders and not report.status.is_terminal:
            return f"working order {report.order_ref or f'perm id {report.perm_id}'} is not ours"
    return ""


def _unknown_legs(state: EngineState, found: Reconciled, heard: Mapping[str, Fill]) -> str:
    """Legs that orders of our name traded which no order here knows, and that are held; or nothing.

    Another daemon may trade in the account, or the journal lacks its end. A reference that was garbled on the
    line is not told alike twice. What a person trades bears no reference of ours, and is a mismatch only.
    """
    apart = set_aside(state)
    legs = {}
    for fill in (executed.fill for executed in found.executions):
        before = heard.get(execution_base(fill.exec_id))
        is_told_again = before is not None and before.order_ref == fill.order_ref
        is_of_ours = fill.order_ref.startswith(OURS) and fill.order_ref not in state.orders
        if is_told_again and is_of_ours and fill.con_id in apart:
            legs[fill.con_id] = fill.order_ref
    unknown = "an order this journal does not know: set aside"
    return "; ".join(
        f"{apart[con_id]:+d} of {named(state, con_id)} by {ref}, {unknown}"
        for con_id, ref in sorted(legs.items())
    )


def _half_filled(state: EngineState, time: datetime) -> str:
    """A structure whose legs are not whole units, with no order at work that may still complete them."""
    for line in state.working():
        if line.has_odd_legs and line.executed_at is not None and time - line.executed_at >= EVEN_LEGS_DUE:
            return f"{line.structure_id} has waited too long for its other legs"
    busy = state.busy_structures()
    for key, structure in state.structures.items():
        whole = {leg.contract.con_id: structure.quantity * leg.signed_ratio for leg in structure.combo.legs}
        held = structure.legs
        if key not in busy and held and held != {con_id: count for con_id, count in whole.items() if count}:
            return f"{key} holds legs that are not whole units"
    return ""


def _unequal(state: EngineState, theirs: Mapping[int, int], time: datetime) -> str:
    """The contracts of which broker, executions and structures do not hold the same, or nothing."""
    ours = {con_id: position.quantity for con_id, position in state.portfolio.positions().items()}
    watched: dict[int, int] = {}
    for structure in state.structures.values():
        for con_id, quantity in structure.legs.items():
            watched[con_id] = watched.get(con_id, 0) + quantity
    differing = []
    for con_id in _unsettled(state, {*theirs, *watched}, time):
        mine, broker, legs = ours.get(con_id, 0), theirs.get(con_id, 0), watched.get(con_id, 0)
        if not mine == broker == legs:
            differing.append(told(state, con_id, mine, broker, legs))
    return "; ".join(differing)


def _unsettled(state: EngineState, others: Iterable[int], time: datetime) -> list[int]:
    """Contracts held here and these others, ascending, without those whose settlement has come."""
    return [
        con_id
        for con_id in sorted({*state.portfolio.positions(), *others})
        if (contract := state.contracts.get(con_id)) is None or not is_settled(contract, time)
    ]


def _nothing_due(state: EngineState, time: datetime) -> EngineState:
    """Where all accounts agree, no execution is missing any more, whatever a status once promised."""
    orders = {
        ref: replace(line, told=line.order.filled)
        if line.awaits_executions and line.ended_at is not None and time - line.ended_at >= ABSENCE_PROOF
        else line
        for ref, line in state.orders.items()
    }
    return replace(state, orders=orders)
