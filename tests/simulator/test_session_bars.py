"""Bars that sessions leave behind agree with what was quoted, whatever the instrument."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from market.contract import Right
from market.sessions import MARKET_TZ
from simulator.instruments import future, index, option, stock
from simulator.script import read_script
from simulator.stochastic import StochasticMarket

NOW = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
AFTER_CLOSE = datetime(2026, 3, 4, 22, 0, tzinfo=UTC)
SYMBOLS = ("SPX", "VIX", "XSP", "VVIX", "VIX9D", "VIX3M", "TNX")
STOCKS = ("SPY", "VNQ", "VXX", "UVXY")


@pytest.fixture(scope="module")
def market() -> StochasticMarket:
    return StochasticMarket(3, NOW, 30.0)


def undated() -> list[int]:
    return [index(symbol).con_id for symbol in SYMBOLS] + [stock(symbol).con_id for symbol in STOCKS]


@pytest.mark.parametrize("con_id", undated())
def test_the_newest_bar_ends_at_the_last_price(market: StochasticMarket, con_id: int) -> None:
    (tick,) = market.ticks([con_id])
    bars = market.bars(con_id, NOW, 1, 300)
    assert len(bars) == 19  # from half past nine to eleven, which begins the last one
    assert bars[-1].close == tick.last
    assert bars[0].time == datetime(2026, 3, 4, 14, 30, tzinfo=UTC)
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high


@pytest.mark.parametrize("name", ["VX", "VXM"])
def test_futures_have_bars_on_their_own_steps(market: StochasticMarket, name: str) -> None:
    settles = market.find(trading_class=name)[0].contract.expiry
    assert settles is not None
    con_id = future(settles, name).con_id
    (tick,) = market.ticks([con_id])
    bars = market.bars(con_id, NOW, 2, 3600)
    assert bars[-1].close == tick.last
    steps = 100.0 if name == "VXM" else 20.0
    assert all(
        abs(price * steps - round(price * steps)) < 1e-9 for bar in bars for price in (bar.open, bar.high)
    )


def test_options_breadth_and_gone_futures_have_no_bars(market: StochasticMarket) -> None:
    expiry = market.find(symbol="SPX", trading_class="SPXW", right="P")[0].contract.expiry
    assert expiry is not None
    ids = [option("SPXW", expiry, 3000.0, Right.PUT).con_id, index("AD-NYSE").con_id]
    ids.append(future(datetime(2026, 1, 21, tzinfo=UTC).date()).con_id)
    assert [len(market.bars(con_id, NOW, 1, 300)) for con_id in ids] == [0, 0, 0]


def test_a_bar_finer_than_the_markets_steps_is_not_kept(market: StochasticMarket) -> None:
    assert market.bars(416904, NOW, 1, 15) == []
    assert len(market.bars(416904, NOW, 1, 30)) == 181


@pytest.mark.parametrize("con_id", undated())
def test_the_bars_within_a_day_have_its_daily_open_high_low_and_close(con_id: int) -> None:
    market = StochasticMarket(3, NOW, 30.0)
    market.advance(AFTER_CLOSE)
    (day,) = market.bars(con_id, AFTER_CLOSE, 1)
    within = market.bars(con_id, AFTER_CLOSE, 1, 1800)
    assert within[-1].close == pytest.approx(day.close, abs=0.006)
    if day.high != day.low:  # where the record has more than a close
        assert (within[0].open, max(bar.high for bar in within)) == (day.open, day.high)
        assert min(bar.low for bar in within) == day.low


def test_bars_of_a_scripted_session_stay_scripted_on_the_next_day(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text("[[path]]\nat = '12:00'\nspx_pct = -5\n", encoding="utf-8")
    opened = NOW.astimezone(MARKET_TZ)
    market = StochasticMarket(3, opened, 30.0)
    market.follow(read_script(path, opened).market)
    market.advance(AFTER_CLOSE)
    today = market.bars(416904, AFTER_CLOSE, 1, 1800)
    market.advance(AFTER_CLOSE + timedelta(hours=18))
    tomorrow = market.bars(416904, AFTER_CLOSE, 1, 1800)
    assert tomorrow == today
