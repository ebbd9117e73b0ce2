"""Scripted markets: the path goes where the file says, and everything that hangs on it follows."""

from datetime import date, datetime
from pathlib import Path

import pytest

from market.contract import Right
from market.sessions import MARKET_TZ
from simulator.api_settings import ApiSettings
from simulator.box import PaperBox, Scripting
from simulator.clock import MarketClock
from simulator.entitlements import Entitlements
from simulator.exchange import Exchange
from simulator.faults import FaultPlanError
from simulator.instruments import future, index, option
from simulator.script import MarketScript, read_script
from simulator.stochastic import StochasticMarket
from tests.simulator.hand_market import ACCOUNT

OPENED = datetime(2026, 3, 4, 10, 0, tzinfo=MARKET_TZ)
SPX, VIX = 416904, index("VIX").con_id
CRASH = """
[[path]]
at = "11:00"
spx_pct = 0
[[path]]
at = "12:00"
spx_pct = -5
vix_pct = 60
[[event]]
kind = "halt"
symbol = "SPX"
at = "12:00"
for_s = 900
"""


def script(tmp_path: Path, text: str) -> MarketScript:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")
    return read_script(path, OPENED).market


def markets(tmp_path: Path) -> tuple[StochasticMarket, StochasticMarket]:
    free, scripted = StochasticMarket(5, OPENED, 60.0), StochasticMarket(5, OPENED, 60.0)
    scripted.follow(script(tmp_path, CRASH))
    return free, scripted


def at(hour: int, minute: int = 0, day: int = 4) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=MARKET_TZ)


@pytest.mark.parametrize(("minute", "moved_pct"), [(0, 0.0), (30, -2.5), (59, -4.9167)])
def test_the_index_goes_down_in_a_straight_line_beside_its_own_path(
    tmp_path: Path, minute: int, moved_pct: float
) -> None:
    free, scripted = markets(tmp_path)
    for market in (free, scripted):
        market.advance(at(11, minute))
    plain, moved = (market.ticks([SPX])[0].last for market in (free, scripted))
    assert plain is not None
    assert moved == pytest.approx(plain * (1.0 + moved_pct / 100.0), abs=0.02)


def test_options_futures_and_vix_follow_the_scripted_index(tmp_path: Path) -> None:
    free, scripted = markets(tmp_path)
    weekly = next(c for c in free.chains(SPX) if c.trading_class == "SPXW")
    expiry = [day for day in weekly.expiries if day.weekday() == 4][6]
    put = option("SPXW", expiry, 2900.0, Right.PUT).con_id
    vx = future(date(2026, 4, 15)).con_id
    for market in (free, scripted):
        market.advance(at(12, 30))
    before, after = (market.ticks([VIX, vx, put]) for market in (free, scripted))
    assert before[0].last is not None
    assert after[0].last == pytest.approx(before[0].last * 1.6, abs=0.02)
    assert before[1].last is not None
    assert after[1].last == pytest.approx(before[1].last * 1.3, abs=0.06)
    assert before[2].model_price is not None
    assert after[2].model_price is not None
    assert after[2].model_price > before[2].model_price * 2.0


def test_the_scripted_close_is_the_settlement_the_bar_and_the_next_days_start(tmp_path: Path) -> None:
    free, scripted = markets(tmp_path)
    for market in (free, scripted):
        market.advance(at(16, 30))
    close = scripted.ticks([SPX])[0].last
    plain = free.ticks([SPX])[0].last
    assert close is not None
    assert plain is not None
    assert close == pytest.approx(plain * 0.95, abs=0.02)
    for market in (free, scripted):
        market.advance(at(9, 31, day=5))
    assert scripted.ticks([SPX])[0].close == close
    assert scripted.bars(SPX, scripted.now, 1)[0].close == close
    assert scripted.ticks([SPX])[0].open == pytest.approx((free.ticks([SPX])[0].open or 0.0) * 0.95, abs=0.02)


def test_sessions_nobody_looked_at_follow_the_script_too(tmp_path: Path) -> None:
    free, scripted = markets(tmp_path)
    for market in (free, scripted):
        market.advance(at(12, 0, day=9))
    closes = [[bar.close for bar in market.bars(SPX, market.now, 5)] for market in (free, scripted)]
    assert closes[1][:2] == closes[0][:2]
    assert closes[1][2:] == [pytest.approx(close * 0.95, abs=0.02) for close in closes[0][2:]]


def test_a_script_leaves_the_past_alone(tmp_path: Path) -> None:
    free, scripted = markets(tmp_path)
    assert scripted.ticks([SPX, VIX]) == free.ticks([SPX, VIX])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[paths]]\nat = '11:00'", "'paths' is unknown; a script has `path`, `event`, `account`"),
        ("path = 1", "`path` is a list of tables"),
        ("[[path]]\nat = '11:00'\nspx = -3", "path 1: 'spx' is unknown"),
        ("[[path]]\nat = '11:00'\nspx_pct = 'down'", "'spx_pct' is a number of percent"),
        ("[[path]]\nat = '11:00'\nspx_pct = -99", "'spx_pct' lies between -95 and 1000"),
        ("[[path]]\nat = '12:00'\n[[path]]\nat = '11:00'", "path 2 lies before the one above it"),
        ("account = 1", "`account` is a table"),
        ("[account]\nlimes = 3", "account: 'limes' is unknown; it may have credit_pct"),
        ("[account]\nlines = -3", "'lines' is a whole number from 0 on, not -3"),
        ("[account]\nread_only = 1", "'read_only' is true or false, not 1"),
        ("[account]\nnot_subscribed = 'SPX'", "'not_subscribed' is a list of symbols, not 'SPX'"),
        ("[account]\ncredit_pct = true", "'credit_pct' is a number of percent a year from 0 to 100"),
        ("[[event]]\nkind = 'drop'\nmessage = '*'", "'drop' strikes messages and belongs in a fault plan"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(FaultPlanError) as refused:
        script(tmp_path, text)
    assert complaint in str(refused.value)


def test_events_of_a_script_are_read_beside_the_path(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text(CRASH, encoding="utf-8")
    (event,) = read_script(path, OPENED).events
    assert (event.kind, event.symbol, event.after_s, event.for_s) == ("halt", "SPX", 7200.0, 900.0)


def test_what_a_script_says_of_the_account_holds_for_its_clients(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text(
        "[account]\nlines = 2\nnot_subscribed = ['VIX']\nwithout_api = ['SPY']\ndelayed_data = true\n"
        "messages_per_s = 40\nread_only = true\nmaster_client = 9\ncredit_pct = 3.6\n",
        encoding="utf-8",
    )
    market = StochasticMarket(5, OPENED, 60.0)
    clock = MarketClock(lambda: OPENED, OPENED, 0.0)
    box = PaperBox(Exchange(market, ACCOUNT), clock, Scripting(script=path))
    rights, house = box.gateway.entitlements, box.gateway.settings
    assert [rights.live(symbol) for symbol in ("VIX", "SPY", "SPX")] == [False, False, True]
    assert (rights.lines, rights.delayed_data) == (2, True)
    assert (house.messages_per_s, house.read_only, house.master_client_id) == (40, True, 9)
    box.advance(36 * 3600.0)
    accrued = next(value for key, value, _ in box.gateway.venue.account_values() if key == "AccruedCash")
    assert accrued == f"{990_000 * 0.036 / 360:.2f}"


def test_a_script_that_is_silent_about_the_account_changes_nothing(tmp_path: Path) -> None:
    rights, house = Entitlements(lines=7), ApiSettings(read_only=True)
    path = tmp_path / "script.toml"
    path.write_text("[account]\n", encoding="utf-8")
    found = read_script(path, OPENED).account
    found.apply(rights, house)
    assert (rights, house, found.interest) == (Entitlements(lines=7), ApiSettings(read_only=True), None)
