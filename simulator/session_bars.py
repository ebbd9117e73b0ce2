"""Bars that sessions leave behind: one for a day, from its record, and those within it, from its path."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from market.contract import Contract, SecurityType
from simulator.days import Ohlc, SessionDay
from simulator.model import Bar
from simulator.paths import Line, SessionPath

_SECONDS = 1e-6


def daily_closes(day: SessionDay) -> dict[str, float]:
    """Symbol -> close of a session, of everything undated that has one."""
    yields = day.treasury_10y_pct
    values = {
        "SPX": day.spx.close,
        "SPY": round(day.spx.close / 10.0, 2),
        "XSP": round(day.spx.close / 10.0, 2),
        "VIX": day.vix.close,
        "VVIX": day.vvix,
        "VIX9D": day.vix9d,
        "VIX3M": day.vix3m,
        "TNX": None if yields is None else round(10.0 * yields, 2),
        "VNQ": None if day.vnq is None else day.vnq.close,
    }
    return {symbol: value for symbol, value in values.items() if value is not None}


def daily_bar(contract: Contract, day: SessionDay) -> Ohlc | None:
    """The session's bar; where the record has a close only, it stands for all four prices."""
    if contract.expiry is not None:
        value = day.vx.get(contract.expiry)
    elif contract.symbol == "SPX":
        return day.spx
    elif contract.symbol == "VIX":
        return day.vix
    elif contract.symbol == "VNQ":
        return day.vnq
    elif contract.symbol in {"SPY", "XSP"}:
        bar = day.spx
        return Ohlc(*(round(price / 10.0, 2) for price in (bar.open, bar.high, bar.low, bar.close)))
    else:
        value = daily_closes(day).get(contract.symbol)
    return None if value is None else Ohlc(value, value, value, value)


def bars_within(
    contract: Contract, path: SessionPath, notes: Mapping[str, Line], seconds: int, until: float
) -> Sequence[Bar]:
    """Bars of `seconds` of one session up to the epoch `until`, the last perhaps unfinished; named by their
    beginning. None where there is no line, or where a bar would be finer than the path.

    `notes`: the lines of VXX and UVXY.
    """
    values = _values(contract, path, notes)
    ends = path.closes if "VIX" in contract.symbol else path.cash_close
    seen = path.index(min(until, ends)) + 1
    if values is None or until < path.opens or seconds + _SECONDS < path.step_s:
        return []
    known = values[:seen]
    starts = np.arange(seen, dtype=np.float64) * path.step_s
    number = np.floor(starts / seconds + _SECONDS).astype(np.int64)
    if ends <= until and len(number) > 1 and number[-1] != number[-2]:
        number[-1] = number[-2]  # the closing price belongs to the last bar, not to one of its own
    firsts = np.flatnonzero(np.concatenate((np.array([True]), number[1:] != number[:-1])))
    lasts = np.concatenate((firsts[1:], np.array([seen]))) - 1
    rows = zip(
        number[firsts].tolist(),
        known[firsts].tolist(),
        np.maximum.reduceat(known, firsts).tolist(),
        np.minimum.reduceat(known, firsts).tolist(),
        known[lasts].tolist(),
        strict=True,
    )
    return [
        Bar(datetime.fromtimestamp(path.opens + bar * seconds, UTC), first, high, low, last)
        for bar, first, high, low, last in rows
    ]


def _values(
    contract: Contract, path: SessionPath, notes: Mapping[str, Line]
) -> npt.NDArray[np.float64] | None:
    """Prices of a contract on the path's grid, as they are quoted last; None for options and breadth."""
    if contract.right is not None:
        return None
    if contract.security_type is SecurityType.FUTURE:
        if contract.expiry not in path.vx_settlements:
            return None
        steps = 100.0 if contract.trading_class == "VXM" else 20.0
        return np.rint(path.vx[path.vx_settlements.index(contract.expiry)].values * steps) / steps
    line: Line | None = None
    match contract.symbol:
        case "SPX":
            line = path.spx
        case "VIX":
            line = path.vix
        case "SPY" | "XSP":
            return np.round(path.spx.values / 10.0, 2)
        case "VNQ":
            line = path.vnq
        case "TNX":
            yields = path.treasury_10y_pct
            return None if yields is None else np.round(10.0 * yields, 2)
        case symbol if symbol in notes:
            line = notes[symbol]
        case symbol:
            return path.followers.get(symbol)
    return None if line is None else np.round(line.values, 2)
