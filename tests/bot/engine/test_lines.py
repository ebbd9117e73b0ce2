"""Lines are never more than the budget; signals and held legs are in; the farthest strikes go first."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.engine import decide
from bot.engine.lines import LinePlan, plan_lines, standing_plan
from bot.engine.parameters import Parameters
from bot.engine.state import EngineState
from bot.events import Alert, StreamLines
from market.contract import Contract, SecurityType
from strategies.base import Evaluation
from tests.bot.engine.desk import NAMED, NOW, later
from tests.bot.engine.looking import looking
from tests.risk.book import condor, vix_spread

ids = st.lists(st.integers(1, 60), max_size=30)
wishes = st.dictionaries(st.sampled_from(["near_term", "mid_term", "iron_condor"]), ids, max_size=3)


@given(ids, ids, wishes, st.integers(0, 80))
def test_a_plan_keeps_the_budget_and_what_must_be_seen_and_says_what_is_missing(
    signals: list[int], held: list[int], wanted: dict[str, list[int]], lines_max: int
) -> None:
    plan = plan_lines(signals, held, wanted, lines_max)
    must = {*signals, *held}
    assert must <= set(plan.lines)
    assert len(plan.lines) <= max(lines_max, len(must))
    assert plan.beyond == max(len(must) - lines_max, 0)
    assert list(plan.lines) == sorted(set(plan.lines))
    missing = {name: len(set(lines) - set(plan.lines)) for name, lines in wanted.items()}
    assert dict(plan.dropped) == {name: count for name, count in missing.items() if count}
    if plan.dropped:
        assert len(plan.lines) >= lines_max, "nothing is dropped while there is room"
    assert plan == plan_lines(reversed(signals), held[::-1], wanted, lines_max)


@given(wishes, st.integers(0, 40), st.integers(0, 40))
def test_more_lines_never_take_one_away(wanted: dict[str, list[int]], one: int, other: int) -> None:
    few, many = sorted((one, other))
    assert set(plan_lines([], [], wanted, few).lines) <= set(plan_lines([], [], wanted, many).lines)


def option(con_id: int) -> Contract:
    return Contract(SecurityType.OPTION, "SPX", strike=float(con_id), con_id=con_id)


@given(st.lists(st.tuples(ids, ids, wishes, st.integers(0, 40)), max_size=4))
def test_a_standing_plan_is_the_one_that_would_be_made_anew(
    asked: list[tuple[list[int], list[int], dict[str, list[int]], int]],
) -> None:
    for signals, held, wanted, lines_max in [one for one in asked for _ in range(2)]:
        contracts = tuple((name, tuple(map(option, lines))) for name, lines in wanted.items())
        plan = standing_plan(frozenset(signals), set(held), contracts, lines_max)
        assert plan == plan_lines(signals, held, wanted, lines_max)
        assert set(plan.read) == set(plan.lines).intersection(
            con_id for lines in wanted.values() for con_id in lines
        )
        assert plan.streamed == set(plan.lines)


def test_the_end_of_the_last_strategys_wish_is_dropped_first() -> None:
    wanted = {"near_term": [5, 6], "iron_condor": [9, 7, 8]}
    assert [plan_lines([1], [2], wanted, n).lines for n in (7, 6, 5, 4, 3, 2)] == [
        (1, 2, 5, 6, 7, 8, 9),
        (1, 2, 5, 6, 7, 9),
        (1, 2, 5, 6, 9),
        (1, 2, 5, 6),
        (1, 2, 5),
        (1, 2),
    ]


def test_a_plan_says_in_words_what_is_missing() -> None:
    assert plan_lines([1], [], {"iron_condor": [2]}, 2) == LinePlan(
        (1, 2), read=(2,), streamed=frozenset({1, 2})
    )
    assert plan_lines([1], [], {"iron_condor": [2]}, 2).text == ""
    short = plan_lines([1, 2], [3], {"near_term": [4], "iron_condor": [5, 6]}, 2)
    assert short.text == (
        "the farthest strikes go without a quote: 1 of near_term, 2 of iron_condor; "
        "signals and held legs alone are 1 lines over it"
    )


def with_lines(state: EngineState, lines_max: int) -> EngineState:
    assert state.parameters is not None
    limits = replace(state.parameters.limits, market_data_lines_max=lines_max)
    parameters: Parameters = replace(state.parameters, limits=limits)
    return replace(state, parameters=parameters)


def test_running_short_is_told_once_and_so_is_its_end(strategies: dict[str, Evaluation]) -> None:
    legs = tuple(leg.contract for combo in (condor(), vix_spread()) for leg in combo.legs)
    strategies["iron_condor"] = Evaluation(lines=legs)
    first = decide.evaluate(with_lines(looking(), len(NAMED) + 4), NOW)
    (stream,) = [one for one in first.commands if isinstance(one, StreamLines)]
    assert set(stream.con_ids) == {c.con_id for c in (*NAMED, *legs[:4])}
    assert [one.name for one in first.commands if isinstance(one, Alert)] == ["lines.short"]
    assert set(first.state.read) == {leg.con_id for leg in legs[:4]}
    assert set(first.state.quotes) <= set(stream.con_ids)
    again = decide.evaluate(with_lines(first.state, len(NAMED) + 3), later(5))
    assert [one for one in again.commands if isinstance(one, Alert)] == []
    enough = decide.evaluate(with_lines(again.state, 100), later(10))
    assert [one.name for one in enough.commands if isinstance(one, Alert)] == ["lines.enough"]
