"""Deciding: when the engine looks at all, what stops an order, who comes first, and which lines it needs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import decide
from bot.engine.book import apply_execution
from bot.engine.decision import Verb
from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import (
    CancelOrder,
    Feed,
    ListOptions,
    PlaceOrder,
    QuotesTaken,
    StreamLines,
    TimedEvent,
)
from market.contract import Combo, Contract
from market.order import OrderStatus
from market.quote import Quote
from risk.state import Cause, RiskState
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Gate, Intent, Proposal, Structure
from strategies.hedge_budget import BudgetLedger
from strategies.vix_hedge import HedgeState, PendingFire
from tests.bot.engine.conftest import Recorded
from tests.bot.engine.desk import (
    FUTURES,
    NAMED,
    NOW,
    SESSION,
    SPX,
    at_work,
    execution,
    executions,
    later,
    order_line,
    ready,
)
from tests.risk.book import condor, vix_spread

NEW_YORK_OPEN = datetime(2020, 2, 3, 14, 30, tzinfo=UTC)
ALIVE = dict.fromkeys(Feed, NOW)


def quoted(*combos: Combo, mid: float = 3.0) -> dict[int, Quote]:
    """Quotes of every leg: shorts dearer than wings, so that a condor takes a credit."""
    quotes = {}
    for combo in combos:
        for leg in combo.legs:
            middle = mid + (3.0 if leg.signed_ratio < 0 else 0.0)
            if leg.contract.symbol == "VIX":
                middle = mid - (1.0 if leg.signed_ratio < 0 else 0.0)
            quotes[leg.contract.con_id] = Quote(middle - 0.05, middle + 0.05, None, NOW)
    return quotes


def wish(
    structure_id: str = "condor-2020-W06-1",
    combo: Combo | None = None,
    intent: Intent = Intent.OPEN,
    quantity: int = 1,
    limit: float = -6.0,
    strategy: str = "iron_condor",
    reserves: bool = False,
    tick: float = 0.05,
) -> Proposal:
    """A proposal at one price."""
    combo = combo if combo is not None else condor()
    return Proposal(
        strategy,
        structure_id,
        intent,
        combo,
        quantity,
        limit,
        limit,
        combo.max_loss(limit),
        "because",
        reserves,
        tick=tick,
    )


HEDGE = wish("near-term-2020-01-31", vix_spread(), strategy="near_term", limit=1.0, reserves=True, tick=0.01)
FIRED = HedgeState(
    ledger=BudgetLedger(date(2020, 1, 31), 1e6), pending=PendingFire(date(2020, 1, 31), SESSION, 0.1)
)


@pytest.fixture
def strategies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Evaluation]:
    """What the two strategies answer; tests put their evaluations in."""
    answers = {"iron_condor": Evaluation(), "near_term": Evaluation()}
    monkeypatch.setattr(
        iron_condor, "evaluate", lambda snapshot, state, *rest: (state, answers["iron_condor"])
    )
    monkeypatch.setattr(vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, answers["near_term"]))
    return answers


def looking(**changes: object) -> EngineState:
    """A ready engine with live feeds and quotes of a condor and a hedge."""
    return ready(alive=ALIVE, quotes=quoted(condor(), vix_spread()), feeds_asked={Feed.INDEX: NOW}, **changes)


def placed(done: Step) -> list[PlaceOrder]:
    """Orders sent."""
    return [command for command in done.commands if isinstance(command, PlaceOrder)]


# ------------------------------------------------------------------ when


@pytest.mark.parametrize(
    ("time", "may"),
    [
        (NEW_YORK_OPEN - timedelta(seconds=1), False),
        (NEW_YORK_OPEN, True),
        (datetime(2020, 2, 3, 21, 15, tzinfo=UTC), True),
        (datetime(2020, 2, 3, 21, 15, 1, tzinfo=UTC), False),
        (datetime(2020, 2, 4, 0, 30, tzinfo=UTC), False),  # still Monday evening in New York
        (datetime(2020, 2, 4, 15, 0, tzinfo=UTC), False),  # a session the state has not come to
    ],
)
def test_the_engine_looks_in_regular_hours_of_its_session_only(time: datetime, may: bool) -> None:
    assert decide.may_evaluate(ready(), time) is may


@pytest.mark.parametrize(
    "changes",
    [
        {"connected": False},
        {"reconciled": False},
        {"stopping": True},
        {"parameters": None},
        {"session": None},
    ],
)
def test_the_engine_does_not_look_unless_everything_stands(changes: dict[str, object]) -> None:
    assert not decide.may_evaluate(replace(ready(), **changes), NOW)  # type: ignore[arg-type]  # mixed values


def test_midnight_in_london_does_not_begin_a_session() -> None:
    state = step(ready(), TimedEvent(datetime(2020, 2, 4, 1, tzinfo=UTC), QuotesTaken((), ()))).state
    assert state.session == SESSION
    state = step(state, TimedEvent(datetime(2020, 2, 4, 5, tzinfo=UTC), QuotesTaken((), ()))).state
    assert state.session == date(2020, 2, 4)
    saturday = step(state, TimedEvent(datetime(2020, 2, 8, 15, tzinfo=UTC), QuotesTaken((), ()))).state
    assert saturday.session == date(2020, 2, 4)


def test_without_rules_or_a_session_a_look_does_nothing() -> None:
    blank = EngineState()
    assert decide.evaluate(blank, NOW) == Step(blank)
    with pytest.raises(ValueError, match="belongs to a session"):
        decide.take_snapshot(blank, NOW)
    with pytest.raises(ValueError, match="before the journal is opened"):
        decide.review_context(blank, "ref", NOW, 0.0)


ROW = (5, 1.0, 1.1, None)


@pytest.mark.parametrize(
    ("changes", "rows", "quiet"),
    [
        ({}, (), True),
        ({}, (ROW,), True),
        ({"read": (5,)}, (ROW,), False),
        ({"look_due": True}, (), False),
        ({"evaluated_at": None}, (), False),
        ({"evaluated_at": NOW - timedelta(seconds=60)}, (), False),
    ],
)
def test_a_snapshot_that_moves_nothing_read_is_passed_over(
    changes: dict[str, object], rows: tuple[tuple[int, float, float, None], ...], quiet: bool
) -> None:
    state = replace(ready(evaluated_at=later(-5), look_due=False), **changes)  # type: ignore[arg-type]  # mixed values
    assert decide.nothing_read_changed(state, QuotesTaken(rows, ()), NOW) is quiet


def test_an_order_under_way_is_looked_after_at_every_snapshot() -> None:
    state = at_work(order_line(), ready(evaluated_at=later(-5), look_due=False))
    assert not decide.nothing_read_changed(state, QuotesTaken((), ()), NOW)


# ------------------------------------------------------------------ what stops an order


def without(feed: Feed) -> Callable[[EngineState, datetime], EngineState]:
    """A feed that has been silent for longer than any limit."""
    return lambda state, time: replace(
        state, alive={**state.alive, feed: time - timedelta(seconds=61)}, feeds_asked={}
    )


def busy(state: EngineState, time: datetime) -> EngineState:
    """Another order lives on the structure that is about to be opened."""
    return at_work(order_line(structure_id="condor-2026-W10-1", status=OrderStatus.UNKNOWN), state)


def caused(cause: Cause) -> Callable[[EngineState, datetime], EngineState]:
    """A cause in force."""
    return lambda state, time: replace(state, risk=RiskState().with_cause(cause, "seen"))


FAULTS: dict[str, Callable[[EngineState, datetime], EngineState]] = {
    "disconnected": lambda state, time: replace(state, connected=False),
    "not reconciled": lambda state, time: replace(state, reconciled=False),
    "stopping": lambda state, time: replace(state, stopping=True),
    "silent options": without(Feed.OPTION),
    "silent index": without(Feed.INDEX),
    "another account announced": lambda state, time: replace(state, announced="DU1111111"),
    "no account announced": lambda state, time: replace(state, announced=""),
    "a duplicate": busy,
    "no net asset value": lambda state, time: replace(state, account=None),
    "an old net asset value": lambda state, time: replace(state, account_time=time - timedelta(seconds=61)),
    "a mismatch": caused(Cause.MISMATCH),
    "an unknown order": caused(Cause.UNKNOWN_ORDER),
    "a loss": caused(Cause.LOSS),
    "a halt": caused(Cause.OPERATOR),
    "no quotes": lambda state, time: replace(state, quotes={}),
}


def opening(recorded: Recorded) -> tuple[EngineState, datetime]:
    """The state and the moment at which the recorded session opened its condor, quotes taken."""
    index = next(i for i, done in enumerate(recorded.steps) if placed(done))
    timed, state = recorded.events[index], recorded.states[index]
    assert isinstance(timed.event, QuotesTaken)
    rows = {con_id: Quote(bid, ask, last, timed.time) for con_id, bid, ask, last in timed.event.quotes}
    return replace(
        state,
        quotes={**state.quotes, **rows},
        alive={**state.alive, **dict.fromkeys(timed.event.alive, timed.time)},
        look_due=True,
    ), timed.time


def test_the_recorded_moment_opens_a_condor_when_nothing_is_wrong(recorded: Recorded) -> None:
    state, time = opening(recorded)
    done = step(state, TimedEvent(time, QuotesTaken((), ())))
    (order,) = placed(done)
    (decision,) = [one for one in done.decisions if one.verb is Verb.OPEN]
    assert (order.decision, order.order_ref) == (decision.decision_id, decision.order_ref)
    assert all(check.passed for check in decision.checks)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3))
def test_no_order_leaves_with_any_fault(recorded: Recorded, faults: set[str]) -> None:
    state, time = opening(recorded)
    for fault in sorted(faults):
        state = FAULTS[fault](state, time)
    assert placed(step(state, TimedEvent(time, QuotesTaken((), ())))) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 24 * 60 - 1))
def test_no_order_leaves_outside_the_hours_of_trading(recorded: Recorded, minute: int) -> None:
    state, time = opening(recorded)
    moved = time.replace(hour=0, minute=0, second=0) + timedelta(minutes=minute)
    shift = moved - time
    state = replace(
        state,
        alive={feed: at + shift for feed, at in state.alive.items()},
        account_time=moved,
        feeds_asked={},
    )
    done = step(state, TimedEvent(moved, QuotesTaken((), ())))
    window = datetime(2026, 3, 2, 15, tzinfo=UTC) <= moved < datetime(2026, 3, 2, 20, tzinfo=UTC)
    if not window:
        assert placed(done) == []


def test_a_second_look_at_the_same_moment_does_not_order_again(recorded: Recorded) -> None:
    state, time = opening(recorded)
    first = step(state, TimedEvent(time, QuotesTaken((), ())))
    again = step(replace(first.state, look_due=True), TimedEvent(time, QuotesTaken((), ())))
    assert placed(again) == []


def test_at_every_moment_of_the_recorded_session_a_structure_has_at_most_one_live_order(
    recorded: Recorded,
) -> None:
    for state in recorded.states:
        owners = [line.structure_id for line in state.working()]
        assert len(owners) == len(set(owners))


# ------------------------------------------------------------------ who comes first, and what is told


def test_a_hedge_reserves_before_a_condor_takes_what_is_left(strategies: dict[str, Evaluation]) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish(quantity=9),))
    strategies["near_term"] = Evaluation(proposals=(HEDGE,))
    state = looking(hedge=FIRED)
    limits = state.parameters and state.parameters.limits
    assert limits is not None
    done = decide.evaluate(state, NOW)
    first, second = placed(done)
    assert (first.combo, second.combo) == (vix_spread(), condor())
    # 1.2 % of a million, less the hedge's 0.3 % reserve, in condors that can lose 4,400 dollars.
    assert second.quantity == int((12_000 - 3_000) / 4_400)
    alone = decide.evaluate(looking(), NOW)
    assert placed(alone)[-1].quantity == int(12_000 / 4_400)


def test_a_hedge_at_work_is_not_reserved_twice(strategies: dict[str, Evaluation]) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish(),))
    hedge = order_line(
        "alvh:near_term:1",
        vix_spread(),
        quantity=30,
        structure_id="near-term-2020-01-31",
        strategy="near_term",
        reserves=True,
        limit_first=1.0,
        limit_worst=1.0,
    )
    state = at_work(hedge, looking(hedge=FIRED))
    done = decide.evaluate(state, NOW)
    (decision,) = [one for one in done.decisions if one.verb is Verb.OPEN]
    headroom = next(check.limit for check in decision.checks if check.name == "initiation_usd")
    assert headroom == 12_000 - 3_000


def test_closes_come_before_everything(strategies: dict[str, Evaluation]) -> None:
    line = order_line("old", quantity=1, status=OrderStatus.FILLED, structure_id="held", ended_at=NOW)
    state = at_work(line, looking())
    for one in executions(line, 1):
        state = apply_execution(state, one, NOW)
    close = wish("held", condor().reversed(), Intent.CLOSE, limit=6.0)
    other = condor(low=3000, put=3150, call=3450, high=3600)
    opening_wish = wish("condor-2020-W06-2", other)
    strategies["iron_condor"] = Evaluation(proposals=(opening_wish, close))
    done = decide.evaluate(replace(state, quotes=quoted(condor(), other)), NOW)
    assert done.decisions[0].verb is Verb.CLOSE
    assert done.state.structures["held"].closed_reason == "because"


def test_in_the_last_minutes_nothing_is_proposed_and_what_works_is_cancelled(
    strategies: dict[str, Evaluation],
) -> None:
    strategies["iron_condor"] = Evaluation(proposals=(wish("other"),))
    time = datetime(2020, 2, 3, 21, 10, tzinfo=UTC)
    line = order_line()
    done = decide.evaluate(replace(at_work(line, looking()), feeds_asked={}), time)
    assert placed(done) == []
    assert CancelOrder(line.order.order_ref, "the session ends") in done.commands


def test_a_denial_is_told_once_and_each_structure_has_its_own(strategies: dict[str, Evaluation]) -> None:
    gates = (Gate("entry_window", True),)
    strategies["iron_condor"] = Evaluation(
        gates=gates,
        proposals=(wish("a"), wish("b")),
        lines=tuple(leg.contract for leg in condor().legs),
    )
    state = looking(account=None)
    told = []
    for number in range(4):
        done = decide.evaluate(state, later(number))
        told += [(one.structure_id, one.verb) for one in done.decisions if one.strategy == "iron_condor"]
        state = done.state
    assert told == [("a", Verb.DENY), ("b", Verb.DENY)]
    assert state.held_since["a"] == 3


def test_a_verdict_without_parameters_is_none() -> None:
    state = ready(parameters=None)
    assert decide._judge(state, wish(), Evaluation(), 0.0, NOW) == Step(state)
    assert decide._headroom_usd(state, 0.0) is None
    assert decide._watch_feeds(state, NOW) is state


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
    assert done.state.quotes == {}
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
    assert decide._round_trips(state) == 2


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
