"""Halting and resuming: what only cancels from here on, and what must hold before it trades again.

A halt comes from a person, or from the daemon itself when the broker says what cannot be true. Either is a
cause that stays, over restarts too, until a person resumes with a reason; and a resume is refused while the
book is not reconciled or does not agree with the broker.
"""

from datetime import datetime

from bot.engine.book import contradiction
from bot.engine.decision import Decision, Verb
from bot.engine.state import EngineState, Step
from bot.engine.working import cancel_all, decision_id
from bot.events import (
    Alert,
    CancelOrder,
    Condition,
    Halted,
    HostReported,
    OperatorCommanded,
    OrderReported,
)
from market.records import replace
from risk.state import Cause, TradingState

_CAUSES = {Condition.CLOCK: Cause.CLOCK, Condition.DISK: Cause.DISK}


def operator_commanded(state: EngineState, event: OperatorCommanded, time: datetime) -> Step:
    """A person halts, always; or resumes, if nothing stands against it."""
    detail = f"{event.who}: {event.reason}"
    if event.verb == "halt":
        return Step(replace(state, risk=state.risk.with_cause(Cause.OPERATOR, detail)))
    against = against_resuming(state)
    if against:
        number = state.decisions + 1
        decision = Decision(
            decision_id=decision_id(time, number),
            strategy="risk",
            verb=Verb.STATE,
            reason=f"a resume by {detail} is refused: {against}",
            session=state.session,
            trading=state.risk.trading.value,
        )
        alert = Alert("warning", "resume.refused", against)
        return Step(replace(state, decisions=number), (decision,), (alert,))
    risk = state.risk.without(Cause.OPERATOR).without(Cause.HALT)
    return Step(replace(state, risk=risk), (), (Alert("warning", "trading.resumed", detail),))


def against_resuming(state: EngineState) -> str:
    """Why trading may not be resumed now, or nothing."""
    if not state.connected:
        return "the broker is not in reach"
    if not state.reconciled:
        return "the book is not reconciled"
    causes = dict(state.risk.causes)
    for cause in (Cause.MISMATCH, Cause.ACCOUNT):
        if cause in causes:
            return f"{cause.value}: {causes[cause]}"
    return ""


def halted(state: EngineState, event: Halted, _time: datetime) -> Step:
    """The shell has seen something only a person may judge."""
    return Step(replace(state, risk=state.risk.with_cause(Cause.HALT, event.reason)))


def host_reported(state: EngineState, event: HostReported, _time: datetime) -> Step:
    """Raise or lift what is the matter with the machine; after its clock jumped the book is proved anew."""
    cause = _CAUSES[event.condition]
    risk = state.risk.without(cause)
    if not event.detail:
        return Step(replace(state, risk=risk))
    is_jump = event.condition is Condition.CLOCK and cause not in dict(state.risk.causes)
    return Step(
        replace(
            state,
            risk=risk.with_cause(cause, event.detail),
            reconciled=state.reconciled and not is_jump,
        )
    )


def stands(state: EngineState, condition: Condition) -> bool:
    """Whether this is the matter with the machine, as far as the journal knows."""
    return _CAUSES[condition] in dict(state.risk.causes)


def cancel_contradicted(state: EngineState, reports: tuple[OrderReported, ...]) -> tuple[CancelOrder, ...]:
    """Cancellations of orders that work at the broker although they had ended here."""
    cancels = {}
    for report in reports:
        line = state.orders.get(report.order_ref)
        if line is not None and line.order.status.is_terminal and (fault := contradiction(line, report)):
            cancels[report.order_ref] = CancelOrder(report.order_ref, fault)
    return tuple(cancels.values())


def cancel_when_halted(before: TradingState, done: Step, time: datetime) -> Step:
    """Behind the event that halted trading, cancel all that works: nothing waits for the next look."""
    risk = done.state.risk
    if before is TradingState.HALTED or risk.trading is not TradingState.HALTED:
        return done
    return done.then(cancel_all(done.state, time, "trading is halted"))
