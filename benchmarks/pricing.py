"""Implied volatility and greeks of a chain: this project beside lbriv (compiled) and vollib (scalar).

All contestants run in one process on one thread, in turns. Times are the process's CPU time: on the wall
clock of a busy machine whoever comes after a turn of a few milliseconds pays for the time slice that then
ends. What is told is the median over the rounds, as ratio the median of the ratios within each round, and
beside it the ratio of the least times: other programs only ever add, since they share the caches and the
core, and they add most where a call is short. `cold` solves without a guess; `warm` starts from volatilities
0.1 % off (standard deviation), as after a quote update. lbriv gives volatility, delta, gamma and vega in one
call; the own figures contain one greek more, theta. Run
`python -m benchmarks.pricing [--json]`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from market.pricing import black76_greeks, black76_price, implied_volatility

FloatArray = npt.NDArray[np.float64]

SIZES = (400, 10_000)
ROUNDS = 41
ROUND_S = 0.004
VOLLIB_OPTIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A smile of out-of-the-money index options, 45 days out, and what is to be found: `sigma`."""

    forward: float
    discount: float
    t_years: float
    strike: FloatArray
    is_call: npt.NDArray[np.bool_]
    sigma: FloatArray
    price: FloatArray
    guess: FloatArray


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant at one chain size."""

    options: int
    name: str
    ns_per_option: float
    ratio_to_lbriv: float | None
    ratio_of_least: float | None
    max_relative_error: float


def synthetic_chain(count: int) -> Chain:
    """Strikes from 80 % to 115 % of the forward under a skewed smile."""
    forward, t, discount = 6030.0, 45 / 365, math.exp(-0.045 * 45 / 365)
    strike = np.linspace(0.80, 1.15, count) * forward
    x = np.log(strike / forward)
    sigma = 0.19 - 0.5 * x + 0.8 * x * x
    is_call = strike > forward
    noise = random.Random(7)
    guess = sigma * (1.0 + 1e-3 * np.array([noise.gauss(0.0, 1.0) for _ in range(count)]))
    price = black76_price(forward, strike, t, sigma, discount, is_call)
    return Chain(forward, discount, t, strike, is_call, sigma, price, guess)


def own(chain: Chain, guess: FloatArray | None) -> Callable[[], FloatArray]:
    """Volatility and five greeks."""
    fixed = chain.forward, chain.strike, chain.t_years

    def run() -> FloatArray:
        sigma = implied_volatility(chain.price, *fixed, chain.discount, chain.is_call, guess).sigma
        black76_greeks(*fixed, sigma, chain.discount, chain.is_call)
        return sigma

    return run


def lbriv_contestant(chain: Chain) -> Callable[[], FloatArray]:
    """Volatility, delta, gamma and vega in one compiled loop, its arrays laid out beforehand."""
    lbriv = importlib.import_module("lbriv")
    count = len(chain.strike)
    forward, discount = np.full(count, chain.forward), np.full(count, chain.discount)
    undiscounted, flag = chain.price / chain.discount, chain.is_call.astype(np.int8)
    sigma, delta, gamma, vega = np.empty((4, count))
    root_t = math.sqrt(chain.t_years)

    def run() -> FloatArray:
        lbriv.compute_trades_greeks(
            undiscounted, forward, chain.strike, flag, discount, sigma, delta, gamma, vega
        )
        return sigma

    run()
    sigma_at_one_year = sigma  # lbriv knows no time: its volatility is sigma sqrt(t)
    if not np.allclose(sigma_at_one_year / root_t, chain.sigma, rtol=1e-9):
        raise ValueError("lbriv solves another problem than the one posed")
    return run


def vollib_contestant(chain: Chain) -> Callable[[], FloatArray]:
    """Volatility and four greeks, one option at a time, for a sample of the chain."""
    implied: Any = importlib.import_module("vollib.black.implied_volatility").implied_volatility
    greeks: Any = importlib.import_module("vollib.black.greeks.analytical")
    rate, t = -math.log(chain.discount) / chain.t_years, chain.t_years
    step = len(chain.strike) // VOLLIB_OPTIONS
    sample = [
        (float(chain.price[i]), float(chain.strike[i]), "c" if chain.is_call[i] else "p")
        for i in range(0, step * VOLLIB_OPTIONS, step)
    ]

    def run() -> FloatArray:
        found = []
        for price, strike, flag in sample:
            sigma = implied(price, chain.forward, strike, rate, t, flag)
            for greek in (greeks.delta, greeks.gamma, greeks.vega, greeks.theta):
                greek(flag, chain.forward, strike, t, rate, sigma)
            found.append(sigma)
        return np.array(found)

    return run


def installed(name: str) -> bool:
    """Whether an optional contestant can take part."""
    return importlib.util.find_spec(name) is not None


def seconds_per_call(run: Callable[[], FloatArray], calls: int) -> float:
    """Mean CPU time of `calls` calls in a row."""
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) / calls


def measure(count: int) -> list[Row]:
    """All contestants on one chain, in turns."""
    chain = synthetic_chain(count)
    contestants = {"own cold": own(chain, None), "own warm": own(chain, chain.guess)}
    if installed("lbriv"):
        contestants["lbriv"] = lbriv_contestant(chain)
    if installed("vollib"):
        contestants["vollib (sample)"] = vollib_contestant(chain)
    calls = {}
    for name, run in contestants.items():
        run()
        calls[name] = max(1, round(ROUND_S / seconds_per_call(run, 3)))
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            taken[name].append(seconds_per_call(run, calls[name]))
    size = {name: VOLLIB_OPTIONS if name.startswith("vollib") else count for name in contestants}
    ns = {name: 1e9 * statistics.median(times) / size[name] for name, times in taken.items()}
    return [
        Row(count, name, ns[name], *_ratios(taken, name, size), _error(chain, name, run()))
        for name, run in contestants.items()
    ]


def _ratios(
    taken: dict[str, list[float]], name: str, size: dict[str, int]
) -> tuple[float | None, float | None]:
    """Time of one option over lbriv's: the median of the rounds, and the least of each over all rounds."""
    if "lbriv" not in taken:
        return None, None
    ours, theirs, sizes = taken[name], taken["lbriv"], size["lbriv"] / size[name]
    rounds = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return sizes * rounds, sizes * min(ours) / min(theirs)


def _error(chain: Chain, name: str, found: FloatArray) -> float:
    known = chain.sigma
    if name.startswith("lbriv"):
        known = known * math.sqrt(chain.t_years)
    elif name.startswith("vollib"):
        step = len(known) // VOLLIB_OPTIONS
        known = known[: step * VOLLIB_OPTIONS : step]
    return float(np.max(np.abs(found / known - 1.0)))


def main() -> None:
    """Print the table, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="implied volatility and greeks, ns per option")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rows = [row for count in SIZES for row in measure(count)]
    if arguments.json:
        print(json.dumps({"numpy": np.__version__, "rounds": ROUNDS, "rows": [asdict(row) for row in rows]}))
        return
    print(f"implied volatility + greeks, CPU time, median of {ROUNDS} interleaved rounds, one thread")
    print(
        f"{'options':>8}  {'contestant':<16}{'ns/option':>10}{'x lbriv':>9}{'of least':>10}{'max error':>11}"
    )
    for row in rows:
        ratios = (f"{ratio:.2f}" if ratio else "-" for ratio in (row.ratio_to_lbriv, row.ratio_of_least))
        median, least = ratios
        line = f"{row.options:>8}  {row.name:<16}{row.ns_per_option:>10.0f}{median:>9}{least:>10}"
        print(f"{line}{row.max_relative_error:>11.1e}")


if __name__ == "__main__":
    main()
