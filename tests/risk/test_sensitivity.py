"""The lean with the index is the sum of the options' own deltas, with the worst working orders filled."""

from datetime import timedelta
from itertools import product
from math import erf, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import Contract, Right, SecurityType, single
from market.pricing import black76_price
from market.quote import Quote
from market.sessions import t_years
from risk.exposure import Stake
from risk.sensitivity import beta_delta_usd, counts, option_deltas
from tests.risk.book import EXPIRY, LATER, NOW, condor, option, vix_spread

LEVEL = {"SPX": 3300.0}


def priced(contract: Contract, sigma: float) -> Quote:
    """A quote around the price at this volatility."""
    t = t_years(NOW, contract.trading_class, contract.expiry or EXPIRY)
    price = float(black76_price(3300.0, contract.strike, t, sigma, 1.0, contract.right is Right.CALL))
    return Quote(price - 0.05, price + 0.05, None, NOW)


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("strike", [3000.0, 3300.0, 3700.0])
@pytest.mark.parametrize("expiry", [EXPIRY, LATER])
def test_a_delta_is_blacks_at_the_options_own_volatility(right: Right, strike: float, expiry: object) -> None:
    contract = option(strike, right, expiry=expiry)  # type: ignore[arg-type]  # a date
    t = t_years(NOW, "SPXW", contract.expiry or EXPIRY)
    d1 = log(3300.0 / strike) / (0.2 * sqrt(t)) + 0.1 * sqrt(t)
    expected = 0.5 * (1.0 + erf(d1 / sqrt(2.0))) - (right is Right.PUT)
    found = option_deltas([contract], {contract.con_id: priced(contract, 0.2)}, LEVEL, NOW)
    assert found[contract] == pytest.approx(expected, abs=1e-4)


def test_an_option_nobody_bids_for_stands_at_half_its_ask() -> None:
    contract = option(3000, Right.PUT)
    whole = option_deltas([contract], {contract.con_id: Quote(0.1, 0.1, None, NOW)}, LEVEL, NOW)
    half = option_deltas([contract], {contract.con_id: Quote(None, 0.2, None, NOW)}, LEVEL, NOW)
    assert half == whole
    assert half[contract] != 0.0


@pytest.mark.parametrize(
    ("right", "strike", "delta"),
    [
        (Right.CALL, 3000.0, 1.0),
        (Right.CALL, 3600.0, 0.0),
        (Right.PUT, 3600.0, -1.0),
        (Right.PUT, 3000.0, 0.0),
        (Right.CALL, 3300.0, 0.0),
        (Right.PUT, 3300.0, 0.0),
    ],
)
def test_where_nothing_but_the_intrinsic_value_is_left_a_delta_is_all_or_nothing(
    right: Right, strike: float, delta: float
) -> None:
    contract = option(strike, right)
    worth = max(3300.0 - strike if right is Right.CALL else strike - 3300.0, 0.0)
    found = option_deltas([contract], {contract.con_id: Quote(worth, worth, None, NOW)}, LEVEL, NOW)
    assert found == {contract: delta}
    gone = NOW + timedelta(days=60)
    assert option_deltas([contract], {contract.con_id: priced(contract, 0.2)}, LEVEL, gone) == found


@pytest.mark.parametrize(
    ("quote", "levels"),
    [
        (None, LEVEL),
        (Quote(1.0, None, None, NOW), LEVEL),
        (Quote(2.0, 1.0, None, NOW), LEVEL),
        (Quote(1.0, 2.0, None, NOW), {}),
        (Quote(1.0, 2.0, None, NOW), {"SPX": 0.0}),
    ],
)
def test_without_a_price_or_a_level_a_delta_is_unknown(quote: Quote | None, levels: dict[str, float]) -> None:
    contract = option(3000, Right.PUT)
    quotes = {} if quote is None else {contract.con_id: quote}
    assert option_deltas([contract], quotes, levels, NOW) == {contract: None}


def test_an_undated_contract_and_an_index_have_no_option_delta() -> None:
    index = Contract(SecurityType.INDEX, "SPX", exchange="CBOE", con_id=1)
    assert option_deltas([index], {1: Quote(1.0, 2.0, None, NOW)}, LEVEL, NOW) == {index: None}
    assert not counts(index, LEVEL)
    assert not counts(option(25, Right.CALL, "VIX"), LEVEL)
    assert counts(option(3000, Right.PUT), LEVEL)


PUT, CALL = option(3100, Right.PUT), option(3500, Right.CALL)
FIXED: dict[Contract, float | None] = {PUT: -0.2, CALL: 0.1}


@given(
    st.lists(st.tuples(st.sampled_from([PUT, CALL]), st.integers(-9, 9)), max_size=3),
    st.lists(st.tuples(st.sampled_from([PUT, CALL]), st.integers(-9, 9).filter(bool)), max_size=4),
)
def test_the_worst_subset_of_the_working_orders_is_taken(
    held: list[tuple[Contract, int]], orders: list[tuple[Contract, int]]
) -> None:
    def usd(rows: list[tuple[Contract, int]]) -> float:
        return sum((FIXED[contract] or 0.0) * count * 100 * 3300.0 for contract, count in rows)

    stakes = [Stake(single(contract), count, 1.0) for contract, count in orders]
    ways = product(*([True, False] for _ in orders))
    worst = max(abs(usd([*held, *(o for o, f in zip(orders, way, strict=True) if f)])) for way in ways)
    found = beta_delta_usd(held, stakes, FIXED, LEVEL)
    assert found is not None
    assert abs(found) == pytest.approx(worst, abs=1e-3)


def test_the_sign_says_which_way_and_hedges_on_vix_do_not_count() -> None:
    vix = [(leg.contract, leg.signed_ratio * 50) for leg in vix_spread().legs]
    assert beta_delta_usd([(PUT, -1), *vix], [], FIXED, LEVEL) == 66_000.0
    assert beta_delta_usd([(PUT, 1), *vix], [], FIXED, LEVEL) == -66_000.0
    assert beta_delta_usd([(PUT, -1), (PUT, 1)], [], FIXED, LEVEL) == 0.0


def test_one_unknown_delta_leaves_the_whole_unknown() -> None:
    stake = Stake(condor(), 1, -12.0)
    assert beta_delta_usd([], [stake], FIXED, LEVEL) is None
    assert beta_delta_usd([(option(3050, Right.PUT), 1)], [], FIXED, LEVEL) is None
    assert beta_delta_usd([(option(3050, Right.PUT), 0)], [], FIXED, LEVEL) == 0.0
