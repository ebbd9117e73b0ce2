"""Adjustments in the book: fills stand aside until the order ends, then structures are whole units again."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.adjusting import adjusted
from bot.engine.book import apply_commission, apply_execution, report_order
from bot.engine.decision import Verb
from bot.engine.differences import set_aside
from bot.engine.orders import place
from bot.engine.state import EngineState, OrderLine
from bot.events import CommissionReported, Executed
from market.contract import Action, Combo, Leg, Right, joined
from market.order import OrderStatus
from risk.exposure import worst_option_counts
from risk.verdict import Ruling, Verdict
from strategies.base import Evaluation, Intent, Proposal, Structure
from tests.bot.engine.desk import NOW, SESSION, execution, executions, ready, report
from tests.risk.book import condor, option

NAME = "condor-2020-W06-1"
CONDOR = condor()
CALLS = Combo(tuple(leg for leg in CONDOR.legs if leg.contract.right is Right.CALL))
PUTS = Combo(tuple(leg for leg in CONDOR.legs if leg.contract.right is Right.PUT))


def moved(shift: float) -> Combo:
    """The roll that moves the calls `shift` points towards the money."""
    spread = Combo(
        tuple(Leg(option(leg.contract.strike - shift, Right.CALL), leg.action) for leg in CALLS.legs)
    )
    combo = joined([(CALLS.reversed(), 1), (spread, 1)])
    assert combo is not None
    return combo


ROLL = moved(60.0)


def holding(units: int, combo: Combo = CONDOR) -> EngineState:
    legs = tuple(sorted((leg.contract.con_id, units * leg.signed_ratio) for leg in combo.legs))
    structure = Structure(NAME, "iron_condor", combo, SESSION, legs, opened_cost=-12.0 * units, fees_usd=6.0)
    return ready(structures={NAME: structure})


def at_work(
    state: EngineState, combo: Combo, quantity: int, intent: Intent = Intent.OPEN
) -> tuple[EngineState, OrderLine]:
    """The state with an adjusting order acknowledged by the broker."""
    proposal = Proposal(
        "iron_condor", NAME, intent, combo, quantity, -2.0, -1.5, 1.0, "untested calls rolled", adjusts=True
    )
    ref = f"alvh:iron_condor:20200203T153000-{quantity}"
    done = place(state, proposal, Verdict(Ruling.APPROVED, quantity, ()), Evaluation(), ref, NOW)
    assert [decision.verb for decision in done.decisions] == [Verb.ADJUST]
    state = report_order(done.state, report(done.state.orders[ref], OrderStatus.WORKING), NOW)
    return state, state.orders[ref]


def fill(state: EngineState, line: OrderLine, done: tuple[Executed, ...]) -> EngineState:
    for one in done:
        state = apply_execution(state, one, NOW)
    return state


def legs_of(state: EngineState) -> Counter[int]:
    total: Counter[int] = Counter()
    for structure in state.structures.values():
        total.update(structure.legs)
    return Counter({key: count for key, count in total.items() if count})


def whole(structure: Structure) -> bool:
    expected = {leg.contract.con_id: structure.quantity * leg.signed_ratio for leg in structure.combo.legs}
    return structure.legs == {key: count for key, count in expected.items() if count}


def test_a_roll_of_all_units_changes_the_structure_and_adds_its_credit() -> None:
    state, line = at_work(holding(3), ROLL, 3)
    state = fill(state, line, executions(line, 3))
    assert state.orders[line.order.order_ref].order.status is OrderStatus.FILLED
    (structure,) = state.structures.values()
    assert structure.combo == joined([(CONDOR, 1), (ROLL, 1)])
    assert (structure.quantity, structure.adjusting_legs, structure.adjusting_cost) == (3, (), 0.0)
    assert structure.adjustments == ("untested calls rolled",)
    assert structure.opened_cost == pytest.approx(-36.0 + state.orders[line.order.order_ref].cost)
    assert whole(structure)


def test_fills_of_a_roll_under_way_stand_beside_the_structure() -> None:
    state, line = at_work(holding(3), ROLL, 3)
    apart = set_aside(state)
    state = fill(state, line, executions(line, 1))
    (structure,) = state.structures.values()
    assert structure.combo == CONDOR
    assert dict(structure.adjusting_legs) == {leg.contract.con_id: leg.signed_ratio for leg in ROLL.legs}
    assert set_aside(state) == apart  # the fills belong to the structure
    assert structure.quantity == 3
    assert NAME in state.busy_structures()


def test_units_that_were_rolled_apart_become_a_structure_of_their_own() -> None:
    state, line = at_work(holding(3), ROLL, 3)
    state = fill(state, line, executions(line, 1))
    state = report_order(state, report(state.orders[line.order.order_ref], OrderStatus.CANCELLED, 1), NOW)
    rest, apart = state.structures[NAME], state.structures[f"{NAME}-adjusted-3"]
    assert (rest.quantity, apart.quantity) == (2, 1)
    assert (rest.combo, apart.combo) == (CONDOR, joined([(CONDOR, 1), (ROLL, 1)]))
    assert rest.opened_cost == -24.0
    assert rest.fees_usd + apart.fees_usd == pytest.approx(6.0)
    assert whole(rest)
    assert whole(apart)


def test_a_roll_that_did_not_trade_leaves_the_structure_as_it_was() -> None:
    before = holding(3)
    state, line = at_work(before, ROLL, 3)
    state = report_order(state, report(state.orders[line.order.order_ref], OrderStatus.CANCELLED), NOW)
    assert state.structures == before.structures


def test_executions_that_come_after_the_end_of_a_roll_are_waited_for() -> None:
    state, line = at_work(holding(2), ROLL, 2)
    state = report_order(state, report(line, OrderStatus.FILLED, 2), NOW)
    assert state.structures[NAME].combo == CONDOR
    state = fill(state, line, executions(line, 2))
    assert state.structures[NAME].combo != CONDOR


def test_a_spread_bought_back_leaves_the_other_one() -> None:
    state, line = at_work(holding(2), PUTS.reversed(), 2, Intent.CLOSE)
    state = fill(state, line, executions(line, 2, price=0.02))
    (structure,) = state.structures.values()
    assert structure.combo == CALLS
    assert structure.quantity == 2
    assert not structure.closed_reason
    assert whole(structure)


def test_a_part_closed_before_keeps_its_result_when_the_rest_is_rolled() -> None:
    state = holding(3)
    one_less = tuple((con_id, -count // 3) for con_id, count in state.structures[NAME].opened_legs)
    closed = replace(state.structures[NAME], closed_legs=one_less, closed_cost=5.0)
    state, line = at_work(replace(state, structures={NAME: closed}), ROLL, 2)
    state = fill(state, line, executions(line, 2))
    rest, apart = state.structures[NAME], state.structures[f"{NAME}-adjusted-2"]
    assert (rest.quantity, rest.is_flat, apart.quantity) == (0, True, 2)
    assert (rest.units_closed, rest.closed_cost) == (1, 5.0)
    assert rest.entry_price == closed.entry_price


def test_a_corrected_price_of_an_ended_roll_is_counted() -> None:
    state, line = at_work(holding(1), ROLL, 1)
    done = executions(line, 1)
    state = fill(state, line, done)
    before = state.structures[NAME].opened_cost
    first = done[0].fill
    better = replace(first, exec_id=first.exec_id.replace(".01", ".02"), price=first.price - 0.5)
    state = apply_execution(state, Executed(better, done[0].contract), NOW)
    structure = state.structures[NAME]
    assert structure.opened_cost == pytest.approx(before - 0.5 * first.quantity)
    assert (structure.adjusting_legs, structure.adjusting_cost) == ((), 0.0)
    assert whole(structure)


def test_commissions_of_a_roll_count_as_fees_of_its_structure() -> None:
    state, line = at_work(holding(1), ROLL, 1)
    state = apply_execution(state, execution(line, 0, 1, "a.01"), NOW)
    state = apply_commission(state, CommissionReported("a.01", 1.3))
    assert state.structures[NAME].fees_usd == pytest.approx(7.3)


def test_fills_that_fit_nothing_stay_beside_the_structure() -> None:
    state, line = at_work(holding(1), ROLL, 2)
    odd = replace(state.structures[NAME], adjusting_legs=((1, 1),))
    assert adjusted(odd, line) == ()
    too_many = tuple(sorted((leg.contract.con_id, 2 * leg.signed_ratio) for leg in ROLL.legs))
    assert adjusted(replace(odd, adjusting_legs=too_many), line) == ()


def whole_legs(combo: Combo, units: int) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((leg.contract.con_id, units * leg.signed_ratio) for leg in combo.legs))


def test_cost_and_fees_are_shared_by_units_between_what_was_changed_and_the_rest() -> None:
    state, line = at_work(holding(5), ROLL, 5)
    held = state.structures[NAME]
    both = replace(held, fees_usd=10.0, adjusting_legs=whole_legs(ROLL, 2), adjusting_cost=-5.0)
    rest, apart = adjusted(both, line)
    assert (rest.opened_cost, rest.fees_usd, rest.adjusting_legs, rest.adjusting_cost) == (
        -36.0,
        6.0,
        (),
        0.0,
    )
    assert rest.opened_legs == whole_legs(CONDOR, 3)
    assert (apart.opened_cost, apart.fees_usd, apart.closed_cost, apart.adjusting_cost) == (
        -29.0,
        4.0,
        0.0,
        0.0,
    )
    (changed,) = adjusted(replace(both, adjusting_legs=whole_legs(ROLL, 5), adjusting_cost=-10.0), line)
    assert (changed.opened_cost, changed.closed_cost, changed.adjusting_cost) == (-70.0, 0.0, 0.0)


def test_legs_that_stand_twice_in_an_adjustment_count_as_one_unit() -> None:
    roll = moved(50.0)  # the bought call and the new wing are one contract
    doubled = sorted(roll.legs, key=lambda leg: -leg.ratio)
    assert [leg.signed_ratio for leg in doubled] == [2, -1, -1]
    for legs in (roll.legs, tuple(doubled)):
        combo = Combo(legs)
        state, line = at_work(holding(4), combo, 4)
        held = replace(state.structures[NAME], adjusting_legs=whole_legs(combo, 2), adjusting_cost=-2.0)
        rest, apart = adjusted(held, line)
        assert (rest.units_opened, apart.units_opened) == (2, 2)


def test_a_first_leg_alone_is_no_unit_of_an_adjustment() -> None:
    state, line = at_work(holding(2), ROLL, 2)
    first = ROLL.legs[0]
    alone = ((first.contract.con_id, first.signed_ratio),)
    assert adjusted(replace(state.structures[NAME], adjusting_legs=alone), line) == ()


@settings(max_examples=60)
@given(
    units=st.integers(1, 5),
    rolled=st.integers(0, 5),
    shift=st.sampled_from([20.0, 40.0, 60.0, 80.0]),
    bought_back=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_whatever_fills_adjusted_structures_are_whole_covered_and_close_to_nothing(
    units: int, rolled: int, shift: float, bought_back: int, order: object
) -> None:
    state = holding(units)
    for combo, wish, intent in (
        (moved(shift), min(rolled, units), Intent.OPEN),
        (PUTS.reversed(), bought_back, Intent.CLOSE),
    ):
        structure = state.structures[NAME]
        quantity = structure.quantity
        if not quantity or combo.legs[0].contract.con_id not in {*structure.legs, *_ids(combo)}:
            continue
        state, line = at_work(state, combo, quantity, intent)
        legs = [one for unit in range(min(wish, quantity)) for one in executions(line, 1, f"{intent}{unit}")]
        order.shuffle(legs)  # type: ignore[attr-defined]  # a random generator
        state = fill(state, line, tuple(legs))
        last = report(state.orders[line.order.order_ref], OrderStatus.CANCELLED, min(wish, quantity))
        state = report_order(state, last, NOW)
        _check(state)
    remaining = legs_of(state)
    for structure in state.structures.values():
        for leg in structure.combo.reversed().legs:
            remaining[leg.contract.con_id] += structure.quantity * leg.signed_ratio
    assert not {key: count for key, count in remaining.items() if count}


def _ids(combo: Combo) -> set[int]:
    return {leg.contract.con_id for leg in combo.legs if leg.action is Action.BUY}


def _check(state: EngineState) -> None:
    positions = {key: one.quantity for key, one in state.portfolio.positions().items()}
    assert state.structures
    for structure in state.structures.values():
        assert whole(structure), structure
        counts = worst_option_counts(
            {leg.contract: structure.quantity * leg.signed_ratio for leg in structure.combo.legs}
        )
        assert all(count >= 0 for count in counts.values())
        assert structure.combo.payoff_range()[0] >= -50.0
    assert all(isinstance(count, int) for count in positions.values())
