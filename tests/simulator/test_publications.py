"""The web stand-ins: what is published when, and in whose format."""

from datetime import date, datetime, timedelta

import pytest

from market.sessions import MARKET_TZ, next_session, previous_session
from simulator.publications import respond
from simulator.releases import SERIES, public_at
from simulator.stochastic import StochasticMarket

DAY = date(2026, 3, 4)


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=MARKET_TZ)


def table(market: StochasticMarket, path: str) -> list[list[str]]:
    status, kind, body = respond(market, path)
    assert (status, kind) == (200, "text/csv; charset=utf-8")
    text = body.decode("ascii")
    assert text.endswith("\n")
    return [line.split(",") for line in text.splitlines()]


def market_at(moment: datetime) -> StochasticMarket:
    return StochasticMarket(6, moment, 60.0, "shock")


@pytest.mark.parametrize(
    ("series", "day", "moment"),
    [
        ("vvix", DAY, at(DAY, 16, 20)),
        ("spx", DAY, at(DAY, 16, 20)),
        ("vx_settlements", date(2026, 3, 6), at(date(2026, 3, 9), 9)),
        ("breadth", DAY, at(date(2026, 3, 5), 9)),
        ("treasury_10y", DAY, at(date(2026, 3, 5), 16, 20)),
        ("baa", date(2026, 3, 6), at(date(2026, 3, 9), 16, 20)),
        ("reer", date(2022, 7, 1), at(date(2022, 8, 18), 9)),
        ("reer", date(2022, 8, 1), at(date(2022, 9, 22), 9)),
        ("reer", date(2022, 9, 1), at(date(2022, 10, 20), 9)),
        ("reer", date(2022, 10, 1), at(date(2022, 11, 17), 9)),
        ("reer", date(2022, 11, 1), at(date(2022, 12, 22), 9)),
        ("ppi", date(2025, 12, 1), at(date(2026, 1, 13), 8, 30)),
    ],
)
def test_a_row_becomes_public_at_its_own_time(series: str, day: date, moment: datetime) -> None:
    assert public_at(series, day) == moment


@pytest.mark.parametrize("series", [name for name in SERIES if name != "vnq_dividends"])
def test_no_row_is_given_a_second_before_its_time_and_every_row_from_then_on(series: str) -> None:
    market = market_at(at(date(2026, 3, 2), 9))
    day = date(2026, 2, 1) if series in ("reer", "ppi") else DAY
    moment = public_at(series, day)
    market.advance(moment - timedelta(seconds=1))
    before = market.daily_rows(series)
    market.advance(moment)
    after = market.daily_rows(series)
    assert day not in [one for one, _ in before]
    assert after[-1][0] == day
    assert after[:-1] == before
    assert [one for one, _ in after] == sorted({one for one, _ in after})


def test_an_unknown_series_is_an_error() -> None:
    with pytest.raises(KeyError):
        market_at(at(DAY, 12)).daily_rows("tea_leaves")


def test_yields_come_as_fred_graph_csv_within_the_span_asked_for() -> None:
    market = market_at(at(DAY, 17))
    lines = table(market, "/graph/fredgraph.csv?id=DGS10,DBAA&cosd=2026-02-23&coed=2026-03-04")
    assert lines[0] == ["observation_date", "DGS10", "DBAA"]
    assert [line[0] for line in lines[1:]] == [
        "2026-02-23", "2026-02-24", "2026-02-25", "2026-02-26", "2026-02-27", "2026-03-02", "2026-03-03",
    ]  # fmt: skip
    record = market._source.days(date(2026, 3, 3))[-1]
    assert lines[-1][1:] == [f"{record.treasury_10y_pct:g}", f"{record.baa_yield_pct:g}"]


def test_series_of_different_rhythm_share_a_table_with_dots() -> None:
    lines = table(market_at(at(DAY, 17)), "/graph/fredgraph.csv?id=DFF,PPIACO&cosd=2026-01-01")
    first = {line[0]: line[1:] for line in lines[1:]}
    assert first["2026-01-01"][0] == "."
    assert float(first["2026-01-01"][1]) > 0.0
    assert first["2026-01-02"][1] == "."


def test_cboe_histories_come_in_cboes_own_columns() -> None:
    market = market_at(at(DAY, 16, 20))
    folder = "/api/global/us_indices/daily_prices"
    assert table(market, f"{folder}/VIX_History.csv")[0] == ["DATE", "OPEN", "HIGH", "LOW", "CLOSE"]
    assert table(market, f"{folder}/VIX3M_History.csv")[0] == ["DATE", "OPEN", "HIGH", "LOW", "CLOSE"]
    lines = table(market, f"{folder}/VVIX_History.csv")
    assert lines[0] == ["DATE", "VVIX"]
    assert lines[-1] == ["03/04/2026", f"{market._day.vvix:.6f}"]
    assert len(lines) > 300


def test_settlements_of_a_session_are_out_the_next_morning_at_nine() -> None:
    market = market_at(at(DAY, 9))
    path = f"/us/futures/market_statistics/settlement/csv?dt={DAY}"
    market.advance(at(next_session(DAY), 8, 59, 59))
    assert respond(market, path)[0] == 404
    latest = table(market, "/us/futures/market_statistics/settlement/csv")
    market.advance(at(next_session(DAY), 9))
    lines = table(market, path)
    assert lines[0] == ["Product", "Symbol", "Expiration Date", "Price"]
    curve = market._source.days(DAY)[-1].vx
    assert [(line[2], float(line[3])) for line in lines[1:]] == [
        (expiry.isoformat(), settle) for expiry, settle in curve.items()
    ]
    assert lines[1][:2] == ["VX", "VX/H6"]
    assert latest == table(market, f"/us/futures/market_statistics/settlement/csv?dt={previous_session(DAY)}")


def test_breadth_of_a_session_is_in_the_file_the_next_morning() -> None:
    market = market_at(at(next_session(DAY), 9))
    lines = table(market, "/breadth.csv")
    record = market._source.days(DAY)[-1]
    assert lines[0] == ["date", "advances", "declines"]
    assert lines[-1] == [DAY.isoformat(), str(record.advances), str(record.declines)]


def test_four_dividends_a_year_are_known_on_their_ex_dates() -> None:
    lines = table(market_at(at(DAY, 9)), "/vnq_dividends.csv")
    assert lines[0] == ["ex_date", "amount"]
    last_year = [float(line[1]) for line in lines[1:] if line[0].startswith("2025")]
    assert len(last_year) == 4
    assert all(0.3 < amount < 3.0 for amount in last_year)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/graph/fredgraph.csv", 404),
        ("/graph/fredgraph.csv?id=NOSUCH", 404),
        ("/graph/fredgraph.csv?id=DGS10&cosd=yesterday", 400),
        ("/us/futures/market_statistics/settlement/csv?dt=03/04/2026", 400),
        ("/us/futures/market_statistics/settlement/csv?dt=2026-03-07", 404),
        ("/api/global/us_indices/daily_prices/SKEW_History.csv", 404),
        ("/api/global/us_indices/daily_prices/VIX.csv", 404),
        ("//[", 404),
        ("/%0Aodd%0A", 404),
    ],
)
def test_what_no_page_knows_is_refused_in_one_line_of_text(path: str, status: int) -> None:
    answer = respond(market_at(at(DAY, 12)), path)
    assert answer[0] == status
    assert answer[1].startswith("text/plain")
    assert answer[2].count(b"\n") == 1


def test_equal_markets_answer_with_equal_bytes() -> None:
    path = "/graph/fredgraph.csv?id=DGS10,DBAA,DFF,RBUSBIS,PPIACO"
    assert respond(market_at(at(DAY, 12)), path) == respond(market_at(at(DAY, 12)), path)
