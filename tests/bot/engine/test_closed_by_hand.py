"""A structure a person closes at the broker: its executions belong to no order of ours, its legs are gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.engine.decide import review_context
from bot.engine.state import EngineState
from bot.events import Alert, Executed
from market.order import Fill, OrderStatus
from risk import capital
from risk.context import LiveOrder
from risk.review import review
from risk.state import Cause
from strategies.base import Intent
from tests.bot.engine.desk import (
    NOW,
    after,
    at_work,
    executions,
    held,
    known,
    later,
    order_line,
    report,
    take,
)
from tests.risk.book import LIMITS, closing, condor

LINE = order_line()
KEY = LINE.structure_id


def by_hand(units: int = 2, tag: str = "hand", legs: int = 4, ref: str = "") -> tuple[Executed, ...]:
    """Executions that undo so many units, of an order nobody here knows."""
    found = []
    for index, leg in enumerate(LINE.order.combo.legs[:legs]):
        quantity = -units * leg.signed_ratio
        fill = Fill(f"{tag}{index}.01", ref, 901, leg.contract.con_id, quantity, 2.0 + index, NOW)
        found.append(Executed(fill, leg.contract))
    return tuple(found)


def holding() -> EngineState:
    """Two units held, and the books agree."""
    state = after(at_work(LINE), *executions(LINE, 2))
    return after(state, known((), held((condor(), 2))))


def mismatch(state: EngineState) -> str:
    """What differs, or nothing."""
    return dict(state.risk.causes).get(Cause.MISMATCH, "")


def refusals(state: EngineState, quantity: int = 2) -> tuple[str, ...]:
    """The checks that refuse to close the structure."""
    trade = closing(structure_id=KEY, quantity=quantity)
    return review(trade, review_context(state, "x", NOW, 0.0), LIMITS).refusals


def test_no_close_is_sent_for_what_a_person_has_closed_already() -> None:
    assert "closes_what_is_held" not in refusals(holding())
    assert "closes_what_is_held" in refusals(after(holding(), *by_hand()))


def test_no_close_is_sent_for_legs_the_broker_does_not_list_whatever_the_executions_say() -> None:
    state = after(holding(), known((), ()), time=later(30))
    assert mismatch(state).count("journal") == 4
    assert "closes_what_is_held" in refusals(state)
    assert "closes_what_is_held" in refusals(after(holding(), known((), held((condor(), 2))[1:])))


def test_a_close_is_cut_to_what_is_left_at_the_broker() -> None:
    state = after(holding(), known((), held((condor(), 1))), time=later(30))
    verdict = review(closing(structure_id=KEY, quantity=2), review_context(state, "x", NOW, 0.0), LIMITS)
    assert "closes_what_is_held" not in verdict.refusals
    assert (
        capital.sized(closing(structure_id=KEY, quantity=2), review_context(state, "x", NOW, 0.0), LIMITS)
        == 1
    )
    none = after(holding(), known((), ()), time=later(30))
    assert (
        capital.sized(closing(structure_id=KEY, quantity=2), review_context(none, "x", NOW, 0.0), LIMITS) == 0
    )
    whole = review_context(holding(), "x", NOW, 0.0)
    assert capital.sized(closing(structure_id=KEY, quantity=2), whole, LIMITS) == 2


def test_what_the_broker_lacks_hinders_only_as_many_units_as_it_lacks_of_all_structures() -> None:
    state = after(holding(), known((), held((condor(), 1))), time=later(30))
    context = review_context(state, "x", NOW, 0.0)
    (stake,) = context.stakes
    legs = tuple((leg.contract, leg.signed_ratio * 2) for leg in stake.combo.legs)
    # Four units counted in two structures, of which the broker holds two: either may close its two, not both.
    context = replace(context, stakes=(stake, replace(stake, structure_id="other")), missing=legs, working=())
    first, second = closing(structure_id=KEY, quantity=2), closing(structure_id="other", quantity=2)
    assert [capital.sized(one, context, LIMITS) for one in (first, second)] == [2, 2]
    under_way = LiveOrder(KEY, "ref", first.combo, 2, first.limit_worst, opening=False)
    assert capital.sized(second, replace(context, working=(under_way,)), LIMITS) == 0


def test_what_the_broker_holds_beyond_ours_hinders_no_close() -> None:
    state = after(holding(), known((), held((condor(), 3))), time=later(30))
    assert mismatch(state)
    assert "closes_what_is_held" not in refusals(state)


def test_a_structure_closed_by_hand_ends_with_the_executions_and_is_told() -> None:
    done = take(after(holding(), *by_hand()), known((), (), by_hand()), later(30))
    structure = done.state.structures[KEY]
    assert (structure.is_flat, structure.settled, structure.closed_reason) == (
        True,
        False,
        "closed by hand at the broker",
    )
    assert structure.closed_cost == structure.opened_cost * -1
    assert done.state.risk.causes == ()
    alerts = [one for one in done.commands if isinstance(one, Alert)]
    assert ("structure.closed_by_hand", f"{KEY}: 2 units, closed by hand at the broker") in [
        (one.name, one.text) for one in alerts
    ]
    again = take(done.state, known((), (), by_hand()), later(60))
    assert again.state.structures.get(KEY, structure).is_flat
    assert (again.state.risk.causes, again.decisions) == ((), ())


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_corrected_execution_of_a_close_by_hand_corrects_its_price_and_the_books_still_agree(
    is_listed: bool,
) -> None:
    state = after(holding(), *by_hand(), known((), (), by_hand()), time=later(30))
    first, *rest = by_hand()
    dearer = replace(first, fill=replace(first.fill, exec_id="hand0.02", price=first.fill.price + 0.5))
    listing = known((), (), (dearer, *rest))
    done = take(state, listing if is_listed else dearer, later(60))
    assert [one.name for one in done.commands if isinstance(one, Alert)] == ["execution.corrected"]
    change = first.fill.quantity * 0.5
    before, structure = state.structures[KEY], done.state.structures[KEY]
    assert structure.closed_cost == before.closed_cost + change
    assert (structure.is_flat, done.state.risk.causes) == (True, ())
    again = after(done.state, listing, time=later(90))
    assert (again.structures[KEY], again.risk.causes) == (structure, ())


def test_units_closed_by_hand_one_after_the_other_are_counted_once_each() -> None:
    state = after(holding(), *by_hand(1), known((), held((condor(), 1))), time=later(30))
    assert (state.structures[KEY].quantity, mismatch(state)) == (1, "")
    state = after(state, *by_hand(1, "more"), known(), time=later(60))
    assert (state.structures[KEY].is_flat, mismatch(state)) == (True, "")


def test_what_a_person_did_stays_a_mismatch_unless_it_undoes_whole_units() -> None:
    some = after(holding(), *by_hand(legs=3), known((), held((condor(), 2))[3:]), time=later(30))
    assert (some.structures[KEY].quantity, bool(mismatch(some))) == (2, True)
    more = after(holding(), *by_hand(3), known((), held((condor(), -1))), time=later(30))
    assert (more.structures[KEY].quantity, bool(mismatch(more))) == (2, True)
    unseen = after(holding(), *by_hand(2), known((), held((condor(), 2))), time=later(30))
    assert (unseen.structures[KEY].quantity, bool(mismatch(unseen))) == (2, True)


def test_two_structures_that_share_a_leg_are_left_to_a_person() -> None:
    other = order_line("alvh:iron_condor:20200203T153000-2", structure_id="condor-2020-W06-2")
    state = after(at_work(other, holding()), *executions(other, 1, "y"))
    state = after(state, *by_hand(1), known((), held((condor(), 2))), time=later(30))
    assert (state.structures[KEY].quantity, bool(mismatch(state))) == (2, True)


def test_a_structure_with_an_order_under_way_is_not_taken_for_closed_by_hand() -> None:
    close = order_line(
        "alvh:iron_condor:20200203T153000-3", condor().reversed(), intent=Intent.CLOSE, structure_id=KEY
    )
    state = at_work(close, holding())
    state = after(state, *by_hand(), known([report(close, OrderStatus.WORKING)]), time=later(30))
    assert (state.structures[KEY].quantity, bool(mismatch(state))) == (2, True)


def test_a_structure_of_which_nothing_is_left_ends_with_its_expiry() -> None:
    state = after(holding(), *by_hand(legs=3), *by_hand(1, "half")[3:])
    done = take(state, known(), NOW + timedelta(days=60))
    assert not [one for one in done.state.structures.values() if not one.is_flat]
    assert mismatch(done.state) == ""


def test_a_structure_whose_portfolio_is_empty_ends_with_its_expiry_and_says_so() -> None:
    state = holding()
    gone = {con_id: -count for con_id, count in held((condor(), 2))}
    state = replace(state, portfolio=state.portfolio.adjust(gone))
    state = after(state, known(), time=later(30))
    assert mismatch(state).startswith("SPXW 2020-03-20 3050 P: journal 0, broker 0, structures 2")
    done = take(state, known(), NOW + timedelta(days=60))
    assert "expired; it was not held any more" in [one.reason for one in done.decisions]
    assert done.state.risk.causes == ()
