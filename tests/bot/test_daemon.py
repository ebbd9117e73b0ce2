"""The daemon at work on a scripted account: what is durable, what is asked, and how it comes back."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.engine.decision import Verb
from bot.engine.state import EngineState
from bot.errors import CrashLoopError, NotPaperAccountError
from bot.events import Connected, Disconnected
from bot.journal.checkpoint import recover
from bot.journal.writer import verify
from market.order import OrderStatus
from risk.state import Cause, TradingState
from tests.bot.daemon_desk import LEGS, START, TEN_MINUTES, Desk, one_condor_is_wanted, play


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condor is wanted."""
    one_condor_is_wanted(monkeypatch)


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


def test_three_unclean_starts_refuse_the_fourth(desk: Desk) -> None:
    async def script() -> None:
        for _ in range(3):
            await desk.crash(10.0)
        await desk.trade(TEN_MINUTES)

    with pytest.raises(CrashLoopError, match="3 unclean starts"):
        play(desk, script)
    assert len(desk.records("Opened")) == 3
    assert desk.broker_of_record().calls[-1] == "disconnect"


def test_unclean_starts_long_ago_do_not_count(desk: Desk) -> None:
    async def script() -> EngineState:
        for _ in range(3):
            await desk.crash(10.0)
        await asyncio.sleep(700)
        return await desk.trade(START + timedelta(minutes=30))

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


def test_data_that_stand_still_reduce_trading_within_a_minute_and_are_then_left_alone(desk: Desk) -> None:
    async def script() -> EngineState:
        desk.broker().silent = True
        return await desk.trade(START + timedelta(seconds=70))

    state = play(desk, script)
    assert [cause for cause, _ in state.risk.causes] == [Cause.DATA]
    taken = desk.records("QuotesTaken")
    assert not any(record.body["quotes"] for record in taken)
    reduced = next(record for record in desk.records("Decision") if record.body["strategy"] == "risk")
    reduced_at = datetime.fromisoformat(reduced.time)
    assert reduced_at - START < timedelta(seconds=40)  # thirty of them from when the lines were asked for
    assert len([record for record in taken if datetime.fromisoformat(record.time) > reduced_at]) <= 2


def test_a_feed_that_dies_after_it_lived_is_found_at_the_next_look(desk: Desk) -> None:
    async def script() -> EngineState:
        broker = desk.broker()
        asyncio.get_running_loop().call_later(72.0, setattr, broker, "alive", ())
        return await desk.trade(START + timedelta(seconds=80))

    state = play(desk, script)
    assert [cause for cause, _ in state.risk.causes] == [Cause.DATA]


def test_a_quiet_market_whose_feeds_live_keeps_trading_active(desk: Desk) -> None:
    async def script() -> EngineState:
        desk.broker().quotes = ()
        return await desk.trade(START + timedelta(minutes=5))

    assert play(desk, script).risk.causes == ()


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
