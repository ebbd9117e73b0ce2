"""The life of a connection: tried ever more slowly, an outage told, and a stop that never waits for it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.connection import RECONNECT_MAX_S, back_off_s
from bot.engine.state import EngineState
from bot.errors import NotPaperAccountError, ReadOnlyApiError
from bot.events import Connected, Disconnected, PositionMoved, Reconciled
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from risk.state import TradingState
from tests.bot.daemon_desk import START, Desk, one_condor_is_wanted, play


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


def outages(desk: Desk) -> list[datetime]:
    """When an outage was told."""
    return [at for at, alert in desk.told.alerted if alert.name == "broker.outage"]


def test_waits_double_up_to_a_minute_are_the_same_for_the_same_seed_and_differ_between_daemons() -> None:
    waits = [back_off_s(attempt, "DU1 1") for attempt in range(12)]
    assert waits == [back_off_s(attempt, "DU1 1") for attempt in range(12)]
    assert waits != [back_off_s(attempt, "DU2 1") for attempt in range(12)]
    for attempt, wait_s in enumerate(waits):
        whole = min(2.0**attempt, RECONNECT_MAX_S)
        assert 0.8 * whole <= wait_s <= whole
    assert back_off_s(10_000, "x") <= RECONNECT_MAX_S


def test_a_stop_asked_for_while_a_failed_connection_is_being_closed_ends_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal")

    async def script() -> float:
        broker = desk.broker()
        daemon, journal = desk.daemon()
        loop = asyncio.get_running_loop()
        closing = broker.disconnect

        async def slow_disconnect() -> None:
            await asyncio.sleep(0.5)
            await closing()

        broker.disconnect = slow_disconnect  # type: ignore[method-assign]  # the double's own behaviour
        loop.call_later(60.0, broker.failing.add, "connect")
        loop.call_later(60.0, broker.drop)
        loop.call_later(400.0, daemon.stop, "SIGTERM")

        def stop_within_a_close(*_: object) -> None:
            if loop.time() > 300.0:
                loop.call_later(0.25, daemon.stop, "SIGTERM")
                asked.append(loop.time() + 0.25)

        asked: list[float] = []
        desk.told.on_alert = stop_within_a_close
        await daemon.run()
        journal.release()
        return loop.time() - asked[0]

    assert play(desk, script) < 2.0


def test_a_gateway_that_came_back_read_only_halts_and_is_not_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal")
    tried = []

    async def script() -> None:
        broker = desk.broker()
        daemon, journal = desk.daemon()

        async def refuse() -> Connected:
            tried.append(asyncio.get_running_loop().time())
            raise ReadOnlyApiError("the API is read-only")

        def come_back_read_only() -> None:
            broker.connect = refuse  # type: ignore[method-assign]  # the double's own behaviour
            broker.drop()

        asyncio.get_running_loop().call_later(60.0, come_back_read_only)
        try:
            await daemon.run()
        finally:
            journal.release()

    with pytest.raises(ExceptionGroup) as ended:
        play(desk, script)
    assert ended.group_contains(ReadOnlyApiError)
    assert len(tried) == 1
    (halt,) = desk.records("Halted")
    assert halt.body["reason"] == "the API is read-only"


def test_a_gateway_that_came_back_with_another_account_halts_durably_before_the_daemon_ends(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "journal")

    async def script() -> EngineState:
        broker = desk.broker()
        daemon, journal = desk.daemon()
        honest = broker.connect

        async def refuse() -> Connected:
            raise NotPaperAccountError("the gateway serves U1234567")

        def come_back_live() -> None:
            broker.connect = refuse  # type: ignore[method-assign]  # the double's own behaviour
            broker.drop()

        asyncio.get_running_loop().call_later(60.0, come_back_live)
        with pytest.raises(ExceptionGroup) as ended:
            await daemon.run()
        journal.release()
        assert ended.group_contains(NotPaperAccountError)
        with pytest.raises(NotPaperAccountError):
            await desk.trade(START + timedelta(minutes=5))
        broker.connect = honest  # type: ignore[method-assign]  # the double's own behaviour
        return await desk.trade(START + timedelta(minutes=10))

    state = play(desk, script)
    halts = desk.records("Halted")
    assert [halt.body["reason"] for halt in halts] == ["the gateway serves U1234567"] * 2
    assert state.risk.trading is TradingState.HALTED
    orders = [record for record in desk.records("PlaceOrder") if record.seq > halts[0].seq]
    assert orders == []


def test_an_account_that_shows_up_in_an_answer_ends_the_daemon_behind_a_halt(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal")

    async def script() -> None:
        broker = desk.broker()
        daemon, journal = desk.daemon()

        async def foreign() -> Reconciled:
            raise NotPaperAccountError("the gateway sent a message of account U1234567")

        def ask() -> None:
            broker.reconcile = foreign  # type: ignore[method-assign]  # the double's own behaviour
            daemon._connection.ask_for_evidence(daemon.last_time)

        asyncio.get_running_loop().call_later(60.0, ask)
        try:
            await daemon.run()
        finally:
            journal.release()

    with pytest.raises(ExceptionGroup) as ended:
        play(desk, script)
    assert ended.group_contains(NotPaperAccountError)
    assert len(desk.records("Halted")) == 1


def test_orders_that_cannot_be_cancelled_at_another_account_are_recorded_as_never_written(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path / "journal", fills=False)

    async def script() -> EngineState:
        broker = desk.broker()
        daemon, journal = desk.daemon()

        async def foreign() -> Reconciled:
            raise NotPaperAccountError("the gateway sent a message of account U1234567")

        def ask() -> None:
            broker.reconcile = foreign  # type: ignore[method-assign]  # the double's own behaviour
            broker.sink(PositionMoved(4711, 3))  # nobody is asked about it any more
            daemon._connection.ask_for_evidence(daemon.last_time)

        asyncio.get_running_loop().call_later(10.0, ask)
        with pytest.raises(ExceptionGroup):
            await daemon.run()
        journal.release()
        return daemon.state

    state = play(desk, script)
    (line,) = state.working()
    assert line.order.status is OrderStatus.UNKNOWN
    (halt,) = desk.records("Halted")
    behind = [one.body for one in desk.records("OrderReported") if one.seq > halt.seq]
    assert [one["reason"] for one in behind] == ["never written: no session"]
    assert state.risk.trading is TradingState.HALTED


def test_books_that_differ_out_of_hours_are_asked_about_again_ever_more_rarely_until_they_agree(
    tmp_path: Path,
) -> None:
    evening = datetime(2020, 2, 3, 23, 0, tzinfo=UTC)
    desk = Desk(tmp_path / "journal", start=evening)
    honest: list[Reconciled] = []

    async def script() -> EngineState:
        broker = desk.broker()
        whole = broker.reconcile

        async def differs() -> Reconciled:
            found = await whole()
            late = broker.clock.now() > evening + timedelta(minutes=20)
            honest.extend([found] * late)
            return found if late else replace(found, positions=((77, 1),))

        broker.reconcile = differs  # type: ignore[method-assign]  # the double's own behaviour
        return await desk.trade(evening + timedelta(hours=2))

    state = play(desk, script)
    asked = [desk.seconds_of(record) / 60.0 for record in desk.records("Reconciled")]
    waits = [round(after - before) for before, after in pairwise(asked)]
    assert waits[-4:] == [2, 4, 8, 16]
    assert len(honest) == 1
    assert state.risk.causes == ()


def test_an_outage_is_told_after_five_minutes_and_every_hour_until_it_is_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", interval_s=60.0)

    async def script() -> None:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(60.0, broker.failing.add, "connect")
        loop.call_later(61.0, broker.drop)
        loop.call_later(61.0 + 2.5 * 3600, broker.failing.clear)
        await desk.trade(START + timedelta(hours=3))

    play(desk, script)
    since = START + timedelta(seconds=61)
    told = [(at - since).total_seconds() / 60.0 for at in outages(desk)]
    assert len(told) == 3
    for minutes, expected in zip(told, (5.0, 65.0, 125.0), strict=True):
        assert expected <= minutes <= expected + 3.0
    assert [alert.name for alert in desk.told.alerts].count("broker.back") == 1


def test_the_nightly_reset_is_told_when_it_is_not_over_five_minutes_after_its_end(
    tmp_path: Path,
) -> None:
    midnight = datetime(2020, 2, 4, 0, 10, tzinfo=MARKET_TZ).astimezone(UTC)
    for restored, expected in ((timedelta(hours=1, minutes=40), 0), (timedelta(hours=3), 1)):
        desk = Desk(tmp_path / f"{expected}", midnight, interval_s=60.0)

        async def script(desk: Desk = desk, restored: timedelta = restored) -> None:
            broker = desk.broker()
            loop = asyncio.get_running_loop()
            loop.call_later(400.0, lambda: broker.sink(Disconnected("1100")))
            back = restored.total_seconds()
            loop.call_later(back, broker.failing.clear)
            loop.call_later(back, lambda: broker.is_connected and broker.sink(Connected(broker.account, 9)))
            loop.call_later(401.0, broker.failing.add, "connect")
            await desk.trade(midnight + timedelta(hours=4), commit_interval=timedelta(minutes=10))

        play(desk, script)
        ends = datetime(2020, 2, 4, 1, 45, tzinfo=MARKET_TZ).astimezone(UTC)
        told = outages(desk)
        assert len(told) >= expected
        assert bool(told) is bool(expected)
        for at in told[:1]:
            assert timedelta(minutes=5) <= at - ends <= timedelta(minutes=7)


def test_a_gateway_that_does_not_find_its_broker_again_is_greeted_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", interval_s=60.0)

    async def script() -> bool:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(60.0, lambda: broker.sink(Disconnected("1100, and never 1101 or 1102")))
        state = await desk.trade(START + timedelta(minutes=20))
        return state.connected and state.reconciled

    assert play(desk, script)
    assert desk.broker_of_record().epoch == 2


@pytest.mark.parametrize(("begin", "asked"), [(START, 3), (START + timedelta(hours=8), 0)])
def test_the_broker_is_asked_for_all_it_knows_each_quarter_of_an_hour_while_options_trade(
    tmp_path: Path, begin: datetime, asked: int
) -> None:
    desk = Desk(tmp_path / "journal", start=begin, fills=False)

    async def script() -> None:
        await desk.trade(begin + timedelta(minutes=50))

    play(desk, script)
    assert sum(desk.seconds_of(one) > 60 for one in desk.records("Reconciled")) == asked


def test_a_book_that_differs_is_asked_about_at_night_too(tmp_path: Path) -> None:
    begin = START + timedelta(hours=8)
    desk = Desk(tmp_path / "journal", start=begin, fills=False)

    async def script() -> EngineState:
        broker = desk.broker()
        honest, answers = broker.reconcile, [(4711, 3), (4711, 3)]  # the start asks twice

        async def once_wrong() -> Reconciled:
            found = await honest()
            return replace(found, positions=(answers.pop(),)) if answers else found

        broker.reconcile = once_wrong  # type: ignore[method-assign]  # the double's own behaviour
        return await desk.trade(begin + timedelta(minutes=20))

    state = play(desk, script)
    *wrong, right = desk.records("Reconciled")
    assert [one.body["positions"] for one in wrong] == [[[4711, 3]], [[4711, 3]]]
    assert desk.seconds_of(right) == pytest.approx(60.0, abs=45.0)
    assert state.risk.trading is TradingState.ACTIVE


def test_a_position_told_at_night_right_behind_another_is_asked_about_within_a_minute_or_so(
    tmp_path: Path,
) -> None:
    begin = START + timedelta(hours=8)
    desk = Desk(tmp_path / "journal", start=begin, fills=False)

    async def script() -> EngineState:
        broker, loop = desk.broker(), asyncio.get_running_loop()
        for seconds in (300.0, 310.0):
            loop.call_later(seconds, lambda: broker.sink(PositionMoved(4711, 3)))
        return await desk.trade(begin + timedelta(minutes=20))

    state = play(desk, script)
    asked = [desk.seconds_of(one) for one in desk.records("Reconciled") if desk.seconds_of(one) > 60.0]
    assert len(asked) == 2
    assert asked[0] == pytest.approx(300.0, abs=2.0)
    assert 330.0 <= asked[1] <= 390.0
    assert not state.position_doubted
