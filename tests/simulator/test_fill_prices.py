"""What an order pays: the natural price when it comes to the book, its own limit once it rests there."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.exchange import Exchange
from simulator.matching import Gain, traded_prices
from simulator.model import Execution, OrderLeg
from simulator.store import Store
from tests.simulator.desk import fills, last_order, states, venue
from tests.simulator.hand_market import (
    ACCOUNT,
    CALL_WING,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    HandMarket,
    condor,
    single,
)


def net(lines: list[Execution]) -> float:
    """What the legs of a fill cost together, per unit."""
    combo, *legs = lines
    paid = sum(leg.price * leg.quantity * (1 if leg.side == "BOT" else -1) for leg in legs)
    return round(paid / combo.quantity, 9)


def test_a_resting_condor_gets_its_own_credit_however_far_the_market_has_gone() -> None:
    market, exchange = venue()
    assert not fills(exchange.submit(condor("BUY", 2, -12.05)))
    market.condor(shift=0.5)  # the natural credit is 12.60 now
    lines = fills(exchange.match())
    assert lines[0].price == -12.05
    assert net(lines) == -12.05


def test_the_same_limit_that_arrives_in_that_market_takes_its_natural_price() -> None:
    market, exchange = venue()
    market.condor(shift=0.5)
    assert fills(exchange.submit(condor("BUY", 2, -12.05)))[0].price == pytest.approx(-12.6)


def test_a_resting_sale_of_one_contract_gets_its_limit_and_no_more() -> None:
    market, exchange = venue()
    exchange.submit(single(PUT_WING, "BUY", 1, 15.0))
    exchange.submit(single(PUT_WING, "SELL", 1, 16.0, order_id=2))
    market.quote(PUT_WING, 19.0, 19.4)
    (line,) = fills(exchange.match())
    assert line.price == 16.0


def test_the_rest_of_an_order_larger_than_the_display_rests_at_its_limit() -> None:
    market, exchange = venue(size=3)
    assert fills(exchange.submit(single(PUT_WING, "BUY", 5, 15.0)))[0].price == 14.1
    market.advance(market.now + timedelta(seconds=1))
    (line,) = fills(exchange.match())
    assert (line.price, line.quantity, line.average_price) == (15.0, 2.0, 14.46)


def test_what_is_left_works_on_waits_while_the_market_is_away_and_trades_when_it_comes_back() -> None:
    market, exchange = venue(size=3)
    assert fills(exchange.submit(single(PUT_WING, "BUY", 8, 14.5)))[0].price == 14.1
    traded = []
    for bid, ask in ((13.9, 14.1), (14.6, 15.0), (14.0, 14.4)):
        market.quote(PUT_WING, bid, ask, size=3)
        market.advance(market.now + timedelta(seconds=1))
        traded.append([(line.price, line.quantity) for line in fills(exchange.match())])
    assert traded == [[(14.5, 3.0)], [], [(14.5, 2.0)]]
    assert not exchange.open_orders(None)


def test_a_changed_limit_comes_to_the_book_anew() -> None:
    _, exchange = venue()
    exchange.submit(single(PUT_WING, "BUY", 1, 13.0))
    (line,) = fills(exchange.submit(single(PUT_WING, "BUY", 1, 15.0)))
    assert line.price == 14.1


def test_an_order_that_waited_for_the_open_takes_the_natural_price_of_the_open() -> None:
    market, exchange = venue()
    exchange.submit(single(PUT_WING, "BUY", 1, 13.0, tif="GTC"))
    market.advance(market.now + timedelta(days=1))
    market.quote(PUT_WING, 10.0, 10.2)
    (line,) = fills(exchange.match())
    assert line.price == 10.2


def test_an_order_in_a_halt_rests_and_gets_its_limit_afterwards() -> None:
    market, exchange = venue()
    market.book[PUT_WING] = market.book[PUT_WING]._replace(halted=True)
    assert not fills(exchange.submit(single(PUT_WING, "BUY", 1, 14.5)))
    market.quote(PUT_WING, 13.9, 14.1)
    (line,) = fills(exchange.match())
    assert line.price == 14.5


def test_an_immediate_order_never_rests() -> None:
    market, exchange = venue()
    assert states(exchange.submit(single(PUT_WING, "BUY", 1, 13.0, tif="IOC")))[-1] == "Cancelled"
    market.quote(PUT_WING, 10.0, 10.2)
    assert not fills(exchange.match())


def test_a_fill_or_kill_order_trades_whole_or_not_at_all() -> None:
    _, exchange = venue(size=3)
    reports = exchange.submit(single(PUT_WING, "BUY", 4, 15.0, tif="FOK"))
    assert (fills(reports), states(reports)[-1]) == ([], "Cancelled")
    (line,) = fills(exchange.submit(single(PUT_WING, "BUY", 3, 15.0, tif="FOK", order_id=2)))
    assert (line.quantity, line.price) == (3.0, 14.1)


def test_a_resting_order_still_rests_after_a_restart(tmp_path: Path) -> None:
    market = HandMarket()
    market.condor()
    with Store(tmp_path) as store:
        Exchange(market, ACCOUNT, store=store).submit(condor("BUY", 1, -12.05))
    with Store(tmp_path) as store:
        again = Exchange(market, ACCOUNT, store=store)
        market.condor(shift=0.5)
        reports = again.match()
    assert fills(reports)[0].price == -12.05
    assert last_order(reports).average_price == -12.05


def test_what_a_resting_condor_gives_up_is_spread_over_its_legs_in_cents() -> None:
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, -12.05))
    market.condor(shift=0.5)
    prices = {line.con_id: line.price for line in fills(exchange.match())[1:]}
    # 0.55 over legs worth 14.1, 20.4, 11.4 and 5.1: 15, 22, 12 and 5 cents, and the last cent to the dearest.
    assert prices == {PUT_WING: 14.25, SHORT_PUT: 20.17, SHORT_CALL: 11.28, CALL_WING: 5.15}


@given(
    legs=st.lists(st.tuples(st.integers(-3, 3).filter(bool), st.integers(1, 4000)), min_size=1, max_size=4),
    extra=st.integers(0, 6000),
)
def test_leg_prices_add_up_to_the_outlay_and_none_is_better_than_natural(
    legs: list[tuple[int, int]], extra: int
) -> None:
    wanted = [Gain(n, quantity) for n, (quantity, _) in enumerate(legs)]
    natural = [cents / 100.0 for _, cents in legs]
    outlay = round(sum(g.quantity * p for g, p in zip(wanted, natural, strict=True)) + extra / 100.0, 6)
    prices = traded_prices(wanted, natural, outlay)
    paid = sum(gain.quantity * price for gain, price in zip(wanted, prices, strict=True))
    assert paid == pytest.approx(outlay, abs=1e-8)
    for gain, before, now in zip(wanted, natural, prices, strict=True):
        assert now >= before if gain.takes_ask else now <= before
        if any(one.takes_ask for one in wanted):
            assert now > -1e-9


def test_ratios_that_do_not_divide_the_cents_still_add_up() -> None:
    legs = [Gain(1, 2), Gain(2, -3)]
    prices = traded_prices(legs, [14.1, 19.9], 0.0)
    assert 2 * prices[0] - 3 * prices[1] == pytest.approx(0.0, abs=1e-8)


def test_a_combo_whose_legs_all_sell_may_cost_its_owner_more_than_it_is_worth() -> None:
    legs = (OrderLeg(PUT_WING, 1, "BUY"), OrderLeg(CALL_WING, 1, "BUY"))
    market, exchange = venue()
    exchange.submit(condor("BUY", 1, 25.0, legs=legs))
    market.quote(PUT_WING, None, 14.1)
    assert not fills(exchange.submit(condor("SELL", 1, -1.0, legs=legs, order_id=2)))
    market.condor()
    lines = fills(exchange.match())
    assert (lines[0].price, net(lines)) == (-1.0, 1.0)
