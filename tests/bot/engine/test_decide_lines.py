"""Deciding: which lines are streamed, which feeds must speak, and what a review is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import decide
from bot.engine.book import apply_execution, round_trips
from bot.events import (
    Feed,
    ListOptions,
    StreamLines,
)
from market.contract import Combo, Contract
from market.order import OrderStatus
from market.quote import Quote
from risk.state import Cause
from strategies.base import Evaluation, Intent, Structure
from tests.bot.engine.conftest import Recorded
from tests.bot.engine.desk import (
    FUTURES,
    NAMED,
    NOW,
    SPX,
    at_work,
    execution,
    executions,
    later,
    order_line,
    ready,
)
from tests.bot.engine.looking import INDEX, looking
from tests.risk.book import condor, vix_spread

# ------------------------------------------------------------------ lines and listings


def option_of(combo: Combo, index: int) -> Contract:
    """One leg's contract."""
    return combo.legs[index].contract


def test_listings_are_asked_for_once_and_again_only_after_a_refusal(
    strategies: dict[str, Evaluation],
) -> None:
    expiry = date(2020, 3, 20)
    strategies["iron_condor"] = Evaluation(listings=(("SPX", "SPXW", expiry),))
    first = decide.evaluate(looking(), NOW)
    assert ListOptions("SPX", "SPXW", expiry) in first.commands
    assert first.state.requested_listings == ("SPXW 2020-03-20",)
    assert not any(isinstance(one, ListOptions) for one in decide.evaluate(first.state, later(5)).commands)


def test_lines_are_what_is_named_read_ordered_and_held_even_a_single_leg(
    strategies: dict[str, Evaluation],
) -> None:
    read = option_of(condor(low=2900), 0)
    strategies["iron_condor"] = Evaluation(lines=(read,))
    working = order_line()
    odd = order_line("odd", vix_spread(), status=OrderStatus.CANCELLED, structure_id="hedge")
    state = at_work(odd, at_work(working, looking()))
    state = apply_execution(state, execution(odd, 0, 1, "h0.01"), NOW)
    done = decide.evaluate(state, NOW)
    (lines,) = [one.con_ids for one in done.commands if isinstance(one, StreamLines)]
    expected = {contract.con_id for contract in NAMED} | {read.con_id, option_of(vix_spread(), 0).con_id}
    expected |= {leg.contract.con_id for leg in condor().legs}
    assert lines == tuple(sorted(expected))
    assert done.state.read == (read.con_id,)
    assert done.state.feeds_asked[Feed.OPTION] == NOW
    again = decide.evaluate(done.state, later(5))
    assert not any(isinstance(one, StreamLines) for one in again.commands)
    assert again.state.feeds_asked[Feed.OPTION] == NOW


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_what_is_held_or_ordered_is_always_streamed(recorded: Recorded, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(recorded.steps) - 1))
    before, after = recorded.states[index], recorded.states[index + 1]
    if after.evaluated_at == before.evaluated_at or after.evaluated_at is None:
        return
    needed = {leg.contract.con_id for line in after.working() for leg in line.order.combo.legs}
    needed |= set(after.portfolio.positions())
    assert needed <= set(after.lines)


def test_a_quote_that_is_no_longer_streamed_is_forgotten(strategies: dict[str, Evaluation]) -> None:
    done = decide.evaluate(replace(looking(), feeds_asked={Feed.INDEX: NOW, Feed.OPTION: NOW}), NOW)
    assert done.state.quotes == {SPX.con_id: INDEX}
    assert Feed.OPTION not in done.state.feeds_asked
    kept = replace(done.state, quotes={SPX.con_id: Quote(None, None, 3300.0, NOW)})
    assert decide.evaluate(kept, later(5)).state.quotes == kept.quotes


# ------------------------------------------------------------------ feeds


def test_a_silent_feed_reduces_trading_until_it_speaks_again(strategies: dict[str, Evaluation]) -> None:
    state = ready(feeds_asked={Feed.INDEX: NOW}, alive={Feed.INDEX: NOW})
    assert decide.evaluate(state, later(30)).state.risk.causes == ()
    silent = decide.evaluate(state, later(31)).state
    assert dict(silent.risk.causes) == {Cause.DATA: "no proof of a live index feed"}
    alive = replace(silent, alive={Feed.INDEX: later(32)})
    assert decide.evaluate(alive, later(33)).state.risk.causes == ()


def test_silence_counts_from_the_moment_lines_were_asked_for(strategies: dict[str, Evaluation]) -> None:
    state = ready(feeds_asked={Feed.OPTION: later(60)}, alive={})
    assert decide._watch_feeds(state, later(75)).risk.causes == ()
    assert decide._watch_feeds(state, later(76)).risk.causes != ()


def test_the_index_may_rest_after_the_cash_close_and_futures_are_not_watched(
    strategies: dict[str, Evaluation],
) -> None:
    state = ready(feeds_asked={Feed.INDEX: NOW, Feed.FUTURE: NOW}, alive={})
    late = datetime(2020, 2, 3, 21, 5, tzinfo=UTC)
    assert decide.evaluate(state, late).state.risk.causes == ()


# ------------------------------------------------------------------ what the review sees


def test_the_snapshot_names_the_indexes_and_orders_the_futures() -> None:
    seen = decide.take_snapshot(ready(), NOW)
    assert (seen.spx, seen.vix, seen.futures) == (SPX, None, FUTURES)


def test_what_was_opened_today_and_has_filled_is_committed() -> None:
    line = order_line(quantity=2)
    state = at_work(line)
    for one in executions(line, 1, price=2.0):
        state = apply_execution(state, one, NOW)
    unit = 50.0 * 100  # the wings are 50 points apart; the legs cost what they brought
    assert decide._committed_usd(state) == unit
    yesterday = replace(state.structures[line.structure_id], opened=date(2020, 1, 31))
    assert decide._committed_usd(replace(state, structures={"s": yesterday})) == 0.0


def test_round_trips_are_structures_closed_by_orders_in_this_session() -> None:
    state = ready()
    for number, (filled, ended) in enumerate(
        [(1, NOW), (0, NOW), (1, NOW - timedelta(days=1)), (1, None), (2, later(1))]
    ):
        line = order_line(f"c{number}", intent=Intent.CLOSE, structure_id=f"s{number}", ended_at=ended)
        state = at_work(replace(line, order=replace(line.order, filled=filled)), state)
    assert round_trips(state) == 2


def test_a_structure_sold_in_part_is_no_round_trip_until_the_rest_is_sold() -> None:
    line = order_line(quantity=2)
    state = at_work(line)
    for one in executions(line, 2, price=2.0):
        state = apply_execution(state, one, NOW)
    structure = state.structures[line.structure_id]
    for left, expected in ((1, 0), (0, 1)):
        sale = order_line("sale", intent=Intent.CLOSE, structure_id=line.structure_id, ended_at=NOW)
        sale = replace(sale, order=replace(sale.order, filled=2 - left))
        closed = tuple((con_id, -(2 - left) * count // 2) for con_id, count in structure.opened_legs)
        held = replace(structure, closed_legs=closed)
        seen = replace(at_work(sale, state), structures={line.structure_id: held})
        assert held.quantity == left
        assert round_trips(seen) == expected


def test_orders_of_the_last_minute_are_counted_and_awaiting_ones_are_live() -> None:
    ended = order_line("a", status=OrderStatus.FILLED, told=2, ended_at=NOW)
    old = order_line("b", structure_id="s2", sent_at=later(-60))
    context = decide.review_context(at_work(old, at_work(ended)), "new", NOW, 7.0)
    assert [order.order_ref for order in context.working] == ["a", "b"]
    assert context.order_times == (NOW,)
    assert context.reserved_usd == 7.0


def test_an_account_that_is_not_known_is_not_known_to_the_review() -> None:
    context = decide.review_context(ready(account=None, account_time=None), "new", NOW, 0.0)
    assert (context.nav_usd, context.init_margin_usd) == (None, None)


def test_a_structure_without_whole_units_is_no_stake_but_its_legs_are_loose() -> None:
    line = order_line()
    state = apply_execution(at_work(line), execution(line, 1, 1, "x.01"), NOW)
    context = decide.review_context(state, "new", NOW, 0.0)
    assert context.stakes == ()
    assert context.loose == ((option_of(condor(), 1), -1),)
    assert isinstance(next(iter(state.structures.values())), Structure)
