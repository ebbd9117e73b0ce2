"""Top of book of everything that is no option: indexes, stocks, VIX futures, breadth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil, floor

from market.contract import Contract, SecurityType
from simulator.model import Tick
from simulator.moment import Moment
from simulator.paths import Line
from simulator.surface import stress_of

SIZE_INTERVAL_S = 10
#: Steps per point: VX trades in 0.05, VXM in 0.01.
_VX_STEPS, _VXM_STEPS = 20.0, 100.0


@dataclass(frozen=True, slots=True)
class PlainLine:
    """A line that is no option: where it stands in the answer, and what it is; None for an unknown id."""

    place: int
    con_id: int
    contract: Contract | None
    ends: float  # epoch seconds; infinite for what does not expire


def plain_tick(line: PlainLine, moment: Moment, curve: Mapping[date, float]) -> Tick:
    """The tick of an index, a stock or a VX future; one without a quote for anything else."""
    contract, con_id = line.contract, line.con_id
    if contract is None:
        return Tick(con_id)
    if contract.expiry is not None:
        return _vx_tick(line, contract.expiry, moment, curve)
    path, symbol = moment.path, contract.symbol
    if symbol == "AD-NYSE":
        return _breadth_tick(con_id, moment)
    if symbol in ("SPX", "VIX"):
        return _index_tick(con_id, path.spx if symbol == "SPX" else path.vix, moment, symbol)
    if symbol == "XSP":
        return _mini_index_tick(con_id, moment)
    if contract.security_type is SecurityType.STOCK:
        prices, scale = _stock_line(symbol, moment)
        return Tick(con_id) if prices is None else _stock_tick(con_id, prices, scale, moment, symbol)
    value: float | None
    if symbol == "TNX":
        yields = path.treasury_10y_pct
        value = None if yields is None else round(10.0 * float(yields[moment.index]), 2)
    else:
        levels = path.followers.get(symbol)
        value = None if levels is None else float(levels[moment.index])
    return Tick(con_id, last=value, close=moment.closes.get(symbol))


def _stock_line(symbol: str, moment: Moment) -> tuple[Line | None, float]:
    """The line a stock follows, and its price per point of it."""
    if symbol == "VNQ":
        return moment.path.vnq, 1.0
    # SPY has no series of its own: a tenth of the index, without distributions.
    return (moment.path.spx, 0.1) if symbol == "SPY" else (moment.etps.get(symbol), 1.0)


def _mini_index_tick(con_id: int, moment: Moment) -> Tick:
    """XSP: a tenth of SPX, to the cent."""
    spx, i, close = moment.path.spx, moment.index, moment.closes.get("XSP")
    last, first, high, low = (
        round(float(value) / 10.0, 2) for value in (spx.values[i], spx.values[0], spx.highs[i], spx.lows[i])
    )
    return Tick(con_id, last=last, open=first, high=high, low=low, close=close)


def _index_tick(con_id: int, line: Line, moment: Moment, symbol: str) -> Tick:
    i = moment.index
    return Tick(
        con_id,
        last=float(line.values[i]),
        open=float(line.values[0]),
        high=float(line.highs[i]),
        low=float(line.lows[i]),
        close=moment.closes.get(symbol),
    )


def _stock_tick(con_id: int, line: Line, scale: float, moment: Moment, symbol: str) -> Tick:
    i = moment.index
    last = round(float(line.values[i]) * scale, 2)
    size = _lot(con_id, moment.trading_epoch)
    stress = stress_of(moment.vix)
    half, depth = 0.01 * round(1.0 + 4.0 * stress), 1.0 - 0.8 * stress
    return Tick(
        con_id,
        bid=round(last - half, 2),
        ask=round(last + half, 2),
        bid_size=1 + int((4 + size % 30) * depth),
        ask_size=1 + int((4 + size // 32 % 30) * depth),
        last=last,
        open=round(float(line.values[0]) * scale, 2),
        high=round(float(line.highs[i]) * scale, 2),
        low=round(float(line.lows[i]) * scale, 2),
        close=moment.closes.get(symbol),
    )


def _vx_tick(future: PlainLine, expiry: date, moment: Moment, curve: Mapping[date, float]) -> Tick:
    """A VX or VXM future: on the steps of its class around the curve's value, wider by up to two steps of VX
    a side under stress.
    """
    value, con_id = curve.get(expiry), future.con_id
    if value is None or future.ends <= moment.epoch or future.contract is None:
        return Tick(con_id)
    line = moment.path.vx[moment.path.vx_settlements.index(expiry)]
    steps = _VXM_STEPS if future.contract.trading_class == "VXM" else _VX_STEPS
    stress = stress_of(moment.vix)
    half, depth = (0.025 if steps == _VX_STEPS else 0.01) + 0.1 * stress, 1.0 - 0.8 * stress
    size = _lot(con_id, moment.trading_epoch)
    return Tick(
        con_id,
        bid=floor((value - half) * steps + 1e-6) / steps,
        ask=ceil((value + half) * steps - 1e-6) / steps,
        bid_size=1 + int((20 + size % 180) * depth),
        ask_size=1 + int((20 + size // 256 % 180) * depth),
        last=_on_step(value, steps),
        open=_on_step(float(line.values[0]), steps),
        high=_on_step(float(line.highs[moment.index]), steps),
        low=_on_step(float(line.lows[moment.index]), steps),
        close=moment.vx_closes.get(expiry),
    )


def _breadth_tick(con_id: int, moment: Moment) -> Tick:
    path = moment.path
    if moment.breadth is not None:
        up, down = moment.breadth
    elif path.advances is not None and path.declines is not None:
        up, down = int(path.advances[moment.index]), int(path.declines[moment.index])
    else:
        return Tick(con_id)
    return Tick(con_id, bid=float(up), ask=float(down), bid_size=up, ask_size=down)


def _lot(con_id: int, epoch: float) -> int:
    return ((con_id ^ int(epoch // SIZE_INTERVAL_S) * 2654435761) * 2246822519 & 0xFFFFFFFF) >> 12


def _on_step(value: float, steps: float) -> float:
    return round(value * steps) / steps
