"""The boxes' rate against the overnight one: told when not believable, unknown without it, never a bar."""

from dataclasses import replace
from datetime import date
from math import exp

import pytest

from bot.engine.box_rate import box_readings, continuous
from bot.engine.break_evens import recalibrate
from bot.engine.state import EngineState
from bot.events import Alert
from tests.bot.engine.test_break_evens import NAME, listed, told
from tests.strategies.test_expiry_parity import MONDAY
from tests.strategies.world import RATE, at

FRIDAY = date(2020, 1, 31)


def knowing(percent: float | None, period: date = FRIDAY) -> EngineState:
    """The engine after its first look at a condor, with this federal funds rate."""
    state = told().state
    yields = {} if percent is None else {"fed_funds": (period, percent)}
    return replace(state, daily=replace(state.daily, yields=yields))


def test_a_rate_that_is_renewed_each_day_grows_like_its_continuous_one() -> None:
    assert pytest.approx(exp(continuous(0.05)), rel=1e-9) == (1 + 0.05 / 360) ** 365
    assert continuous(0.0) == 0.0


def test_boxes_a_little_over_the_overnight_rate_are_believed() -> None:
    state = knowing(1.55)
    (reading,) = state.condor.parity.readings
    least, most = box_readings(state, NAME, reading, MONDAY)
    assert least.value == most.value == pytest.approx(1e4 * (RATE - continuous(0.0155)), abs=40)
    assert (least.threshold, most.threshold) == (-50.0, 150.0)
    assert (least.fired, most.fired) == (True, True)
    assert (least.as_of, least.source) == ("2020-01-31", "fed_funds")


@pytest.mark.parametrize(("percent", "limit"), [(5.0, ">= -50"), (0.05, "<= 150")])
def test_a_rate_out_of_its_band_alerts_with_the_break_evens_and_blocks_nothing(
    percent: float, limit: str
) -> None:
    state = replace(knowing(percent), recalibrated={})
    done = recalibrate(state, listed().snapshot(at(MONDAY, "10:05")))
    (decision,) = done.decisions
    assert limit in decision.reason
    alerts = [one for one in done.commands if isinstance(one, Alert)]
    assert [(one.name, one.level) for one in alerts] == [("parity.box_rate", "warning")]
    assert done.state.risk == state.risk


@pytest.mark.parametrize(("percent", "period"), [(None, FRIDAY), (1.55, date(2020, 1, 24))])
def test_without_a_rate_of_the_last_days_it_is_unknown_and_not_told(
    percent: float | None, period: date
) -> None:
    state = replace(knowing(percent, period), recalibrated={})
    (reading,) = state.condor.parity.readings
    assert [row.fired for row in box_readings(state, NAME, reading, MONDAY)] == [None, None]
    done = recalibrate(state, listed().snapshot(at(MONDAY, "10:05")))
    assert not done.commands


def test_before_the_rules_are_known_there_is_no_band() -> None:
    state = knowing(1.55)
    (reading,) = state.condor.parity.readings
    assert box_readings(replace(state, parameters=None), NAME, reading, MONDAY) == ()


def test_where_there_is_no_box_the_regression_s_rate_serves() -> None:
    state = knowing(1.55)
    (reading,) = state.condor.parity.readings
    row, _ = box_readings(state, NAME, replace(reading, box_rate=None, rate=0.03), MONDAY)
    assert row.value == pytest.approx(1e4 * (0.03 - continuous(0.0155)))
