"""The daemon at work on a scripted account in virtual time: what is durable, what is asked, what is kept."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.checkpoint import recover
from bot.clock import VirtualClock
from bot.commit import commit_inline
from bot.daemon import Daemon
from bot.engine.decision import Verb
from bot.engine.state import EngineState
from bot.errors import CrashLoopError, FeedError, NotPaperAccountError
from bot.events import Connected, Disconnected, Job
from bot.journal import Journal, Record, read_records, verify
from bot.opening import open_journal
from market.order import OrderStatus
from market.sessions import session_offset
from risk.state import Cause, TradingState
from simulator.virtual import VirtualLoop, run
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Structure
from tests.bot.engine.desk import SESSION, opened
from tests.bot.engine.looking import quoted, wish
from tests.bot.scripted_account import ScriptedAccount, SilentFeeds, Told, nobody
from tests.risk.book import condor

START = datetime(2020, 2, 3, 15, 30, tzinfo=UTC)  # 10:30 in New York
TEN_MINUTES = START + timedelta(minutes=10)
ROWS = tuple((con_id, quote.bid, quote.ask, quote.last) for con_id, quote in quoted(condor()).items())
LEGS = tuple(leg.contract for leg in condor().legs)


def wants_one_condor(snapshot: Any, state: Any, structures: tuple[Structure, ...], *rest: Any) -> Any:
    """Propose one condor for as long as none is held or ordered."""
    working = rest[2]
    is_wanted = not working and not any(structure.opened_legs for structure in structures)
    return state, Evaluation(proposals=(wish(),) if is_wanted else (), lines=LEGS)


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One strategy wants one condor, the other nothing."""
    monkeypatch.setattr(iron_condor, "evaluate", wants_one_condor)
    monkeypatch.setattr(vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, Evaluation()))


@dataclass
class Desk:
    """One journal, one account, and the daemons that were started on them."""

    folder: Path
    start: datetime = START
    interval_s: float = 5.0
    told: Told = field(default_factory=Told)
    feeds: SilentFeeds = field(default_factory=SilentFeeds)
    account: ScriptedAccount | None = None

    def broker(self) -> ScriptedAccount:
        """The account, in its first state."""
        if self.account is None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            self.account = ScriptedAccount(VirtualClock(loop, self.start), self.folder, ROWS)
        return self.account

    def daemon(self, **options: Any) -> tuple[Daemon, Journal]:
        """A daemon on what the journal holds."""
        journal = open_journal(self.folder)
        broker = self.broker()
        number = journal.state.opened.start + 1 if journal.state.opened is not None else 1
        built = Daemon(
            replace(opened(number), evaluation_interval_s=self.interval_s),
            journal,
            broker,
            broker.clock,
            self.feeds,
            commit_inline,
            self.told.observers(),
            **options,
        )
        return built, journal.journal

    async def trade(self, until: datetime, **options: Any) -> EngineState:
        """One clean run."""
        daemon, journal = self.daemon(**options)
        try:
            await daemon.run(until)
            journal.close(daemon.last_time)
        finally:
            journal.release()
        return daemon.state

    async def crash(self, after_s: float) -> None:
        """A run that dies in the middle of whatever it does; what was not committed is gone."""
        daemon, journal = self.daemon()
        running = asyncio.ensure_future(daemon.run())
        await asyncio.wait({running}, timeout=after_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        journal.release()
        broker = self.broker()
        broker.is_connected, broker.sink = False, nobody

    def broker_of_record(self) -> ScriptedAccount:
        """The account as the script left it."""
        assert self.account is not None
        return self.account

    def records(self, *kinds: str) -> list[Record]:
        """Records of these kinds."""
        return [record for record in read_records(self.folder) if record.kind in kinds]


def play(desk: Desk, script: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a script in virtual time."""
    return run(script(), desk.start)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty journal."""
    return Desk(tmp_path / "journal")


# ------------------------------------------------------------------ an order


def test_a_decision_becomes_an_order_and_a_position_equal_to_the_brokers(desk: Desk) -> None:
    state = play(desk, lambda: desk.trade(TEN_MINUTES))
    broker = desk.broker_of_record()
    (order,) = broker.placed
    (structure,) = state.structures.values()
    assert structure.quantity == order.quantity
    assert [decision.order_ref for decision in desk.told.decisions if decision.verb is Verb.OPEN] == [
        order.order_ref
    ]
    assert state.risk.trading is TradingState.ACTIVE


def test_an_order_is_on_the_disk_before_it_is_on_the_wire(desk: Desk) -> None:
    play(desk, lambda: desk.trade(TEN_MINUTES))
    assert desk.broker_of_record().durable_first == [True]


def test_the_journal_verifies_and_folds_to_the_state_the_daemon_ended_with(desk: Desk) -> None:
    state = play(desk, lambda: desk.trade(TEN_MINUTES))
    assert verify(desk.folder).fault is None
    assert recover(desk.folder) == state
    assert [record.kind for record in desk.records("Stopping", "Checkpointed", "Closed")][-2:] == [
        "Checkpointed",
        "Closed",
    ]


def test_two_runs_of_the_same_script_leave_the_same_bytes(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "two"):
        one = Desk(tmp_path / name)
        play(one, lambda one=one: one.trade(TEN_MINUTES))  # type: ignore[misc]  # bound early on purpose
        heads.append(verify(one.folder).head)
    assert heads[0] == heads[1]


def test_an_order_that_cannot_be_written_is_told_and_proved_lost_and_tried_anew(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        broker.failing.add("place")
        asyncio.get_running_loop().call_later(30.0, broker.failing.clear)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    assert [alert.name for alert in desk.told.alerts if alert.level == "error"] == ["order.not_sent"]
    lines = list(state.orders.values())
    assert [line.order.status for line in lines] == [OrderStatus.LOST, OrderStatus.FILLED]
    assert len(desk.broker_of_record().placed) == 1


def test_every_message_about_an_order_carries_a_reference_never_used_before(desk: Desk) -> None:
    async def script() -> None:
        desk.broker().fills = False
        await desk.trade(START + timedelta(minutes=40))

    play(desk, script)
    refs = [order.order_ref for order in desk.broker_of_record().placed]
    assert len(refs) > 1
    assert len(set(refs)) == len(refs)


# ------------------------------------------------------------------ refusals to start


def test_an_account_that_is_not_the_allowed_one_gets_no_record_and_no_order(desk: Desk) -> None:
    async def script() -> None:
        async def refuse() -> Connected:
            raise NotPaperAccountError("U1234567 is not a paper account")

        broker = desk.broker()
        broker.connect = refuse  # type: ignore[method-assign]  # the double's own behaviour
        await desk.trade(TEN_MINUTES)

    with pytest.raises(NotPaperAccountError):
        play(desk, script)
    assert desk.records("Opened", "PlaceOrder") == []


def test_too_many_unclean_starts_refuse_the_next_one(desk: Desk) -> None:
    async def script() -> None:
        for _ in range(3):
            await desk.crash(10.0)
        await desk.trade(TEN_MINUTES, unclean_starts_max=3)

    with pytest.raises(CrashLoopError, match="3 unclean starts"):
        play(desk, script)
    assert len(desk.records("Opened")) == 3
    assert desk.broker_of_record().calls[-1] == "disconnect"


def test_unclean_starts_long_ago_do_not_count(desk: Desk) -> None:
    async def script() -> EngineState:
        for _ in range(3):
            await desk.crash(10.0)
        await asyncio.sleep(700)
        return await desk.trade(START + timedelta(minutes=30), unclean_starts_max=3)

    assert play(desk, script).starts == ()


def test_what_was_cut_off_the_journals_end_is_recorded(desk: Desk) -> None:
    async def script() -> None:
        await desk.crash(30.0)
        segment = next(desk.folder.glob("*.jsonl"))
        segment.write_bytes(segment.read_bytes() + b'{"seq":torn')
        await desk.trade(TEN_MINUTES)

    play(desk, script)
    (repaired,) = desk.records("Repaired")
    assert "never completed" in repaired.body["text"]


# ------------------------------------------------------------------ connection


def test_after_a_lost_link_nothing_is_decided_before_the_book_is_reconciled(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(60.0, broker.drop)
        loop.call_later(59.0, broker.failing.add, "connect")
        loop.call_later(120.0, broker.failing.clear)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    kinds = [record.kind for record in desk.records("Disconnected", "Connected", "Reconciled", "QuotesTaken")]
    gap = kinds[kinds.index("Disconnected") :]
    assert gap[:3] == ["Disconnected", "Connected", "Reconciled"]
    assert "broker.unreachable" in [alert.name for alert in desk.told.alerts]
    assert state.risk.trading is TradingState.ACTIVE
    assert len(desk.broker_of_record().placed) == 1


def test_a_link_that_comes_back_by_itself_is_reconciled(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()
        loop.call_later(60.0, lambda: broker.sink(Disconnected("behind the gateway")))
        loop.call_later(90.0, lambda: broker.sink(Connected(broker.account, 2)))
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    kinds = [record.kind for record in desk.records("Disconnected", "Connected", "Reconciled")]
    assert kinds[kinds.index("Disconnected") :] == ["Disconnected", "Connected", "Reconciled"]
    assert state.reconciled


def test_a_gateway_that_does_not_answer_a_heartbeat_is_connected_anew(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()

        def fall_silent() -> None:
            broker.silent = True
            broker.failing.update(("heartbeat", "connect"))

        def recover_voice() -> None:
            broker.silent = False
            broker.failing.clear()

        loop.call_later(60.0, fall_silent)
        loop.call_later(100.0, recover_voice)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    assert [record.body["reason"] for record in desk.records("Disconnected")] == ["no answer to heartbeat"]
    assert state.connected


def test_quotes_keep_the_heartbeat_away_and_silence_asks_for_it(desk: Desk) -> None:
    async def script() -> None:
        broker = desk.broker()
        asyncio.get_running_loop().call_later(300.0, setattr, broker, "silent", True)
        asyncio.get_running_loop().call_later(299.0, broker.calls.append, "silence")
        await desk.trade(TEN_MINUTES)

    play(desk, script)
    calls = desk.broker_of_record().calls
    assert "heartbeat" not in calls[: calls.index("silence")]
    assert calls[calls.index("silence") :].count("heartbeat") > 10


def test_an_unanswered_reconciliation_is_asked_for_again(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        broker.failing.add("reconcile")
        asyncio.get_running_loop().call_later(30.0, broker.failing.clear)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    assert state.reconciled
    assert desk.broker_of_record().calls.count("reconcile") >= 2


def test_contracts_the_journal_knows_are_handed_to_the_broker_of_the_next_start(desk: Desk) -> None:
    async def script() -> None:
        await desk.trade(TEN_MINUTES)
        await desk.trade(TEN_MINUTES + timedelta(minutes=1))

    play(desk, script)
    known = {contract.con_id for contract in desk.broker_of_record().remembered}
    assert {contract.con_id for contract in LEGS} <= known


def test_while_the_gateway_has_lost_its_broker_the_daemon_waits_and_notices_when_the_socket_dies_too(
    desk: Desk,
) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        loop = asyncio.get_running_loop()

        def lose_the_broker() -> None:
            broker.silent = True
            broker.sink(Disconnected("behind the gateway"))

        def lose_the_gateway() -> None:
            broker.failing.add("heartbeat")

        def come_back() -> None:
            broker.silent = False
            broker.failing.clear()

        loop.call_later(60.0, lose_the_broker)
        loop.call_later(150.0, lose_the_gateway)
        loop.call_later(240.0, come_back)
        return await desk.trade(TEN_MINUTES)

    state = play(desk, script)
    broker = desk.broker_of_record()
    assert broker.epoch >= 2
    assert state.connected
    assert state.reconciled
    assert 3 < broker.calls.count("heartbeat") < 100


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
        return await desk.trade(START + timedelta(minutes=15))

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
