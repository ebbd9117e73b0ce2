"""The reserve layer fires on a wide spread that lasts, re-arms by level or time, and skips the unknown."""

from datetime import date

from market.sessions import session_offset
from strategies.reserve import ReserveState, reserve
from strategies.rules import ReserveRules
from tests.strategies.signals import reserve_rules

RULES = reserve_rules(warmup_sessions=20, window_sessions=200, rearm_sessions=30)


class Tape:
    """Feeds sessions one by one and keeps what came out."""

    def __init__(self, rules: ReserveRules = RULES, quiet: int = 60) -> None:
        self.rules, self.state, self.day = rules, ReserveState(), date(2019, 1, 2)
        for n in range(quiet):
            self.close(0.020 + 0.001 * (n % 3))

    def close(self, spread: float | None, is_open: bool = False) -> bool | None:
        """One session."""
        self.day = session_offset(self.day, 1)
        self.state, self.readings, fired = reserve(self.state, self.day, spread, is_open, self.rules)
        return fired


def test_it_is_unknown_before_the_warm_up() -> None:
    tape = Tape(quiet=0)
    assert [tape.close(0.02 + 0.001 * (n % 3)) for n in range(21)] == [None] * 20 + [False]


def test_it_fires_on_the_second_close_in_a_row_above_the_limit() -> None:
    tape = Tape()
    assert [tape.close(spread) for spread in (0.03, 0.021, 0.03, 0.03, 0.03)] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_an_unknown_session_neither_counts_nor_breaks_the_row() -> None:
    tape = Tape()
    before = tape.close(0.03), len(tape.state.window.values if tape.state.window else ())
    assert before[0] is False
    assert tape.close(None) is None
    assert len(tape.state.window.values if tape.state.window else ()) == before[1]
    assert tape.close(0.03) is True


def test_it_re_arms_below_one_deviation() -> None:
    tape = Tape()
    tape.close(0.03)
    assert tape.close(0.03)
    assert tape.close(0.021) is False
    assert tape.state.armed
    assert [tape.close(0.04), tape.close(0.04)] == [False, True]


def test_one_deviation_and_more_does_not_re_arm_and_a_little_less_does() -> None:
    for spread, armed in ((0.0235, False), (0.0225, True)):
        tape = Tape()
        tape.close(0.03)
        assert tape.close(0.03)
        tape.close(spread)
        z = tape.readings[0].value
        assert z is not None
        assert 0.5 < z < 1.5
        assert (z < 1.0) == armed
        assert tape.state.armed == armed


def test_it_re_arms_by_time_though_the_spread_stays_wide() -> None:
    tape = Tape()
    wide = [0.03 * 1.05**n for n in range(33)]
    fired = [tape.close(spread) for spread in wide]
    assert [index for index, one in enumerate(fired) if one] == [1, 31]


def test_it_does_not_fire_while_it_is_open() -> None:
    tape = Tape()
    assert [tape.close(0.03, is_open=True), tape.close(0.03, is_open=True)] == [False, False]
    assert tape.close(0.035) is True


def test_the_score_leaves_its_own_session_out() -> None:
    tape = Tape(quiet=30)
    score = tape.close(0.05)
    window = tape.state.window
    assert score is False
    assert window is not None
    again = ReserveState(window=type(window)(window.window, window.warm_up, window.values[:-1]))
    assert reserve(again, tape.day, 0.05, False, RULES)[1][0].value == tape.readings[0].value


def test_a_score_over_less_than_the_whole_window_is_labelled() -> None:
    tape = Tape(reserve_rules(warmup_sessions=20, window_sessions=30), quiet=29)
    tape.close(0.02)
    assert tape.readings[0].source == "short_window"
    tape.close(0.02)
    assert tape.readings[0].source == ""


def test_a_session_counted_twice_changes_nothing() -> None:
    tape = Tape()
    again, _, fired = reserve(tape.state, tape.day, 0.9, False, RULES)
    assert again is tape.state
    assert fired is None
