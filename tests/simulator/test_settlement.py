"""Settlement on the real calendar, to the cent: what a position becomes, on which value, and when."""

from datetime import date, datetime
from typing import Any

import pytest

from market.contract import Contract, Right
from market.sessions import MARKET_TZ
from simulator.days import Ohlc
from simulator.exchange import Exchange
from simulator.instruments import future, option
from simulator.model import Execution, OrderRequest
from simulator.path_market import PathMarket
from tests.simulator.desk import fills, states, values
from tests.simulator.hand_market import ACCOUNT
from tests.simulator.set_days import flat, set_market


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=MARKET_TZ)


class Book:
    """An account on a set market."""

    def __init__(self, start: datetime, last: date, **days: Any) -> None:
        wanted = {
            date.fromisoformat(name.removeprefix("d").replace("_", "-")): row for name, row in days.items()
        }
        self.market: PathMarket = set_market(start, last, wanted)
        self.exchange = Exchange(self.market, ACCOUNT)
        self._next = 1

    def trade(self, contract: Contract, action: str, quantity: int, tif: str = "DAY") -> list[Execution]:
        request = OrderRequest(
            7, self._next, ACCOUNT, contract.con_id, contract.symbol, contract.security_type.value, "SMART",
            "USD", action, quantity, "MKT", None, None, tif, "settle",
        )  # fmt: skip
        self._next += 1
        done = fills(self.exchange.submit(request))
        assert sum(fill.quantity for fill in done) == quantity
        return done

    def go(self, to: datetime) -> None:
        self.market.advance(to)
        self.exchange.match()

    @property
    def cash(self) -> float:
        return values(self.exchange)["TotalCashValue"]

    def settled(self, before: datetime, after: datetime) -> float:
        """Cash that came between two instants, to the cent."""
        self.go(before)
        cash = self.cash
        self.go(after)
        return round(self.cash - cash, 2)

    @property
    def open_positions(self) -> int:
        return sum(1 for line in self.exchange.positions() if line.quantity)


SOQ = Ohlc(5023.45, 5030.0, 4970.0, 4980.1)  # opens above, closes below the strike


def test_an_am_settled_spx_call_pays_on_the_open_of_friday_whatever_the_close() -> None:
    friday = date(2024, 3, 15)
    book = Book(at(date(2024, 3, 14), 11), date(2024, 3, 20), d2024_03_15={"spx": SOQ})
    call = option("SPX", friday, 5000.0, Right.CALL)
    book.trade(call, "BUY", 2)
    assert book.settled(at(friday, 9, 29), at(friday, 9, 31)) == 2 * 100 * 23.45
    assert book.open_positions == 0
    cash = book.cash
    book.go(at(friday, 16, 30))
    assert book.cash == cash


def test_an_am_settled_option_no_longer_trades_on_the_morning_it_settles() -> None:
    friday = date(2024, 3, 15)
    book = Book(at(date(2024, 3, 14), 11), date(2024, 3, 20), d2024_03_15={"spx": SOQ})
    call = option("SPX", friday, 5000.0, Right.CALL)
    assert book.market.is_open(call.con_id)
    book.market.advance(at(date(2024, 3, 14), 16, 16))
    assert not book.market.is_open(call.con_id)
    book.market.advance(at(friday, 9, 30))
    assert not book.market.is_open(call.con_id)


def test_a_pm_settled_short_put_pays_out_on_the_close() -> None:
    friday = date(2024, 3, 15)
    spx = Ohlc(5023.45, 5030.0, 4970.0, 4987.65)
    book = Book(at(date(2024, 3, 14), 11), date(2024, 3, 20), d2024_03_15={"spx": spx})
    book.trade(option("SPXW", friday, 5000.0, Right.PUT), "SELL", 1)
    book.go(at(friday, 9, 31))
    assert book.open_positions == 1
    assert book.settled(at(friday, 15, 59), at(friday, 16, 0)) == -1235.00
    assert book.open_positions == 0


@pytest.mark.parametrize(("close", "cash"), [(5000.0, 0.0), (5000.01, 1.0), (4999.99, 0.0)])
def test_a_strike_pinned_at_the_close_pays_to_the_last_cent(close: float, cash: float) -> None:
    friday = date(2024, 3, 15)
    spx = Ohlc(5010.0, 5020.0, 4990.0, close)
    book = Book(at(date(2024, 3, 14), 11), date(2024, 3, 20), d2024_03_15={"spx": spx})
    book.trade(option("SPXW", friday, 5000.0, Right.CALL), "BUY", 1)
    assert book.settled(at(friday, 15, 59), at(friday, 16, 0)) == cash
    assert book.open_positions == 0


def test_vix_calls_pay_on_the_quotation_of_wednesday_and_not_on_the_index() -> None:
    wednesday = date(2024, 3, 20)
    book = Book(at(date(2024, 3, 18), 11), date(2024, 3, 22), d2024_03_20={"vro": 23.87, "vix": flat(24.5)})
    book.trade(option("VIX", wednesday, 20.0, Right.CALL), "BUY", 10)
    assert book.settled(at(wednesday, 9, 29), at(wednesday, 9, 30)) == 10 * 100 * 3.87
    assert book.open_positions == 0


def test_a_vx_future_ends_at_the_quotation_after_its_daily_margin() -> None:
    wednesday = date(2024, 3, 20)
    book = Book(at(date(2024, 3, 18), 11), date(2024, 3, 22), d2024_03_20={"vro": 23.87})
    before = book.cash
    (fill,) = book.trade(future(wednesday), "BUY", 1)
    assert fill.commission is not None
    book.go(at(date(2024, 3, 18), 16, 1))
    varied = round(before - fill.commission + (20.0 - fill.price) * 1000.0, 2)
    assert book.cash == varied
    assert book.settled(at(wednesday, 9, 29), at(wednesday, 9, 30)) == 3870.00
    assert book.cash == round(before + (23.87 - fill.price) * 1000.0 - fill.commission, 2)
    assert book.open_positions == 0


def test_a_micro_vx_future_ends_at_a_tenth_of_the_money() -> None:
    wednesday = date(2024, 3, 20)
    book = Book(at(date(2024, 3, 18), 11), date(2024, 3, 22), d2024_03_20={"vro": 23.87})
    before = book.cash
    (fill,) = book.trade(future(wednesday, "VXM"), "SELL", 1)
    assert fill.commission is not None
    book.go(at(wednesday, 9, 31))
    assert book.cash == round(before - (23.87 - fill.price) * 100.0 - fill.commission, 2)


def test_on_a_half_day_options_settle_at_one_and_day_orders_end_with_it() -> None:
    friday = date(2024, 11, 29)
    spx = Ohlc(5010.0, 5040.0, 5000.0, 5033.33)
    book = Book(at(friday, 11), date(2024, 12, 3), d2024_11_29={"spx": spx})
    book.trade(option("SPXW", friday, 5000.0, Right.CALL), "BUY", 3)
    resting = OrderRequest(
        7, 90, ACCOUNT, option("SPXW", date(2024, 12, 6), 5000.0, Right.CALL).con_id, "SPX", "OPT", "SMART",
        "USD", "BUY", 1, "LMT", 0.05, None, "DAY", "rest",
    )  # fmt: skip
    book.exchange.submit(resting)
    assert book.settled(at(friday, 12, 59), at(friday, 13, 0)) == 3 * 100 * 33.33
    book.market.advance(at(friday, 13, 16))
    assert states(book.exchange.match()) == ["Cancelled"]


def test_before_good_friday_the_weekly_settles_on_thursdays_close() -> None:
    thursday = date(2024, 3, 28)
    book = Book(at(date(2024, 3, 27), 11), date(2024, 4, 3), d2024_03_28={"spx": flat(5012.34)})
    book.trade(option("SPXW", thursday, 5000.0, Right.CALL), "BUY", 1)
    assert book.settled(at(thursday, 15, 59), at(thursday, 16, 0)) == 1234.00


def test_when_the_third_friday_is_good_friday_the_monthly_settles_on_thursdays_open() -> None:
    thursday = date(2019, 4, 18)
    spx = Ohlc(5007.5, 5010.0, 4990.0, 4995.0)
    book = Book(at(date(2019, 4, 17), 11), date(2019, 4, 24), d2019_04_18={"spx": spx})
    book.trade(option("SPX", thursday, 5000.0, Right.CALL), "BUY", 1)
    assert book.settled(at(thursday, 9, 29), at(thursday, 9, 30)) == 750.00


def test_when_wednesday_is_a_holiday_vix_settles_on_tuesday() -> None:
    tuesday = date(2024, 6, 18)
    book = Book(at(date(2024, 6, 14), 11), date(2024, 6, 24), d2024_06_18={"vro": 21.05})
    book.trade(option("VIX", tuesday, 20.0, Right.CALL), "BUY", 1)
    assert book.settled(at(tuesday, 9, 29), at(tuesday, 9, 30)) == 105.00


def test_when_the_friday_behind_it_is_a_holiday_vix_settles_on_tuesday_too() -> None:
    tuesday = date(2019, 3, 19)  # thirty days before the Thursday that stands for Good Friday
    book = Book(at(date(2019, 3, 18), 11), date(2019, 3, 25), d2019_03_19={"vro": 22.34})
    before = book.cash
    (call,) = book.trade(option("VIX", tuesday, 20.0, Right.CALL), "BUY", 4)
    (vx,) = book.trade(future(tuesday), "SELL", 1)
    assert call.commission == pytest.approx(4 * (0.65 + 0.0388 + 0.055 + vix_fee(call.price)), abs=1e-9)
    assert vx.commission == 0.85 + 1.51 + 0.02
    book.go(at(tuesday, 9, 29))
    assert not book.market.is_open(call.con_id)
    assert not book.market.is_open(vx.con_id)
    book.go(at(tuesday, 9, 30))
    paid = -4 * 100 * call.price - (call.commission or 0.0) + 1000 * vx.price - 2.38
    assert book.cash == round(before + paid + 4 * 234.00 - 22_340.00, 2)
    assert book.open_positions == 0


def vix_fee(premium: float) -> float:
    """The exchange's own fee for a simple VIX order, by premium (METHOD 5)."""
    tiers = ((0.11, 0.10), (1.0, 0.25), (2.0, 0.45), (1e9, 0.50))
    return next(fee for below, fee in tiers if premium < below)


def test_on_the_eve_of_independence_day_observed_the_weekly_settles_on_thursdays_close() -> None:
    thursday = date(2020, 7, 2)
    book = Book(at(date(2020, 7, 1), 11), date(2020, 7, 9), d2020_07_02={"spx": flat(4987.16)})
    book.trade(option("SPXW", thursday, 5000.0, Right.PUT), "SELL", 2)
    assert book.settled(at(thursday, 15, 59), at(thursday, 16, 0)) == -2568.00
    assert book.open_positions == 0


def test_a_position_goes_over_a_weekend_and_a_holiday_unsettled() -> None:
    book = Book(at(date(2024, 3, 28), 11), date(2024, 4, 8))
    book.trade(option("SPXW", date(2024, 4, 5), 4900.0, Right.CALL), "BUY", 1)
    book.go(at(date(2024, 4, 1), 9, 31))
    assert book.open_positions == 1


def test_the_equity_of_an_expired_position_does_not_change_when_its_cash_is_booked() -> None:
    friday = date(2024, 3, 15)
    book = Book(at(date(2024, 3, 14), 11), date(2024, 3, 20), d2024_03_15={"spx": flat(5050.0)})
    book.trade(option("SPXW", friday, 5000.0, Right.CALL), "BUY", 1)
    book.market.advance(at(friday, 16, 0))
    before = values(book.exchange)["NetLiquidation"]
    book.exchange.match()
    assert values(book.exchange)["NetLiquidation"] == before
