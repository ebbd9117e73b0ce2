"""An attempt that traded nothing is not made again at every look: it waits for a reason, and says which."""

from dataclasses import replace

import pytest

from bot.engine.decide import evaluate
from bot.engine.decision import Verb
from bot.engine.retrying import awaits
from bot.engine.state import EngineState, OrderLine
from bot.events import AskMargin
from market.order import OrderStatus
from market.quote import Quote
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Intent, Proposal
from strategies.condor_exit import Due
from strategies.rules import ExecutionRules
from tests.bot.engine.desk import at_work, later, order_line
from tests.bot.engine.looking import looking, placed, quoted, wish
from tests.risk.book import condor

RULES = ExecutionRules(5, 20, 60, 900)
CLOSE = wish("s", condor().reversed(), Intent.CLOSE, limit=6.0)


def ended(seconds: float, status: OrderStatus, intent: Intent = Intent.CLOSE, **changes: object) -> OrderLine:
    line = order_line(structure_id="s", status=status, intent=intent)
    named = replace(line.order, order_ref=f"alvh:iron_condor:x-{seconds:g}", reason="Scripted")
    line = replace(line, order=named, ended_at=later(seconds), reason=CLOSE.reason)
    return replace(line, **changes)  # type: ignore[arg-type]  # names of fields


def book(*lines: OrderLine, moved: float | None = None) -> EngineState:
    """These orders, and quotes of before, or with one leg that moved at `moved` seconds."""
    state = at_work(lines[0])
    quotes = quoted(condor())
    if moved is not None:
        first = condor().legs[0].contract.con_id
        quotes[first] = Quote(2.9, 3.1, None, later(moved))
    return replace(state, orders={line.order.order_ref: line for line in lines}, quotes=quotes)


def waits(state: EngineState, seconds: float, proposal: Proposal = CLOSE) -> str:
    return awaits(state, proposal, RULES, later(seconds))


def test_a_close_that_nobody_filled_waits_until_a_leg_has_moved_since() -> None:
    line = ended(100, OrderStatus.CANCELLED)
    assert "no leg's market has moved since" in waits(book(line), 3600)
    assert "no leg's market has moved since" in waits(book(line, moved=100), 3600)
    assert waits(book(line, moved=101), 101) == ""


def test_legs_without_any_quote_have_not_moved() -> None:
    assert waits(replace(book(ended(100, OrderStatus.CANCELLED)), quotes={}), 500)


@pytest.mark.parametrize(
    "line",
    [
        ended(100, OrderStatus.LOST),
        ended(100, OrderStatus.CANCELLED, filled_legs=((1, 1),)),
        ended(100, OrderStatus.CANCELLED, told=1),
        ended(-86_400, OrderStatus.CANCELLED),
        ended(100, OrderStatus.CANCELLED, Intent.OPEN),
    ],
)
def test_what_was_lost_traded_or_ended_another_day_or_the_other_way_keeps_nothing_waiting(
    line: OrderLine,
) -> None:
    assert waits(book(line), 200) == ""


def test_an_opening_that_was_not_filled_does_not_wait_for_its_legs() -> None:
    assert waits(book(ended(100, OrderStatus.CANCELLED, Intent.OPEN)), 101, wish("s")) == ""


def test_each_refusal_in_a_row_doubles_the_wait_up_to_its_limit() -> None:
    lines = [ended(seconds, OrderStatus.REJECTED) for seconds in range(0, 600, 100)]
    for count, wait_s in enumerate((60, 120, 240, 480, 900, 900), start=1):
        state, last = book(*lines[:count], moved=10_000), 100 * (count - 1)
        assert f"waits {wait_s} s: refused" in waits(state, last + wait_s - 1)
        assert "Scripted" in waits(state, last + wait_s - 1)
        assert waits(state, last + wait_s) == ""


def test_an_attempt_that_was_taken_ends_the_row_of_refusals() -> None:
    lines = (
        ended(0, OrderStatus.REJECTED),
        ended(100, OrderStatus.CANCELLED),
        replace(
            ended(200, OrderStatus.REJECTED), order=replace(ended(200, OrderStatus.REJECTED).order, reason="")
        ),
    )
    assert "waits 60 s: refused by the broker" in waits(book(*lines), 201)
    assert "(no reason given)" in waits(book(*lines), 201)


def test_the_wait_is_told_once_and_no_order_is_spent_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Evaluation(proposals=(wish(),))
    monkeypatch.setattr(iron_condor, "evaluate", lambda snapshot, state, *rest: (state, found))
    monkeypatch.setattr(vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, {}))
    refused = replace(ended(-51, OrderStatus.REJECTED, Intent.OPEN), structure_id=wish().structure_id)
    state, told, sent = looking(orders={refused.order.order_ref: refused}), [], []
    for seconds in (1, 5, 10):
        done = evaluate(state, later(seconds))
        told += [one.reason for one in done.decisions if one.verb is Verb.HOLD]
        sent += [(seconds, one.order_ref) for one in placed(done)]
        state = replace(done.state, quotes=state.quotes)
    assert len(told) == 1
    assert "waits 60 s: refused by the broker" in told[0]
    assert [seconds for seconds, _ in sent] == [10]


@pytest.mark.parametrize("status", [OrderStatus.REJECTED, OrderStatus.CANCELLED])
def test_a_stop_does_not_wait_for_what_became_of_an_earlier_profit_close(status: OrderStatus) -> None:
    profit, stop = replace(CLOSE, reason=Due.PROFIT), replace(CLOSE, reason=Due.STOP)
    before = ended(100, status, reason=Due.PROFIT.value)
    assert waits(book(before), 101, profit)
    assert waits(book(before), 101, stop) == ""
    assert waits(book(before, ended(110, status, reason=Due.STOP.value)), 111, stop)


def test_an_opening_that_waits_out_its_refusal_asks_for_no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Evaluation(proposals=(wish(),))
    monkeypatch.setattr(iron_condor, "evaluate", lambda snapshot, state, *rest: (state, found))
    monkeypatch.setattr(vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, {}))
    refused = replace(ended(-51, OrderStatus.REJECTED, Intent.OPEN), structure_id=wish().structure_id)
    state = looking(orders={refused.order.order_ref: refused}, margins={})
    done = evaluate(state, later(1))
    assert not [one for one in done.commands if isinstance(one, AskMargin)]
    (told,) = [one for one in done.decisions if one.verb is Verb.HOLD]
    assert "waits 60 s: refused by the broker" in told.reason
    over = evaluate(replace(done.state, quotes=state.quotes), later(10))
    assert [one for one in over.commands if isinstance(one, AskMargin)]
