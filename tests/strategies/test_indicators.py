"""Indicators agree with published vectors, with another library, and with themselves however they are fed."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talipp.indicators import MACD, RSI

from strategies.indicators import Ema, MacdHistogram, RollingResidual, WilderRsi

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden.json"
CLASSIC = (
    "44.34 44.09 44.15 43.61 44.33 44.83 45.10 45.42 45.84 46.08 "
    "45.89 46.03 45.61 46.28 46.28 46.00 46.03 46.41 46.22 45.64"
)
CLASSIC_RSI = (70.4641, 66.2496, 66.4809, 69.3469, 66.2947, 57.9150)

levels = st.lists(st.integers(-3000, 3000).map(float), min_size=16, max_size=120)


def rsi_of_levels(levels: Iterable[float], period: int = 14) -> list[float | None]:
    """The index after each level of a line; one value fewer than levels."""
    values: list[float | None] = []
    state = WilderRsi(period)
    for before, level in pairwise(levels):
        state = state.update(level - before)
        values.append(state.value)
    return values


def test_the_classic_series_gives_the_published_values() -> None:
    values = rsi_of_levels(float(level) for level in CLASSIC.split())
    assert values[:13] == [None] * 13
    assert values[13:] == pytest.approx(CLASSIC_RSI, abs=5e-5)


@pytest.mark.skipif(not GOLDEN.exists(), reason="the validation folder ../shared is absent")
def test_the_classic_series_is_the_golden_one() -> None:
    golden = json.loads(GOLDEN.read_text())["rsi14_classic_series"]
    assert golden == pytest.approx(CLASSIC_RSI, abs=5e-5)


@given(levels)
def test_it_agrees_with_another_library_on_any_line(line: list[float]) -> None:
    ours = rsi_of_levels(line)
    theirs = list(RSI(14, input_values=line))[1:]
    for mine, other in zip(ours, theirs, strict=True):
        if mine not in (None, 50.0, 100.0):  # on a line that never fell the library's convention differs
            assert mine == pytest.approx(other, abs=1e-6)


def test_a_line_that_never_moved_reads_fifty_and_one_that_never_fell_a_hundred() -> None:
    assert rsi_of_levels([5.0] * 15)[-1] == 50.0
    assert rsi_of_levels([float(n) for n in range(15)])[-1] == 100.0
    assert rsi_of_levels([-float(n) for n in range(15)])[-1] == 0.0


@given(levels, st.floats(-1e6, 1e6))
def test_the_base_value_of_the_line_does_not_matter(line: list[float], base: float) -> None:
    shifted = rsi_of_levels([round(base) + level for level in line])
    assert shifted == rsi_of_levels(line)


@given(levels, st.integers(0, 120))
def test_stopping_and_going_on_from_the_stored_state_changes_nothing(changes: list[float], cut: int) -> None:
    whole = WilderRsi()
    for change in changes:
        whole = whole.update(change)
    resumed = WilderRsi()
    for change in changes[:cut]:
        resumed = resumed.update(change)
    resumed = WilderRsi(resumed.period, resumed.changes, resumed.gain, resumed.loss)
    for change in changes[cut:]:
        resumed = resumed.update(change)
    assert resumed == whole


def test_an_average_starts_as_the_mean_of_its_first_values() -> None:
    ema = Ema(3)
    for value in (1.0, 2.0):
        ema = ema.update(value)
        assert ema.value is None
    assert ema.update(6.0).value == 3.0
    assert ema.update(6.0).update(5.0).value == 4.0


def test_the_histogram_begins_at_the_thirty_fourth_bar_and_agrees_with_another_library() -> None:
    closes = [80.0 + (n * 37 % 23) - 0.1 * n for n in range(90)]
    state, ours = MacdHistogram(), []
    for close in closes:
        state = state.update(close)
        ours.append(state.value)
    assert [value is None for value in ours] == [True] * 33 + [False] * 57
    theirs = [None if one is None else one.histogram for one in MACD(12, 26, 9, input_values=closes)]
    assert ours[33:] == pytest.approx(theirs[33:], abs=1e-6)


def test_a_pair_is_not_scored_by_a_window_that_never_left_its_line() -> None:
    linked = RollingResidual(4, (1.0, 2.0, 3.0, 4.0), (2.0, 4.0, 6.0, 8.0))
    assert linked.score(9.0, 1.0) is None
    assert RollingResidual(4, (1.0, 2.0, 3.0, 4.0), (5.0,) * 4).score(9.0, 1.0) is None
    assert RollingResidual(4, (1.0, 2.0, 3.5, 4.0), (2.0, 4.0, 6.0, 8.0)).score(9.0, 1.0) is not None
