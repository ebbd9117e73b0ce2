"""One event in, one step out: the dispatch of the engine.

Handlers are pure functions of the state and the event. What an event changes is decided here; what the
market then calls for is decided by `decide.evaluate`, after every snapshot and after every change of an
order.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from bot.engine import book, liquidity, signals
from bot.engine.by_hand import told
from bot.engine.decide import evaluate, may_evaluate, nothing_read_changed
from bot.engine.decision import Decision, Verb
from bot.engine.fill_costs import with_costs
from bot.engine.halting import (
    cancel_contradicted,
    cancel_when_halted,
    halted,
    host_reported,
    operator_commanded,
)
from bot.engine.margin import margin_told
from bot.engine.parameters import parameters
from bot.engine.reconciliation import position_moved, reconcile
from bot.engine.release_days import calendar_alerts
from bot.engine.retold import corrected, renumbered
from bot.engine.settlement_cash import judge_cash, note_expired
from bot.engine.state import EngineState, Listing, OrderLine, Step, is_always_streamed
from bot.engine.working import cancel_opening, decision_id, move_withheld, take_back
from bot.events import (
    AccountTaken,
    Alert,
    CommissionReported,
    Connected,
    ContractsNamed,
    Disconnected,
    Executed,
    Feed,
    Halted,
    HostReported,
    Job,
    JobDue,
    MarginTold,
    MoveWithheld,
    ObservationsKnown,
    Opened,
    OpenInterestTold,
    OperatorCommanded,
    OptionsListed,
    OrderReported,
    PositionMoved,
    QuotesTaken,
    Reconciled,
    RequestFailed,
    Stopping,
    StreamLines,
    TimedEvent,
)
from market.contract import Contract, Right, SecurityType
from market.quote import stamped
from market.records import replace
from market.rounding import round_price
from market.sessions import MARKET_TZ, is_session
from risk.capital import loss_causes
from risk.state import Cause
from strategies.base import Structure

STARTS_KEPT = 64


def step(state: EngineState, timed: TimedEvent) -> Step:
    """Fold one event into the state; decisions and commands come in the order of their effect."""
    event, time = timed.event, timed.time
    day = time.astimezone(MARKET_TZ).date()
    session = day if is_session(day) else state.session
    before = state.risk
    if isinstance(event, QuotesTaken):
        done = _quotes_taken(state, event, time, session)
    else:
        state = replace(state, time=time, session=session)
        done = _HANDLERS[type(event)](state, event, time)
    if done.state.risk is before:
        return done
    done = cancel_when_halted(before.trading, done, time)
    if done.state.risk != before:
        done = done.then(_tell_risk(done.state, time))
    return done


def _opened(state: EngineState, event: Opened, time: datetime) -> Step:
    state = book.mark_in_flight_unknown(
        replace(
            state,
            opened=event,
            parameters=parameters(event.rules, event.calendar),
            connected=False,
            announced="",
            stopping=False,
            lines=(),
            quotes={},
            open_interest={},
            alive={},
            requested_listings=(),
            starts=(*state.starts, time)[-STARTS_KEPT:],
        )
    )
    return Step(state)


def _connected(state: EngineState, event: Connected, time: datetime) -> Step:
    if state.opened is not None and event.account != state.opened.account:
        detail = f"the gateway serves {event.account}, allowed is {state.opened.account}"
        risk = state.risk.with_cause(Cause.ACCOUNT, detail)
        return Step(replace(state, connected=False, announced=event.account, reconciled=False, risk=risk))
    state = replace(
        state,
        connected=True,
        announced=event.account,
        epoch=event.epoch,
        reconciled=False,
        # The lines stay as they are wanted: the broker's side asks for each of them once in a connection.
        quotes={},
        alive={},
        feeds_asked={Feed.INDEX: time},
        risk=state.risk.without(Cause.ACCOUNT),
    )
    return Step(state)


def _disconnected(state: EngineState, event: Disconnected, _time: datetime) -> Step:
    state = replace(state, connected=False, announced="", quotes={}, alive={}, requested_listings=())
    alert = Alert("warning", "broker.disconnected", event.reason)
    return Step(book.mark_in_flight_unknown(state), (), (alert,))


def _contracts_named(state: EngineState, event: ContractsNamed, _time: datetime) -> Step:
    held = state.portfolio.positions()
    kept = {
        con_id: contract
        for con_id, contract in state.contracts.items()
        if contract.security_type is SecurityType.OPTION or con_id in held
    }
    state = replace(state, contracts={**kept, **{c.con_id: c for c in event.contracts}})
    always = (contract.con_id for contract in event.contracts if is_always_streamed(contract))
    lines = tuple(sorted({*state.lines, *always}))
    if lines == state.lines:
        return Step(state)
    return Step(replace(state, lines=lines), (), (StreamLines(lines),))


def _options_listed(state: EngineState, event: OptionsListed, _time: datetime) -> Step:
    contracts = tuple(
        Contract(
            SecurityType.OPTION,
            event.symbol,
            event.trading_class,
            event.expiry,
            strike,
            right,
            event.multiplier,
            event.exchange,
            con_id=con_id,
        )
        for strike, call, put in event.rows
        for right, con_id in ((Right.CALL, call), (Right.PUT, put))
        if con_id
    )
    key = listing_key(event.trading_class, event.expiry)
    listing = Listing(event.trading_class, event.expiry, contracts)
    requested = tuple(name for name in state.requested_listings if name != key)
    state = replace(
        state,
        listings={**state.listings, key: listing},
        requested_listings=requested,
        look_due=True,
    )
    return Step(state)


def _quotes_taken(state: EngineState, event: QuotesTaken, time: datetime, session: date | None) -> Step:
    """The commonest event by far: it copies the state once, with the time."""
    quotes = dict(state.quotes)
    quotes.update(stamped(event.quotes, time))
    # A feed that is no longer told to live has lost its proof, however fresh that was.
    alive = dict.fromkeys(event.alive, time)
    state = replace(state, time=time, session=session, quotes=quotes, alive=alive)
    if not may_evaluate(state, time):
        return Step(state)
    if nothing_read_changed(state, event, time):
        return Step(state)
    return evaluate(state, time)


def _open_interest_told(state: EngineState, event: OpenInterestTold, _time: datetime) -> Step:
    kept = {con_id: count for con_id, count in state.open_interest.items() if con_id in set(state.lines)}
    return Step(replace(state, open_interest={**kept, **dict(event.counts)}))


def _observations_known(state: EngineState, event: ObservationsKnown, time: datetime) -> Step:
    return Step(signals.know(state, event, time))


def _account_taken(state: EngineState, event: AccountTaken, time: datetime) -> Step:
    state = note_expired(state, time)
    opened = event.nav_usd if state.session_nav_usd is None else state.session_nav_usd
    peak = max(event.nav_usd, state.peak_nav_usd or event.nav_usd)
    state = replace(state, account=event, account_time=time, session_nav_usd=opened, peak_nav_usd=peak)
    if state.parameters is None:
        return Step(state)
    risk, seen = state.risk, dict(loss_causes(event.nav_usd, opened, peak, state.parameters.limits))
    for cause, detail in seen.items():
        risk = risk.with_cause(cause, detail)
    if Cause.DRAWDOWN not in seen:  # a loss lasts until the next session opens
        risk = risk.without(Cause.DRAWDOWN)
    judged = judge_cash(replace(state, risk=risk), time)
    return judged.then(liquidity.watch(judged.state, time))


def _order_reported(state: EngineState, event: OrderReported, time: datetime) -> Step:
    before = state.orders.get(event.order_ref)
    done = Step(state, (), cancel_contradicted(state, (event,)))
    state = book.refresh_unknown(book.report_order(state, event, time))
    done = replace(done, state=state)
    after = state.orders.get(event.order_ref)
    if before is None or after is None or after.order.status is before.order.status:
        return done
    reason = after.order.status.value
    if event.reason or event.code:
        reason = f"{reason}: {event.reason} ({event.code})" if event.code else f"{reason}: {event.reason}"
    return done.then(_booked(state, event.order_ref, reason, time))


def _executed(state: EngineState, event: Executed, time: datetime) -> Step:
    before = state.orders.get(event.fill.order_ref)
    done = Step(state, (), corrected(state, (event,)))
    state = book.refresh_unknown(book.apply_execution(state, event, time))
    done = replace(done, state=state)
    after = state.orders.get(event.fill.order_ref)
    if before is None:
        return done.then(take_back(state, time))
    if after is None or after.order.filled == before.order.filled:
        return done
    return done.then(_booked(state, event.fill.order_ref, _filled(after), time))


def _commission_reported(state: EngineState, event: CommissionReported, _time: datetime) -> Step:
    return Step(book.apply_commission(state, event))


def _reconciled(state: EngineState, event: Reconciled, time: datetime) -> Step:
    before = state = note_expired(state, time)
    state = replace(book.refresh_unknown(reconcile(state, event, time)), look_due=True)
    done = Step(state, (), cancel_contradicted(before, event.orders))
    done = replace(done, commands=done.commands + renumbered(before, state))
    done = replace(done, commands=done.commands + corrected(before, event.executions) + told(before, state))
    for ref, line in state.orders.items():
        was = before.orders[ref].order if ref in before.orders else replace(line.order, filled=0)
        if line.order.filled != was.filled:
            done = done.then(_booked(done.state, ref, _filled(line), time))
        elif line.order.status is not was.status:
            done = done.then(_booked(done.state, ref, line.order.status.value, time))
    for key, structure in state.structures.items():
        known = before.structures.get(key, structure)
        if structure.settled and not known.settled:
            done = done.then(_tell_settled(done.state, known, structure.closed_reason, time))
    done = done.then(take_back(done.state, time))
    return done.then(Step(book.tidy(done.state, time)))


def _job_due(state: EngineState, event: JobDue, time: datetime) -> Step:
    done = state.jobs_done.get(event.job)
    if done is not None and event.session <= done:
        return Step(state)
    state = replace(state, jobs_done={**state.jobs_done, event.job: event.session})
    if event.job is Job.SETTLEMENT_FINAL:
        return signals.settle_final(state, event.session, time)
    if event.job is Job.SETTLEMENT_PROVISIONAL:
        return Step(signals.note_provisional(state, event.session))
    if event.job is Job.SESSION_REVIEW:
        return signals.review_session(state, event.session, time)
    if event.job is Job.SESSION_OPEN:
        risk = state.risk.without(Cause.LOSS)
        nav_usd = state.account.nav_usd if state.account is not None else None
        # Strikes are added as the market moves: each session lists anew what it needs.
        state = replace(state, session_nav_usd=nav_usd, risk=risk, listings={}, requested_listings=())
        return Step(state, (), calendar_alerts(state, event.session))
    return Step(book.tidy(state, time))


def _request_failed(state: EngineState, event: RequestFailed, _time: datetime) -> Step:
    alert = Alert("warning", "broker.request_failed", event.reason)
    return Step(replace(state, requested_listings=()), (), (alert,))


def _stopping(state: EngineState, event: Stopping, time: datetime) -> Step:
    return cancel_opening(replace(state, stopping=True, starts=()), time, event.reason)


def _filled(line: OrderLine) -> str:
    order = line.order
    reason = f"filled {order.filled} of {order.quantity}"
    if not order.filled or line.has_odd_legs:
        return reason
    reason = f"{reason} at {round_price(line.cost / order.filled):g}"
    return f"{reason}: by the broker's positions, at the limit" if line.adopted else reason


def _booked(state: EngineState, order_ref: str, reason: str, time: datetime) -> Step:
    """Tell what evidence changed. The snapshot that follows is looked at even if no quote has moved."""
    line, notes = with_costs(state, state.orders[order_ref])
    if notes:
        state = replace(state, orders={**state.orders, order_ref: line})
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=line.strategy,
        verb=Verb.BOOK,
        reason=reason,
        session=state.session,
        structure_id=line.structure_id,
        order_ref=order_ref,
        quantity=line.order.filled,
        trading=state.risk.trading.value,
        notes=notes,
    )
    return Step(replace(state, decisions=number, look_due=True), (decision,))


def _tell_settled(state: EngineState, held: Structure, reason: str, time: datetime) -> Step:
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=held.strategy,
        verb=Verb.BOOK,
        reason=reason,
        session=state.session,
        structure_id=held.structure_id,
        quantity=held.quantity,
        trading=state.risk.trading.value,
    )
    return Step(replace(state, decisions=number, look_due=True), (decision,))


def _tell_risk(state: EngineState, time: datetime) -> Step:
    number = state.decisions + 1
    causes = "; ".join(f"{cause.value}: {detail}" for cause, detail in state.risk.causes) or "no cause left"
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy="risk",
        verb=Verb.STATE,
        reason=causes,
        session=state.session,
        trading=state.risk.trading.value,
    )
    # Orders under way may have to go now, not at the next quote that moves.
    look_due = state.look_due or bool(state.working())
    level = "warning" if state.risk.causes else "info"
    alert = Alert(level, f"trading.{state.risk.trading.value}", causes)
    return Step(replace(state, decisions=number, look_due=look_due), (decision,), (alert,))


def listing_key(trading_class: str, expiry: Any) -> str:
    """Name of one class and expiry in the state."""
    return f"{trading_class} {expiry}"


_HANDLERS: dict[type[Any], Callable[[EngineState, Any, datetime], Step]] = {
    AccountTaken: _account_taken,
    CommissionReported: _commission_reported,
    PositionMoved: position_moved,
    MoveWithheld: move_withheld,
    Connected: _connected,
    ContractsNamed: _contracts_named,
    Disconnected: _disconnected,
    Executed: _executed,
    JobDue: _job_due,
    MarginTold: margin_told,
    ObservationsKnown: _observations_known,
    OpenInterestTold: _open_interest_told,
    Opened: _opened,
    Halted: halted,
    HostReported: host_reported,
    OperatorCommanded: operator_commanded,
    OptionsListed: _options_listed,
    OrderReported: _order_reported,
    Reconciled: _reconciled,
    RequestFailed: _request_failed,
    Stopping: _stopping,
}
