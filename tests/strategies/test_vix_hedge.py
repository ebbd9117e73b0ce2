"""A fired layer buys one call spread in the next session, within its budget, and sells it by its rules."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from market.contract import Contract, Right, SecurityType, call_spread
from market.quote import Quote
from market.sessions import next_session, session_offset
from strategies.base import Evaluation, Intent, MarketSnapshot, Structure
from strategies.vix_hedge import HedgeState, PendingEntry, evaluate, layer_fired, reserved_usd, session_closed
from tests.strategies.world import World, at, budget_rules, hedge_rules

RULES, BUDGET = hedge_rules(), budget_rules()
SIGNAL, TRADE = date(2020, 2, 27), date(2020, 2, 28)
EXPIRY = date(2020, 3, 18)
NAV = 1_000_000.0
NAME = "near-term-2020-02-27"


def option(strike: float, con_id: int) -> Contract:
    return Contract(
        SecurityType.OPTION, "VIX", "VIX", EXPIRY, strike, Right.CALL, multiplier=100, con_id=con_id
    )


SPREAD = call_spread(option(25, 21), option(35, 22))


def tranche(paid: float = 2.0, units: int = 5, sold: int = 0, opened: date = TRADE) -> Structure:
    return Structure(
        NAME,
        "near_term",
        SPREAD,
        opened,
        ((21, units), (22, -units)),
        ((21, -sold), (22, sold)) if sold else (),
        opened_cost=paid * units,
    )


def fired(backwardation: float = 0.10) -> HedgeState:
    return layer_fired(HedgeState(), "L1", SIGNAL, TRADE, backwardation, NAV)


def market() -> World:
    world = World(vix_future=26.0)
    world.list_vix(EXPIRY)
    return world


def looked(*arguments: Any) -> tuple[HedgeState, Evaluation]:
    """One look, of which the near-term layer's part is shown."""
    state, found = evaluate(*arguments)
    return state, found["near_term"]


def waiting(state: HedgeState) -> PendingEntry | None:
    return state.waiting("L1")


def entry(
    when: datetime,
    state: HedgeState | None = None,
    nav: float | None = NAV,
    world: World | None = None,
    barred: tuple[str, ...] = (),
    working: frozenset[str] = frozenset(),
) -> tuple[HedgeState, Evaluation]:
    """What the entry says once it has found its strikes, seeing only the lines it asked for."""
    state, found = state or fired(), Evaluation()
    lines: tuple[Contract, ...] = ()
    world = world or market()
    for _ in range(4):
        snapshot = world.snapshot(when, lines)
        state, found = looked(snapshot, state, (), nav, RULES, BUDGET, working, barred)
        lines = found.lines
    return state, found


def refusals(found: Evaluation) -> list[str]:
    return [gate.name.rpartition(".")[2] for gate in found.gates if not gate.passed]


def valued(when: datetime, value: float | None, half: float = 0.05) -> MarketSnapshot:
    """A market in which the spread is worth `value`; the short call shows one point."""
    quotes = {22: Quote(1.0 - half / 2, 1.0 + half / 2, None, when)}
    if value is not None:
        quotes[21] = Quote(value + 1.0 - half / 2, value + 1.0 + half / 2, None, when)
    return MarketSnapshot(when, when.date(), quotes)


def exits(
    structure: Structure,
    value: float | None,
    day: date = date(2020, 3, 2),
    state: HedgeState | None = None,
    clock: str = "11:00",
    working: frozenset[str] = frozenset(),
) -> list[tuple[str, int]]:
    snapshot = valued(at(day, clock), value)
    _, found = looked(snapshot, state or HedgeState(), [structure], NAV, RULES, BUDGET, working)
    return [(proposal.reason, proposal.quantity) for proposal in found.proposals]


def test_a_fire_buys_a_call_spread_at_the_wanted_delta_and_width() -> None:
    _, found = entry(at(TRADE, "09:45"))
    (proposal,) = found.proposals
    long, short = (leg.contract for leg in proposal.combo.legs)
    assert short.strike - long.strike >= 10.0
    assert dict(proposal.notes)["long_delta"] == pytest.approx(0.45, abs=0.04)
    assert proposal.reserves
    assert proposal.intent is Intent.OPEN
    assert proposal.structure_id == NAME
    assert found.listings == (("VIX", "VIX", EXPIRY),)
    assert len(found.lines) <= 40


def test_the_long_strike_is_the_nearest_listed_one_to_the_wanted_delta() -> None:
    _, few = entry(at(TRADE, "10:00"))
    world, state, everything = market(), fired(), Evaluation()
    for _ in range(4):
        state, everything = looked(world.snapshot(at(TRADE, "10:00")), state, (), NAV, RULES, BUDGET)
    assert few.proposals[0].combo == everything.proposals[0].combo


def test_contracts_are_what_thirty_basis_points_buy_at_the_natural_price_rounded_down() -> None:
    (proposal,) = entry(at(TRADE, "10:00"))[1].proposals
    unit = 100 * dict(proposal.notes)["premium_natural"] + proposal.fees_per_unit_usd
    assert proposal.quantity * unit <= 3_000 < (proposal.quantity + 1) * unit
    assert proposal.max_loss_points == proposal.limit_worst == dict(proposal.notes)["premium_natural"]


def test_a_budget_too_small_for_one_is_logged_and_never_rounded_up() -> None:
    _, found = entry(
        at(TRADE, "10:00"), layer_fired(HedgeState(), "L1", SIGNAL, TRADE, 0.1, 20_000.0), 20_000.0
    )
    assert refusals(found) == ["budget"]
    assert "too_small" in found.gates[-1].detail


@pytest.mark.parametrize(
    ("day", "clock", "bought"),
    [
        (SIGNAL, "15:59", False),
        (TRADE, "09:44", False),
        (TRADE, "09:45", True),
        (TRADE, "15:44", True),
        (TRADE, "15:45", False),
        (date(2020, 3, 2), "10:00", False),
    ],
)
def test_it_trades_in_the_session_after_the_signal_only(day: date, clock: str, bought: bool) -> None:
    assert bool(entry(at(day, clock))[1].proposals) is bought


def test_a_fire_cannot_trade_on_its_own_session() -> None:
    with pytest.raises(ValueError, match="cannot trade"):
        layer_fired(HedgeState(), "L1", SIGNAL, SIGNAL, 0.1, NAV)


def test_a_fire_that_found_no_market_expires_with_the_reason() -> None:
    state, found = entry(at(TRADE, "15:00"), world=World())
    assert refusals(found) == ["listing"]
    state = session_closed(state, TRADE, 0.10, False, (), BUDGET)
    assert waiting(state) is None
    assert state.expired is not None
    assert state.expired[0] == SIGNAL
    assert "not listed" in state.expired[1]


def test_a_fire_the_daemon_slept_through_expires_at_the_next_look() -> None:
    state, _ = entry(at(date(2020, 3, 3), "10:00"))
    assert waiting(state) is None
    assert state.expired == (SIGNAL, "its session has not begun")


def test_a_fire_that_traded_leaves_no_expiry_behind() -> None:
    state = session_closed(fired(), TRADE, 0.10, False, [tranche()], BUDGET)
    assert waiting(state) is None
    assert state.expired is None


def test_it_is_bought_once_even_when_only_part_of_it_filled() -> None:
    snapshot = market().snapshot(at(TRADE, "10:00"))
    _, found = looked(snapshot, fired(), [tranche(units=1)], NAV, RULES, BUDGET)
    assert "not_bought" in refusals(found)
    assert not found.proposals


def test_while_its_order_works_nothing_is_proposed() -> None:
    assert refusals(entry(at(TRADE, "10:00"), working=frozenset({NAME}))[1]) == ["no_working_order"]


@pytest.mark.parametrize(("b", "bought"), [(0.15, False), (0.151, True)])
def test_a_release_window_bars_it_unless_the_curve_is_deeply_inverted(b: float, bought: bool) -> None:
    _, found = entry(at(TRADE, "10:00"), fired(b), barred=("fomc",))
    assert bool(found.proposals) is bought


def test_without_a_net_asset_value_or_a_forward_nothing_is_bought() -> None:
    assert refusals(entry(at(TRADE, "10:00"), nav=None)[1]) == ["budget"]
    torn = market()
    state, found = fired(), Evaluation()
    lines: tuple[Contract, ...] = ()
    for _ in range(4):
        snapshot = torn.snapshot(at(TRADE, "10:00"), lines)
        off = {c.con_id: Quote(30.0, 30.1, None, snapshot.time) for c in torn.futures}
        snapshot = replace(snapshot, quotes={**snapshot.quotes, **off})
        state, found = looked(snapshot, state, (), NAV, RULES, BUDGET)
        lines = found.lines
    assert refusals(found) == ["forward"]
    assert "gap" in found.gates[-1].detail


def test_what_a_waiting_fire_may_spend_is_reserved_in_its_session_until_it_trades() -> None:
    state = fired()
    assert reserved_usd(state, SIGNAL, NAV, (), BUDGET) == 0.0
    assert reserved_usd(state, TRADE, NAV, (), BUDGET) == 3_000.0
    assert reserved_usd(state, TRADE, NAV, [tranche()], BUDGET) == 0.0
    assert reserved_usd(state, TRADE, None, (), BUDGET) == 0.0


@pytest.mark.parametrize(
    ("units", "first"),
    [(1, 1), (2, 1), (3, 2), (5, 3)],
    ids=["all of one", "half of two", "up of three", "up of five"],
)
def test_half_is_sold_at_twice_the_premium_rounding_the_part_up(units: int, first: int) -> None:
    assert exits(tranche(units=units), 3.99) == []
    assert exits(tranche(units=units), 4.0) == [("first target", first)]


def test_the_rest_is_sold_at_three_times_the_premium_and_not_before() -> None:
    left = tranche(units=5, sold=3)
    assert exits(left, 5.0) == []
    assert exits(left, 6.0) == [("second target", 2)]


def test_a_first_part_that_filled_in_part_is_completed_and_not_taken_again() -> None:
    assert exits(tranche(units=5, sold=1), 4.5) == [("first target", 2)]


def test_a_jump_past_both_targets_sells_everything() -> None:
    assert exits(tranche(units=5), 6.5) == [("second target", 5)]


def test_it_is_sold_after_two_closes_in_contango_while_it_was_held() -> None:
    structure, state, day = tranche(), HedgeState(), TRADE
    closes = [(-0.01, []), (None, []), (0.01, []), (-0.01, []), (None, []), (-0.02, [("contango", 5)])]
    for b, expected in closes:
        state = session_closed(state, day, b, False, [structure], BUDGET)
        day = next_session(day)
        assert exits(structure, 2.0, day, state) == expected


def test_contango_before_the_purchase_does_not_count() -> None:
    state = session_closed(HedgeState(), SIGNAL, -0.01, False, (), BUDGET)
    state = session_closed(state, TRADE, -0.01, False, [tranche()], BUDGET)
    assert exits(tranche(), 2.0, date(2020, 3, 2), state) == []


def test_a_close_is_counted_once() -> None:
    state = session_closed(HedgeState(), TRADE, -0.01, False, [tranche()], BUDGET)
    assert session_closed(state, TRADE, -0.01, False, [tranche()], BUDGET) == state


def test_it_is_sold_after_fifteen_sessions() -> None:
    early = tranche(opened=session_offset(date(2020, 3, 11), -15))
    late = tranche(opened=session_offset(date(2020, 3, 11), -14))
    assert exits(early, 2.0, date(2020, 3, 11)) == [("sessions", 5)]
    assert exits(late, 2.0, date(2020, 3, 11)) == []


@pytest.mark.parametrize(("day", "due"), [(date(2020, 3, 12), []), (date(2020, 3, 13), [("dte", 5)])])
def test_it_is_sold_five_days_before_settlement(day: date, due: list[tuple[str, int]]) -> None:
    assert exits(tranche(), 2.0, day) == due


@pytest.mark.parametrize("clock", ["09:44", "16:00"])
def test_it_is_sold_in_trading_hours(clock: str) -> None:
    assert exits(tranche(), 2.0, date(2020, 3, 13), clock=clock) == []


def test_a_due_exit_waits_for_a_missing_price_and_says_so() -> None:
    snapshot = valued(at(date(2020, 3, 13), "11:00"), None)
    _, found = looked(snapshot, HedgeState(), [tranche()], NAV, RULES, BUDGET)
    assert not found.proposals
    assert next(gate for gate in found.gates if gate.name.endswith(".price")).passed is None


def test_selling_is_a_credit_and_a_worthless_spread_is_left_to_settle() -> None:
    _, found = looked(
        valued(at(date(2020, 3, 13), "11:00"), 2.0), HedgeState(), [tranche()], NAV, RULES, BUDGET
    )
    (proposal,) = found.proposals
    assert proposal.combo == SPREAD.reversed()
    assert proposal.limit <= proposal.limit_worst < 0.0
    nothing = {
        21: Quote(None, 0.0, None, at(TRADE, "11:00")),
        22: Quote(None, 0.05, None, at(TRADE, "11:00")),
    }
    snapshot = MarketSnapshot(at(date(2020, 3, 13), "11:00"), date(2020, 3, 13), nothing)
    _, worthless = looked(snapshot, HedgeState(), [tranche()], NAV, RULES, BUDGET)
    assert not worthless.proposals
    assert "worth_selling" in refusals(worthless)


def test_a_close_of_the_tranche_is_not_proposed_while_one_works() -> None:
    assert exits(tranche(), 4.0, working=frozenset({NAME})) == []


def test_the_campaign_owns_what_was_paid_and_limits_the_next_fire() -> None:
    snapshot = valued(at(TRADE, "10:00"), 2.0)
    state, _ = looked(snapshot, fired(), [tranche(paid=5.9, units=5)], NAV, RULES, BUDGET)
    assert state.ledger.spent_usd("L1") == pytest.approx(2950 + 5 * 2.49)
    state = layer_fired(state, "L1", date(2020, 3, 6), date(2020, 3, 9), 0.1, 2 * NAV)
    assert state.ledger.campaign == SIGNAL
    assert reserved_usd(state, date(2020, 3, 9), 2 * NAV, (), BUDGET) == pytest.approx(3000 - 2962.45)


def test_the_campaign_ends_when_all_is_flat_and_armed_and_not_before() -> None:
    state = session_closed(fired(), TRADE, 0.1, False, [tranche()], BUDGET)
    state = session_closed(state, date(2020, 3, 2), 0.0, True, [tranche()], BUDGET)
    assert state.ledger.campaign == SIGNAL
    state = session_closed(state, date(2020, 3, 3), 0.0, False, (), BUDGET)
    assert state.ledger.campaign == SIGNAL
    state = session_closed(state, date(2020, 3, 4), 0.0, True, (), BUDGET)
    assert state.ledger.campaign is None


def test_with_nothing_held_and_nothing_waiting_there_is_nothing_to_say() -> None:
    snapshot = World().snapshot(at(TRADE, "10:00"))
    assert looked(snapshot, HedgeState(), (), NAV, RULES, BUDGET) == (HedgeState(), Evaluation())
