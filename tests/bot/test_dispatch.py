"""What was decided goes out, unless a switch or a slow disk came between; what reduces risk always does."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.engine.state import EngineState
from bot.events import Connected, Disconnected
from bot.journal.durability import SLOW_S
from bot.journal.writer import Journal, read_records
from bot.review.replay import Replayer
from bot.review.turns import turns
from bot.switch import KillSwitch
from market.order import OrderStatus
from strategies import iron_condor
from tests.bot.daemon_desk import START, TEN_MINUTES, Desk, one_condor_is_wanted, play, wants_one_condor
from tests.bot.engine.looking import wish

MINUTE = timedelta(minutes=1)
WALKING = replace(wish(), limit_worst=-5.75)


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


def moves(desk: Desk) -> tuple[list[float], list[float], int]:
    """Limits that were decided for orders at work, those that were withheld, and how many went out."""
    decided = [one.body["limit"] for one in desk.records("ReplaceOrder")]
    withheld = [one.body["limit"] for one in desk.records("MoveWithheld")]
    return decided, withheld, desk.broker_of_record().calls.count("replace")


async def halfway(
    desk: Desk, in_commit: Callable[[Journal], float], until: datetime = START + MINUTE
) -> EngineState:
    """A run in which the record of each move takes as long as `in_commit` says."""
    seen = 0

    async def commit(journal: Journal) -> None:
        nonlocal seen
        journal.commit()
        records = len(desk.records("ReplaceOrder"))
        if records > seen:
            seen = records
            await asyncio.sleep(in_commit(journal))

    desk.fills, desk.rules = False, {"condor": {"entry_walk_s": 100}}
    return await desk.trade(until, commit=commit)


@pytest.fixture
def _walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The condor that is wanted may cost a little more than it is first bid for."""
    monkeypatch.setattr(iron_condor, "evaluate", partial(wants_one_condor, wanted=WALKING))


@pytest.mark.usefixtures("_walks")
def test_a_move_withheld_for_a_slow_record_leaves_the_limit_that_stands_at_the_broker(desk: Desk) -> None:
    slow = iter([SLOW_S + 0.1])
    state = play(desk, lambda: halfway(desk, lambda _: next(slow, 0.0)))
    decided, withheld, sent = moves(desk)
    assert (decided, withheld, sent) == ([-5.95], [-5.95], 0)
    (told,) = not_sent(desk)
    assert told.endswith("its record took too long, the price is one of before")
    said = [(one.body["verb"], one.body["limit"]) for one in desk.records("Decision")]
    at = said.index(("reprice", -6.0))
    assert said[at + 1] == ("cancel", -6.0)  # the slow disk reduces trading
    first = next(iter(state.orders.values()))
    assert (first.order.limit, first.steps) == (-6.0, 0)
    again = Replayer(EngineState())
    assert all(again.take(turn).divergence is None for turn in turns(read_records(desk.folder)))
    assert again.state.orders == state.orders


@pytest.mark.usefixtures("_walks")
def test_a_move_the_broker_did_not_take_is_decided_again(desk: Desk) -> None:
    turns_down = iter([False, True])

    def look(_: Journal) -> float:
        failing = desk.broker_of_record().failing
        failing.discard("replace")
        failing.update(["replace"] if next(turns_down, False) else [])
        return 0.0

    state = play(desk, lambda: halfway(desk, look, START + 2 * MINUTE))
    decided, withheld, _ = moves(desk)
    assert decided[:4] == [-5.95, -5.9, -5.9, -5.85]
    assert withheld == [-5.9]
    (line,) = state.orders.values()
    assert (line.order.limit, line.steps) == (decided[-1], len(decided) - 1)


@pytest.mark.usefixtures("_walks")
def test_a_move_is_withheld_when_the_link_went_and_came_back_while_it_was_recorded(desk: Desk) -> None:

    def flap(_: Journal) -> float:
        broker = desk.broker_of_record()
        broker.epoch += 1
        broker.sink(Disconnected("1100"))
        broker.sink(Connected(broker.account, broker.epoch))
        return 0.0

    state = play(desk, lambda: halfway(desk, flap))
    decided, withheld, sent = moves(desk)
    assert (len(decided), withheld, sent) == (1, decided, 0)
    (told,) = not_sent(desk)
    assert told.endswith("the connection was lost and came back since it was decided")
    first = next(iter(state.orders.values()))
    assert first.order.limit == first.limit_first
    assert first.order.status is OrderStatus.CANCELLED  # never moved again


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
