"""Parity of held expiries: read one at a time, kept as rates, renewed, suspect where quotes contradict."""

from dataclasses import replace
from datetime import date, datetime
from math import exp

import pytest

from market.contract import Right
from strategies.base import MarketSnapshot
from strategies.expiry_parity import ParityWatch, spot_of, watch
from tests.strategies.world import RATE, World, at, condor_rules

MONDAY, EXPIRY, NEXT = date(2020, 2, 3), date(2020, 3, 20), date(2020, 3, 27)
HELD = {EXPIRY: ("SPX", "SPXW")}
BOTH = {**HELD, NEXT: ("SPX", "SPXW")}
RULES = condor_rules()


def read_at(
    world: World,
    when: datetime,
    held: dict[date, tuple[str, str]] = HELD,
    state: ParityWatch | None = None,
    is_busy: bool = False,
) -> ParityWatch:
    return watch(world.snapshot(when), state or ParityWatch(), held, RULES, is_busy)[0]


def settled(world: World) -> ParityWatch:
    """A watch that has read its one expiry at ten."""
    state = read_at(world, at(MONDAY, "10:00"))
    assert [one.expiry for one in state.readings] == [EXPIRY]
    return state


def listed(*expiries: date) -> World:
    world = World()
    for expiry in expiries:
        world.list_spxw(expiry)
    return world


def test_a_reading_finds_the_rates_the_market_was_made_with() -> None:
    (reading,) = settled(listed(EXPIRY)).readings
    assert reading.rate == pytest.approx(RATE, abs=0.002)
    assert reading.dividend_yield == pytest.approx(0.013, abs=0.002)
    assert reading.box_rate == pytest.approx(RATE, abs=0.004)
    assert reading.strikes >= 8
    assert reading.lo is not None
    assert reading.hi is not None
    assert reading.lo < reading.forward < reading.hi
    assert reading.half_width == pytest.approx((reading.hi - reading.lo) / 2)
    assert reading.dividends == pytest.approx(3300 - reading.forward * reading.discount)
    assert [point[0] for point in reading.smile] == sorted(point[0] for point in reading.smile)


def test_the_forward_of_a_later_moment_follows_the_index() -> None:
    (reading,) = settled(listed(EXPIRY)).readings
    there = reading.market(at(date(2020, 2, 4), "10:00"), 3000.0)
    assert there.forward == pytest.approx(
        3000 * exp((reading.rate - reading.dividend_yield) * there.t_years), abs=1e-4
    )
    assert there.discount == pytest.approx(exp(-reading.rate * there.t_years), abs=1e-8)
    assert there.sigma_atm == pytest.approx(0.18, abs=0.01)


def test_only_one_expiry_is_looked_at_at_a_time_and_all_listings_are_asked_for() -> None:
    world = listed(EXPIRY, NEXT)
    state, found = watch(world.snapshot(at(MONDAY, "10:00")), ParityWatch(), BOTH, RULES, False)
    assert {line.expiry for line in found.lines} == {EXPIRY}
    assert len(found.lines) <= 20
    assert {row[2] for row in found.listings} == {EXPIRY, NEXT}
    state = read_at(world, at(MONDAY, "10:01"), BOTH, state)
    assert {one.expiry for one in state.readings} == {EXPIRY, NEXT}
    _, done = watch(world.snapshot(at(MONDAY, "10:02")), state, BOTH, RULES, False)
    assert done.lines == ()


@pytest.mark.parametrize(
    ("clock", "busy", "renewed"), [("10:29", False, False), ("10:30", False, True), ("10:30", True, False)]
)
def test_a_reading_is_renewed_when_it_is_old_and_lines_are_free(
    clock: str, busy: bool, renewed: bool
) -> None:
    world = listed(EXPIRY)
    state = read_at(world, at(MONDAY, clock), state=settled(world), is_busy=busy)
    assert (state.readings[0].time == at(MONDAY, clock)) is renewed


@pytest.mark.parametrize("clock", ["09:31", "16:00"])
def test_nothing_is_read_before_quotes_have_settled_or_after_the_close(clock: str) -> None:
    assert read_at(listed(EXPIRY), at(MONDAY, clock)).readings == ()


def test_an_expiry_whose_quotes_do_not_come_gives_way_after_five_minutes() -> None:
    world = listed(EXPIRY, NEXT)

    def dark(when: datetime) -> MarketSnapshot:
        """The nearer expiry is listed and not quoted."""
        snapshot = world.snapshot(when)
        hidden = {one.con_id for one in world.listed[("SPXW", EXPIRY)]}
        return replace(snapshot, quotes={k: q for k, q in snapshot.quotes.items() if k not in hidden})

    state = ParityWatch()
    for minute in range(6):
        state, _ = watch(dark(at(MONDAY, f"10:0{minute}")), state, BOTH, RULES, False)
        assert bool(state.readings) is (minute == 5)
    assert [one.expiry for one in state.readings] == [NEXT]


def test_without_a_listing_or_an_index_nothing_is_read() -> None:
    assert read_at(World(), at(MONDAY, "10:00")).readings == ()
    snapshot = replace(listed(EXPIRY).snapshot(at(MONDAY, "10:00")), spx=None)
    assert spot_of(snapshot) is None
    assert watch(snapshot, ParityWatch(), HELD, RULES, False)[0].readings == ()


def test_quotes_that_contradict_each_other_are_suspect_until_they_agree_again() -> None:
    world = listed(EXPIRY)
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    lines = watch(snapshot, ParityWatch(), HELD, RULES, False)[1].lines
    call = [one for one in lines if one.right is Right.CALL][len(lines) // 4]
    here = snapshot.quotes[call.con_id]
    wrong = replace(here, bid=(here.bid or 0.0) + 0.7, ask=(here.ask or 0.0) + 0.7)
    stale = replace(snapshot, quotes={**snapshot.quotes, call.con_id: wrong})
    state, _ = watch(stale, ParityWatch(), HELD, RULES, False)
    assert state.readings == ()
    assert "data suspect" in state.suspicion(EXPIRY)
    state = read_at(world, at(MONDAY, "10:01"), state=state)
    assert state.suspicion(EXPIRY) == ""
    assert len(state.readings) == 1


def test_what_is_no_longer_held_is_forgotten() -> None:
    world = listed(EXPIRY)
    state = replace(settled(world), suspects=((EXPIRY, "why"),), tried=((EXPIRY, at(MONDAY, "10:00")),))
    left = read_at(world, at(MONDAY, "10:05"), {}, state)
    assert (left.readings, left.suspects, left.tried) == ((), (), ())


def test_a_call_and_a_put_that_are_wrong_together_break_the_shape_of_the_chain() -> None:
    world = listed(EXPIRY)
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    lines = watch(snapshot, ParityWatch(), HELD, RULES, False)[1].lines
    strike = sorted(one.strike for one in lines)[len(lines) // 2]
    moved = {}
    for one in lines:
        if one.strike == strike:
            here = snapshot.quotes[one.con_id]
            moved[one.con_id] = replace(here, bid=(here.bid or 0.0) + 9.0, ask=(here.ask or 0.0) + 9.0)
    both = replace(snapshot, quotes={**snapshot.quotes, **moved})
    state, _ = watch(both, ParityWatch(), HELD, RULES, False)
    assert state.readings == ()
    assert state.suspicion(EXPIRY).startswith("data suspect: ")
    assert f"{strike:g}" in state.suspicion(EXPIRY)


def test_an_option_that_nobody_bids_for_is_no_part_of_the_smile() -> None:
    world = listed(EXPIRY)
    snapshot = world.snapshot(at(MONDAY, "10:00"))
    whole, found = watch(snapshot, ParityWatch(), HELD, RULES, False)
    lowest = min((one for one in found.lines if one.right is Right.PUT), key=lambda one: one.strike)
    here = snapshot.quotes[lowest.con_id]
    gone = replace(snapshot, quotes={**snapshot.quotes, lowest.con_id: replace(here, bid=None)})
    (reading,) = watch(gone, ParityWatch(), HELD, RULES, False)[0].readings
    before = whole.readings[0].smile
    assert len(reading.smile) == len(before) - 1
    assert [point[0] for point in reading.smile] == pytest.approx(
        [point[0] for point in before[1:]], abs=1e-4
    )


def test_without_a_smile_the_forward_still_stands_and_its_volatility_is_not_known() -> None:
    (reading,) = settled(listed(EXPIRY)).readings
    bare = replace(reading, smile=()).market(at(MONDAY, "12:00"), 3300.0)
    full = reading.market(at(MONDAY, "12:00"), 3300.0)
    assert bare == replace(full, sigma_atm=0.0)
