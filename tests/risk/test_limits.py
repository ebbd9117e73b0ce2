"""A value at its limit passes, the next one does not; and each check says exactly what it saw."""

from datetime import timedelta

import pytest

from market.contract import Action, Combo, Leg, Right, single
from market.quote import Quote
from risk.context import ReviewContext
from risk.review import review
from risk.state import RiskState
from risk.verdict import Check
from tests.risk.book import (
    LIMITS,
    NOW,
    Trade,
    book,
    check,
    closing,
    condor,
    healthy,
    hedge,
    held,
    limits,
    live,
    opening,
    option,
    quoted,
    vix_spread,
)

UNIT = 3_820.0 + 5.18  # one condor at the worst price of `opening`, fees included
HEDGE_UNIT = 205.0 + 2.5


def under(name: str, trade: Trade, context: ReviewContext, **changed: float) -> Check:
    """The check under other limits."""
    (found,) = [one for one in review(trade, context, limits(**changed)).checks if one.name == name]
    return found


@pytest.mark.parametrize(
    ("seconds", "passed"), [(-1.0, False), (0.0, True), (0.5, True), (60.0, True), (60.5, False)]
)
def test_net_asset_value_is_a_minute_old_at_most_and_not_of_the_future(seconds: float, passed: bool) -> None:
    found = check("nav_age_s", opening(), healthy(nav_time=NOW - timedelta(seconds=seconds)))
    assert (found.value, found.passed) == (seconds, passed)


def test_a_tiny_net_asset_value_is_known() -> None:
    assert check("nav_age_s", opening(), healthy(nav_usd=0.5)).passed
    assert check("beta_delta_fraction", opening(), healthy(nav_usd=0.5)).value is not None


def test_the_room_for_an_initiation_is_what_filled_working_and_reserved_ones_leave() -> None:
    context = healthy(committed_usd=1_000.0, reserved_usd=500.0, working=(live(hedge(quantity=3)),))
    left = 12_000.0 - 1_000.0 - 3 * HEDGE_UNIT
    assert check("initiation_usd", opening(), context).limit == left - 500.0
    assert check("initiation_usd", hedge(structure_id="other"), context).limit == left
    assert check("initiation_usd", opening(), healthy(nav_usd=None)).limit == 0.0
    leaving = live(closing(structure_id="c"), opening=False)
    assert check("initiation_usd", opening(), book(held(2, -12.0, name="c"), working=(leaving,))).limit == (
        12_000.0
    )


def test_an_initiation_that_fits_to_the_cent_is_let_through() -> None:
    assert check("initiation_usd", opening(quantity=3), healthy()).value == pytest.approx(3 * UNIT)
    assert check("initiation_usd", opening(), healthy(committed_usd=12_000.0 - UNIT)).passed
    assert not check("initiation_usd", opening(), healthy(committed_usd=12_000.0 - UNIT + 0.01)).passed
    assert review(opening(), healthy(committed_usd=12_000.0 - UNIT + 0.01), LIMITS).quantity == 0


def test_the_open_worst_loss_may_be_its_limit_and_needs_a_net_asset_value() -> None:
    at = {"initiation_max_fraction": 1.0}
    assert under("open_max_loss_usd", opening(), healthy(), open_max_loss_fraction=0.00382, **at).passed
    assert not under("open_max_loss_usd", opening(), healthy(), open_max_loss_fraction=0.003819, **at).passed
    assert not check("open_max_loss_usd", opening(), healthy(nav_usd=None)).passed


def test_hedges_at_work_are_no_open_worst_loss() -> None:
    buying, selling = (
        live(hedge(quantity=400)),
        live(
            closing(
                combo=vix_spread().reversed(), limit=-2.1, limit_worst=-2.0, structure_id="h", quantity=9
            ),
            opening=False,
        ),
    )
    found = check("open_max_loss_usd", opening(), healthy(working=(buying, selling)))
    assert (found.value, found.passed) == (3_820.0, True)


def test_margin_adds_the_openings_at_work_and_may_be_its_limit() -> None:
    found = check("margin_usd", opening(), healthy(working=(live(hedge(quantity=2)),)))
    assert found.value == pytest.approx(10_000.0 + 1.02 * 3_820.0 + 410.0)
    assert under("margin_usd", opening(), healthy(), margin_max_fraction=0.0138964).passed
    assert not under("margin_usd", opening(), healthy(), margin_max_fraction=0.0138963).passed


@pytest.mark.parametrize("name", ["condors_per_expiry", "open_condors"])
def test_condors_alone_are_counted(name: str) -> None:
    selling = closing(combo=vix_spread().reversed(), limit=-2.1, limit_worst=-2.0, structure_id="held")
    for trade, context in (
        (hedge(), healthy()),
        (closing(), book(held())),
        (selling, book(held(2, 2.0, vix_spread()))),
    ):
        assert check(name, trade, context) == Check(name, None, "for condors", True)


@pytest.mark.parametrize(
    ("base", "name", "limit"),
    [("nav_session_open_usd", "daily_loss_fraction", -0.02), ("nav_peak_usd", "drawdown_fraction", -0.10)],
)
def test_a_loss_of_its_limit_is_too_much(base: str, name: str, limit: float) -> None:
    lost = {base: 1_000_000.0, "nav_usd": 1_000_000.0 * (1.0 + limit)}
    found = check(name, opening(), healthy(**lost))
    assert found == Check(name, limit, limit, False)
    assert check(name, opening(), healthy(**{**lost, "nav_usd": lost["nav_usd"] + 1.0})).passed
    assert check(name, opening(), healthy(**{base: 0.0})).value is None
    assert check(name, opening(), healthy(**{base: 0.5})).value is not None


def test_counts_say_how_many_and_that_none_is_allowed() -> None:
    for name in ("structure_free", "covered_shorts", "self_cross", "closes_what_is_held"):
        assert check(name, closing(), book(held())) == Check(name, 0, 0, True)
    for name in ("structure_free", "covered_shorts", "self_cross"):
        assert check(name, opening(), healthy()) == Check(name, 0, 0, True)


def test_every_option_left_uncovered_is_counted() -> None:
    two_sold = Combo((Leg(option(3500, Right.CALL), Action.SELL, 2),))
    assert check("covered_shorts", opening(combo=two_sold), healthy()).value == 2
    wing = single(option(3050, Right.PUT), Action.SELL)
    losing_cover = closing(combo=wing, quantity=3, limit=-1.0, limit_worst=-0.9)
    assert check("covered_shorts", losing_cover, book(held(2))).value == 3
    loose = {"loose": ((option(3000, Right.PUT), 1),)}
    assert check("covered_shorts", losing_cover, book(held(2), **loose)).value == 2
    both = single(option(3500, Right.CALL), Action.SELL)
    naked = {"loose": ((option(3400, Right.CALL), -2),)}
    assert check("covered_shorts", opening(combo=both), healthy(**naked)).value == 3


def test_a_close_beyond_what_is_held_is_counted_leg_by_leg_loose_ones_included() -> None:
    assert check("closes_what_is_held", closing(quantity=5), book(held(2))).value == 12
    loose = tuple((leg.contract, leg.signed_ratio) for leg in condor().legs)
    assert check("closes_what_is_held", closing(quantity=3), book(held(2), loose=loose)).passed
    assert check("closes_what_is_held", closing(quantity=4), book(held(2), loose=loose)).value == 4
    assert check("closes_what_is_held", closing(combo=condor()), book(held(2))).value == 8


@pytest.mark.parametrize(
    ("low", "high", "passed"),
    [(-0.5, -0.05, True), (-0.5, 0.0, False), (0.0, 0.0, False), (0.5, 0.5, False), (0.5, -0.5, False)],
)
def test_a_condor_is_opened_for_money(low: float, high: float, passed: bool) -> None:
    found = check("price_sign", opening(limit=low, limit_worst=high), healthy())
    assert (found.value, found.limit, found.passed) == (high, "< 0", passed)


@pytest.mark.parametrize(
    ("low", "high", "passed"), [(0.5, 0.9, True), (0.0, 0.5, False), (-0.5, 0.5, False), (0.5, 0.0, False)]
)
def test_a_hedge_is_paid_for(low: float, high: float, passed: bool) -> None:
    found = check("price_sign", hedge(limit=low, limit_worst=high), healthy())
    assert (found.value, found.limit, found.passed) == (high, "> 0", passed)


def test_what_may_be_worth_either_may_cost_either() -> None:
    legs = (option(3500, Right.CALL), Action.BUY), (option(3100, Right.PUT), Action.SELL)
    reversal = Combo(tuple(Leg(*leg) for leg in legs))
    for price in (-1.0, 0.0, 1.0):
        found = check("price_sign", opening(combo=reversal, limit=price, limit_worst=price), healthy())
        assert found == Check("price_sign", price, "either", True)


@pytest.mark.parametrize(
    ("low", "high", "passed"),
    [
        (-50.0, 0.0, True),
        (-50.5, -1.0, False),
        (-1.0, 0.5, False),
        (-12.0, -12.0, True),
        (-11.0, -12.0, False),
    ],
)
def test_prices_lie_within_what_the_combo_can_be_worth(low: float, high: float, passed: bool) -> None:
    found = check("no_arbitrage_price", opening(limit=low, limit_worst=high), healthy())
    assert (found.value, found.limit, found.passed) == (high, 0.0, passed)


def test_a_missing_bid_is_forgiven_to_a_close_and_to_nobody_else() -> None:
    wing = option(3050, Right.PUT).con_id
    no_bid = {**quoted(condor()), wing: Quote(None, 0.1, None, NOW)}
    no_ask = {**quoted(condor()), wing: Quote(0.1, None, None, NOW)}
    gone = {key: quote for key, quote in quoted(condor()).items() if key != wing}
    assert check("sided_quotes", closing(), book(held(), quotes=no_bid)).passed
    for quotes in (no_ask, gone):
        assert not check("sided_quotes", closing(), book(held(), quotes=quotes)).passed
    for quotes in (no_bid, no_ask, gone):
        assert not check("sided_quotes", opening(), healthy(quotes=quotes)).passed
    short = {**quoted(condor()), option(3100, Right.PUT).con_id: Quote(None, 9.0, None, NOW)}
    assert check("sided_quotes", closing(), book(held(), quotes=short)).passed  # it is bought at its ask
    assert not check("sided_quotes", opening(), healthy(quotes=short)).passed


def test_an_order_counts_for_a_minute() -> None:
    times = tuple(NOW - timedelta(seconds=seconds) for seconds in (0.0, 59.5, 60.0, 60.5))
    assert check("orders_per_minute", opening(), healthy(order_times=times)).value == 2


def test_the_lean_grows_with_the_order_and_may_be_its_limit() -> None:
    one, three = (check("beta_delta_fraction", opening(quantity=count), healthy()).value for count in (1, 3))
    assert isinstance(one, float)
    assert isinstance(three, float)
    assert three == pytest.approx(3 * one, abs=1e-8)
    assert under("beta_delta_fraction", opening(), healthy(), beta_delta_max_fraction=abs(one)).passed


def test_a_context_that_was_told_nothing_holds_nothing() -> None:
    bare = ReviewContext(NOW, "DU1", "DU1", RiskState(), "ref", {}, {})
    assert (bare.committed_usd, bare.reserved_usd, bare.round_trips_today) == (0.0, 0.0, 0)
    assert (bare.held, bare.working, bare.order_times) == ((), (), ())
    order = live(opening())
    assert type(order)(order.structure_id, "r", order.combo, 1, -1.0, True).fees_per_unit_usd == 0.0
