"""What one session was: the daily record every market of the gateway is made of, real or generated.

A source of days hands out one `SessionDay` after another. The intraday path, the quotes, the daily bars and
the published files all derive from these records, so that a market read from history and one drawn from a
seed differ in nothing but their source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Ohlc:
    """Open, high, low and close of one session."""

    open: float
    high: float
    low: float
    close: float

    def __post_init__(self) -> None:
        if not 0.0 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"not an open, high, low and close: {self}")


@dataclass(frozen=True, slots=True)
class SessionDay:
    """One session's record. None means that the source has no value for that day; nothing is carried forward
    here.
    """

    session: date
    spx: Ohlc
    vix: Ohlc
    vvix: float | None
    vx: Mapping[
        date, float
    ]  # final settlement day -> daily settlement, ascending; expiring contracts are gone
    vro: float | None = None  # final settlement value, on a VIX settlement day
    vix9d: float | None = None
    vix3m: float | None = None
    advances: int | None = None
    declines: int | None = None
    treasury_10y_pct: float | None = None
    baa_yield_pct: float | None = None
    fed_funds_pct: float | None = None
    vnq: Ohlc | None = None
    vnq_dividend: float = 0.0


@dataclass(frozen=True, slots=True)
class MonthlyValue:
    """One observation of a monthly series, named by the first day of its month."""

    month: date
    value: float


class DaySource(Protocol):
    """Where a market's sessions come from."""

    def days(self, through: date) -> Sequence[SessionDay]:
        """Every record from the beginning of history to `through`, ascending; fewer when the source ends
        earlier.
        """

    def monthly(self, series: str, through: date) -> Sequence[MonthlyValue]:
        """Months of `reer` or `ppi` up to `through`, ascending, without any publication lag."""

    def identity(self) -> dict[str, Any]:
        """What makes this source this source, as JSON values: equal identities give equal days."""
