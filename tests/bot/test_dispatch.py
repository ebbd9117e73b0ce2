"""What was decided goes out, unless a switch or a slow disk came between; what reduces risk always does."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.engine.state import EngineState
from bot.journal.durability import SLOW_S
from bot.journal.writer import Journal
from bot.switch import KillSwitch
from market.order import OrderStatus
from tests.bot.daemon_desk import START, TEN_MINUTES, Desk, one_condor_is_wanted, play

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty journal."""
    return Desk(tmp_path / "journal")


class SlowDisk:
    """Commits take `seconds` while `is_slow`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_slow: Callable[[], bool] = lambda: True

    async def commit(self, journal: Journal) -> None:
        """Make durable what is there."""
        if self.is_slow():
            await asyncio.sleep(self.seconds)
        journal.commit()


def not_sent(desk: Desk) -> list[str]:
    """Alerts of orders that did not go out."""
    return [alert.text for alert in desk.told.alerts if alert.name == "order.not_sent"]


@pytest.mark.parametrize(("seconds", "is_sent"), [(SLOW_S - 0.1, True), (SLOW_S + 0.1, False)])
def test_an_opening_order_whose_record_took_too_long_is_not_sent_at_its_old_price(
    desk: Desk, seconds: float, is_sent: bool
) -> None:
    async def script() -> EngineState:
        disk = SlowDisk(seconds)
        daemon, journal = desk.daemon(commit=disk.commit)
        once = iter([True])
        disk.is_slow = lambda: bool(daemon.state.orders) and next(once, False)
        await daemon.run(TEN_MINUTES)
        journal.close(daemon.last_time)
        journal.release()
        return daemon.state

    state = play(desk, script)
    outcomes = [line.order.status for line in state.orders.values()]
    assert outcomes == ([] if is_sent else [OrderStatus.LOST]) + [OrderStatus.FILLED]
    assert len(desk.broker_of_record().placed) == 1
    assert len(not_sent(desk)) == (not is_sent)
    for told in not_sent(desk):
        assert told.endswith("its record took too long, the price is one of before")


def test_cancelling_does_not_wait_for_a_better_disk(desk: Desk) -> None:
    desk.fills = False

    async def script() -> EngineState:
        loop = asyncio.get_running_loop()
        disk = SlowDisk(0.0)
        switch = KillSwitch(desk.folder)
        loop.call_later(15.0, setattr, disk, "seconds", 2.0)
        loop.call_later(20.02, switch.pull, "ann", "unsure")
        return await desk.trade(START + MINUTE, commit=disk.commit, switch=switch)

    state = play(desk, script)
    assert [line.order.status for line in state.orders.values()] == [OrderStatus.CANCELLED]
    assert not_sent(desk) == []


def test_a_stop_in_the_midst_of_a_halt_still_cancels_what_the_halt_cancels(desk: Desk) -> None:
    desk.fills = False

    async def script() -> EngineState:
        loop = asyncio.get_running_loop()
        disk = SlowDisk(0.0)
        switch = KillSwitch(desk.folder)
        daemon, journal = desk.daemon(commit=disk.commit, switch=switch)
        loop.call_later(20.0, setattr, disk, "seconds", 0.4)
        loop.call_later(20.02, switch.pull, "ann", "unsure")
        loop.call_later(20.2, daemon.stop, "SIGTERM")
        await daemon.run()
        journal.close(daemon.last_time)
        journal.release()
        return daemon.state

    state = play(desk, script)
    (cancel,) = desk.records("CancelOrder")
    assert 20.0 < desk.seconds_of(cancel) < 20.2
    assert [line.order.status for line in state.orders.values()] == [OrderStatus.CANCELLED]
