"""One client's historical requests: daily bars, their updates, and where history begins.

The venue keeps daily bars of indices, stocks and futures. It answers nothing else with invented numbers:
intraday bars, options and combos get the broker's error 162, and so do requests that break its pacing rules.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from market.contract import SecurityType
from simulator import client_messages as ask
from simulator import replies
from simulator.connectivity import Connectivity
from simulator.model import Bar, Market
from simulator.peer import Peer
from simulator.reference import find_one

_EVERYTHING: Final = 20_000
_SAME_REQUEST_S: Final = 15.0
_WINDOW_S: Final = 600.0
_BURST_S: Final = 2.0
_BURST: Final = 6
_REQUESTS_PER_WINDOW: Final = 60
_PRICES: Final = {"TRADES", "MIDPOINT", "ADJUSTED_LAST"}
_CALENDAR_DAYS: Final = {"W": 7, "M": 30, "Y": 365}


class HistoryDesk:
    """Serves the historical requests of one client."""

    def __init__(self, peer: Peer, market: Market, connectivity: Connectivity) -> None:
        self._connectivity = connectivity
        self._peer = peer
        self._market = market
        self._asked: deque[tuple[datetime, tuple[object, ...]]] = deque()
        self._growing: dict[int, tuple[int, tuple[float | None, ...]]] = {}

    def answer(self, request: ask.RequestHistory) -> None:
        """Bars that end at the requested time, then updates of today's bar if wanted."""
        if not self._connectivity.history_answers:
            self._unanswered(request.req_id, "HMDS server disconnect occurred.  Attempting reconnection...")
            return
        refusal = self._refusal(request)
        instrument = find_one(self._market, request.query)
        if refusal is None and instrument is None:
            self._peer.error(request.req_id, 200, "No security definition has been found for the request")
            return
        if refusal is not None or instrument is None:
            self._unanswered(request.req_id, refusal or "")
            return
        end = _end(request.end, self._market.now)
        span = _span(request.duration)
        if end is None or span is None:
            field = f"end {request.end!r}" if end is None else f"duration {request.duration!r}"
            self._peer.error(request.req_id, 321, f"Error validating request.-'bI' : cause - Invalid {field}")
            return
        sessions, days = span
        con_id = instrument.contract.con_id
        bars = self._market.bars(con_id, end, sessions)
        if days:
            bars = [bar for bar in bars if bar.time > end - timedelta(days)]
        if not bars:
            self._unanswered(request.req_id, "HMDS query returned no data")
            return
        self._peer.write(replies.history(request.req_id, bars[0].time, end, bars))
        if request.keep_up_to_date:
            self._growing[request.req_id] = (con_id, ())

    def cancel(self, request: ask.CancelHistory) -> None:
        """Stop the updates of a request; error 366 when there are none."""
        if self._growing.pop(request.req_id, None) is None:
            text = f"No historical data query found for ticker id:{request.req_id}"
            self._peer.error(request.req_id, 366, text)

    def answer_head(self, request: ask.RequestHeadTimestamp) -> None:
        """The time of the first bar."""
        instrument = find_one(self._market, request.query)
        bars = () if instrument is None else self._bars_of(instrument.contract.con_id)
        if instrument is None or not bars:
            self._unanswered(request.req_id, "No head time stamp")
            return
        first = bars[0].time
        printed = str(int(first.timestamp())) if request.date_format == 2 else replies.naive_timestamp(first)
        self._peer.write(replies.head_timestamp(request.req_id, printed))

    def publish(self) -> None:
        """Queue updates of the bars that grow."""
        if not self._growing:
            return
        day = f"{self._market.now.astimezone(replies.NEW_YORK):%Y%m%d}"
        wanted = list(dict.fromkeys(con_id for con_id, _ in self._growing.values()))
        ticks = {tick.con_id: tick for tick in self._market.ticks(wanted)}
        for req_id, (con_id, told) in self._growing.items():
            tick = ticks.get(con_id)
            if tick is None or tick.last is None or not self._market.is_open(con_id):
                continue
            opened = tick.last if tick.open is None else tick.open
            high = tick.last if tick.high is None else tick.high
            low = tick.last if tick.low is None else tick.low
            figures = (opened, tick.last, high, low)
            if figures != told:
                self._growing[req_id] = (con_id, figures)
                self._peer.write(replies.history_update(req_id, -1, day, *figures, (high + low) / 2.0, 0))

    def _bars_of(self, con_id: int) -> tuple[Bar, ...]:
        return tuple(self._market.bars(con_id, self._market.now, _EVERYTHING))

    def _unanswered(self, req_id: int, cause: str) -> None:
        self._peer.error(req_id, 162, f"Historical Market Data Service error message:{cause}")

    def _refusal(self, request: ask.RequestHistory) -> str | None:
        if request.query.security_type in {SecurityType.COMBO.value, SecurityType.OPTION.value}:
            return f"No historical data is kept for {request.query.security_type}"
        if request.bar_size not in {"1 day", "1D"}:
            return f"Only daily bars are kept, not {request.bar_size!r}"
        if request.what not in _PRICES:
            return f"No {request.what} data are kept"
        return self._pacing(request)

    def _pacing(self, request: ask.RequestHistory) -> str | None:
        now = self._market.now
        while self._asked and (now - self._asked[0][0]).total_seconds() >= _WINDOW_S:
            self._asked.popleft()
        key = (request.query, request.end, request.duration, request.bar_size, request.what)
        recent = [at for at, asked in self._asked if asked == key]
        if recent and (now - recent[-1]).total_seconds() < _SAME_REQUEST_S:
            return "Historical data request pacing violation"
        lately = [one for at, one in self._asked if (now - at).total_seconds() < _BURST_S]
        if sum((one[0], one[-1]) == (key[0], key[-1]) for one in lately) >= _BURST - 1:
            return "Historical data request pacing violation"
        if len(self._asked) >= _REQUESTS_PER_WINDOW:
            return "Historical data request pacing violation"
        self._asked.append((now, key))
        return None


def _end(text: str, now: datetime) -> datetime | None:
    """The requested end; empty is now, a time in the future is now, None is unreadable."""
    if not text:
        return now
    day, _, rest = text.replace("-", " ", 1).partition(" ")
    clock, _, zone_name = rest.strip().partition(" ")
    try:
        zone = ZoneInfo(zone_name) if zone_name else (UTC if "-" in text else replies.NEW_YORK)
        parsed = datetime.strptime(f"{day} {clock or '23:59:59'}", "%Y%m%d %H:%M:%S").replace(tzinfo=zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
    return min(parsed, now)


def _span(text: str) -> tuple[int, int] | None:
    """Sessions to ask for and calendar days to keep (0: all) for a duration such as `30 D`; None is
    unreadable.
    """
    number, _, unit = text.strip().partition(" ")
    if not number.isdigit() or not 1 <= int(number) <= 99_999:
        return None
    amount = int(number)
    if unit == "S":
        return max(1, amount // 86_400), 0
    if unit == "D":
        return amount, 0
    if unit in _CALENDAR_DAYS:
        days = amount * _CALENDAR_DAYS[unit]
        return min(days, _EVERYTHING), days
    return None
