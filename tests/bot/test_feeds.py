"""Slow series: each value with the moment from which it was known, and files that do not read are refused."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from bot import feeds
from bot.errors import FeedError
from bot.events import DISTRIBUTION, Alert, ObservationsKnown
from bot.feeds import NotPublishedError, PublishedFeeds, answered_by, history_observations, over_http
from bot.port import SlowFeeds
from bot.publications import gaps, known_at, net_advances
from market.series import Observation, Series
from market.sessions import MARKET_TZ, next_session, sessions
from simulator.publications import respond
from simulator.stochastic import StochasticMarket

VALIDATION_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
BREADTH = "date,advances,declines\n2020-03-12,100,2800\n2020-03-13,2500,400\n"
ADDRESSES = {
    "reer": "https://example.org/graph/fredgraph.csv?id=RBUSBIS",
    "ppi": "https://example.org/graph/fredgraph.csv?id=PPIACO",
    "treasury_10y": "https://example.org/graph/fredgraph.csv?id=DGS10",
    "baa": "https://example.org/graph/fredgraph.csv?id=DBAA",
    "fed_funds": "https://example.org/graph/fredgraph.csv?id=DFF",
    "vix": "https://example.org/api/global/us_indices/daily_prices/VIX_History.csv",
    "vvix": "https://example.org/api/global/us_indices/daily_prices/VVIX_History.csv",
    "breadth": "https://example.org/breadth.csv",
    "vx_settlement": "https://example.org/us/futures/market_statistics/settlement/csv?dt={date}",
}


class FixedClock:
    """A clock that stands until the test moves it."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    async def sleep_until(self, time: datetime) -> None:
        self.time = max(self.time, time)


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=MARKET_TZ)


def embedded(now: datetime, notify: Callable[[Alert], None] | None = None, **changes: str) -> PublishedFeeds:
    market = StochasticMarket(3, now)
    addresses = {name: changes.get(name, url) for name, url in ADDRESSES.items()}
    fetch = answered_by(lambda path: respond(market, path))
    return PublishedFeeds(fetch, addresses, FixedClock(now), notify=notify or (lambda _: None))


async def test_the_stand_ins_warm_up_every_series_and_nothing_is_known_too_early() -> None:
    now = datetime(2020, 3, 16, 13, 10, tzinfo=UTC)
    alerts: list[Alert] = []
    last = date(2020, 3, 13)
    known = await embedded(now, alerts.append).warm_up(last, 300)
    by_series = {series.series: series.observations for series in known}
    plain = {"reer", "ppi", "treasury_10y", "baa", "fed_funds", "vix", "vvix", "nyse_net_advances"}
    assert plain <= set(by_series)
    assert len(by_series["nyse_net_advances"]) == 301
    assert gaps(by_series["nyse_net_advances"]) == ()
    assert len(by_series["reer"]) >= 60
    settlements = {name for name in by_series if name.startswith("vx_settlement:")}
    assert "vx_settlement:2020-03-18" in settlements
    assert {seen.period for name in settlements for seen in by_series[name]} >= set(
        sessions(date(2020, 2, 14), last)
    )
    assert all(seen.known_at <= now for observations in by_series.values() for seen in observations)
    assert alerts == []


def test_the_feeds_are_what_the_daemon_expects() -> None:
    source: SlowFeeds = embedded(datetime(2020, 3, 16, 13, 10, tzinfo=UTC))
    assert isinstance(source, PublishedFeeds)


async def test_an_update_hands_over_only_what_is_new_or_revised() -> None:
    clock = FixedClock(datetime(2020, 3, 16, 13, 10, tzinfo=UTC))
    pages = {"breadth": BREADTH}

    async def fetch(url: str) -> bytes:
        return pages[url].encode()

    source = PublishedFeeds(fetch, {"breadth": "breadth"}, clock)
    first = await source.warm_up(date(2020, 3, 13), 10)
    assert [(known.series, len(known.observations)) for known in first] == [("nyse_net_advances", 2)]
    assert await source.update(date(2020, 3, 13)) == []
    clock.time = datetime(2020, 3, 17, 13, 10, tzinfo=UTC)
    pages["breadth"] = BREADTH.replace("2500", "2510") + "2020-03-16,50,2900\n"
    revised, fresh = (await source.update(date(2020, 3, 16)))[0].observations
    assert (revised.value, revised.known_at) == (2110.0, clock.time)
    assert (fresh.value, fresh.known_at) == (-2850.0, new_york(2020, 3, 17, 9).astimezone(UTC))
    series = Series("nyse_net_advances")
    for known in (*first, ObservationsKnown("nyse_net_advances", (revised, fresh))):
        series.extend(known.observations)
    assert series.known_at(datetime(2020, 3, 16, 14, tzinfo=UTC))[date(2020, 3, 13)].value == 2100.0
    assert series.known_at(clock.time)[date(2020, 3, 13)].value == 2110.0


async def test_a_value_out_before_its_rule_is_known_from_the_moment_it_was_fetched() -> None:
    clock = FixedClock(datetime(2020, 4, 20, 13, 10, tzinfo=UTC))

    async def fetch(_: str) -> bytes:
        return b"observation_date,PPIACO\n2020-02-01,196.7\n2020-03-01,193.1\n"

    known = await PublishedFeeds(fetch, {"ppi": "x"}, clock).warm_up(date(2020, 4, 17), 10)
    february, march = known[0].observations
    assert february.known_at == known_at("ppi", date(2020, 2, 1))
    assert march.known_at == clock.time


async def test_one_page_that_is_down_is_told_and_does_not_take_the_others_with_it() -> None:
    alerts: list[Alert] = []
    now = datetime(2020, 3, 16, 13, 10, tzinfo=UTC)
    source = embedded(now, alerts.append, reer="https://example.org/graph/fredgraph.csv?id=NONE")
    known = {series.series for series in await source.warm_up(date(2020, 3, 13), 60)}
    assert "reer" not in known
    assert {"ppi", "vix", "nyse_net_advances"} <= known
    assert [alert.name for alert in alerts] == ["feed.failed"]
    assert "id=NONE" in alerts[0].text


async def test_when_nothing_at_all_arrives_the_warm_up_fails() -> None:
    async def fetch(url: str) -> bytes:
        raise FeedError(f"{url}: down")

    alerts: list[Alert] = []
    source = PublishedFeeds(fetch, ADDRESSES, FixedClock(new_york(2020, 3, 16, 9)), notify=alerts.append)
    with pytest.raises(FeedError, match="no slow series"):
        await source.warm_up(date(2020, 3, 13), 60)
    with pytest.raises(FeedError):
        await source.update(date(2020, 3, 13))
    assert len(alerts) == 18


async def test_only_settlement_files_that_are_missing_are_fetched() -> None:
    asked: list[str] = []
    market = StochasticMarket(3, datetime(2020, 3, 16, 13, 10, tzinfo=UTC))

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return await answered_by(lambda path: respond(market, path))(url)

    clock = FixedClock(market.now)
    source = PublishedFeeds(
        fetch, {"vx_settlement": ADDRESSES["vx_settlement"]}, clock, settlement_files_max=7
    )
    await source.warm_up(date(2020, 3, 13), 300)
    assert len(asked) == 7
    assert asked[-1].endswith("dt=2020-03-13")
    await source.update(date(2020, 3, 13))
    assert len(asked) == 7


def transport(handler: Callable[[httpx.Request], httpx.Response]) -> Callable[..., httpx.AsyncClient]:
    real = httpx.AsyncClient
    return lambda **options: real(transport=httpx.MockTransport(handler), **options)


async def no_wait(_: float) -> None:
    return None


@pytest.mark.parametrize("first", [429, 500, 503, "error"])
async def test_a_passing_failure_is_tried_again(first: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls > 1:
            return httpx.Response(200, text="ok")
        if isinstance(first, str):
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(first)

    monkeypatch.setattr(httpx, "AsyncClient", transport(handler))
    monkeypatch.setattr(asyncio, "sleep", no_wait)
    assert await over_http()("https://example.org/x") == b"ok"
    assert calls == 2


async def test_a_page_that_stays_away_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "AsyncClient", transport(lambda _: httpx.Response(503)))
    monkeypatch.setattr(asyncio, "sleep", no_wait)
    with pytest.raises(FeedError, match=r"https://example.org/x: not reached in 3 attempts"):
        await over_http()("https://example.org/x")


@pytest.mark.parametrize(("status", "error"), [(404, NotPublishedError), (403, FeedError)])
async def test_a_page_that_is_not_there_is_not_tried_again(
    status: int, error: type[FeedError], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(status)

    monkeypatch.setattr(httpx, "AsyncClient", transport(handler))
    with pytest.raises(error):
        await over_http()("https://example.org/x")
    assert len(calls) == 1


async def test_a_page_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BODY_BYTES_MAX", 1000)
    monkeypatch.setattr(httpx, "AsyncClient", transport(lambda _: httpx.Response(200, content=b"x" * 5000)))
    with pytest.raises(FeedError, match="more than 1000 bytes"):
        await over_http()("https://example.org/x")


async def test_a_page_that_is_not_text_is_refused() -> None:
    async def fetch(_: str) -> bytes:
        return b"\xff\xfe\x00binary"

    source = PublishedFeeds(fetch, {"ppi": "x"}, FixedClock(new_york(2020, 3, 16, 9)))
    with pytest.raises(FeedError, match="no slow series"):
        await source.warm_up(date(2020, 3, 13), 10)


# ---------------------------------------------------------------- history


def test_a_folder_of_history_is_read_by_series(tmp_path: Path) -> None:
    (tmp_path / "nyse_breadth.csv").write_text(BREADTH)
    (tmp_path / "vx_settlements.csv").write_text(
        "date,final_settlement,settle,source\n2020-03-12,2020-03-18,60.5,c\n2020-03-13,2020-03-18,51.5,c\n"
        "2020-03-13,2020-04-15,42.1,c\n2015-04-03,2015-04-15,15.0,c\n"
    )
    (tmp_path / "vnq.csv").write_text("date,close,dividend\n2020-03-13,70.1,0\n2020-03-25,60.0,0.71\n")
    known = {
        series.series: series.observations
        for series in history_observations(tmp_path, date(2020, 3, 1), date(2020, 3, 31))
    }
    assert [(seen.period.day, seen.value) for seen in known["nyse_net_advances"]] == [
        (12, -2700.0),
        (13, 2100.0),
    ]
    assert [seen.value for seen in known["vx_settlement:2020-03-18"]] == [60.5, 51.5]
    assert [seen.value for seen in known["vx_settlement:2020-04-15"]] == [42.1]
    assert [seen.value for seen in known["vnq_distribution"]] == [0.71]
    assert "vx_settlement:2015-04-15" not in known


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="give the folder with the daily series"):
        history_observations(tmp_path, date(2020, 3, 1), date(2020, 3, 31))


def test_a_broken_history_names_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "vix.csv").write_text("date,close\n2020-03-13,57.8\n2020-03-16,high\n")
    with pytest.raises(FeedError, match=r"vix.csv:3: 'high' is no number"):
        history_observations(tmp_path, date(2020, 3, 1), date(2020, 3, 31))


@pytest.mark.skipif(not VALIDATION_DATA.is_dir(), reason="validation data is not at hand")
def test_real_history_reads_in_full_and_without_look_ahead() -> None:
    first, last = date(2007, 4, 2), date(2023, 12, 29)
    known = {
        series.series: series.observations for series in history_observations(VALIDATION_DATA, first, last)
    }
    assert gaps(known["nyse_net_advances"]) == ()
    assert gaps(known["vvix"]) == (date(2010, 11, 11), date(2013, 5, 13))
    assert {"reer", "ppi", "treasury_10y", "baa", "fed_funds", "vix", "vnq", "vnq_distribution"} <= set(known)
    settlements = [name for name in known if name.startswith("vx_settlement:")]
    assert len(settlements) > 200
    shut = {date(2015, 4, 3), date(2018, 12, 5)}
    for name, observations in known.items():
        assert not shut & {seen.period for seen in observations}
        for seen in observations[-30:]:
            implied = seen.source == "step between close and adjusted close"  # known with the close itself
            assert seen.known_at == known_at("vnq" if implied else name, seen.period)
            closed = datetime(seen.period.year, seen.period.month, seen.period.day, 17, tzinfo=UTC)
            assert name == DISTRIBUTION or seen.known_at > closed
    a_friday = next(seen for seen in known["nyse_net_advances"] if seen.period == date(2020, 2, 28))
    assert a_friday.known_at.astimezone(MARKET_TZ).date() == next_session(date(2020, 2, 28))


def test_an_observation_keeps_where_it_came_from() -> None:
    seen = net_advances(BREADTH, "breadth.csv")[0]
    assert seen == Observation(
        new_york(2020, 3, 13, 9).astimezone(UTC), date(2020, 3, 12), -2700.0, source="breadth.csv"
    )
