"""A gateway without its broker, or without quotes: it is waited for, told of, and greeted anew."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.engine.state import EngineState
from bot.errors import LinkDownError
from bot.events import Connected
from risk.state import TradingState
from tests.bot.daemon_desk import START, Desk, one_condor_is_wanted, play


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


def outages(desk: Desk) -> list[datetime]:
    """When an outage was told."""
    return [at for at, alert in desk.told.alerted if alert.name == "broker.outage"]


def test_a_daemon_started_in_an_outage_waits_for_the_broker_and_tells_the_outage(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal")

    async def script() -> EngineState:
        broker = desk.broker()
        greet = broker.connect

        async def connect() -> Connected:
            if broker.clock.now() < START + timedelta(minutes=7):
                raise LinkDownError("the gateway has no connection to the broker")
            return await greet()

        broker.connect = connect  # type: ignore[method-assign]  # the double's own behaviour
        return await desk.trade(START + timedelta(minutes=15))

    state = play(desk, script)
    assert state.connected
    assert state.reconciled
    assert state.risk.trading is TradingState.ACTIVE
    assert len(outages(desk)) == 1
    assert desk.seconds_of(desk.records("Connected")[0]) < 8.2 * 60.0


def test_a_gateway_that_answers_and_sends_no_quotes_is_greeted_anew_ever_more_rarely(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", interval_s=60.0)

    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(60.0, setattr, broker, "silent", True)
        loop.call_later(3600.0, setattr, broker, "silent", False)
        return await desk.trade(START + timedelta(hours=2))

    state = play(desk, script)
    left = [desk.seconds_of(one) / 60.0 for one in desk.records("Disconnected")]
    waits = [round(after - before) for before, after in pairwise(left)]
    assert waits == [3, 5, 9, 17]  # the wait, and as long as it takes to see that nothing comes again
    assert {one.body["reason"] for one in desk.records("Disconnected")} == {
        "the gateway answers and sends no quotes: it is left and greeted anew"
    }
    assert [alert.name for alert in desk.told.alerts].count("broker.no_quotes") == len(left)
    assert state.risk.trading is TradingState.ACTIVE


def test_a_gateway_that_sends_quotes_again_is_not_left_before_a_look_at_the_market_could_see_them(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "journal", interval_s=300.0)

    async def script() -> EngineState:
        broker = desk.broker()
        greet = broker.connect

        async def connect() -> Connected:
            broker.silent = False
            return await greet()

        def be_silent() -> None:
            broker.silent = True
            broker.connect = connect  # type: ignore[method-assign]  # the double's own behaviour

        asyncio.get_running_loop().call_later(60.0, be_silent)
        return await desk.trade(START + timedelta(hours=1))

    state = play(desk, script)
    assert len(desk.records("Disconnected")) == 1
    assert state.risk.trading is TradingState.ACTIVE


def test_a_gateway_that_forgot_the_lines_without_a_word_sends_quotes_again_within_minutes(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "journal")

    async def script() -> EngineState:
        broker = desk.broker()
        greet = broker.connect

        async def connect() -> Connected:
            broker.silent = False
            return await greet()

        broker.connect = connect  # type: ignore[method-assign]  # the double's own behaviour
        asyncio.get_running_loop().call_later(60.0, setattr, broker, "silent", True)
        return await desk.trade(START + timedelta(minutes=10))

    state = play(desk, script)
    (left,) = desk.records("Disconnected")
    assert desk.seconds_of(left) < 60.0 + 120.0
    assert state.risk.trading is TradingState.ACTIVE
