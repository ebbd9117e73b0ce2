"""Indicators as small immutable states: one value in, the next state out.

Nothing here keeps a history. A state is what a checkpoint stores, and folding the same values gives the same
state however often the daemon was restarted in between. A value is None until enough observations have come.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import dist, fsum, sqrt
from operator import mul

from market.records import replace
from market.rounding import round_ratio


@dataclass(frozen=True, slots=True)
class WilderRsi:
    """Wilder's relative strength index of a line, fed with the line's changes (METHOD 2.1).

    The line's own level is irrelevant, so only changes are taken. While fewer than `period` changes have come
    the averages hold plain sums; from then on they hold Wilder's averages, `A' = ((n-1) A + x) / n`.
    """

    period: int = 14
    changes: int = 0
    gain: float = 0.0
    loss: float = 0.0

    def update(self, change: float) -> "WilderRsi":
        """The state after one more change of the line."""
        up, down = max(change, 0.0), max(-change, 0.0)
        n, seen = self.period, self.changes + 1
        if seen < n:
            gain, loss = self.gain + up, self.loss + down
        elif seen == n:
            gain, loss = (self.gain + up) / n, (self.loss + down) / n
        else:
            gain, loss = (self.gain * (n - 1) + up) / n, (self.loss * (n - 1) + down) / n
        return replace(self, changes=seen, gain=round_ratio(gain), loss=round_ratio(loss))

    @property
    def value(self) -> float | None:
        """0 to 100, None before `period` changes; 50 where nothing moved, 100 where nothing fell."""
        if self.changes < self.period:
            return None
        if self.loss == 0.0:
            return 50.0 if self.gain == 0.0 else 100.0
        return round_ratio(100.0 - 100.0 / (1.0 + self.gain / self.loss))


@dataclass(frozen=True, slots=True)
class Ema:
    """Exponential moving average with weight `2 / (n + 1)`, seeded with the mean of the first n values."""

    period: int
    seen: int = 0
    level: float = 0.0  # a plain sum while seen < period

    def update(self, value: float) -> "Ema":
        """The state after one more value."""
        seen = self.seen + 1
        if seen < self.period:
            level = self.level + value
        elif seen == self.period:
            level = (self.level + value) / self.period
        else:
            level = self.level + 2.0 / (self.period + 1) * (value - self.level)
        return replace(self, seen=seen, level=round_ratio(level))

    @property
    def value(self) -> float | None:
        """The average, None before `period` values."""
        return self.level if self.seen >= self.period else None


@dataclass(frozen=True, slots=True)
class MacdHistogram:
    """MACD minus its signal line (METHOD 2.4); with 12, 26, 9 the first value comes at the 34th bar."""

    fast: Ema = field(default_factory=lambda: Ema(12))
    slow: Ema = field(default_factory=lambda: Ema(26))
    signal: Ema = field(default_factory=lambda: Ema(9))

    def update(self, close: float) -> "MacdHistogram":
        """The state after one more close."""
        fast, slow, signal = self.fast.update(close), self.slow.update(close), self.signal
        if fast.value is not None and slow.value is not None:
            signal = signal.update(fast.value - slow.value)
        return MacdHistogram(fast, slow, signal)

    @property
    def value(self) -> float | None:
        """The histogram in units of the series, None until the signal line stands."""
        if self.fast.value is None or self.slow.value is None or self.signal.value is None:
            return None
        return round_ratio(self.fast.value - self.slow.value - self.signal.value)


@dataclass(frozen=True, slots=True)
class RollingZScore:
    """How far a value stands from its own recent past: deviations from the mean of the last `window` values.

    `score` compares with the values taken so far, so that asking before `update` leaves the value itself out
    (METHOD 2.7). The deviation is that of a sample, with n - 1.
    """

    window: int
    warm_up: int
    values: tuple[float, ...] = ()

    def score(self, value: float) -> float | None:
        """Standard deviations from the mean; None before `warm_up` values or when all were the same."""
        if len(self.values) < max(self.warm_up, 2):
            return None
        mean, deviation = mean_and_deviation(self.values)
        return None if deviation <= 0.0 else round_ratio((value - mean) / deviation)

    def update(self, value: float) -> "RollingZScore":
        """The state after one more value."""
        return replace(self, values=(*self.values, round_ratio(value))[-self.window :])


@dataclass(frozen=True, slots=True)
class RollingResidual:
    """How far a pair stands from the line through the last `window` pairs, by ordinary least squares.

    `score` compares (x, y) with the regression of x on y over the pairs taken so far, so that asking before
    `update` leaves the pair itself out (METHOD 2.5).
    """

    window: int
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    def score(self, x: float, y: float) -> float | None:
        """The residual of x in sample deviations (n - 1) of the window's own residuals, signed.

        None before `window` pairs, or when y or the residuals never moved.
        """
        if len(self.xs) < self.window:
            return None
        x_mean, y_mean = fsum(self.xs) / self.window, fsum(self.ys) / self.window
        x_off, y_off = [one - x_mean for one in self.xs], [one - y_mean for one in self.ys]
        spread = fsum(map(mul, y_off, y_off))
        if spread <= 0.0:
            return None
        slope = fsum(map(mul, x_off, y_off)) / spread
        residuals = [dx - slope * dy for dx, dy in zip(x_off, y_off, strict=True)]
        deviation = round_ratio(sqrt(fsum(map(mul, residuals, residuals)) / (self.window - 1)))
        if deviation <= 0.0:
            return None
        return round_ratio((x - x_mean - slope * (y - y_mean)) / deviation)

    def update(self, x: float, y: float) -> "RollingResidual":
        """The state after one more pair."""
        n = self.window
        return replace(self, xs=(*self.xs, round_ratio(x))[-n:], ys=(*self.ys, round_ratio(y))[-n:])


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample deviation (n - 1) of at least two values.

    The deviation is rounded, so that values which are all the same have none.
    """
    mean = fsum(values) / len(values)
    return mean, round_ratio(dist(values, [mean] * len(values)) / sqrt(len(values) - 1))
