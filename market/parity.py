"""What put-call parity says about one expiry: forward, discount factor, bounds and which quotes to believe.

The forward that prices an expiry is not observed; calls and puts of one strike imply it (METHOD 4.4). A
weighted regression of C - P on the strike gives forward and discount together, conversions and reversals
bound the forward by prices that can be dealt on, and a leg that breaks parity by more than its spread is
priced from the other. Rows are ascending by strike; NaN, a price of zero or a crossed market is no quote.
Sums are exact (math.fsum), so that a result does not depend on the machine's summation order.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from operator import mul
from statistics import median

from market.records import quickly_made
from market.rounding import round_price, round_ratio

Row = tuple[float, float, float, float, float]  # strike, call bid and ask, put bid and ask; NaN for none

MIN_STRIKES = 8
STRIKE_BAND = 0.08

_INF, _NAN = math.inf, math.nan
_PRICE_STEP = 1e-6


class ParityFault(StrEnum):
    """Why an expiry has no parity forward."""

    INVALID_INPUT = "invalid_input"  # spot, time or tick is not a positive number
    TOO_FEW_STRIKES = "too_few_strikes"
    RESIDUALS_TOO_LARGE = "residuals_too_large"
    DISCOUNT_NOT_POSITIVE = "discount_not_positive"


class ArbitrageKind(StrEnum):
    """Which static no-arbitrage relation between calls of one expiry is broken."""

    CALL_SPREAD_NEGATIVE = "call_spread_negative"
    CALL_SPREAD_ABOVE_WIDTH = "call_spread_above_width"
    NOT_CONVEX = "not_convex"


@quickly_made
@dataclass(frozen=True, slots=True)
class ParityForward:
    """Forward in points, discount factor, continuous yearly rates and how well the strikes agree."""

    forward: float
    discount: float
    rate_box: float
    dividend_yield: float
    residual_mad: float  # median absolute residual of C - P, in points
    strikes_used: int


@quickly_made
@dataclass(frozen=True, slots=True)
class ForwardBounds:
    """Where dealable prices leave the forward; None on a side without quotes. Crossed: suspect data."""

    lo: float | None
    hi: float | None
    crossed: bool


@dataclass(frozen=True, slots=True)
class ArbitrageViolation:
    """One broken relation: the two or three strikes it binds, and by how many points it is broken."""

    kind: ArbitrageKind
    strikes: tuple[float, ...]
    amount: float


def regression(
    rows: Iterable[Row],
    spot: float,
    t_years: float,
    tick: float,
    *,
    band: float = STRIKE_BAND,
    min_strikes: int = MIN_STRIKES,
) -> ParityForward | ParityFault:
    """Forward and discount factor from the mids of all strikes within +-band of spot (METHOD 4.4, step 1).

    C - P = D F - D K is fitted with weights 1/(call spread^2 + put spread^2); a locked market counts as one
    tick wide. Fewer than `min_strikes` strikes, or a median absolute residual above one tick, is a
    ParityFault.
    """
    if not all(math.isfinite(v) and v > 0.0 for v in (spot, t_years, tick)):
        return ParityFault.INVALID_INPUT
    k: list[float] = []  # measured from spot, which keeps the normal equations well conditioned
    y: list[float] = []
    w: list[float] = []
    reach, least_variance = band * spot, tick * tick
    for strike, cb, ca, pb, pa in rows:
        if 0.0 < cb <= ca < _INF and 0.0 < pb <= pa < _INF and abs(strike - spot) <= reach:
            k.append(strike - spot)
            y.append(0.5 * (cb + ca) - 0.5 * (pb + pa))
            variance = (ca - cb) * (ca - cb) + (pa - pb) * (pa - pb)
            w.append(1.0 / (max(least_variance, variance)))
    if len(k) < max(min_strikes, 2):
        return ParityFault.TOO_FEW_STRIKES
    total = math.fsum(w)
    k_mean = math.fsum(map(mul, w, k)) / total
    y_mean = math.fsum(map(mul, w, y)) / total
    away = [b - k_mean for b in k]
    covariance = math.fsum([a * b * (c - y_mean) for a, b, c in zip(w, away, y, strict=True)])
    slope = covariance / math.fsum([a * (b * b) for a, b in zip(w, away, strict=True)])
    if not slope < 0.0:
        return ParityFault.DISCOUNT_NOT_POSITIVE
    residuals = [abs(c - y_mean - slope * b) for b, c in zip(away, y, strict=True)]
    mad = round_price(median(residuals))
    if mad > tick:
        return ParityFault.RESIDUALS_TOO_LARGE
    discount, forward = -slope, spot + k_mean - y_mean / slope
    rate = -math.log(discount) / t_years
    return ParityForward(
        forward=round_price(forward),
        discount=round_ratio(discount),
        rate_box=round_ratio(rate),
        dividend_yield=round_ratio(rate - math.log(forward / spot) / t_years),
        residual_mad=mad,
        strikes_used=len(k),
    )


def widest_box(rows: Iterable[Row]) -> float | None:
    """Discount factor of the widest box with four two-sided legs, from mids; None without two such strikes.

    D = [(C1 - P1) - (C2 - P2)] / (K2 - K1) (METHOD 4.4, step 2).
    """
    synthetic = [
        (strike, 0.5 * (cb + ca) - 0.5 * (pb + pa))
        for strike, cb, ca, pb, pa in rows
        if 0.0 < cb <= ca < math.inf and 0.0 < pb <= pa < math.inf
    ]
    if len(synthetic) < 2:
        return None
    (low, near), (high, far) = synthetic[0], synthetic[-1]
    return round_ratio((near - far) / (high - low))


def dealable_bounds(rows: Iterable[Row], discount: float, cost: float = 0.0) -> ForwardBounds:
    """Forward bounds from synthetic forwards that can be dealt on (METHOD 4.4, step 3).

    lo: the best price to sell the forward at, max K + (C_bid - P_ask - cost)/D; hi: the best to buy it at,
    min K + (C_ask - P_bid + cost)/D. cost: fees of one conversion or reversal in points.
    """
    lowest, highest = -_INF, _INF
    for strike, cb, ca, pb, pa in rows:
        if 0.0 < cb < _INF and 0.0 < pa < _INF:
            at = strike + (cb - pa - cost) / discount
            lowest = max(lowest, at)
        if 0.0 < ca < _INF and 0.0 < pb < _INF:
            at = strike + (ca - pb + cost) / discount
            highest = min(highest, at)
    lo = round_price(lowest) if lowest > -_INF else None
    hi = round_price(highest) if highest < _INF else None
    return ForwardBounds(lo, hi, crossed=lo is not None and hi is not None and lo > hi)


def clean_pair(
    row: Row, forward: float, discount: float, cost: float = 0.0
) -> tuple[float, float, bool, bool]:
    """Call and put mid of one strike, NaN for none, and which of them parity replaced (METHOD 4.4, step 4).

    Parity is broken by |C - P - D (F - K)| above both half-spreads plus cost; then the less liquid leg is
    priced from the other. That is the one with the wider spread, and of two equally wide ones the one in the
    money. A repriced leg that would be negative becomes NaN: then the other leg is not to be believed either.
    """
    strike, call_bid, call_ask, put_bid, put_ask = row
    call = 0.5 * (call_bid + call_ask) if 0.0 < call_bid <= call_ask < _INF else _NAN
    put = 0.5 * (put_bid + put_ask) if 0.0 < put_bid <= put_ask < _INF else _NAN
    parity = discount * (forward - strike)
    call_spread, put_spread = call_ask - call_bid, put_ask - put_bid
    broken_by = abs(call - put - parity) - 0.5 * (call_spread + put_spread) - cost
    # Rounded, so that a residual equal to the half-spreads does not break parity by its last bit.
    if not (broken_by > 0.0 and round_price(broken_by) > 0.0):
        return round_price(call), round_price(put), False, False
    wider = round_price(call_spread - put_spread)
    is_call = wider > 0.0 or (wider == 0.0 and strike < forward)
    new_call = put + parity if is_call else call
    new_put = put if is_call else call - parity
    return (
        round_price(new_call if new_call >= 0.0 else _NAN),
        round_price(new_put if new_put >= 0.0 else _NAN),
        is_call,
        not is_call,
    )


def arbitrage_among(
    calls: Iterable[tuple[float, float]], discount: float, tolerance: float = 0.0
) -> tuple[ArbitrageViolation, ...]:
    """Static arbitrage among calls of one expiry, neighbour by neighbour (METHOD 4.4, step 4).

    `calls` are strike and mid, ascending; NaN ones are left out. Required: 0 <= C(K1) - C(K2) <= D (K2 - K1),
    and a middle strike not above the chord of its neighbours. tolerance: points by which mids may break a
    relation, usually half a spread.
    """
    ladder = [(strike, mid) for strike, mid in calls if math.isfinite(mid)]
    found: list[ArbitrageViolation] = []

    def report(kind: ArbitrageKind, amount: float, *at: float) -> None:
        broken_by = round_price(amount)
        if broken_by > tolerance:
            found.append(ArbitrageViolation(kind, at, broken_by))

    # What rounds to no more than the tolerance is not looked at closer; nearly everything is well below.
    least = tolerance - _PRICE_STEP
    for (k1, c1), (k2, c2) in pairwise(ladder):
        if c2 - c1 > least:
            report(ArbitrageKind.CALL_SPREAD_NEGATIVE, c2 - c1, k1, k2)
        if c1 - c2 - discount * (k2 - k1) > least:
            report(ArbitrageKind.CALL_SPREAD_ABOVE_WIDTH, c1 - c2 - discount * (k2 - k1), k1, k2)
    for (k1, c1), (k2, c2), (k3, c3) in zip(ladder, ladder[1:], ladder[2:], strict=False):
        chord = ((k3 - k2) * c1 + (k2 - k1) * c3) / (k3 - k1)
        if c2 - chord > least:
            report(ArbitrageKind.NOT_CONVEX, c2 - chord, k1, k2, k3)
    return tuple(found)
