"""The near-term trigger fires on both conditions at once, once an episode, and never on what it does not
know.
"""

import csv
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from market.sessions import front_vx_pair, session_offset, sessions
from strategies.triggers import NearTermState, near_term
from tests.strategies.world import near_term_rules

DATA = Path(__file__).parents[2].parent / "shared" / "data"
RULES = near_term_rules()
START = date(2019, 1, 2)
PAIR = (date(2030, 1, 16), date(2030, 2, 13))

needs_history = pytest.mark.skipif(not DATA.exists(), reason="the real history ../shared/data is absent")


class Tape:
    """Feeds sessions one by one and keeps what came out."""

    def __init__(self, state: NearTermState | None = None) -> None:
        self.state, self.day = state or NearTermState(), START

    def close(self, net: float | None, b: float | None = 0.0) -> bool | None:
        """One session with a backwardation of b."""
        self.day = session_offset(self.day, 1)
        vx2 = None if b is None else 100.0
        vx1 = None if b is None else 100.0 * (1.0 + b)
        self.state, self.readings, fired = near_term(self.state, self.day, net, vx1, vx2, PAIR, RULES)
        return fired


def warm() -> Tape:
    """A hundred quiet sessions: RSI about fifty, flat curve."""
    tape = Tape()
    for n in range(100):
        assert not tape.close(400.0 if n % 2 else -400.0)
    return tape


def sell_off(tape: Tape, b: float | None = 0.10) -> list[bool | None]:
    """Six days on which nearly everything falls."""
    return [tape.close(-2500.0, b) for _ in range(6)]


@cache
def history() -> tuple[dict[date, float], dict[date, dict[date, float]]]:
    with (DATA / "nyse_breadth.csv").open() as file:
        breadth = {
            date.fromisoformat(row["date"]): float(row["advances"]) - float(row["declines"])
            for row in csv.DictReader(file)
        }
    curve: dict[date, dict[date, float]] = {}
    with (DATA / "vx_settlements.csv").open() as file:
        for row in csv.DictReader(file):
            of_day = curve.setdefault(date.fromisoformat(row["date"]), {})
            of_day[date.fromisoformat(row["final_settlement"])] = float(row["settle"])
    return breadth, curve


def fires(**changes: object) -> list[str]:
    breadth, curve = history()
    rules = near_term_rules(**changes)
    state, found = NearTermState(), []
    for day in sessions(date(2006, 1, 3), date(2023, 12, 29)):
        pair = front_vx_pair(day)
        settled = curve.get(day, {})
        state, _, fired = near_term(
            state,
            day,
            breadth.get(day),
            settled.get(pair[0]),
            settled.get(pair[1]),
            pair,
            rules,
        )
        if fired:
            found.append(day.isoformat())
    return found


@needs_history
def test_on_the_real_history_it_fires_on_the_nine_known_days() -> None:
    assert fires() == [
        "2007-08-14",
        "2008-10-06",
        "2011-08-05",
        "2014-10-13",
        "2015-08-24",
        "2018-02-05",
        "2018-10-10",
        "2018-12-24",
        "2020-02-27",
    ]


@needs_history
@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"mode": "strict_cross"}, 5),
        ({"rsi_below_pts": 35.0, "backwardation_above_fraction": 0.05}, 14),
        ({"backwardation_above_fraction": 0.0}, 19),
    ],
)
def test_other_definitions_fire_as_often_as_published(changes: dict[str, object], count: int) -> None:
    assert len(fires(**changes)) == count


def test_it_fires_on_the_first_close_on_which_both_conditions_hold() -> None:
    assert sell_off(warm()).count(True) == 1


@pytest.mark.parametrize("b", [0.08, 0.0, -0.05])
def test_a_sell_off_under_a_flat_curve_does_not_fire(b: float) -> None:
    tape = warm()
    assert sell_off(tape, b) == [False] * 6
    assert tape.readings[0].fired is True


def test_an_inverted_curve_alone_does_not_fire() -> None:
    assert warm().close(100.0, 0.30) is False


def test_the_order_in_which_the_conditions_come_does_not_matter() -> None:
    tape = warm()
    assert True not in sell_off(tape, 0.0)
    assert tape.close(-2500.0, 0.09) is True


def test_it_does_not_fire_before_a_hundred_changes() -> None:
    tape = Tape()
    for n in range(80):
        tape.close(400.0 if n % 2 else -400.0)
    assert sell_off(tape) == [None] * 6
    assert tape.readings[0].warm_up == (86, 100)
    assert tape.readings[0].value is not None


@pytest.mark.parametrize(("net", "b"), [(None, 0.10), (-2500.0, None)])
def test_a_missing_input_is_unknown_and_never_fires(net: float | None, b: float | None) -> None:
    tape = warm()
    for _ in range(3):
        tape.close(-2500.0, 0.0)
    assert tape.close(net, b) is None
    unknown = next(reading for reading in tape.readings if reading.fired is None)
    assert unknown.value is None
    assert unknown.reason


def test_a_gap_carries_the_recursion_over() -> None:
    tape = warm()
    before = tape.state.rsi
    tape.close(None)
    assert tape.state.rsi == before
    assert tape.state.last_breadth is not None
    assert tape.state.last_breadth < tape.day


def test_more_than_three_gaps_in_twenty_sessions_start_the_warm_up_again() -> None:
    tape = warm()
    for _ in range(3):
        tape.close(None)
        tape.close(100.0)
    assert tape.state.rsi.changes == 103
    tape.close(None)
    assert tape.state.rsi.changes == 0
    assert sell_off(tape) == [None] * 6


def test_gaps_further_apart_than_twenty_sessions_do_not_add_up() -> None:
    tape = warm()
    for _ in range(6):
        tape.close(None)
        for n in range(9):
            tape.close(400.0 if n % 2 else -400.0)
    assert tape.state.rsi.changes == 100 + 54


def test_after_firing_it_stays_silent_until_it_is_armed_again() -> None:
    tape = warm()
    assert True in sell_off(tape)
    assert True not in sell_off(tape, 0.20)
    tape.state = replace(tape.state, armed=True)
    assert tape.close(-2500.0, 0.20) is True


def recovered() -> Tape:
    tape = warm()
    sell_off(tape)
    while tape.close(1500.0, 0.06) is not None and (tape.readings[0].value or 0.0) < 45.0:
        pass
    assert not tape.state.armed
    return tape


def test_it_re_arms_on_two_quiet_closes_in_a_row() -> None:
    tape = recovered()
    tape.close(100.0, 0.03)
    assert not tape.state.armed
    tape.close(100.0, 0.03)
    assert tape.state.armed


def test_a_close_between_that_is_not_quiet_starts_the_row_again() -> None:
    tape = recovered()
    for b in (0.03, 0.04, 0.03):
        tape.close(100.0, b)
    assert not tape.state.armed


def test_an_unknown_close_between_neither_counts_nor_breaks_the_row() -> None:
    tape = recovered()
    tape.close(100.0, 0.03)
    tape.close(None, 0.03)
    tape.close(100.0, None)
    assert not tape.state.armed
    tape.close(100.0, 0.03)
    assert tape.state.armed


@pytest.mark.parametrize("net", [400.0, None])
def test_the_breadth_is_counted_over_as_many_sessions_as_the_rules_say(net: float | None) -> None:
    tape = warm()
    rules = near_term_rules(rsi_sessions=10)
    state, _, fired = near_term(tape.state, session_offset(tape.day, 1), net, 100.0, 100.0, PAIR, rules)
    assert fired is None
    assert (state.rsi.period, state.rsi.changes) == (10, 0 if net is None else 1)


def test_counting_a_session_twice_changes_nothing_and_fires_nothing() -> None:
    tape = warm()
    again, readings, fired = near_term(tape.state, tape.day, -2500.0, 130.0, 100.0, PAIR, RULES)
    assert again == tape.state
    assert fired is None
    assert readings[0].reason


def test_a_provisional_reading_leaves_the_state_alone() -> None:
    tape = warm()
    day = session_offset(tape.day, 1)
    near_term(tape.state, day, -2500.0, 120.0, 100.0, PAIR, RULES)
    _, _, fired = near_term(tape.state, day, 100.0, 100.0, 100.0, PAIR, RULES)
    assert fired is False


def test_both_backwardations_are_read_whichever_decides() -> None:
    state = NearTermState()
    _, readings, _ = near_term(state, START, 0.0, 20.0, 18.0, PAIR, RULES, vix=25.0)
    values = {reading.name: reading.value for reading in readings}
    assert values["front_backwardation"] == pytest.approx(20 / 18 - 1, abs=1e-9)
    assert values["spot_backwardation"] == pytest.approx(0.25, abs=1e-9)
