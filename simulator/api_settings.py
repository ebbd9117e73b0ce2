"""What the user of a real gateway sets on its API page, and the count of messages that one setting needs.

The broker allows half as many messages a second as the account has market-data lines. By default a gateway
only slows a faster client down; told to reject messages above the rate it answers error 100 and ends the
session at the third breach.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: Breaches of the message rate after which the session ends.
BREACHES_MAX: Final = 3
_WINDOW_S: Final = 1.0


@dataclass(slots=True)
class ApiSettings:
    """Settings of the gateway's API page. Tests and scripts change them while the gateway runs."""

    #: Messages a second beyond which a client gets error 100; None: never.
    messages_per_s: int | None = None
    #: Orders are refused with error 321.
    read_only: bool = False
    #: The client that is told of every order beside its owner.
    master_client_id: int | None = None


class MessageRate:
    """Counts one client's messages of the last second and the times it went too far."""

    def __init__(self) -> None:
        self._seen: deque[datetime] = deque()
        self.breaches = 0

    def admits(self, now: datetime, limit: int | None) -> bool:
        """Count a message at `now`; False when it is beyond the `limit` a second."""
        if limit is None:
            return True
        while self._seen and (now - self._seen[0]).total_seconds() >= _WINDOW_S:
            self._seen.popleft()
        if len(self._seen) >= limit:
            self.breaches += 1
            return False
        self._seen.append(now)
        return True

    def complaint(self, limit: int) -> str:
        """The text of error 100 for the latest breach."""
        return (
            f"Max rate of messages per second has been exceeded:max={limit} rec={limit + 1} ({self.breaches})"
        )
