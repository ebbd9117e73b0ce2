"""A daemon that dies at every commit of its journal, at four points of it, and is started again."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.journal.writer import Journal, read_records
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from risk.state import TradingState
from simulator.stochastic import StochasticMarket
from tests.scenarios.quick_rules import quick_rules
from tests.scenarios.virtual_house import Killer, Point, VirtualHouse

START = datetime(2026, 3, 2, 9, 58, tzinfo=MARKET_TZ).astimezone(UTC)
TRADING = timedelta(minutes=5)
SETTLING = timedelta(minutes=4)  # in which orders that never arrived are proved lost
# Every crash point: ALVH_CRASH_STRIDE=1. Otherwise every so-many-th, another one for each kind of point.
STRIDE = int(os.environ.get("ALVH_CRASH_STRIDE", "16"))


def house(folder: Path) -> VirtualHouse:
    market = StochasticMarket(3, START, 5.0, "calm")
    return VirtualHouse(folder / "journal", market, START, quick_rules(folder, walk_s=25, final=0.9))


def settled(folder: Path, kills: list[Killer]) -> VirtualHouse:
    """Run through the kills; afterwards everything is known, everything is explained, and trading is open."""
    made = house(folder)
    state, venue = made.run(kills, START + TRADING + SETTLING)
    assert state.risk.trading is TradingState.ACTIVE, state.risk.causes
    at_broker = {reference for reference, _ in venue.orders}
    for record in read_records(made.journal):
        if record.kind == "PlaceOrder" and record.body["order_ref"] not in at_broker:
            assert state.orders[record.body["order_ref"]].order.status is OrderStatus.LOST
    return made


@pytest.fixture(scope="module")
def boundaries(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Commits of the scenario when nothing dies."""
    made = settled(tmp_path_factory.mktemp("whole"), [])
    kinds = [record.kind for record in read_records(made.journal)]
    assert {"PlaceOrder", "ReplaceOrder", "CancelOrder", "Executed"} <= set(kinds)
    return made.killers[0].count


@pytest.mark.parametrize("point", list(Point))
def test_a_crash_at_any_commit_loses_nothing_and_doubles_nothing(
    tmp_path: Path, boundaries: int, point: Point
) -> None:
    first = list(Point).index(point)
    last = boundaries - (point is Point.BEFORE_ACK)  # behind the very last commit there is nothing to cut off
    for at in range(1 + first % STRIDE, last + 1, STRIDE):
        folder = tmp_path / str(at)
        folder.mkdir()
        made = settled(folder, [Killer(at, point)])
        assert made.lives == 2, f"no crash at commit {at}"


@pytest.mark.parametrize("point", list(Point))
def test_crash_after_crash_loses_nothing_and_doubles_nothing(tmp_path: Path, point: Point) -> None:
    # The first commit of a life is its start, the second its first look; orders come from the third on.
    kills = [Killer(at, point) for at in (6, 2, 4, 1, 3, 5, 2, 7, 3)]
    assert settled(tmp_path, kills).lives == len(kills) + 1


def test_a_disk_that_only_claims_to_have_written_is_found_out(tmp_path: Path) -> None:
    class Liar(Killer):
        async def commit(self, journal: Journal) -> None:
            batch = journal.take()
            if self.count or b'"kind":"PlaceOrder"' in b"".join(data for _, data in batch.runs):
                self.count += 1
                asyncio.get_running_loop().call_later(1.0, self.die)
            else:
                journal.write(batch)

    with pytest.raises(AssertionError, match="without a durable intent"):
        settled(tmp_path, [Liar()])
