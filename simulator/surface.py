"""Implied volatilities of SPX and VIX options, and the bid and ask a market maker shows around the model
price.

The SPX smile is the surface SVI of Gatheral and Jacquier (2014) with phi = eta / sqrt(theta): one fixed shape
in units of standard deviations, x = ln(K/F) / sqrt(theta), so that total variance grows with time at every x
and neither butterflies nor calendars can be bought for less than nothing. Its level hangs on VIX: the 30-day
variance swap implied by the smile equals VIX squared, and longer variances run to the far end of the VX
curve. VIX options are priced on the matching VX future with a volatility taken from VVIX, the same rule a
research backtest without quotes uses. Bids are rounded down and asks up from the model price, which therefore
always lies between them: no spread, butterfly or conversion can be locked in against the quotes.
"""

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

VIX_TENOR_YEARS = 30.0 / 365.0
#: Speed, per year, at which the variance expected by the curve returns from the present to the distant level.
VARIANCE_REVERSION = 6.0
#: The box rate of SPX options stands above the overnight rate by about this much (arXiv 2604.19604).
BOX_SPREAD = 0.0035
DIVIDEND_YIELD = 0.015

_SKEW_NODES = 11
_TABLE_DEVIATION = 0.15
_SPX_STEPS = np.array([[5.0], [10.0]])
_VIX_STEPS = np.array([[1.0], [5.0]])
_STEP_CHANGE = 3e6  # 3 points, in millionths


@dataclass(frozen=True, slots=True)
class SmileShape:
    """Correlation and curvature of the normalised smile, and its variance swap in units of theta."""

    rho: float
    eta: float
    variance_swap: float

    def variance_ratio(self, x: FloatArray) -> FloatArray:
        """(sigma / sigma_atm)^2 at x = ln(K/F) / (sigma_atm sqrt(t))."""
        tilted = self.eta * x + self.rho
        ratio: FloatArray = 0.5 * (
            1.0 + self.rho * self.eta * x + np.sqrt(tilted * tilted + 1.0 - self.rho * self.rho)
        )
        return ratio


@dataclass(frozen=True, slots=True)
class VolatilityLevel:
    """The state of SPX volatility at one moment: expected variance runs from `near` to `far`, around one
    smile shape.
    """

    near: float
    far: float
    shape: SmileShape

    def atm_volatility(self, t_years: float) -> float:
        """At-the-money volatility (1.00 = 100 %) of an expiry `t_years` (> 0) away."""
        averaged = self.far + (self.near - self.far) * reversion_average(t_years)
        return sqrt(averaged / self.shape.variance_swap)


def reversion_average(t_years: float) -> float:
    """Mean of exp(-kappa s) for s in [0, t]: the weight of the present in the average over t years."""
    kt = VARIANCE_REVERSION * t_years
    return (1.0 - exp(-kt)) / kt if kt > 1e-9 else 1.0


def stress_of(vix: float) -> float:
    """0 in calm (VIX 18 and below) to 1 in a crisis (50 and above): scales skew, spreads and depth."""
    return min(max((vix - 18.0) / 32.0, 0.0), 1.0)


def spx_volatility(vix: float, far_vix: float) -> VolatilityLevel:
    """The SPX volatility state when VIX is `vix` and the distant end of its curve `far_vix`, in points."""
    # At the money stands about 0.86 of VIX; the swap hardly depends on it.
    shape = smile_shape(stress_of(vix), 0.86 * vix / 100.0 * sqrt(VIX_TENOR_YEARS))
    weight = reversion_average(VIX_TENOR_YEARS)
    far = (0.95 * far_vix / 100.0) ** 2
    spot = (vix / 100.0) ** 2
    near = max((spot - (1.0 - weight) * far) / weight, 0.2 * spot)
    # The floor on `near` would let the 30-day level drift from VIX; the far end gives way instead.
    far = (spot - weight * near) / (1.0 - weight)
    return VolatilityLevel(near, far, shape)


def smile_shape(stress: float, deviation: float) -> SmileShape:
    """The smile for a stress in [0, 1], with the variance swap of an expiry of deviation `deviation`.

    Skew and curvature steepen with stress; the swap is interpolated in tables, linearly in both arguments.
    """
    place = min(max(stress, 0.0), 1.0) * (_SKEW_NODES - 1)
    lower = min(int(place), _SKEW_NODES - 2)
    share = place - lower
    rho, eta = _skew(stress)
    (near, far), (next_near, next_far) = _SWAPS[lower], _SWAPS[lower + 1]
    slope = (far + (next_far - far) * share) - (near + (next_near - near) * share)
    return SmileShape(rho, eta, near + (next_near - near) * share + slope * deviation / _TABLE_DEVIATION)


def vix_option_atm_volatility(vvix: float, t_years: float) -> float:
    """At-the-money volatility of VIX options `t_years` (> 0) away: 0.88 VVIX, falling with time (kappa 6 a
    year).
    """
    return (
        0.88
        * vvix
        / 100.0
        * sqrt(reversion_average(2.0 * t_years) / reversion_average(2.0 * VIX_TENOR_YEARS))
    )


def vix_option_smile(log_moneyness: FloatArray) -> FloatArray:
    """sigma(K) / sigma_atm of VIX options at ln(K/F): rising with the strike, between 0.7 and 1.8."""
    smile: FloatArray = np.minimum(np.maximum(1.0 + 0.35 * log_moneyness, 0.7), 1.8)
    return smile


def half_spreads(
    price: FloatArray,
    delta: FloatArray,
    vega: FloatArray,
    forward: FloatArray,
    is_vix: npt.NDArray[np.bool_],
    stress: float,
) -> FloatArray:
    """Half of what a market maker asks for, in points, before rounding to ticks.

    A part for handling, a part for volatility risk (about 0.02 points of it, vega per 1.00) and a part for
    hedging with the future (|delta| x forward); four times as much in a crisis, and never more than a third
    of a cheap option.
    """
    size = np.abs(delta) * forward
    spx = 0.02 + 0.00022 * vega + 0.00006 * size
    vix = 0.006 + 0.002 * vega + 0.0025 * size
    half = np.where(is_vix, vix, spx) * (1.0 + 3.0 * stress)
    return np.minimum(half, 0.01 + price / 3.0)


def quote_cents(
    price: FloatArray, half: FloatArray, is_vix: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bid and ask in cents, bid <= model price <= ask, on the exchange's steps; a bid of 0 means that nobody
    bids.

    Steps below 3 points and from 3 on: 5 and 10 cents for SPX, 1 and 5 for VIX. Prices are rounded to 1e-6
    before they meet a step, so that the last bits of exp and log do not decide which side they fall.
    """
    low, high = np.where(is_vix, _VIX_STEPS, _SPX_STEPS)
    micro = np.maximum(np.rint(np.array((price - half, price + half, price)) * 1e6), 0.0)
    sides, model = micro[:2], micro[2]
    steps = np.where(sides < _STEP_CHANGE, low, high)
    below, above = sides / (steps * 1e4)
    bid, ask = np.floor(below) * steps[0], np.ceil(above) * steps[1]
    bid[model * 2.0 < low * 1e4] = 0.0
    ask = np.maximum(ask, bid + np.where(bid < 300.0, low, high))
    return bid.astype(np.int64), ask.astype(np.int64)


def _skew(stress: float) -> tuple[float, float]:
    return -0.68 - 0.06 * stress, 0.95 + 0.10 * stress


def _variance_swap(rho: float, eta: float, deviation: float) -> float:
    """Fair variance of the smile in units of theta: the mean of sigma^2 when -d2 is standard normal.

    `deviation`: sigma_atm sqrt(t). Gatheral (2006), chapter 11: no strip of options is needed.
    """
    x = np.linspace(-14.0, 14.0, 1401)
    ratio = SmileShape(rho, eta, 1.0).variance_ratio(x)
    root = np.sqrt(ratio)
    y = x / root + 0.5 * deviation * root
    weighted = np.exp(-0.5 * y * y) / np.sqrt(2.0 * np.pi) * ratio
    return round(float(np.sum((weighted[1:] + weighted[:-1]) * np.diff(y))) / 2.0, 9)


_SWAPS = tuple(
    tuple(_variance_swap(*_skew(node / (_SKEW_NODES - 1)), sd) for sd in (0.0, _TABLE_DEVIATION))
    for node in range(_SKEW_NODES)
)
