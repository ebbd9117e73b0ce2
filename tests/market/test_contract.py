"""One sign convention: what is opened and closed nets to nothing, and a credit is a negative price."""

from datetime import date
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import (
    Action,
    Combo,
    Contract,
    Leg,
    Right,
    SecurityType,
    call_spread,
    iron_condor,
    net_contracts,
    single,
)
from market.quote import Quote, combo_quote
from tests.market.options import EXPIRY, NOW, option

STRIKES = [float(k) for k in range(80, 125, 5)]
legs = st.builds(
    Leg,
    st.builds(option, st.sampled_from(STRIKES), st.sampled_from(list(Right))),
    st.sampled_from(list(Action)),
    st.integers(1, 3),
)
combos = st.lists(legs, min_size=1, max_size=4, unique_by=lambda leg: leg.contract).map(
    lambda ls: Combo(tuple(ls))
)


def condor() -> Combo:
    return iron_condor(
        option(80, Right.PUT), option(90, Right.PUT), option(110, Right.CALL), option(120, Right.CALL)
    )


@given(combos, st.integers(1, 50))
def test_any_structure_opened_and_then_closed_nets_to_nothing(combo: Combo, quantity: int) -> None:
    assert net_contracts([(combo, quantity), (combo.reversed(), quantity)]) == {}
    assert net_contracts([(combo, quantity)])


@given(combos, st.integers(0, 300).map(float))
def test_opening_and_closing_at_settlement_value_costs_nothing(combo: Combo, settlement: float) -> None:
    assert combo.payoff(settlement) + combo.reversed().payoff(settlement) == 0.0


@given(combos)
def test_reversing_twice_gives_the_combo_back(combo: Combo) -> None:
    assert combo.reversed().reversed() == combo


@given(combos, st.integers(-40, 40).map(float))
def test_the_worst_loss_is_the_worst_of_a_fine_grid(combo: Combo, price: float) -> None:
    worst = max(price - combo.payoff(float(settlement)) for settlement in range(300))
    found = combo.max_loss(price)
    if found == inf:
        assert price - combo.payoff(10_000.0) > worst
    else:
        assert found == worst


priced = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10)), min_size=4, max_size=4)


@given(priced)
def test_a_condors_credit_is_a_negative_price_of_the_combo_that_is_bought(
    markets: list[tuple[int, int]],
) -> None:
    quotes = {
        leg.contract.con_id: Quote(bid / 10, (bid + width) / 10, None, NOW)
        for leg, (bid, width) in zip(condor().legs, markets, strict=True)
    }
    received = sum(
        (quotes[leg.contract.con_id].bid or 0.0)
        if leg.action is Action.SELL
        else -(quotes[leg.contract.con_id].ask or 0.0)
        for leg in condor().legs
    )
    natural = combo_quote(condor(), quotes)
    assert natural is not None
    assert natural.ask == pytest.approx(-received, abs=1e-9)


def test_a_condor_is_worth_nothing_between_its_short_strikes_and_minus_its_width_outside() -> None:
    assert [condor().payoff(s) for s in (0.0, 80.0, 85.0, 90.0, 100.0, 110.0, 118.0, 120.0, 500.0)] == [
        -10.0,
        -10.0,
        -5.0,
        0.0,
        0.0,
        0.0,
        -8.0,
        -10.0,
        -10.0,
    ]
    assert condor().max_loss(-3.0) == 7.0
    assert condor().reversed().max_loss(4.0) == 4.0


def test_a_sold_call_can_lose_without_bound_and_a_sold_put_its_strike() -> None:
    assert single(option(100, Right.CALL), Action.SELL).max_loss(-5.0) == inf
    assert single(option(100, Right.PUT), Action.SELL).max_loss(-5.0) == 95.0
    assert single(option(100, Right.CALL)).max_loss(5.0) == 5.0


def test_a_call_spread_costs_at_most_its_price_and_pays_at_most_its_width() -> None:
    spread = call_spread(option(100, Right.CALL), option(110, Right.CALL))
    assert spread.max_loss(4.0) == 4.0
    assert spread.payoff(200.0) == 10.0


@pytest.mark.parametrize(
    ("legs", "message"),
    [
        ((), "at least one leg"),
        ((Leg(option(100, Right.CALL), Action.BUY, 0),), "at least 1"),
        (
            (Leg(option(100, Right.CALL), Action.BUY), Leg(option(100, Right.CALL), Action.SELL)),
            "one leg only",
        ),
        (
            (
                Leg(option(100, Right.CALL), Action.BUY),
                Leg(Contract(SecurityType.FUTURE, "VIX", multiplier=1000), Action.BUY),
            ),
            "one multiplier",
        ),
    ],
)
def test_an_impossible_combo_is_refused(legs: tuple[Leg, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Combo(legs)


def test_a_structure_with_its_strikes_or_rights_in_disorder_is_refused() -> None:
    p, c = Right.PUT, Right.CALL
    with pytest.raises(ValueError, match="ascend"):
        iron_condor(option(90, p), option(80, p), option(110, c), option(120, c))
    with pytest.raises(ValueError, match="two puts and two calls"):
        iron_condor(option(80, p), option(90, c), option(110, c), option(120, c))
    with pytest.raises(ValueError, match="one expiry"):
        iron_condor(option(80, p, date(2020, 3, 27)), option(90, p), option(110, c), option(120, c))
    with pytest.raises(ValueError, match="lower strike"):
        call_spread(option(110, c), option(100, c))
    with pytest.raises(ValueError, match="two calls"):
        call_spread(option(100, p), option(110, c))
    with pytest.raises(ValueError, match="one expiry"):
        call_spread(option(100, c, date(2020, 3, 27)), option(110, c))


def test_legs_of_two_expiries_have_no_common_payoff() -> None:
    calendar = Combo(
        (
            Leg(option(100, Right.CALL), Action.SELL),
            Leg(option(100, Right.CALL, date(2020, 3, 27)), Action.BUY),
        )
    )
    with pytest.raises(ValueError, match="different days"):
        calendar.payoff(100.0)
    with pytest.raises(ValueError, match="different days"):
        calendar.max_loss(1.0)


def test_names_read_like_a_traders() -> None:
    assert option(2900, Right.PUT).describe() == f"SPXW {EXPIRY} 2900 P"
    assert Contract(SecurityType.INDEX, "VIX").describe() == "VIX"
    assert Action.BUY.opposite is Action.SELL
    assert Action.SELL.opposite is Action.BUY
