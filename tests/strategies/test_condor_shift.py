"""A condor whose time is over while it is challenged may go on at a later expiry, for a credit."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from market.contract import Right, iron_condor
from strategies.base import Evaluation, Intent, Structure
from strategies.condor_exit import Due
from strategies.condor_shift import Shift
from strategies.iron_condor import CondorState, evaluate
from strategies.rules import CondorRules
from strategies.strikes import condor_series
from tests.strategies.test_expiry_parity import EXPIRY
from tests.strategies.world import World, at, condor_rules, listed_option

NAME = "condor-2020-W06-1"
OPENED, DAY = date(2020, 2, 3), date(2020, 2, 28)  # 21 days to expiry
STRIKES = ((3050.0, Right.PUT), (3100.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))
PLAIN = condor_rules(entries_per_week_max=0)
SHIPPED = PLAIN.adjust


def rules(kind: str = "tested", **adjust: object) -> CondorRules:
    changed = replace(SHIPPED, time_shift=kind, roll_untested=False, **adjust)  # type: ignore[arg-type]  # names of fields
    return replace(PLAIN, adjust=changed)


def market(spot: float) -> tuple[World, date]:
    """Both expiries listed around 3300, the index at `spot` now; and the later expiry."""
    world = World()
    world.list_spxw(EXPIRY)
    series = condor_series(DAY, PLAIN)
    assert series is not None
    world.list_spxw(series.expiry)
    world.spot = spot
    return world, series.expiry


def condor(world: World, credit: float = 15.0, quantity: int = 4) -> Structure:
    snapshot = world.snapshot(at(DAY, "10:00"))
    legs = [listed_option(snapshot, "SPXW", EXPIRY, *one) for one in STRIKES]
    combo = iron_condor(*[leg for leg in legs if leg is not None])
    opened = tuple((leg.contract.con_id, leg.signed_ratio * quantity) for leg in combo.legs)
    return Structure(NAME, "iron_condor", combo, OPENED, opened, opened_cost=-credit * quantity)


def closed(structure: Structure, cost: float, units: int = 4, due: Due = Due.SHIFT_PUTS) -> Structure:
    legs = tuple((leg.contract.con_id, -leg.signed_ratio * units) for leg in structure.combo.legs)
    return replace(structure, closed_legs=legs, closed_cost=cost * units, closed_reason=due.value)


def looks(
    structures: list[Structure],
    world: World,
    state: CondorState,
    governed: CondorRules,
    start: str = "10:00",
    count: int = 4,
    initiation_usd: float | None = 12_000.0,
    working: frozenset[str] = frozenset(),
    barred: tuple[str, ...] = (),
    roll_barred: dict[Right, tuple[str, ...]] | None = None,
) -> tuple[CondorState, Evaluation]:
    """So many looks, a minute apart, with every line streamed."""
    found, when = Evaluation(), at(DAY, start)
    for minute in range(count):
        moment: datetime = when + timedelta(minutes=minute)
        snapshot = world.snapshot(moment)
        state, found = evaluate(
            snapshot, state, structures, initiation_usd, governed, working, barred, roll_barred
        )
    return state, found


def due_for(
    spot: float, governed: CondorRules, structure: Structure | None = None
) -> tuple[str, CondorState]:
    """The reason for which the condor is closed on its last day, and what the strategy remembers."""
    world, _ = market(spot)
    state, found = looks([structure or condor(world)], world, CondorState(), governed)
    (proposal,) = found.proposals
    assert proposal.intent is Intent.CLOSE
    return proposal.reason, state


def after_close(
    spot: float = 3160.0, cost: float = 16.0, units: int = 4, **changes: object
) -> tuple[CondorState, Evaluation]:
    """What follows once the challenged puts' condor was bought back at `cost`."""
    world, _ = market(spot)
    origin = condor(world)
    governed = changes.pop("governed", rules())
    state, _ = looks([origin], world, CondorState(), governed)  # type: ignore[arg-type]  # rules
    done = closed(origin, cost, units)
    return looks([done], world, state, governed, "10:10", **changes)  # type: ignore[arg-type]  # names of arguments


def refusals(found: Evaluation) -> dict[str, str]:
    return {
        gate.name.partition(".")[2]: gate.detail
        for gate in found.gates
        if not gate.passed and "." in gate.name
    }


@pytest.mark.parametrize(
    ("spot", "kind", "due"),
    [
        (3160.0, "off", Due.TIME),
        (3160.0, "tested", Due.SHIFT_PUTS),
        (3425.0, "tested", Due.SHIFT_CALLS),
        (3190.0, "tested", Due.TIME),
        (3120.0, "loss", Due.SHIFT_PUTS),
        (3160.0, "loss", Due.TIME),
        (3100.0, "tested", Due.SHIFT_PUTS),
    ],
)
def test_only_a_challenged_condor_is_closed_to_be_shifted(spot: float, kind: str, due: Due) -> None:
    reason, state = due_for(spot, rules(kind))
    assert reason == due.value
    assert [one.structure_id for one in state.shifts] == ([] if due is Due.TIME else [NAME])


def test_each_side_is_shifted_once() -> None:
    world, _ = market(3160.0)
    again = replace(condor(world), adjustments=(Due.SHIFT_PUTS.value,))
    assert due_for(3160.0, rules(), again)[0] == Due.TIME.value
    other = replace(condor(world), adjustments=(Due.SHIFT_CALLS.value,))
    assert due_for(3160.0, rules(), other)[0] == Due.SHIFT_PUTS.value


def test_the_successor_keeps_the_challenged_strikes_and_widths_at_a_later_expiry() -> None:
    _, found = after_close()
    (proposal,) = found.proposals
    assert (proposal.structure_id, proposal.follows) == (f"{NAME}-shifted", NAME)
    assert (proposal.intent, proposal.adjusts, proposal.quantity) == (Intent.OPEN, False, 4)
    legs = [leg.contract for leg in proposal.combo.legs]
    assert {leg.expiry for leg in legs} == {market(3160.0)[1]}
    strikes = [leg.strike for leg in legs]
    assert strikes[:2] == [3050.0, 3100.0]
    assert strikes[3] - strikes[2] == 50.0
    assert abs(dict(proposal.notes)["call_delta"] - 0.16) < 0.02


def test_the_least_credit_repays_closing_and_the_fees_of_both_orders() -> None:
    _, found = after_close(cost=16.0)
    (proposal,) = found.proposals
    notes = dict(proposal.notes)
    assert notes["credit_least"] == pytest.approx(16.0 + 2 * 4 * 0.01325)
    assert proposal.limit <= proposal.limit_worst <= -notes["credit_least"]
    assert notes["max_loss_after"] < notes["max_loss_before"] == 35.0
    _, more = after_close(cost=16.0, governed=rules(time_shift_credit_min_pts=1.0))
    assert dict(more.proposals[0].notes)["credit_least"] == pytest.approx(notes["credit_least"] + 1.0)


def test_a_condor_that_cost_more_to_close_than_the_later_one_brings_in_stays_closed() -> None:
    _, found = after_close(cost=30.0)
    assert not found.proposals
    assert list(refusals(found)) == ["shift_credit"]
    assert "closing cost 30" in refusals(found)["shift_credit"]


def test_no_more_units_than_were_closed_and_than_an_initiation_may_lose() -> None:
    _, less = after_close(initiation_usd=7_000.0)
    assert less.proposals[0].quantity == 2
    for usd in (100.0, None):
        _, none = after_close(initiation_usd=usd)
        assert not none.proposals
        assert list(refusals(none)) == ["shift_size"]


def test_nothing_is_opened_before_every_unit_is_proved_closed() -> None:
    world, later = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    for partly, working in (
        (closed(origin, 16.0, 3), frozenset()),
        (closed(origin, 16.0), frozenset({NAME})),
    ):
        after, found = looks([partly], world, state, rules(), "10:10", working=working)
        assert not [one for one in found.proposals if one.intent is Intent.OPEN]
        assert "shift_closed" in refusals(found)
        assert ("SPX", "SPXW", later) in found.listings
        assert after.shifts


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"barred": ("FOMC window",)}, "shift_not_barred"),
        ({"roll_barred": {Right.PUT: ("stress regime",)}}, "shift_not_barred"),
    ],
)
def test_what_bars_an_entry_bars_the_shift(changes: dict[str, object], gate: str) -> None:
    _, found = after_close(**changes)  # type: ignore[arg-type]  # names of arguments
    assert not found.proposals
    assert gate in refusals(found)


def test_a_regime_that_bars_the_other_side_does_not_bar_this_one() -> None:
    _, found = after_close(roll_barred={Right.CALL: ("stress regime",)})
    assert found.proposals


def test_outside_of_the_entry_hours_the_shift_waits() -> None:
    world, _ = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules(), "09:50", count=1)
    assert state.shifts
    done = closed(origin, 16.0)
    state, early = looks([done], world, state, rules(), "09:52")
    assert not early.proposals
    assert refusals(early)["shift_window"] == "09:55 in 10:00-15:00"
    state, found = looks([done], world, state, rules(), "10:00", count=1)
    assert found.proposals
    assert not looks([done], world, state, rules(), "15:00")[1].proposals


def test_an_attempt_that_does_not_fill_is_not_made_again_before_its_pause_is_over() -> None:
    world, _ = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    done = closed(origin, 16.0)
    state, found = looks([done], world, state, rules(), "10:10")
    assert found.proposals
    state, busy = looks([done], world, state, rules(), "10:20", working=frozenset({f"{NAME}-shifted"}))
    assert not busy.proposals
    state, waiting = looks([done], world, state, rules(), "10:30")
    assert refusals(waiting) == {"shift_pause": "tried at 10:23, again after 1800 s"}
    assert looks([done], world, state, rules(), "10:53")[1].proposals


def test_once_anything_of_the_successor_has_opened_the_shift_is_over() -> None:
    state, found = after_close()
    world, _ = market(3160.0)
    (proposal,) = found.proposals
    legs = tuple((leg.contract.con_id, leg.signed_ratio) for leg in proposal.combo.legs)
    successor = Structure(
        proposal.structure_id, "iron_condor", proposal.combo, DAY, legs, opened_cost=-20.0, adjustments=("x",)
    )
    both = [closed(condor(world), 16.0), successor]
    state, found = looks(both, world, state, rules(), "10:20")
    assert not state.shifts
    assert not found.proposals


def test_a_shift_is_forgotten_with_its_session_with_its_condor_and_with_another_reason() -> None:
    world, _ = market(3160.0)
    state = CondorState(session=DAY, shifts=(Shift(NAME, Right.PUT),))
    origin = closed(condor(world), 16.0)
    assert looks([origin], world, state, rules(), count=1)[0].shifts
    assert not looks([], world, state, rules(), count=1)[0].shifts
    stopped = replace(origin, closed_reason=Due.STOP.value)
    assert not looks([stopped], world, state, rules(), count=1)[0].shifts
    assert not looks([origin], world, replace(state, session=OPENED), rules(), count=1)[0].shifts


@pytest.mark.parametrize("is_quoted", [False, True])
def test_what_is_measured_while_the_close_works_does_not_lose_the_shift(is_quoted: bool) -> None:
    world, _ = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    world.spot = 3190.0 if is_quoted else 3160.0  # the short's delta has fallen below 0.30
    snapshot = world.snapshot(at(DAY, "10:10"))
    if not is_quoted:  # no mark
        first = origin.combo.legs[0].contract.con_id
        quotes = {con_id: one for con_id, one in snapshot.quotes.items() if con_id != first}
        snapshot = replace(snapshot, quotes=quotes)
    at_work = replace(origin, closed_reason=Due.SHIFT_PUTS.value)
    after, found = evaluate(snapshot, state, [at_work], 12_000.0, rules(), frozenset({NAME}))
    due = next(gate.detail for gate in found.gates if gate.name == f"{NAME}.no_working_order")
    assert due == f"exit due: {Due.TIME.value}"
    # It holds as well once nothing works any more and no price lets the rest be sent.
    after, _ = evaluate(snapshot, after, [at_work], 12_000.0, rules())
    world.spot = 3160.0
    assert looks([closed(origin, 16.0)], world, after, rules(), "10:12")[1].proposals


@pytest.mark.parametrize(
    ("spot", "sigma", "meanwhile"), [(3300.0, 0.05, Due.PROFIT), (2800.0, 0.18, Due.STOP)]
)
def test_a_close_given_up_unfilled_whose_execution_comes_late_is_followed_whatever_was_due_meanwhile(
    spot: float, sigma: float, meanwhile: Due
) -> None:
    world, _ = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    given_up = replace(origin, closed_reason=Due.SHIFT_PUTS.value)
    world.spot, world.sigma = spot, sigma
    state, found = looks([given_up], world, state, rules(), "10:10")
    assert f"exit due: {meanwhile.value}" in [gate.detail for gate in found.gates]
    world.spot, world.sigma = 3160.0, 0.18
    after, found = looks([closed(origin, 16.0)], world, state, rules(), "10:20")
    assert [one.structure_id for one in after.shifts] == [NAME]
    assert [one.follows for one in found.proposals] == [NAME]
    # Once another close has been decided in its place, that one's reason counts.
    other, _ = looks([closed(origin, 16.0, due=meanwhile)], world, state, rules(), "10:20")
    assert not other.shifts


def test_a_shift_whose_close_was_never_sent_ends_when_something_else_is_due() -> None:
    world, _ = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    assert state.shifts
    world.spot, world.sigma = 3300.0, 0.05
    after, found = looks([origin], world, state, rules(), "10:10")
    assert [one.reason for one in found.proposals] == [Due.PROFIT.value]
    assert not after.shifts


def test_a_close_at_work_alone_makes_the_shift_known_and_its_side_is_that_of_the_close() -> None:
    world, _ = market(3160.0)
    at_work = replace(condor(world), closed_reason=Due.SHIFT_CALLS.value)
    for shifts in ((), (Shift(NAME, Right.PUT),)):
        state = CondorState(session=DAY, shifts=shifts)
        after, _ = looks([at_work], world, state, rules(), working=frozenset({NAME}))
        assert [(one.structure_id, one.right) for one in after.shifts] == [(NAME, Right.CALL)]


def test_with_time_shifting_off_a_pending_shift_ends() -> None:
    world, _ = market(3160.0)
    state = CondorState(session=DAY, shifts=(Shift(NAME, Right.PUT),))
    done = closed(condor(world), 16.0)
    assert looks([done], world, state, rules())[1].proposals
    after, found = looks([done], world, state, rules("off"))
    assert not after.shifts
    assert not found.proposals


def test_a_shift_does_not_count_as_this_weeks_entry() -> None:
    world, _ = market(3160.0)
    base = condor(world)
    mine = replace(base, structure_id="condor-2020-W09-1-shifted", adjustments=(Due.SHIFT_PUTS.value,))
    state, _ = looks([mine], world, CondorState(), rules(), count=1)
    assert not state.entries


def test_a_short_that_would_be_closed_for_its_delta_is_not_sold_again() -> None:
    _, found = after_close(spot=3100.0, cost=20.0)
    assert not found.proposals
    assert "shift_delta" in refusals(found)


def test_until_listing_forward_and_prices_are_there_the_shift_says_what_it_waits_for() -> None:
    world, later = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    done = closed(origin, 16.0)
    unlisted = replace(world, listed={key: one for key, one in world.listed.items() if key[1] != later})
    assert "shift_listing" in refusals(looks([done], unlisted, state, rules(), "10:10")[1])
    snapshot = world.snapshot(at(DAY, "10:10"), lines=())
    _, dark = evaluate(snapshot, state, [done], 12_000.0, rules())
    assert "shift_strikes" in refusals(dark)
    blind = replace(snapshot, spx=None)
    _, found = evaluate(blind, state, [done], 12_000.0, rules())
    assert "shift_market" in refusals(found)


def test_a_challenged_short_without_a_wing_at_its_width_is_not_sold_at_another() -> None:
    world, later = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    done = closed(origin, 16.0)
    near = tuple(one for one in world.listed[("SPXW", later)] if 3140 <= one.strike <= 3180)
    narrow = replace(world, listed={**world.listed, ("SPXW", later): near})
    _, found = looks([done], narrow, state, rules(), "10:10")
    assert not found.proposals
    assert "shift_strikes" in refusals(found)


def test_a_leg_without_a_price_keeps_the_successor_from_being_priced() -> None:
    world, later = market(3160.0)
    origin = condor(world)
    state, _ = looks([origin], world, CondorState(), rules())
    done = closed(origin, 16.0)
    state, _ = looks([done], world, state, rules(), "10:10", count=3, barred=("not yet",))
    snapshot = world.snapshot(at(DAY, "10:13"))
    (wing,) = [one for one in world.listed[("SPXW", later)] if (one.strike, one.right) == (3050.0, Right.PUT)]
    blind = replace(snapshot, quotes={key: one for key, one in snapshot.quotes.items() if key != wing.con_id})
    _, found = evaluate(blind, state, [done], 12_000.0, rules())
    assert not found.proposals
    assert refusals(found) == {"shift_quote": "a leg has no price"}
