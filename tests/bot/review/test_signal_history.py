"""Over the real history the triggers fire where the method says, and no reading knows what came after it."""

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.observations import as_of
from bot.review.inputs import read_history, session_inputs
from bot.review.signals import Day, Walk, as_json
from bot.review.trigger_text import page
from bot.review.triggers import TriggerReport, report
from market.series import Observation
from market.sessions import session_offset, sessions
from strategies.packs import PACKS
from tests.bot.review.daily_history import (
    DATA,
    FIRST,
    LAST,
    base_rules,
    needs_history,
    real_history,
    real_walk,
)

pytestmark = needs_history

NEAR_FIRES = [
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


def days(pack: str = "seed") -> list[Day]:
    every = real_walk().days(PACKS[pack].applied(base_rules()))
    return [day for day in every if FIRST <= day.date <= LAST]


def fires(pack: str, layer: str) -> list[str]:
    return [day.date.isoformat() for day in days(pack) if layer in day.fires]


def test_the_near_term_layer_fires_on_the_nine_dates_of_the_method() -> None:
    assert fires("seed", "L1") == NEAR_FIRES


@pytest.mark.parametrize(
    ("pack", "layer", "count"),
    [
        ("strict_cross", "L1", 5),
        ("b_spot", "L1", 18),
        ("b_spot_nearest", "L1", 15),
        ("rsi35_b5", "L1", 14),
        ("rsi30_b0", "L1", 19),
        ("seed", "L2", 2),
        ("gap", "L2", 1),
        ("sign", "L2", 6),
        ("no_macro", "L2", 9),
        ("after_l1", "L2", 0),
        ("unlagged", "L2", 46),
        ("seed", "L3", 9),
    ],
)
def test_packs_fire_as_often_as_published(pack: str, layer: str, count: int) -> None:
    assert len(fires(pack, layer)) == count


def test_without_the_lag_the_mid_term_layer_fires_at_a_median_index_of_nineteen() -> None:
    known = [day.inputs.vix for day in days("unlagged") if "L2" in day.fires]
    assert median(one for one in known if one is not None) == pytest.approx(18.9, abs=0.05)


def test_the_reserve_layer_fires_first_where_the_method_says() -> None:
    assert fires("rearm_half_sigma", "L3") == ["2007-11-08", "2015-08-25", "2020-03-10"]
    assert set(fires("rearm_half_sigma", "L3")) <= set(fires("seed", "L3"))


def test_what_is_missing_in_the_files_is_unknown_on_its_day_and_only_there() -> None:
    unknown: dict[str, list[str]] = {}
    for day in days():
        for name, value in as_json(day).items():
            if value is None:
                unknown.setdefault(name, []).append(day.date.isoformat())
    assert unknown["backwardation"] == unknown["regime"] == unknown["echo"] == ["2022-01-14", "2022-01-18"]
    assert unknown["vvix_macd_histogram"] == ["2010-11-11", "2013-05-13"]
    assert unknown["wacc_spread_z"][-1] < "2007-09-28"  # 504 sessions after the fourth distribution
    assert not {"ad_rsi", "backwardation_spot", "reer_ppi_divergent"} & unknown.keys()


def test_the_spot_comparison_is_of_one_instant_until_the_settlement_moved() -> None:
    out_of_step = [day.date for day in days() if not day.curve.spot_in_step]
    assert out_of_step == list(sessions(date(2020, 10, 26), LAST))


def the_report() -> TriggerReport:
    return report(real_walk(), base_rules(), list(PACKS.values()), FIRST, LAST)


def test_base_rates_are_those_of_the_method() -> None:
    rates = {rate.name: rate for rate in the_report().rates}
    assert rates["A/D RSI < 30"].share == pytest.approx(0.028, abs=0.0005)
    assert rates["b > 0"].share == pytest.approx(0.172, abs=0.0005)
    assert rates["b > 8 %"].share == pytest.approx(0.0315, abs=0.0001)
    assert rates["A/D RSI < 30 and b > 8 %"].true == 33
    assert rates["divergence `resid`, sessions"].share == pytest.approx(0.40, abs=0.005)
    assert rates["divergence `gap`, sessions"].share == pytest.approx(0.43, abs=0.01)
    assert rates["divergence `sign`, sessions"].share == pytest.approx(0.60, abs=0.01)


def test_flips_are_counted_as_the_method_counts_them_and_with_the_spacing() -> None:
    assert [count for _, count in the_report().flips] == [217, 132, 195, 188]


def test_the_published_page_is_what_the_command_prints() -> None:
    published = Path(__file__).parents[3] / "docs" / "evidence" / "triggers.md"
    assert published.read_text(encoding="utf-8").splitlines() == page(the_report())


def disturbed(cut: date, seed: int | None) -> Mapping[str, tuple[Observation, ...]]:
    """The history with everything known after `cut` was counted left out (no seed), or scrambled."""
    time, random = as_of(cut), Random(seed)
    found = {}
    for series, observations in real_history().items():
        past = tuple(one for one in observations if one.known_at <= time)
        future = tuple(
            Observation(one.known_at, one.period, one.value * random.uniform(0.3, 3.0))
            for one in observations
            if one.known_at > time and seed is not None and random.random() < 0.8
        )
        found[series] = past + future
    return found


@settings(max_examples=3)
@given(
    st.sampled_from(sessions(date(2007, 5, 1), date(2023, 11, 30))),
    st.none() | st.integers(0, 1000),
    st.sampled_from(sorted(PACKS)),
)
def test_no_reading_changes_when_the_future_is_cut_off_or_scrambled(
    cut: date, seed: int | None, pack: str
) -> None:
    rules = PACKS[pack].applied(base_rules())
    walk = Walk(session_inputs(disturbed(cut, seed), session_offset(cut, 15), base_rules()))
    ours = [day for day in walk.days(rules) if day.date <= cut]
    whole = [day for day in real_walk().days(rules) if day.date <= cut]
    assert ours == whole
    assert ours[-1].date == cut


def test_scrambling_the_future_does_change_the_future() -> None:
    cut = date(2020, 2, 26)
    walk = Walk(session_inputs(disturbed(cut, 1), session_offset(cut, 5), base_rules()))
    ours = {day.date: as_json(day) for day in walk.days(base_rules())}
    whole = {day.date: as_json(day) for day in real_walk().days(base_rules())}
    after = session_offset(cut, 1)
    assert ours[cut] == whole[cut]
    assert ours[after] != whole[after]


def test_files_that_end_on_a_day_give_the_same_readings_up_to_it(tmp_path: Path) -> None:
    cut = date(2011, 8, 8)
    for path in sorted(DATA.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = [rows[0], *(row for row in rows[1:] if row[0] <= cut.isoformat())]
        with (tmp_path / path.name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(kept)
    ours = Walk(session_inputs(read_history(tmp_path), cut, base_rules())).days(base_rules())
    whole = [day for day in real_walk().days(base_rules()) if day.date <= cut]
    assert [as_json(day) for day in ours] == [as_json(day) for day in whole]
