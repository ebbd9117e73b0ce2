"""The quick ratio is told once a session, alerts when it falls below its limit, and may be unknown."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.engine.liquidity import watch
from bot.engine.state import EngineState, LiquidityWatch, Step
from bot.events import AccountTaken, Alert
from market.portfolio import Portfolio
from market.quote import Quote
from tests.bot.engine.desk import NOW, SESSION, executions, order_line, ready
from tests.risk.book import condor

ENOUGH, LOW = AccountTaken(1e6, 5e5, 1e4, 1e4), AccountTaken(1e6, 1e4, 1e4, 9e3)


def holding(account: AccountTaken | None = ENOUGH, ask: float | None = 5.0) -> EngineState:
    """An engine that holds two condors, each leg quoted 4.8 to `ask`."""
    legs = condor().legs
    portfolio = Portfolio()
    for event in executions(order_line(), units=2):
        portfolio = portfolio.apply(event.fill)
    contracts = {leg.contract.con_id: leg.contract for leg in legs}
    quotes = {con_id: Quote(None if ask is None else 4.8, ask, None, NOW) for con_id in contracts}
    return ready(portfolio=portfolio, contracts=contracts, quotes=quotes, account=account)


def told(done: Step) -> tuple[str, float | None, bool | None]:
    (decision,) = done.decisions
    (reading,) = decision.readings
    return decision.reason, reading.value, reading.fired


def alerts(done: Step) -> list[tuple[str, str]]:
    return [(one.level, one.name) for one in done.commands if isinstance(one, Alert)]


def test_it_is_told_once_a_session() -> None:
    first = watch(holding(), NOW)
    reason, value, fired = told(first)
    assert (reason, fired) == ("the quick ratio is sufficient", True)
    # Two shorts and two longs of two units: 500,000 and half of 1,920 over the larger of 2,000 and 10,000.
    assert value == pytest.approx((5e5 + 0.5 * 4 * 480) / 1e4)
    assert alerts(first) == []
    again = watch(first.state, NOW + timedelta(hours=1))
    assert (again.decisions, again.commands, again.state) == ((), (), first.state)
    tomorrow = replace(first.state, session=SESSION + timedelta(days=1))
    assert watch(tomorrow, NOW + timedelta(days=1)).decisions


def test_a_fall_below_the_limit_alerts_at_once_and_so_does_the_way_back() -> None:
    state = watch(holding(), NOW).state
    fallen = watch(replace(state, account=LOW), NOW + timedelta(minutes=1))
    assert told(fallen)[0::2] == ("the quick ratio is low", False)
    assert alerts(fallen) == [("warning", "quick_ratio.low")]
    assert watch(fallen.state, NOW + timedelta(minutes=2)).commands == ()
    back = watch(replace(fallen.state, account=ENOUGH), NOW + timedelta(minutes=3))
    assert alerts(back) == [("info", "quick_ratio.enough")]


def test_a_ratio_that_goes_to_and_fro_at_its_limit_is_told_low_once_a_session() -> None:
    state, found = watch(holding(), NOW).state, []
    for minute in range(1, 9):
        account = LOW if minute % 2 else ENOUGH
        done = watch(replace(state, account=account), NOW + timedelta(minutes=minute))
        state = done.state
        found += alerts(done)
    assert found == [("warning", "quick_ratio.low"), ("info", "quick_ratio.enough")]
    tomorrow = replace(state, session=SESSION + timedelta(days=1), account=LOW)
    assert alerts(watch(tomorrow, NOW + timedelta(days=1))) == [("warning", "quick_ratio.low")]


def test_what_is_held_anew_behind_a_low_ratio_is_measured_anew() -> None:
    low = watch(holding(LOW), NOW).state
    back = watch(replace(low, account=ENOUGH), NOW + timedelta(minutes=1)).state
    flat = watch(replace(back, portfolio=Portfolio()), NOW + timedelta(minutes=2)).state
    anew = watch(replace(flat, portfolio=low.portfolio, account=LOW), NOW + timedelta(minutes=3))
    assert alerts(anew) == [("warning", "quick_ratio.low")]


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(-46, False), (-45, True), (329, True), (330, False)],
    ids=["before 09:45", "at 09:45", "a minute before the close", "at the close"],
)
def test_it_is_measured_when_the_opening_quotes_have_settled_and_until_the_close(
    minutes: int, said: bool
) -> None:
    assert bool(watch(holding(), NOW + timedelta(minutes=minutes)).decisions) is said


def test_without_a_price_of_what_is_held_it_is_unknown_and_told_before_the_close() -> None:
    state = holding(ask=None)
    assert watch(state, NOW).decisions == ()
    late = watch(state, NOW + timedelta(minutes=315))
    assert told(late) == ("the quick ratio is unknown: an option that is held has no price", None, None)
    assert watch(late.state, NOW + timedelta(minutes=316)).decisions == ()
    nameless = replace(holding(), contracts={})
    assert told(watch(nameless, NOW + timedelta(minutes=315)))[2] is None


def test_where_nothing_is_owed_or_held_there_is_nothing_to_tell() -> None:
    state = holding(AccountTaken(1e6, 1e6, 0.0, 0.0), ask=0.0)
    assert watch(state, NOW).decisions == ()
    low = LiquidityWatch(SESSION, is_low=True)
    flat = ready(account=ENOUGH, liquidity=low, portfolio=Portfolio())
    done = watch(flat, NOW)
    assert done.decisions == ()
    assert done.state.liquidity == LiquidityWatch(SESSION, is_low=False)


def with_none(missing: str) -> EngineState:
    changes: dict[str, Any] = {missing: None}
    return replace(holding(), **changes)


@pytest.mark.parametrize("missing", ["parameters", "session", "account"])
def test_without_rules_session_or_figures_nothing_is_measured(missing: str) -> None:
    assert watch(with_none(missing), NOW).decisions == ()


def test_a_session_that_is_over_is_not_measured() -> None:
    weekend: datetime = NOW + timedelta(days=5)
    assert watch(holding(), weekend).decisions == ()
