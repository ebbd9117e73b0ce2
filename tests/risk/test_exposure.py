"""The worst loss is exact: no settlement and no subset of working orders gives a worse one, and one gives
it.
"""

from collections.abc import Sequence
from datetime import date
from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Action, Combo, Contract, Leg, Right, SecurityType, single
from risk.exposure import (
    Stake,
    best_payoff,
    collects_premium,
    net_options,
    only_pays_premium,
    open_loss_usd,
    worst_losses,
    worst_option_counts,
    worst_payoff,
)
from tests.risk.book import EXPIRY, condor, held, option, vix_spread

STRIKES = [float(k) for k in range(10, 70, 10)]
contracts = st.builds(option, st.sampled_from(STRIKES), st.sampled_from([Right.CALL, Right.PUT]))
legs = st.builds(Leg, contracts, st.sampled_from(list(Action)), st.integers(1, 2))
combos = st.lists(legs, min_size=1, max_size=4, unique_by=lambda leg: leg.contract).map(
    lambda ls: Combo(tuple(ls))
)
stakes = st.builds(Stake, combos, st.integers(1, 3), st.integers(-40, 40).map(lambda n: n / 4))
GRID = [float(n) for n in range(200)]


def loss_at(settlement: float, filled: Sequence[Stake]) -> float:
    return sum(s.quantity * 100 * (s.price - s.combo.payoff(settlement)) for s in filled)


def brute_force(book: Sequence[Stake], orders: Sequence[Stake]) -> float:
    """Every settlement of a fine grid times every way the orders can fill."""
    ways = list(product(*([0, order.quantity] for order in orders)))
    return max(
        loss_at(settlement, book)
        + sum(
            n * 100 * (order.price - order.combo.payoff(settlement))
            for n, order in zip(way, orders, strict=True)
        )
        for settlement in GRID
        for way in ways
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(stakes, max_size=3), st.lists(stakes, max_size=3))
def test_it_equals_brute_force_over_settlements_and_fills(book: list[Stake], orders: list[Stake]) -> None:
    if not book and not orders:
        return
    found = worst_losses(book, orders)[("SPXW", EXPIRY)]
    searched = brute_force(book, orders)
    if found == inf:
        steeper = max(loss_at(10_000.0, [*book, *some]) for some in subsets(orders))
        assert steeper > searched
    else:
        assert found == pytest.approx(searched, abs=1e-6)


def subsets(orders: Sequence[Stake]) -> list[list[Stake]]:
    flags = product([False, True], repeat=len(orders))
    return [[order for order, used in zip(orders, way, strict=True) if used] for way in flags]


@settings(max_examples=60, deadline=None)
@given(st.lists(stakes, max_size=3), st.lists(stakes, max_size=3))
def test_a_further_order_never_lowers_the_worst_case(book: list[Stake], orders: list[Stake]) -> None:
    before = sum(worst_losses(book, orders[:-1]).values())
    assert sum(worst_losses(book, orders).values()) >= before - 1e-6


def test_a_condor_can_lose_its_width_less_its_credit() -> None:
    assert worst_losses([held(2, -12.0)]) == {("SPXW", EXPIRY): 7_600.0}


def test_two_condors_of_one_expiry_lose_together_on_the_same_side() -> None:
    other = condor(3000, 3050, 3450, 3500)
    both = worst_losses([held(1, -12.0), held(1, -10.0, other)])
    assert both == {("SPXW", EXPIRY): 100 * (50 - 12) + 100 * (50 - 10)}
    apart = condor(2900, 2950, 3600, 3650)
    assert worst_losses([held(1, -12.0), held(1, -10.0, apart)]) == both


def test_expiries_and_settlement_classes_are_added_and_never_netted() -> None:
    later = condor(expiry=date(2020, 3, 27))
    losses = worst_losses([held(1, -12.0), held(1, -12.0, later), held(3, 2.0, vix_spread())])
    assert losses[("VIX", EXPIRY)] == 600.0
    assert open_loss_usd(losses) == 2 * 3_800 + 600


def test_a_group_that_cannot_lose_offsets_nothing_elsewhere() -> None:
    free = Stake(vix_spread(), 5, -1.0)
    losses = worst_losses([held(1, -12.0), free])
    assert losses[("VIX", EXPIRY)] == -500.0
    assert open_loss_usd(losses) == 3_800.0


def test_a_sold_call_without_cover_loses_without_bound_and_a_sold_put_its_strike() -> None:
    call, put = option(3500, Right.CALL), option(3000, Right.PUT)
    assert worst_losses([], [Stake(single(call, Action.SELL), 1, -10.0)])[("SPXW", EXPIRY)] == inf
    assert worst_losses([Stake(single(put, Action.SELL), 1, -10.0)])[("SPXW", EXPIRY)] == 299_000.0


def test_loose_legs_count_at_no_cost_and_cover_what_is_short() -> None:
    sold = Stake(single(option(3500, Right.CALL), Action.SELL), 1, -10.0)
    wing = (option(3550, Right.CALL), 1)
    assert worst_losses([sold], loose=[wing]) == {("SPXW", EXPIRY): 4_000.0}
    assert worst_losses([], loose=[(option(3500, Right.CALL), -1)]) == {("SPXW", EXPIRY): inf}


def test_a_future_loses_down_to_zero() -> None:
    future = Contract(SecurityType.FUTURE, "VIX", "VX", EXPIRY, multiplier=1000, con_id=9)
    assert worst_losses([Stake(single(future), 1, 20.0)]) == {("VX", EXPIRY): 20_000.0}


def test_a_future_has_no_options_to_be_naked_in() -> None:
    future = Contract(SecurityType.FUTURE, "VIX", "VX", EXPIRY, multiplier=1000, con_id=9)
    short = option(3500, Right.CALL)
    assert net_options(single(future, Action.SELL)) == {}
    assert list(net_options(single(short, Action.SELL)).values()) == [-1]


def test_a_combo_that_settles_on_two_values_has_no_worst_loss() -> None:
    calendar = Combo(
        (
            Leg(option(3500, Right.CALL), Action.SELL),
            Leg(option(3500, Right.CALL, expiry=date(2020, 3, 27)), Action.BUY),
        )
    )
    with pytest.raises(ValueError, match="settle"):
        worst_losses([Stake(calendar, 1, 0.0)])


def test_a_credit_structure_and_a_debit_structure_are_told_apart_by_what_they_can_be_worth() -> None:
    assert (worst_payoff(condor()), best_payoff(condor())) == (-50.0, 0.0)
    assert collects_premium(condor())
    assert not only_pays_premium(condor())
    assert (worst_payoff(vix_spread()), best_payoff(vix_spread())) == (0.0, 10.0)
    assert only_pays_premium(vix_spread())
    assert only_pays_premium(condor().reversed())
    assert best_payoff(single(option(30, Right.CALL))) == inf


@settings(max_examples=60)
@given(st.lists(stakes, max_size=4), st.lists(stakes, max_size=4))
def test_naked_counts_are_those_of_the_worst_fills_of_each_side(
    book: list[Stake], orders: list[Stake]
) -> None:
    net: dict[Contract, int] = {}
    for stake in book:
        for leg in stake.combo.legs:
            net[leg.contract] = net.get(leg.contract, 0) + leg.signed_ratio * stake.quantity
    found = worst_option_counts(net, orders)
    for right in Right:
        worst = min(
            sum(n for contract, n in net.items() if contract.right is right)
            + sum(
                leg.signed_ratio * order.quantity
                for order in some
                for leg in order.combo.legs
                if leg.contract.right is right
            )
            for some in subsets(orders)
        )
        assert found.get(("SPXW", EXPIRY, right), 0) == worst
