"""Break-evens in the engine: told once a session from a clean mark, net of fees and rolls, or as unknown."""

from dataclasses import replace
from datetime import datetime

import pytest

from bot.engine.break_evens import net_credit, recalibrate
from bot.engine.decision import Verb
from bot.engine.state import EngineState, Step
from bot.events import Alert
from market.contract import Right, iron_condor
from strategies.base import Structure
from strategies.expiry_parity import ParityWatch
from strategies.iron_condor import CondorState
from tests.bot.engine.desk import ready
from tests.strategies.test_expiry_parity import EXPIRY, MONDAY, read_at
from tests.strategies.world import World, at, listed_option

NAME = "condor-2020-W06-1"


def told(
    clock: str = "10:05", world: World | None = None, parity: ParityWatch | None = None, shift: float = 0.0
) -> Step:
    """One look of an engine that holds two units of a condor `shift` points nearer on the put side."""
    world = world or listed()
    when: datetime = at(MONDAY, clock)
    snapshot = world.snapshot(when)
    strikes = ((3050.0 + shift, Right.PUT), (3100.0 + shift, Right.PUT), (3475.0, Right.CALL))
    legs = [listed_option(snapshot, "SPXW", EXPIRY, *one) for one in (*strikes, (3525.0, Right.CALL))]
    combo = iron_condor(*[leg for leg in legs if leg is not None])
    opened = tuple((leg.contract.con_id, 2 * leg.signed_ratio) for leg in combo.legs)
    structure = Structure(NAME, "iron_condor", combo, MONDAY, opened, opened_cost=-32.0, fees_usd=10.6)
    state = ready(
        structures={NAME: structure},
        session=MONDAY,
        condor=CondorState(parity=parity or read_at(world, at(MONDAY, "10:00"))),
    )
    return recalibrate(state, snapshot)


def listed() -> World:
    world = World()
    world.list_spxw(EXPIRY)
    return world


def test_break_evens_are_told_with_the_forward_they_are_measured_by() -> None:
    done = told()
    (decision,) = done.decisions
    assert (decision.verb, decision.structure_id) == (Verb.READ, NAME)
    notes = dict(decision.notes)
    assert notes["net_credit"] == pytest.approx(16.0 - 0.053)
    assert notes["low_expiry"] == pytest.approx(3100 - notes["net_credit"])
    assert notes["high_expiry"] == pytest.approx(3475 + notes["net_credit"])
    assert notes["forward_lo"] < notes["forward"] < notes["forward_hi"]
    assert notes["parity_strikes"] >= 8
    assert 0.0 < notes["low_expiry_breach"] < 0.5
    names = [reading.name for reading in decision.readings]
    assert names[:2] == [f"{NAME}.low_expiry_sd", f"{NAME}.high_expiry_sd"]
    assert not done.commands


def test_they_are_told_once_a_session() -> None:
    done = told()
    world = listed()
    again = recalibrate(done.state, world.snapshot(at(MONDAY, "10:10")))
    assert not again.decisions


def test_a_break_even_near_the_forward_alerts() -> None:
    done = told(shift=150.0)
    (alert,) = done.commands
    assert isinstance(alert, Alert)
    assert (alert.name, alert.level) == ("condor.break_even", "warning")
    assert "low_expiry_sd near" in alert.text


def test_without_parity_they_wait_and_are_told_as_unknown_before_the_close() -> None:
    unknown = ParityWatch()
    assert not told("15:44", parity=unknown).decisions
    (decision,) = told("15:45", parity=unknown).decisions
    assert decision.reason == "break-evens unknown: no parity of this session"
    assert told("15:45", parity=unknown).commands


def test_suspect_data_are_the_reason_when_they_are() -> None:
    parity = replace(ParityWatch(), suspects=((EXPIRY, "data suspect: why"),))
    (decision,) = told("15:50", parity=parity).decisions
    assert decision.reason == "break-evens unknown: data suspect: why"


def test_only_condors_that_are_held_are_measured() -> None:
    state: EngineState = told().state
    flat = replace(state.structures[NAME], settled=True)
    hedge = replace(state.structures[NAME], strategy="vix_hedge", structure_id="h")
    state = replace(state, structures={NAME: flat, "h": hedge}, recalibrated={})
    assert not recalibrate(state, listed().snapshot(at(MONDAY, "10:05"))).decisions
    assert net_credit(Structure("x", "iron_condor", flat.combo, MONDAY)) == 0.0


def moved(done: Step, spot: float, clock: str = "11:00") -> Step:
    """A later look at the same condor with the index somewhere else."""
    world = listed()
    world.spot = spot
    return recalibrate(done.state, world.snapshot(at(MONDAY, clock)))


def test_the_first_time_in_a_session_that_the_market_is_beyond_a_break_even_of_today_it_is_told() -> None:
    first = told()
    assert not first.commands
    levels = dict(first.decisions[0].notes)
    assert not moved(first, levels["low_today"] + 20.0).decisions
    far = moved(first, levels["low_today"] - 80.0)
    (decision,), (alert,) = far.decisions, far.commands
    assert decision.reason == "break-evens of today: low_today_sd near"
    assert isinstance(alert, Alert)
    assert alert.text == f"{NAME}: {decision.reason}"
    reading = decision.readings[0]
    assert reading.value is not None
    assert reading.threshold == -0.25
    assert reading.value <= -0.25
    assert dict(decision.notes)["low_today"] == levels["low_today"]
    assert not moved(far, levels["low_today"] - 120.0).decisions


def test_the_worse_end_of_the_forward_is_the_nearer_one() -> None:
    first = told()
    (reading,) = [one for one in first.state.condor.parity.readings if one.expiry == EXPIRY]
    wide = replace(first.state.condor, parity=ParityWatch(readings=(replace(reading, half_width=400.0),)))
    done = recalibrate(replace(first.state, condor=wide), listed().snapshot(at(MONDAY, "11:00")))
    assert [one.reason for one in done.decisions] == [
        "break-evens of today: low_today_sd, high_today_sd near"
    ]


def test_without_index_or_parity_the_levels_of_before_are_not_watched() -> None:
    first, world = told(), listed()
    world.spot = 2900.0
    snapshot = world.snapshot(at(MONDAY, "11:00"))
    state = first.state
    for changed, seen in (
        (replace(state, condor=replace(state.condor, parity=ParityWatch())), snapshot),
        (state, replace(snapshot, spx=None)),
    ):
        assert not recalibrate(changed, seen).decisions


def test_after_an_adjustment_they_are_measured_told_and_watched_anew() -> None:
    first = told()
    far = moved(first, dict(first.decisions[0].notes)["low_today"] - 80.0)
    assert far.state.break_evens_today[NAME].told
    held = far.state.structures[NAME]
    rolled = replace(held, opened_cost=held.opened_cost - 8.0, adjustments=("untested calls rolled",))
    blind = replace(listed().snapshot(at(MONDAY, "11:05")), spx=None)
    waiting = recalibrate(replace(far.state, structures={NAME: rolled}), blind)
    assert not waiting.decisions
    again = moved(waiting, 3300.0, "11:06")
    (decision,) = again.decisions
    assert decision.reason == "break-evens recalibrated"
    assert dict(decision.notes)["net_credit"] == pytest.approx(20.0 - 0.053)
    assert not moved(again, 3300.0, "11:07").decisions
    (near,) = moved(again, dict(decision.notes)["low_today"] - 80.0, "11:08").decisions
    assert near.reason == "break-evens of today: low_today_sd near"


def test_break_evens_of_today_that_are_near_when_measured_are_told_with_the_rest_and_not_again() -> None:
    first = told(shift=195.0)
    near = first.decisions[0].reason
    if "today" in near:
        assert not moved(first, 3000.0).decisions
    assert first.state.break_evens_today[NAME].told is ("today" in near)


def test_a_shifted_condor_tells_what_of_its_credit_comes_from_earlier_expiries() -> None:
    first = told()
    plain = dict(first.decisions[0].notes)
    held = first.state.structures[NAME]
    shifted = replace(held, follows="condor-2019-W50-1", carried=-1.5, carried_fees_usd=10.6)
    state = replace(first.state, structures={NAME: shifted}, recalibrated={})
    (decision,) = recalibrate(state, listed().snapshot(at(MONDAY, "10:06"))).decisions
    notes = dict(decision.notes)
    assert notes["credit_of_earlier_expiries"] == pytest.approx(1.5 - 0.106)
    assert notes["net_credit"] == pytest.approx(plain["net_credit"] + 1.5 - 0.106)
    assert notes["low_expiry"] == pytest.approx(3100 - notes["net_credit"])


def test_two_condors_of_one_expiry_are_watched_each_on_its_own_levels() -> None:
    first = told()
    low = dict(first.decisions[0].notes)["low_today"]
    held = first.state.structures[NAME]
    strikes = ((2850.0, Right.PUT), (2900.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))
    snapshot = listed().snapshot(at(MONDAY, "10:06"))
    legs = [listed_option(snapshot, "SPXW", EXPIRY, *one) for one in strikes]
    combo = iron_condor(*[leg for leg in legs if leg is not None])
    opened = tuple((leg.contract.con_id, 2 * leg.signed_ratio) for leg in combo.legs)
    farther = replace(held, structure_id="farther", combo=combo, opened_legs=opened)
    both = replace(first.state, structures={NAME: held, "farther": farther})
    measured = recalibrate(both, snapshot)
    assert [one.structure_id for one in measured.decisions] == ["farther"]
    assert [one.structure_id for one in moved(measured, low - 80.0).decisions] == [NAME]
    assert {one.structure_id for one in moved(measured, 2800.0).decisions} == {NAME, "farther"}


def test_before_the_rules_are_known_nothing_is_measured() -> None:
    state = replace(told().state, recalibrated={}, parameters=None)
    assert recalibrate(state, listed().snapshot(at(MONDAY, "10:06"))) == Step(state)
