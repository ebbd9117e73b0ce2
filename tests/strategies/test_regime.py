"""Regimes: higher ones at once, lower ones after enough closes, and an echo beside them."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from market.sessions import session_offset
from strategies.regime import Regime, RegimeState, regime
from tests.strategies.signals import regime_rules

PAIR = (date(2030, 1, 16), date(2030, 2, 13))

RULES = regime_rules()


class Tape:
    """Feeds closes with a given backwardation."""

    def __init__(self) -> None:
        self.state, self.day = RegimeState(), date(2019, 1, 2)
        self.echo: bool | None = None

    def close(self, b: float | None, vix: float | None = 25.0) -> Regime | None:
        self.day = session_offset(self.day, 1)
        vx1, vx2 = (None, None) if b is None else (100.0 * (1.0 + b), 100.0)
        self.state, label, self.echo = regime(self.state, self.day, vx1, vx2, vix, RULES)
        return label

    def run(self, *backwardations: float | None) -> list[Regime | None]:
        return [self.close(b) for b in backwardations]


def test_higher_regimes_are_entered_at_once() -> None:
    tape = Tape()
    assert tape.run(-0.02, 0.001, 0.08, 0.081) == [
        Regime.NORMAL,
        Regime.STRESS,
        Regime.STRESS,
        Regime.CRISIS,
    ]
    assert Tape().run(0.09) == [Regime.CRISIS]


def test_calm_needs_contango_and_a_low_index_and_is_left_after_two_closes() -> None:
    tape = Tape()
    assert tape.close(-0.06, vix=15.0) is Regime.CALM
    assert tape.close(-0.06, vix=21.0) is Regime.CALM
    assert tape.close(-0.06, vix=15.0) is Regime.CALM
    assert tape.close(-0.06, vix=21.0) is Regime.CALM
    assert tape.close(-0.02, vix=15.0) is Regime.NORMAL
    assert tape.close(-0.06, vix=20.0) is Regime.NORMAL


def test_stress_is_left_on_the_curve_alone_while_the_index_is_missing() -> None:
    tape = Tape()
    assert tape.close(0.02) is Regime.STRESS
    assert [tape.close(-0.06, vix=None) for _ in range(4)] == [Regime.STRESS] * 2 + [Regime.NORMAL, None]
    assert tape.close(-0.06, vix=15.0) is Regime.CALM


def test_stress_is_left_after_three_closes_in_clear_contango() -> None:
    tape = Tape()
    labels = tape.run(0.02, -0.02, -0.02, -0.005, -0.02, -0.02, -0.02)
    assert labels == [Regime.STRESS] * 6 + [Regime.NORMAL]


def test_a_crisis_is_left_after_three_closes_below_four_percent() -> None:
    tape = Tape()
    assert tape.run(0.10, 0.03, 0.03, 0.05, 0.03, 0.03) == [Regime.CRISIS] * 6
    assert tape.close(0.03) is Regime.STRESS


def echoes(tape: Tape, *backwardations: float) -> list[bool | None]:
    found = []
    for b in backwardations:
        tape.close(b)
        found.append(tape.echo)
    return found


def test_an_echo_is_an_inversion_after_the_curve_had_righted_itself_and_lasts_sixty_three_sessions() -> None:
    tape = Tape()
    assert echoes(tape, 0.10, 0.03, 0.02, 0.02, 0.01) == [False] * 5  # still the same inversion
    assert echoes(tape, -0.02, 0.01) == [False, True]
    assert echoes(tape, *[-0.03] * 63) == [True] * 62 + [False]


def test_an_inversion_too_long_after_the_crisis_is_no_echo() -> None:
    tape = Tape()
    assert echoes(tape, 0.10, *[-0.03] * 3, *[-0.03] * 63, 0.01) == [False] * 68
    soon = Tape()
    assert echoes(soon, 0.10, *[-0.03] * 3, *[-0.03] * 62, 0.01) == [False] * 66 + [True]


def test_a_missing_price_is_unknown_and_carries_the_state() -> None:
    tape = Tape()
    tape.run(0.10, 0.03, 0.03)
    before = tape.state
    assert tape.close(None) is None
    assert tape.echo is None
    assert tape.state == before
    quiet = Tape()
    quiet.close(-0.02)
    before = quiet.state
    assert quiet.close(0.0, vix=None) is None
    assert quiet.state == before


@given(st.lists(st.none() | st.integers(-20, 20).map(lambda n: n / 100), max_size=60))
def test_new_condors_are_barred_from_eight_percent_on_until_three_closes_below_four(
    path: list[float | None],
) -> None:
    tape, crisis, quiet = Tape(), False, 0
    for b in path:
        label = tape.close(b)
        if b is None:
            assert label is None
            continue
        if round(b, 6) > 0.08:
            crisis, quiet = True, 0
        elif crisis:
            quiet = quiet + 1 if b < 0.04 else 0
            crisis = quiet < 3
        assert label is not None
        assert label.bars_new_condors == crisis
        assert label.bars_call_adjustments or not crisis


def test_a_session_counted_before_is_unknown_and_changes_nothing() -> None:
    tape = Tape()
    tape.run(-0.02, 0.1)
    for day in (tape.day, session_offset(tape.day, -1)):
        assert regime(tape.state, day, 100.0, 110.0, 12.0, RULES) == (tape.state, None, None)


def test_an_inversion_is_seen_without_the_index() -> None:
    tape = Tape()
    assert tape.close(0.02, vix=None) is Regime.STRESS
    assert tape.close(0.09, vix=None) is Regime.CRISIS


def test_other_thresholds_give_other_labels() -> None:
    """Every number is the operator's: the same closes under rules of half the size."""
    rules = regime_rules(
        stress_above_fraction=0.01,
        crisis_above_fraction=0.04,
        crisis_left_below_fraction=0.03,
        curve_exit_sessions=1,
        calm_contango_min_fraction=0.01,
        calm_vix_below_pts=30.0,
        echo_sessions=2,
    )
    state, day, labels = RegimeState(), date(2019, 1, 2), []
    for b in (0.005, 0.015, 0.05, 0.035, 0.02, -0.02, 0.015, 0.015, 0.015):
        day = session_offset(day, 1)
        state, label, echo = regime(state, day, 100.0 * (1.0 + b), 100.0, 25.0, rules)
        labels.append((str(label), echo))
    assert [name for name, _ in labels[:6]] == ["NORMAL", "STRESS", "CRISIS", "CRISIS", "STRESS", "CALM"]
    assert [echo for _, echo in labels[5:]] == [False, True, True, False]
