"""A close trades what can be traded: a wing nobody bids for stays behind, a short without an offer waits."""

from dataclasses import replace

from market.contract import Right
from market.quote import Quote
from strategies.base import MarketSnapshot
from strategies.condor_exit import Due, Exit, Hours, find_exit, short_deltas
from strategies.condor_mark import Mark
from strategies.strikes import ForwardMarket
from tests.strategies.test_iron_condor import LATER, RULES, structure
from tests.strategies.world import at

WHEN = at(LATER, "11:00")
CHEAP = {
    11: Quote(0.05, 0.10, None, WHEN),
    12: Quote(0.20, 0.30, None, WHEN),
    13: Quote(0.20, 0.30, None, WHEN),
    14: Quote(0.05, 0.10, None, WHEN),
}
MARKED = Mark(0.35, mids=(0.075, 0.25, 0.25, 0.075))


def due(quotes: dict[int, Quote], marked: Mark = MARKED) -> Exit:
    """What a condor that has earned its profit is told by this market."""
    snapshot = MarketSnapshot(WHEN, LATER, {**CHEAP, **quotes})
    return find_exit(snapshot, structure(), marked, None, RULES, frozenset(), Hours(True, True))


def test_a_condor_whose_legs_all_have_a_market_is_bought_back_whole() -> None:
    proposal = due({}).proposal
    assert proposal is not None
    assert (proposal.reason, len(proposal.combo.legs), proposal.adjusts) == (Due.PROFIT.value, 4, False)


def test_a_wing_nobody_bids_for_is_left_behind_and_the_close_is_told_as_a_part() -> None:
    proposal = due({11: replace(CHEAP[11], bid=None)}).proposal
    assert proposal is not None
    assert [leg.contract.con_id for leg in proposal.combo.legs] == [12, 13, 14]
    assert proposal.adjusts
    # The natural price of what is traded: both shorts at their asks, the other wing at its bid.
    assert dict(proposal.notes)["natural"] == 0.55


def test_while_a_short_is_not_offered_the_exit_is_due_and_nothing_is_proposed() -> None:
    found = due({12: replace(CHEAP[12], ask=None)})
    assert (found.due, found.proposal) == (Due.PROFIT.value, None)
    assert all(gate.passed for gate in found.gates)


def test_a_wing_without_any_quote_is_not_taken_for_worthless() -> None:
    snapshot = MarketSnapshot(WHEN, LATER, {key: one for key, one in CHEAP.items() if key != 14})
    found = find_exit(snapshot, structure(), MARKED, None, RULES, frozenset(), Hours(True, True))
    assert found.proposal is None


def test_a_short_whose_price_knows_no_volatility_has_no_delta() -> None:
    market = ForwardMarket(3300.0, 0.998, 0.09, half_width=0.3)
    priced = Mark(20.0, mids=(5.0, 9.0, 9.0, 5.0), market=market)
    assert [right for right, _ in short_deltas(structure(), priced)] == [Right.PUT, Right.CALL]
    worthless = replace(priced, mids=(5.0, 0.0, 9.0, 5.0))
    assert [right for right, _ in short_deltas(structure(), worthless)] == [Right.CALL]
