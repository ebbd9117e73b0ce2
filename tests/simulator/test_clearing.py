"""Positions that move without an order: settlement, variation margin, late values, idle steps."""

from datetime import timedelta

import pytest

from simulator.floor import HouseRules
from simulator.model import (
    AccountChanged,
)
from tests.simulator.desk import errors, fills, last_order, values, venue
from tests.simulator.hand_market import (
    CALL_WING,
    EXPIRY_CLOSE,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    TUESDAY,
    VIX_MORNING,
    VX,
    condor,
    single,
)

# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "owed"), [(4950.0, 0.0), (4750.01, 0.0), (4749.99, 1.0), (4650.0, 5000.0), (5163.37, 1337.0)]
)
def test_a_condor_settles_in_cash_at_the_close_of_its_expiry_and_vanishes(value: float, owed: float) -> None:
    market, exchange = venue()
    opened = fills(exchange.submit(condor("BUY", 1, -11.0)))
    exchange.submit(condor("SELL", 1, -0.05, order_id=2, tif="GTC"))
    cash = values(exchange)["TotalCashValue"]
    market.settle_spx(value)
    market.advance(EXPIRY_CLOSE - timedelta(seconds=1))
    exchange.match()
    assert len(exchange.positions()) == 4
    market.advance(EXPIRY_CLOSE)
    reports = exchange.match()
    assert not fills(reports)
    assert reports[0] == AccountChanged((PUT_WING, SHORT_PUT, SHORT_CALL, CALL_WING))
    assert last_order(reports).reason == "The contract has expired"
    assert exchange.positions() == []
    assert values(exchange)["TotalCashValue"] == pytest.approx(cash - owed, abs=0.001)
    fees = sum(line.commission or 0.0 for line in opened)
    assert values(exchange)["NetLiquidation"] == pytest.approx(1_001_160 - fees - owed, abs=0.01)


def test_the_life_of_a_condor_is_accounted_for_to_the_cent() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 2, -11.0))
    # 2 x 11.60 x 100 received; per leg 2 x (0.65 broker + 0.58 exchange + 0.0388 ORF + 0.055 clearing).
    assert values(exchange)["TotalCashValue"] == round(1_000_000 + 2320.00 - 4 * 2.6476, 2) == 1_002_309.41
    market.settle_spx(4725.37)
    market.advance(EXPIRY_CLOSE)
    exchange.match()
    # The short put of 4750 is 24.63 in the money.
    assert values(exchange)["TotalCashValue"] == round(1_002_309.4096 - 2 * 2463.00, 2) == 997_383.41
    assert values(exchange)["NetLiquidation"] == 997_383.41


def test_settlement_can_be_booked_later_as_the_broker_does_overnight() -> None:
    market, exchange = venue(HouseRules(settlement_lag=timedelta(hours=9)))
    exchange.submit(condor("BUY", 1, -11.0))
    market.settle_spx(4700.0)
    market.advance(EXPIRY_CLOSE)
    exchange.match()
    waiting = values(exchange)
    assert len(exchange.positions()) == 4
    market.advance(EXPIRY_CLOSE + timedelta(hours=9))
    exchange.match()
    assert exchange.positions() == []
    assert values(exchange)["NetLiquidation"] == pytest.approx(waiting["NetLiquidation"], abs=0.01)
    assert values(exchange)["TotalCashValue"] == pytest.approx(waiting["TotalCashValue"] - 5000.0, abs=0.01)


def test_a_late_settlement_value_is_booked_when_it_comes() -> None:
    market, exchange = venue()
    exchange.submit(single(SHORT_PUT, "BUY", 1, None))
    market.advance(EXPIRY_CLOSE + timedelta(minutes=5))
    exchange.match()
    assert len(exchange.positions()) == 1
    market.settlements[SHORT_PUT] = (EXPIRY_CLOSE + timedelta(minutes=6), 4700.0)
    market.advance(EXPIRY_CLOSE + timedelta(minutes=6))
    assert AccountChanged((SHORT_PUT,)) in exchange.match()
    assert exchange.positions() == []


def test_an_expired_contract_is_not_traded() -> None:
    market, exchange = venue()
    market.advance(EXPIRY_CLOSE + timedelta(minutes=1))
    assert errors(exchange.submit(condor("BUY", 1, -11.0))) == [
        (201, "Order rejected - reason:The contract has expired")
    ]


def test_a_vx_future_pays_variation_each_day_and_the_rest_at_its_morning_settlement() -> None:
    market, exchange = venue()
    market.quote(VX, 15.0, 15.05)
    (fill,) = fills(exchange.submit(single(VX, "BUY", 1, None, exchange="CFE")))
    assert fill.commission == 2.38
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38)
    market.advance(TUESDAY.replace(hour=21, minute=0))
    market.quote(VX, 16.0, 16.1)
    assert exchange.match() == [AccountChanged(())]
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38 + 1000)
    assert exchange.match() == ()
    market.settle_vix(17.21)
    market.quote(VX, 16.95, 17.05)
    market.advance(VIX_MORNING)
    exchange.match()
    assert exchange.positions() == []
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 2.38 + 1000 * (17.21 - 15.05))
    assert values(exchange)["NetLiquidation"] == values(exchange)["TotalCashValue"]


def test_a_step_without_orders_and_without_anything_due_asks_the_market_for_no_quote() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -11.0))
    exchange.match()
    asked = market.quote_calls
    for _ in range(100):
        market.advance(market.now + timedelta(seconds=5))
        assert exchange.match() == ()
    assert market.quote_calls == asked
