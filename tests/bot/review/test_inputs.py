"""What was known of a session: each value from its own hour on, and nothing before it."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.engine.observations import as_of
from bot.errors import FeedError
from bot.publications import known_at
from bot.review.inputs import read_history, session_inputs
from market.series import Observation
from market.sessions import next_session, session_offset, sessions
from strategies.session_inputs import SessionInputs
from tests.bot.review.daily_history import base_rules, write_history

DAY = date(2020, 3, 4)


def observed(series: str, period: date, value: float) -> Observation:
    return Observation(known_at(series, period), period, value)


def seen(session: date, **extra: tuple[Observation, ...]) -> SessionInputs:
    """One session's view of breadth since February and of what else is given."""
    breadth = tuple(observed("nyse_net_advances", day, 10.0) for day in sessions(date(2020, 2, 3), session))
    history = {"nyse_net_advances": breadth, **extra}
    return list(session_inputs(history, session, base_rules()))[-1]


def test_a_session_is_counted_on_the_next_morning() -> None:
    assert as_of(DAY).isoformat() == "2020-03-05T14:10:00+00:00"


def test_breadth_and_closes_are_those_of_the_session_itself() -> None:
    inputs = seen(DAY, vvix=(observed("vvix", DAY, 99.0), observed("vvix", next_session(DAY), 1.0)))
    assert inputs.session == DAY
    assert inputs.net_advances == 10.0
    assert inputs.vvix == 99.0


def test_a_yield_is_known_one_session_later() -> None:
    days = [session_offset(DAY, n) for n in (-2, -1)] + [DAY]
    yields = tuple(observed("treasury_10y", day, float(n)) for n, day in enumerate(days))
    assert seen(DAY, treasury_10y=yields).treasury_10y == 0.01


def test_a_yield_older_than_five_sessions_is_unknown() -> None:
    old = {n: (observed("baa", session_offset(DAY, -n), 4.0),) for n in (5, 6)}
    assert seen(DAY, baa=old[5]).baa == 0.04
    assert seen(DAY, baa=old[6]).baa is None


def test_a_month_is_known_from_the_last_session_of_the_next_month_on() -> None:
    reer = (observed("reer", date(2020, 1, 1), 101.0),)
    assert seen(date(2020, 2, 27), reer=reer).reer == {}
    assert seen(date(2020, 2, 28), reer=reer).reer == {date(2020, 1, 1): 101.0}


def test_a_distribution_counts_from_its_ex_date_on() -> None:
    paid = (observed("vnq_distribution", DAY, 0.9),)
    assert seen(session_offset(DAY, -1), vnq_distribution=paid).distributions == ()
    assert seen(DAY, vnq_distribution=paid).distributions == ((DAY, 0.9),)


def test_a_value_published_late_is_not_seen_by_the_session_it_is_about() -> None:
    late = Observation(as_of(DAY) + timedelta(seconds=1), DAY, 99.0)
    assert seen(DAY, vvix=(late,)).vvix is None


def test_a_revision_is_seen_from_its_own_hour_on() -> None:
    first, revised = (
        Observation(as_of(DAY) + timedelta(hours=h), date(2020, 1, 1), 100.0 + h) for h in (-1, 1)
    )
    assert seen(DAY, ppi=(first, revised)).ppi == {date(2020, 1, 1): 99.0}
    assert seen(next_session(DAY), ppi=(first, revised)).ppi == {date(2020, 1, 1): 101.0}


def test_a_folder_gives_every_series_with_its_hour(tmp_path: Path) -> None:
    history = read_history(write_history(tmp_path / "h"))
    assert {"spx", "fed_funds", "vnq_distribution", "reer", "ppi", "treasury_10y"} <= history.keys()
    assert history["spx"][0].known_at == known_at("vix", history["spx"][0].period)
    assert history["fed_funds"][0].known_at == known_at("treasury_10y", history["fed_funds"][0].period)
    assert [one.value for one in history["vnq_distribution"]] == [0.9, 0.9]


def test_a_distribution_that_is_not_stated_is_implied_by_the_adjusted_close(tmp_path: Path) -> None:
    folder = write_history(tmp_path / "h")
    rows = [
        "2020-03-02,100.0,0,50.0",
        "2020-03-03,100.0,0.5,50.25",
        "2020-03-04,99.0,,50.25",
        "2020-03-05,98.0,,50.0",
    ]
    # On the 4th the scale rises from .5025 to .507576: 1 - .5025 / .507576 = 1 % of the close before.
    (folder / "vnq.csv").write_text("date,close,dividend,adj_close\n" + "\n".join(rows) + "\n")
    paid = {one.period: one.value for one in read_history(folder)["vnq_distribution"]}
    assert paid[date(2020, 3, 3)] == 0.5
    assert paid[date(2020, 3, 4)] == pytest.approx(1.0, abs=1e-6)
    assert set(paid) == {date(2020, 3, 3), date(2020, 3, 4), date(2020, 3, 5)}


def test_a_history_without_breadth_is_refused() -> None:
    with pytest.raises(FeedError, match="breadth"):
        list(session_inputs({}, DAY, base_rules()))
