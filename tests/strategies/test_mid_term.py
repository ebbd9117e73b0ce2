"""The mid-term layer fires on a turn of VVIX near the first layer's signal, once, never on the unknown."""

from dataclasses import replace
from datetime import date

import pytest

from market.sessions import session_offset
from strategies.base import Reading
from strategies.indicators import Ema, MacdHistogram
from strategies.mid_term import MidTermState, mid_term
from strategies.rules import MidTermRules
from tests.strategies.signals import mid_term_rules

RULES = mid_term_rules(warmup_sessions=40)
START = date(2019, 1, 2)


def divergence(fired: bool | None) -> Reading:
    return Reading("reer_ppi_divergence", 1.2, 1.0, ">", fired)


class Tape:
    """Feeds sessions one by one and keeps what came out."""

    def __init__(self, rules: MidTermRules = RULES) -> None:
        self.rules, self.state, self.day = rules, MidTermState(), START
        self.near: date | None = None
        self.macro: bool | None = True
        self.is_open = False

    def close(self, vvix: float | None) -> bool | None:
        """One session with a close of VVIX."""
        self.day = session_offset(self.day, 1)
        self.state, self.readings, fired = mid_term(
            self.state, self.day, vvix, divergence(self.macro), self.near, self.is_open, self.rules
        )
        return fired

    def run(self, *vvix: float | None) -> list[bool | None]:
        return [self.close(one) for one in vvix]


def falling(tape: Tape, n: int = 60) -> Tape:
    """A slow and slowing fall after a plateau: the histogram ends below zero."""
    for k in range(n):
        tape.close(100.0 - 0.02 * k * k / 10)
    assert tape.state.histogram is not None
    assert tape.state.histogram < 0.0
    return tape


def test_it_is_unknown_until_the_recursion_is_warm() -> None:
    tape = Tape()
    fired = tape.run(*[90.0 + n % 3 for n in range(45)])
    assert fired[:39] == [None] * 39
    assert None not in fired[39:]


def test_a_turn_after_the_signal_fires_and_the_day_of_the_signal_itself_does_not() -> None:
    tape = falling(Tape())
    tape.near = session_offset(tape.day, 1)
    assert tape.run(112.0, 113.0) == [False, True]


def test_a_turn_up_to_twenty_one_sessions_before_the_signal_is_confirmed_by_it() -> None:
    tape = falling(Tape())
    tape.run(*[100.0 + 2.0 * n for n in range(12)])
    assert tape.state.last_flip is not None
    tape.near = tape.day
    assert tape.close(126.0) is True
    strict = replace(RULES, mode="after_l1")
    _, readings, fired = mid_term(
        tape.state, session_offset(tape.day, 1), 128.0, divergence(True), tape.near, False, strict
    )
    assert fired is False
    assert [reading.name for reading in readings if reading.fired is False] == ["vvix_flip"]


def test_after_the_signal_means_after_its_session() -> None:
    rules = replace(RULES, mode="after_l1")
    same_day, next_day = falling(Tape(rules)), falling(Tape(rules))
    same_day.near = session_offset(same_day.day, 1)
    assert same_day.run(112.0, 113.0, 114.0) == [False] * 3
    next_day.near = next_day.day
    assert next_day.close(112.0) is True


def test_a_turn_too_long_before_the_signal_or_a_signal_too_old_fires_nothing() -> None:
    tape = falling(Tape())
    tape.run(*[100.0 + n * n / 8 for n in range(30)])
    tape.near = tape.day
    assert tape.close(220.0) is False
    fresh = falling(Tape())
    fresh.near = session_offset(fresh.day, -20)
    assert fresh.close(112.0) is True
    old = falling(Tape())
    old.near = session_offset(old.day, -21)
    assert old.close(112.0) is False


@pytest.mark.parametrize(("macro", "expected"), [(True, True), (False, False), (None, None)])
def test_the_macro_condition_must_hold_and_be_known(macro: bool | None, expected: bool | None) -> None:
    tape = falling(Tape())
    tape.near, tape.macro = tape.day, macro
    assert tape.close(112.0) is expected


def test_it_does_not_fire_while_it_is_open() -> None:
    tape = falling(Tape())
    tape.near, tape.is_open = tape.day, True
    assert tape.close(112.0) is False


def test_without_a_signal_it_never_fires_unless_the_lag_is_left_out() -> None:
    assert falling(Tape()).close(112.0) is False
    assert falling(Tape(replace(RULES, mode="unlagged"))).close(112.0) is True


def test_a_crossing_below_the_minimum_becomes_a_flip_at_the_first_close_above_it() -> None:
    tape = falling(Tape(replace(RULES, histogram_min_pts=0.5)))
    crossed: date | None = None
    for n in range(30):
        tape.close(80.0 + 0.15 * n)
        histogram = tape.state.histogram
        assert histogram is not None
        if histogram > 0.0 and crossed is None:
            crossed = tape.day
            assert histogram < 0.5
            assert tape.state.last_flip is None
        if histogram >= 0.5:
            break
    assert crossed is not None
    assert tape.state.last_flip == tape.day > crossed


def test_no_second_flip_within_five_sessions() -> None:
    tape = falling(Tape())
    tape.close(112.0)
    first = tape.state.last_flip
    assert first == tape.day
    tape.run(60.0, 50.0)
    assert tape.state.was_below
    tape.close(250.0)
    assert tape.state.histogram is not None
    assert tape.state.histogram > RULES.histogram_min_pts
    assert tape.state.last_flip == first


def test_a_missing_close_is_unknown_that_session_only_and_skipped_by_the_recursion() -> None:
    closes = [90.0 + (n * 7) % 11 for n in range(50)]
    whole, gappy = Tape(), Tape()
    whole.run(*closes)
    gappy.run(*closes[:45])
    assert gappy.close(None) is None
    assert gappy.readings[0].value is None
    gappy.run(*closes[45:])
    assert gappy.state.histogram == whole.state.histogram


def test_more_than_three_missing_in_twenty_start_the_warm_up_again() -> None:
    tape = Tape()
    tape.run(*[90.0 + n % 3 for n in range(45)])
    tape.run(None, 91.0, None, 92.0, None)
    assert tape.state.bars == 47
    tape.run(None)
    assert tape.state.bars == 0
    assert set(tape.run(*[90.0 + n % 3 for n in range(39)])) == {None}
    assert tape.close(91.0) is not None


def test_a_session_counted_twice_changes_nothing() -> None:
    tape = falling(Tape())
    again, readings, fired = mid_term(tape.state, tape.day, 500.0, divergence(True), None, False, RULES)
    assert again is tape.state
    assert fired is None
    assert readings[0].fired is None


def test_the_periods_are_those_of_the_rules() -> None:
    tape = Tape(replace(RULES, macd_fast_sessions=3, macd_slow_sessions=6, macd_signal_sessions=2))
    expected = MacdHistogram(Ema(3), Ema(6), Ema(2))
    for n in range(20):
        expected = expected.update(90.0 + n % 4)
        tape.close(90.0 + n % 4)
    assert tape.state.histogram == expected.value
