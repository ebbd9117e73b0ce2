"""Adjustments of a tested condor: the other side moves once, for enough credit, never at a greater loss."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from market.contract import Right, iron_condor, joined
from market.quote import Quote
from strategies.base import Evaluation, Intent, Structure
from strategies.condor_exit import Due
from strategies.iron_condor import CondorState, evaluate
from strategies.rules import CondorRules
from tests.strategies.test_expiry_parity import EXPIRY, MONDAY
from tests.strategies.world import World, at, condor_rules, listed_option

NAME = "condor-2020-W06-1"
RULES = condor_rules(entries_per_week_max=0)
STRIKES = ((3050.0, Right.PUT), (3100.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))


def held(world: World, credit: float = 15.0, quantity: int = 4, strikes: object = STRIKES) -> Structure:
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    legs = [listed_option(snapshot, "SPXW", EXPIRY, *one) for one in strikes]  # type: ignore[attr-defined]  # pairs
    combo = iron_condor(*[leg for leg in legs if leg is not None])
    opened = tuple((leg.contract.con_id, leg.signed_ratio * quantity) for leg in combo.legs)
    return Structure(NAME, "iron_condor", combo, MONDAY, opened, opened_cost=-credit * quantity)


def falling(spot: float) -> World:
    """A market that was listed at 3300 and stands at `spot` now."""
    world = World()
    world.list_spxw(EXPIRY)
    world.spot = spot
    return world


def looks(
    spot: float,
    structure: Structure | None = None,
    rules: CondorRules = RULES,
    barred: Mapping[Right, Sequence[str]] | None = None,
    working: frozenset[str] = frozenset(),
    count: int = 5,
    start: str = "10:00",
) -> tuple[CondorState, Evaluation]:
    world = falling(spot)
    structure = structure or held(world)
    state, found, when = CondorState(), Evaluation(), at(MONDAY, start)
    for minute in range(count):
        moment: datetime = when.replace(minute=when.minute + minute)
        state, found = evaluate(
            world.snapshot(moment), state, [structure], 1e5, rules, working, (), barred or {}
        )
    return state, found


def refusals(found: Evaluation) -> list[str]:
    mine = [gate for gate in found.gates if gate.name.startswith(NAME)]
    return [gate.name.partition(".")[2] for gate in mine if not gate.passed]


@pytest.mark.parametrize(
    ("spot", "due", "right"),
    [(3180.0, Due.ROLL_CALLS, Right.CALL), (3410.0, Due.ROLL_PUTS, Right.PUT)],
)
def test_the_untested_side_moves_up_behind_the_market_as_one_order(
    spot: float, due: Due, right: Right
) -> None:
    _, found = looks(spot)
    (proposal,) = found.proposals
    assert (proposal.reason, proposal.intent, proposal.adjusts) == (due.value, Intent.OPEN, True)
    assert {leg.contract.right for leg in proposal.combo.legs} == {right}
    assert proposal.quantity == 4
    notes = dict(proposal.notes)
    assert abs(abs(notes["delta"]) - 0.16) < 0.02
    assert proposal.limit <= proposal.limit_worst <= -0.10 * notes["credit"]
    assert notes["max_loss_after"] <= notes["max_loss_before"]


def test_what_is_held_after_the_roll_is_a_condor_of_the_same_width() -> None:
    _, found = looks(3180.0)
    after = joined([(held(falling(3180.0)).combo, 1), (found.proposals[0].combo, 1)])
    assert after is not None
    strikes = [leg.contract.strike for leg in after.legs]
    assert [leg.signed_ratio for leg in after.legs] == [1, -1, -1, 1]
    assert strikes == sorted(strikes)
    assert strikes[3] - strikes[2] == 50.0
    assert after.payoff_range()[0] == -50.0


def test_a_condor_that_is_not_tested_stays_as_it_is() -> None:
    _, found = looks(3300.0)
    assert not found.proposals
    deltas = {r.name.partition(".")[2]: r.fired for r in found.readings if r.name.endswith("_delta")}
    assert deltas == {"put_delta": False, "call_delta": False}


def test_with_both_sides_tested_there_is_no_side_to_roll() -> None:
    near = ((3200.0, Right.PUT), (3250.0, Right.PUT), (3350.0, Right.CALL), (3400.0, Right.CALL))
    _, found = looks(3300.0, held(falling(3300.0), 28.0, strikes=near))
    assert not found.proposals


def test_a_roll_that_did_not_fill_is_tried_again_only_after_a_pause() -> None:
    world, structure = falling(3180.0), held(falling(3180.0))
    state = CondorState()
    proposed, refused = [], set()
    for minute in range(50):
        moment = at(MONDAY, "10:00") + timedelta(minutes=minute)
        busy = frozenset({NAME}) if 5 <= minute <= 7 else frozenset()  # its order works, and ends unfilled
        state, found = evaluate(world.snapshot(moment), state, [structure], 1e5, RULES, busy, (), {})
        if found.proposals:
            proposed.append(minute)
        refused.update(refusals(found))
    assert not [minute for minute in proposed if 5 <= minute < 37]
    assert 37 in proposed
    assert "roll_pause" in refused


def test_the_pause_lasts_while_the_short_is_tested_on_and_off() -> None:
    structure, state = held(falling(3180.0)), CondorState()
    proposed = []
    for minute in range(20):
        moment = at(MONDAY, "10:00") + timedelta(minutes=minute)
        world = falling(3300.0 if minute == 8 else 3180.0)
        busy = frozenset({NAME}) if minute == 5 else frozenset()
        state, found = evaluate(world.snapshot(moment), state, [structure], 1e5, RULES, busy, (), {})
        if found.proposals:
            proposed.append(minute)
    assert proposed
    assert max(proposed) < 5


def test_each_unit_is_rolled_once() -> None:
    rolled = replace(held(falling(3180.0)), adjustments=(Due.ROLL_CALLS.value,))
    assert not looks(3180.0, rolled)[1].proposals


def test_a_roll_that_is_switched_off_or_at_work_is_not_proposed() -> None:
    off = replace(RULES, adjust=replace(RULES.adjust, roll_untested=False))
    assert not looks(3180.0, rules=off)[1].proposals
    assert not looks(3180.0, working=frozenset({NAME}))[1].proposals


def test_a_barred_side_is_not_rolled_and_says_why_the_other_may_be() -> None:
    stress = {Right.CALL: ("stress regime",)}
    _, found = looks(3180.0, barred=stress)
    assert refusals(found) == ["roll_not_barred"]
    assert "stress regime" in [gate.detail for gate in found.gates]
    assert looks(3410.0, barred=stress)[1].proposals


def test_too_little_credit_is_no_reason_to_trade() -> None:
    greedy = replace(RULES, adjust=replace(RULES.adjust, roll_credit_min_fraction=0.90))
    assert refusals(looks(3180.0, rules=greedy)[1]) == ["roll_credit"]


def test_a_roll_whose_new_wing_has_no_price_is_not_priced_and_says_so() -> None:
    state, found = looks(3180.0)
    (proposal,) = found.proposals
    strike = dict(proposal.notes)["short_to"] + 50.0
    (wing,) = [leg.contract for leg in proposal.combo.legs if leg.contract.strike == strike]
    snapshot = falling(3180.0).snapshot(at(MONDAY, "10:05"))
    dark = replace(snapshot, quotes={key: one for key, one in snapshot.quotes.items() if key != wing.con_id})
    _, found = evaluate(dark, state, [held(falling(3180.0))], 1e5, RULES)
    assert not found.proposals
    assert refusals(found) == ["roll_quote"]
    assert "a leg has no price" in [gate.detail for gate in found.gates]


def test_a_roll_never_moves_outwards_or_past_the_other_short() -> None:
    inside = (*STRIKES[:2], (3225.0, Right.CALL), (3275.0, Right.CALL))
    _, found = looks(3140.0, held(falling(3140.0), 30.0, strikes=inside))
    assert not found.proposals
    assert refusals(found) in ([], ["roll_inward"])
    deep = ((3150.0, Right.PUT), (3250.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))
    _, found = looks(3000.0, held(falling(3000.0), 60.0, strikes=deep), start="09:45")
    assert refusals(found) == ["roll_shorts_apart"]


def test_before_the_targets_hour_nothing_is_rolled() -> None:
    assert not looks(3180.0, start="09:31", count=3)[1].proposals


def test_the_lines_of_a_roll_are_streamed_only_while_it_is_looked_for() -> None:
    state, found = looks(3180.0)
    assert state.rolls
    calls = {line.strike for line in found.lines if line.right is Right.CALL}
    new_short = dict(found.proposals[0].notes)["short_to"]
    assert {new_short, new_short + 50.0} <= calls
    assert not looks(3300.0)[0].rolls


@pytest.mark.parametrize(("on", "reasons"), [(True, ["delta"]), (False, [])])
def test_the_delta_close_is_an_arm_of_its_own(on: bool, reasons: list[str]) -> None:
    exits = replace(RULES.exit, delta_close=on, stop_credit_ratio=9.0, stop_of_max_loss_fraction=0.99)
    rules = replace(RULES, exit=exits, adjust=replace(RULES.adjust, roll_untested=False))
    _, found = looks(3090.0, rules=rules)
    assert [proposal.reason for proposal in found.proposals] == reasons


def test_a_spread_that_costs_a_tick_is_bought_back_alone_and_the_last_one_closes_the_condor() -> None:
    far = ((2400.0, Right.PUT), (2450.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))
    world = World(half_spread=0.04)
    world.spot = 2850.0
    world.list_spxw(EXPIRY)
    world.spot = 3300.0
    world.sigma = 0.10
    structure = held(world, 6.0, strikes=far)
    rules = replace(RULES, exit=replace(RULES.exit, profit_of_credit_fraction=0.01))
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    state, found = evaluate(snapshot, CondorState(), [structure], 1e5, rules)
    assert not found.proposals, "nobody bids for the wing: it may settle"
    cheap = {leg.contract.con_id: Quote(0.05, 0.1, None, snapshot.time) for leg in structure.combo.legs[:2]}
    snapshot = replace(snapshot, quotes={**snapshot.quotes, **cheap})
    state, found = evaluate(snapshot, state, [structure], 1e5, rules)
    (proposal,) = found.proposals
    assert (proposal.reason, proposal.intent, proposal.adjusts) == ("spread bought back", Intent.CLOSE, True)
    assert {leg.contract.right for leg in proposal.combo.legs} == {Right.PUT}
    assert proposal.limit == proposal.limit_worst == 0.05
    puts = replace(structure, combo=joined([(proposal.combo.reversed(), 1)]) or structure.combo)
    legs = tuple((leg.contract.con_id, leg.signed_ratio * 4) for leg in puts.combo.legs)
    _, found = evaluate(snapshot, state, [replace(puts, opened_legs=legs, opened_cost=0.8)], 1e5, rules)
    assert [(one.reason, one.adjusts) for one in found.proposals] == [("early close", False)]
