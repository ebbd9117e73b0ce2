"""Indicators as small immutable states: one value in, the next state out.

Nothing here keeps a history. A state is what a checkpoint stores, and folding the same values gives the same
state however often the daemon was restarted in between. A value is None until enough observations have come.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
        """0 to 100; 50 on a line that never moved, 100 on one that never fell, None before `period`
        changes.
        """
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


def rsi_of_levels(levels: Iterable[float], period: int = 14) -> list[float | None]:
    """The index after each level of a line; one value fewer than levels."""
    values: list[float | None] = []
    state, before = WilderRsi(period), None
    for level in levels:
        if before is not None:
            state = state.update(level - before)
            values.append(state.value)
        before = level
    return values
