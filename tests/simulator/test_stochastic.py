"""The generated market: determinism, honest days, and the selling that the shock scenario promises."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import mean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Right, SecurityType
from market.sessions import MARKET_TZ, front_vx_pair, next_session, previous_session, sessions
from simulator.days import SessionDay
from simulator.generator import HISTORY_SESSIONS, GeneratedDays, Scenario
from simulator.instruments import future, index, option, stock
from simulator.stochastic import StochasticMarket

FIRST = date(2026, 3, 2)
START = datetime(2026, 3, 2, 9, 0, tzinfo=MARKET_TZ)
SPX, VIX = 416904, 13455763
AD = index("AD-NYSE").con_id
EXPIRY = date(2026, 4, 17)
MIXED = (
    SPX,
    VIX,
    AD,
    *(index(symbol).con_id for symbol in ("VVIX", "VIX9D", "VIX3M", "TNX")),
    stock("VNQ").con_id,
    stock("SPY").con_id,
    future(date(2026, 3, 18)).con_id,
    future(date(2026, 4, 15)).con_id,
    option("SPXW", EXPIRY, 2800.0, Right.PUT).con_id,
    option("SPX", EXPIRY, 3100.0, Right.CALL).con_id,
    option("VIX", date(2026, 4, 15), 20.0, Right.CALL).con_id,
)


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=MARKET_TZ)


def net_advances_rsi(days: Sequence[SessionDay]) -> list[float]:
    """Wilder's RSI(14) of the advance-decline line, whose changes are the net advances."""
    changes = [float((day.advances or 0) - (day.declines or 0)) for day in days]
    up = mean(max(change, 0.0) for change in changes[:14])
    down = mean(max(-change, 0.0) for change in changes[:14])
    values = []
    for change in changes[14:]:
        up = (13.0 * up + max(change, 0.0)) / 14.0
        down = (13.0 * down + max(-change, 0.0)) / 14.0
        values.append(100.0 - 100.0 / (1.0 + up / down) if down else 100.0)
    return values


def backwardation(day: SessionDay) -> float:
    front, second = front_vx_pair(day.session)
    return day.vx[front] / day.vx[second] - 1.0


def generated(seed: int, scenario: Scenario, sessions_lived: int) -> Sequence[SessionDay]:
    source = GeneratedDays(seed, FIRST, scenario, 3000.0)
    return source.days(sessions(FIRST, date(2035, 12, 31))[sessions_lived - 1])


# ---------------------------------------------------------------- determinism


@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scenario=st.sampled_from(["calm", "shock", "random"]),
    first=st.integers(0, 200_000),
    second=st.integers(0, 200_000),
)
def test_a_market_restored_from_its_dump_goes_on_as_if_never_interrupted(
    seed: int, scenario: str, first: int, second: int
) -> None:
    lived = StochasticMarket(seed, START, 60.0, scenario)
    lived.advance(START + timedelta(seconds=first))
    state = json.loads(json.dumps(lived.dump()))
    restored = StochasticMarket(seed, START, 60.0, scenario)
    restored.load(state)
    assert restored.now == lived.now
    assert restored.ticks(MIXED) == lived.ticks(MIXED)
    for market in (lived, restored):
        market.advance(START + timedelta(seconds=first + second))
    assert restored.ticks(MIXED) == lived.ticks(MIXED)
    assert restored.dump() == lived.dump()


def test_a_dump_of_another_market_is_refused() -> None:
    market = StochasticMarket(1, START, 60.0)
    for other in (StochasticMarket(2, START, 60.0), StochasticMarket(1, START, 60.0, "shock")):
        with pytest.raises(ValueError, match="another market"):
            market.load(other.dump())
    with pytest.raises(ValueError, match="steps"):
        market.load(StochasticMarket(1, START, 30.0).dump())
    with pytest.raises(ValueError, match="another 2026"):
        market.load(market.dump() | {"spx_close": 1.0})


def test_prices_do_not_depend_on_how_time_was_stepped() -> None:
    walked, jumped = (StochasticMarket(3, START, 10.0, "shock") for _ in range(2))
    target = at(date(2026, 3, 4), 14, 30)
    while walked.now < target.astimezone(UTC):
        walked.advance(min(walked.now + timedelta(minutes=7), target))
        walked.ticks(MIXED)
    jumped.advance(target)
    assert walked.ticks(MIXED) == jumped.ticks(MIXED)


def test_a_quote_does_not_depend_on_what_was_asked_at_the_same_moment_before() -> None:
    asked, fresh = (StochasticMarket(3, START, 10.0, "shock") for _ in range(2))
    for minutes in range(6):
        now = START + timedelta(minutes=minutes)
        for market in (asked, fresh):
            market.advance(now)
        whole = asked.ticks(MIXED)
        for con_id, tick in zip(MIXED, whole, strict=True):
            assert asked.ticks([con_id]) == [tick]
        alone = MIXED[minutes % len(MIXED)]
        assert fresh.ticks([alone]) == asked.ticks([alone])
        assert asked.ticks(MIXED, 60.0) == fresh.ticks(MIXED, 60.0)
        assert asked.ticks(MIXED[::-1]) == list(reversed(whole))


def test_the_same_seed_gives_the_same_ticks_under_every_hash_seed() -> None:
    root = Path(__file__).resolve().parents[2]
    program = (
        "from datetime import *; from zoneinfo import ZoneInfo\n"
        "from tests.simulator.test_stochastic import MIXED, START\n"
        "from simulator.stochastic import StochasticMarket\n"
        "m = StochasticMarket(11, START, 60.0, 'random')\n"
        "m.advance(START + timedelta(days=3, hours=4))\n"
        "print([x.contract.con_id for x in m.find(trading_class='SPXW', strike=3000.0)])\n"
        "print(m.ticks(MIXED), m.dump())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1
    assert "Tick(" in outputs.pop()


def test_different_seeds_give_different_markets() -> None:
    closes = {StochasticMarket(seed, START, 60.0).ticks([VIX])[0].last for seed in range(6)}
    assert len(closes) > 4


# ---------------------------------------------------------------- scenarios


@pytest.mark.parametrize("seed", range(25))
def test_a_shock_takes_rsi_below_30_and_backwardation_above_8_percent_by_its_fourth_session(
    seed: int,
) -> None:
    days = generated(seed, Scenario.SHOCK, 4)
    rsi = net_advances_rsi(days)
    assert days[-4].session == FIRST
    both = [
        day.session
        for day, value in zip(days[-3:], rsi[-3:], strict=True)
        if value < 30 and backwardation(day) > 0.08
    ]
    assert both
    assert rsi[-4] >= 30.0
    assert backwardation(days[-4]) < 0.0


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_shock_is_followed_by_a_partial_recovery(seed: int) -> None:
    days = generated(seed, Scenario.SHOCK, 14)
    before, low, after = days[-14].spx.close, days[-11].spx.close, days[-1].spx.close
    assert 0.07 < 1.0 - low / before < 0.16
    assert low < after < before
    assert days[-1].vix.close < days[-11].vix.close


@pytest.mark.parametrize("seed", range(6))
def test_calm_is_contango_without_a_single_day_of_the_near_term_trigger(seed: int) -> None:
    days = generated(seed, Scenario.CALM, 250)[-250:]
    assert mean(backwardation(day) for day in days) < -0.03
    assert max(backwardation(day) for day in days) < 0.08
    assert max(day.vix.close for day in days) < 35.0


def test_random_brings_selling_episodes_now_and_then() -> None:
    stressed = [
        max(map(backwardation, generated(seed, Scenario.RANDOM, 500)[-500:])) > 0.08 for seed in range(6)
    ]
    assert any(stressed)


def test_generated_history_looks_like_a_market() -> None:
    days = generated(2, Scenario.RANDOM, 1)
    returns = [log(after.spx.close / before.spx.close) for before, after in pairwise(days)]
    vix_moves = [log(after.vix.close / before.vix.close) for before, after in pairwise(days)]
    pairs = list(zip(returns, vix_moves, strict=True))
    covariance = mean(one * two for one, two in pairs) - mean(returns) * mean(vix_moves)
    assert covariance / (pstdev(returns) * pstdev(vix_moves)) < -0.5
    assert 0.08 < pstdev(returns) * 252**0.5 < 0.30
    assert pstdev(returns) * 252**0.5 < mean(day.vix.close for day in days) / 100.0
    assert 500 < pstdev((day.advances or 0) - (day.declines or 0) for day in days) < 1600


def test_enough_history_lies_before_the_start_for_every_warm_up() -> None:
    market = StochasticMarket(1, START, 60.0)
    assert len(market.bars(SPX, market.now, 10_000)) == HISTORY_SESSIONS >= 1261
    assert len(market.daily_rows("reer")) >= 63
    assert market.bars(SPX, market.now, 1)[0].close == 3000.0


# ---------------------------------------------------------------- a session


def test_a_session_opens_closes_and_ranges_as_its_daily_bar_says() -> None:
    market = StochasticMarket(9, START, 60.0, "shock")
    seen: list[float] = []
    market.advance(at(FIRST, 9, 30))
    opened = market.ticks([SPX])[0]
    for minute in range(391):
        market.advance(at(FIRST, 9, 30) + timedelta(minutes=minute))
        last = market.ticks([SPX])[0].last
        assert last is not None
        seen.append(last)
    closed = market.ticks([SPX])[0]
    bar = market.bars(SPX, market.now, 1)[0]
    assert bar.time == at(FIRST, 9, 30)
    assert (bar.open, bar.high, bar.low, bar.close) == (seen[0], max(seen), min(seen), seen[-1])
    assert (closed.open, closed.high, closed.low, closed.last) == (bar.open, bar.high, bar.low, bar.close)
    assert opened.close == 3000.0
    assert len(set(seen)) > 300


def test_prices_rest_overnight_and_yesterdays_close_becomes_the_reference() -> None:
    market = StochasticMarket(9, START, 60.0)
    market.advance(at(FIRST, 16, 20))
    evening = market.ticks(MIXED)
    market.advance(at(date(2026, 3, 3), 9, 29))
    assert market.ticks(MIXED) == evening
    market.advance(at(date(2026, 3, 3), 9, 30))
    tick = market.ticks([SPX])[0]
    assert tick.close == evening[0].last


def test_vx_meets_its_settlement_at_the_settlement_instant() -> None:
    market = StochasticMarket(9, START, 60.0, "shock")
    day = date(2026, 3, 3)
    market.advance(at(day, 16, 0))
    curve = market._day.vx
    for expiry, settle in curve.items():
        tick = market.ticks([future(expiry).con_id])[0]
        assert tick.bid is not None
        assert tick.ask is not None
        assert tick.bid < settle < tick.ask
        assert tick.last == pytest.approx(settle, abs=0.026)
        assert round(tick.bid / 0.05) * 0.05 == pytest.approx(tick.bid)
    market.advance(at(date(2026, 3, 4), 10, 0))
    front = future(next(iter(curve)))
    assert market.ticks([front.con_id])[0].close == next(iter(curve.values()))


def test_breadth_builds_up_and_is_final_twenty_minutes_after_the_close() -> None:
    market = StochasticMarket(9, START, 60.0)
    final = market._source.days(FIRST)[-1]
    counts = {}
    for clock in ((9, 30), (12, 0), (16, 0), (16, 20)):
        market.advance(at(FIRST, *clock))
        tick = market.ticks([AD])[0]
        counts[clock] = (tick.bid, tick.ask)
        assert (tick.bid_size, tick.ask_size) == (tick.bid, tick.ask)
    assert counts[16, 20] == (final.advances, final.declines)
    assert counts[16, 0] != counts[16, 20]
    assert sum(counts[9, 30]) < sum(counts[12, 0])  # type: ignore[arg-type]  # both sides are present


@pytest.mark.parametrize(
    ("con_id", "opens", "closes"),
    [
        (SPX, (9, 30), (16, 0)),
        (stock("VNQ").con_id, (9, 30), (16, 0)),
        (VIX, (9, 30), (16, 15)),
        (option("SPXW", EXPIRY, 3000.0, Right.PUT).con_id, (9, 30), (16, 15)),
        (future(date(2026, 4, 15)).con_id, (9, 30), (16, 0)),
    ],
)
def test_instruments_trade_in_their_own_regular_hours(
    con_id: int, opens: tuple[int, int], closes: tuple[int, int]
) -> None:
    market = StochasticMarket(1, START, 60.0)
    states = []
    for moment in (at(FIRST, *opens), at(FIRST, *closes)):
        for shift in (-1, 0):
            market.advance(moment + timedelta(seconds=shift))
            states.append(market.is_open(con_id))
    market.advance(at(date(2026, 3, 7), 12))
    assert [*states, market.is_open(con_id)] == [False, True, True, False, False]


def test_options_settle_on_the_open_or_the_close_and_vix_on_its_quotation() -> None:
    market = StochasticMarket(4, at(date(2026, 3, 16), 9), 60.0)
    morning, evening = (
        option(name, date(2026, 3, 20), 3000.0, Right.CALL).con_id for name in ("SPX", "SPXW")
    )
    wednesday = date(2026, 3, 18)
    vix_call, vx = option("VIX", wednesday, 20.0, Right.CALL).con_id, future(wednesday).con_id
    assert market.next_settlement() == at(date(2026, 3, 16), 16)  # SPXW of that Monday
    market.advance(at(wednesday, 9, 29, 59))
    assert market.next_settlement() == at(wednesday, 9, 30)
    assert [market.settlement(one) for one in (vix_call, vx)] == [None, None]
    assert market.ticks([vx])[0].bid is None
    market.advance(at(wednesday, 9, 30))
    quotation = market._day.vro
    assert quotation is not None
    assert [market.settlement(one) for one in (vix_call, vx)] == [quotation, quotation]
    assert market.next_settlement() == at(wednesday, 16)
    market.advance(at(date(2026, 3, 19), 17))
    assert market.next_settlement() == at(date(2026, 3, 20), 9, 30)
    market.advance(at(date(2026, 3, 20), 15, 59))
    opening = market.ticks([SPX])[0].open
    assert [market.settlement(one) for one in (morning, evening)] == [opening, None]
    assert market.ticks([morning])[0].ask is None
    assert market.ticks([evening])[0].ask is not None
    market.advance(at(date(2026, 3, 20), 16, 0))
    assert market.settlement(evening) == market.ticks([SPX])[0].last
    assert market.ticks([evening])[0].ask is None
    assert market.next_settlement() == at(date(2026, 3, 23), 16)


def test_time_does_not_run_backwards_and_needs_a_zone() -> None:
    market = StochasticMarket(4, START, 60.0)
    with pytest.raises(ValueError, match="cannot go back"):
        market.advance(START - timedelta(seconds=1))
    with pytest.raises(ValueError, match="time zone"):
        StochasticMarket(4, START.replace(tzinfo=None), 60.0)
    with pytest.raises(ValueError, match="step"):
        StochasticMarket(4, START, 0.5)
    with pytest.raises(ValueError, match="panic"):
        StochasticMarket(4, START, 60.0, "panic")


def test_a_start_after_the_close_counts_from_the_next_session() -> None:
    evening = StochasticMarket(4, at(FIRST, 20), 60.0, "shock")
    morning = StochasticMarket(4, at(next_session(FIRST), 8), 60.0, "shock")
    for market in (evening, morning):
        market.advance(at(date(2026, 3, 4), 16))
    assert evening.ticks(MIXED) == morning.ticks(MIXED)
    assert previous_session(next_session(FIRST)) == FIRST


def test_an_early_close_ends_the_index_at_one_and_options_a_quarter_later() -> None:
    friday = date(2026, 11, 27)
    market = StochasticMarket(4, at(friday, 12, 59), 60.0)
    line = option("SPXW", date(2026, 12, 18), 3000.0, Right.PUT).con_id
    assert (market.is_open(SPX), market.is_open(line)) == (True, True)
    market.advance(at(friday, 13, 1))
    assert (market.is_open(SPX), market.is_open(line)) == (False, True)
    assert market.ticks([SPX])[0].last == market.bars(SPX, market.now, 1)[0].close
    market.advance(at(friday, 13, 15))
    assert market.is_open(line) is False


def test_lines_nobody_listed_get_empty_ticks_in_their_place() -> None:
    market = StochasticMarket(4, at(FIRST, 10), 60.0)
    # 2026-04-18 is a Saturday: the id reads back as an option on which nothing can expire.
    saturday = option("SPXW", date(2026, 4, 18), 3000.0, Right.PUT).con_id
    ticks = market.ticks([77, SPX, saturday])
    assert [tick.con_id for tick in ticks] == [77, SPX, saturday]
    assert [ticks[0].last, ticks[0].bid, ticks[2].ask] == [None, None, None]
    assert market.find(security_type=SecurityType.OPTION, expiry=date(2026, 4, 18)) == []
