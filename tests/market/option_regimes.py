"""Random options of the kinds the pricing tests ask about: strikes, years and volatilities for a seed."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def market_like(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    t = rng.uniform(1.0, 120.0, n) / 365
    sigma = rng.uniform(0.08, 0.6, n)
    return 6030.0 * np.exp(rng.uniform(-5.0, 5.0, n) * sigma * np.sqrt(t)), t, sigma


def deep(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    t = rng.uniform(1.0, 120.0, n) / 365
    sigma = rng.uniform(0.05, 0.5, n)
    distance = rng.uniform(6.0, 33.5, n) * np.where(rng.random(n) < 0.5, -1.0, 1.0)
    return 6030.0 * np.exp(distance * sigma * np.sqrt(t)), t, sigma


def same_day(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    t = np.floor(rng.uniform(1.0, 391.0, n)) / (365 * 24 * 60)
    sigma = rng.uniform(0.08, 0.8, n)
    distance = np.where(rng.random(n) < 0.1, 0.0, rng.uniform(-6.0, 6.0, n))
    return 6030.0 * np.exp(distance * sigma * np.sqrt(t)), t, sigma


def vix_like(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    t = rng.uniform(3.0, 270.0, n) / 365
    sigma = rng.uniform(0.4, 3.0, n)
    return 18.0 * np.exp(rng.uniform(-2.5, 4.0, n) * sigma * np.sqrt(t)), t, sigma


REGIMES = {"market": market_like, "deep": deep, "same_day": same_day, "vix": vix_like}


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))
