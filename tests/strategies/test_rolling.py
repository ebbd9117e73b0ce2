"""Rolling scores and residuals agree with independent computations, and never see the value they judge."""

import json
import random
from math import sqrt
from pathlib import Path
from statistics import linear_regression, mean, stdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from talipp.indicators import MACD

from strategies.indicators import MacdHistogram, RollingResidual, RollingZScore

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden.json"
values = st.lists(st.integers(-1000, 1000).map(lambda n: n / 100), min_size=3, max_size=40)
closes = st.lists(st.integers(3000, 20000).map(lambda n: n / 100), min_size=34, max_size=90)


@given(values, st.integers(3, 20))
def test_a_score_is_the_distance_from_the_mean_of_the_window_before(line: list[float], window: int) -> None:
    state = RollingZScore(window, 3)
    for index, value in enumerate(line):
        before = line[max(0, index - window) : index]
        score = state.score(value)
        if len(before) < 3 or len(set(before)) == 1:
            assert score is None
        else:
            assert score == pytest.approx((value - mean(before)) / stdev(before), rel=1e-6, abs=1e-8)
        state = state.update(value)


def test_no_score_before_the_warm_up_and_none_on_a_line_that_never_moved() -> None:
    state = RollingZScore(10, 4)
    for _ in range(3):
        state = state.update(0.1)
    assert state.score(0.2) is None
    assert state.update(0.1).score(0.2) is None
    assert state.update(0.2).score(0.2) is not None


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=8, max_size=30))
def test_a_residual_is_that_of_the_regression_over_the_pairs_before(pairs: list[tuple[int, int]]) -> None:
    window = 6
    xs, ys = [x / 1000 for x, _ in pairs], [y / 1000 for _, y in pairs]
    assume(len(set(ys[-window - 1 : -1])) > 1)
    state = RollingResidual(window)
    for x, y in zip(xs[:-1], ys[:-1], strict=True):
        state = state.update(x, y)
    slope, intercept = linear_regression(ys[-window - 1 : -1], xs[-window - 1 : -1])
    inside = [
        x - slope * y - intercept for x, y in zip(xs[-window - 1 : -1], ys[-window - 1 : -1], strict=True)
    ]
    deviation = sqrt(sum(r * r for r in inside) / (window - 1))
    assume(deviation > 1e-5)
    expected = (xs[-1] - slope * ys[-1] - intercept) / deviation
    assert state.score(xs[-1], ys[-1]) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_residual_needs_a_full_window_and_a_moving_one() -> None:
    state = RollingResidual(3).update(0.1, 0.2).update(0.3, 0.1)
    assert state.score(0.0, 0.0) is None
    assert state.update(0.2, 0.2).score(0.0, 0.0) is not None
    still = RollingResidual(3)
    for x in (0.1, 0.2, 0.3):
        still = still.update(x, 0.5)
    assert still.score(0.0, 0.0) is None


@given(closes)
def test_the_histogram_agrees_with_another_library_on_any_line(line: list[float]) -> None:
    state, ours = MacdHistogram(), []
    for close in line:
        state = state.update(close)
        ours.append(state.value)
    theirs = [None if one is None else one.histogram for one in MACD(12, 26, 9, input_values=line)]
    assert ours[33:] == pytest.approx(theirs[33:], abs=1e-6)


@pytest.mark.skipif(not GOLDEN.exists(), reason="the validation folder ../shared is absent")
@pytest.mark.parametrize("bars", [60, 100, 130, 200])
def test_a_histogram_that_began_later_is_as_close_as_the_golden_bounds_say(bars: int) -> None:
    bound = json.loads(GOLDEN.read_text())["macd_hist_max_abs_err_by_warmup_bars(VVIX-like ~80)"][str(bars)]
    generator, level, line = random.Random(7), 0.0, []
    for _ in range(1500):
        level += -0.05 * level + generator.gauss(0.0, 4.0)
        line.append(80.0 + level)
    whole, worst = MacdHistogram(), 0.0
    late = {start: MacdHistogram() for start in range(600, 1200, 20)}
    for index, close in enumerate(line):
        whole = whole.update(close)
        for start, state in late.items():
            if start <= index < start + bars:
                late[start] = state.update(close)
                if index == start + bars - 1:
                    assert whole.value is not None
                    value = late[start].value
                    assert value is not None
                    worst = max(worst, abs(value - whole.value))
    assert 0.0 < worst < 5.0 * bound
