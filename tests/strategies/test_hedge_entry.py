"""Options are bought only on a forward, a volatility, a short strike and a price; what lacks is named."""

from dataclasses import replace
from datetime import date

import pytest

from market.contract import Contract, Right
from market.quote import Quote
from strategies.base import Evaluation, MarketSnapshot
from strategies.hedge_entry import Order, enter
from strategies.rules import HedgeRules
from strategies.strikes import StrikeWindow
from tests.strategies.world import World, at, hedge_rules, tranche_rules

SESSION, EXPIRY = date(2020, 2, 28), date(2020, 3, 18)
WHEN = at(SESSION, "10:00")
ORDER = Order("L1", "near-term-2020-02-27", 3_000.0, True, "near-term layer fired")
RULES = hedge_rules()


def world() -> World:
    made = World(vix_future=26.0)
    made.list_vix(EXPIRY)
    return made


def looked(
    snapshot: MarketSnapshot, order: Order = ORDER, rules: HedgeRules = RULES
) -> tuple[StrikeWindow, Evaluation]:
    """What a look says once the window has found its place."""
    window, found = StrikeWindow(), Evaluation()
    for _ in range(4):
        window, found = enter(snapshot, window, order, rules)
    return window, found


def refusals(found: Evaluation) -> list[tuple[str, str]]:
    return [(gate.name, gate.detail) for gate in found.gates if not gate.passed]


def without(snapshot: MarketSnapshot, *contracts: Contract | None) -> MarketSnapshot:
    gone = {one.con_id for one in contracts if one is not None}
    return replace(snapshot, quotes={key: one for key, one in snapshot.quotes.items() if key not in gone})


def test_without_a_settlement_in_the_window_of_days_nothing_is_looked_at() -> None:
    rules = hedge_rules(tranche_rules("l1", min_dte=1, max_dte=1))
    window, found = looked(world().snapshot(WHEN), rules=rules)
    assert refusals(found) == [("expiry", "no monthly expiry in the window of days")]
    assert (window, found.listings, found.lines) == (StrikeWindow(), (), ())


def test_a_spread_without_a_strike_far_enough_above_its_long_one_is_not_bought() -> None:
    rules = hedge_rules(tranche_rules("l1", width_min_pts=90.0))
    _, found = looked(world().snapshot(WHEN), rules=rules)
    (gate,) = refusals(found)
    assert gate[0] == "short_strike"
    assert gate[1].startswith("none far enough above ")
    assert found.proposals == ()
    # The long legs stay in view; there is no short one to show beside them.
    assert {one.right for one in found.lines} == {Right.CALL, Right.PUT}


def test_without_the_matching_future_the_index_says_where_to_look() -> None:
    market = world()
    snapshot = without(market.snapshot(WHEN), *market.futures)
    for level in (Quote(None, None, 26.0, WHEN), Quote(25.9, 26.1, None, WHEN)):
        _, found = looked(replace(snapshot, quotes={**snapshot.quotes, market.vix.con_id: level}))
        assert found.gates[0].detail.endswith("no matching future")
        assert len(found.proposals) == 1


@pytest.mark.parametrize("level", [None, 0.0])
def test_without_future_and_index_there_is_no_forward_and_no_line_is_asked_for(level: float | None) -> None:
    market = world()
    snapshot = without(market.snapshot(WHEN), *market.futures)
    silent = {market.vix.con_id: Quote(None, None, level, WHEN)}
    _, found = looked(replace(snapshot, quotes={**snapshot.quotes, **silent}))
    assert refusals(found) == [("forward", "neither the matching future nor VIX is known")]
    assert found.lines == ()
    assert looked(without(snapshot, market.vix))[1].gates == found.gates


def test_without_a_volatility_at_the_money_no_strike_is_chosen() -> None:
    market = world()
    snapshot = market.snapshot(WHEN)
    options = market.listed["VIX", EXPIRY]
    _, found = looked(without(snapshot, *options))
    assert refusals(found) == [("strikes", "no at-the-money volatility")]
    assert found.gates[0].passed  # the future alone still is a forward
    assert found.lines


def test_options_that_nobody_offers_have_no_price() -> None:
    market = world()
    snapshot = market.snapshot(WHEN)
    (proposal,) = looked(snapshot)[1].proposals
    short = proposal.combo.legs[1].contract
    bid_alone = replace(snapshot.quotes[short.con_id], ask=None)
    _, found = looked(replace(snapshot, quotes={**snapshot.quotes, short.con_id: bid_alone}))
    assert refusals(found) == [("combo_quote", "the options have no price")]
    assert found.proposals == ()


def test_a_spread_that_would_cost_nothing_is_no_offer_to_believe() -> None:
    market = world()
    snapshot = market.snapshot(WHEN)
    (proposal,) = looked(snapshot)[1].proposals
    long, short = (leg.contract for leg in proposal.combo.legs)
    dear = snapshot.quotes[long.con_id]
    assert dear.ask is not None
    upside_down = {short.con_id: Quote(dear.ask, dear.ask + 0.1, None, WHEN)}
    _, found = looked(replace(snapshot, quotes={**snapshot.quotes, **upside_down}))
    assert refusals(found) == [("combo_quote", "the options have no price")]


def test_while_the_net_asset_value_is_unknown_nothing_fits_the_budget() -> None:
    _, found = looked(world().snapshot(WHEN), replace(ORDER, left_usd=None))
    (gate,) = [one for one in found.gates if one.name == "budget"]
    assert gate.passed is None
    assert found.proposals == ()


def test_a_roll_takes_no_more_units_than_it_may() -> None:
    (free,) = looked(world().snapshot(WHEN))[1].proposals
    assert free.quantity > 2
    (capped,) = looked(world().snapshot(WHEN), replace(ORDER, units_max=2))[1].proposals
    assert capped.quantity == 2
    (roomy,) = looked(world().snapshot(WHEN), replace(ORDER, units_max=500))[1].proposals
    assert roomy.quantity == free.quantity
