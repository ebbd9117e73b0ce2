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
from tests.strategies.world import World, at

NAME = "condor-2020-W06-1"


def told(
    clock: str = "10:05", world: World | None = None, parity: ParityWatch | None = None, shift: float = 0.0
) -> Step:
    """One look of an engine that holds two units of a condor `shift` points nearer on the put side."""
    world = world or listed()
    when: datetime = at(MONDAY, clock)
    snapshot = world.snapshot(when)
    strikes = ((3050.0 + shift, Right.PUT), (3100.0 + shift, Right.PUT), (3475.0, Right.CALL))
    legs = [snapshot.find("SPXW", EXPIRY, *one) for one in (*strikes, (3525.0, Right.CALL))]
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
