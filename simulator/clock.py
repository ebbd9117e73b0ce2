"""The clocks of a gateway that runs by itself: the wall's, and market time, which may run or stand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

ADVANCE_S_MAX: Final = 400 * 86_400.0


def wall_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


class MarketClock:
    """Market time beside wall time: `speed` market seconds in a second; with 0 it stands until advanced."""

    def __init__(self, wall: Callable[[], datetime], opened: datetime, speed: float = 1.0) -> None:
        """Market time is `opened` now. Raises ValueError on a speed outside 0 to 100,000."""
        if not 0.0 <= speed <= 100_000.0:
            raise ValueError(f"a speed of {speed:g} is outside 0 to 100000")
        self._wall = wall
        self._since = wall()
        self._opened = opened.astimezone(UTC)
        self.speed = speed

    @property
    def is_held(self) -> bool:
        """Whether time stands still until it is advanced."""
        return self.speed == 0.0

    def now(self) -> datetime:
        """Market time."""
        return self._opened + (self._wall() - self._since) * self.speed

    def require_advance(self, seconds: float) -> None:
        """Raise ValueError when time runs by itself, would go back, or would go too far at once."""
        if not self.is_held:
            raise ValueError("market time runs by itself; it can be advanced only where it is held (speed 0)")
        if not 0.0 < seconds <= ADVANCE_S_MAX:
            most = f"{ADVANCE_S_MAX:,.0f} seconds (400 days)"
            raise ValueError(f"time is advanced by up to {most} at once, not by {seconds:,.15g}")

    def advance(self, seconds: float) -> datetime:
        """Move time that is held; the new time. Raises ValueError as `require_advance`."""
        self.require_advance(seconds)
        self._opened += timedelta(seconds=seconds)
        return self._opened
