"""The one boundary where a float becomes a decision, a stored state or a written number.

numpy picks its exp, log and power kernels by the instruction set of the machine, so the same inputs differ
in the last bits between two CPUs. A threshold compared with, or a journal written from, such bits would not
replay to the same bytes elsewhere. Every float that is compared with a threshold, kept in state or written
therefore passes here first: prices to 1e-6, ratios to 1e-9, volatilities to 1e-8. Rounding narrows the
chance of a difference to inputs within one last bit of a rounding boundary; it does not make it zero.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

PRICE_DECIMALS = 6
RATIO_DECIMALS = 9
VOLATILITY_DECIMALS = 8

_PRICE_UNIT, _RATIO_UNIT, _VOLATILITY_UNIT = 1e6, 1e9, 1e8
_SURE_SCALED, _SURE_GAP = 1e13, 0.49  # scaled below 1e13, a value is off by less than 0.002 units
_TO_WHOLE = 1.5 * 2.0**52  # floats of this size are whole: adding and taking it off rounds to the nearest
_LAST_BITS = 4.0 * float(np.finfo(np.float64).eps)
_EXACT_INTEGERS = 2.0**52


@overload
def round_price(value: float) -> float: ...
@overload
def round_price(value: FloatArray) -> FloatArray: ...
def round_price(value: float | FloatArray) -> float | FloatArray:
    """Round a price, a cash amount or an index level to 1e-6; NaN and infinity pass, -0.0 becomes 0.0."""
    if type(value) is float:
        # `_nearest`, spelled out for the rounding that is asked for most.
        scaled = value * _PRICE_UNIT
        if -_SURE_SCALED < scaled < _SURE_SCALED:
            whole = (scaled + _TO_WHOLE) - _TO_WHOLE
            if -_SURE_GAP < scaled - whole < _SURE_GAP:
                return whole / _PRICE_UNIT
        return round(value, PRICE_DECIMALS) + 0.0
    return _rounded(value, PRICE_DECIMALS)


@overload
def round_ratio(value: float) -> float: ...
@overload
def round_ratio(value: FloatArray) -> FloatArray: ...
def round_ratio(value: float | FloatArray) -> float | FloatArray:
    """Round a fraction, a delta or a discount factor to 1e-9; NaN and infinity pass, -0.0 becomes 0.0."""
    if type(value) is float:
        return _nearest(value, RATIO_DECIMALS, _RATIO_UNIT)
    return _rounded(value, RATIO_DECIMALS)


@overload
def round_volatility(value: float) -> float: ...
@overload
def round_volatility(value: FloatArray) -> FloatArray: ...
def round_volatility(value: float | FloatArray) -> float | FloatArray:
    """Round an annualised volatility (1.00 = 100 %) to 1e-8; NaN and infinity pass, -0.0 becomes 0.0."""
    if type(value) is float:
        return _nearest(value, VOLATILITY_DECIMALS, _VOLATILITY_UNIT)
    return _rounded(value, VOLATILITY_DECIMALS)


def _nearest(value: float, decimals: int, unit: float) -> float:
    """`round(value, decimals)` without -0.0, by way of whole units where they leave no doubt.

    `round` goes through decimal digits. A look at the market rounds over a hundred numbers, and nearly all of
    them lie far from the middle between two units.
    """
    scaled = value * unit
    if -_SURE_SCALED < scaled < _SURE_SCALED:
        whole = (scaled + _TO_WHOLE) - _TO_WHOLE
        if -_SURE_GAP < scaled - whole < _SURE_GAP:
            return whole / unit
    return round(value, decimals) + 0.0


def _rounded(value: float | FloatArray, decimals: int) -> float | FloatArray:
    # Adding 0.0 turns -0.0 into 0.0 and leaves every other value, NaN included, as it is.
    if not isinstance(value, np.ndarray):
        return round(float(value), decimals) + 0.0
    unit = 10.0**decimals
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = value * unit
        whole = np.rint(scaled)
        rounded = whole / unit
        # Scaling may itself round; where that could decide, the exact decimal rounding of the scalar case
        # does.
        to_tie = np.abs(np.abs(scaled - whole) - 0.5)
        doubtful = ~((to_tie > np.abs(scaled) * _LAST_BITS) & (np.abs(scaled) < _EXACT_INTEGERS))
    for i in np.argwhere(doubtful).tolist():
        index = tuple(i)
        rounded[index] = round(float(value[index]), decimals)
    return np.asarray(rounded + 0.0)
