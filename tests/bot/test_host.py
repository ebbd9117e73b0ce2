"""The machine under the daemon: clocks that jump and disks that fill or are slow reduce trading meanwhile."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.engine.state import EngineState
from bot.journal.writer import Journal
from market.order import OrderStatus
from risk.state import Cause
from tests.bot.daemon_desk import START, Desk, one_condor_is_wanted, play


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty journal."""
    return Desk(tmp_path / "journal")


class Steppable:
    """A machine's clock that somebody may set."""

    def __init__(self, true: VirtualClock) -> None:
        self.true = true
        self.off = timedelta(0)

    def now(self) -> datetime:
        """The time it shows."""
        return self.true.now() + self.off

    async def sleep_until(self, time: datetime) -> None:
        """Not needed here."""
        await self.true.sleep_until(time - self.off)


@pytest.mark.parametrize("seconds", [3.0, -3600.0, 3 * 3600.0])
def test_a_jump_of_the_clock_reduces_trading_until_the_brokers_time_and_books_are_heard(
    desk: Desk, seconds: float
) -> None:
    async def script() -> EngineState:
        clock = Steppable(desk.broker().clock)
        asyncio.get_running_loop().call_later(60.0, setattr, clock, "off", timedelta(seconds=seconds))
        return await desk.trade(START + timedelta(minutes=3), host_clock=clock)

    state = play(desk, script)
    told = [record.body for record in desk.records("HostReported")]
    assert [(one["condition"], bool(one["detail"])) for one in told] == [("clock", True), ("clock", False)]
    assert state.risk.causes == ()
    kinds = [record.kind for record in desk.records("HostReported", "Reconciled")]
    assert kinds[-1] == "Reconciled"
    assert state.reconciled


def test_a_clock_that_drifts_is_no_jump(desk: Desk) -> None:
    async def script() -> EngineState:
        clock = Steppable(desk.broker().clock)
        for second in range(100):
            off = timedelta(seconds=-0.05 * second)
            asyncio.get_running_loop().call_later(float(second), setattr, clock, "off", off / 4)
        return await desk.trade(START + timedelta(minutes=3), host_clock=clock)

    play(desk, script)
    assert desk.records("HostReported") == []


def test_a_jump_while_the_gateway_does_not_answer_stays_until_it_does(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        clock = Steppable(broker.clock)
        loop = asyncio.get_running_loop()
        loop.call_later(59.0, broker.failing.update, ("heartbeat", "connect"))
        loop.call_later(60.0, setattr, clock, "off", timedelta(hours=1))
        loop.call_later(120.0, broker.failing.clear)
        return await desk.trade(START + timedelta(minutes=5), host_clock=clock)

    state = play(desk, script)
    raised, lifted = desk.records("HostReported")
    assert desk.seconds_of(raised) < 70.0
    assert desk.seconds_of(lifted) >= 120.0
    assert state.risk.causes == ()


def test_a_disk_that_fills_reduces_trading_and_cancels_what_opens_until_there_is_room(desk: Desk) -> None:
    free = [2**40]

    async def script() -> EngineState:
        desk.fills = False
        loop = asyncio.get_running_loop()
        loop.call_later(20.0, free.__setitem__, 0, 63 * 2**20)
        loop.call_later(60.0, free.__setitem__, 0, 65 * 2**20)
        state = await desk.trade(START + timedelta(seconds=58), free_bytes=lambda: free[0])
        assert [cause for cause, _ in state.risk.causes] == [Cause.DISK]
        assert [line.order.status for line in state.orders.values()] == [OrderStatus.CANCELLED]
        return await desk.trade(START + timedelta(minutes=2), free_bytes=lambda: free[0])

    assert play(desk, script).risk.causes == ()


def test_a_commit_that_takes_more_than_half_a_second_reduces_trading_for_a_while(desk: Desk) -> None:
    delay_s = [0.0]

    async def commit(journal: Journal) -> None:
        await asyncio.sleep(delay_s[0])
        journal.commit()

    async def script() -> EngineState:
        loop = asyncio.get_running_loop()
        loop.call_later(30.0, delay_s.__setitem__, 0, 0.6)
        loop.call_later(40.0, delay_s.__setitem__, 0, 0.4)
        return await desk.trade(START + timedelta(minutes=2), commit=commit)

    state = play(desk, script)
    details = [record.body["detail"] for record in desk.records("HostReported")]
    assert ["more than 0.5 s" in detail for detail in details] == [True, False]
    assert state.risk.causes == ()
