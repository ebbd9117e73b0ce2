"""A missing side is no price: nothing is invented, and a curve without a month has no backwardation."""

from datetime import date
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import Action, Right, call_spread, single
from market.quote import Quote, VixCurve, combo_quote, pair_rows
from tests.market.options import EXPIRY, NOW, option

LONG, SHORT = option(100, Right.CALL), option(110, Right.CALL)
SPREAD = call_spread(LONG, SHORT)


def quote(bid: float | None, ask: float | None) -> Quote:
    return Quote(bid, ask, None, NOW)


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [
        (1.0, 1.2, 1.1),
        (1.0, 1.0, 1.0),
        (1.2, 1.0, None),
        (None, 1.0, None),
        (1.0, None, None),
        (None, None, None),
    ],
)
def test_a_mid_needs_two_sides_that_are_not_crossed(
    bid: float | None, ask: float | None, mid: float | None
) -> None:
    assert quote(bid, ask).mid == mid
    assert quote(bid, ask).is_two_sided is (mid is not None)


def test_buying_crosses_every_leg_and_selling_back_crosses_the_other_side() -> None:
    quotes = {LONG.con_id: quote(4.0, 4.2), SHORT.con_id: quote(1.0, 1.1)}
    net = combo_quote(SPREAD, quotes)
    assert net is not None
    assert (net.bid, net.ask, net.mid, net.half_spread) == (2.9, 3.2, 3.05, 0.15)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), min_size=2, max_size=2))
def test_the_reversed_combo_costs_what_the_combo_brings(markets: list[tuple[int, int]]) -> None:
    quotes = {
        leg.contract.con_id: quote(bid / 100, (bid + width) / 100)
        for leg, (bid, width) in zip(SPREAD.legs, markets, strict=True)
    }
    there, back = combo_quote(SPREAD, quotes), combo_quote(SPREAD.reversed(), quotes)
    assert there is not None
    assert back is not None
    assert (back.bid, back.ask) == (-there.ask, -there.bid)
    assert there.bid <= there.mid <= there.ask


def test_a_leg_nobody_bids_for_is_worth_nothing_and_can_still_be_bought() -> None:
    quotes = {LONG.con_id: quote(None, 0.05)}
    net = combo_quote(single(LONG), quotes)
    assert net is not None
    assert (net.bid, net.ask) == (0.0, 0.05)
    sold = combo_quote(single(LONG, Action.SELL), quotes)
    assert sold is not None
    assert sold.ask == 0.0


@pytest.mark.parametrize("broken", [None, quote(1.0, None), quote(None, None), quote(4.5, 4.2)])
def test_without_an_ask_or_with_a_crossed_leg_a_combo_has_no_price(broken: Quote | None) -> None:
    quotes = {SHORT.con_id: quote(1.0, 1.1)}
    if broken is not None:
        quotes[LONG.con_id] = broken
    assert combo_quote(SPREAD, quotes) is None


def test_a_chain_lays_both_rights_on_one_ascending_axis() -> None:
    put = option(110, Right.PUT)
    quotes = {LONG.con_id: quote(4.0, 4.2), put.con_id: quote(None, 9.0)}
    low, high = pair_rows([put, SHORT, LONG], quotes)
    assert (low[:3], high[0], high[4]) == ((100.0, 4.0, 4.2), 110.0, 9.0)
    assert all(isnan(side) for side in (*low[3:], *high[1:4]))


def test_a_chain_of_two_expiries_or_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one class and expiry"):
        pair_rows([LONG, option(100, Right.CALL, date(2020, 3, 27))], {})
    with pytest.raises(ValueError, match="one class and expiry"):
        pair_rows([], {})


FRONT, SECOND = EXPIRY, date(2020, 4, 15)


@pytest.mark.parametrize(
    ("front", "second", "b"),
    [
        (27.5, 25.0, 0.1),
        (18.0, 20.0, -0.1),
        (None, 20.0, None),
        (20.0, None, None),
        (0.0, 20.0, None),
        (20.0, 0.0, None),
    ],
)
def test_backwardation_needs_both_months(front: float | None, second: float | None, b: float | None) -> None:
    pairs = tuple((day, price) for day, price in ((FRONT, front), (SECOND, second)) if price is not None)
    assert VixCurve(pairs).backwardation(FRONT, SECOND) == b
