"""New condors wait while the account leans too far or could not pay at once; hedges and closes never do."""

import pytest

from market.contract import Contract, Right, SecurityType
from market.quote import Quote
from risk.balance import quick_ratio
from tests.risk.book import (
    LATER,
    LIMITS,
    NOW,
    book,
    check,
    closing,
    condor,
    healthy,
    hedge,
    held,
    live,
    opening,
    option,
    quoted,
    refused,
    vix_spread,
)

LEANING = (option(3000, Right.PUT, expiry=LATER), 3)


def leaning(count: int) -> dict[str, object]:
    """A loose put of about -0.3 delta that the book holds."""
    quotes = {**quoted(condor(), vix_spread()), LEANING[0].con_id: Quote(9.9, 10.1, None, NOW)}
    return {"loose": ((LEANING[0], count),), "quotes": quotes}


def test_a_condor_that_leans_too_far_is_refused_and_says_how_far() -> None:
    even = check("beta_delta_fraction", opening(), healthy()).value
    assert isinstance(even, float)
    assert abs(even) < 0.01
    (one,) = {check("beta_delta_fraction", opening(), healthy(**leaning(1))).value}
    assert isinstance(one, float)
    assert -0.06 < one < -0.01
    assert refused(opening(), healthy(**leaning(9))) == ("beta_delta_fraction",)
    assert "beta_delta_fraction" in refused(opening(), healthy(**leaning(-9)))


def test_the_lean_gates_entries_only_and_says_so() -> None:
    far = leaning(50)
    assert refused(hedge(), healthy(**far)) == ()
    assert refused(closing(), book(held(), **far)) == ()
    found = check("beta_delta_fraction", closing(), book(held(), **far))
    assert (found.value, found.limit) == (None, "gates entries only")


def test_orders_at_work_lean_too() -> None:
    one_sided = opening(combo=condor(3050, 3100, 3500, 3550).reversed(), structure_id="w", quantity=1)
    before = check("beta_delta_fraction", opening(quantity=3), healthy(**leaning(3))).value
    after = check(
        "beta_delta_fraction", opening(quantity=3), healthy(**leaning(3), working=(live(one_sided),))
    ).value
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert abs(after) >= abs(before)


@pytest.mark.parametrize(
    "unknown",
    [
        {"index_levels": {}},
        {"quotes": {}},
        {"nav_usd": None},
        {"nav_usd": 0.0},
        {"loose": ((option(2900, Right.PUT), 1),)},
    ],
)
def test_an_unknown_lean_bars_a_condor_and_nothing_else(unknown: dict[str, object]) -> None:
    assert "beta_delta_fraction" in refused(opening(), healthy(**unknown))
    assert "beta_delta_fraction" not in refused(hedge(), healthy(**unknown))


def test_the_limit_itself_still_passes() -> None:
    share = check("beta_delta_fraction", opening(), healthy(**leaning(4))).value
    assert isinstance(share, float)
    nav = 1_000_000.0 * abs(share) / LIMITS.beta_delta_max_fraction
    assert "beta_delta_fraction" not in refused(opening(), healthy(**leaning(4), nav_usd=nav + 1.0))
    assert "beta_delta_fraction" in refused(opening(), healthy(**leaning(4), nav_usd=nav - 5.0))


def test_the_quick_ratio_is_cash_and_half_the_long_options_over_what_is_owed() -> None:
    # 4 short options at an ask of 5, 2 long ones at a bid of 3, a hundred dollars a point.
    rows = [(4.0, 5.0, -400), (3.0, 3.5, 200)]
    assert quick_ratio(10_000.0, 0.0, rows, 0.5) == (10_000.0 + 300.0) / 2_000.0
    assert quick_ratio(10_000.0, 1_500.0, rows, 0.5) == (10_000.0 + 300.0) / 2_000.0
    assert quick_ratio(10_000.0, 2_575.0, rows, 0.5) == 4.0
    assert quick_ratio(10_000.0, 0.0, [], 0.5) is None
    assert quick_ratio(-1.0, 2.0, [], 0.5) == -0.5


def test_a_condor_needs_one_and_a_half_times_what_is_owed_with_it() -> None:
    # 10 000 of margin stand, one unit at a credit of 11.8 adds 1.02 * 3 820.
    owed = 10_000.0 + 1.02 * 3_820.0
    assert check("quick_ratio", opening(), healthy()).value == pytest.approx(900_000.0 / owed)
    assert refused(opening(), healthy(cash_usd=1.5 * owed)) == ()
    assert refused(opening(), healthy(cash_usd=1.5 * owed - 1.0)) == ("quick_ratio",)
    assert refused(hedge(), healthy(cash_usd=0.0)) == ()
    assert refused(closing(), book(held(), cash_usd=0.0)) == ()


def test_openings_at_work_and_options_held_count_in_the_quick_ratio() -> None:
    cash = {"cash_usd": 1.5 * (10_000.0 + 1.02 * 3_820.0)}
    at_work = live(opening(combo=condor(expiry=LATER), structure_id="w"))
    assert refused(opening(), healthy(**cash, working=(at_work,))) == ("quick_ratio",)
    leaving = live(closing(quantity=1), opening=False)
    assert "quick_ratio" not in refused(opening(structure_id="n"), book(held(1), **cash, working=(leaving,)))
    dear = {**quoted(condor(), vix_spread()), option(3100, Right.PUT).con_id: Quote(399.0, 400.0, None, NOW)}
    assert "quick_ratio" in refused(opening(), book(held(1), **cash, quotes=dear))


@pytest.mark.parametrize("unknown", [{"cash_usd": None}, {"maint_margin_usd": None}])
def test_unknown_cash_or_margin_bars_a_condor(unknown: dict[str, object]) -> None:
    assert refused(opening(), healthy(**unknown)) == ("quick_ratio",)
    assert refused(hedge(), healthy(**unknown)) == ()


def test_a_held_option_without_an_ask_leaves_the_quick_ratio_unknown_and_without_a_bid_worth_nothing() -> (
    None
):
    wing = option(2900, Right.PUT)
    context = healthy(loose=((wing, 1),))
    no_ask = {**context.quotes, wing.con_id: Quote(1.0, None, None, NOW)}
    assert check("quick_ratio", opening(), healthy(loose=((wing, 1),), quotes=no_ask)).value is None
    assert not check("quick_ratio", opening(), context).passed
    no_bid = {**context.quotes, wing.con_id: Quote(None, 0.1, None, NOW)}
    plain = check("quick_ratio", opening(), healthy()).value
    assert check("quick_ratio", opening(), healthy(loose=((wing, 1),), quotes=no_bid)).value == plain
    future = Contract(SecurityType.FUTURE, "VIX", "VX", LATER, multiplier=1000, con_id=9)
    assert check("quick_ratio", opening(), healthy(loose=((future, 1),))).value == plain


def test_five_condors_are_open_at_once_at_most_working_ones_included() -> None:
    others = [held(1, -12.0, condor(2900 - 50 * n, 2950 - 50 * n, 3600, 3650), f"c{n}") for n in range(5)]
    assert check("open_condors", opening(), book(*others[:4])).passed
    assert not check("open_condors", opening(), book(*others)).passed
    at_work = live(opening(combo=condor(expiry=LATER), structure_id="w"))
    found = check("open_condors", opening(), book(*others[:4], working=(at_work,)))
    assert (found.value, found.limit, found.passed) == (6, 5, False)
    leaving = live(closing(structure_id="c0"), opening=False)
    assert check("open_condors", opening(), book(*others[:4], working=(leaving,))).passed
    assert check("open_condors", hedge(), book(*others)).passed
    assert check("open_condors", closing(structure_id="c0"), book(*others)).passed
    hedges = [held(1, 2.0, vix_spread(), f"h{n}") for n in range(9)]
    assert check("open_condors", opening(), book(*hedges)).passed
