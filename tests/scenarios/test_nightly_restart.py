"""A gateway that restarts by itself each night, as its user set it, and a daemon that lives through it."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from bot.journal.segments import read_records
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from risk.state import TradingState
from simulator.stochastic import StochasticMarket
from tests.scenarios.quick_rules import quick_rules
from tests.scenarios.virtual_house import VirtualHouse

START = datetime(2026, 3, 2, 15, 30, tzinfo=MARKET_TZ).astimezone(UTC)
INTERVAL_S = 60.0


def test_a_daemon_lives_through_the_gateways_restarts_of_two_nights_and_trades_on(tmp_path: Path) -> None:
    market = StochasticMarket(3, START, INTERVAL_S, "calm")
    rules = quick_rules(tmp_path, walk_s=600, final=0.9)
    house = VirtualHouse(tmp_path / "journal", market, START, rules, INTERVAL_S)
    house.restart = time(23, 45)
    state, venue = house.run([], START + timedelta(days=1, hours=19))
    assert house.lives == 1
    assert venue.orders
    lost = [
        datetime.fromisoformat(record.time).astimezone(MARKET_TZ)
        for record in read_records(house.journal)
        if record.kind == "Disconnected"
    ]
    assert [(moment.day, moment.hour, moment.minute) for moment in lost] == [(2, 23, 45), (3, 23, 45)]
    assert state.connected
    assert state.reconciled
    assert state.risk.trading is TradingState.ACTIVE, state.risk.causes
    sent = {line.sent_at.astimezone(MARKET_TZ).day for line in state.orders.values()}
    assert sent == {3, 4}, "it trades on after each night"
    assert OrderStatus.UNKNOWN not in {line.order.status for line in state.orders.values()}
