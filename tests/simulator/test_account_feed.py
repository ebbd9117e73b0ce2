"""Account, positions, profit and history as raw clients are told of them."""

from simulator.gateway import Gateway
from simulator.model import OrderLeg
from tests.simulator.fixture_venue import (
    ACCOUNT,
    NOBODY,
    SPX,
    Clock,
    Line,
    codes,
    condor,
    contract,
    options,
    place,
)


def test_account_requests_end_with_their_markers(gateway: Gateway) -> None:
    line = Line(gateway)
    assert line.ask(61, 1) == [["62", "1"]]
    updates = line.ask(6, 2, 1, ACCOUNT)
    assert updates[-1] == ["54", "1", ACCOUNT]
    assert {m[0] for m in updates} == {"6", "8", "54"}
    summary = line.ask(62, 1, 5, "All", "NetLiquidation,TotalCashValue")
    assert [m[4] for m in summary[:-1]] == ["NetLiquidation", "TotalCashValue"]
    assert summary[-1] == ["64", "1", "5"]
    assert line.ask(76, 1, 6, ACCOUNT, "", 0)[-1] == ["74", "1", "6"]


def test_a_third_summary_and_a_foreign_account_are_refused(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(62, 1, 5, "All", "NetLiquidation")
    line.ask(62, 1, 6, "All", "NetLiquidation")
    assert codes(line.ask(62, 1, 7, "All", "NetLiquidation")) == [("7", "322")]
    line.ask(63, 1, 5)
    assert codes(line.ask(62, 1, 7, "All", "NetLiquidation")) == []
    assert codes(line.ask(6, 2, 1, "U1")) == [("-1", "321")]
    assert codes(line.ask(92, 8, "U1", "")) == [("8", "321")]


def test_values_that_moved_are_told_every_three_minutes(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(6, 2, 1, ACCOUNT)
    line.session.receive(place(1, condor(gateway), 5.0))
    gateway.step()
    before = len(line.sent)
    clock.pass_by(179.0)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(1.0)
    gateway.step()
    told = line.fresh(before)
    assert {"6", "7"} <= {m[0] for m in told}
    assert "NetLiquidation" in {m[2] for m in told if m[0] == "6"}
    assert "AccountType" not in {m[2] for m in told if m[0] == "6"}


def test_profit_and_loss_is_pushed_while_it_moves_until_it_is_cancelled(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    legs = condor(gateway)
    assert line.ask(92, 8, ACCOUNT, "") == [["94", "8", "0.0", "0.0", "0.0"]]
    line.session.receive(place(1, legs, 5.0))
    line.ask(94, 9, ACCOUNT, "", legs[0].con_id)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert {m[0] for m in line.fresh(before)} == {"94", "95"}
    line.ask(93, 8)
    line.ask(95, 9)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert line.fresh(before) == []


def test_a_closed_position_is_told_as_zero(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(61, 1)
    legs = condor(gateway)
    line.session.receive(place(1, legs, 5.0))
    before = len(line.sent)
    back = tuple(OrderLeg(leg.con_id, 1, "SELL" if leg.action == "BUY" else "BUY") for leg in legs)
    line.session.receive(place(2, back, 45.0))
    assert [m[14] for m in line.fresh(before) if m[0] == "61"] == ["0.0"] * 4


def history(
    req_id: int,
    fields: tuple[object, ...] = SPX,
    size: str = "1 day",
    what: str = "TRADES",
    end: str = "",
    grow: int = 0,
    span: str = "5 D",
) -> tuple[object, ...]:
    return (20, req_id, *fields, 0, end, size, span, 1, what, 1, grow, "")


def test_bars_are_answered_and_what_is_not_kept_is_162(gateway: Gateway) -> None:
    line = Line(gateway)
    (answer,) = line.ask(*history(5))
    assert (answer[0], answer[4], answer[5]) == ("17", "5", "20200224")
    assert codes(line.ask(*history(6, size="7 mins"))) == [("6", "162")]
    assert codes(line.ask(*history(7, what="OPTION_IMPLIED_VOLATILITY"))) == [("7", "162")]
    option = contract(options(gateway, [3000.0])[0])
    assert codes(line.ask(*history(8, (*option[:2], "OPT", *option[3:])))) == [("8", "162")]
    assert codes(line.ask(*history(9, NOBODY))) == [("9", "200")]
    assert codes(line.ask(*history(10, end="yesterday"))) == [("10", "321")]
    assert codes(line.ask(*history(11, span="5 M D"))) == [("11", "321")]
    (weeks,) = line.ask(*history(12, span="2 W", end="20200228-23:59:59"))
    assert (weeks[4], weeks[5]) == ("9", "20200218")


def test_the_same_bars_twice_within_fifteen_seconds_is_a_pacing_violation(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    line.ask(*history(5))
    assert codes(line.ask(*history(6))) == [("6", "162")]
    clock.pass_by(15.0)
    gateway.step()
    assert codes(line.ask(*history(7))) == []


def test_six_requests_for_one_contract_in_two_seconds_are_a_pacing_violation(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    for number in range(5):
        assert codes(line.ask(*history(5 + number, span=f"{5 + number} D"))) == []
    assert codes(line.ask(*history(20, span="20 D"))) == [("20", "162")]
    vix = (13455763, "VIX", "IND", "", "0.0", "", "", "CBOE", "", "USD", "", "")
    assert codes(line.ask(*history(21, vix))) == []
    clock.pass_by(2.0)
    gateway.step()
    assert codes(line.ask(*history(22, span="20 D"))) == []


def test_a_growing_bar_follows_the_market_until_it_is_cancelled(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*history(5, grow=1))
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    ((number, req_id, _, day, *_),) = line.fresh(before)
    assert (number, req_id, day) == ("90", "5", "20200302")
    assert line.ask(25, 1, 5) == []
    assert codes(line.ask(25, 1, 5)) == [("5", "366")]


def test_history_begins_somewhere(gateway: Gateway) -> None:
    ((number, req_id, text),) = Line(gateway).ask(87, 5, *SPX, 0, 1, "TRADES", 1)
    assert (number, req_id) == ("88", "5")
    assert "20100101" < text < "20200302"


def test_an_account_is_followed_under_one_name_at_a_time(gateway: Gateway) -> None:
    first, second = Line(gateway), Line(gateway, 8)
    assert codes(first.ask(6, 2, 1, ACCOUNT)) == []
    assert codes(first.ask(6, 2, 1, "")) == []  # the same account
    assert codes(second.ask(6, 2, 1, ACCOUNT)) == []
    refused = second.ask(6, 2, 1, "All")
    assert codes(refused) == [("-1", "2101")]
    assert "54" not in {m[0] for m in refused}
    assert second.ask(6, 2, 0, ACCOUNT) == []
    replaced = first.ask(6, 2, 1, "All")
    assert codes(replaced) == [("-1", "2100")]
    assert replaced[-1][0] == "54"
    assert codes(second.ask(6, 2, 1, ACCOUNT)) == [("-1", "2101")]
    first.ask(6, 2, 0, "All")
    assert codes(second.ask(6, 2, 1, ACCOUNT)) == []
