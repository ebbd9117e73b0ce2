"""Published files: when each value was known, and what a file must be like to be believed."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from bot.errors import FeedError
from bot.publications import cboe_history, cfe_settlements, fred, gaps, known_at, net_advances
from market.sessions import MARKET_TZ, is_early_close, sessions, vix_expiries
from simulator.releases import public_at

BREADTH = "date,advances,declines\n2020-03-12,100,2800\n2020-03-13,2500,400\n"


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=MARKET_TZ)


@pytest.mark.parametrize(
    ("series", "period", "moment"),
    [
        ("nyse_net_advances", date(2020, 3, 13), new_york(2020, 3, 16, 9)),
        ("nyse_net_advances", date(2021, 3, 12), new_york(2021, 3, 15, 9)),  # over a change of clocks
        ("vx_settlement:2020-03-18", date(2020, 3, 13), new_york(2020, 3, 16, 9)),
        ("vix", date(2020, 3, 13), new_york(2020, 3, 13, 16, 20)),
        ("vvix", date(2020, 11, 27), new_york(2020, 11, 27, 13, 20)),  # half day
        ("vnq", date(2020, 3, 13), new_york(2020, 3, 13, 16, 20)),
        ("vnq_distribution", date(2020, 3, 25), new_york(2020, 3, 25, 9)),
        ("treasury_10y", date(2020, 3, 13), new_york(2020, 3, 16, 16, 20)),
        ("baa", date(2020, 11, 25), new_york(2020, 11, 27, 16, 20)),
        ("reer", date(2020, 3, 1), new_york(2020, 4, 30, 16, 20)),
        ("ppi", date(2020, 12, 1), new_york(2021, 1, 29, 16, 20)),
    ],
)
def test_a_value_is_known_when_its_publication_rule_says_so(
    series: str, period: date, moment: datetime
) -> None:
    assert known_at(series, period) == moment.astimezone(UTC)


def test_a_series_without_a_rule_is_refused() -> None:
    with pytest.raises(FeedError, match="no publication rule"):
        known_at("moon_phase", date(2020, 3, 13))


def test_no_value_counts_as_known_before_the_stand_ins_publish_it() -> None:
    for day in sessions(date(2020, 1, 2), date(2020, 12, 30)):
        for rate in ("treasury_10y", "baa", "fed_funds"):
            assert known_at(rate, day) == public_at(rate, day)
        if not is_early_close(day):
            assert known_at("vix", day) == public_at("vix", day)
        assert known_at("nyse_net_advances", day) == public_at("breadth", day)
        assert known_at("vx_settlement:2021-01-20", day) == public_at("vx_settlements", day)
    for month in range(1, 13):
        for series in ("reer", "ppi"):
            assert known_at(series, date(2020, month, 1)) >= public_at(series, date(2020, month, 1))


# ---------------------------------------------------------------- formats


def test_breadth_becomes_net_advances() -> None:
    found = net_advances(BREADTH, "breadth.csv")
    assert [(seen.period, seen.value) for seen in found] == [
        (date(2020, 3, 12), -2700.0),
        (date(2020, 3, 13), 2100.0),
    ]


@pytest.mark.parametrize("header", ["observation_date,DGS10", "DATE,DGS10", "\ufeffobservation_date,DGS10"])
def test_fred_files_skip_the_days_on_which_a_series_is_silent(header: str) -> None:
    text = f"{header}\n2020-03-12,0.88\n2020-03-13,.\n2020-03-14,0.9\n2020-03-16,\n2020-03-17,1.02\n"
    assert [(seen.period.day, seen.value) for seen in fred(text, "x", "treasury_10y")] == [
        (12, 0.88),
        (17, 1.02),
    ]


def test_cboe_histories_are_read_with_one_column_or_four() -> None:
    four = "DATE,OPEN,HIGH,LOW,CLOSE\n03/13/2020,71.0,77.5,55.1,57.83\n"
    one = "DATE,VVIX\n03/13/2020,155.6\n"
    assert cboe_history(four, "x", "vix")[0].value == 57.83
    assert cboe_history(one, "x", "vvix")[0].value == 155.6


def test_a_settlement_file_gives_one_series_for_each_monthly_contract() -> None:
    text = (
        "Product,Symbol,Expiration Date,Price\n"
        "VX,VX/H0,2020-03-18,51.525\nVX,VX13/H0,2020-03-25,49.0\nVX,VX/J0,2020-04-15,42.1\nVXM,VXM/J0,2020-04-15,42.1\n"
    )
    found = cfe_settlements(text, "x", date(2020, 3, 13))
    assert [(known.series, known.observations[0].value) for known in found] == [
        ("vx_settlement:2020-03-18", 51.525),
        ("vx_settlement:2020-04-15", 42.1),
    ]
    assert found[0].observations[0].period == date(2020, 3, 13)
    assert vix_expiries(date(2020, 3, 18), date(2020, 3, 18))


Read = Callable[[str], object]


def read_breadth(text: str) -> object:
    return net_advances(text, "b.csv")


def read_fred(text: str) -> object:
    return fred(text, "b.csv", "baa")


def read_settlements(text: str) -> object:
    return cfe_settlements(text, "b.csv", date(2020, 3, 13))


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (read_breadth, "", "empty: fetch"),
        (read_breadth, "date,advances\n", "b.csv:1: no column declines"),
        (read_breadth, "date,advances,declines\n2020-03-13,1,2\n2020-03-12,1,2\n", "b.csv:3.*comes after"),
        (read_breadth, "date,advances,declines\n2020-03-13,1,2\n2020-03-13,1,2\n", "b.csv:3.*stands twice"),
        (read_breadth, "date,advances,declines\n2020-03-13,1\n", "b.csv:2: 2 cells, 3 columns"),
        (read_breadth, "date,advances,declines\nFriday,1,2\n", "b.csv:2: 'Friday' is no date"),
        (read_breadth, "date,advances,declines\n2020-02-30,1,2\n", "no date"),
        (read_breadth, "date,advances,declines\n2020-03-13,many,2\n", "b.csv:2: 'many' is no number"),
        (read_breadth, "date,advances,declines\n2020-03-13,nan,2\n", "no plausible value"),
        (read_breadth, "date,advances,declines\n2020-03-13,1e300,2\n", "no plausible value"),
        (read_fred, "<html>busy</html>\n", "not a FRED graph file"),
        (read_fred, "observation_date,DBAA\n2020-03-13,inf\n", "no plausible value"),
        (read_settlements, "Product,Symbol,Expiration Date,Price\n", "no monthly VX contract"),
        (read_settlements, "Product,Symbol,Expiration Date,Price\nVX,VX/H0,soon,1\n", "b.csv:2: 'soon'"),
    ],
)
def test_a_file_that_does_not_read_is_refused_with_its_line_and_a_remedy(
    read: Read, text: str, complaint: str
) -> None:
    with pytest.raises(FeedError, match=complaint) as refused:
        read(text)
    assert ":" in str(refused.value)


def test_missing_sessions_are_found() -> None:
    text = "date,advances,declines\n2020-03-12,1,2\n2020-03-13,1,2\n2020-03-17,1,2\n"
    assert gaps(net_advances(text, "x")) == (date(2020, 3, 16),)
    assert gaps(()) == ()
