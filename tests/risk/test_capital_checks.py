"""Checks about money: net asset value, worst losses, margin and what is left after a loss."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from market.contract import Combo
from risk.capital import loss_causes, model_margin_usd
from risk.context import ToldMargin
from risk.exposure import Stake
from risk.review import review
from risk.state import Cause
from risk.verdict import Ruling
from tests.risk.book import (
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
    quoted,
    refused,
    vix_spread,
)


@pytest.mark.parametrize(
    "unknown",
    [{"nav_usd": None}, {"nav_time": None}, {"nav_time": NOW - timedelta(seconds=61)}, {"nav_usd": 0.0}],
)
def test_an_opening_needs_a_fresh_net_asset_value_and_a_close_needs_none(unknown: dict[str, object]) -> None:
    assert "nav_age_s" in refused(opening(), healthy(**unknown))
    assert "nav_age_s" in refused(hedge(), healthy(**unknown))
    assert refused(closing(), book(held(), **unknown)) == ()


def test_an_initiation_that_does_not_fit_even_once_is_denied() -> None:
    verdict = review(opening(), healthy(committed_usd=10_000.0), LIMITS)
    assert (verdict.ruling, verdict.quantity) == (Ruling.DENIED, 0)
    assert verdict.refusals == ("initiation_usd",)


def test_the_open_worst_loss_stays_within_six_percent() -> None:
    fourteen = held(14, -12.0, condor(expiry=date(2020, 3, 27)), "other")
    assert refused(opening(), book(fourteen)) == ()
    sixteen = replace(fourteen, quantity=16)
    assert refused(opening(), book(sixteen)) == ("open_max_loss_usd",)


def test_orders_at_work_count_in_the_open_worst_loss_as_if_filled() -> None:
    other = opening(
        combo=condor(expiry=date(2020, 3, 27)), structure_id="w", quantity=16, fees_per_unit_usd=0.0
    )
    context = healthy(working=(live(other),), quotes=quoted(condor()))
    assert not check("open_max_loss_usd", opening(), context).passed


def test_premium_paid_for_hedges_stands_outside_the_open_worst_loss() -> None:
    hedges = held(400, 2.0, vix_spread(), "hedge")
    assert refused(opening(), book(hedges)) == ()
    full = held(16, -12.0, condor(expiry=date(2020, 3, 27)), "other")
    assert refused(hedge(), book(full)) == ()
    selling = closing(
        combo=vix_spread().reversed(), limit=-2.1, limit_worst=-2.0, structure_id="hedge", quantity=9
    )
    assert refused(opening(), book(hedges, working=(live(selling),))) == ()


def test_a_close_passes_over_the_limit_as_long_as_it_raises_no_loss() -> None:
    over = (held(), held(40, -12.0, condor(expiry=date(2020, 3, 27)), "other"))
    assert refused(closing(), book(*over)) == ()


def test_a_spread_bought_back_is_judged_by_what_is_left_and_not_by_what_it_costs() -> None:
    low, short, *_ = condor().legs
    spread = Combo((low, short)).reversed()
    held_now = healthy(stakes=(held(),))
    for price in (1.0, 30.0):
        part = closing(combo=spread, limit=price, limit_worst=price, adjusts=True)
        found = check("open_max_loss_usd", part, held_now)
        assert (found.value, found.limit, found.passed) == (7_600.0, 7_600.0, True)
    wing_alone = closing(combo=Combo((low,)).reversed(), limit=-1.0, limit_worst=-1.0, adjusts=True)
    assert not check("open_max_loss_usd", wing_alone, held_now).passed


@pytest.mark.parametrize(("margin", "passed"), [(396_000.0, True), (397_000.0, False), (None, False)])
def test_margin_stays_within_forty_percent_and_must_be_known(margin: float | None, passed: bool) -> None:
    assert (refused(opening(), healthy(init_margin_usd=margin)) == ()) is passed
    assert refused(closing(), book(held(), init_margin_usd=margin)) == ()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (None, "not asked"),
        (ToldMargin(1, 5000.0), "not asked"),
        (ToldMargin(2, None, "no answer"), "no answer"),
    ],
)
def test_without_the_brokers_figure_for_so_many_units_nothing_that_needs_margin_opens(
    told: ToldMargin | None, found: str
) -> None:
    two = opening(quantity=2)
    assert refused(two, healthy(told_margin=told)) == ("margin_told_usd",)
    assert check("margin_told_usd", two, healthy(told_margin=told)).value == found
    assert refused(hedge(), healthy(told_margin=told)) == ()
    assert refused(closing(), book(held(), told_margin=told)) == ()


def test_the_broker_is_not_asked_about_what_something_else_refuses() -> None:
    assert refused(opening(), healthy(told_margin=None, init_margin_usd=397_000.0)) == ("margin_usd",)


@pytest.mark.parametrize(("usd", "passed"), [(390_000.0, True), (390_001.0, False)])
def test_the_brokers_figure_counts_where_it_is_the_greater(usd: float, passed: bool) -> None:
    found = check("margin_usd", opening(), healthy(told_margin=ToldMargin(1, usd)))
    assert (found.value, found.passed) == (10_000.0 + usd, passed)
    model = model_margin_usd(Stake(condor(), 1, opening().limit_worst), LIMITS)
    found = check("margin_usd", opening(), healthy(told_margin=ToldMargin(1, 1.0)))
    assert found.value == round(10_000.0 + model, 2)


@pytest.mark.parametrize(("usd", "passed"), [(0.0, True), (-500.0, True), (500.0, False)])
def test_a_roll_passes_over_the_limit_as_long_as_it_raises_no_margin(usd: float, passed: bool) -> None:
    roll = replace(opening(), adjusts=True)
    context = healthy(init_margin_usd=400_000.0, told_margin=ToldMargin(100, usd))
    assert check("margin_usd", roll, context).passed is passed


def test_margin_is_the_premium_or_a_little_more_than_the_worst_loss() -> None:
    assert model_margin_usd(Stake(vix_spread(), 3, 2.0), LIMITS) == 600.0
    assert model_margin_usd(Stake(condor(), 2, -12.0), LIMITS) == pytest.approx(1.02 * 7_600)
    assert model_margin_usd(Stake(vix_spread().reversed(), 2, -9.9), LIMITS) == 300.0


def test_two_condors_on_an_expiry_are_enough() -> None:
    one, two = held(1, -12.0, name="a"), held(1, -12.0, condor(2950, 3000, 3600, 3650), "b")
    later = held(1, -12.0, condor(expiry=date(2020, 3, 27)), "c")
    assert refused(opening(), book(one, later)) == ()
    assert refused(opening(), book(one, two)) == ("condors_per_expiry",)
    at_work = live(opening(combo=two.combo, structure_id="b"))
    assert refused(opening(), book(one, working=(at_work,))) == ("condors_per_expiry",)
    assert refused(hedge(), book(one, two)) == ()


@pytest.mark.parametrize(
    ("field", "name", "base"),
    [
        ("nav_session_open_usd", "daily_loss_fraction", 1 / 0.98),
        ("nav_peak_usd", "drawdown_fraction", 1 / 0.90),
    ],
)
def test_after_a_loss_only_hedges_and_closes_go_on(field: str, name: str, base: float) -> None:
    lost = {field: 1_000_000.0 * base + 1.0}
    assert refused(opening(), healthy(**lost)) == (name,)
    assert refused(hedge(), healthy(**lost)) == ()
    assert refused(closing(), book(held(), **lost)) == ()
    assert refused(opening(), healthy(**{field: 1_000_000.0 * base - 10.0})) == ()
    assert refused(opening(), healthy(**{field: None})) == (name,)


def test_losses_name_the_causes_to_reduce() -> None:
    assert loss_causes(1e6, 1e6, 1e6, LIMITS) == ()
    assert [cause for cause, _ in loss_causes(0.98e6, 1e6, 1e6, LIMITS)] == [Cause.LOSS]
    assert [cause for cause, _ in loss_causes(0.90e6, 0.90e6, 1e6, LIMITS)] == [Cause.DRAWDOWN]
    assert [cause for cause, _ in loss_causes(0.89e6, 1e6, 1e6, LIMITS)] == [Cause.LOSS, Cause.DRAWDOWN]
    assert loss_causes(None, 1e6, 1e6, LIMITS) == ()
    assert [detail for _, detail in loss_causes(0.89e6, 1e6, 1e6, LIMITS)] == [
        "11.00% of the session's opening value is lost",
        "11.00% below the highest value so far",
    ]
