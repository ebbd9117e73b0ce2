"""Orders whose life is not straight: cancels that cross fills, dates, orders by hand, several clients."""

from datetime import UTC, datetime, timedelta

import pytest

from simulator.floor import HouseRules
from simulator.gateway import Gateway
from simulator.good_till import good_till
from simulator.model import OrderBound, OrderState
from tests.simulator.desk import errors, fills, last_order, states, venue
from tests.simulator.fixture_venue import ACCOUNT, Line, codes, kinds, open_gateway, place
from tests.simulator.fixture_venue import condor as condor_legs
from tests.simulator.hand_market import PUT_WING, TUESDAY, condor, single

SLOW = HouseRules(fill_on_arrival=False, cancel_on_arrival=False)


def test_a_cancel_that_crosses_a_fill_loses_and_is_told_so() -> None:
    _, exchange = venue(SLOW)
    exchange.submit(condor("BUY", 1, -11.0))
    assert states(exchange.cancel(7, 1)) == ["PendingCancel"]
    reports = exchange.match()
    assert len(fills(reports)) == 5
    assert last_order(reports).state is OrderState.FILLED
    assert errors(reports) == [
        (10148, "OrderId 1 that needs to be cancelled cannot be cancelled, state: Filled.")
    ]


def test_a_cancel_that_crosses_a_partial_fill_keeps_the_balanced_part() -> None:
    _, exchange = venue(SLOW, size=2)
    exchange.submit(condor("BUY", 5, -11.0))
    exchange.cancel(7, 1)
    reports = exchange.match()
    done = last_order(reports)
    assert (done.state, done.filled, done.remaining) == (OrderState.CANCELLED, 2.0, 3.0)
    assert {line.quantity for line in exchange.positions()} == {2.0, -2.0}
    assert [code for code, _ in errors(reports)] == [202]


def test_a_cancel_waits_in_pending_cancel_and_wins_when_nothing_trades() -> None:
    market, exchange = venue(SLOW)
    exchange.submit(condor("BUY", 1, -20.0))
    assert states(exchange.cancel(7, 1)) == ["PendingCancel"]
    assert [order.state for order in exchange.open_orders(None)] == [OrderState.PENDING_CANCEL]
    assert [code for code, _ in errors(exchange.cancel(7, 1))] == [161]
    assert states(exchange.match()) == ["Cancelled"]
    assert errors(exchange.cancel(7, 1))[0][0] == 10148
    assert market.now == TUESDAY


def test_a_cancel_out_of_hours_is_carried_out_at_the_next_match() -> None:
    market, exchange = venue(SLOW)
    market.advance(datetime(2024, 2, 6, 23, 0, tzinfo=UTC))
    exchange.submit(condor("BUY", 1, -20.0))
    exchange.cancel(7, 1)
    assert states(exchange.match()) == ["Cancelled"]


def test_a_good_till_date_order_lives_to_its_instant() -> None:
    market, exchange = venue()
    until = TUESDAY + timedelta(minutes=30)
    exchange.submit(condor("BUY", 1, -20.0, tif="GTD", good_till=f"{until:%Y%m%d-%H:%M:%S}"))
    market.advance(until - timedelta(seconds=1))
    assert exchange.match() == []
    market.advance(until)
    reports = exchange.match()
    assert states(reports) == ["Cancelled"]
    assert last_order(reports).reason == "The good-till-date order expired"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("20240206 15:30:00 US/Eastern", datetime(2024, 2, 6, 20, 30, tzinfo=UTC)),
        ("20240206 15:30:00", datetime(2024, 2, 6, 20, 30, tzinfo=UTC)),
        ("20240206-15:30:00", datetime(2024, 2, 6, 15, 30, tzinfo=UTC)),
        ("20240206 15:30:00 Europe/Vienna", datetime(2024, 2, 6, 14, 30, tzinfo=UTC)),
        ("20240206", datetime(2024, 2, 7, 4, 59, 59, tzinfo=UTC)),
    ],
)
def test_dates_are_read_in_each_way_clients_write_them(text: str, instant: datetime) -> None:
    assert good_till(text) == instant


@pytest.mark.parametrize(
    "text", ["", "soon", "20240206 25:00:00", "20240206 15:30:00 Mars/Base", "1 2 3 4 5"]
)
def test_a_date_that_names_no_instant_is_none(text: str) -> None:
    assert good_till(text) is None


def test_an_order_by_hand_has_no_id_until_client_0_binds_it() -> None:
    gateway = open_gateway()
    chief, other = Line(gateway, 0), Line(gateway, 7)
    by_hand(gateway)
    unbound = other.ask(16, 1)[0]
    assert (unbound[0], unbound[1]) == ("5", "0")
    assert other.ask(5, 1) == [["53", "1"]]
    assert codes(other.ask(4, 1, 0, "")) == [("0", "10147")]
    bound = chief.ask(5, 1)
    assert [m[0] for m in bound] == ["100", "5", "3", "5", "3", "53"]
    assert bound[0][2:] == ["0", "-1"]
    assert chief.ask(4, 1, -1, "")[-1][2:4] == ["-1", "202"]
    assert gateway.venue.open_orders(None) == []


def test_client_0_may_have_orders_by_hand_bound_as_they_come() -> None:
    gateway = open_gateway()
    chief = Line(gateway, 0)
    assert chief.ask(15, 1, 1) == []
    before = len(chief.sent)
    by_hand(gateway)
    by_hand(gateway)
    told = chief.fresh(before)
    assert [m[3] for m in told if m[0] == "100"] == ["-1", "-2"]
    assert "5" in {m[0] for m in told}
    assert codes(Line(gateway, 3).ask(15, 1, 1)) == [("-1", "321")]


def test_bound_ids_outlive_a_restart_of_the_gateway() -> None:
    _, exchange = venue()
    exchange.by_hand.place(condor("BUY", 1, -20.0))
    (bound, _) = exchange.by_hand.bind()
    assert isinstance(bound, OrderBound)
    exchange.by_hand.place(condor("BUY", 1, -21.0))
    assert [r.order.request.order_id for r in exchange.by_hand.bind() if isinstance(r, OrderBound)] == [-2]


def test_an_order_made_by_hand_can_be_cancelled_by_hand() -> None:
    _, exchange = venue()
    exchange.by_hand.place(condor("BUY", 1, -20.0))
    (order,) = exchange.by_hand.working()
    assert states(exchange.by_hand.cancel(order.perm_id)) == ["PendingCancel", "Cancelled"]
    with pytest.raises(KeyError):
        exchange.by_hand.cancel(order.perm_id)


def test_the_master_is_told_of_every_order_and_others_are_not() -> None:
    gateway = open_gateway(master_client_id=9)
    owner, master, other = Line(gateway, 7), Line(gateway, 9), Line(gateway, 8)
    marks = [len(line.sent) for line in (owner, master, other)]
    owner.session.receive(place(1, condor_legs(gateway), 5.0))
    told = [line.fresh(mark) for line, mark in zip((owner, master, other), marks, strict=True)]
    assert kinds(told[0]) == kinds(told[1])
    assert told[2] == []
    mark = len(master.sent)
    by_hand(gateway)
    assert "5" in {m[0] for m in master.fresh(mark)}


def test_all_open_orders_are_those_of_every_client() -> None:
    gateway = open_gateway()
    first, second = Line(gateway, 7), Line(gateway, 8)
    first.session.receive(place(1, condor_legs(gateway), -45.0))
    second.session.receive(place(1, condor_legs(gateway), -44.0))
    assert [m[0] for m in first.ask(5, 1)] == ["5", "3", "53"]
    found = first.ask(16, 1)
    assert [m[0] for m in found] == ["5", "3", "5", "3", "53"]
    assert [m[9] for m in found if m[0] == "3"] == ["7", "8"]


def test_a_refusal_of_the_house_takes_the_next_order_only() -> None:
    _, exchange = venue()
    exchange.by_hand.refuse_next(201, "Order rejected - reason:Scripted")
    reports = exchange.submit(condor("BUY", 1, -11.0))
    assert errors(reports) == [(201, "Order rejected - reason:Scripted")]
    assert states(reports) == ["Inactive"]
    assert errors(exchange.submit(condor("BUY", 1, -11.0, order_id=2))) == []


def test_a_fill_can_be_cut_and_the_rest_follows() -> None:
    _, exchange = venue()
    exchange.by_hand.cut_next_fill(2)
    assert last_order(exchange.submit(condor("BUY", 5, -11.0))).filled == 2.0
    assert last_order(exchange.match()).filled == 5.0


def test_a_time_in_force_left_out_is_a_day_and_said_so() -> None:
    market, exchange = venue()
    reports = exchange.submit(single(PUT_WING, "BUY", 1, 2.0, tif=""))
    assert errors(reports) == [(10349, "Order TIF was set to DAY based on order preset.")]
    market.advance(TUESDAY + timedelta(days=1))
    assert states(exchange.match()) == ["Cancelled"]


def by_hand(gateway: Gateway) -> None:
    request = condor("BUY", 1, -45.0, account=ACCOUNT, legs=condor_legs(gateway))
    exchange = gateway.venue.by_hand
    gateway.route(exchange.place(request))  # type: ignore[attr-defined]  # the real back office
    gateway.flush()
