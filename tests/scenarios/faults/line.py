"""What went over the line, as the gateway's own decoder reads it: orders out, quotes in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from simulator import client_messages as ask
from simulator.model import OrderRequest
from simulator.requests import decode
from simulator.session import SERVER_VERSION
from simulator.wire import split

KEPT = timedelta(seconds=180)
_ORDER, _CANCEL, _SUBSCRIBE, _TYPES = b"3\0", b"4\0", b"1\0", (b"3\0", b"4\0", b"1\0")
_PREFIX = 4
_BID, _ASK = "1", "2"

Message = OrderRequest | ask.CancelOrder | ask.RequestMarketData


@dataclass
class Quote:
    """One line's top of book as it was delivered, and when."""

    bid: float | None = None  # None: not told lately
    ask: float | None = None
    at: datetime | None = None


@dataclass
class Line:
    """Both directions of the line to the gateway. `now` is true time."""

    now: Callable[[], datetime]
    lines: dict[int, int] = field(default_factory=dict)  # request -> contract
    quotes: dict[int, Quote] = field(default_factory=dict)  # by contract
    frames: deque[datetime] = field(default_factory=deque)
    busiest: int = 0  # most frames within one second
    _pieces: deque[tuple[datetime, bytes]] = field(default_factory=deque)

    def said(self, data: bytes) -> Message | None:
        """A message of the daemon, if it is one that matters here."""
        now = self.now()
        self.frames.append(now)
        while now - self.frames[0] >= timedelta(seconds=1):
            self.frames.popleft()
        self.busiest = max(self.busiest, len(self.frames))
        if data[_PREFIX : _PREFIX + 2] not in _TYPES:
            return None
        found: Message = decode(split(data[_PREFIX:]), SERVER_VERSION, 0)
        if isinstance(found, ask.RequestMarketData):
            self.lines[found.req_id] = found.query.con_id
        return found

    def heard(self, data: bytes) -> None:
        """Bytes for the daemon; they are read when somebody asks."""
        now = self.now()
        self._pieces.append((now, data))
        while now - self._pieces[0][0] > KEPT:
            self._pieces.popleft()

    def read(self) -> None:
        """Take in the quotes that were delivered; what came longer ago than is kept is not known any more."""
        oldest = self.now() - KEPT
        self.quotes = {key: one for key, one in self.quotes.items() if one.at is not None and one.at > oldest}
        while self._pieces:
            at, data = self._pieces.popleft()
            place = 0
            while place + _PREFIX <= len(data):
                length = int.from_bytes(data[place : place + _PREFIX], "big")
                if data[place + _PREFIX : place + _PREFIX + 2] == b"1\0":
                    self._tick(at, data[place + _PREFIX : place + _PREFIX + length])
                place += _PREFIX + length

    def _tick(self, at: datetime, payload: bytes) -> None:
        fields = payload.decode("latin-1").split("\0")
        try:
            con_id = self.lines.get(int(fields[2]))
            price, size = float(fields[4]), float(fields[5] or 0)
        except ValueError:
            return
        if con_id is None or fields[3] not in {_BID, _ASK}:
            return
        quote = self.quotes.setdefault(con_id, Quote())
        quote.at = at
        if fields[3] == _BID:
            quote.bid = price if size > 0 else 0.0
        else:
            quote.ask = price if size > 0 and price > 0 else inf
