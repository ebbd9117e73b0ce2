"""What a running daemon tells: its decisions and alerts as log lines."""

import sys
from datetime import datetime

from bot.clock import WallClock
from bot.events import Alert
from bot.logs import DecisionLog, capture_libraries
from bot.port import Observers


def observers(mode: str, account: str) -> Observers:
    """One JSON line on standard output for each decision and alert, libraries' warnings included."""
    log = DecisionLog(sys.stdout.buffer, mode=mode, account=account)
    clock = WallClock()
    capture_libraries(log, clock.now)

    def status(time: datetime, text: str) -> None:
        log.alert(time, Alert("info", f"daemon.{text}", text))

    return Observers(log.decision, log.alert, status)
