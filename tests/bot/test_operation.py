"""A person at the running daemon: halting is immediate and lasts, resuming needs books that agree."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.engine.state import EngineState
from bot.journal.writer import read_records
from bot.switch import KillSwitch
from market.order import OrderStatus
from risk.state import Cause, TradingState
from tests.bot.daemon_desk import START, Desk, one_condor_is_wanted, play


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty journal and the switch beside it."""
    return Desk(tmp_path / "journal")


MINUTE = timedelta(minutes=1)


def life(
    desk: Desk, *at: tuple[float, Callable[[KillSwitch], object]], until: timedelta = 2 * MINUTE
) -> EngineState:
    """One clean run in which a person does something at some seconds."""

    async def script() -> EngineState:
        loop = asyncio.get_running_loop()
        switch = KillSwitch(desk.folder)
        desk.broker()
        for second, action in at:
            loop.call_later(second, action, switch)
        return await desk.trade(desk.broker().clock.now() + until, switch=switch)

    state = play(desk, script)
    assert isinstance(state, EngineState)
    return state


def pull(switch: KillSwitch) -> None:
    """Halt."""
    switch.pull("ann", "unsure")


def resume(switch: KillSwitch) -> None:
    """Ask to trade again."""
    switch.ask_resume("ann", "seen")


def test_a_halt_is_on_the_disk_within_a_tenth_of_a_second_and_cancels_what_works(desk: Desk) -> None:
    desk.fills = False
    state = life(desk, (20.02, pull))
    (halt,) = desk.records("OperatorCommanded")
    assert halt.body == {"verb": "halt", "who": "ann", "reason": "unsure"}
    assert 20.02 <= desk.seconds_of(halt) <= 20.12
    (cancel,) = desk.records("CancelOrder")
    assert desk.seconds_of(cancel) == desk.seconds_of(halt)
    assert [line.order.status for line in state.orders.values()] == [OrderStatus.CANCELLED]
    assert len(desk.broker_of_record().placed) == 1


def test_a_flood_of_halts_and_resumes_is_a_few_commands_and_the_halt_is_as_fast_as_ever(desk: Desk) -> None:
    flood = [(20.0 + 0.001 * turn, resume) for turn in range(5_000)]
    halts = [(22.02 + 0.001 * turn, pull) for turn in range(1_000)]
    state = life(desk, *flood, *halts)
    commands = desk.records("OperatorCommanded")
    halted = [desk.seconds_of(one) for one in commands if one.body["verb"] == "halt"]
    assert 22.02 <= halted[0] <= 22.12
    assert len(commands) < 200, "the switch is looked at twenty times a second, whoever writes to it"
    assert len([record for record in desk.records("QuotesTaken") if desk.seconds_of(record) > 25.0]) > 10
    assert state.time is not None


def test_an_order_decided_before_the_daemon_saw_the_halt_is_not_sent(desk: Desk) -> None:
    (desk.folder).mkdir(parents=True)

    async def script() -> None:
        switch = KillSwitch(desk.folder)
        broker = desk.broker()
        first = broker.take_quotes

        def pulled_at_the_last_moment(wanted: bool = False) -> object:
            switch.pull("ann", "this very moment")
            return first(wanted)

        broker.take_quotes = pulled_at_the_last_moment  # type: ignore[assignment]  # the double's own behaviour
        await desk.trade(START + MINUTE, switch=switch)

    play(desk, script)
    assert len(desk.records("PlaceOrder")) == 1
    assert desk.broker_of_record().placed == []
    assert "order.not_sent" in [alert.name for alert in desk.told.alerts]


def test_a_halt_outlives_its_file_and_the_process(desk: Desk) -> None:
    async def script() -> EngineState:
        loop = asyncio.get_running_loop()
        switch = KillSwitch(desk.folder)
        loop.call_later(0.5, pull, switch)
        loop.call_later(1.0, switch.reset)
        await desk.trade(START + MINUTE, switch=switch)
        return await desk.trade(START + 2 * MINUTE, switch=switch)

    state = play(desk, script)
    assert state.risk.trading is TradingState.HALTED
    assert len(desk.records("OperatorCommanded")) == 1


def test_a_file_that_is_there_at_the_start_halts_before_anything_is_ordered(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    (desk.folder / "HALT").touch()
    state = life(desk)
    assert dict(state.risk.causes)[Cause.OPERATOR] == "a file: HALT is there"
    assert desk.broker_of_record().placed == []


def test_a_resume_reconciles_first_and_trades_again(desk: Desk) -> None:
    state = life(desk, (0.5, pull), (30.0, resume))
    assert state.risk.trading is TradingState.ACTIVE
    switch = KillSwitch(desk.folder)
    assert not switch.is_pulled
    assert switch.resume_asked() is None
    kinds = [record.kind for record in read_records(desk.folder)]
    last = len(kinds) - 1 - kinds[::-1].index("OperatorCommanded")
    assert kinds[last - 1] == "Reconciled"
    assert switch.standing()["trading"] == "active"


def test_a_resume_is_refused_while_the_positions_differ_and_the_beat_says_why(desk: Desk) -> None:
    def forget_a_leg(_: KillSwitch) -> None:
        desk.broker_of_record().executions.pop()

    state = life(desk, (30.0, pull), (40.0, forget_a_leg), (50.0, resume))
    assert state.risk.trading is TradingState.HALTED
    switch = KillSwitch(desk.folder)
    assert switch.is_pulled
    assert switch.resume_asked() is None
    assert "journal 1, broker 0" in switch.standing()["told"]


def test_a_resume_is_refused_when_the_broker_does_not_answer(desk: Desk) -> None:
    def mute(_: KillSwitch) -> None:
        desk.broker_of_record().failing.add("reconcile")

    state = life(desk, (30.0, pull), (40.0, mute), (50.0, resume))
    assert state.risk.trading is TradingState.HALTED
    assert "cannot be had" in KillSwitch(desk.folder).standing()["told"]


def test_a_halt_does_not_wait_for_a_slow_broker(desk: Desk) -> None:
    async def script() -> None:
        broker = desk.broker()
        switch = KillSwitch(desk.folder)
        loop = asyncio.get_running_loop()

        async def slow() -> object:
            await asyncio.sleep(5.0)
            return broker.clock.now()

        broker.heartbeat = slow  # type: ignore[method-assign, assignment]  # the double's own behaviour
        loop.call_later(20.0, setattr, broker, "silent", True)
        loop.call_later(31.0, switch.pull, "ann", "unsure")
        await desk.trade(START + MINUTE, switch=switch)

    play(desk, script)
    (halt,) = desk.records("OperatorCommanded")
    assert 31.0 <= desk.seconds_of(halt) <= 31.1
