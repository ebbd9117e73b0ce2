"""One condor a week, closed for profit, for time or at a confirmed stop, and never on a price that is not
there.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from market.contract import Combo, Contract, Right, SecurityType, iron_condor
from market.quote import Quote
from strategies.base import Evaluation, Intent, MarketSnapshot, Structure
from strategies.iron_condor import CondorState, evaluate
from tests.strategies.world import World, at, condor_rules

RULES = condor_rules()
MONDAY, EXPIRY = date(2020, 2, 3), date(2020, 3, 20)
LATER = date(2020, 2, 18)  # 31 days to expiry


def option(strike: float, right: Right, con_id: int) -> Contract:
    return Contract(SecurityType.OPTION, "SPX", "SPXW", EXPIRY, strike, right, multiplier=100, con_id=con_id)


CONDOR = iron_condor(
    option(3050, Right.PUT, 11),
    option(3100, Right.PUT, 12),
    option(3500, Right.CALL, 13),
    option(3550, Right.CALL, 14),
)


def structure(credit: float = 12.0, quantity: int = 3, combo: Combo = CONDOR) -> Structure:
    legs = tuple((leg.contract.con_id, leg.signed_ratio * quantity) for leg in combo.legs)
    return Structure("condor-2020-W06-1", "iron_condor", combo, MONDAY, legs, opened_cost=-credit * quantity)


def marked(when: datetime, value: float | None, half: float = 0.2) -> MarketSnapshot:
    """A market in which the condor costs `value` to buy back: its short put carries all of it."""
    quotes = {con_id: Quote(0.5 - half / 4, 0.5 + half / 4, None, when) for con_id in (11, 13, 14)}
    if value is not None:
        quotes[12] = Quote(value + 0.5 - half / 4, value + 0.5 + half / 4, None, when)
    return MarketSnapshot(when, when.date(), quotes)


def look(
    when: datetime,
    value: float | None,
    state: CondorState | None = None,
    working: frozenset[str] = frozenset(),
    credit: float = 12.0,
) -> tuple[CondorState, Evaluation]:
    return evaluate(marked(when, value), state or CondorState(), [structure(credit)], 1e5, RULES, working)


def entry(
    when: datetime, initiation_usd: float | None = 12_000.0, world: World | None = None, **known: object
) -> Evaluation:
    """What the entry says at `when`, after it has found its strikes with every line streamed."""
    if world is None:
        world = World()
        world.list_spxw(EXPIRY)
    state, found = CondorState(), Evaluation()
    for _ in range(4):
        state, found = evaluate(
            world.snapshot(when),
            state,
            known.get("structures", ()),  # type: ignore[arg-type]  # passed through
            initiation_usd,
            RULES,
            known.get("working", frozenset()),  # type: ignore[arg-type]  # passed through
            known.get("barred", ()),  # type: ignore[arg-type]  # passed through
        )
    return found


def refusals(found: Evaluation) -> list[str]:
    return [gate.name for gate in found.gates if not gate.passed]


def test_the_entry_is_a_credit_condor_on_wings_of_equal_width() -> None:
    (proposal,) = entry(at(MONDAY, "10:00")).proposals
    strikes = [leg.contract.strike for leg in proposal.combo.legs]
    assert strikes[1] - strikes[0] == strikes[3] - strikes[2] == 25.0
    assert proposal.intent is Intent.OPEN
    assert proposal.structure_id == "condor-2020-W06-1"
    assert proposal.limit <= proposal.limit_worst < 0.0


def test_size_is_what_the_worst_loss_with_fees_leaves_of_the_initiation() -> None:
    (proposal,) = entry(at(MONDAY, "10:00")).proposals
    unit = 100 * proposal.max_loss_points + proposal.fees_per_unit_usd
    assert proposal.max_loss_points == pytest.approx(25.0 + proposal.limit_worst)
    assert proposal.quantity * unit <= 12_000 < (proposal.quantity + 1) * unit


def test_the_limit_starts_between_mid_and_natural_and_ends_at_the_natural_price() -> None:
    (proposal,) = entry(at(MONDAY, "10:00")).proposals
    notes = dict(proposal.notes)
    assert -notes["credit_mid"] - 0.05 <= proposal.limit <= -notes["credit_natural"]
    assert proposal.limit_worst == pytest.approx(-notes["credit_natural"])
    assert round(proposal.limit * 20, 6) == round(proposal.limit * 20)


def test_break_evens_lie_a_credit_beyond_the_short_strikes() -> None:
    (proposal,) = entry(at(MONDAY, "10:00")).proposals
    notes = dict(proposal.notes)
    strikes = [leg.contract.strike for leg in proposal.combo.legs]
    assert strikes[1] - notes["break_even_low"] == pytest.approx(
        notes["break_even_high"] - strikes[2], abs=1e-6
    )
    assert strikes[1] - notes["break_even_low"] == pytest.approx(notes["credit_mid"] - 0.053, abs=1e-6)


@pytest.mark.parametrize(
    ("clock", "proposed"),
    [("09:41", False), ("09:59", False), ("10:00", True), ("14:59", True), ("15:00", False)],
)
def test_entries_are_made_from_ten_to_three(clock: str, proposed: bool) -> None:
    assert bool(entry(at(MONDAY, clock)).proposals) is proposed


def test_strikes_are_looked_for_before_the_window_opens_and_not_all_morning() -> None:
    assert entry(at(MONDAY, "09:45")).lines
    assert not entry(at(MONDAY, "09:35")).lines


def test_a_half_day_ends_the_window_an_hour_before_the_close() -> None:
    half_day = date(2019, 11, 29)
    world = World()
    world.list_spxw(date(2020, 1, 10))
    assert not entry(at(half_day, "12:00"), world=world).proposals
    assert entry(at(half_day, "11:59"), world=world).proposals


def test_one_entry_in_an_iso_week_even_after_it_was_closed_again() -> None:
    closed = replace(structure(), closed_legs=tuple((con_id, -n) for con_id, n in structure().opened_legs))
    found = entry(at(date(2020, 2, 7), "10:00"), structures=[closed])
    assert refusals(found) == ["week_entries"]


def test_the_next_week_may_enter_again() -> None:
    world = World()
    world.list_spxw(date(2020, 3, 27))
    (proposal,) = entry(at(date(2020, 2, 10), "10:00"), world=world, structures=[structure()]).proposals
    assert proposal.structure_id == "condor-2020-W07-1"


def test_an_order_that_never_filled_does_not_use_the_week_up() -> None:
    unfilled = replace(structure(), opened_legs=(), opened_cost=0.0)
    (proposal,) = entry(at(MONDAY, "10:00"), structures=[unfilled]).proposals
    assert proposal.structure_id == unfilled.structure_id


def test_a_week_is_remembered_after_its_structure_is_gone() -> None:
    world = World()
    world.list_spxw(EXPIRY)
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    state, _ = evaluate(snapshot, CondorState(), [structure()], 12_000.0, RULES)
    for _ in range(4):
        state, found = evaluate(snapshot, state, (), 12_000.0, RULES)
        assert not found.proposals


def test_five_open_condors_are_enough() -> None:
    five = [replace(structure(), structure_id=f"condor-2019-W5{n}-1") for n in range(5)]
    assert refusals(entry(at(MONDAY, "10:00"), structures=five))[:1] == ["open_condors"]


def test_while_its_order_works_nothing_new_is_proposed() -> None:
    found = entry(at(MONDAY, "10:00"), working=frozenset({"condor-2020-W06-1"}))
    assert refusals(found) == ["no_working_order"]
    assert not found.proposals


def test_a_barred_time_opens_nothing_and_names_its_reasons() -> None:
    found = entry(at(MONDAY, "10:00"), barred=("fomc", "crisis"))
    assert next(gate.detail for gate in found.gates if gate.name == "not_barred") == "fomc, crisis"
    assert not found.proposals


@pytest.mark.parametrize("bounds", [(0.30, 0.40), (0.15, 0.25)])
def test_a_credit_outside_its_share_of_the_width_is_refused(bounds: tuple[float, float]) -> None:
    rules = condor_rules(credit_min_of_width_fraction=bounds[0], credit_max_of_width_fraction=bounds[1])
    world = World()
    world.list_spxw(EXPIRY)
    state, found = CondorState(), Evaluation()
    for _ in range(4):
        state, found = evaluate(world.snapshot(at(MONDAY, "10:00")), state, (), 12_000.0, rules)
    assert refusals(found) == ["credit"]
    assert [reading.fired for reading in found.readings].count(False) == 1
    assert not found.proposals


def test_the_walk_never_ends_below_the_least_credit() -> None:
    world = World(half_spread=1.6)
    world.list_spxw(EXPIRY)
    (proposal,) = entry(at(MONDAY, "10:00"), world=world).proposals
    assert dict(proposal.notes)["credit_natural"] < 0.15 * 25
    assert proposal.limit_worst == -3.75


@pytest.mark.parametrize("initiation_usd", [None, 1_000.0])
def test_without_money_for_one_unit_nothing_is_proposed(initiation_usd: float | None) -> None:
    found = entry(at(MONDAY, "10:00"), initiation_usd)
    assert refusals(found) == ["size"]


def test_the_least_width_is_taken_where_the_regular_one_leaves_no_unit() -> None:
    world = World(spot=6000.0)
    world.list_spxw(EXPIRY)
    for initiation_usd, width in ((12_000.0, 50.0), (3_200.0, 25.0), (2_500.0, 25.0)):
        (proposal,) = entry(at(MONDAY, "10:00"), initiation_usd, world).proposals
        assert dict(proposal.notes)["width"] == width


def test_an_unlisted_expiry_or_an_unknown_index_opens_nothing_and_asks_for_the_listing() -> None:
    world = World()
    found = entry(at(MONDAY, "10:00"), world=world)
    assert found.listings == (("SPX", "SPXW", EXPIRY),)
    assert refusals(found) == ["listing"]
    world.list_spxw(EXPIRY)
    snapshot = replace(world.snapshot(at(MONDAY, "10:00")), spx=None)
    _, blind = evaluate(snapshot, CondorState(), (), 12_000.0, RULES)
    assert refusals(blind) == ["market"]


@pytest.mark.parametrize(("value", "due"), [(6.05, False), (6.0, True), (2.0, True)])
def test_profit_is_taken_at_half_the_credit(value: float, due: bool) -> None:
    _, found = look(at(LATER, "11:00"), value)
    assert [proposal.reason for proposal in found.proposals] == (["profit"] if due else [])


def test_a_close_buys_the_reversed_condor_back_in_full_at_a_debit() -> None:
    _, found = look(at(LATER, "11:00"), 5.0)
    (proposal,) = found.proposals
    assert proposal.combo == CONDOR.reversed()
    assert proposal.intent is Intent.CLOSE
    assert proposal.quantity == 3
    assert 0.0 < proposal.limit <= proposal.limit_worst == pytest.approx(5.2)
    assert proposal.limit == pytest.approx(5.1)


@pytest.mark.parametrize(("day", "due"), [(date(2020, 2, 27), False), (date(2020, 2, 28), True)])
def test_the_time_exit_comes_at_21_days_whatever_the_result(day: date, due: bool) -> None:
    _, found = look(at(day, "11:00"), 13.0)
    assert [proposal.reason for proposal in found.proposals] == (["time"] if due else [])


def test_a_due_time_exit_waits_for_a_missing_price_and_says_so() -> None:
    _, found = look(at(date(2020, 2, 28), "11:00"), None)
    assert not found.proposals
    gate = next(gate for gate in found.gates if gate.name.endswith(".mark"))
    assert gate.passed is None
    assert gate.detail == "a leg has no price"


@pytest.mark.parametrize(
    ("clock", "due"), [("09:31", False), ("09:45", True), ("15:59", True), ("16:00", False)]
)
def test_targets_are_taken_from_a_quarter_to_ten_until_the_close(clock: str, due: bool) -> None:
    _, found = look(at(LATER, clock), 5.0)
    assert bool(found.proposals) is due


def stops(*marks: tuple[int, float | None], credit: float = 12.0) -> list[str]:
    """Reasons proposed over marks of (seconds after eleven, value)."""
    state, reasons = CondorState(), []
    for seconds, value in marks:
        state, found = look(at(LATER, "11:00") + timedelta(seconds=seconds), value, state, credit=credit)
        reasons += [proposal.reason for proposal in found.proposals]
    return reasons


def test_the_stop_needs_two_breaches_a_minute_apart() -> None:
    assert stops((0, 37.0)) == []
    assert stops((0, 37.0), (59, 37.0)) == []
    assert stops((0, 37.0), (60, 37.0)) == ["stop"]
    assert stops((0, 37.0), (30, 38.0), (61, 36.0)) == ["stop"]


def test_a_mark_inside_the_stop_between_starts_the_minute_again() -> None:
    assert stops((0, 37.0), (30, 20.0), (61, 37.0), (90, 37.0)) == []


def test_an_unknown_mark_neither_counts_nor_starts_again() -> None:
    assert stops((0, 37.0), (60, None)) == []
    assert stops((0, 37.0), (30, None), (61, 37.0)) == ["stop"]


def test_a_mark_beyond_what_a_condor_can_be_worth_is_no_mark() -> None:
    assert stops((0, 51.0), (61, 51.0)) == []
    assert stops((0, -1.0), (61, -1.0)) == []


@pytest.mark.parametrize(
    ("credit", "value", "stopped"),
    [(12.0, 35.95, False), (12.0, 36.0, True), (20.0, 43.95, False), (20.0, 44.0, True)],
)
def test_the_stop_is_twice_the_credit_or_four_fifths_of_the_worst_loss_whichever_is_less(
    credit: float, value: float, stopped: bool
) -> None:
    assert (stops((0, value), (60, value), credit=credit) == ["stop"]) is stopped


def test_yesterdays_breach_confirms_nothing_today() -> None:
    state, _ = look(at(LATER, "15:59"), 40.0)
    state, found = look(at(date(2020, 2, 19), "09:31"), 40.0, state)
    assert not found.proposals
    assert state.breaches[0][1] == at(date(2020, 2, 19), "09:31")


def test_the_stop_works_from_the_open_and_goes_straight_to_the_natural_price() -> None:
    state, _ = look(at(LATER, "09:30"), 40.0)
    _, found = look(at(LATER, "09:31"), 40.0, state)
    (proposal,) = found.proposals
    assert proposal.limit == proposal.limit_worst == pytest.approx(40.2)


def test_no_close_is_worth_more_than_the_width() -> None:
    state, _ = look(at(LATER, "11:00"), 49.95)
    _, found = look(at(LATER, "11:01"), 49.95, state)
    assert found.proposals[0].limit_worst == 50.0


def test_a_worthless_condor_is_still_bought_back_for_a_tick() -> None:
    quotes = {con_id: Quote(0.0, 0.0, None, at(LATER, "11:00")) for con_id in (11, 12, 13, 14)}
    snapshot = MarketSnapshot(at(LATER, "11:00"), LATER, quotes)
    _, found = evaluate(snapshot, CondorState(), [structure()], 1e5, RULES)
    assert found.proposals[0].limit == found.proposals[0].limit_worst == 0.05


def test_while_the_close_works_none_is_proposed_but_the_readings_go_on() -> None:
    _, found = look(at(LATER, "11:00"), 5.0, working=frozenset({"condor-2020-W06-1"}))
    assert not found.proposals
    assert len([reading for reading in found.readings if reading.name.startswith("condor-")]) == 3


def test_being_barred_or_unsized_never_stops_an_exit() -> None:
    snapshot = marked(at(LATER, "11:00"), 5.0)
    _, found = evaluate(snapshot, CondorState(), [structure()], None, RULES, frozenset(), ("fomc",))
    assert [proposal.reason for proposal in found.proposals] == ["profit"]


def test_open_legs_are_always_streamed() -> None:
    _, found = look(at(LATER, "15:30"), None)
    assert {line.con_id for line in found.lines} == {11, 12, 13, 14}
