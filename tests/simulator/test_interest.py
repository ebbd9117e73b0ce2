"""Interest by the night, the month and the payday; the account that starts over."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from simulator.account import Account
from simulator.exchange import Exchange
from simulator.floor import HouseRules
from simulator.interest import CashInterest, pass_nights
from simulator.model import AccountChanged
from simulator.store import Store
from tests.simulator.desk import states, values, venue
from tests.simulator.hand_market import ACCOUNT, PUT_WING, HandMarket, condor, single

RATES = CashInterest(credit_pct=3.6, debit_pct=7.2)


@pytest.mark.parametrize(
    ("cash", "night"),
    [(1_000_000.0, 99.0), (10_000.0, 0.0), (9_000.0, 0.0), (0.0, 0.0), (-50_000.0, -10.0)],
)
def test_a_night_earns_on_what_lies_above_the_first_ten_thousand_and_costs_on_debts(
    cash: float, night: float
) -> None:
    assert RATES.night_usd(cash) == pytest.approx(night)


def test_interest_accrues_by_the_night_is_due_with_the_month_and_is_paid_on_the_third_session() -> None:
    account = Account(ACCOUNT)
    pass_nights(account, RATES, date(2024, 2, 1), date(2024, 2, 29))
    assert account.interest_month_usd == pytest.approx(28 * 99.0)
    pass_nights(account, RATES, date(2024, 2, 29), date(2024, 3, 1))
    assert account.interest_month_usd == 0.0
    assert account.interest_due_usd == pytest.approx(29 * 99.0)
    assert not pass_nights(account, RATES, date(2024, 3, 1), date(2024, 3, 4))
    assert account.cash_usd == 1_000_000.0
    assert pass_nights(account, RATES, date(2024, 3, 4), date(2024, 3, 5))
    assert account.cash_usd == 1_002_871.00
    assert account.interest_due_usd == 0.0
    assert account.interest_month_usd == pytest.approx(4 * 99.0, abs=1.0)


def test_many_nights_at_once_are_the_same_as_one_after_another() -> None:
    one, other = Account(ACCOUNT), Account(ACCOUNT)
    pass_nights(one, RATES, date(2024, 1, 15), date(2024, 5, 15))
    day = date(2024, 1, 15)
    while day < date(2024, 5, 15):
        following = date.fromordinal(day.toordinal() + 1)
        pass_nights(other, RATES, day, following)
        day = following
    assert one.dump() == other.dump()


def test_accrued_interest_is_equity_and_is_shown() -> None:
    market = HandMarket()
    exchange = Exchange(market, ACCOUNT, rules=HouseRules(interest=RATES))
    market.advance(datetime(2024, 2, 7, 15, 0, tzinfo=UTC))
    exchange.match()
    found = values(exchange)
    assert (found["AccruedCash"], found["TotalCashValue"]) == (99.0, 1_000_000.0)
    assert found["NetLiquidation"] == 1_000_099.0


def test_without_rates_cash_earns_nothing() -> None:
    market, exchange = venue()
    market.advance(datetime(2024, 4, 15, 15, 0, tzinfo=UTC))
    exchange.match()
    assert values(exchange)["NetLiquidation"] == 1_000_000.0


def test_interest_outlives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    market = HandMarket()
    with Store(folder) as store:
        exchange = Exchange(market, ACCOUNT, rules=HouseRules(interest=RATES), store=store)
        market.advance(datetime(2024, 2, 7, 15, 0, tzinfo=UTC))
        exchange.match()
        exchange.checkpoint()
    with Store(folder) as store:
        again = Exchange(HandMarket(), ACCOUNT, rules=HouseRules(interest=RATES), store=store)
        assert values(again)["AccruedCash"] == 99.0


def test_an_account_that_starts_over_has_its_cash_and_nothing_else() -> None:
    _, exchange = venue()
    exchange.submit(condor("BUY", 2, -11.0))
    exchange.submit(single(PUT_WING, "BUY", 1, 1.0, order_id=2))
    perm_id = exchange.open_orders(None)[0].perm_id
    reports = exchange.by_hand.reset(500_000.0)
    assert states(reports) == ["PendingCancel", "Cancelled"]
    assert [len(r.con_ids) for r in reports if isinstance(r, AccountChanged)] == [4]
    assert exchange.positions() == []
    assert exchange.open_orders(None) == []
    assert exchange.pnl() == (0.0, 0.0, 0.0)
    assert values(exchange)["NetLiquidation"] == 500_000.0
    exchange.submit(condor("BUY", 1, -20.0, order_id=3))
    assert exchange.open_orders(None)[0].perm_id > perm_id
