"""The state of the world at one market time, from which every quote of that time follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import exp

from simulator.paths import Line, SessionPath
from simulator.surface import DIVIDEND_YIELD

_FAR_DAYS = 90


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of the world at one market time: the session's path, the grid point, and what stands beside
    it.
    """

    path: SessionPath
    index: int
    epoch: float  # market time
    trading_epoch: float  # the same, but no later than the end of option trading
    vvix: float
    rate: float  # continuous, of the box
    closes: Mapping[str, float]  # symbol -> close of the session before
    vx_closes: Mapping[date, float]
    breadth: tuple[int, int] | None  # final counts once they are final, or of the session before
    etps: Mapping[str, Line] = field(default_factory=dict)  # VXX and UVXY, where they have a path

    @property
    def spx(self) -> float:
        """The index now."""
        return float(self.path.spx.values[self.index])

    @property
    def vix(self) -> float:
        """VIX now."""
        return float(self.path.vix.values[self.index])

    def vx_curve(self) -> dict[date, float]:
        """Settlement day -> value now of each listed VX contract."""
        pairs = zip(self.path.vx_settlements, self.path.vx, strict=True)
        return {expiry: float(line.values[self.index]) for expiry, line in pairs}

    def vix_forward(self, curve: Mapping[date, float], expiry: date) -> float:
        """VIX as expected for `expiry`: a listed VX contract, or the straight line between its neighbours,
        the first of which is the index itself today. 0.0 beyond the curve.
        """
        if expiry in curve:
            return curve[expiry]
        before, level = self.path.session, self.vix
        for settles, value in curve.items():
            if settles > expiry:
                share = (expiry - before).days / (settles - before).days
                return level + (value - level) * share
            before, level = settles, value
        return 0.0

    def far_vix(self, curve: Mapping[date, float]) -> float:
        """The distant end of the VX curve: the mean beyond 90 days, or the last contract."""
        far = [value for expiry, value in curve.items() if (expiry - self.path.session).days > _FAR_DAYS]
        if far:
            return sum(far) / len(far)
        return list(curve.values())[-1] if curve else 0.5 * (self.vix + 20.0)

    def spx_forward(self, t_years: float) -> float:
        """The forward of the index `t_years` away."""
        return self.spx * exp((self.rate - DIVIDEND_YIELD) * t_years)

    def discount(self, t_years: float) -> float:
        """Value now of 1 paid in `t_years`."""
        return exp(-self.rate * t_years)
