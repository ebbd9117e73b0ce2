"""Working orders between evaluations: the walk of a limit towards its worst price, and when to give up.

A limit starts near the middle and moves in equal steps to the worst price its decision allowed; it
never goes beyond. When the last step does not trade, the order is cancelled and a later decision may
try again with fresh prices. Nothing is replaced or sent while the connection is in doubt. A close that would
take more than is held is taken back: filled, it would open the reverse of what it closes.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil, floor

from bot.engine.decision import Decision, Verb
from bot.engine.differences import EXECUTIONS_DUE, unheld
from bot.engine.parameters import Walk
from bot.engine.state import EngineState, OrderLine, Step
from bot.events import Alert, CancelOrder, Command, MoveWithheld, Reconcile, ReplaceOrder
from market.order import OrderStatus
from market.records import replace
from market.rounding import round_price
from risk.state import Cause, TradingState
from strategies.base import Intent

ACKNOWLEDGEMENT_DUE = timedelta(seconds=10)
ASK_AGAIN = timedelta(seconds=30)
_MOVABLE = (OrderStatus.WORKING, OrderStatus.PARTIAL)


def tend(state: EngineState, time: datetime, walk: Walk, trading_open: bool) -> Step:
    """Walk, cancel or ask about each order that is under way.

    Call it while connected and reconciled only.
    """
    step = take_back(state, time)
    for line in step.state.working():
        step = step.then(_tend_one(step.state, line, time, walk, trading_open))
    if _evidence_is_due(step.state, time) and may_ask(step.state, time):
        asked = replace(step.state, reconcile_asked_at=time)
        doubted = step.state.position_doubted
        why = "a position told is not ours" if doubted else "evidence about an order is overdue"
        step = step.then(Step(asked, (), (Reconcile(why),)))
        step = step.then(Step(step.state, (), _unanswered(step.state, time)))
    return step


def _unanswered(state: EngineState, time: datetime) -> tuple[Alert, ...]:
    """Cancellations the broker has not answered: they are asked about, and told each time."""
    return tuple(
        Alert("warning", "cancel.unanswered", line.order.order_ref)
        for line in state.working()
        if line.order.status is OrderStatus.CANCEL_SENT and time - line.priced_at >= ASK_AGAIN
    )


def cancel_opening(state: EngineState, time: datetime, reason: str, with_hedges: bool = True) -> Step:
    """Cancel every opening order that works; closing orders lower risk and stay."""
    step = Step(state)
    for line in state.working():
        if line.reserves and not with_hedges:
            continue
        if line.intent is Intent.OPEN and line.order.status in (
            *_MOVABLE,
            OrderStatus.SENT,
            OrderStatus.INTENT,
        ):
            step = step.then(_cancel(step.state, line, time, reason))
    return step


def take_back(state: EngineState, time: datetime) -> Step:
    """Cancel each close of what is certainly not held any more; the next one is cut to what is left."""
    step = Step(state)
    for line in state.working():
        beyond, is_certain = unheld(step.state, line, time)
        if is_certain and line.order.status in (*_MOVABLE, OrderStatus.SENT):
            step = step.then(_cancel(step.state, line, time, f"it would take more than is held: {beyond}"))
            alert = Alert("warning", "close.taken_back", f"{line.order.order_ref}: {beyond}")
            step = step.then(Step(step.state, (), (alert,)))
    return step


def cancel_all(state: EngineState, time: datetime, reason: str) -> Step:
    """Cancel whatever may still trade, opening or closing; also what is in doubt, which may yet live."""
    step = Step(state)
    for line in state.working():
        if line.order.status is OrderStatus.UNKNOWN:
            step = step.then(Step(step.state, (), (CancelOrder(line.order.order_ref, reason),)))
        elif line.order.status is not OrderStatus.CANCEL_SENT:
            step = step.then(_cancel(step.state, line, time, reason))
    return step


def _tend_one(
    state: EngineState,
    line: OrderLine,
    time: datetime,
    walk: Walk,
    trading_open: bool,
) -> Step:
    if line.order.status not in _MOVABLE:
        return Step(state)
    is_halted = state.risk.trading is TradingState.HALTED
    if is_halted or (line.intent is Intent.OPEN and not _may_open(state, line)):
        return _cancel(state, line, time, f"trading is {state.risk.trading.value}")
    if not trading_open:
        return _cancel(state, line, time, "no orders now: the session ends, or the gateway restarts")
    dwell = walk.opening(line.strategy) if line.intent is Intent.OPEN else walk.closing
    if time - line.priced_at < dwell:
        return Step(state)
    if line.doubted:
        # Moved while the link was in doubt, one order can become two.
        return _cancel(state, line, time, "the connection was lost since: a new attempt takes its place")
    if line.steps >= walk.steps or line.limit_first == line.limit_worst:
        return _cancel(state, line, time, "not filled at the worst price this decision allows")
    if unheld(state, line, time)[0]:
        return Step(state)  # an execution may still explain it; until then the limit stays where it is
    return _reprice(state, line, time, walk.steps)


def _may_open(state: EngineState, line: OrderLine) -> bool:
    return state.risk.trading is TradingState.ACTIVE or (line.reserves and state.risk.hedges_allowed)


def _reprice(state: EngineState, line: OrderLine, time: datetime, walk_steps: int) -> Step:
    steps = line.steps + 1
    limit = walked_limit(line.limit_first, line.limit_worst, line.tick, steps, walk_steps)
    moved = replace(line, steps=steps, priced_at=time)
    if limit == line.order.limit:
        return Step(_with(state, moved))
    moved = replace(moved, order=replace(line.order, limit=limit), moved_from=line.order.limit)
    state, decision = _decide(state, line, Verb.REPRICE, f"step {steps} of {walk_steps}", time, limit)
    return Step(_with(state, moved), (decision,), (ReplaceOrder(line.order.order_ref, limit),))


def move_withheld(state: EngineState, event: MoveWithheld, time: datetime) -> Step:
    """A move that did not go out is undone: the limit is the one that stands, and the step may come again."""
    line = state.orders.get(event.order_ref)
    if line is None or line.moved_from is None or line.order.limit != event.limit:
        return Step(state)
    stands = replace(line.order, limit=line.moved_from)
    back = replace(line, order=stands, steps=line.steps - 1, moved_from=None)
    reason = f"its limit stays where it was: {event.reason}"
    state, decision = _decide(state, line, Verb.REPRICE, reason, time, stands.limit)
    return Step(_with(state, back), (decision,))


def _cancel(state: EngineState, line: OrderLine, time: datetime, reason: str) -> Step:
    cancelled = replace(line, order=replace(line.order, status=OrderStatus.CANCEL_SENT), priced_at=time)
    state, decision = _decide(state, line, Verb.CANCEL, reason, time, line.order.limit)
    command: Command = CancelOrder(line.order.order_ref, reason)
    return Step(_with(state, cancelled), (decision,), (command,))


def walked_limit(first: float, worst: float, tick: float, steps: int, walk_steps: int) -> float:
    """The limit after `steps` of the walk's `walk_steps`, on the tick, never above `worst` (cash paid)."""
    raw = first + (worst - first) * min(steps, walk_steps) / walk_steps
    return round_price(min(ceil(round_price(raw / tick)) * tick, floor(round_price(worst / tick)) * tick))


def _evidence_is_due(state: EngineState, time: datetime) -> bool:
    if state.position_doubted or any(cause is Cause.MISMATCH for cause, _ in state.risk.causes):
        return True
    for line in state.orders.values():
        status = line.order.status
        if status is OrderStatus.UNKNOWN:
            return True
        if status in (OrderStatus.INTENT, OrderStatus.SENT) and time - line.sent_at >= ACKNOWLEDGEMENT_DUE:
            return True
        if status is OrderStatus.CANCEL_SENT and time - line.priced_at >= ASK_AGAIN:
            return True
        if line.awaits_executions and line.ended_at is not None and time - line.ended_at >= EXECUTIONS_DUE:
            return True
        last = line.executed_at
        if not status.is_terminal and line.has_odd_legs and last and time - last >= EXECUTIONS_DUE:
            return True
    return False


def may_ask(state: EngineState, time: datetime) -> bool:
    """Whether the broker was not just asked for everything."""
    return state.reconcile_asked_at is None or time - state.reconcile_asked_at >= ASK_AGAIN


def _decide(
    state: EngineState, line: OrderLine, verb: Verb, reason: str, time: datetime, limit: float
) -> tuple[EngineState, Decision]:
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=line.strategy,
        verb=verb,
        reason=reason,
        session=state.session,
        structure_id=line.structure_id,
        order_ref=line.order.order_ref,
        quantity=line.order.remaining,
        limit=limit,
        trading=state.risk.trading.value,
    )
    return replace(state, decisions=number), decision


def decision_id(time: datetime, number: int) -> str:
    """Identity of a decision: unique in a journal by number and across journals by time."""
    return f"{_second(time)}-{number}"


@lru_cache(maxsize=4)
def _second(time: datetime) -> str:
    """The time all decisions of one look carry, field by field: `strftime` takes ten times as long."""
    day = f"{time.year:04d}{time.month:02d}{time.day:02d}"
    return f"{day}T{time.hour:02d}{time.minute:02d}{time.second:02d}"


def _with(state: EngineState, line: OrderLine) -> EngineState:
    return replace(state, orders={**state.orders, line.order.order_ref: line})
