"""Fault plans: what may stand in them, and what each fault does to a client."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from market.sessions import MARKET_TZ
from simulator.fault_injection import FaultInjector
from simulator.faults import (
    MESSAGE_FAULTS,
    Fault,
    FaultKind,
    FaultPlan,
    FaultPlanError,
    read_plan,
    seeded_plan,
)
from simulator.gateway import Gateway
from tests.simulator.fixture_venue import (
    START,
    Clock,
    Line,
    codes,
    condor,
    kinds,
    market_data,
    messages,
    open_gateway,
    place,
)


def plan(tmp_path: Path, text: str, name: str = "plan.toml") -> FaultPlan:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_plan(str(path), START)


def afflicted(*faults: Fault) -> tuple[Gateway, Clock, FaultInjector]:
    clock = Clock()
    gateway = open_gateway(clock)
    injector = FaultInjector(gateway, FaultPlan(faults))
    gateway.edge = injector
    return gateway, clock, injector


def struck(injector: FaultInjector) -> dict[str, int]:
    return dict(injector.struck)


# --------------------------------------------------------------------------------------------------- plans


def test_a_plan_reads_alike_from_toml_and_json(tmp_path: Path) -> None:
    rows = [
        {"kind": "delay", "message": "orderStatus", "for_s": 5, "at": "10:30"},
        {"kind": "farm", "farm": "history", "for_s": 60, "after_s": 10.5},
        {"kind": "connectivity", "for_s": 30, "data_kept": False, "at": "2020-03-02T11:00:00"},
    ]
    toml = "seed = 4\n" + "".join(
        "[[fault]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in row.items())
        for row in rows
    )
    read = plan(tmp_path, toml)
    assert read == plan(tmp_path, json.dumps({"seed": 4, "fault": rows}), "plan.json")
    assert [fault.after_s for fault in read.faults] == [1800.0, 10.5, 3600.0]
    assert (read.seed, read.faults[2].data_kept) == (4, False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fault = 3", "`fault` is a list of tables"),
        ("[[faults]]\nkind = 'drop'", "'faults' is unknown"),
        ("[[fault]]\nkind = 'explode'", "fault 1: `kind` is one of drop, "),
        ("[[fault]]\nkind = 'drop'", "fault 1 (drop): 'message' is missing"),
        ("[[fault]]\nkind = 'drop'\nmessage = 'orderstatus'", "no message is called 'orderstatus'"),
        ("[[fault]]\nkind = 'ignore'\nmessage = 'tickPrice'", "no message is called 'tickPrice'"),
        (
            "[[fault]]\nkind = 'drop'\nmessage = '*'\nfor_s = 3",
            "'for_s' is unknown; it may have after_s",
        ),
        ("[[fault]]\nkind = 'freeze'\nfor_s = 'long'", "'for_s' is a number, not 'long'"),
        ("[[fault]]\nkind = 'freeze'\nfor_s = -1", "'for_s' cannot be negative"),
        ("[[fault]]\nkind = 'farm'\nfarm = 'pig'\nfor_s = 1", "'farm' is one of market_data, history"),
        ("[[fault]]\nkind = 'notice'\ncode = 1", "1 is no notice of the broker"),
        ("[[fault]]\nkind = 'notice'\ncode = true", "'code' is a whole number from 0 on"),
        ("[[fault]]\nkind = 'connectivity'\nfor_s = 1\ndata_kept = 1", "'data_kept' is true or false"),
        ("[[fault]]\nkind = 'halt'\nsymbol = 3\nfor_s = 1", "'symbol' is a text"),
        ("[[fault]]\nkind = 'reject'\nat = 'noon'", "`at` is a time such as 10:30"),
        ("[[fault]]\nkind = 'reject'\nat = '09:00'", "lies before the market opens at 2020-03-02 10:00"),
        ("[[fault]]\nkind = 'reject'\nat = '11:00'\nafter_s = 3", "`at` or `after_s`, not both"),
        ("seed = 'x'", "`seed` is a whole number"),
        ("[[fault]\n", "plan.toml: "),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_place_and_the_reason(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(FaultPlanError) as refused:
        plan(tmp_path, text)
    assert complaint in str(refused.value)
    assert "plan.toml" in str(refused.value)


def test_a_plan_that_is_not_there_or_has_no_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultPlanError, match="No such file"):
        read_plan(str(tmp_path / "none.toml"), START)
    with pytest.raises(FaultPlanError, match="a seed is a whole number"):
        read_plan("seed:-1", START)
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    with pytest.raises(FaultPlanError, match="a plan is a table"):
        read_plan(str(tmp_path / "list.json"), START)


def test_a_seed_always_gives_the_same_plan_and_another_seed_another() -> None:
    assert read_plan("seed:7", START) == seeded_plan(7) == seeded_plan(7)
    assert len({seeded_plan(seed) for seed in range(50)}) == 50
    assert {fault.kind for fault in seeded_plan(7).faults} > {FaultKind.RESTART, FaultKind.CORRECT}
    assert all(0.0 <= fault.after_s <= 23_400.0 for fault in seeded_plan(7).faults)


# ------------------------------------------------------------------------------------------------ messages


def test_a_dropped_message_never_arrives_and_the_next_one_does() -> None:
    gateway, _, injector = afflicted(Fault(FaultKind.DROP, message="currentTime"))
    line = Line(gateway)
    assert line.ask(49, 1) == []
    assert [m[0] for m in line.ask(49, 1)] == ["49"]
    assert struck(injector) == {"drop": 1}


def test_faults_skip_and_repeat_as_told() -> None:
    gateway, _, _ = afflicted(Fault(FaultKind.DROP, message="currentTime", skip=1, times=2))
    line = Line(gateway)
    assert [len(line.ask(49, 1)) for _ in range(4)] == [1, 0, 0, 1]


def test_a_fault_strikes_only_from_its_time_on() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.DROP, after_s=60.0, message="*"))
    line = Line(gateway)
    assert len(line.ask(49, 1)) == 1
    clock.pass_by(60.0)
    assert line.ask(49, 1) == []


def test_a_delayed_message_comes_with_the_first_step_after_its_delay() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.DELAY, message="currentTime", for_s=10.0))
    line = Line(gateway)
    assert line.ask(49, 1) == []
    before = len(line.sent)
    clock.pass_by(9.0)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(1.0)
    gateway.step()
    assert [m[0] for m in line.fresh(before)] == ["49"]


def test_a_duplicated_message_comes_twice_in_a_row() -> None:
    gateway, _, _ = afflicted(Fault(FaultKind.DUPLICATE, message="execDetails", times=5))
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    fills = [m[14] for m in line.fresh(before) if m[0] == "11"]
    assert len(fills) == 10
    assert fills[0::2] == fills[1::2]


def test_a_reordered_message_is_overtaken_by_the_next() -> None:
    gateway, _, _ = afflicted(Fault(FaultKind.REORDER, message="openOrder"))
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), -45.0))
    assert kinds(line.fresh(before)) == ["3:PreSubmitted", "5", "5", "3:Submitted"]


def test_a_corrupt_body_keeps_its_frame_and_a_corrupt_length_does_not() -> None:
    gateway, _, _ = afflicted(Fault(FaultKind.CORRUPT, message="currentTime"))
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(encode_time())
    (found,) = messages(line.sent[before:])
    assert found[0] == "49"
    assert "\\xff" in "".join(found)
    gateway, _, _ = afflicted(Fault(FaultKind.CORRUPT, message="currentTime", length=True))
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(encode_time())
    assert line.sent[before : before + 4] == b"\x7f\xff\xff\xff"


def test_an_ignored_request_is_not_answered_and_not_carried_out() -> None:
    gateway, _, injector = afflicted(Fault(FaultKind.IGNORE, message="placeOrder"))
    line = Line(gateway)
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    assert line.fresh(before) == []
    assert gateway.venue.executions() == []
    line.session.receive(place(1, condor(gateway), 5.0))
    assert len(gateway.venue.executions()) == 5
    assert struck(injector) == {"ignore": 1}


def test_what_waits_for_a_client_that_left_is_forgotten() -> None:
    gateway, clock, injector = afflicted(Fault(FaultKind.DELAY, message="currentTime", for_s=10.0))
    line = Line(gateway)
    line.ask(49, 1)
    gateway.disconnect(line.session)
    assert injector._held == {}
    clock.pass_by(60.0)
    gateway.step()


# ------------------------------------------------------------------------------------------------- moments


def passing(gateway: Gateway, clock: Clock, seconds: Sequence[float]) -> None:
    for pause in seconds:
        clock.pass_by(pause)
        gateway.step()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(FaultKind.CONNECTIVITY, 5.0, for_s=10.0), ["1100", "1102"]),
        (Fault(FaultKind.CONNECTIVITY, 5.0, for_s=10.0, data_kept=False), ["1100", "1101"]),
        (Fault(FaultKind.FARM, 5.0, for_s=10.0), ["2103", "2104"]),
        (Fault(FaultKind.NOTICE, 5.0, code=2110), ["2110"]),
        (Fault(FaultKind.COMPETE, 5.0, for_s=10.0), ["10197"]),
    ],
)
def test_a_fault_of_a_moment_is_told_when_it_begins_and_ends(fault: Fault, told: list[str]) -> None:
    gateway, clock, injector = afflicted(fault)
    line = Line(gateway)
    line.ask(*market_data(4))
    before = len(line.sent)
    passing(gateway, clock, (4.0, 2.0, 8.0, 3.0))
    assert [m[3] for m in line.fresh(before) if m[0] == "4"] == told
    assert struck(injector) == {fault.kind.value: 1}


def test_a_frozen_feed_stops_without_a_word_and_goes_on() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.FREEZE, 1.0, for_s=100.0))
    line = Line(gateway)
    line.ask(*market_data(4))
    passing(gateway, clock, (1.0,))
    before = len(line.sent)
    passing(gateway, clock, (50.0,))
    assert line.fresh(before) == []
    assert [m[0] for m in line.ask(49, 1)] == ["49"]
    passing(gateway, clock, (51.0, 1.0))
    assert "1" in {m[0] for m in line.fresh(before)}


def test_a_halt_ends_by_itself() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.HALT, 1.0, for_s=60.0, symbol="SPX"))
    passing(gateway, clock, (2.0,))
    assert gateway.venue.market.halted == {"SPX"}
    passing(gateway, clock, (60.0,))
    assert gateway.venue.market.halted == set()


def test_a_disconnect_closes_the_door_for_its_time() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.DISCONNECT, 1.0, for_s=30.0))
    line = Line(gateway)
    passing(gateway, clock, (2.0,))
    assert line.closed
    gateway.disconnect(line.session)
    assert Line(gateway, client_id=-1).closed
    passing(gateway, clock, (31.0,))
    assert not Line(gateway).closed


def test_a_disconnect_may_concern_one_client() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.DISCONNECT, 1.0, client=8))
    first, second = Line(gateway, 7), Line(gateway, 8)
    passing(gateway, clock, (2.0,))
    assert (first.closed, second.closed) == (False, True)


def test_a_restart_rolls_the_order_ids_back() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.RESTART, 1.0, roll_back=2))
    line = Line(gateway)
    for order_id in (1, 2, 3):
        line.session.receive(place(order_id, condor(gateway), -45.0))
    passing(gateway, clock, (2.0,))
    assert line.closed
    assert gateway.venue.next_order_id(7) == 2


def test_a_gateway_restarts_by_itself_each_night_at_its_time_also_when_the_clocks_go_forward() -> None:
    gateway, clock, injector = afflicted()
    clock.pass_by((datetime(2020, 3, 7, 23, 44, 30, tzinfo=MARKET_TZ) - clock()).total_seconds())
    injector.restart_nightly(time(23, 45))
    line = Line(gateway)
    line.session.receive(place(5, condor(gateway), -45.0))
    closed = []
    for pause in (29.0, 1.0):
        passing(gateway, clock, (pause,))
        closed.append(line.closed)
    assert closed == [False, True]
    assert gateway.venue.next_order_id(7) == 2  # four ids are handed out again
    assert Line(gateway, client_id=-1).closed  # for a minute nobody is let in
    passing(gateway, clock, (60.0,))
    line, closed = Line(gateway, 8), []
    for pause in (0.0, 23 * 3600.0 - 61.0, 1.0):  # that Sunday has 23 hours
        passing(gateway, clock, (pause,))
        closed.append(line.closed)
    assert (closed, struck(injector)) == ([False, False, True], {"restart": 2})


def test_a_reject_takes_the_next_order() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.REJECT, 1.0, code=201, text="Order rejected - reason:No"))
    line = Line(gateway)
    passing(gateway, clock, (2.0,))
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    assert codes(line.fresh(before)) == [("1", "201")]


def test_a_partial_cuts_the_next_fill() -> None:
    gateway, clock, _ = afflicted(Fault(FaultKind.PARTIAL, 1.0, units=1))
    line = Line(gateway)
    passing(gateway, clock, (2.0,))
    line.session.receive(place(1, condor(gateway), 5.0, quantity=3))
    assert [order.filled for order in gateway.venue.open_orders(None)] == [1.0]
    passing(gateway, clock, (1.0,))
    assert gateway.venue.open_orders(None) == []


def test_a_correction_waits_for_an_execution_and_changes_the_last_one() -> None:
    gateway, clock, injector = afflicted(Fault(FaultKind.CORRECT, 1.0, points=0.05))
    line = Line(gateway)
    passing(gateway, clock, (2.0,))
    assert struck(injector) == {}
    line.session.receive(place(1, condor(gateway), 5.0))
    last = gateway.venue.executions()[-1]
    before = len(line.sent)
    passing(gateway, clock, (1.0,))
    (corrected,) = [m for m in line.fresh(before) if m[0] == "11"]
    assert corrected[14] == last.exec_id.removesuffix(".01") + ".02"
    assert float(corrected[20]) == pytest.approx(last.price + 0.05)
    assert struck(injector) == {"correct": 1}


def test_equal_plans_over_equal_sessions_send_equal_bytes() -> None:
    def trace(seed: int) -> bytes:
        gateway, clock, _ = afflicted(
            *[replace(f, after_s=f.after_s / 400.0) for f in seeded_plan(seed).faults]
        )
        line = Line(gateway)
        line.ask(*market_data(4))
        line.session.receive(place(1, condor(gateway), 5.0))
        passing(gateway, clock, [1.0] * 60)
        return line.sent

    assert trace(3) == trace(3)
    assert trace(3) != trace(4)


def test_every_kind_of_fault_is_either_of_messages_or_of_moments() -> None:
    for kind in FaultKind:
        gateway, _, injector = afflicted(Fault(kind, 1.0, message="*", for_s=1.0, symbol="SPX", code=1100))
        lists: tuple[Any, Any] = injector._messages, injector._moments
        assert [len(one) for one in lists] == ([1, 0] if kind in MESSAGE_FAULTS else [0, 1])
        injector.step(gateway.clock() + timedelta(seconds=2))


def encode_time() -> bytes:
    return b"\x00\x00\x00\x0549\x001\x00"
