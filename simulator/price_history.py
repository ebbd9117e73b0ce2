"""One client's historical requests: bars, their updates, the sessions themselves, and where history begins.

The venue keeps daily bars of indices, stocks and futures, and shorter ones of the last weeks. It answers
nothing else with invented numbers: options and combos get the broker's error 162, and so do requests that
break its pacing rules.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from market.contract import SecurityType
from simulator import client_messages as ask
from simulator import replies
from simulator.connectivity import Connectivity
from simulator.model import Bar, Instrument, Market
from simulator.peer import Peer
from simulator.reference import find_one, regular_spans

_EVERYTHING: Final = 20_000
_SAME_REQUEST_S: Final = 15.0
_WINDOW_S: Final = 600.0
_BURST_S: Final = 2.0
_BURST: Final = 6
_REQUESTS_PER_WINDOW: Final = 60
_SCHEDULE: Final = "SCHEDULE"
_PRICES: Final = {"TRADES", "MIDPOINT", "ADJUSTED_LAST"}
#: Bar size as clients write it -> seconds; 0 is a whole session.
_BAR_SECONDS: Final = {
    **{f"{n} secs": n for n in (1, 5, 10, 15, 30)},
    "1 min": 60,
    **{f"{n} mins": 60 * n for n in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3600,
    **{f"{n} hours": 3600 * n for n in (2, 3, 4, 8)},
    "1 day": 0,
    "1D": 0,
}
#: Sessions of which bars within the session are kept.
_SESSIONS_WITHIN: Final = 30
_CALENDAR_DAYS: Final = {"W": 7, "M": 30, "Y": 365}


class HistoryDesk:
    """Serves the historical requests of one client."""

    def __init__(self, peer: Peer, market: Market, connectivity: Connectivity) -> None:
        self._connectivity = connectivity
        self._peer = peer
        self._market = market
        self._asked: deque[tuple[datetime, tuple[object, ...]]] = deque()
        self._growing: dict[int, tuple[int, int, int, tuple[object, ...]]] = {}

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
        sessions, window = span
        if request.what == _SCHEDULE:
            self._tell_schedule(request.req_id, instrument, end, sessions, window)
            return
        con_id, seconds = instrument.contract.con_id, _BAR_SECONDS[request.bar_size]
        if seconds and (window or timedelta(sessions)) > timedelta(_SESSIONS_WITHIN):
            self._unanswered(request.req_id, "Time length exceed max.")
            return
        bars = self._market.bars(con_id, end, sessions, seconds)
        if window:
            bars = [bar for bar in bars if bar.time > end - window]
        if not bars:
            self._unanswered(request.req_id, "HMDS query returned no data")
            return
        style = request.date_format if seconds else replies.DAILY
        self._peer.write(replies.history(request.req_id, bars[0].time, end, bars, style))
        if request.keep_up_to_date:
            self._growing[request.req_id] = (con_id, seconds, style, ())

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
        for req_id, (con_id, seconds, style, told) in self._growing.items():
            bar = self._newest(con_id, seconds)
            if bar is None or not self._market.is_open(con_id):
                continue
            date = replies.bar_date(bar, style)
            figures = (date, bar.open, bar.close, bar.high, bar.low)
            if figures != told:
                self._growing[req_id] = (con_id, seconds, style, figures)
                average = (bar.high + bar.low) / 2.0
                self._peer.write(replies.history_update(req_id, -1, *figures, average, 0))

    def _newest(self, con_id: int, seconds: int) -> Bar | None:
        """The bar that is growing now."""
        now = self._market.now
        if seconds:
            bars = self._market.bars(con_id, now, 1, seconds)
            return bars[-1] if bars else None
        (tick,) = self._market.ticks([con_id])
        if tick.last is None:
            return None
        opened, high, low = (
            tick.last if price is None else price for price in (tick.open, tick.high, tick.low)
        )
        return Bar(now, opened, high, low, tick.last)

    def _tell_schedule(
        self, req_id: int, instrument: Instrument, end: datetime, sessions: int, window: timedelta
    ) -> None:
        spans = regular_spans(instrument, end, min(sessions, _EVERYTHING))
        if window:
            spans = [span for span in spans if span[0] > end - window]
        if spans:
            self._peer.write(replies.schedule(req_id, spans))
        else:
            self._unanswered(req_id, "HMDS query returned no data")

    def _bars_of(self, con_id: int) -> tuple[Bar, ...]:
        return tuple(self._market.bars(con_id, self._market.now, _EVERYTHING))

    def _unanswered(self, req_id: int, cause: str) -> None:
        self._peer.error(req_id, 162, f"Historical Market Data Service error message:{cause}")

    def _refusal(self, request: ask.RequestHistory) -> str | None:
        if request.query.security_type in {SecurityType.COMBO.value, SecurityType.OPTION.value}:
            return f"No historical data is kept for {request.query.security_type}"
        if request.bar_size not in _BAR_SECONDS:
            return f"No bars of {request.bar_size!r} are kept"
        if request.what == _SCHEDULE and _BAR_SECONDS[request.bar_size]:
            return "The schedule comes by the day"
        if request.what not in {*_PRICES, _SCHEDULE}:
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


def _span(text: str) -> tuple[int, timedelta] | None:
    """Sessions to ask for, and the time before the end that is kept (zero: all), for a duration such as
    `30 D`; None is unreadable.
    """
    number, _, unit = text.strip().partition(" ")
    if not number.isdigit() or not 1 <= int(number) <= 99_999:
        return None
    amount = int(number)
    if unit == "S":
        # A daily bar is asked for in seconds too, and then a session is what is meant.
        return max(1, amount // 86_400), timedelta(0) if amount >= 86_400 else timedelta(seconds=amount)
    if unit == "D":
        return amount, timedelta(0)
    if unit in _CALENDAR_DAYS:
        days = amount * _CALENDAR_DAYS[unit]
        return min(days, _EVERYTHING), timedelta(days)
    return None
