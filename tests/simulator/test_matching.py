"""How orders meet the book: combos in whole units at natural prices, stops, sizes on display."""

from datetime import timedelta

import pytest

from simulator.floor import HouseRules
from simulator.model import (
    OrderLeg,
)
from tests.simulator.desk import fills, last_order, states, values, venue
from tests.simulator.hand_market import (
    CALL_WING,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    condor,
    single,
)

# ------------------------------------------------------------------------------------------------------------


def test_buying_the_condor_at_a_negative_limit_brings_the_credit_and_the_legs() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("BUY", 2, -11.5))
    assert states(reports) == ["PreSubmitted", "Submitted", "Filled"]
    combo, *legs = fills(reports)
    assert (combo.security_type, combo.con_id, combo.side) == ("BAG", 28812380, "BOT")
    assert (combo.quantity, combo.price, combo.commission) == (2.0, -11.6, None)
    assert [(leg.con_id, leg.side, leg.quantity, leg.price) for leg in legs] == [
        (PUT_WING, "BOT", 2.0, 14.1),
        (SHORT_PUT, "SLD", 2.0, 19.9),
        (SHORT_CALL, "SLD", 2.0, 10.9),
        (CALL_WING, "BOT", 2.0, 5.1),
    ]
    commissions = sum(leg.commission or 0.0 for leg in legs)
    assert commissions > 0
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 + 2 * 1160 - commissions, abs=0.01)
    assert {line.con_id: line.quantity for line in exchange.positions()} == {
        PUT_WING: 2, SHORT_PUT: -2, SHORT_CALL: -2, CALL_WING: 2,
    }  # fmt: skip


def test_selling_the_same_combo_takes_the_opposite_of_every_leg_and_pays() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("SELL", 1, -12.5))
    combo, *legs = fills(reports)
    assert (combo.side, combo.price) == ("SLD", -12.4)
    assert [leg.side for leg in legs] == ["SLD", "BOT", "BOT", "SLD"]
    assert values(exchange)["TotalCashValue"] < 1_000_000 - 1240


def test_all_lines_of_a_fill_share_perm_id_reference_and_stem_of_the_exec_id() -> None:
    _, exchange = venue()
    reports = exchange.submit(condor("BUY", 1, -11.0, order_ref="D-17"))
    lines = fills(reports)
    assert {line.perm_id for line in lines} == {last_order(reports).perm_id}
    assert {line.order_ref for line in lines} == {"D-17"}
    parts = [line.exec_id.split(".") for line in lines]
    assert [[len(p) for p in part] for part in parts] == [[8, 8, 2, 2], *[[8, 8, 2, 2, 2]] * 4]
    assert len({(part[0], part[1]) for part in parts}) == 1
    assert [part[2] for part in parts] == ["01", "02", "03", "04", "05"]
    assert {part[-1] for part in parts} == {"01"}
    assert exchange.executions() == lines


def test_a_combo_waits_until_its_natural_price_reaches_the_limit() -> None:
    market, exchange = venue()
    assert not fills(exchange.submit(condor("BUY", 1, -11.65)))
    assert exchange.match() == []
    market.condor(shift=0.025)
    (combo, *_) = fills(exchange.match())
    assert combo.price == pytest.approx(-11.65)


def test_a_combo_is_never_filled_in_the_middle_of_its_legs_spreads() -> None:
    _, exchange = venue(spread=2.0)
    reports = exchange.submit(condor("BUY", 1, -11.9))
    assert not fills(reports)
    assert last_order(reports).state.value == "Submitted"


def test_a_combo_fills_only_as_many_units_as_its_thinnest_leg_shows_and_stays_balanced() -> None:
    market, exchange = venue(size=5)
    market.quote(CALL_WING, 4.9, 5.1, 2)
    reports = exchange.submit(condor("BUY", 5, -11.0))
    assert [line.quantity for line in fills(reports)] == [2.0] * 5
    assert (last_order(reports).filled, last_order(reports).remaining) == (2.0, 3.0)
    assert exchange.match() == []  # nothing more is on display at this moment
    market.advance(market.now + timedelta(seconds=1))
    market.condor(size=5)
    reports = exchange.match()
    assert [line.quantity for line in fills(reports)] == [3.0] * 5
    assert fills(reports)[0].cumulative == 5.0
    assert last_order(reports).state.value == "Filled"


def test_displayed_sizes_can_be_ignored() -> None:
    _, exchange = venue(HouseRules(limit_to_displayed_size=False), size=1)
    assert fills(exchange.submit(condor("BUY", 9, -11.0)))[0].quantity == 9.0


def test_ratios_multiply_contracts_and_price() -> None:
    _, exchange = venue(size=4)
    legs = (OrderLeg(PUT_WING, 2, "BUY"), OrderLeg(SHORT_PUT, 1, "SELL"))
    combo, wing, short = fills(exchange.submit(condor("BUY", 3, 8.3, legs=legs)))
    assert combo.quantity == 2.0
    assert combo.price == pytest.approx(2 * 14.1 - 19.9)
    assert (wing.quantity, short.quantity) == (4.0, 2.0)


def test_a_leg_without_an_opposite_quote_holds_the_whole_combo_even_at_the_market() -> None:
    market, exchange = venue()
    market.quote(SHORT_CALL, None, 11.1)
    reports = exchange.submit(condor("BUY", 1, None))
    assert states(reports) == ["PreSubmitted", "Submitted"]
    market.condor()
    assert fills(exchange.match())


def test_a_halted_leg_does_not_trade() -> None:
    market, exchange = venue()
    market.book[SHORT_PUT] = market.book[SHORT_PUT]._replace(halted=True)
    assert not fills(exchange.submit(condor("BUY", 1, -11.0)))


def test_a_condor_opened_and_closed_in_an_unchanged_book_costs_the_spreads_and_the_fees() -> None:
    _, exchange = venue()
    opened = fills(exchange.submit(condor("BUY", 1, -11.0)))
    closed = fills(exchange.submit(condor("SELL", 1, -13.0, order_id=2)))
    fees = sum(line.commission or 0.0 for line in (*opened, *closed))
    assert values(exchange)["TotalCashValue"] == pytest.approx(1_000_000 - 4 * 0.2 * 100 - fees, abs=0.01)
    assert values(exchange)["NetLiquidation"] == values(exchange)["TotalCashValue"]
    assert all(line.quantity == 0 for line in exchange.positions())
    assert sum(line.realised_pnl or 0.0 for line in closed) == pytest.approx(-80 - fees, abs=1e-6)
    assert exchange.pnl() == pytest.approx((-80 - fees, 0.0, -80 - fees))


# --------------------------------------------------------------------------------------------------


def test_a_buy_fills_at_the_ask_and_a_sell_at_the_bid() -> None:
    _, exchange = venue()
    (bought,) = fills(exchange.submit(single(PUT_WING, "BUY", 1, 15.0)))
    (sold,) = fills(exchange.submit(single(SHORT_CALL, "SELL", 1, 10.0, order_id=2)))
    assert (bought.price, sold.price) == (14.1, 10.9)
    assert bought.exec_id.endswith(".01.01")
    assert bought.security_type == "OPT"


def test_a_market_order_waits_for_a_quote() -> None:
    market, exchange = venue()
    market.quote(PUT_WING, 13.9, None)
    assert not fills(exchange.submit(single(PUT_WING, "BUY", 1, None)))
    market.quote(PUT_WING, 13.9, 14.3)
    (fill,) = fills(exchange.match())
    assert fill.price == 14.3


def test_the_rest_of_a_partly_filled_market_order_sent_to_an_exchange_is_cancelled() -> None:
    _, exchange = venue(size=3)
    reports = exchange.submit(single(PUT_WING, "BUY", 5, None, exchange="CBOE"))
    assert fills(reports)[0].quantity == 3.0
    assert states(reports)[-1] == "Cancelled"


def test_a_stop_order_sleeps_until_its_price_is_touched_and_then_takes_the_market() -> None:
    market, exchange = venue()
    exchange.submit(single(PUT_WING, "BUY", 1, 14.1))
    stop = single(PUT_WING, "SELL", 1, None, order_id=2, order_type="STP", aux_price=12.0)
    assert states(exchange.submit(stop)) == ["PreSubmitted"]
    market.quote(PUT_WING, 12.1, 12.3)
    assert exchange.match() == []
    market.quote(PUT_WING, 11.8, 12.0)
    reports = exchange.match()
    assert states(reports) == ["Submitted", "Filled"]
    assert fills(reports)[0].price == 11.8


def test_a_stop_limit_order_keeps_its_limit_after_the_stop() -> None:
    market, exchange = venue()
    stop = single(PUT_WING, "BUY", 1, 15.0, order_type="STP LMT", aux_price=14.5)
    exchange.submit(stop)
    market.quote(PUT_WING, 16.0, 16.2)
    assert states(exchange.match()) == ["Submitted"]
    market.quote(PUT_WING, 14.6, 14.8)
    assert fills(exchange.match())[0].price == 15.0


def test_two_orders_share_what_is_on_display_oldest_first() -> None:
    _, exchange = venue(HouseRules(fill_on_arrival=False), size=3)
    exchange.submit(single(PUT_WING, "BUY", 2, 14.1))
    exchange.submit(single(PUT_WING, "BUY", 2, 14.1, order_id=2))
    assert [(line.order_id, line.quantity) for line in fills(exchange.match())] == [(1, 2.0), (2, 1.0)]


def test_the_order_minimum_is_charged_once_over_several_fills() -> None:
    market, exchange = venue(size=1)
    market.quote(PUT_WING, 0.05, 0.1, 1)
    broker = [1.0, 0.3]  # 0.65 topped up to 1.00, then what exceeds it: 1.30 - 1.00
    for part in broker:
        reports = exchange.submit(single(PUT_WING, "BUY", 2, 0.1)) if part == 1.0 else exchange.match()
        (fill,) = fills(reports)
        assert fill.commission == pytest.approx(part + 0.49 + 0.0388 + 0.055)
        market.advance(market.now + timedelta(seconds=1))
