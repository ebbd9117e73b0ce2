"""A future or shares are bought only when they are named and priced; the gate says what lacks."""

from dataclasses import replace
from datetime import date

import pytest

from market.contract import Contract, SecurityType
from market.quote import Quote
from strategies.base import Evaluation, MarketSnapshot
from strategies.hedge_entry import Order
from strategies.hedge_linear import enter_future, enter_shares, future_of
from strategies.rules import HedgeRules
from tests.strategies.world import at, hedge_rules, tranche_rules

SESSION, SETTLES = date(2021, 4, 19), date(2021, 5, 19)
WHEN = at(SESSION, "10:00")
VX = Contract(SecurityType.FUTURE, "VIX", "VX", SETTLES, multiplier=1000, exchange="CFE", con_id=8)
VXM = Contract(SecurityType.FUTURE, "VXM", "VXM", SETTLES, multiplier=100, exchange="CFE", con_id=9)
VXX = Contract(SecurityType.STOCK, "VXX", con_id=7)
ORDER = Order("L1", "near-term-2021-04-16", 30_000.0, True, "near-term layer fired")
MARKET = Quote(19.95, 20.05, None, WHEN)
ONE_SIDED = Quote(19.95, None, None, WHEN)


def rules(**changes: object) -> HedgeRules:
    return hedge_rules(tranche_rules("l1", **{"instrument": "vx", "fallback": "vxx", **changes}))


def snapshot(*named: Contract, quote: Quote | None = MARKET) -> MarketSnapshot:
    quotes = {} if quote is None else {one.con_id: quote for one in named}
    futures = tuple(one for one in named if one.trading_class == "VX")
    others = tuple(one for one in named if one.trading_class != "VX")
    return MarketSnapshot(WHEN, SESSION, quotes, futures=futures, others=others)


def standing(found: Evaluation) -> list[tuple[str, bool | None]]:
    return [(gate.name, gate.passed) for gate in found.gates]


@pytest.mark.parametrize(("instrument", "future"), [("vx", VX), ("vxm", VXM)])
def test_a_future_of_the_window_is_bought_at_its_stress_out_of_the_budget(
    instrument: str, future: Contract
) -> None:
    found = enter_future(snapshot(VX, VXM), ORDER, rules(instrument=instrument))
    (proposal,) = found.proposals
    assert found.lines == (future,)
    assert proposal.combo.legs[0].contract == future
    unit = 20.05 * 0.3 * future.multiplier + proposal.fees_per_unit_usd
    assert proposal.quantity == int(30_000 // unit)
    assert dict(proposal.notes)["stress"] == 0.3


def test_without_a_settlement_in_the_window_of_days_no_future_is_looked_for() -> None:
    found = enter_future(snapshot(VX), ORDER, rules(min_dte=1, max_dte=1))
    assert (standing(found), found.lines) == ([("expiry", None)], ())


def test_a_future_of_another_class_or_month_is_not_the_one_that_is_meant() -> None:
    other = replace(VX, expiry=date(2021, 6, 16))
    assert future_of(snapshot(other, VXM), "VX", SETTLES) is None
    assert standing(enter_future(snapshot(other, VXM), ORDER, rules())) == [("listing", None)]


@pytest.mark.parametrize("quote", [None, ONE_SIDED])
def test_a_future_without_a_market_is_watched_and_not_bought(quote: Quote | None) -> None:
    found = enter_future(snapshot(VX, quote=quote), ORDER, rules())
    assert standing(found) == [("listing", True), ("forward", None)]
    assert (found.lines, found.proposals) == ((VX,), ())


def test_what_an_earlier_gate_blocks_is_watched_and_not_proposed() -> None:
    named, blocked = snapshot(VX, VXX), replace(ORDER, ready=False)
    for found in (enter_future(named, blocked, rules()), enter_shares(named, blocked, rules())):
        assert found.proposals == ()
        assert all(gate.passed for gate in found.gates)
        assert len(found.lines) == 1


@pytest.mark.parametrize("quote", [None, ONE_SIDED])
def test_shares_without_a_market_are_watched_and_not_bought(quote: Quote | None) -> None:
    found = enter_shares(snapshot(VXX, quote=quote), ORDER, rules())
    assert standing(found) == [("fallback", True), ("combo_quote", None)]
    assert (found.lines, found.proposals) == ((VXX,), ())


def test_a_market_at_nothing_is_no_price_to_buy_at() -> None:
    worthless = snapshot(VXX, quote=Quote(0.0, 0.0, None, WHEN))
    assert standing(enter_shares(worthless, ORDER, rules())) == [("fallback", True), ("combo_quote", None)]


def test_shares_cost_what_they_cost_and_stand_on_no_forward() -> None:
    (proposal,) = enter_shares(snapshot(VXX), ORDER, rules()).proposals
    assert proposal.quantity == int(30_000 // (20.05 + proposal.fees_per_unit_usd))
    assert dict(proposal.notes)["forward"] == 0.0
    assert standing(enter_shares(snapshot(), ORDER, rules())) == [("listing", None)]
