"""A daemon's life over sessions, stops and crashes: each job once, nothing doubled, nothing lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.engine.state import EngineState
from bot.errors import FeedError
from bot.events import Job, Reconciled
from bot.journal.checkpoint import recover
from bot.journal.writer import read_records, verify
from market.order import OrderStatus
from market.sessions import session_offset
from risk.state import Cause
from tests.bot.daemon_desk import START, TEN_MINUTES, Desk, one_condor_is_wanted, play
from tests.bot.engine.desk import SESSION


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty journal."""
    return Desk(tmp_path / "journal")


# ------------------------------------------------------------------ jobs


def jobs_done(desk: Desk) -> list[tuple[str, str]]:
    """Every job that ran: name and session."""
    return [(record.body["job"], record.body["session"]) for record in desk.records("JobDue")]


def test_each_job_runs_once_a_session_also_after_a_restart(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", datetime(2020, 2, 3, 13, 0, tzinfo=UTC), interval_s=60.0)
    ends = [
        datetime(2020, 2, 3, 16, 0, tzinfo=UTC),
        datetime(2020, 2, 3, 21, 30, tzinfo=UTC),
        datetime(2020, 2, 4, 22, 30, tzinfo=UTC),
    ]

    async def script() -> None:
        for end in ends:
            await desk.trade(end, commit_interval=timedelta(minutes=10))

    play(desk, script)
    done = jobs_done(desk)
    assert len(set(done)) == len(done)
    both = {str(SESSION), str(session_offset(SESSION, 1))}
    assert set(done) == {(job.value, day) for job in Job for day in both}


def test_feeds_out_of_reach_leave_the_series_unknown_and_say_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", datetime(2020, 2, 3, 14, 0, tzinfo=UTC))
    desk.feeds.error = FeedError("no page")
    play(desk, lambda: desk.trade(datetime(2020, 2, 3, 14, 20, tzinfo=UTC)))
    assert [alert.text for alert in desk.told.alerts if alert.name == "feed.failed"] == ["no page"]
    assert jobs_done(desk) == [("settlement_final", str(SESSION))]


def test_a_job_waits_for_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", datetime(2020, 2, 3, 14, 29, 50, tzinfo=UTC))

    async def script() -> None:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(5.0, broker.failing.add, "name_contracts")
        loop.call_later(45.0, broker.failing.clear)
        await desk.trade(datetime(2020, 2, 3, 14, 32, tzinfo=UTC))

    play(desk, script)
    assert jobs_done(desk).count(("session_open", str(SESSION))) == 1
    assert len(desk.records("RequestFailed")) == 4


# ------------------------------------------------------------------ stops and crashes


def test_a_record_behind_a_slow_answer_is_stamped_with_the_present(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal", datetime(2020, 2, 3, 13, 0, tzinfo=UTC), interval_s=60.0)

    async def script() -> None:
        broker = desk.broker()
        honest = broker.reconcile

        async def slow() -> Reconciled:
            await asyncio.sleep(8.0)
            return await honest()

        broker.reconcile = slow  # type: ignore[method-assign]  # answers, but takes its time
        await desk.trade(datetime(2020, 2, 3, 22, 30, tzinfo=UTC), commit_interval=timedelta(minutes=10))

    play(desk, script)
    times = [record.time for record in read_records(desk.folder)]
    assert times == sorted(times)


def test_a_stop_cancels_the_opening_order_and_waits_for_the_brokers_word(desk: Desk) -> None:
    async def script() -> EngineState:
        desk.broker().fills = False
        daemon, journal = desk.daemon()
        asyncio.get_running_loop().call_later(30.0, daemon.stop, "SIGTERM")
        await daemon.run()
        journal.close(daemon.last_time)
        journal.release()
        return daemon.state

    state = play(desk, script)
    assert [record.body["reason"] for record in desk.records("Stopping")] == ["SIGTERM"]
    assert [line.order.status for line in state.orders.values()] == [OrderStatus.CANCELLED]
    assert desk.broker_of_record().calls[-1] == "disconnect"
    assert state.starts == ()


def test_a_stop_does_not_wait_for_ever_for_a_broker_that_stays_silent(desk: Desk) -> None:
    async def script() -> float:
        broker = desk.broker()
        broker.fills = False
        broker.cancel = lambda command: None  # type: ignore[method-assign]  # the double's own behaviour
        daemon, journal = desk.daemon()
        loop = asyncio.get_running_loop()
        loop.call_later(30.0, daemon.stop, "SIGTERM")
        await daemon.run()
        journal.release()
        return loop.time() - 30.0

    assert play(desk, script) < 8.0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0.0, 12.0), min_size=1, max_size=3))
def test_whenever_the_daemon_dies_no_order_is_doubled_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lives: list[float]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("crash") / "journal")

    async def script() -> EngineState:
        for life_s in lives:
            await desk.crash(life_s)
        return await desk.trade(START + timedelta(minutes=15), unclean_starts_max=50)

    state = play(desk, script)
    broker = desk.broker_of_record()
    assert len(broker.placed) == 1, "one condor was wanted, one order may live"
    held = {con_id: one.quantity for con_id, one in state.portfolio.positions().items()}
    theirs: dict[int, int] = {}
    for one in broker.executions:
        theirs[one.fill.con_id] = theirs.get(one.fill.con_id, 0) + one.fill.quantity
    assert held == theirs
    assert [structure.quantity for structure in state.structures.values()] == [broker.placed[0].quantity]
    assert state.risk.causes == ()
    assert verify(desk.folder).fault is None
    assert recover(desk.folder) == state


def test_a_fill_that_came_while_nobody_listened_is_found_at_the_next_start(desk: Desk) -> None:
    async def script() -> EngineState:
        await desk.crash(2.5)  # the order is acknowledged, not yet filled
        await asyncio.sleep(60)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    assert [structure.quantity for structure in state.structures.values()] == [1]
    assert len(desk.broker_of_record().placed) == 1
    assert "filled 1 of 1 at 0" in [decision.reason for decision in desk.told.decisions]


def test_market_time_behind_the_journals_end_is_told_and_never_turns_back(tmp_path: Path) -> None:
    first = Desk(tmp_path / "journal", START + timedelta(hours=1))
    play(first, lambda: first.trade(START + timedelta(hours=1, minutes=1)))
    second = Desk(tmp_path / "journal", START)
    play(second, lambda: second.trade(START + timedelta(minutes=1)))
    assert [alert.name for alert in second.told.alerts if alert.level == "error"] == ["clock.behind"]
    times = [datetime.fromisoformat(record.time) for record in read_records(tmp_path / "journal")]
    assert times == sorted(times)


def test_the_cause_of_a_mismatch_is_told_to_whoever_watches(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(120.0, broker.executions.pop)  # the broker forgets a leg
        loop.call_later(121.0, broker.drop)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    assert [cause for cause, _ in state.risk.causes] == [Cause.MISMATCH]
    assert "trading.reducing" in [alert.name for alert in desk.told.alerts]
    assert desk.broker_of_record().calls.count("reconcile") > 5
