"""What breaks outside the gateway, and what its clients see of it."""

import pytest

from simulator.disturbances import Disturbances
from simulator.gateway import Gateway
from simulator.notices import Farm
from tests.simulator.fixture_venue import (
    Clock,
    Line,
    codes,
    condor,
    kinds,
    market_data,
    messages,
    place,
)


@pytest.fixture
def world(gateway: Gateway) -> Disturbances:
    return Disturbances(gateway)


def told(line: Line, before: int) -> list[str]:
    return [m[3] for m in line.fresh(before) if m[0] == "4"]


def test_without_the_line_to_the_broker_no_quotes_pass_and_afterwards_they_do(
    gateway: Gateway, clock: Clock, world: Disturbances
) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    before = len(line.sent)
    world.lose_connectivity()
    world.lose_connectivity()
    clock.pass_by(60.0)
    gateway.step()
    assert [m[0] for m in line.fresh(before)] == ["4"]
    world.restore_connectivity()
    world.restore_connectivity()
    gateway.step()
    assert told(line, before) == ["1100", "1102"]
    assert "1" in {m[0] for m in line.fresh(before)}


def test_lost_data_have_to_be_asked_for_again(gateway: Gateway, clock: Clock, world: Disturbances) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    world.lose_connectivity()
    world.restore_connectivity(data_kept=False)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert line.fresh(before) == []
    assert "1" in {m[0] for m in line.ask(*market_data(4))}


@pytest.mark.parametrize("tell_missed", [True, False])
def test_fills_of_the_lost_time_are_told_afterwards_or_only_on_request(
    gateway: Gateway, clock: Clock, world: Disturbances, tell_missed: bool
) -> None:
    line = Line(gateway)
    line.session.receive(place(1, condor(gateway), -45.0))
    before = len(line.sent)
    world.lose_connectivity()
    gateway.route(gateway.venue.cancel(7, 1))
    world.restore_connectivity(tell_missed=tell_missed)
    assert ("3:Cancelled" in kinds(line.fresh(before))) is tell_missed
    assert [m[0] for m in line.ask(99, 0)] == ["101", "102"]


def test_orders_of_the_lost_time_reach_the_exchange_when_the_line_works(
    gateway: Gateway, world: Disturbances
) -> None:
    line = Line(gateway)
    world.lose_connectivity()
    before = len(line.sent)
    line.session.receive(place(1, condor(gateway), 5.0))
    assert line.fresh(before) == []
    world.restore_connectivity()
    assert "11" in kinds(line.fresh(before))


def test_who_connects_without_the_line_is_told_so(gateway: Gateway, world: Disturbances) -> None:
    world.lose_connectivity()
    world.set_farm(Farm.HISTORY, works=False)
    line = Line(gateway)
    assert [code for _, code in codes(messages(line.sent)[1:])] == ["2104", "2105", "2158", "1100"]


def test_without_the_market_data_farm_nothing_ticks(
    gateway: Gateway, clock: Clock, world: Disturbances
) -> None:
    line = Line(gateway)
    world.set_farm(Farm.MARKET_DATA, works=False)
    assert [m[0] for m in line.ask(*market_data(4))] == ["58", "81"]
    world.set_farm(Farm.MARKET_DATA, works=True)
    before = len(line.sent)
    gateway.step()
    assert {m[0] for m in line.fresh(before)} == {"1"}


def test_a_restart_hands_out_old_order_ids_but_never_old_permanent_ids(
    gateway: Gateway, world: Disturbances
) -> None:
    line = Line(gateway)
    for order_id in range(1, 7):
        line.session.receive(place(order_id, condor(gateway), -45.0))
    perm_ids = {order.perm_id for order in gateway.venue.open_orders(7)}
    world.restart(roll_back=4)
    assert line.closed
    gateway.disconnect(line.session)
    again = Line(gateway)
    assert [m for m in messages(again.sent)[1:] if m[0] == "9"] == [["9", "1", "3"]]
    gateway.venue.cancel_all()
    again.session.receive(place(7, condor(gateway), -45.0))
    assert {order.perm_id for order in gateway.venue.open_orders(7)} & perm_ids == set()


def test_a_port_that_moves_tells_its_clients_the_new_one_and_hangs_up(
    gateway: Gateway, world: Disturbances
) -> None:
    line = Line(gateway)
    before = len(line.sent)
    world.move_port(4003)
    assert told(line, before) == ["1300"]
    assert line.fresh(before)[0][4].endswith("-4003")
    assert line.closed


def test_one_client_is_dropped_and_the_others_stay(gateway: Gateway, world: Disturbances) -> None:
    first, second = Line(gateway, 7), Line(gateway, 8)
    assert world.drop_client(7)
    assert (first.closed, second.closed) == (True, False)
    assert not world.drop_client(99)
