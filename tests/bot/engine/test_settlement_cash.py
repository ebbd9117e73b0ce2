"""The cash of an expiry: what is due is bounded by the level that was seen, and missing cash is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.engine.settlement_cash import judge_cash, note_expired
from bot.engine.state import EngineState
from bot.events import AccountTaken, Alert, Executed
from market.contract import Contract, Right, SecurityType
from market.order import Fill
from market.quote import Quote
from tests.bot.engine.desk import NOW, SPX, after, known, ready, take
from tests.risk.book import option

EXPIRY = date(2020, 2, 5)
CLOSE = datetime(2020, 2, 5, 21, 0, tzinfo=UTC)  # 16:00 in New York
DUE = datetime(2020, 2, 6, 14, 30, tzinfo=UTC)  # 09:30 of the next session
LEVEL = 3000.0
VIX = Contract(SecurityType.INDEX, "VIX", exchange="CBOE", con_id=2)
VX = Contract(SecurityType.FUTURE, "VIX", "VX", date(2020, 3, 18), multiplier=1000, con_id=500)


def cash(usd: float) -> AccountTaken:
    """The account's figures with this cash."""
    return AccountTaken(1e6, usd, 0.0, 0.0)


def bought(contract: Contract, count: int = 1, price: float = 10.0, time: datetime = NOW) -> Executed:
    """An execution of a leg that nobody watches."""
    return Executed(
        Fill(f"{contract.con_id}{time:%d%H}.01", "", 5, contract.con_id, count, price, time), contract
    )


def holding(
    strike: float, count: int = 1, level: float | None = LEVEL, right: Right = Right.CALL
) -> EngineState:
    """One option held up to its settlement; the index at `level` then; 500,000 of cash before."""
    state = after(ready(), bought(option(strike, right, expiry=EXPIRY), count))
    state = after(state, cash(500_000.0), time=CLOSE - timedelta(minutes=1))
    quotes = {SPX.con_id: Quote(None, None, level, CLOSE)} if level is not None else {}
    state = replace(state, quotes=quotes, connected=True)
    return after(state, cash(500_000.0), time=CLOSE + timedelta(minutes=1))


def told(state: EngineState, usd: float, time: datetime) -> tuple[EngineState, list[tuple[str, str]]]:
    """The state behind account figures, and what was told of settlements."""
    done = take(state, cash(usd), time)
    alerts = [one for one in done.commands if isinstance(one, Alert) and one.name.startswith("settlement.")]
    return done.state, [(one.level, one.name) for one in alerts]


LATE, ARRIVED = [("error", "settlement.late")], [("info", "settlement.arrived")]


def test_cash_that_came_by_the_next_open_is_not_told() -> None:
    # 100 points in the money, to a quarter of a percent of the level: 9,250 to 10,750 USD.
    state = holding(2900.0)
    (due,) = state.settling.values()
    assert (due.name, due.due_at, due.low_usd, due.high_usd) == ("SPXW 2020-02-05", DUE, 9250.0, 10750.0)
    state, alerts = told(state, 510_000.0, DUE)
    assert (alerts, state.settling, state.settling_since) == ([], {}, None)


def test_cash_that_is_missing_at_the_next_open_is_told_once_a_session_until_it_comes() -> None:
    state, alerts = told(holding(2900.0), 500_000.0, DUE - timedelta(seconds=1))
    assert alerts == []
    state, alerts = told(state, 500_000.0, DUE)
    assert alerts == LATE
    state, alerts = told(state, 500_000.0, DUE + timedelta(hours=2))
    assert alerts == []
    state, alerts = told(state, 500_000.0, DUE + timedelta(days=1))
    assert alerts == LATE
    state, alerts = told(state, 510_000.0, DUE + timedelta(days=1, hours=1))
    assert (alerts, state.settling) == (ARRIVED, {})


def test_the_alert_names_the_expiry_and_both_amounts() -> None:
    done = take(holding(2900.0), cash(500_050.0), DUE)
    texts = [one.text for one in done.commands if isinstance(one, Alert)]
    assert texts == ["SPXW 2020-02-05: +50.00 USD came, at least +9250.00 was due"]
    done = take(holding(2900.0, -1), cash(500_050.0), DUE)
    texts = [one.text for one in done.commands if isinstance(one, Alert)]
    assert texts == ["SPXW 2020-02-05: +50.00 USD came, at most -9250.00 was due"]


def test_an_amount_that_has_to_be_paid_is_missed_as_well() -> None:
    assert told(holding(2900.0, -1), 500_000.0, DUE)[1] == LATE
    assert told(holding(2900.0, -1), 490_000.0, DUE)[1] == []


@pytest.mark.parametrize("strike", [3100.0, 3000.0])
def test_nothing_is_due_for_what_may_have_expired_worthless(strike: float) -> None:
    state, alerts = told(holding(strike), 500_000.0, DUE)
    assert (alerts, state.settling) == ([], {})


def test_what_trades_and_commissions_moved_is_not_taken_for_the_settlement() -> None:
    state = holding(2900.0)
    other = option(2950.0, Right.PUT, expiry=date(2020, 3, 20))
    trade = bought(other, -10, 10.0, CLOSE + timedelta(minutes=5))
    state = after(state, replace(trade, fill=replace(trade.fill, commission=6.5)), time=CLOSE)
    assert told(state, 509_993.5, DUE)[1] == LATE  # the premium alone
    assert told(state, 519_993.5, DUE)[1] == []


def test_without_a_level_within_the_hour_nothing_is_judged_and_that_is_told() -> None:
    state = holding(2900.0, level=None)
    assert [due.low_usd for due in state.settling.values()] == [None]
    late = replace(state, quotes={SPX.con_id: Quote(None, None, LEVEL, DUE)})
    state, alerts = told(late, 500_000.0, DUE)
    assert (alerts, state.settling) == ([("warning", "settlement.unchecked")], {})


def test_an_option_that_is_still_shown_behind_its_deadline_is_not_told_of_again() -> None:
    for state in (holding(2900.0, level=None), holding(3100.0)):
        told_of, _ = told(state, 500_000.0, DUE)
        assert told_of.portfolio.positions() != {}
        again, alerts = told(told_of, 500_000.0, DUE + timedelta(seconds=30))
        assert (alerts, again.settling, again.settling_since) == ([], {}, None)


def test_an_option_that_settled_while_the_daemon_was_down_past_its_deadline_is_told_once() -> None:
    state = after(ready(), bought(option(2900.0, Right.CALL, expiry=EXPIRY)))
    state = after(state, cash(500_000.0), time=CLOSE - timedelta(minutes=1))
    state, alerts = told(state, 500_000.0, DUE + timedelta(hours=1))
    assert alerts == [("warning", "settlement.unchecked")]
    assert told(state, 500_000.0, DUE + timedelta(hours=1, seconds=30))[1] == []


def test_a_level_that_is_seen_within_the_hour_is_taken() -> None:
    state = holding(2900.0, level=None)
    state = replace(state, quotes={SPX.con_id: Quote(None, None, LEVEL, CLOSE)})
    state = after(state, cash(500_000.0), time=CLOSE + timedelta(minutes=59))
    assert [due.low_usd for due in state.settling.values()] == [9250.0]


@pytest.mark.parametrize("is_held", [True, False])
def test_a_future_that_moves_the_cash_leaves_it_unjudged(is_held: bool) -> None:
    state = holding(2900.0)
    state = after(state, bought(VX, 1, 20.0, CLOSE + timedelta(minutes=5)), time=CLOSE)
    if not is_held:
        state = after(state, bought(VX, -1, 20.0, CLOSE + timedelta(minutes=65)), time=CLOSE)
    assert told(state, 500_000.0, DUE)[1] == [("warning", "settlement.unchecked")]


def test_after_a_week_it_is_told_for_the_last_time() -> None:
    state, _ = told(holding(2900.0), 500_000.0, DUE)
    state, alerts = told(state, 500_000.0, DUE + timedelta(days=7, seconds=1))
    assert (alerts, state.settling) == ([("error", "settlement.missing")], {})


def test_positions_the_broker_has_dropped_are_noted_before_they_are_forgotten() -> None:
    state = after(ready(), bought(option(2900.0, Right.CALL, expiry=EXPIRY)))
    state = after(state, cash(500_000.0), time=CLOSE - timedelta(minutes=1))
    state = after(state, known(), time=CLOSE + timedelta(minutes=1))
    assert state.portfolio.positions() == {}
    assert list(state.settling) == ["SPXW 2020-02-05"]
    assert state.settling_cash_usd == 500_000.0


def test_a_second_expiry_before_the_first_ones_deadline_does_not_excuse_it() -> None:
    state = holding(2900.0)
    later = DUE + timedelta(days=1)
    (first,) = state.settling.values()
    for low, came, alerts in ((8000.0, 509_200.0, []), (-8000.0, 501_500.0, []), (8000.0, 500_000.0, LATE)):
        second = replace(first, name="SPXW 2020-02-06", due_at=later, low_usd=low, high_usd=low)
        both = replace(state, settling={first.name: first, second.name: second})
        after_both, found = told(both, came, DUE)
        assert found == alerts
        assert list(after_both.settling) == [first.name, second.name]


def test_cash_of_two_expiries_counts_from_the_first_ones_figures() -> None:
    state = after(holding(2900.0), bought(option(2950.0, Right.CALL, expiry=date(2020, 2, 6))), time=CLOSE)
    state = after(state, cash(499_000.0), time=CLOSE + timedelta(minutes=5))
    state = after(state, cash(499_000.0), time=CLOSE + timedelta(days=1, minutes=5))
    assert list(state.settling) == ["SPXW 2020-02-05", "SPXW 2020-02-06"]
    assert state.settling_cash_usd == 500_000.0


@pytest.mark.parametrize(
    ("contract", "level", "low_usd"),
    [
        (option(20.0, Right.CALL, "VIX", date(2020, 2, 19)), 30.0, 700.0),  # 27 at least
        (option(2900.0, Right.CALL, "SPX", date(2020, 2, 21)), 3000.0, 7000.0),  # 2970 at least
    ],
)
def test_a_morning_settlement_is_bounded_more_widely(
    contract: Contract, level: float, low_usd: float
) -> None:
    time = datetime(2020, 2, 21, 14, 31, tzinfo=UTC)
    state = after(ready(), bought(contract), cash(500_000.0))
    state = replace(state, contracts={**state.contracts, VIX.con_id: VIX})
    index = VIX if contract.symbol == "VIX" else SPX
    state = replace(state, quotes={index.con_id: Quote(None, None, level, time)})
    if contract.symbol == "VIX":
        time = datetime(2020, 2, 19, 14, 31, tzinfo=UTC)
    (due,) = note_expired(state, time).settling.values()
    assert due.low_usd == low_usd


def test_xsp_is_a_tenth_of_the_index() -> None:
    contract = replace(option(290.0, Right.CALL, "XSP", EXPIRY), symbol="XSP")
    state = after(ready(), bought(contract), cash(500_000.0))
    state = replace(state, quotes={SPX.con_id: Quote(None, None, LEVEL, CLOSE)})
    (due,) = note_expired(state, datetime(2020, 2, 6, 6, 0, tzinfo=UTC)).settling.values()
    assert due.due_at == DUE
    assert due.low_usd is None  # its settlement is over an hour old
    (due,) = note_expired(state, CLOSE + timedelta(minutes=16)).settling.values()
    assert due.low_usd == 925.0


def test_a_class_our_calendar_does_not_know_is_due_at_the_next_open() -> None:
    contract = replace(option(2900.0, Right.CALL, expiry=date(2020, 2, 8)), trading_class="XYZ")
    state = after(ready(), bought(contract), cash(500_000.0))
    (due,) = note_expired(state, datetime(2020, 2, 9, 6, 0, tzinfo=UTC)).settling.values()
    assert due.due_at == datetime(2020, 2, 9, 14, 30, tzinfo=UTC)  # a Saturday's: nobody knows better


def test_without_account_figures_or_options_nothing_is_noted() -> None:
    state = after(ready(), bought(option(2900.0, Right.CALL, expiry=EXPIRY)))
    assert note_expired(replace(state, account=None), DUE).settling == {}
    assert note_expired(state, CLOSE - timedelta(seconds=1)).settling == {}
    stock = Contract(SecurityType.STOCK, "SPY", con_id=7)
    assert note_expired(after(ready(), bought(stock)), DUE).settling == {}
    assert judge_cash(state, DUE).commands == ()
