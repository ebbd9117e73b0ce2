"""How far this machine's clock is off the gateway's, and what is done about it.

Market time is the gateway's, so a small difference is only told. A large one means that one of the two is
wrong, and which of them only a person can say. An embedded gateway tells a market time of its own, another
day's: that is no error of a clock.
"""

from collections.abc import Callable

from bot.events import Alert, Event, Halted

HALT_S = 30.0
ANOTHER_TIME_S = 86_400.0


class SkewWatch:
    """Takes each measurement. `max_s` is what is not told yet; None: nothing is compared.

    `follows_gateway`: market time is the gateway's, which may then be of another day.
    """

    def __init__(self, max_s: float | None, follows_gateway: bool) -> None:
        self._max_s = max_s
        self._follows_gateway = follows_gateway
        self._is_told = self._is_halted = False

    def measured(
        self, ahead_s: float, notify: Callable[[Alert], None], tell: Callable[[Event], None]
    ) -> None:
        """This machine is `ahead_s` seconds ahead of the gateway (negative: behind)."""
        if self._max_s is None:
            return
        off_s = abs(ahead_s)
        is_off = off_s > self._max_s
        text = f"this machine's clock is {ahead_s:+.1f} s off the gateway's"
        if is_off and not self._is_told:
            notify(Alert("warning", "clock_skew", f"{text}: market time is the gateway's"))
        self._is_told = is_off
        is_wrong = off_s > HALT_S and not (self._follows_gateway and off_s > ANOTHER_TIME_S)
        if is_wrong and not self._is_halted:
            tell(Halted(f"{text}: set this machine's clock, or the gateway's, then resume"))
        self._is_halted = is_wrong
