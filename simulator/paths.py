"""The intraday path of one session: a wandering line that touches the day's own open, high, low and close.

The whole session is laid out once, on a grid of fixed steps from the open to the end of option trading, from
a stream of random bits named by seed and date. A market step is then a look-up, however far it jumps, and two
runs that step differently see the same prices. Between the open, the two extremes and the close the line is a
bridge of summed uniform numbers, folded back where it would leave the day's range; only additions,
comparisons and multiplications are used, so that every machine draws the same line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt

from market.sessions import option_close, regular_hours, vx_settlement_instant
from simulator.days import Ohlc, SessionDay

FloatArray = npt.NDArray[np.float64]

#: Share of a VX contract's own daily move (beyond what VIX explains) that has happened before the open.
_OVERNIGHT_SHARE = 0.35
#: How fast the response of a VX contract to VIX falls with its time to settlement, per year.
_VX_RESPONSE_DECAY = 6.0
_BREADTH_WARMUP_S = 1200.0
_FOLLOWERS = {"VVIX": 1.5, "VIX9D": 1.2, "VIX3M": 0.5}


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity through a session: values on the grid, and the highest and lowest seen so far at each
    step.
    """

    values: FloatArray
    highs: FloatArray
    lows: FloatArray


@dataclass(frozen=True, slots=True)
class SessionPath:
    """Every quantity of a session on one grid of `steps` points, `step_s` seconds apart, the first at
    `opens`.
    """

    session: date
    opens: float  # epoch seconds
    cash_close: float
    closes: float
    step_s: float
    steps: int
    spx: Line
    vix: Line
    vnq: Line | None
    followers: Mapping[
        str, FloatArray | None
    ]  # VVIX, VIX9D, VIX3M: indexes that move with VIX between their closes
    treasury_10y_pct: FloatArray | None
    vx_settlements: tuple[date, ...]
    vx: tuple[Line, ...]
    advances: FloatArray | None
    declines: FloatArray | None

    def index(self, epoch: float) -> int:
        """The grid point in force at `epoch`."""
        return min(max(int((epoch - self.opens) / self.step_s + 1e-9), 0), self.steps - 1)


def noise(random: Random, count: int) -> FloatArray:
    """`count` independent numbers of mean 0 and variance 1, each the sum of four uniform ones (exact
    arithmetic).
    """
    raw = np.frombuffer(random.randbytes(8 * count), dtype="<u2").astype(np.float64).reshape(4, count)
    total: FloatArray = (raw[0] + raw[1] + raw[2] + raw[3] - 131070.0) * (1.7320508075688772 / 65536.0)
    return total


def bridge(start: float, end: float, increments: FloatArray, scale: float) -> FloatArray:
    """A path of len(increments) + 1 points from `start` to `end`, wandering by `scale` over its length."""
    count = len(increments)
    walk = np.concatenate((np.zeros(1), np.cumsum(increments)))
    share = np.arange(count + 1) / count
    path: FloatArray = (
        start + (end - start) * share + (walk - walk[-1] * share) * (scale / float(count) ** 0.5)
    )
    path[-1] = end
    return path


def folded(path: FloatArray, low: float, high: float) -> FloatArray:
    """`path` reflected at `low` and `high` as often as needed to stay between them."""
    width = high - low
    if width <= 0.0:
        return np.full_like(path, low)
    phase = np.mod(path - low, 2.0 * width)
    inside: FloatArray = low + (width - np.abs(width - phase))
    return inside


def ohlc_line(
    day: Ohlc, increments: FloatArray, last: int, extremes: tuple[int, int], decimals: int = 2
) -> Line:
    """A line of len(increments) + 1 points with exactly the day's open, high, low and (from `last` on) close.

    `extremes`: the grid points of the high and of the low; an extreme that equals the open or the close
    stands there.
    """
    count = len(increments) + 1
    at_high = 0 if day.open == day.high else last if day.close == day.high else extremes[0]
    at_low = 0 if day.open == day.low else last if day.close == day.low else extremes[1]
    pivots = {0: day.open, at_high: day.high, at_low: day.low, last: day.close}
    values = np.full(count, day.close)
    places = sorted(pivots)
    scale = 0.8 * (day.high - day.low)
    for left, right in pairwise(places):
        length = (right - left) / last
        values[left : right + 1] = bridge(
            pivots[left], pivots[right], increments[left:right], scale * float(length) ** 0.5
        )
    values = np.clip(np.round(folded(values, day.low, day.high), decimals), day.low, day.high)
    for place, value in pivots.items():
        values[place] = value
    values[last:] = day.close
    return _line(values)


def session_path(
    day: SessionDay, previous: SessionDay | None, vx_before: Mapping[date, float], seed: str, step_s: float
) -> SessionPath:
    """Lay out `day`, which follows `previous`; `vx_before` holds the last known settlements; `seed` names the
    noise.
    """
    opening, cash_close = regular_hours(day.session)
    opens, closes = opening.timestamp(), option_close(day.session).timestamp()
    steps = int((closes - opens) / step_s + 1e-9) + 1
    last_cash = _grid(opens, cash_close.timestamp(), step_s, steps)
    random = Random(f"{seed}/{day.session.isoformat()}")
    early, late = sorted((1 + random.randrange(last_cash - 1), 1 + random.randrange(last_cash - 1)))
    if early == late:
        early, late = (early - 1, late) if early > 1 else (early, late + 1)
    # A day that ends higher tends to make its low first.
    extremes = (late, early) if (day.spx.close >= day.spx.open) == (random.random() < 0.85) else (early, late)
    shocks = noise(random, steps - 1)
    own = noise(random, 2 * (steps - 1)).reshape(2, steps - 1)
    spx = ohlc_line(day.spx, shocks, last_cash, extremes)
    # VIX mirrors the index: its high near the index's low, its steps mostly the index's with the sign turned.
    vix = ohlc_line(day.vix, 0.6 * own[0] - 0.8 * shocks, steps - 1, (extremes[1], extremes[0]))
    settle_at = _grid(opens, vx_settlement_instant(day.session).timestamp(), step_s, steps)
    vix_before = previous.vix.close if previous else day.vix.open
    return SessionPath(
        session=day.session,
        opens=opens,
        cash_close=cash_close.timestamp(),
        closes=closes,
        step_s=step_s,
        steps=steps,
        spx=spx,
        vix=vix,
        vnq=None if day.vnq is None else ohlc_line(day.vnq, 0.7 * shocks + 0.7 * own[1], last_cash, extremes),
        followers={
            name: _between(_value(previous, name), _value(day, name), vix.values, response)
            for name, response in _FOLLOWERS.items()
        },
        treasury_10y_pct=_drift(
            previous.treasury_10y_pct if previous else None, day.treasury_10y_pct, own[1], last_cash
        ),
        vx_settlements=tuple(day.vx),
        vx=tuple(_vx_line(day, expiry, vx_before, vix.values, vix_before, settle_at) for expiry in day.vx),
        advances=_breadth(day.advances, day.declines, spx.values, last_cash, step_s),
        declines=_breadth(day.declines, day.advances, -spx.values, last_cash, step_s),
    )


def _line(values: FloatArray) -> Line:
    return Line(values, np.maximum.accumulate(values), np.minimum.accumulate(values))


def _grid(opens: float, instant: float, step_s: float, steps: int) -> int:
    return min(int((instant - opens) / step_s + 1e-9), steps - 1)


def _value(day: SessionDay | None, name: str) -> float | None:
    return None if day is None else {"VVIX": day.vvix, "VIX9D": day.vix9d, "VIX3M": day.vix3m}[name]


def _between(
    before: float | None, after: float | None, vix: FloatArray, response: float
) -> FloatArray | None:
    """From yesterday's close to today's, answering what VIX does on the way by `response` points a point."""
    if after is None:
        return None
    start = after if before is None else before
    share = np.arange(len(vix)) / (len(vix) - 1)
    wander = vix - (vix[0] + (vix[-1] - vix[0]) * share)
    path: FloatArray = np.maximum(
        np.round(start + (after - start) * share + response * wander, 2), 0.3 * min(start, after)
    )
    path[-1] = after
    return path


def _drift(before: float | None, after: float | None, increments: FloatArray, last: int) -> FloatArray | None:
    """The ten-year yield: a quiet bridge between two fixings, in percent."""
    if after is None:
        return None
    values = np.full(len(increments) + 1, after)
    values[: last + 1] = np.round(
        bridge(after if before is None else before, after, increments[:last], 0.02), 3
    )
    return values


def _vx_line(
    day: SessionDay,
    expiry: date,
    before: Mapping[date, float],
    vix: FloatArray,
    vix_before: float,
    settle_at: int,
) -> Line:
    """A VX contract: it answers VIX by a share that fades with its time to settlement, and meets its
    settlement.

    A contract without an earlier settlement starts from where it will settle.
    """
    settle = day.vx[expiry]
    start = before.get(expiry, settle)
    years = max((expiry - day.session).days, 0) / 365.0
    response = 0.95 / (1.0 + _VX_RESPONSE_DECAY * years)
    moved = response * (vix - vix_before)
    own = settle - start - float(moved[settle_at])
    share: FloatArray = np.minimum(np.arange(len(vix)) / settle_at, 1.0)
    share = _OVERNIGHT_SHARE + (1.0 - _OVERNIGHT_SHARE) * share
    line = np.round(np.maximum(start + moved + own * share, 0.6 * min(start, settle)), 4).astype(np.float64)
    if settle_at + 1 < len(line):
        line[settle_at + 1 :] = np.round(settle + moved[settle_at + 1 :] - moved[settle_at], 4)
    return _line(line)


def _breadth(
    count: int | None, other: int | None, spx: FloatArray, last: int, step_s: float
) -> FloatArray | None:
    """Advancing (or, with the signs turned, declining) issues: issues open one by one, then follow the index.

    Ends at the cash close two issues beside the final count: the exchange corrects the count after the close.
    """
    if count is None or other is None:
        return None
    issues = count + other
    clock = np.arange(last + 1)
    share = clock / last
    traded = 0.55 + 0.45 * np.minimum(clock * step_s / _BREADTH_WARMUP_S, 1.0)
    span = float(np.max(spx) - np.min(spx) + np.abs(spx[0]) * 0.001)
    lean = 0.5 + 0.45 * np.clip((spx[: last + 1] - spx[0]) / span, -1.0, 1.0)
    fraction = lean * (1.0 - share) + (count / issues) * share
    values = np.full(len(spx), float(max(count - 2, 0)))
    values[: last + 1] = np.round(issues * traded * np.clip(fraction, 0.0, 1.0))
    values[last:] = float(max(count - 2, 0))
    return values
