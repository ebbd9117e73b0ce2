"""The market of recorded sessions: each day's own prices, and nothing the folder does not say."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Right
from market.sessions import MARKET_TZ, regular_hours, sessions, vx_settlement_instant, vx_settlements_after
from simulator.days import Ohlc
from simulator.historical import HistoricalMarket
from simulator.instruments import future, index, option, stock
from simulator.paths import noise, ohlc_line

SPX, VIX = 416904, 13455763
AD, VVIX, TNX = (index(symbol).con_id for symbol in ("AD-NYSE", "VVIX", "TNX"))
VNQ = stock("VNQ").con_id
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"

real_data = pytest.mark.skipif(not REAL.is_dir(), reason="no validation data beside the project")


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=MARKET_TZ)


def write(folder: Path, name: str, header: str, rows: Sequence[Sequence[object]]) -> None:
    lines = [header, *(",".join(str(value) for value in row) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")


def bar(random: Random, start: float) -> tuple[float, float, float, float]:
    opened, closed = (round(start * (1.0 + random.uniform(-0.02, 0.02)), 2) for _ in range(2))
    high = round(max(opened, closed) * (1.0 + random.choice([0.0, 0.01])), 2)
    low = round(min(opened, closed) * (1.0 - random.choice([0.0, 0.01])), 2)
    return opened, high, low, closed


def make_folder(folder: Path, first: date, last: date, seed: int = 1) -> tuple[date, ...]:
    """A synthetic archive of the sessions from `first` to `last`; returns them."""
    random, days = Random(seed), sessions(first, last)
    for name, start in (("spx.csv", 1500.0), ("vix.csv", 20.0)):
        write(folder, name, "date,open,high,low,close", [(day, *bar(random, start)) for day in days])
    write(folder, "vvix.csv", "date,close", [(day, round(random.uniform(80, 110), 2)) for day in days])
    curve = [
        (day, expiry, round(19.0 + 0.5 * place + random.choice([0.0, 0.025, 0.05]), 3), "curve")
        for day in days
        for place, expiry in enumerate(vx_settlements_after(day, 9))
    ]
    write(folder, "vx_settlements.csv", "date,final_settlement,settle,source", curve)
    counts = [(day, random.randint(200, 2800), random.randint(200, 2800)) for day in days]
    write(folder, "nyse_breadth.csv", "date,advances,declines", counts)
    rates = [(day, round(random.uniform(2, 4), 2), round(random.uniform(5, 7), 2), 1.5) for day in days]
    write(folder, "rates.csv", "date,treasury_10y_pct,baa_yield_pct,fed_funds_pct", rates)
    houses = [(day, *bar(random, 70.0), 0, 0) for day in days]
    write(folder, "vnq.csv", "date,open,high,low,close,dividend,adj_close", houses)
    return days


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path, date(2020, 9, 1), date(2020, 12, 31))
    return tmp_path


def rows(folder: Path, name: str) -> Mapping[str, list[str]]:
    lines = (folder / name).read_text(encoding="ascii").splitlines()[1:]
    return {line[:10]: line.split(",")[1:] for line in lines}


def walk(market: HistoricalMarket, con_id: int, day: date) -> list[float]:
    """Prices of every minute of the cash session."""
    opening, close = regular_hours(day)
    seen = []
    moment = opening
    while moment <= close:
        market.advance(moment)
        last = market.ticks([con_id])[0].last
        assert last is not None
        seen.append(last)
        moment += timedelta(minutes=1)
    return seen


# ---------------------------------------------------------------- paths


@settings(max_examples=200, deadline=None)
@given(
    corners=st.tuples(*[st.floats(1.0, 5000.0).map(lambda price: round(price, 3))] * 4),
    seed=st.integers(0, 10**6),
    steps=st.integers(4, 400),
    data=st.data(),
)
def test_a_line_touches_exactly_the_open_the_extremes_and_the_close(
    corners: tuple[float, ...], seed: int, steps: int, data: st.DataObject
) -> None:
    low, *middle, high = sorted(corners)
    opened, closed = data.draw(st.permutations([data.draw(st.sampled_from([low, *middle, high])), middle[0]]))
    last = data.draw(st.integers(3, steps))
    places = data.draw(st.lists(st.integers(1, last - 1), min_size=2, max_size=2, unique=True))
    day = Ohlc(opened, high, low, closed)
    line = ohlc_line(day, noise(Random(seed), steps), last, (places[0], places[1]))
    assert (line.values[0], line.values[last], line.values[-1]) == (opened, closed, closed)
    assert (line.values.max(), line.values.min()) == (high, low)
    assert (line.highs[last], line.lows[last]) == (high, low)


def test_prices_that_are_no_range_are_refused(folder: Path) -> None:
    text = (folder / "spx.csv").read_text(encoding="ascii").splitlines()
    text[40] = f"{text[40][:10]},1500,1490,1480,1495"
    (folder / "spx.csv").write_text("\n".join(text) + "\n", encoding="ascii")
    with pytest.raises(ValueError, match=r"spx\.csv, 2020-"):
        HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))


# ---------------------------------------------------------------- sessions of a synthetic archive


def test_each_recorded_day_is_relived_with_its_own_open_high_low_and_close(folder: Path) -> None:
    market = HistoricalMarket(folder, at(date(2020, 11, 23), 9), date(2020, 12, 4))
    truth = rows(folder, "spx.csv"), rows(folder, "vnq.csv")
    for day in sessions(date(2020, 11, 23), date(2020, 12, 4)):
        seen = walk(market, SPX, day)
        assert [seen[0], max(seen), min(seen), seen[-1]] == [float(one) for one in truth[0][day.isoformat()]]
        house = market.ticks([VNQ])[0]
        assert [house.open, house.high, house.low, house.last] == [
            float(one) for one in truth[1][day.isoformat()][:4]
        ]


def test_vix_reaches_its_close_when_option_trading_ends(folder: Path) -> None:
    market = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    truth = [float(one) for one in rows(folder, "vix.csv")["2020-12-01"]]
    market.advance(at(date(2020, 12, 1), 16, 15))
    tick = market.ticks([VIX])[0]
    assert [tick.open, tick.high, tick.low, tick.last] == truth


@pytest.mark.parametrize("day", [date(2020, 10, 20), date(2020, 10, 27), date(2020, 11, 27)])
def test_vx_futures_stand_at_their_settlement_at_the_instant_of_the_day(folder: Path, day: date) -> None:
    market = HistoricalMarket(folder, at(day, 9), date(2020, 12, 31))
    market.advance(vx_settlement_instant(day))
    lines = (folder / "vx_settlements.csv").read_text(encoding="ascii").splitlines()
    settles = {
        row[1]: float(row[2]) for row in (line.split(",") for line in lines) if row[0] == day.isoformat()
    }
    assert len(settles) == 9
    for expiry, settle in settles.items():
        tick = market.ticks([future(date.fromisoformat(expiry)).con_id])[0]
        assert tick.bid is not None
        assert tick.ask is not None
        assert (tick.bid + tick.ask) / 2.0 == pytest.approx(settle, abs=0.0251)
        assert market._moment().vx_curve()[date.fromisoformat(expiry)] == settle


def test_the_last_vx_settlement_of_a_contract_is_followed_by_the_recorded_quotation(folder: Path) -> None:
    header = "date,contract,final_settlement,open,high,low,close,settle,volume,open_interest"
    quotation = ["2020-11-18", "2020-11", "2020-11-18", 0, 0, 0, 0, 23.45, 0, 10]
    other = ["2020-11-18", "2020-12", "2020-12-16", 0, 0, 0, 0, 24.0, 0, 10]
    without = HistoricalMarket(folder, at(date(2020, 11, 18), 9), date(2020, 12, 31))
    write(folder, "vx_contracts.csv", header, [quotation, other])
    market = HistoricalMarket(folder, at(date(2020, 11, 18), 9), date(2020, 12, 31))
    call = option("VIX", date(2020, 11, 18), 20.0, Right.CALL).con_id
    assert market.settlement(call) is None
    for one in (market, without):
        one.advance(at(date(2020, 11, 18), 9, 30))
    assert market.settlement(call) == 23.45
    assert without.settlement(call) == float(rows(folder, "vix.csv")["2020-11-18"][0])


def test_a_settlement_recorded_on_the_settlement_day_itself_is_not_one_of_the_day(folder: Path) -> None:
    with (folder / "vx_settlements.csv").open("a", encoding="ascii") as file:
        file.write("2020-11-18,2020-11-18,23.4,contract\n")
    market = HistoricalMarket(folder, at(date(2020, 11, 19), 10), date(2020, 12, 31))
    day, curve = market.daily_rows("vx_settlements")[-1]
    assert day == date(2020, 11, 18)
    assert list(curve) == [expiry.isoformat() for expiry in vx_settlements_after(day, 9)]


def test_final_breadth_is_the_recorded_one(folder: Path) -> None:
    market = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    market.advance(at(date(2020, 12, 1), 16, 20))
    tick = market.ticks([AD])[0]
    assert [tick.bid, tick.ask] == [float(one) for one in rows(folder, "nyse_breadth.csv")["2020-12-01"]]


def test_a_silent_series_gives_no_quote_and_no_row_but_prices_go_on(folder: Path) -> None:
    for name in ("vvix.csv", "nyse_breadth.csv", "rates.csv"):
        lines = (folder / name).read_text(encoding="ascii").splitlines()
        kept = [line for line in lines if not line.startswith("2020-12-01")]
        (folder / name).write_text("\n".join(kept) + "\n", encoding="ascii")
    (folder / "vnq.csv").unlink()
    market = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    market.advance(at(date(2020, 12, 1), 12))
    assert [market.ticks([one])[0].last for one in (VVIX, TNX, VNQ)] == [None, None, None]
    assert market.ticks([AD])[0].bid is None
    call = option("VIX", date(2020, 12, 16), 20.0, Right.CALL).con_id
    assert market.ticks([call])[0].ask is not None
    market.advance(at(date(2020, 12, 3), 17))
    assert date(2020, 12, 1) not in [day for day, _ in market.daily_rows("vvix")]
    assert date(2020, 12, 2) in [day for day, _ in market.daily_rows("vvix")]
    assert market.daily_rows("vnq") == []


def test_a_vx_contract_missing_for_a_day_keeps_its_last_settlement(folder: Path) -> None:
    lines = (folder / "vx_settlements.csv").read_text(encoding="ascii").splitlines()
    kept = [line for line in lines if not line.startswith("2020-12-01,2021-01-20")]
    (folder / "vx_settlements.csv").write_text("\n".join(kept) + "\n", encoding="ascii")
    market = HistoricalMarket(folder, at(date(2020, 12, 1), 15), date(2020, 12, 31))
    con_id = future(date(2021, 1, 20)).con_id
    assert market.instrument(con_id) is not None
    assert market.ticks([con_id])[0].bid is not None
    market.advance(at(date(2020, 12, 2), 9))
    published = market.daily_rows("vx_settlements")[-1]
    assert published[0] == date(2020, 12, 1)
    assert "2021-01-20" not in published[1]


def test_the_market_stands_still_behind_the_end_of_its_data(folder: Path) -> None:
    market = HistoricalMarket(folder, at(date(2020, 12, 4), 15, 59), date(2020, 12, 4))
    market.advance(at(date(2020, 12, 4), 16, 20))
    last = market.ticks([SPX, VIX])
    put = market.find(trading_class="SPXW", expiry=date(2020, 12, 11), strike=1500.0, right="P")[0].contract
    market.advance(at(date(2020, 12, 9), 12))
    assert market.ticks([SPX, VIX]) == last
    assert market.ticks([put.con_id])[0].ask is not None
    market.advance(at(date(2020, 12, 11), 16))
    assert market.ticks([put.con_id])[0].ask is None
    assert market.settlement(put.con_id) is None
    assert market.is_open(SPX) is False
    assert market.bars(SPX, market.now, 1)[0].close == last[0].last


def test_a_session_missing_from_the_archive_is_skipped(folder: Path) -> None:
    lines = (folder / "spx.csv").read_text(encoding="ascii").splitlines()
    kept = [line for line in lines if not line.startswith("2020-12-02")]
    (folder / "spx.csv").write_text("\n".join(kept) + "\n", encoding="ascii")
    market = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    market.advance(at(date(2020, 12, 2), 12))
    assert market.is_open(SPX) is False
    market.advance(at(date(2020, 12, 3), 12))
    assert market.is_open(SPX) is True


def test_two_runs_over_one_archive_are_equal_and_restore_each_other(folder: Path) -> None:
    ids = [SPX, VIX, AD, VNQ, future(date(2021, 1, 20)).con_id]
    lived = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    lived.advance(at(date(2020, 12, 8), 11))
    fresh = HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 31))
    fresh.load(lived.dump())
    assert fresh.ticks(ids) == lived.ticks(ids)
    with pytest.raises(ValueError, match="another market"):
        HistoricalMarket(folder, at(date(2020, 12, 1), 9), date(2020, 12, 30)).load(lived.dump())


def test_before_weeklies_existed_only_monthly_chains_are_announced(tmp_path: Path) -> None:
    make_folder(tmp_path, date(2010, 10, 1), date(2010, 12, 10))
    market = HistoricalMarket(tmp_path, at(date(2010, 11, 30), 12), date(2010, 12, 10))
    assert {chain.trading_class for chain in market.chains(SPX)} == {"SPX"}
    market.advance(at(date(2010, 12, 1), 12))
    assert {chain.trading_class for chain in market.chains(SPX)} == {"SPX", "SPXW"}


def test_a_folder_without_the_index_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HistoricalMarket(tmp_path, at(date(2020, 12, 1), 9), date(2020, 12, 31))


# ---------------------------------------------------------------- the real archive


@real_data
def test_march_2020_is_relived_to_the_cent() -> None:
    days = sessions(date(2020, 2, 24), date(2020, 3, 18))
    market = HistoricalMarket(REAL, at(days[0], 9), days[-1])
    truth = rows(REAL, "spx.csv"), rows(REAL, "vix.csv"), rows(REAL, "nyse_breadth.csv")
    for day in days:
        seen = walk(market, SPX, day)
        assert [seen[0], max(seen), min(seen), seen[-1]] == [float(one) for one in truth[0][day.isoformat()]]
        market.advance(at(day, 16, 20))
        vix, breadth = market.ticks([VIX, AD])
        assert [vix.open, vix.high, vix.low, vix.last] == [float(one) for one in truth[1][day.isoformat()]]
        assert [breadth.bid, breadth.ask] == [float(one) for one in truth[2][day.isoformat()]]


@real_data
def test_every_recorded_session_since_2007_can_be_laid_out() -> None:
    market = HistoricalMarket(REAL, at(date(2007, 4, 2), 9), date(2023, 12, 29), step_s=1800.0)
    truth = rows(REAL, "spx.csv")
    lived = 0
    for day in sessions(date(2007, 4, 2), date(2023, 12, 29))[::7]:
        market.advance(at(day, 16, 20))
        tick = market.ticks([SPX])[0]
        assert [tick.open, tick.high, tick.low, tick.last] == [float(one) for one in truth[day.isoformat()]]
        lived += 1
    assert lived > 600


@real_data
def test_an_option_bought_in_calm_2020_is_quoted_through_the_crash_and_settles() -> None:
    market = HistoricalMarket(REAL, at(date(2020, 2, 18), 12), date(2020, 4, 30))
    put = market.find(trading_class="SPXW", expiry=date(2020, 4, 3), strike=2900.0, right="P")[0]
    bought = market.ticks([put.contract.con_id])[0].ask
    market.advance(at(date(2020, 3, 16), 15))
    near_money = option("SPXW", date(2020, 4, 17), 2400.0, Right.PUT).con_id
    crash, at_the_money = market.ticks([put.contract.con_id, near_money])
    assert bought is not None
    assert crash.bid is not None
    assert crash.bid > 10.0 * bought
    assert at_the_money.implied_volatility is not None
    assert 0.55 < at_the_money.implied_volatility < 0.85
    market.advance(at(date(2020, 4, 3), 16))
    assert market.settlement(put.contract.con_id) == 2488.65
    assert market.now == at(date(2020, 4, 3), 16).astimezone(UTC)
