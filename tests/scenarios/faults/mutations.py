"""Small changes of the product that break it, each for as long as its context lasts."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import bot.broker.adapter
import bot.broker.orders
import bot.daemon
import bot.engine.book
import bot.engine.decide
import bot.engine.reconciliation
import bot.engine.step
import bot.engine.working
import bot.journal.opening
import bot.journal.writer
import risk.checks
import risk.review
from bot.broker.adapter import IbBroker
from bot.broker.contracts import OrderTerms, order_terms, order_to_client
from bot.broker.evidence import Evidence
from bot.broker.inbox import Inbox
from bot.broker.orders import OrderDesk
from bot.broker.quotes import LineBook
from bot.broker.requests import Requests
from bot.daemon import Daemon
from bot.dispatch import Dispatch
from bot.engine.book import apply_execution, with_order
from bot.engine.state import EngineState, OrderLine
from bot.errors import BrokerError
from bot.events import (
    AccountTaken,
    Alert,
    Executed,
    Feed,
    OperatorCommanded,
    PlaceOrder,
    QuotesTaken,
    RequestFailed,
)
from bot.feeds import PublishedFeeds
from bot.journal.durability import Durability
from market.contract import Action, Combo, Leg, SecurityType
from market.order import OrderStatus, execution_base
from risk.state import Cause
from risk.verdict import Check, Ruling, Verdict
from tests.scenarios.faults.scenes import scene

Planting = AbstractContextManager[object]


def swap(target: object, name: str, value: object) -> Callable[[], Planting]:
    return lambda: patch.object(target, name, value)


def both(*plants: Callable[[], Planting]) -> Callable[[], Planting]:
    @contextmanager
    def planted() -> Iterator[None]:
        with ExitStack() as stack:
            for plant in plants:
                stack.enter_context(plant())
            yield

    return planted


# ---------------------------------------------------------------------- exposure


def without_a_wing(combo: Combo, quantity: int, limit: float) -> OrderTerms:
    wings = [leg for leg in combo.legs if leg.action is Action.BUY]
    return order_terms(Combo(tuple(leg for leg in combo.legs if leg is not wings[-1])), quantity, limit)


def a_future(_combo: Combo, quantity: int, _limit: float) -> OrderTerms:
    contracts = scene("half day").state.contracts.values()
    future = next(one for one in contracts if one.security_type is SecurityType.FUTURE)
    return order_terms(Combo((Leg(future, Action.BUY),)), quantity, 20.0)


def verdict(quantity: Callable[[int], int], *, keeps_checks: bool = True) -> Callable[..., Verdict]:
    honest = risk.review.review

    def review(proposal: Any, context: Any, limits: Any) -> Verdict:
        found = honest(proposal, context, limits)
        if found.quantity < 1:
            return found
        return Verdict(Ruling.APPROVED, quantity(found.quantity), found.checks if keeps_checks else ())

    return review


def _old_account(broker: IbBroker) -> AccountTaken | None:
    session = broker._session
    return None if session is None else session.inbox.figures.taken()


def blind_to_losses() -> Planting:
    honest = bot.engine.step._HANDLERS[AccountTaken]

    def taken(state: EngineState, event: Any, time: datetime) -> Any:
        done = honest(state, event, time)
        return dataclasses.replace(
            done, state=dataclasses.replace(done.state, risk=done.state.risk.without(Cause.LOSS))
        )

    return patch.dict(bot.engine.step._HANDLERS, {AccountTaken: taken})


def deaf_to_fills(inbox: Inbox, request_id: int, contract: Any, execution: Any) -> None:
    event = inbox.evidence.executed(contract, execution)
    if event is not None:
        inbox.requests.row(request_id, event)


def nameless(inbox: Inbox, request_id: int, contract: Any, execution: Any) -> None:
    """An execution that is told as it happens loses the reference of its order."""
    event = inbox.evidence.executed(contract, execution)
    if event is None:
        return
    if request_id >= 0:
        inbox.requests.row(request_id, event)
    else:
        inbox.evidence.tell(Executed(dataclasses.replace(event.fill, order_ref=""), event.contract))


def booked_as_another(state: EngineState, executed: Executed, time: datetime) -> EngineState:
    """An execution that is listed under a reference the book does not have for it becomes one more."""
    heard = state.portfolio.fills.get(execution_base(executed.fill.exec_id))
    if heard is not None and heard.order_ref != executed.fill.order_ref:
        fill = dataclasses.replace(executed.fill, exec_id=f"listed-{executed.fill.exec_id}")
        executed = dataclasses.replace(executed, fill=fill)
    return apply_execution(state, executed, time)


IGNORES_LISTED_FILLS = both(
    swap(bot.engine.reconciliation, "apply_execution", lambda state, _executed, _time: state),
    swap(bot.engine.reconciliation, "_unequal", lambda *_: ""),
)
FORGETS_WHAT_IS_DUE = both(
    swap(bot.engine.reconciliation, "_half_filled", lambda *_: ""),
    swap(bot.engine.working, "_evidence_is_due", lambda *_: False),
)

# ---------------------------------------------------------------------- orders


def twice(desk: OrderDesk, live: Any, order_ref: str, terms: OrderTerms, order_id: int) -> None:
    honest = _PLACE
    honest(desk, live, order_ref, terms, order_id)
    honest(desk, live, order_ref, terms, live.client.getReqId())


_PLACE = OrderDesk.place


def resent(broker: IbBroker, command: PlaceOrder) -> None:
    """Sends again what was not acknowledged at once."""
    _BROKER_PLACE(broker, command)
    live = broker._session

    def again() -> None:
        known = live.evidence.find(command.order_ref) if live is not None else None
        if live is not None and known is not None and not known.perm_id and live.is_writable:
            terms = order_terms(command.combo, command.quantity, command.limit)
            _PLACE(broker._desk, live, command.order_ref, terms, live.client.getReqId())

    if live is not None:
        live.evidence.later(5.0, again)


_BROKER_PLACE = IbBroker.place


def moved_anew(desk: OrderDesk, live: Any, order_ref: str, limit: float) -> None:
    """A move becomes a new order beside the old one."""
    known = live.evidence.find(order_ref)
    if known is not None:
        _PLACE(
            desk, live, order_ref,
            OrderTerms(known.contract, known.action, known.quantity, limit), live.client.getReqId(),
        )  # fmt: skip


async def not_before_the_wire(durability: Durability, time: datetime) -> None:
    durability._committed_at = durability._committed_at or time


def forgets_in_flight(state: EngineState) -> EngineState:
    orders = {ref: line for ref, line in state.orders.items() if line.order.status.is_terminal}
    return bot.engine.book.refresh_unknown(dataclasses.replace(state, orders=orders, reconciled=False))


def dropped_unanswered() -> Planting:
    """A question that fails counts as the answer that there is no such order."""
    honest = bot.engine.step._HANDLERS[RequestFailed]

    def failed(state: EngineState, event: Any, time: datetime) -> Any:
        done = honest(state, event, time)
        return dataclasses.replace(done, state=forgets_in_flight(done.state))

    return patch.dict(bot.engine.step._HANDLERS, {RequestFailed: failed})


def off_the_step(first: float, worst: float, _tick: float, steps: int, *_: object) -> float:
    """A move the venue refuses: the order itself lives on."""
    return round(first + 0.013 * steps, 3) if first < worst else first


COUNT = bot.engine.book._count


def error_ends_it(evidence: Evidence, order_id: int, code: int, text: str) -> None:
    order = evidence._by_id[evidence.client_id, order_id]
    order.status, order.code, order.reason = OrderStatus.CANCELLED, code, text
    evidence._tell(order)


def taken_for_working(state: EngineState, line: OrderLine, *_: object) -> EngineState:
    working = dataclasses.replace(line, order=dataclasses.replace(line.order, status=OrderStatus.WORKING))
    return with_order(state, working)


def lost_whatever_differs(
    state: EngineState, line: OrderLine, theirs: Any, time: datetime, _doubt: str
) -> EngineState:
    return _ABSENT(state, line, theirs, time, "")


_ABSENT = bot.engine.reconciliation._absent


async def empty_when_late(requests: Requests, key: Any, within_s: float) -> list[Any]:
    try:
        return await _ANSWER(requests, key, within_s)
    except BrokerError:
        return []


_ANSWER = Requests.answer


def passing(name: str) -> Callable[..., Check]:
    return lambda *_: Check(name, None, None, passed=True)


CROSSES = both(
    swap(EngineState, "busy_structures", lambda _: frozenset()),
    swap(risk.checks, "structure_free", passing("structure_free")),
    swap(risk.checks, "self_cross", passing("self_cross")),
    swap(risk.checks, "closes_what_is_held", passing("closes_what_is_held")),
)


def order(**changes: Any) -> Callable[[], Planting]:
    def made(terms: OrderTerms, **named: Any) -> Any:
        raw = order_to_client(terms, **named)
        for name, value in changes.items():
            setattr(raw, name, value)
        return raw

    return swap(bot.broker.orders, "order_to_client", made)


def wrong_sign(combo: Combo, quantity: int, limit: float) -> OrderTerms:
    return order_terms(combo, quantity, -limit)


# ---------------------------------------------------------------------- data and time


def _never_silent(lines: LineBook, *words: Any, **named: Any) -> QuotesTaken:
    found = _TAKE(lines, *words, **named)
    return QuotesTaken(() if found is None else found.quotes, tuple(Feed))


_TAKE = LineBook.take
BLIND_TO_SILENCE = both(
    swap(bot.engine.decide, "_watch_feeds", lambda state, _time: state),
    swap(risk.checks, "quote_ages", lambda *_: (Check("option_quote_age_s", None, None, passed=True),)),
    swap(LineBook, "take", _never_silent),
)


async def from_the_future(feeds: PublishedFeeds, *words: Any) -> Any:
    found = await _WARM_UP(feeds, *words)
    day = timedelta(days=1)
    return [
        dataclasses.replace(
            one,
            observations=tuple(
                dataclasses.replace(row, known_at=row.known_at + day) for row in one.observations
            ),
        )
        for one in found
    ]


_WARM_UP = PublishedFeeds.warm_up


def hidden_memory() -> Planting:
    seen: list[datetime] = []

    def evaluate(state: EngineState, time: datetime) -> Any:
        seen.append(time)
        done = _EVALUATE(state, time)
        return dataclasses.replace(
            done,
            state=dataclasses.replace(done.state, decisions=done.state.decisions + (len(seen) % 97 == 0)),
        )

    return patch.object(bot.engine.step, "evaluate", evaluate)


_EVALUATE = bot.engine.decide.evaluate

# ---------------------------------------------------------------------- operations


def untold(dispatch: Dispatch, time: datetime, command: Any, **how: Any) -> None:
    if not isinstance(command, Alert):
        _EXECUTE(dispatch, time, command, **how)


_EXECUTE = Dispatch.execute
SEAL = bot.journal.writer.seal


def doubled(daemon: Daemon, event: Any) -> None:
    _POST(daemon, event)
    if isinstance(event, OperatorCommanded):
        _POST(daemon, event)


_POST = Daemon.post


def other_rules(mode: Any, account: Any, rules: Any, *rest: Any) -> Any:
    changed = rules.model_copy(update={"risk": rules.risk.model_copy(update={"orders_per_minute_max": 499})})
    return bot.journal.opening.opening_record(mode, account, changed, *rest)


def stays_down(broker: IbBroker, live: Any, is_up: bool, data_lost: bool, text: str) -> None:
    if not is_up:
        _LINK_CHANGED(broker, live, is_up, data_lost, text)


_LINK_CHANGED = IbBroker._link_changed


async def no_heartbeat(broker: IbBroker) -> datetime:
    return broker._clock.now()
