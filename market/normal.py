"""The normal distribution, vectorised on numpy alone, exact to a few last bits far into both tails.

numpy has no error function and importing scipy for one costs more start-up time and memory than the rest of
the market code together. Everything here rests on the scaled complementary error function exp(y^2) erfc(y):
it falls only like 1/y, so option prices of 1e-250 and normal tails keep their relative accuracy. It is
tabulated once at import, as a polynomial of degree five on each of a few hundred cells, from the standard
library's erfc and, for large arguments, from the classical continued fraction.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SQRT_HALF = math.sqrt(0.5)
SQRT_TWO_PI = math.sqrt(2.0 * math.pi)

# The table runs over w = PIVOT / (PIVOT + y), which maps y in [LOWEST, infinity) onto the finite (0, W_MAX].
_PIVOT = 4.0
_LOWEST = -1.5
_CELLS = 320
_DEGREE = 5
_CELL_PER_W = _CELLS * (_PIVOT + _LOWEST) / _PIVOT
# From here on the continued fraction is both shorter and more exact than exp(y^2) erfc(y).
_FRACTION_FROM = 6.0
_FRACTION_TERMS = 24
_HEAP_KEPT_BYTES = 2_097_152
# What a chain of a few hundred options costs is numpy's calls, and each call takes an array of no dimension
# in a third less time than a Python float.
_PIVOT_0D, _CELL_PIVOT_0D = np.array(_PIVOT), np.array(_PIVOT * _CELL_PER_W)
_LOWEST_0D, _ZERO_0D = np.array(_LOWEST), np.array(0.0)
_ROOT_HALF_0D, _DENSITY_TO_TAIL_0D = np.array(SQRT_HALF), np.array(0.5 * SQRT_TWO_PI)


def scaled_erfc_scalar(y: float) -> float:
    """exp(y^2) erfc(y) for one finite y > -26, to about one last bit.

    Beyond |y| = 6 on the positive side: Laplace's continued fraction, Abramowitz & Stegun 7.1.14.
    """
    if y >= _FRACTION_FROM:
        return _continued_fraction(y)
    # Splitting y makes the large part of the exponent exact; exp would magnify the rounding of y*y by y*y.
    head = round(y * 1048576.0) / 1048576.0
    return math.exp(head * head) * math.exp((y - head) * (y + head)) * math.erfc(y)


def _continued_fraction(y: float) -> float:
    tail = y
    for k in range(_FRACTION_TERMS, 0, -1):
        tail = y + 0.5 * k / tail
    return 1.0 / (tail * math.sqrt(math.pi))


def _sample(w: float) -> float:
    # The first cell reaches just past w = 0, where the odd continued fraction is the smooth continuation; no
    # sample lies on it.
    y = _PIVOT / w - _PIVOT
    return _continued_fraction(y) if w < 0.0 else scaled_erfc_scalar(y)


def _tabulate() -> FloatArray:
    """Coefficients, shape (degree + 1, cells + 1), highest power first, of the offset from each node."""
    count = _DEGREE + 1
    offsets = [0.5 * math.cos(math.pi * (j + 0.5) / count) for j in range(count)]
    samples = [[_sample((i + u) / _CELL_PER_W) for u in offsets] for i in range(_CELLS + 1)]
    vandermonde = np.vander(np.asarray(offsets), count)
    return np.ascontiguousarray(np.linalg.solve(vandermonde, np.asarray(samples).T))


_TABLE = _tabulate()
# Freeing one mapped block makes the C library keep that much freed heap from then on. By default it returns
# 128 kB at a time, which a chain's temporaries exceed: page faults would then cost each call more than its
# arithmetic.
np.empty(_HEAP_KEPT_BYTES // 8)


def scaled_erfc(y: FloatArray) -> FloatArray:
    """exp(y^2) erfc(y) elementwise for an array of one dimension or more.

    The relative error is below 4e-15 above -1.5 and below 1e-13 above -20. NaN passes through; numpy
    reports it as an invalid cast unless the caller has turned that off. Below y = -1.5 the reflection 2
    exp(y^2) - scaled_erfc(-y) serves; it overflows to infinity below -26.6.
    """
    low = y < _LOWEST_0D
    if np.count_nonzero(low):
        inner = _interpolated(np.where(low, -y, y))
        return np.where(low, 2.0 * np.exp(np.square(np.where(low, y, 0.0))) - inner, inner)
    return _interpolated(y)


def _interpolated(y: FloatArray) -> FloatArray:
    offset = y + _PIVOT_0D
    np.divide(_CELL_PIVOT_0D, offset, out=offset)
    node = np.rint(offset)
    offset -= node
    value: FloatArray
    value, *lower = _TABLE.take(node.astype(np.intp), axis=1, mode="clip")
    for row in lower:
        value *= offset
        value += row
    return value


def normal_density(d: FloatArray) -> FloatArray:
    """Standard normal density, elementwise."""
    density = d * d
    density *= -0.5
    np.exp(density, out=density)
    density *= 1.0 / SQRT_TWO_PI
    return density


def normal_cdf(d: FloatArray, density: FloatArray | None = None) -> FloatArray:
    """Standard normal distribution function, elementwise, with full relative accuracy in the lower tail.

    d: one dimension or more; density, if the caller has it already, is `normal_density(d)`.
    """
    if density is None:
        density = normal_density(d)
    argument = np.abs(d)
    argument *= _ROOT_HALF_0D
    tail = _interpolated(argument)
    tail *= density
    tail *= _DENSITY_TO_TAIL_0D
    # 1 - tail above zero and tail below, exactly, at half the cost of a subtraction under a mask.
    np.subtract(d > _ZERO_0D, tail, out=tail)
    return np.abs(tail, out=tail)
