"""Scripts: a market path and events by time, read from a file.

`[[path]]` entries say how far the index and VIX stand from where the market would have gone by itself, in
percent, reached in a straight line from the entry before (or from zero at the open); the last one stays. An
`[[event]]` is a fault of a moment (`simulator/faults.py`). `[account]` says what the account may see and do
(`simulator/script_account.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.days import Ohlc, SessionDay
from simulator.faults import MESSAGE_FAULTS, Fault, FaultPlanError, after_s, faults_of, read_document
from simulator.paths import Line, SessionPath
from simulator.script_account import ScriptAccount, script_account

#: How much of a scripted move of VIX a VX future follows.
VX_SHARE: Final = 0.5
_MOVES: Final = ("spx_pct", "vix_pct")
_DOWN_MOST_PCT: Final = -95.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where the market stands at one instant, in percent of where it would have stood."""

    epoch: float
    spx_pct: float
    vix_pct: float


@dataclass(frozen=True, slots=True)
class MarketScript:
    """Moves over a market's own path. Without points the market goes as it would."""

    points: tuple[Point, ...] = ()

    def factors(self, epochs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
        """Multipliers of the index and of VIX at each epoch."""
        times = [point.epoch for point in self.points]
        spx = np.interp(epochs, times, [point.spx_pct for point in self.points])
        vix = np.interp(epochs, times, [point.vix_pct for point in self.points])
        return 1.0 + spx / 100.0, 1.0 + vix / 100.0

    def path(self, path: SessionPath) -> SessionPath:
        """A session's path with the script's moves on it; VNQ goes with SPX, yields and breadth stay."""
        epochs = path.opens + path.step_s * np.arange(path.steps, dtype=np.float64)
        spx, vix = self.factors(epochs)
        vx = 1.0 + (vix - 1.0) * VX_SHARE
        return replace(
            path,
            spx=_scaled(path.spx, spx),
            vix=_scaled(path.vix, vix),
            vnq=None if path.vnq is None else _scaled(path.vnq, spx),
            followers={
                name: None if values is None else np.round(values * vx, 2)
                for name, values in path.followers.items()
            },
            vx=tuple(_scaled(line, vx, 4) for line in path.vx),
        )

    def record(self, day: SessionDay, path: SessionPath) -> SessionDay:
        """The record of a session that went along the scripted `path`."""
        last_cash = path.index(path.cash_close)
        vix_end = self.factors(np.array([path.closes]))[1][0]
        vx = 1.0 + (vix_end - 1.0) * VX_SHARE
        return replace(
            day,
            spx=_ohlc(path.spx, last_cash),
            vix=_ohlc(path.vix, path.steps - 1),
            vnq=None if path.vnq is None else _ohlc(path.vnq, last_cash),
            vx={expiry: round(value * vx, 4) for expiry, value in day.vx.items()},
            vro=None if day.vro is None else round(day.vro * self.factors(np.array([path.opens]))[1][0], 2),
        )


@dataclass(frozen=True, slots=True)
class Script:
    """What a script file says: how the market goes and what happens beside it."""

    market: MarketScript = MarketScript()
    events: tuple[Fault, ...] = ()
    account: ScriptAccount = field(default_factory=ScriptAccount)


def read_script(path: Path, opened: datetime) -> Script:
    """The script in a TOML or JSON file; times count from the market's opening. Raises FaultPlanError."""
    document = read_document(path)
    unknown = sorted(set(document) - {"path", "event", "account"})
    if unknown:
        raise FaultPlanError(f"{path}: {unknown[0]!r} is unknown; a script has `path`, `event`, `account`")
    events = faults_of(document.get("event", []), str(path), "event", opened)
    for event in events:
        if event.kind in MESSAGE_FAULTS:
            raise FaultPlanError(f"{path}: '{event.kind}' strikes messages and belongs in a fault plan")
    points = _points(document.get("path", []), str(path), opened)
    return Script(MarketScript(points), events, script_account(document.get("account", {}), str(path)))


def _points(rows: object, where: str, opened: datetime) -> tuple[Point, ...]:
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise FaultPlanError(f"{where}: `path` is a list of tables")
    if not rows:
        return ()
    points = [Point(opened.timestamp(), 0.0, 0.0)]
    for number, row in enumerate(rows, start=1):
        place = f"{where}: path {number}"
        if not isinstance(row, Mapping):
            raise FaultPlanError(f"{place} is no table")
        unknown = sorted(set(row) - {"at", "after_s", *_MOVES})
        if unknown:
            known = "at, after_s, spx_pct, vix_pct"
            raise FaultPlanError(f"{place}: {unknown[0]!r} is unknown; it may have {known}")
        epoch = opened.timestamp() + after_s(row, place, opened)
        if epoch < points[-1].epoch:
            raise FaultPlanError(f"{place} lies before the one above it")
        spx, vix = (_percent(row, name, getattr(points[-1], name), place) for name in _MOVES)
        points.append(Point(epoch, spx, vix))
    return tuple(points)


def _percent(row: Mapping[str, Any], name: str, before: float, where: str) -> float:
    value = row.get(name, before)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultPlanError(f"{where}: {name!r} is a number of percent, not {value!r}")
    if not _DOWN_MOST_PCT <= value <= 1000.0:
        raise FaultPlanError(f"{where}: {name!r} lies between {_DOWN_MOST_PCT:g} and 1000")
    return float(value)


def _scaled(line: Line, factor: npt.NDArray[np.float64], decimals: int = 2) -> Line:
    values = np.round(line.values * factor, decimals)
    return Line(values, np.maximum.accumulate(values), np.minimum.accumulate(values))


def _ohlc(line: Line, last: int) -> Ohlc:
    values = line.values
    close = float(values[last])
    return Ohlc(float(values[0]), float(line.highs[-1]), float(line.lows[-1]), close)
