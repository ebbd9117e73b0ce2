"""Generated sessions: an index with stochastic variance and jumps, and everything that hangs on it.

Two variances move the world. The near one reverts within months, jumps in a selling episode and drives the
index; the far one moves slowly and holds the distant end of the VX curve. VIX is the root of the variance
expected over 30 days, a VX future that over the 30 days after its settlement, so that the curve rises in calm
and falls steeply when the near variance has jumped. Breadth, VVIX, yields, credit and real estate answer the
index. The draws of a session come from the seed and its date alone; levels carried from one session to the
next are rounded, so that no machine drifts away.

A selling episode takes three sessions (-2.4 to -5.8 % each, nearly every share down, near variance from 2.6
to at least 7 times the far one) and is followed by a pause and eight sessions of partial recovery. `shock`
starts one in the second live session after five listless weeks, `random` starts one every 200 sessions on
average, `calm` never does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from math import exp, log, sqrt, tanh
from random import Random
from typing import Any

from market.sessions import session_offset, sessions, spx_monthly_expiry, vx_settlements_after
from simulator.days import MonthlyValue, Ohlc, SessionDay
from simulator.surface import VARIANCE_REVERSION, VIX_TENOR_YEARS, reversion_average

HISTORY_SESSIONS = 1320
_DAY = 1.0 / 252.0
_ISSUES = 3000
_VX_MONTHS = 9
_LISTLESS_SESSIONS = 25
_EPISODE_CHANCE = 1.0 / 200.0
_FIRST_MONTHS = 100
_DIVIDEND_MONTHS = (3, 6, 9, 12)

#: Selling episode: (mean return, its spread, near variance as a multiple of the far one) by session.
_SELLING = ((-0.031, 0.003, 2.6), (-0.028, 0.003, 4.8), (-0.046, 0.004, 7.2))
_RECOVERY_SESSIONS = 9


class Scenario(StrEnum):
    """What the generated market is put through."""

    CALM = "calm"
    SHOCK = "shock"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class _Temper:
    """Log-variance dynamics outside episodes: level to revert to, volatility a year, and how often the index
    jumps.
    """

    near: float
    wander: float
    jumps_a_year: float


_TEMPERS = {
    Scenario.CALM: _Temper(0.129**2, 1.25, 0.0),
    Scenario.SHOCK: _Temper(0.135**2, 1.35, 0.0),
    Scenario.RANDOM: _Temper(0.145**2, 1.75, 4.0),
}


@dataclass(frozen=True, slots=True)
class _State:
    """What one session hands to the next; every level rounded."""

    spx: float
    near: float
    far: float
    vix: float
    vvix: float
    treasury: float
    credit: float
    funds: float
    vnq: float
    episode: int = 0  # 0: none; n: the n-th session since selling began


class GeneratedDays:
    """The day source behind StochasticMarket. `first_live` is the first session lived through."""

    def __init__(self, seed: int, first_live: date, scenario: Scenario, spx_level: float) -> None:
        """History is generated at once and scaled so that the index closes at `spx_level` before
        `first_live`.
        """
        self._seed = seed
        self._first_live = first_live
        self._scenario = scenario
        self._spx_level = spx_level
        self._second_live = session_offset(first_live, 1)
        self._listless_from = session_offset(first_live, -_LISTLESS_SESSIONS)
        self._days: list[SessionDay] = []
        self._state = _State(1000.0, 0.016, 0.030, 15.0, 88.0, 3.0, 1.9, 2.0, 80.0)
        self._months: dict[str, list[MonthlyValue]] = {"reer": [], "ppi": []}
        last = session_offset(first_live, -1)
        for day in sessions(session_offset(first_live, -HISTORY_SESSIONS), last):
            self._append(day)
        scale = spx_level / self._state.spx
        self._days = [_scaled(day, scale) for day in self._days]
        self._state = replace(self._state, spx=self._days[-1].spx.close)

    def days(self, through: date) -> Sequence[SessionDay]:
        """Every record from the beginning of history to `through`."""
        last = self._days[-1].session
        if last < through:
            for day in sessions(last + timedelta(1), through):
                self._append(day)
        count = len(self._days)
        while count and self._days[count - 1].session > through:
            count -= 1
        return self._days[:count]

    def monthly(self, series: str, through: date) -> Sequence[MonthlyValue]:
        """Months of `reer` or `ppi` up to `through`. Raises KeyError for another series."""
        months = self._months[series]
        month = months[-1].month if months else None
        while month is None or _following(month) <= through:
            if month is None:
                first = date(self._first_live.year, self._first_live.month, 1)
                month = _months_back(first, _FIRST_MONTHS)
                value = 100.0 if series == "reer" else 200.0
            else:
                month = _following(month)
                random = Random(f"{self._seed}/{series}/{month.isoformat()}")
                # Dollar strength and producer prices tend to part ways; each keeps a mind of its own.
                common = Random(f"{self._seed}/months/{month.isoformat()}").gauss(0.0, 1.0)
                drift, share, spread = (0.0004, -0.3, 0.011) if series == "reer" else (0.0018, 0.3, 0.008)
                shock = share * common + sqrt(1.0 - share * share) * random.gauss(0.0, 1.0)
                value = round(months[-1].value * exp(drift + spread * shock), 3)
            months.append(MonthlyValue(month, value))
        return [one for one in months if one.month <= through]

    def identity(self) -> dict[str, Any]:
        """Seed, first live session, scenario and index level; `path_seed` names the intraday noise."""
        return {
            "kind": "stochastic",
            "seed": self._seed,
            "first_live": self._first_live.isoformat(),
            "scenario": self._scenario.value,
            "spx_level": self._spx_level,
            "path_seed": f"stochastic/{self._seed}",
        }

    def _append(self, session: date) -> None:
        random = Random(f"{self._seed}/{session.isoformat()}")
        before = self._state
        episode = self._episode(session, before.episode, random.random())
        daily, variance = self._move(session, before, episode, random)
        near, far = variance
        spx = _index_bar(before.spx, daily, sqrt(before.near * _DAY), random)
        vix_close = vix_of(near, far)
        vix = _vix_bar(before.vix, vix_close, random)
        selling = 0 < episode <= len(_SELLING)
        advances, declines = _breadth(
            daily, 0.02 if selling else 0.06 if self._is_listless(session) else 0.14, random
        )
        rise = log(vix_close / before.vix)
        vvix = (
            0.9 * before.vvix + 8.2 * (vix_close / 15.0) ** 0.35 + 42.0 * rise + 1.6 * random.gauss(0.0, 1.0)
        )
        treasury = (
            before.treasury + 0.003 * (3.0 - before.treasury) + 0.04 * random.gauss(0.0, 1.0) + 1.2 * daily
        )
        credit = before.credit + 0.02 * (1.9 + 0.03 * (vix_close - 16.0) - before.credit) - 2.0 * daily
        funds = before.funds + 0.002 * (2.0 - before.funds) + 0.004 * random.gauss(0.0, 1.0)
        dividend = round(0.01 * before.vnq, 4) if _is_ex_date(session) else 0.0
        vnq = _index_bar(before.vnq - dividend, 0.9 * daily + 0.006 * random.gauss(0.0, 1.0), 0.008, random)
        self._state = _State(
            spx.close,
            round(near, 8),
            round(far, 8),
            vix_close,
            round(min(max(vvix, 65.0), 200.0), 2),
            round(min(max(treasury, 0.4), 8.0), 2),
            round(min(max(credit, 1.3), 7.0), 2),
            round(min(max(funds, 0.05), 6.0), 2),
            vnq.close,
            episode,
        )
        state = self._state
        self._days.append(
            SessionDay(
                session,
                spx,
                vix,
                state.vvix,
                vx_curve(session, near, far),
                vro=_vro(session, vix.open, random),
                vix9d=vix_of(near, far, 9.0 / 365.0),
                vix3m=vix_of(near, far, 93.0 / 365.0),
                advances=advances,
                declines=declines,
                treasury_10y_pct=state.treasury,
                baa_yield_pct=round(state.treasury + state.credit, 2),
                fed_funds_pct=state.funds,
                vnq=vnq,
                vnq_dividend=dividend,
            )
        )

    def _episode(self, session: date, before: int, draw: float) -> int:
        """The session's place in a selling episode, 0 outside one."""
        if before:
            return before + 1 if before < len(_SELLING) + _RECOVERY_SESSIONS else 0
        if self._scenario is Scenario.SHOCK:
            return int(session == self._second_live)
        return int(self._scenario is Scenario.RANDOM and draw < _EPISODE_CHANCE)

    def _is_listless(self, session: date) -> bool:
        return self._scenario is Scenario.SHOCK and self._listless_from <= session < self._second_live

    def _move(
        self, session: date, before: _State, episode: int, random: Random
    ) -> tuple[float, tuple[float, float]]:
        """The session's log return and the near and far variance after it."""
        first, second, third = (random.gauss(0.0, 1.0) for _ in range(3))
        jump, size = random.random(), random.gauss(0.0, 1.0)
        temper = _TEMPERS[self._scenario]
        far = exp(log(before.far) + 0.8 * (log(0.030) - log(before.far)) * _DAY + 0.25 * sqrt(_DAY) * third)
        if 0 < episode <= len(_SELLING):
            mean, spread, multiple = _SELLING[episode - 1]
            return mean + spread * max(min(first, 2.0), -2.0), (max(before.near, multiple * far), far)
        pull = 22.0 if episode else 5.0
        near = log(before.near) + pull * (log(temper.near) - log(before.near)) * _DAY
        near += temper.wander * sqrt(_DAY) * second
        # The index falls when variance rises, and moves less than the variance swap pays for.
        realised = 0.82 * sqrt(before.near * _DAY)
        daily = 0.00035 + realised * (-0.75 * second + 0.66 * first)
        if jump < temper.jumps_a_year * _DAY:
            daily, near = daily - 0.012 - 0.008 * abs(size), near + 0.35 + 0.1 * abs(size)
        if episode:
            daily = 0.4 * daily + (0.005 if episode > len(_SELLING) + 1 else 0.0)
        if self._is_listless(session):
            # Up a little, down a little: neither side of the breadth average has anything to live on.
            daily = (0.0016 if session.toordinal() % 2 else -0.0010) + 0.0004 * max(min(first, 2.0), -2.0)
            near = min(near, log(0.8 * far))
        return max(min(daily, 0.06), -0.07), (min(max(exp(near), 0.006), 0.5), min(max(far, 0.02), 0.06))


def vix_of(near: float, far: float, tenor_years: float = VIX_TENOR_YEARS) -> float:
    """The volatility index of a tenor, in points: the root of the variance expected over it."""
    return round(100.0 * sqrt(far + (near - far) * reversion_average(tenor_years)), 2)


def vx_curve(session: date, near: float, far: float) -> dict[date, float]:
    """Daily settlements of the nine VX months: the root of the variance expected over 30 days from each
    settlement.
    """
    curve = {}
    for expiry in vx_settlements_after(session, _VX_MONTHS):
        left = exp(-VARIANCE_REVERSION * (expiry - session).days / 365.0)
        forward = 100.0 * sqrt(far + (near - far) * reversion_average(VIX_TENOR_YEARS) * left)
        curve[expiry] = round(round(forward * 40.0) / 40.0, 3)
    return curve


def _index_bar(before: float, daily: float, deviation: float, random: Random) -> Ohlc:
    """Open, high, low and close of a session with log return `daily`; extremes as of a bridge from open to
    close.
    """
    gap = 0.3 * daily + 0.2 * deviation * random.gauss(0.0, 1.0)
    return _bar(before * exp(gap), before * exp(daily), 0.75 * deviation + 0.15 * abs(daily), random)


def _vix_bar(before: float, close: float, random: Random) -> Ohlc:
    """As for the index, of VIX; with a wider range when it moved much."""
    move = log(close / before)
    start = before * exp(0.35 * move + 0.012 * random.gauss(0.0, 1.0))
    return _bar(start, close, 0.025 + 0.2 * abs(move), random)


def _bar(start: float, close: float, deviation: float, random: Random) -> Ohlc:
    inner, variance = log(close / start), deviation * deviation
    rise = 0.5 * (inner + sqrt(inner * inner - 2.0 * variance * log(1.0 - random.random())))
    fall = 0.5 * (inner - sqrt(inner * inner - 2.0 * variance * log(1.0 - random.random())))
    opened, closed = round(start, 2), round(close, 2)
    high = max(round(start * exp(rise), 2), opened, closed)
    return Ohlc(opened, high, min(round(start * exp(fall), 2), opened, closed), closed)


def _breadth(daily: float, spread: float, random: Random) -> tuple[int, int]:
    """Final advancing and declining issues: nearly all one way in a large move, `spread` for the rest."""
    issues = _ISSUES + int(40 * random.random())
    net = 0.9 * tanh(daily / 0.014) + spread * random.gauss(0.0, 1.0)
    net = min(max(net, -0.96), 0.94)
    declines = round(issues * 0.5 * (1.0 - net))
    return issues - declines, declines


def _vro(session: date, vix_open: float, random: Random) -> float | None:
    """Settlement quotation of the morning: near the open of VIX, made from other trades."""
    draw = random.gauss(0.0, 1.0)
    if vx_settlements_after(session - timedelta(1), 1)[0] != session:
        return None
    return round(vix_open * exp(0.012 * max(min(draw, 2.5), -2.5)), 2)


def _is_ex_date(session: date) -> bool:
    """VNQ goes ex-dividend in the week after the third Friday of each quarter's last month."""
    return session.month in _DIVIDEND_MONTHS and session == session_offset(
        spx_monthly_expiry(session.year, session.month), 4
    )


def _scaled(day: SessionDay, scale: float) -> SessionDay:
    bar = day.spx
    return replace(
        day, spx=Ohlc(*(round(one * scale, 2) for one in (bar.open, bar.high, bar.low, bar.close)))
    )


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _months_back(month: date, count: int) -> date:
    place = month.year * 12 + month.month - 1 - count
    return date(place // 12, place % 12 + 1, 1)
