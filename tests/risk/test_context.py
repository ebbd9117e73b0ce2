"""What a review is told stays what it was told; and what a trade is: an opening, a roll, a hedge, a close."""

from dataclasses import fields
from typing import Any

import pytest

from market.contract import Right
from risk.context import ReviewContext, is_hedge, is_open, is_roll
from tests.risk.book import Trade, closing, condor, healthy, hedge, held, opening, option


def test_asking_for_the_whole_book_changes_neither_the_value_nor_what_is_shown_of_it() -> None:
    asked, fresh = healthy(stakes=(held(),)), healthy(stakes=(held(),))
    before = repr(fresh)
    assert asked.held
    assert asked == fresh
    assert repr(asked) == before


def test_the_whole_book_is_counted_and_never_handed_in() -> None:
    context = healthy(stakes=(held(),))
    everything: dict[str, Any] = {field.name: getattr(context, field.name) for field in fields(context)}
    with pytest.raises(TypeError):
        ReviewContext(**everything)
    del everything["_held"]
    assert ReviewContext(**everything) == context


def test_what_is_held_are_the_contracts_of_whole_units_and_the_loose_ones_together() -> None:
    wing, other = option(3050, Right.PUT), option(2000, Right.PUT)
    context = healthy(stakes=(held(2),), loose=((wing, -1), (other, 3)))
    counts = dict(context.held)
    assert counts[wing] == 2 - 1
    assert counts[other] == 3
    assert counts == {leg.contract: 2 * leg.signed_ratio for leg in condor().legs} | {wing: 1, other: 3}
    assert context.held is context.held


@pytest.mark.parametrize(
    ("trade", "opens", "rolls", "hedges"),
    [
        (opening(), True, False, False),
        (opening(adjusts=True), True, True, False),
        (opening(intent="neither"), True, False, False),
        (closing(), False, False, False),
        (closing(adjusts=True), False, False, False),
        (hedge(), True, False, True),
        (hedge(reserves=False), True, False, False),
        (hedge(intent="close"), False, False, False),
        (opening(reserves=True), True, False, False),
    ],
)
def test_a_trade_is_what_it_may_do(trade: Trade, opens: bool, rolls: bool, hedges: bool) -> None:
    assert (is_open(trade), is_roll(trade), is_hedge(trade)) == (opens, rolls, hedges)
