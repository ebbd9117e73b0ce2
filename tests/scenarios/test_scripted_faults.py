"""Single faults of the catalogue, each at the worst moment, with the whole daemon in virtual time.

The judge of the fault sessions holds every invariant against each of them; a test adds what else has to be.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from bot.engine.differences import set_aside
from bot.journal.writer import Record, read_records
from market.order import OrderStatus
from risk.state import Cause, TradingState
from simulator.faults import Fault, FaultKind
from simulator.message_names import INCOMING
from tests.scenarios.faults.house import FaultHouse
from tests.scenarios.faults.plans import Mishap, Trouble
from tests.scenarios.faults.planted import CUT, UNLISTED, at_order, session, trouble
from tests.scenarios.faults.runs import be_quiet
from tests.scenarios.faults.scenes import scene

#: All that the daemon ever asks a gateway for.
ASKED = {
    "startApi", "reqIds", "reqMarketDataType", "reqCurrentTime", "reqAccountUpdates", "reqContractDetails",
    "reqSecDefOptParams", "reqMktData", "cancelMktData", "placeOrder", "cancelOrder", "reqAllOpenOrders",
    "reqCompletedOrders", "reqExecutions", "reqPositions", "cancelPositions",
}  # fmt: skip

ORDER_STATUS, OPEN_ORDER, EXECUTION = "orderStatus", "openOrder", "execDetails"


def live(
    folder: Path, *mishaps: Mishap, minutes: int = 40, story: str = "half day", final: float = 1.0
) -> FaultHouse:
    """A session from shortly before the open on; the first order leaves at 09:35. Every invariant holds."""
    be_quiet()
    begin = scene(story)
    plan = session(*mishaps, scene=story, final=final)
    house = FaultHouse(plan, replace(begin, end=begin.start + timedelta(minutes=minutes)), folder)
    house.run()
    assert not house.judge.violations, house.judge.violations[0]
    return house


def records(house: FaultHouse, *kinds: str) -> Iterator[Record]:
    """What the session wrote."""
    yield from (one for one in read_records(house.journal, after=house.scene.seq) if one.kind in kinds)


def placed(house: FaultHouse) -> list[str]:
    """References of the orders that were decided."""
    return [record.body["order_ref"] for record in records(house, "PlaceOrder")]


def at_venue(house: FaultHouse) -> dict[str, int]:
    """Units filled of each order the venue knows."""
    blotter = house._exchange._blotter
    return {one.request.order_ref: round(one.filled) for one in (*blotter.ended, *blotter.working.values())}


def dropped(message: str, times: int = 1, skip: int = 0) -> Mishap:
    """These messages never reach the daemon."""
    return Mishap("drop", 0.0, 0, Fault(FaultKind.DROP, message=message, times=times, skip=skip))


def ignored(message: str, times: int = 1, skip: int = 0) -> Mishap:
    """These requests are not heard by the gateway, after `skip` that are."""
    return Mishap("ignore", 0.0, 0, Fault(FaultKind.IGNORE, message=message, times=times, skip=skip))


#: The first such message only asks what the order would cost in margin.
ORDER_UNHEARD = ignored("placeOrder", skip=1)


# ---------------------------------------------------------------------- connection


def test_a_half_open_line_is_left_and_trading_goes_on(tmp_path: Path) -> None:
    house = live(tmp_path, trouble(Trouble.BLACKHOLE, 2.0, 1, for_s=240.0))
    assert [record.body["reason"] for record in records(house, "Disconnected")]
    assert house.judge._state.risk.trading is TradingState.ACTIVE
    assert house._loop.lines > 1


@pytest.mark.parametrize("data_kept", [True, False])
@pytest.mark.parametrize("tell_missed", [True, False])
def test_fills_of_a_lost_line_are_in_the_book_whether_data_and_reports_come_back_or_not(
    tmp_path: Path, data_kept: bool, tell_missed: bool
) -> None:
    # One unit trades, the line is lost, and the rest trades meanwhile.
    cut = at_order(2, Fault(FaultKind.PARTIAL, units=1))
    lost = Fault(FaultKind.CONNECTIVITY, for_s=200.0, data_kept=data_kept, tell_missed=tell_missed)
    house = live(tmp_path, cut, at_order(3, lost, 1.0), minutes=30)
    down = next(records(house, "Disconnected")).time
    up = list(records(house, "Connected"))[-1].time
    fills = [one.time for one in house._exchange._blotter.executions]
    assert any(down < f"{at:%Y-%m-%dT%H:%M:%S}" < up for at in fills), (
        "nothing traded while the line was lost"
    )


def test_a_gateway_without_its_broker_is_no_connection_however_often_it_is_greeted(tmp_path: Path) -> None:
    # Behind five minutes the gateway is greeted anew, and answers from its cache.
    lost = Mishap("connectivity", 600.0, 0, Fault(FaultKind.CONNECTIVITY, for_s=900.0))
    house = live(tmp_path, lost, minutes=40)
    (down,) = [datetime.fromisoformat(one.time) for one in records(house, "Disconnected")]
    first, again = [datetime.fromisoformat(one.time) for one in records(house, "Connected")]
    assert first < down
    assert timedelta(seconds=890) < again - down < timedelta(seconds=1000)
    assert house.judge._state.connected


def test_an_order_written_into_a_restart_is_proved_lost_or_found(tmp_path: Path) -> None:
    restart = Mishap("restart", 0.0, 1, Fault(FaultKind.RESTART, for_s=20.0, roll_back=8))
    house = live(tmp_path, ORDER_UNHEARD, restart)
    first, *later = placed(house)
    assert house.judge._state.orders[first].order.status is OrderStatus.LOST
    assert later
    assert set(at_venue(house)) == set(later)


def test_a_line_that_flaps_for_an_hour_costs_no_order_and_asks_for_each_line_once_a_connection(
    tmp_path: Path,
) -> None:
    flaps = [
        Mishap("disconnect", 480.0 + 20.0 * turn, 0, Fault(FaultKind.DISCONNECT, for_s=2.0))
        for turn in range(180)
    ]
    house = live(tmp_path, *flaps, minutes=90)
    assert house.fired["disconnect"] == len(flaps)
    epochs = [record.body["epoch"] for record in records(house, "Connected")]
    assert epochs == sorted(set(epochs))
    assert house._loop.lines <= 3 * len(flaps) + 1
    streamed = house.judge.line.lines
    assert len(set(streamed)) == len(streamed)
    assert house.judge._state.risk.trading is TradingState.ACTIVE


def test_the_night_that_leaves_out_an_hour_runs_each_job_once(tmp_path: Path) -> None:
    house = live(tmp_path, story="spring forward", minutes=60 * 31 + 15)
    jobs = [(record.body["job"], record.body["session"]) for record in records(house, "JobDue")]
    assert len(jobs) == len(set(jobs))
    assert ("session_open", "2026-03-09") in jobs


def test_the_daemon_asks_for_no_history_and_exercises_nothing(tmp_path: Path) -> None:
    asked: set[bytes] = set()
    heard = FaultHouse._sent

    def sent(house: FaultHouse, data: bytes) -> None:
        asked.add(data[4:].partition(b"\0")[0])
        heard(house, data)

    with patch.object(FaultHouse, "_sent", sent):
        house = live(tmp_path, Mishap("disconnect", 900.0, 0, Fault(FaultKind.DISCONNECT, for_s=5.0)))
    assert placed(house)
    # Definitions, quotes, orders and their cancellation, the account, and the lists of a reconciliation.
    named = {INCOMING[int(number)] for number in asked if number.isdigit() and int(number) in INCOMING}
    assert named <= ASKED, named - ASKED
    assert {"placeOrder", "reqMktData", "reqExecutions", "reqPositions"} <= named


# ---------------------------------------------------------------------- market data


def test_a_halted_index_opens_nothing_and_trading_returns_with_it(tmp_path: Path) -> None:
    halt = Mishap("halt", 60.0, 0, Fault(FaultKind.HALT, symbol="SPX", for_s=1500.0))
    house = live(tmp_path, halt, minutes=60)
    over = house.scene.start + timedelta(seconds=1560)
    times = [record.time for record in records(house, "PlaceOrder")]
    assert times
    assert all(time > f"{over:%Y-%m-%dT%H:%M:%S}" for time in times)


# ---------------------------------------------------------------------- the life of an order


def test_an_acknowledgement_that_is_lost_sends_nothing_again(tmp_path: Path) -> None:
    house = live(tmp_path, dropped(OPEN_ORDER, 3, skip=1), dropped(ORDER_STATUS, 3), final=0.85)
    assert house.fired["drop"] >= 2
    assert set(at_venue(house)) == set(placed(house))


def test_an_order_the_gateway_never_heard_is_proved_lost_and_tried_anew(tmp_path: Path) -> None:
    house = live(tmp_path, ORDER_UNHEARD)
    first, *later = placed(house)
    assert house.judge._state.orders[first].order.status is OrderStatus.LOST
    assert later
    assert first not in at_venue(house)


def test_an_order_that_is_not_listed_while_the_positions_differ_halts_for_a_person_and_is_never_lost(
    tmp_path: Path,
) -> None:
    # It fills, and for minutes neither the order nor its executions are told: only the positions show it.
    resumed = trouble(Trouble.HALT, 900.0, 1, for_s=60.0)
    house = live(tmp_path, *UNLISTED, resumed, minutes=60)
    first = placed(house)[0]
    states = [one for one in records(house, "Decision") if one.body["verb"] == "state"]
    (halted, *_) = [one for one in states if "is not listed by the broker" in one.body["reason"]]
    assert halted.body["trading"] == "halted"
    unknown = next(one for one in states if "unknown_order" in one.body["reason"])
    waited = datetime.fromisoformat(halted.time) - datetime.fromisoformat(unknown.time)
    assert timedelta(minutes=2) <= waited <= timedelta(minutes=4)
    assert house.judge._state.orders[first].order.filled == at_venue(house)[first] > 0
    assert house.judge._state.risk.trading is TradingState.ACTIVE


def test_fills_without_any_word_about_their_order_are_in_the_book(tmp_path: Path) -> None:
    house = live(tmp_path, dropped(OPEN_ORDER, 3, skip=1), dropped(ORDER_STATUS, 3))
    filled = [ref for ref, units in at_venue(house).items() if units]
    assert filled
    assert all(house.judge._state.orders[ref].order.filled == at_venue(house)[ref] for ref in filled)


def test_a_corrected_price_stands_in_the_book_once(tmp_path: Path) -> None:
    house = live(tmp_path, at_order(1, Fault(FaultKind.CORRECT, points=0.05), 400.0))
    assert house.fired["correct"] == 1
    versions = [one.exec_id.rpartition(".")[2] for one in house._exchange._blotter.executions]
    assert versions.count("02") == 1


def test_a_cancellation_nobody_hears_is_asked_about_and_nothing_is_sent_beside_it(tmp_path: Path) -> None:
    # A halt cancels what works; the gateway does not hear of it.
    house = live(tmp_path, ignored("cancelOrder"), trouble(Trouble.HALT, 1.0, 1, for_s=300.0), final=0.85)
    assert house.fired["ignore"] == 1
    assert [record.body["reason"] for record in records(house, "Reconcile")]


def test_a_close_at_work_is_taken_back_when_a_person_closes_the_same_and_nothing_is_turned_round(
    tmp_path: Path,
) -> None:
    # One unit of the close has traded when a person closes the rest, one unit first and then the others.
    house = live(tmp_path, *CUT, trouble(Trouble.BY_HAND, 1.0))
    assert house.fired[Trouble.BY_HAND] == 1
    held: dict[int, int] = {}
    turned = []
    for one in house._exchange._blotter.executions:
        if one.security_type != "BAG":
            before = held.get(one.con_id, 0)
            held[one.con_id] = before + round(one.quantity) * (1 if one.side == "BOT" else -1)
            turned += [one.exec_id] if held[one.con_id] * before < 0 else []
    assert turned == []
    told = {one.body["name"]: one.body["text"] for one in records(house, "Alert")}
    assert told["close.taken_back"].startswith(placed(house)[1])
    assert told["structure.closed_by_hand"].endswith("6 units, closed by hand at the broker")
    line = house.judge._state.orders[placed(house)[1]]
    assert (line.order.status, line.order.filled) == (OrderStatus.CANCELLED, 1)
    (structure,) = [one for one in house.judge._state.structures.values() if one.closed_legs][:1]
    assert (structure.is_flat, structure.closed_reason) == (True, "closed by hand at the broker")


# ---------------------------------------------------------------------- legs


def test_legs_that_another_daemon_trades_in_the_account_halt_for_a_person(tmp_path: Path) -> None:
    ghost = "alvh:iron_condor:20261127T140000-7"

    def trades(house: FaultHouse, mishap: Mishap) -> None:
        """One unit of what the first order was for, by an order that this journal does not know."""
        first = house._exchange._blotter.ended[0].request
        request = replace(first, order_ref=ghost, quantity=1.0, limit_price=(first.limit_price or 0.0) + 5.0)
        house._gateway.route(house._exchange.by_hand.place(request))
        house._gateway.flush()

    be_quiet()
    begin = scene("half day")
    plan = session(trouble(Trouble.BY_HAND, 780.0))
    house = FaultHouse(plan, replace(begin, end=begin.start + timedelta(minutes=30)), tmp_path)
    with patch.object(FaultHouse, "_close_by_hand", trades):
        house.run()
    assert {one.invariant for one in house.judge.violations} == {"I-28"}  # a person has to act
    state = house.judge._state
    assert state.risk.trading is TradingState.HALTED
    assert (
        f"by {ghost}, an order this journal does not know: set aside" in dict(state.risk.causes)[Cause.HALT]
    )
    assert sorted(set_aside(state).values()) == [-1, -1, 1, 1]
    halted = next(one.time for one in records(house, "Alert") if one.body["name"] == "trading.halted")
    assert [one for one in records(house, "PlaceOrder") if one.time > halted] == []


def test_a_leg_that_is_never_told_is_fetched(tmp_path: Path) -> None:
    house = live(tmp_path, dropped(EXECUTION, 1, skip=2))
    assert house.fired["drop"] == 1
    assert list(records(house, "Reconcile"))


def test_a_fill_in_parts_is_closed_in_whole_units(tmp_path: Path) -> None:
    cuts = [at_order(number, Fault(FaultKind.PARTIAL, units=number)) for number in (1, 2, 3)]
    house = live(tmp_path, *cuts, minutes=90)
    assert house.fired["partial"] >= 2
    for structure in house.judge._state.structures.values():
        counts = {abs(count) for count in structure.legs.values()}
        assert len(counts) <= 1
