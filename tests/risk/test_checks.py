"""Every check lets the healthy case pass and refuses what it is there for."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from market.contract import Action, Combo, Leg, Right, single
from market.quote import Quote
from risk.context import ReviewContext
from risk.exposure import Stake
from risk.review import review
from risk.state import Cause
from risk.verdict import Ruling
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
    live,
    opening,
    option,
    quoted,
    reducing,
    refused,
    vix_spread,
)

LONG_AGO = NOW - timedelta(minutes=5)


def test_the_healthy_opening_hedge_and_close_pass_every_check() -> None:
    assert refused(opening(), healthy()) == ()
    assert refused(hedge(), healthy()) == ()
    assert refused(closing(), book(held())) == ()


@pytest.mark.parametrize(
    ("announced", "allowed"),
    [
        ("U1234567", "U1234567"),
        ("DU1234567", "DU7654321"),
        ("DU", "DU"),
        ("XDU1234567", "XDU1234567"),
        ("DU12345A", "DU12345A"),
        ("DU123\n", "DU123\n"),
        ("DU\u0661\u0662", "DU\u0661\u0662"),
        ("", ""),
    ],
)
def test_only_the_allowed_paper_account_trades(announced: str, allowed: str) -> None:
    for trade, context in ((opening(), healthy()), (closing(), book(held())), (hedge(), healthy())):
        elsewhere = replace(context, account=announced, allowed_account=allowed)
        assert refused(trade, elsewhere) == ("paper_account",)


@pytest.mark.parametrize("cause", list(Cause))
def test_a_state_that_is_not_active_opens_no_condor(cause: Cause) -> None:
    assert "trading_state" in refused(opening(), healthy(state=reducing(cause)))


@pytest.mark.parametrize(
    ("cause", "closes", "hedges"),
    [
        (Cause.LOSS, True, True),
        (Cause.DRAWDOWN, True, True),
        (Cause.DATA, True, False),
        (Cause.MISMATCH, True, False),
        (Cause.UNKNOWN_ORDER, True, False),
        (Cause.DISK, True, False),
        (Cause.OPERATOR, False, False),
        (Cause.ACCOUNT, False, False),
    ],
)
def test_reducing_still_closes_and_a_loss_still_hedges_while_halted_does_nothing(
    cause: Cause, closes: bool, hedges: bool
) -> None:
    state = reducing(cause)
    assert (refused(closing(), book(held(), state=state)) == ()) is closes
    assert (refused(hedge(), healthy(state=state)) == ()) is hedges


def test_a_hedge_is_let_through_for_its_payoff_and_not_for_its_name() -> None:
    dressed_up = opening(reserves=True)
    assert "trading_state" in refused(dressed_up, healthy(state=reducing(Cause.LOSS)))


def test_one_order_at_a_time_lives_on_a_structure() -> None:
    assert "structure_free" in refused(opening(), healthy(working=(live(opening()),)))
    elsewhere = live(hedge())
    assert refused(opening(), healthy(working=(elsewhere,))) == ()


@pytest.mark.parametrize("known", ["used", "working", "empty"])
def test_an_order_reference_is_used_once(known: str) -> None:
    context = healthy()
    if known == "used":
        context = replace(context, used_refs={"ref-1"})
    elif known == "working":
        context = replace(context, working=(live(hedge(), order_ref="ref-1"),))
    else:
        context = replace(context, order_ref="")
    assert "fresh_order_ref" in refused(opening(), context)


@pytest.mark.parametrize(
    ("quantity", "passed"), [(-1, False), (0, False), (1, True), (500, True), (501, False)]
)
def test_quantities_lie_between_one_and_the_cap(quantity: int, passed: bool) -> None:
    verdict = review(
        opening(quantity=quantity),
        healthy(nav_usd=1e9, nav_peak_usd=1e9, nav_session_open_usd=1e9, cash_usd=1e9),
        LIMITS,
    )
    assert ("order_quantity" not in verdict.refusals) is passed
    assert (verdict.ruling is Ruling.DENIED) is not passed


def naked_call(**changes: object) -> Trade:
    combo = single(option(3500, Right.CALL), Action.SELL)
    return opening(combo=combo, limit=-13.0, limit_worst=-12.9, **changes)


def ratio_spread() -> Trade:
    legs = (Leg(option(3500, Right.CALL), Action.BUY), Leg(option(3550, Right.CALL), Action.SELL, 2))
    return opening(combo=Combo(legs), limit=0.1, limit_worst=0.1)


@pytest.mark.parametrize("trade", [naked_call(), ratio_spread()])
def test_a_short_leg_without_cover_is_impossible(trade: Trade) -> None:
    assert "covered_shorts" in refused(trade, healthy())


def test_selling_the_wing_of_a_condor_is_impossible() -> None:
    wing = single(option(3550, Right.CALL), Action.SELL)
    trade = closing(combo=wing, limit=-1.0, limit_worst=-0.9)
    assert "covered_shorts" in refused(trade, book(held()))


def test_an_order_at_work_that_would_take_the_cover_away_counts_as_filled() -> None:
    cover = Stake(single(option(3550, Right.CALL)), 1, 1.0, "cover")
    sale = Trade(single(option(3550, Right.CALL), Action.SELL), 1, -1.0, -0.9, "close", "cover")
    assert "covered_shorts" not in refused(naked_call(), book(cover))
    assert "covered_shorts" in refused(naked_call(), book(cover, working=(live(sale),)))


def test_an_order_at_work_that_would_bring_cover_does_not_count_as_filled() -> None:
    cover = opening(combo=single(option(3550, Right.CALL)), limit=1.0, limit_worst=1.1, structure_id="cover")
    assert "covered_shorts" in refused(naked_call(), healthy(working=(live(cover),)))


def test_cover_of_another_expiry_class_or_right_is_no_cover() -> None:
    for other in (
        option(3550, Right.CALL, expiry=date(2020, 3, 27)),
        option(3550, Right.CALL, "SPX"),
        option(3550, Right.PUT),
    ):
        assert "covered_shorts" in refused(naked_call(), book(Stake(single(other), 5, 1.0)))


def test_while_half_filled_legs_leave_a_short_a_close_that_adds_none_may_run() -> None:
    torn = ((option(3600, Right.CALL), -1),)
    assert "covered_shorts" in refused(opening(), healthy(loose=torn))
    assert "covered_shorts" not in refused(closing(), book(held(), loose=torn))


def test_a_close_takes_away_what_its_structure_holds_and_no_more() -> None:
    assert "closes_what_is_held" in refused(closing(quantity=3), book(held(2)))
    assert "closes_what_is_held" in refused(closing(), healthy())
    assert "closes_what_is_held" in refused(closing(combo=condor()), book(held()))
    assert "closes_what_is_held" in refused(closing(structure_id="other"), book(held()))


def test_a_leg_left_over_may_be_sold() -> None:
    wing = option(3550, Right.CALL)
    trade = closing(combo=single(wing, Action.SELL), quantity=1, limit=-1.0, limit_worst=-0.9)
    assert refused(trade, healthy(loose=((wing, 1),))) == ()


def test_no_order_meets_another_of_ours_on_the_same_contract() -> None:
    other_side = live(closing(), structure_id="held")
    assert refused(opening(), book(held(), working=(other_side,))) == ("self_cross",)


@pytest.mark.parametrize(
    ("trade", "context"),
    [
        (opening(limit=11.8, limit_worst=12.0), healthy()),
        (opening(limit=-0.1, limit_worst=0.0), healthy()),
        (opening(limit=-12.0, limit_worst=0.05), healthy()),
        (hedge(limit=-2.0, limit_worst=-1.9), healthy()),
        (closing(limit=-12.2, limit_worst=-12.0), book(held())),
    ],
)
def test_paying_for_a_credit_or_being_paid_for_a_debit_is_a_sign_error(
    trade: Trade, context: ReviewContext
) -> None:
    assert "price_sign" in refused(trade, context)


def test_selling_a_hedge_for_less_than_nothing_is_a_sign_error() -> None:
    stake = held(2, 2.0, vix_spread(), "hedge")
    sale = closing(combo=vix_spread().reversed(), limit=-2.1, limit_worst=-2.0, structure_id="hedge")
    assert refused(sale, book(stake)) == ()
    assert "price_sign" in refused(replace(sale, limit_worst=0.01), book(stake))


@pytest.mark.parametrize(
    ("limit", "worst"),
    [(-50.05, -12.0), (float("nan"), -12.0), (-12.0, float("nan")), (float("-inf"), -12.0), (-12.0, -12.05)],
)
def test_prices_are_finite_in_order_and_within_what_the_combo_can_be_worth(
    limit: float, worst: float
) -> None:
    assert "no_arbitrage_price" in refused(opening(limit=limit, limit_worst=worst), healthy())


def test_a_close_above_the_width_is_refused() -> None:
    context = book(held(), quotes=quoted(condor(), mid=49.9))
    assert refused(closing(limit=49.9, limit_worst=50.0), context) == ()
    assert "no_arbitrage_price" in refused(closing(limit=49.9, limit_worst=50.05), context)


def without(side: str, con_id: int) -> ReviewContext:
    quotes = quoted(condor(), vix_spread())
    if side == "quote":
        del quotes[con_id]
    elif side == "crossed":
        quotes[con_id] = Quote(20.0, 1.0, None, NOW)
    else:
        quotes[con_id] = replace(quotes[con_id], **{side: None})  # type: ignore[arg-type]  # bid or ask
    return healthy(quotes=quotes, stakes=(held(),))


@pytest.mark.parametrize("side", ["bid", "ask", "quote", "crossed"])
@pytest.mark.parametrize("leg", range(4))
def test_an_opening_needs_both_sides_of_every_leg(side: str, leg: int) -> None:
    context = without(side, condor().legs[leg].contract.con_id)
    assert "sided_quotes" in refused(opening(), replace(context, stakes=()))


def test_a_close_needs_no_bids_but_every_ask() -> None:
    put_wing, short_put = condor().legs[0].contract.con_id, condor().legs[1].contract.con_id
    assert check("sided_quotes", closing(), without("bid", put_wing)).passed
    assert not check("sided_quotes", closing(), without("ask", put_wing)).passed
    assert check("sided_quotes", closing(), without("bid", short_put)).passed
    assert not check("sided_quotes", closing(), without("ask", short_put)).passed
    assert not check("sided_quotes", closing(), without("quote", put_wing)).passed


@pytest.mark.parametrize(
    ("limit", "worst", "passed"),
    [(-12.0, -11.4, True), (-12.0, -11.35, False), (-12.6, -12.0, True), (-12.65, -12.0, False)],
)
def test_a_price_stays_within_the_half_spread_and_ten_ticks_of_the_mid(
    limit: float, worst: float, passed: bool
) -> None:
    found = check("price_collar", opening(limit=limit, limit_worst=worst), healthy())
    assert found.limit == pytest.approx(0.6)
    assert found.passed is passed


def test_the_ticks_of_vix_options_are_finer() -> None:
    assert check("price_collar", hedge(), healthy()).limit == pytest.approx(0.2)


def test_without_a_combo_price_there_is_no_collar_to_pass() -> None:
    assert not check("price_collar", opening(), healthy(quotes={})).passed


@pytest.mark.parametrize(
    ("trade", "feeds"),
    [(opening(), ("option", "index")), (hedge(), ("option", "future")), (closing(), ("option",))],
)
def test_each_feed_an_order_rests_on_must_have_proved_itself_lately(
    trade: Trade, feeds: tuple[str, ...]
) -> None:
    for feed in ("option", "index", "future"):
        for proof in (LONG_AGO, None, NOW + timedelta(seconds=1)):
            alive = {**healthy().feeds_alive, feed: proof}
            context = book(
                held(combo=condor()), feeds_alive={k: v for k, v in alive.items() if v is not None}
            )
            names = [one for one in refused(trade, context) if one.endswith("_quote_age_s")]
            assert names == ([f"{feed}_quote_age_s"] if feed in feeds else [])


@pytest.mark.parametrize(("age_s", "passed"), [(15.0, True), (15.1, False)])
def test_options_may_be_fifteen_seconds_old(age_s: float, passed: bool) -> None:
    alive = {**healthy().feeds_alive, "option": NOW - timedelta(seconds=age_s)}
    assert check("option_quote_age_s", opening(), healthy(feeds_alive=alive)).passed is passed


def test_ten_orders_a_minute_are_the_limit_for_closes_too() -> None:
    recent = tuple(NOW - timedelta(seconds=5 * n) for n in range(9))
    for trade, context in ((opening(), healthy()), (closing(), book(held()))):
        assert refused(trade, replace(context, order_times=recent)) == ()
        assert refused(trade, replace(context, order_times=(*recent, NOW))) == ("orders_per_minute",)
        assert refused(trade, replace(context, order_times=(*recent, LONG_AGO, LONG_AGO))) == ()


def test_after_six_round_trips_a_day_only_closes_go_on() -> None:
    assert refused(opening(), healthy(round_trips_today=5)) == ()
    assert refused(opening(), healthy(round_trips_today=6)) == ("round_trips_per_day",)
    assert refused(closing(), book(held(), round_trips_today=6)) == ()


def test_legs_that_settle_apart_are_denied() -> None:
    calendar = Combo(
        (
            Leg(option(3500, Right.CALL), Action.SELL),
            Leg(option(3500, Right.CALL, expiry=date(2020, 3, 27)), Action.BUY),
        )
    )
    verdict = review(opening(combo=calendar), healthy(), LIMITS)
    assert verdict.ruling is Ruling.DENIED
    assert "one_settlement" in verdict.refusals


def test_all_checks_run_even_after_one_has_failed() -> None:
    names = [one.name for one in review(opening(), healthy(), LIMITS).checks]
    worst = healthy(account="U1", state=reducing(Cause.OPERATOR), quotes={}, nav_usd=None, feeds_alive={})
    failing = review(opening(limit=5.0, limit_worst=4.0), worst, LIMITS)
    assert [one.name for one in failing.checks] == names
    assert len(failing.refusals) >= 10
    assert failing.quantity == 0
