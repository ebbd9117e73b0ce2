"""Black's formula without units, and its inverse: the engine under implied volatility.

With x = -|ln(F/K)| and s = sigma sqrt(T) an out-of-the-money price, divided by D sqrt(FK), is

    b(x, s) = exp(-(h^2 + t^2) / 2) [Y(-(h + t) / sqrt 2) - Y(-(h - t) / sqrt 2)] / 2,   h = x/s, t = s/2,

Y being the scaled complementary error function. ln b costs one logarithm and no exponential, and a price of
1e-250 is as exact as one of 10. The inverse starts from the normal (Bachelier) model, whose own inverse has
a single variable and so fits a small rational function, and polishes with Householder steps of fourth order
on ln b: one step settles an index option, two an option at any distance. What does not settle is bracketed.
"""

from __future__ import annotations

import math
from math import erfc, exp, log, sqrt

import numpy as np
import numpy.typing as npt

from market.normal import SQRT_HALF, FloatArray, scaled_erfc, scaled_erfc_scalar

BoolArray = npt.NDArray[np.bool_]

LARGEST_S = 20.0  # b equals its bound exp(x/2) in double precision well before

_SQRT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)
_LN_TWO = math.log(2.0)
# A step of fourth order leaves an error of 0.15 n^4 or less, n being the relative Newton step, so that 3e-3
# means settled to 2e-11. For s above 2 the factor grows as the elasticity falls, and the limit falls with
# it.
_SETTLED_NEWTON_STEP = 3e-3
_COLD_STEPS = 4
_WARM_STEPS = 2
_BISECTIONS = 80
# The same numbers as arrays of no dimension, which numpy takes in less time than Python floats.
_ONE_0D, _HALF_0D, _THREE_0D, _SIXTH_0D = (np.array(c) for c in (1.0, 0.5, 3.0, 1.0 / 6.0))
_MINUS_ROOT_HALF_0D, _SETTLED_0D = np.array(-SQRT_HALF), np.array(_SETTLED_NEWTON_STEP)
_SQRT_TWO_OVER_PI_0D, _LN_TWO_0D = np.array(_SQRT_TWO_OVER_PI), np.array(_LN_TWO)

# (z/d)^2 as a rational function of z = ln(1 + m/b), highest power first, where d is the standardised
# distance m/s of a Bachelier option with moneyness m and price b; a minimax fit for 0 < d < 38, 4.7e-4
# relative in d.
_BACHELIER_NUMERATOR = (0.00559316, 0.130427, 0.94572, 6.28897)
_BACHELIER_DENOMINATOR = (0.0111365, 0.154324, 1.0)
(_N3, _N2, _N1, _N0), (_D2, _D1, _D0) = _BACHELIER_NUMERATOR, _BACHELIER_DENOMINATOR

# Up to here exp(y^2) loses no more than a bit or two to the rounding of y^2, for which scaled_erfc_scalar
# splits y.
_PLAIN_WITHIN = 2.0


def scaled_gap(h: FloatArray, half: FloatArray) -> FloatArray:
    """Y(-(h + t)/sqrt 2) - Y(-(h - t)/sqrt 2) with t = half; broadcasts, both Y in one call."""
    y = np.empty((2, *np.broadcast(h, half).shape))
    np.add(h, half, out=y[0, ...])
    np.subtract(h, half, out=y[1, ...])
    y *= _MINUS_ROOT_HALF_0D
    scaled = scaled_erfc(y)
    gap: FloatArray = np.subtract(scaled[0], scaled[1])
    return gap


def implied_deviation(
    x: FloatArray, price: FloatArray, start: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """The s with b(x, s) = price, and the elasticity d ln b / d ln s there.

    Flat arrays of one length; x <= 0 and 0 < price < exp(x/2) are the caller's duty. start: guesses of s,
    any of which may be wrong or NaN; an element whose steps do not settle starts again without its guess.
    Call it with numpy's floating-point warnings off: a wrong guess overflows before it is given up.
    """
    log_price = np.log(price)
    if start is None:
        s, elasticity, unsettled = _refined(x, log_price, _bachelier_guess(x, price), _COLD_STEPS)
    else:
        s, elasticity, unsettled = _refined(x, log_price, start, _WARM_STEPS)
        if np.count_nonzero(unsettled):
            i = np.flatnonzero(unsettled)
            cold = _bachelier_guess(x[i], price[i])
            s[i], elasticity[i], unsettled[i] = _refined(x[i], log_price[i], cold, _COLD_STEPS)
    if np.count_nonzero(unsettled):
        for j in np.flatnonzero(unsettled).tolist():
            s[j], elasticity[j] = _bisected(float(x[j]), float(log_price[j]))
    return s, elasticity


def implied_deviation_scalar(x: float, price: float) -> tuple[float, float]:
    """`implied_deviation` of one element without a start, in plain floats, to the last few bits the same."""
    log_price = log(price)
    # The guess of `_bachelier_guess`, spelled out; and no `max`, which would cost as much as a logarithm.
    distance, least = -x, 1e-06 * price
    if distance < least:  # noqa: PLR1730  # see above
        distance = least
    z = log(1.0 + distance * (1.0 + distance * distance * (1.0 / 24.0)) / price)
    s = distance * sqrt((((_N3 * z + _N2) * z + _N1) * z + _N0) / ((_D2 * z + _D1) * z + _D0)) / z
    e = s * s * (1.0 / 24.0)
    if e > 0.3:  # noqa: PLR1730  # see above
        e = 0.3
    s *= 1.0 + e / (1.0 - 2.0 * e)
    for _ in range(_COLD_STEPS):
        if not 0.0 < s < LARGEST_S:
            break  # NaN too: the guess overflows for the smallest of all prices
        h, half = x / s, 0.5 * s
        near, far = -(h + half) * SQRT_HALF, -(h - half) * SQRT_HALF
        if near > -_PLAIN_WITHIN and far < _PLAIN_WITHIN:
            gap = exp(near * near) * erfc(near) - exp(far * far) * erfc(far)
        else:
            gap = scaled_erfc_scalar(near) - scaled_erfc_scalar(far)
        if gap <= 0.0:
            break
        elasticity = _SQRT_TWO_OVER_PI * s / gap
        h2, t2 = h * h, half * half
        newton = (log_price - log(gap) + _LN_TWO + 0.5 * (h2 + t2)) / elasticity
        p = h2 - t2 - elasticity
        q = (p - elasticity) * p - (3.0 * h2 + t2)
        divisor = 1.0 + newton * (p + newton * q * (1.0 / 6.0)) or math.nan
        s += s * newton * (1.0 + 0.5 * newton * p) / divisor
        limit = _SETTLED_NEWTON_STEP * elasticity if elasticity < 1.0 else _SETTLED_NEWTON_STEP
        if -limit <= newton <= limit:
            return s, elasticity
    return _bisected(x, log_price)


def _bachelier_guess(x: FloatArray, price: FloatArray) -> FloatArray:
    """The s of the normal model carried over to Black's by the leading term s^2/24 of their ratio.

    Relative error below 1e-3 for index options, a few 1e-3 for long VIX options.
    """
    distance = np.maximum(np.abs(x), 1e-6 * price)
    moneyness = distance * distance
    moneyness *= 1.0 / 24.0
    moneyness += 1.0
    moneyness *= distance
    moneyness /= price
    moneyness += 1.0
    z = np.log(moneyness, out=moneyness)
    s = _polynomial(_BACHELIER_NUMERATOR, z)
    s /= _polynomial(_BACHELIER_DENOMINATOR, z)
    np.sqrt(s, out=s)
    s *= distance
    s /= z
    e = s * s
    e *= 1.0 / 24.0
    np.minimum(e, 0.3, out=e)
    # The ratio r of the two deviations solves r = 1 + e r^2; this is its root to second order in e.
    e /= 1.0 - 2.0 * e
    e += 1.0
    s *= e
    return s


def _polynomial(coefficients: tuple[float, ...], z: FloatArray) -> FloatArray:
    value = coefficients[0] * z
    for c in coefficients[1:-1]:
        value += c
        value *= z
    value += coefficients[-1]
    return value


def _refined(
    x: FloatArray, log_price: FloatArray, s: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """s, elasticity and what is unsettled after at most `steps` steps; only unsettled elements go on."""
    step, newton, elasticity = _householder_step(x, log_price, s)
    # The Newton step is the residual in units of s; the full step can vanish by overflow far from the root.
    limit = np.minimum(elasticity, _ONE_0D)
    limit *= _SETTLED_0D
    unsettled: BoolArray = ~(np.abs(newton) <= limit)
    step *= s
    step += s
    if steps > 1 and np.count_nonzero(unsettled):
        i = np.flatnonzero(unsettled)
        step[i], elasticity[i], unsettled[i] = _refined(x[i], log_price[i], step[i], steps - 1)
    return step, elasticity, unsettled


def _householder_step(
    x: FloatArray, log_price: FloatArray, s: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Relative steps ds/s of Householder's third and of Newton's method, and the elasticity d ln b / d ln s.

    Both solve ln b(x, s) = ln(price).
    The first derivative of b is exp(-(h^2 + t^2)/2) / sqrt(2 pi); the second and third are it times a/s and
    (a^2 - 3 h^2 - t^2)/s^2 with a = h^2 - t^2.
    """
    h = x / s
    half = _HALF_0D * s
    gap = scaled_gap(h, half)
    elasticity = s / gap
    elasticity *= _SQRT_TWO_OVER_PI_0D
    np.log(gap, out=gap)
    h *= h
    half *= half
    newton = log_price - gap
    newton += _LN_TWO_0D
    np.add(h, half, out=gap)
    gap *= _HALF_0D
    newton += gap
    newton /= elasticity
    # n (1 + n p/2) / (1 + n p + n^2 q/6): n the Newton step, p = s f''/f' and q = s^2 f'''/f'.
    a = np.subtract(h, half, out=gap)
    p = a - elasticity
    q = p - elasticity
    q *= p
    h *= _THREE_0D
    h += half
    q -= h
    q *= newton
    q *= _SIXTH_0D
    q += p
    q *= newton
    q += _ONE_0D
    p *= newton
    p *= _HALF_0D
    p += _ONE_0D
    p *= newton
    p /= q
    return p, newton, elasticity


def _bisected(x: float, log_price: float) -> tuple[float, float]:
    """One element on a bracket, for prices so near their upper bound that no step settles.

    An elasticity of zero says that the price lies beyond the bracket: nothing there resolves it.
    """
    low, high = 1e-9, LARGEST_S
    if _log_black(x, high)[0] < log_price:
        return high, 0.0
    for _ in range(_BISECTIONS):
        s = math.sqrt(low * high)
        if _log_black(x, s)[0] < log_price:
            low = s
        else:
            high = s
    s = math.sqrt(low * high)
    return s, _log_black(x, s)[1]


def _log_black(x: float, s: float) -> tuple[float, float]:
    """ln b(x, s) and its elasticity for one element; minus infinity where b underflows even here."""
    h, half = x / s, 0.5 * s
    gap = scaled_erfc_scalar(-(h + half) * SQRT_HALF) - scaled_erfc_scalar(-(h - half) * SQRT_HALF)
    if gap <= 0.0:
        return -math.inf, math.inf
    return math.log(0.5 * gap) - 0.5 * (h * h + half * half), _SQRT_TWO_OVER_PI * s / gap
