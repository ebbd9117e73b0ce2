"""Black-76 prices, greeks and implied volatilities for a whole option chain in one vectorised call.

European options on a forward F for the option's own settlement date: SPX on the parity forward, VIX on the
matching future, never on spot VIX. The work is done on the out-of-the-money side
(market/normalised_black.py); the other side follows from put-call parity. Every argument broadcasts against
every other; results are float64 arrays of the broadcast shape (0-d for scalars). Nothing raises on bad
market data: a NaN or an impossible price gives NaN, and the implied volatility says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import erfc, inf, log, sqrt

import numpy as np
import numpy.typing as npt

from market.normal import SQRT_HALF, SQRT_TWO_PI, FloatArray, normal_cdf
from market.normalised_black import (
    LARGEST_S,
    BoolArray,
    implied_deviation,
    implied_deviation_scalar,
    scaled_gap,
)

_BLOCK = 2048  # options worked on at a time
_SMALLEST_S = 1e-150  # stands in for s = 0: h^2 may overflow there, h itself may not
_SMALLEST_PRICE = 1e-290  # below this a price divided by sqrt(FK) may lose digits to denormal numbers
_RESOLUTION = 1e-8  # relative error of a volatility that is still worth giving; market/rounding.py cuts there
_SMALLEST_ELASTICITY = 1e-4  # d ln price / d ln sigma; less only within about 1e-5 of the upper bound
_PRICE_NOISE = 4.0 * float(np.finfo(np.float64).eps)
# The same numbers as arrays of no dimension, which numpy takes in less time than Python floats.
_ZERO_0D, _ONE_0D, _TWO_0D, _HALF_0D, _MINUS_HALF_0D = (np.array(c) for c in (0.0, 1.0, 2.0, 0.5, -0.5))
_INFINITY_0D, _SMALLEST_PRICE_0D = np.array(np.inf), np.array(_SMALLEST_PRICE)
_NOISE_0D, _SMALLEST_ELASTICITY_0D = np.array(_PRICE_NOISE / _RESOLUTION), np.array(_SMALLEST_ELASTICITY)
_DENSITY_0D = np.array(1.0 / SQRT_TWO_PI)


class VolatilityFault(IntEnum):
    """Why a price has no implied volatility; NONE where it has one."""

    NONE = 0
    NOT_FINITE = 1  # an argument is NaN or infinite
    NON_POSITIVE_INPUT = 2  # forward, strike or discount factor is zero or negative
    EXPIRED = 3  # no time left
    NON_POSITIVE_PRICE = 4
    BELOW_INTRINSIC = 5  # at or below the discounted intrinsic value
    ABOVE_UPPER_BOUND = 6  # at or above D F for a call, D K for a put
    UNRESOLVED = 7  # the last bits of the price, or of the arithmetic, decide the volatility's eighth digit


@dataclass(frozen=True, slots=True)
class Greeks:
    """Black-76 sensitivities, arrays of one shape; NaN where time or volatility is zero."""

    delta_forward: FloatArray  # undiscounted: N(d1) for a call, -N(-d1) for a put
    delta: FloatArray  # discounted, change of the price per point of the forward
    gamma: FloatArray  # change of `delta` per point of the forward
    vega: FloatArray  # per 1.00 of volatility
    theta: FloatArray  # per year of passing time, forward held


@dataclass(frozen=True, slots=True)
class ImpliedVolatility:
    """Annualised volatilities and, element by element, the VolatilityFault (as int8) where `sigma` is NaN."""

    sigma: FloatArray
    reason: npt.NDArray[np.int8]


def black76_price(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t_years: npt.ArrayLike,
    sigma: npt.ArrayLike,
    discount: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> FloatArray:
    """Present value per unit of the underlying; Black (1976).

    t_years in years, sigma per 1.00, discount the factor to payment. Zero time or volatility gives the
    discounted intrinsic value; negative time, volatility, forward or strike give NaN.
    """
    arguments = _floats(forward, strike, t_years, sigma, discount, _signs(is_call))
    shape, blocks = _blocks(arguments)
    if blocks is None:
        return _price(*arguments)
    return np.concatenate([_price(*block) for block in blocks]).reshape(shape)


def black76_greeks(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t_years: npt.ArrayLike,
    sigma: npt.ArrayLike,
    discount: npt.ArrayLike,
    is_call: npt.ArrayLike,
) -> Greeks:
    """Sensitivities of `black76_price`, same arguments; the interest in theta is -ln(discount)/t_years."""
    arguments = _floats(forward, strike, t_years, sigma, discount, _signs(is_call))
    shape, blocks = _blocks(arguments)
    if blocks is None:
        return _greeks(*arguments)
    parts = [_greeks(*block) for block in blocks]
    return Greeks(
        delta_forward=np.concatenate([part.delta_forward for part in parts]).reshape(shape),
        delta=np.concatenate([part.delta for part in parts]).reshape(shape),
        gamma=np.concatenate([part.gamma for part in parts]).reshape(shape),
        vega=np.concatenate([part.vega for part in parts]).reshape(shape),
        theta=np.concatenate([part.theta for part in parts]).reshape(shape),
    )


def black76_delta_forward(
    forward: float, strike: FloatArray, t_years: float, sigma: FloatArray | float, is_call: BoolArray | bool
) -> FloatArray:
    """`black76_greeks(...).delta_forward` alone, bit for bit, for options of one expiry.

    strike has one dimension; what chooses strikes needs no other sensitivity.
    """
    sign = _signs(is_call)
    with np.errstate(all="ignore"):
        s = sigma * np.sqrt(t_years)
        s = np.where(s > 0.0, s, np.nan)
        signed = sign * (np.log(forward / strike) / s + 0.5 * s)
        cumulative = normal_cdf(signed, np.exp(-0.5 * signed * signed) * (1.0 / SQRT_TWO_PI))
        cumulative *= sign
    return cumulative


def implied_volatility(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t_years: npt.ArrayLike,
    discount: npt.ArrayLike,
    is_call: npt.ArrayLike,
    guess: npt.ArrayLike | None = None,
) -> ImpliedVolatility:
    """The volatility that gives `price` back, to 1e-10 relative, or NaN and the fault that rules it out.

    guess: earlier volatilities for the same options; they save time and cannot change a result beyond the
    last bits, since an element whose steps do not settle starts again without its guess. In-the-money
    prices are turned into out-of-the-money ones by put-call parity, which costs the digits the intrinsic
    value takes: when less than eight are left the element is UNRESOLVED.
    """
    arguments = _floats(price, forward, strike, t_years, discount, _signs(is_call))
    if guess is not None:
        arguments += _floats(guess)
    shape, blocks = _blocks(arguments)
    if blocks is None:
        return _implied(shape, *arguments)
    parts = [_implied(np.broadcast(*block).shape, *block) for block in blocks]
    return ImpliedVolatility(
        sigma=np.concatenate([part.sigma for part in parts]).reshape(shape),
        reason=np.concatenate([part.reason for part in parts]).reshape(shape),
    )


def volatility_and_delta(
    price: float, forward: float, strike: float, t_years: float, discount: float, is_call: bool
) -> tuple[float, float] | None:
    """Implied volatility and `delta_forward` of one option in plain floats; None where it has no volatility.

    The same to the last few bits as `implied_volatility` and `black76_greeks`. A look at the market values a
    dozen or two options, for which each of numpy's calls costs more than all the arithmetic it does.
    """
    if not (0.0 < price < inf and 0.0 < forward < inf and 0.0 < strike < inf):
        return None
    if not (0.0 < t_years < inf and 0.0 < discount < inf):
        return None
    sign = 1.0 if is_call else -1.0
    intrinsic = sign * (discount * (forward - strike))
    time_value = price - intrinsic if intrinsic > 0.0 else price
    if not _SMALLEST_PRICE < time_value < discount * (min(forward, strike)):
        return None
    scaled = time_value / (discount * sqrt(forward * strike))
    if scaled <= 0.0:
        return None  # forward and strike are beyond all numbers
    log_moneyness, root_t = log(forward / strike), sqrt(t_years)
    s, elasticity = implied_deviation_scalar(-abs(log_moneyness), scaled)
    unresolved = time_value * elasticity < price * (_PRICE_NOISE / _RESOLUTION)
    if unresolved or elasticity < _SMALLEST_ELASTICITY or s < _PRICE_NOISE / _RESOLUTION:
        return None
    return s / root_t, sign * 0.5 * erfc(-sign * (log_moneyness / s + 0.5 * s) * SQRT_HALF)


def delta_of_one(forward: float, strike: float, t_years: float, sigma: float, is_call: bool) -> float:
    """`delta_forward` of one option in plain floats, for a positive time and volatility."""
    s, sign = sigma * sqrt(t_years), 1.0 if is_call else -1.0
    return sign * 0.5 * erfc(-sign * (log(forward / strike) / s + 0.5 * s) * SQRT_HALF)


def _price(
    f: FloatArray, k: FloatArray, t: FloatArray, vol: FloatArray, d: FloatArray, sign: FloatArray
) -> FloatArray:
    with np.errstate(all="ignore"):
        deviation = vol * np.sqrt(t)
        s = np.where(deviation >= 0.0, np.clip(deviation, _SMALLEST_S, LARGEST_S), np.nan)
        h = -np.abs(np.log(f / k)) / s
        half = 0.5 * s
        out_of_the_money = scaled_gap(h, half) * np.exp(-0.5 * (h * h + half * half))
        intrinsic = np.maximum(sign * (d * (f - k)), 0.0)
        price: FloatArray = np.asarray(0.5 * d * np.sqrt(f * k) * out_of_the_money + intrinsic)
    return price


def _greeks(
    f: FloatArray, k: FloatArray, t: FloatArray, vol: FloatArray, d: FloatArray, sign: FloatArray
) -> Greeks:
    with np.errstate(all="ignore"):
        root_t = np.sqrt(t)
        s = vol * root_t
        if np.count_nonzero(s > _ZERO_0D) < s.size:
            s = np.where(s > 0.0, s, np.nan)
        ratio = f / k
        d1 = np.log(ratio) / s + _HALF_0D * s
        shape = np.broadcast(d1, sign, d).shape
        signed = np.empty((2, *shape))
        np.multiply(sign, d1, out=signed[0, ...])
        np.multiply(sign, d1 - s, out=signed[1, ...])
        density = np.empty_like(signed)
        density_1 = np.exp(_MINUS_HALF_0D * d1 * d1, out=density[0, ...])
        density_1 *= _DENSITY_0D
        np.multiply(density_1, ratio, out=density[1, ...])  # F n(d1) = K n(d2)
        cumulative = normal_cdf(signed, density)
        cumulative *= sign
        delta_forward = cumulative[0]
        discounted_density = d * density_1
        vega = f * root_t * discounted_density
        value = d * (f * delta_forward - k * cumulative[1])
        return Greeks(
            delta_forward=np.asarray(delta_forward),
            delta=np.asarray(d * delta_forward),
            gamma=np.asarray(discounted_density / (f * s)),
            vega=np.asarray(vega),
            theta=np.asarray((_MINUS_HALF_0D * vega * vol - np.log(d) * value) / t),
        )


def _implied(
    shape: tuple[int, ...],
    p: FloatArray,
    f: FloatArray,
    k: FloatArray,
    t: FloatArray,
    d: FloatArray,
    sign: FloatArray,
    guess: FloatArray | None = None,
) -> ImpliedVolatility:
    if p.shape != shape:
        p = np.broadcast_to(p, shape)
    with np.errstate(all="ignore"):
        root_t = np.sqrt(t)
        scale = d * np.sqrt(f * k)
        intrinsic = np.maximum(sign * (d * (f - k)), _ZERO_0D)
        time_value = p - intrinsic
        valid = time_value < d * np.minimum(f, k)
        valid &= time_value > _SMALLEST_PRICE_0D
        valid &= scale < _INFINITY_0D
        if root_t.ndim or not 0.0 < root_t.item() < inf:
            valid &= (root_t > 0.0) & (root_t < np.inf)
        keep = None if np.count_nonzero(valid) == valid.size else np.broadcast_to(valid, shape)
        time_value = _flat(time_value, shape, keep)
        x = _flat(-np.abs(np.log(f / k)), shape, keep)
        if x.ndim == 0:
            x = np.broadcast_to(x, time_value.shape)
        start = None if guess is None else _flat(guess * root_t, shape, keep)
        s, elasticity = implied_deviation(x, time_value / _flat(scale, shape, keep), start)
        unresolved = time_value * elasticity < _flat(p, shape, keep) * _NOISE_0D
        unresolved |= elasticity < _SMALLEST_ELASTICITY_0D
        unresolved |= s < _NOISE_0D
        s /= _flat(root_t, shape, keep)
    fault = np.zeros(s.shape, dtype=np.int8)
    if np.count_nonzero(unresolved):
        s[unresolved] = np.nan
        fault[unresolved] = VolatilityFault.UNRESOLVED
    if keep is None:
        return ImpliedVolatility(s.reshape(shape), fault.reshape(shape))
    sigma = np.full(shape, np.nan)
    sigma[keep] = s
    reason = np.array(np.broadcast_to(_faults(p, f, k, t, d, intrinsic), shape))
    reason[keep] = fault
    return ImpliedVolatility(sigma, reason)


def _floats(*arguments: npt.ArrayLike) -> list[FloatArray]:
    return [np.asarray(a, dtype=np.float64) for a in arguments]


def _signs(is_call: npt.ArrayLike) -> FloatArray:
    return np.asarray(np.asarray(is_call, dtype=np.bool_) * _TWO_0D - _ONE_0D)


def _blocks(arguments: list[FloatArray]) -> tuple[tuple[int, ...], list[list[FloatArray]] | None]:
    """The broadcast shape and, for a large one, flat slices whose temporaries stay in cache.

    Without them the heap grows and is given back on every call, and page faults cost more than the
    arithmetic.
    """
    whole = np.broadcast(*arguments)
    if whole.size <= _BLOCK:
        return whole.shape, None
    flat = [a if a.ndim == 0 else np.broadcast_to(a, whole.shape).reshape(-1) for a in arguments]
    starts = range(0, whole.size, _BLOCK)
    return whole.shape, [[a if a.ndim == 0 else a[i : i + _BLOCK] for a in flat] for i in starts]


def _flat(a: FloatArray, shape: tuple[int, ...], keep: BoolArray | None) -> FloatArray:
    """The valid elements as a flat array; a scalar stays one where everything is valid."""
    if keep is None and a.ndim == 0 and shape:
        return a
    whole = a if a.shape == shape else np.broadcast_to(a, shape)
    return whole.reshape(-1) if keep is None else whole[keep]


def _faults(
    p: FloatArray, f: FloatArray, k: FloatArray, t: FloatArray, d: FloatArray, intrinsic: FloatArray
) -> npt.NDArray[np.int8]:
    """The first fault that applies to each element that was found invalid."""
    finite = np.isfinite(p) & np.isfinite(f) & np.isfinite(k) & np.isfinite(t) & np.isfinite(d)
    named = [
        (~finite, VolatilityFault.NOT_FINITE),
        ((f <= 0.0) | (k <= 0.0) | (d <= 0.0), VolatilityFault.NON_POSITIVE_INPUT),
        (t <= 0.0, VolatilityFault.EXPIRED),
        (p <= 0.0, VolatilityFault.NON_POSITIVE_PRICE),
        (p <= intrinsic, VolatilityFault.BELOW_INTRINSIC),
        (p - intrinsic <= _SMALLEST_PRICE, VolatilityFault.UNRESOLVED),
    ]
    shape = np.broadcast_shapes(finite.shape, intrinsic.shape)
    reason = np.full(shape, VolatilityFault.ABOVE_UPPER_BOUND, dtype=np.int8)
    for where, fault in reversed(named):
        reason[np.broadcast_to(where, shape)] = fault
    return reason
