"""The trigger report counts runs, flips and falls as it says, and follows each fire to its end."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bot.review.inputs import read_history, session_inputs
from bot.review.signals import Day, Walk
from bot.review.trigger_text import page
from bot.review.triggers import Fire, base_rate, falls, flips, report
from market.sessions import sessions
from strategies.packs import PACKS
from strategies.session_inputs import SessionInputs
from tests.bot.review.daily_history import base_rules, write_history

DAYS = sessions(date(2020, 1, 2), date(2020, 12, 31))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = write_history(tmp_path_factory.mktemp("history"), date(2019, 6, 3), date(2020, 6, 30))
    return Walk(session_inputs(read_history(folder), date(2020, 6, 30), base_rules()))


def fire(day: date, layer: str = "L1") -> Fire:
    return Fire(layer, day, 30.0, None, None, (), (), None, async_spot=False, short_window=False)


def with_spx(walk: Walk, closes: list[float | None]) -> list[SessionInputs]:
    return [replace(walk.inputs[0], session=day, spx=close) for day, close in zip(DAYS, closes, strict=False)]


def with_histogram(walk: Walk, values: list[float | None]) -> list[Day]:
    day = walk.days(base_rules())[0]
    readings = day.mid.readings
    return [
        replace(
            day,
            inputs=replace(day.inputs, session=session),
            mid=replace(day.mid, readings=(replace(readings[0], value=value), *readings[1:])),
        )
        for session, value in zip(DAYS, values, strict=False)
    ]


def test_a_rate_counts_known_sessions_and_runs_across_unknown_ones() -> None:
    rate = base_rate("x", [None, True, None, True, False, True])
    assert (rate.known, rate.true, rate.episodes) == (4, 3, 2)
    assert rate.share == 0.75
    assert base_rate("x", [None]).share == 0.0


@pytest.mark.parametrize(
    ("minimum", "spacing", "on_crossing", "expected"),
    [
        (0.0, 0, False, [1, 5, 9]),
        (0.1, 0, True, [5, 9]),
        (0.1, 0, False, [2, 5, 9]),
        (0.1, 3, False, [2, 9]),
    ],
)
def test_flips_by_each_definition(
    walk: Walk, minimum: float, spacing: int, on_crossing: bool, expected: list[int]
) -> None:
    values = [-0.2, 0.05, 0.2, 0.3, -0.1, 0.1, 0.2, -0.1, None, 0.3, 0.4]
    found = flips(with_histogram(walk, values), minimum, spacing, on_crossing=on_crossing)
    assert found == [DAYS[n] for n in expected]


def test_a_fall_runs_from_the_highest_close_to_the_lowest_and_ends_ten_percent_above_it(walk: Walk) -> None:
    closes = [100.0, 110.0, 105.0, None, 98.0, 90.0, 97.0, 99.5, 101.0, 91.5, 90.9, 80.0]
    first, second = falls(with_spx(walk, [*closes]), [fire(DAYS[5]), fire(DAYS[7]), fire(DAYS[11], "L3")])
    assert (first.peak, first.trough) == (DAYS[1], DAYS[5])
    assert first.depth == pytest.approx(1 - 90 / 110)
    assert first.first[0] is not None
    assert first.first[0][3] == pytest.approx(1.0)
    assert first.first[0][2] == 3  # the missing close does not count
    assert first.first[1:] == (None, None)
    assert (second.peak, second.trough) == (DAYS[8], DAYS[11])
    assert second.first[0] is None
    assert second.first[2] is not None
    assert second.first[2][0] == "L3"


def test_nine_percent_is_no_fall(walk: Walk) -> None:
    assert list(falls(with_spx(walk, [100.0, 91.0, 100.0, 90.5]), [])) == []


def test_the_page_of_a_made_up_market_tells_its_one_fire_and_its_one_fall(walk: Walk) -> None:
    told = report(walk, base_rules(), [PACKS["seed"]], date(2020, 1, 2), date(2020, 6, 30))
    fired = told.packs[0].of("L1")
    assert len(fired) == 1
    shock = walk.inputs[len(walk.inputs) * 2 // 3].session
    assert fired[0].date >= shock
    assert fired[0].vix == 45.0
    assert len(told.falls) == 1
    assert told.falls[0].first[0] is not None
    text = "\n".join(page(told))
    assert f"| seed | L1 | {fired[0].date} | 45.0 |" in text
    assert "claims are inconclusive" in text
    assert "Against the method's stated figures" not in text  # another span than the method's


def test_what_followed_a_fire_is_measured_from_the_next_session_on(walk: Walk) -> None:
    told = report(walk, base_rules(), [PACKS["seed"]], date(2020, 1, 2), date(2020, 6, 30))
    one = told.packs[0].of("L1")[0]
    place = [seen.session for seen in walk.inputs].index(one.date)
    start, end = walk.inputs[place + 1], walk.inputs[place + 6]
    assert start.spx is not None
    assert end.spx is not None
    assert one.spx_after[0] == pytest.approx(end.spx / start.spx - 1)


def test_a_report_over_the_last_sessions_leaves_unknown_what_has_not_happened_yet(tmp_path: Path) -> None:
    folder = write_history(tmp_path / "h", date(2019, 6, 3), date(2020, 6, 30))
    everything = Walk(session_inputs(read_history(folder), date(2020, 6, 30), base_rules()))
    day = next(day.date for day in everything.days(base_rules()) if day.fires)
    told = report(
        Walk(session_inputs(read_history(folder), day, base_rules())), base_rules(), [PACKS["seed"]], day, day
    )
    assert told.packs[0].fires[0].spx_after == (None, None)
