"""Top of book for a set of lines, all options among them in one vectorised pass.

What does not change while a line is watched (strike, right, class, expiry instant, place in the answer) is
laid out once per set of contract ids; a step then needs one underlying value per expiry and a dozen array
operations. Options are valued at the model price of `simulator/surface.py` and quoted around it; without
trading, quotes and greeks stay as they were at the close, the clock of the options standing still with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, exp, floor, inf, sqrt

import numpy as np
import numpy.typing as npt

from market.contract import Contract, Right, SecurityType
from market.pricing import black76_greeks, black76_price
from simulator.instruments import contract_of, trading_ends
from simulator.model import Tick
from simulator.paths import Line, SessionPath
from simulator.surface import (
    DIVIDEND_YIELD,
    VolatilityLevel,
    half_spreads,
    quote_cents,
    spx_volatility,
    stress_of,
    vix_option_atm_volatility,
    vix_option_smile,
)

FloatArray = npt.NDArray[np.float64]

_YEAR_S = 365.0 * 86_400.0
_FAR_DAYS = 90
_SIZE_INTERVAL_S = 10


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of the world at one market time: the session's path, the grid point, and what stands beside
    it.
    """

    path: SessionPath
    index: int
    epoch: float  # market time
    trading_epoch: float  # the same, but no later than the end of option trading
    vvix: float
    rate: float  # continuous, of the box
    closes: Mapping[str, float]  # symbol -> close of the session before
    vx_closes: Mapping[date, float]
    breadth: tuple[int, int] | None  # final counts once they are final, or of the session before

    @property
    def spx(self) -> float:
        """The index now."""
        return float(self.path.spx.values[self.index])

    @property
    def vix(self) -> float:
        """VIX now."""
        return float(self.path.vix.values[self.index])

    def vx_curve(self) -> dict[date, float]:
        """Settlement day -> value now of each listed VX contract."""
        pairs = zip(self.path.vx_settlements, self.path.vx, strict=True)
        return {expiry: float(line.values[self.index]) for expiry, line in pairs}

    def far_vix(self, curve: Mapping[date, float]) -> float:
        """The distant end of the VX curve: the mean beyond 90 days, or the last contract."""
        far = [value for expiry, value in curve.items() if (expiry - self.path.session).days > _FAR_DAYS]
        if far:
            return sum(far) / len(far)
        return list(curve.values())[-1] if curve else 0.5 * (self.vix + 20.0)

    def spx_forward(self, t_years: float) -> float:
        """The forward of the index `t_years` away."""
        return self.spx * exp((self.rate - DIVIDEND_YIELD) * t_years)

    def discount(self, t_years: float) -> float:
        """Value now of 1 paid in `t_years`."""
        return exp(-self.rate * t_years)


@dataclass(frozen=True, slots=True)
class _Group:
    """Options of one class and one expiry."""

    is_vix: bool
    expiry: date
    ends: float  # epoch seconds


@dataclass(frozen=True, slots=True)
class _Plain:
    """A line that is no option: where it stands in the answer, and what it is; None for an unknown id."""

    place: int
    con_id: int
    contract: Contract | None
    ends: float  # epoch seconds; infinite for what does not expire


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of a layout as parallel arrays; `group` is an index into the layout's groups."""

    places: tuple[int, ...]
    group: npt.NDArray[np.int64]
    strike: FloatArray
    is_call: npt.NDArray[np.bool_]
    is_vix: npt.NDArray[np.bool_]
    ids: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines in the order asked for, taken apart into plain ones and options."""

    con_ids: tuple[int, ...]
    plain: tuple[_Plain, ...]
    groups: tuple[_Group, ...]
    options: _Options


def layout_of(con_ids: Sequence[int]) -> Layout:
    """Lay out the lines; ids that name no contract of this venue become lines without a quote."""
    plain: list[_Plain] = []
    places: list[int] = []
    numbers: dict[tuple[bool, float], int] = {}
    groups: list[_Group] = []
    rows: list[tuple[int, float, bool, int]] = []
    for place, con_id in enumerate(con_ids):
        contract = contract_of(con_id)
        instant = None if contract is None else _ends(contract)
        if contract is None or contract.right is None or contract.expiry is None:
            plain.append(_Plain(place, con_id, contract, inf if instant is None else instant))
            continue
        if instant is None:
            # Reads back as an option of a day on which nothing can expire.
            plain.append(_Plain(place, con_id, None, inf))
            continue
        key = (contract.symbol == "VIX", instant)
        if key not in numbers:
            numbers[key] = len(groups)
            groups.append(_Group(key[0], contract.expiry, instant))
        places.append(place)
        rows.append((numbers[key], contract.strike, contract.right is Right.CALL, con_id))
    group = np.array([row[0] for row in rows], dtype=np.int64)
    flags = np.array([one.is_vix for one in groups], dtype=np.bool_)
    options = _Options(
        tuple(places),
        group,
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.bool_),
        flags[group] if rows else np.zeros(0, dtype=np.bool_),
        np.array([row[3] for row in rows], dtype=np.uint64),
    )
    return Layout(tuple(con_ids), tuple(plain), tuple(groups), options)


def quote(layout: Layout, moment: Moment) -> list[Tick]:
    """The ticks of all lines at `moment`, in the order of the layout."""
    ticks = [_NOTHING] * len(layout.con_ids)
    curve = moment.vx_curve()
    for line in layout.plain:
        ticks[line.place] = _plain_tick(line, moment, curve)
    if layout.groups:
        _quote_options(layout, moment, curve, ticks)
    return ticks


def _ends(contract: Contract) -> float | None:
    try:
        instant = trading_ends(contract)
    except ValueError:
        return None
    return None if instant is None else instant.timestamp()


def _plain_tick(line: _Plain, moment: Moment, curve: Mapping[date, float]) -> Tick:
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
    if contract.security_type is SecurityType.STOCK:
        # SPY has no series of its own: a tenth of the index, without distributions.
        prices, scale = (path.vnq, 1.0) if symbol == "VNQ" else (path.spx, 0.1)
        return Tick(con_id) if prices is None else _stock_tick(con_id, prices, scale, moment, symbol)
    value: float | None
    if symbol == "TNX":
        yields = path.treasury_10y_pct
        value = None if yields is None else round(10.0 * float(yields[moment.index]), 2)
    else:
        levels = path.followers.get(symbol)
        value = None if levels is None else float(levels[moment.index])
    return Tick(con_id, last=value, close=moment.closes.get(symbol))


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
    return Tick(
        con_id,
        bid=round(last - 0.01, 2),
        ask=round(last + 0.01, 2),
        bid_size=4 + size % 30,
        ask_size=4 + size // 32 % 30,
        last=last,
        open=round(float(line.values[0]) * scale, 2),
        high=round(float(line.highs[i]) * scale, 2),
        low=round(float(line.lows[i]) * scale, 2),
        close=moment.closes.get(symbol),
    )


def _vx_tick(future: _Plain, expiry: date, moment: Moment, curve: Mapping[date, float]) -> Tick:
    """A VX future: steps of 0.05 around the curve's value, wider by up to two steps a side under stress."""
    value, con_id = curve.get(expiry), future.con_id
    if value is None or future.ends <= moment.epoch:
        return Tick(con_id)
    line = moment.path.vx[moment.path.vx_settlements.index(expiry)]
    stress = stress_of(moment.vix)
    half, depth = 0.025 + 0.1 * stress, 1.0 - 0.8 * stress
    size = _lot(con_id, moment.trading_epoch)
    return Tick(
        con_id,
        bid=floor((value - half) * 20.0 + 1e-6) / 20.0,
        ask=ceil((value + half) * 20.0 - 1e-6) / 20.0,
        bid_size=1 + int((20 + size % 180) * depth),
        ask_size=1 + int((20 + size // 256 % 180) * depth),
        last=_on_step(value),
        open=_on_step(float(line.values[0])),
        high=_on_step(float(line.highs[moment.index])),
        low=_on_step(float(line.lows[moment.index])),
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


def _quote_options(layout: Layout, moment: Moment, curve: Mapping[date, float], ticks: list[Tick]) -> None:
    """Value, quote and write every option of the layout into its place in `ticks`."""
    options, group = layout.options, layout.options.group
    level = spx_volatility(moment.vix, moment.far_vix(curve))
    stress = stress_of(moment.vix)
    state, underlying = _expiry_state(layout, moment, curve, level)
    f, t, atm, d, deviation, alive = state[:, group]
    log_moneyness = np.log(options.strike / f)
    smile = np.sqrt(level.shape.variance_ratio(log_moneyness / deviation))
    sigma = atm * np.where(options.is_vix, vix_option_smile(log_moneyness), smile)
    price = black76_price(f, options.strike, t, sigma, d, options.is_call)
    greeks = black76_greeks(f, options.strike, t, sigma, d, options.is_call)
    half = half_spreads(price, greeks.delta, greeks.vega, f, options.is_vix, stress)
    bids, asks = quote_cents(price, half, options.is_vix)
    bid_sizes, ask_sizes = _sizes(options.ids, price, moment.trading_epoch, stress)
    model = np.stack((sigma, greeks.delta, greeks.gamma, greeks.vega, greeks.theta, price), axis=1)
    model = np.rint(model * _MODEL_SCALES) / _MODEL_UNITS
    rows = zip(
        options.places,
        group.tolist(),
        alive.tolist(),
        bids.tolist(),
        asks.tolist(),
        bid_sizes.tolist(),
        ask_sizes.tolist(),
        model.tolist(),
        strict=True,
    )
    con_ids = layout.con_ids
    for place, number, live, bid, ask, bid_size, ask_size, (iv, delta, gamma, vega, theta, value) in rows:
        ticks[place] = (
            Tick(
                con_ids[place],
                bid / 100.0 if bid else None,
                ask / 100.0,
                bid_size if bid else 0,
                ask_size,
                None,
                None,
                None,
                None,
                None,
                iv,
                delta,
                gamma,
                vega,
                theta,
                value,
                underlying[number],
            )
            if live
            else Tick(con_ids[place])
        )


def _expiry_state(
    layout: Layout, moment: Moment, curve: Mapping[date, float], level: VolatilityLevel
) -> tuple[FloatArray, list[float]]:
    """Six rows (forward, years, at-the-money volatility, discount factor, standard deviation, 1.0 while
    alive) with a column for each group; and the underlying value of each group, for show.
    """
    columns, underlying, spot = [], [], moment.spx
    for one in layout.groups:
        years = (one.ends - moment.trading_epoch) / _YEAR_S
        forward = curve.get(one.expiry, 0.0) if one.is_vix else moment.spx_forward(years)
        underlying.append(forward if one.is_vix else spot)
        if years <= 0.0 or forward <= 0.0 or one.ends <= moment.epoch:
            columns.append((1.0, 1.0, 1.0, 1.0, 1.0, 0.0))
            continue
        atm = vix_option_atm_volatility(moment.vvix, years) if one.is_vix else level.atm_volatility(years)
        columns.append((forward, years, atm, moment.discount(years), atm * sqrt(years), 1.0))
    return np.array(columns, dtype=np.float64).T, underlying


def _sizes(
    ids: npt.NDArray[np.uint64], price: npt.NDArray[np.float64], epoch: float, stress: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Contracts on each side: more where the option is cheap, fewer under stress; new every five minutes."""
    mixed = (ids ^ np.uint64(int(epoch // _SIZE_INTERVAL_S) * 2654435761)) * np.uint64(11400714819323198485)
    depth = (1.0 - 0.8 * stress) * (1.0 + 4.0 / (1.0 + np.round(price, 2)))
    first = (mixed >> np.uint64(40)) % np.uint64(50)
    second = (mixed >> np.uint64(50)) % np.uint64(50)
    return (
        (1.0 + (8.0 + first) * depth).astype(np.int64),
        (1.0 + (8.0 + second) * depth).astype(np.int64),
    )


def _lot(con_id: int, epoch: float) -> int:
    return ((con_id ^ int(epoch // _SIZE_INTERVAL_S) * 2654435761) * 2246822519 & 0xFFFFFFFF) >> 12


def _on_step(value: float) -> float:
    return round(value * 20.0) / 20.0


_NOTHING = Tick(0)
#: Per unit of volatility and per year become per 1 % and per day; rounded to 1e-6, gamma 1e-8, prices 1e-4.
_MODEL_UNITS = np.array([1e6, 1e6, 1e8, 1e6, 1e6, 1e4])
_MODEL_SCALES = _MODEL_UNITS * np.array([1.0, 1.0, 1.0, 0.01, 1.0 / 365.0, 1.0])
