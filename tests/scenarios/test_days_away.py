"""A daemon that was down over midnight or through an expiry, and comes back to books that moved meanwhile."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.engine.state import EngineState
from bot.journal.writer import read_records
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from risk.state import TradingState
from simulator.faults import Fault, FaultKind
from simulator.stochastic import StochasticMarket
from tests.scenarios.quick_rules import quick_rules
from tests.scenarios.virtual_house import Killer, VirtualHouse

START = datetime(2026, 3, 2, 9, 58, tzinfo=MARKET_TZ).astimezone(UTC)
INTERVAL_S = 60.0


def life(
    folder: Path, dies_after_s: float, away: timedelta, final: float, faults: tuple[Fault, ...] = ()
) -> EngineState:
    """Trade, die, stay away, come back; every invariant holds between journal and venue."""
    market = StochasticMarket(3, START, INTERVAL_S, "calm")
    rules = quick_rules(folder, walk_s=600, final=final)
    house = VirtualHouse(folder / "journal", market, START, rules, INTERVAL_S, faults=faults)
    house.away_s = away.total_seconds()
    back = START + timedelta(seconds=dies_after_s) + away
    state, _ = house.run([Killer(after_s=dies_after_s)], back + timedelta(minutes=20))
    assert house.lives == 2
    return state


@pytest.mark.parametrize(
    ("dies_after_s", "days", "adopted"),
    [
        (330.0, 1, 0),  # the order ended with its day
        (690.0, 1, 7),  # it filled unseen: the positions say so
        (690.0, 60, 0),  # it filled unseen and has expired since
    ],
)
def test_an_order_at_work_when_the_daemon_died_is_settled_days_later_and_trading_goes_on_without_a_person(
    tmp_path: Path, dies_after_s: float, days: int, adopted: int
) -> None:
    state = life(tmp_path, dies_after_s, timedelta(days=days), 0.9)
    first = next(iter(state.orders.values()))
    assert first.sent_at < START + timedelta(minutes=10)
    assert first.order.status is (OrderStatus.FILLED if adopted else OrderStatus.CANCELLED)
    assert (first.order.filled, first.adopted) == (adopted, adopted)
    assert state.risk.trading is TradingState.ACTIVE, state.risk.causes
    assert len(state.orders) > 1, "trading does not go on"


def test_a_fill_whose_status_alone_was_told_before_the_daemon_died_is_known_the_next_day(
    tmp_path: Path,
) -> None:
    unheard = Fault(FaultKind.DROP, message="execDetails", times=15)  # as they come, and listed twice
    state = life(tmp_path, 850.0, timedelta(days=1), 1.0, (unheard,))
    first = next(iter(state.orders.values()))
    words = [record.body for record in read_records(tmp_path / "journal") if record.kind == "OrderReported"]
    assert [word["status"] for word in words if word["order_ref"] == first.order.order_ref][-1] == "filled"
    assert (first.order.status, first.order.filled, first.adopted) == (OrderStatus.FILLED, 7, 7)
    assert state.risk.trading is TradingState.ACTIVE, state.risk.causes
    assert len(state.orders) > 1, "trading does not go on"
