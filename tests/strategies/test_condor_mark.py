"""Marks of open condors: clean where parity is known, a missing bid is not zero, contradictions give none."""

from dataclasses import replace
from datetime import date

import pytest

from market.contract import Right, iron_condor
from market.quote import Quote
from strategies.base import MarketSnapshot, Structure
from strategies.condor_mark import Mark, mark, marks, partners
from strategies.expiry_parity import ParityWatch
from tests.strategies.test_expiry_parity import EXPIRY, HELD, MONDAY, read_at, settled
from tests.strategies.world import World, at, listed_option

NOON = at(MONDAY, "12:00")


def setting() -> tuple[World, MarketSnapshot, Structure, ParityWatch]:
    world = World()
    world.list_spxw(EXPIRY)
    snapshot = world.snapshot(NOON)
    found = [listed_option(snapshot, "SPXW", EXPIRY, strike, right) for strike, right in STRIKES]
    legs = [contract for contract in found if contract is not None]
    structure = Structure("condor-2020-W06-1", "iron_condor", iron_condor(*legs), MONDAY)
    return world, snapshot, structure, settled(world)


STRIKES = ((3050.0, Right.PUT), (3100.0, Right.PUT), (3475.0, Right.CALL), (3525.0, Right.CALL))


def quoted(snapshot: MarketSnapshot, structure: Structure, leg: int, **sides: float | None) -> MarketSnapshot:
    """The same market with other sides on one leg."""
    con_id = structure.combo.legs[leg].contract.con_id
    changed = replace(snapshot.quotes[con_id], **sides)  # type: ignore[arg-type]  # bid and ask
    return replace(snapshot, quotes={**snapshot.quotes, con_id: changed})


def test_in_an_orderly_market_the_clean_mark_is_the_mid_and_says_by_which_forward() -> None:
    _, snapshot, structure, parity = setting()
    clean, plain = mark(snapshot, structure, parity), mark(snapshot, structure, ParityWatch())
    assert clean.value == plain.value
    assert clean.repriced == ()
    assert clean.market is not None
    assert clean.market.forward == pytest.approx(3300 * 1.00086, rel=1e-4)
    assert plain.market is None


def test_a_leg_that_breaks_parity_is_priced_from_its_partner() -> None:
    _, snapshot, structure, parity = setting()
    before = mark(snapshot, structure, parity)
    # The other strikes' deep options stand wide, as they do; the short put's market is two points off.
    for partner in partners(snapshot, structure.combo):
        if partner.strike != 3100.0:
            here = snapshot.quotes[partner.con_id]
            wide = replace(here, bid=(here.bid or 0.0) - 3.0, ask=(here.ask or 0.0) + 3.0)
            snapshot = replace(snapshot, quotes={**snapshot.quotes, partner.con_id: wide})
    broken = quoted(snapshot, structure, 1, bid=22.5, ask=23.95)
    after = mark(broken, structure, parity)
    assert after.repriced == ("SPXW 2020-03-20 3100 P",)
    assert after.value == pytest.approx(before.value, abs=0.2)
    naive = mark(broken, structure, ParityWatch()).value
    assert naive == pytest.approx((before.value or 0.0) + 2.0, abs=0.05)


def test_a_missing_bid_is_not_zero_the_partner_prices_the_leg() -> None:
    _, snapshot, structure, parity = setting()
    before = mark(snapshot, structure, parity)
    without = quoted(snapshot, structure, 0, bid=None)
    after = mark(without, structure, parity)
    assert after.value == pytest.approx(before.value, abs=0.2)
    assert after.repriced == ("SPXW 2020-03-20 3050 P",)
    assert mark(without, structure, ParityWatch()) == Mark(None, "a leg has no price")


def test_a_leg_without_a_bid_and_without_a_partner_has_no_price() -> None:
    _, snapshot, structure, parity = setting()
    bare = replace(snapshot, listed={})
    assert mark(quoted(bare, structure, 0, bid=None), structure, parity).value is None
    assert partners(bare, structure.combo) == ()


def test_the_partner_never_prices_a_leg_above_its_ask_or_below_its_bid() -> None:
    _, snapshot, structure, parity = setting()
    for sides, price in (({"bid": None, "ask": 14.0}, 14.0), ({"bid": 14.4, "ask": None}, 14.4)):
        found = mark(quoted(snapshot, structure, 0, **sides), structure, parity)
        assert found.mids[0] == price


def test_a_crossed_leg_is_no_market_and_crossed_bounds_are_suspect() -> None:
    _, snapshot, structure, parity = setting()
    crossed = mark(quoted(snapshot, structure, 1, bid=20.0, ask=5.0), structure, parity)
    assert crossed.value is None
    dear = mark(quoted(snapshot, structure, 1, bid=60.0, ask=60.2), structure, parity)
    assert dear.suspect
    assert "forward bounds crossed" in dear.reason


def test_a_leg_crossed_by_less_than_the_fees_is_no_market_either_though_nothing_is_suspect() -> None:
    _, snapshot, structure, parity = setting()
    here = snapshot.quotes[structure.combo.legs[0].contract.con_id]
    assert here.ask is not None
    found = mark(quoted(snapshot, structure, 0, bid=here.ask, ask=here.ask - 0.01), structure, parity)
    assert (found.value, found.reason, found.suspect) == (None, "a leg has no price", False)


def test_an_expiry_under_suspicion_has_no_mark_whatever_its_quotes_say() -> None:
    _, snapshot, structure, parity = setting()
    found = mark(snapshot, structure, replace(parity, suspects=((EXPIRY, "data suspect: why"),)))
    assert (found.value, found.suspect, found.reason) == (None, True, "data suspect: why")


def test_a_leg_that_is_not_streamed_has_no_price() -> None:
    _, snapshot, structure, parity = setting()
    con_id = structure.combo.legs[0].contract.con_id
    without = replace(snapshot, quotes={key: q for key, q in snapshot.quotes.items() if key != con_id})
    assert mark(without, structure, parity).reason == "a leg has no price"


def test_a_mark_outside_what_the_condor_can_be_worth_is_none() -> None:
    _, snapshot, structure, _ = setting()
    found = mark(quoted(snapshot, structure, 0, bid=90.0, ask=91.0), structure, ParityWatch())
    assert found.value is None
    assert "outside 0..50" in found.reason


def test_without_an_index_level_plain_mids_serve() -> None:
    _, snapshot, structure, parity = setting()
    blind = replace(snapshot, quotes={**snapshot.quotes, 1: Quote(None, None, None, NOON)})
    found = mark(blind, structure, parity)
    assert found.value is not None
    assert found.market is None


def test_the_reading_of_yesterday_serves_until_today_has_its_own_and_then_no_longer() -> None:
    world, _, structure, parity = setting()
    for day, known in ((date(2020, 2, 4), True), (date(2020, 2, 5), False)):
        found = mark(world.snapshot(at(day, "09:31")), structure, parity)
        assert (found.market is not None) is known
    assert read_at(world, at(date(2020, 2, 4), "10:00"), HELD, parity).readings[0].session == date(2020, 2, 4)


def test_condors_of_one_expiry_are_judged_by_one_forward() -> None:
    _, snapshot, structure, parity = setting()
    second = replace(structure, structure_id="condor-2020-W06-2")
    first, other = marks(snapshot, [structure, second], parity)
    assert first == other == mark(snapshot, structure, parity)
    assert first.market is other.market
