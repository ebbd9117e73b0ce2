"""Top of book for a set of lines, all options among them in one vectorised pass.

What does not change while a line is watched (strike, right, class, expiry instant, place in the answer) is
laid out once per set of contract ids; a step then needs one underlying value per expiry and a dozen array
operations. Options are valued at the model price of `simulator/surface.py` and quoted around it; without
trading, quotes and greeks stay as they were at the close, the clock of the options standing still with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf, sqrt

import numpy as np
import numpy.typing as npt

from market.contract import Contract, Right
from market.pricing import black76_greeks, black76_price
from simulator.classes import CLASSES
from simulator.instruments import contract_of, trading_ends
from simulator.model import Tick
from simulator.moment import Moment
from simulator.plain_quotes import SIZE_INTERVAL_S, PlainLine, plain_tick
from simulator.surface import (
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


@dataclass(frozen=True, slots=True)
class _Group:
    """Options of one class and one expiry."""

    is_vix: bool
    expiry: date
    ends: float  # epoch seconds
    scale: float  # points of the class per point of the index


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of a layout as parallel arrays; `group` is an index into the layout's groups."""

    places: tuple[int, ...]
    group: npt.NDArray[np.int64]
    strike: FloatArray
    is_call: npt.NDArray[np.bool_]
    is_vix: npt.NDArray[np.bool_]
    ids: npt.NDArray[np.uint64]
    scale: FloatArray
    has_minis: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines in the order asked for, taken apart into plain ones and options."""

    con_ids: tuple[int, ...]
    plain: tuple[PlainLine, ...]
    groups: tuple[_Group, ...]
    options: _Options


def layout_of(con_ids: Sequence[int]) -> Layout:
    """Lay out the lines; ids that name no contract of this venue become lines without a quote."""
    plain: list[PlainLine] = []
    places: list[int] = []
    numbers: dict[tuple[bool, float, float], int] = {}
    groups: list[_Group] = []
    rows: list[tuple[int, float, bool, int]] = []
    for place, con_id in enumerate(con_ids):
        contract = contract_of(con_id)
        instant = None if contract is None else _ends(contract)
        if contract is None or contract.right is None or contract.expiry is None:
            plain.append(PlainLine(place, con_id, contract, inf if instant is None else instant))
            continue
        if instant is None:
            # Reads back as an option of a day on which nothing can expire.
            plain.append(PlainLine(place, con_id, None, inf))
            continue
        scale = CLASSES[contract.trading_class].scale
        key = (contract.symbol == "VIX", instant, scale)
        if key not in numbers:
            numbers[key] = len(groups)
            groups.append(_Group(key[0], contract.expiry, instant, scale))
        places.append(place)
        # Minis are valued as the full-size option they are a tenth of.
        rows.append((numbers[key], round(contract.strike / scale, 6), contract.right is Right.CALL, con_id))
    group = np.array([row[0] for row in rows], dtype=np.int64)
    flags = np.array([one.is_vix for one in groups], dtype=np.bool_)
    options = _Options(
        tuple(places),
        group,
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.bool_),
        flags[group] if rows else np.zeros(0, dtype=np.bool_),
        np.array([row[3] for row in rows], dtype=np.uint64),
        np.array([groups[row[0]].scale for row in rows], dtype=np.float64),
        any(one.scale != 1.0 for one in groups),
    )
    return Layout(tuple(con_ids), tuple(plain), tuple(groups), options)


def quote(layout: Layout, moment: Moment) -> list[Tick]:
    """The ticks of all lines at `moment`, in the order of the layout."""
    ticks = [_NOTHING] * len(layout.con_ids)
    curve = moment.vx_curve()
    for line in layout.plain:
        ticks[line.place] = plain_tick(line, moment, curve)
    if layout.groups:
        _quote_options(layout, moment, curve, ticks)
    return ticks


def _ends(contract: Contract) -> float | None:
    try:
        instant = trading_ends(contract)
    except ValueError:
        return None
    return None if instant is None else instant.timestamp()


def _quote_options(layout: Layout, moment: Moment, curve: Mapping[date, float], ticks: list[Tick]) -> None:
    """Value, quote and write every option of the layout into its place in `ticks`."""
    options, group = layout.options, layout.options.group
    level = spx_volatility(moment.vix, moment.far_vix(curve))
    stress = stress_of(moment.vix)
    state, underlying = _expiry_state(layout, moment, curve, level)
    f, t, atm, d, deviation, alive = state.take(group, axis=1)
    log_moneyness = np.log(options.strike / f)
    smile = np.sqrt(level.shape.variance_ratio(log_moneyness / deviation))
    sigma = atm * np.where(options.is_vix, vix_option_smile(log_moneyness), smile)
    price = black76_price(f, options.strike, t, sigma, d, options.is_call)
    greeks = black76_greeks(f, options.strike, t, sigma, d, options.is_call)
    half = half_spreads(price, greeks.delta, greeks.vega, f, options.is_vix, stress)
    bids, asks = quote_cents(price, half, options.is_vix)
    bid_sizes, ask_sizes = _sizes(options.ids, price, moment.trading_epoch, stress)
    model = np.array((sigma, greeks.delta, greeks.gamma, greeks.vega, greeks.theta, price)).T
    if options.has_minis:
        bids, asks, model = _as_minis(options.scale, half, bids, asks, model)
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


def _as_minis(
    scale: FloatArray,
    half: FloatArray,
    bids: npt.NDArray[np.int64],
    asks: npt.NDArray[np.int64],
    model: FloatArray,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """Quotes in cents and model rows with those of mini options in their own points, on steps of a cent."""
    mini = scale != 1.0
    scaled = model.copy()
    scaled[:, 2] = np.where(mini, model[:, 2] / scale, model[:, 2])
    for column in (3, 4, 5):
        scaled[:, column] = np.where(mini, model[:, column] * scale, model[:, column])
    micro = np.rint(np.stack((model[:, 5] - half, model[:, 5] + half)) * scale * 1e6)
    below, above = np.maximum(micro, 0.0)
    penny_bids = np.floor(below / 1e4).astype(np.int64)
    penny_asks = np.maximum(np.ceil(above / 1e4).astype(np.int64), penny_bids + 1)
    return np.where(mini, penny_bids, bids), np.where(mini, penny_asks, asks), scaled


def _expiry_state(
    layout: Layout, moment: Moment, curve: Mapping[date, float], level: VolatilityLevel
) -> tuple[FloatArray, list[float]]:
    """Six rows (forward, years, at-the-money volatility, discount factor, standard deviation, 1.0 while
    alive) with a column for each group; and the underlying value of each group, for show.
    """
    columns, underlying, spot = [], [], moment.spx
    for one in layout.groups:
        years = (one.ends - moment.trading_epoch) / _YEAR_S
        forward = moment.vix_forward(curve, one.expiry) if one.is_vix else moment.spx_forward(years)
        underlying.append(forward if one.is_vix else spot if one.scale == 1.0 else round(spot * one.scale, 4))
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
    mixed = (ids ^ np.uint64(int(epoch // SIZE_INTERVAL_S) * 2654435761)) * _MIXER
    depth = (1.0 - 0.8 * stress) * (1.0 + 4.0 / (1.0 + np.round(price, 2)))
    bids, asks = (1.0 + (8.0 + (mixed >> _PLACES) % _SPREAD) * depth).astype(np.int64)
    return bids, asks


_MIXER, _PLACES, _SPREAD = np.uint64(11400714819323198485), np.array([[40], [50]], np.uint64), np.uint64(50)
_NOTHING = Tick(0)
#: Per unit of volatility and per year become per 1 % and per day; rounded to 1e-6, gamma 1e-8, prices 1e-4.
_MODEL_UNITS = np.array([1e6, 1e6, 1e8, 1e6, 1e6, 1e4])
_MODEL_SCALES = _MODEL_UNITS * np.array([1.0, 1.0, 1.0, 0.01, 1.0 / 365.0, 1.0])
