"""Trading hours per product and segment, and the instants at which prices are settled each day.

Hours belong to segments, not to days: on 2025-01-09 the regular hours of all US markets were cancelled
while Cboe's overnight hours went ahead. Index options (SPX, SPXW, XSP, VIX) trade 15 minutes longer than
the stocks beneath them, on full days (16:15) and on half days (13:15) alike; no curb follows a half day.
Published changes of the hours stand in tables with the first session they applied to.

Left out on purpose, which makes the answer stricter than the exchange: the overnight hours on ordinary
holidays (until 11:30, booked to the next session) and the 16:30-17:15 windows of VIX futures between
2013-10 and 2018-02.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from market.holidays import early_closes
from market.trading_days import FIRST_DAY, LAST_DAY, is_session

MARKET_TZ: Final = ZoneInfo("America/New_York")

_OPEN = time(9, 30)
_CLOSE = time(16, 0)
_INDEX_OPTION_EXTENSION = timedelta(minutes=15)
#: Cboe notice C2020092202: settlements move from 15 minutes after the cash close to the cash close itself.
_SETTLEMENT_AT_CASH_CLOSE_SINCE = date(2020, 10, 26)


class Segment(StrEnum):
    """Parts of a trading day: overnight, the day itself, and the three quarters of an hour after it."""

    GLOBAL = "global"
    REGULAR = "regular"
    CURB = "curb"


class Product(StrEnum):
    """Products that share trading hours. INDEX_OPTION stands for SPX, SPXW, XSP, VIX and VIXW options."""

    EQUITY = "equity"
    INDEX_OPTION = "index_option"
    VIX_FUTURE = "vix_future"


@dataclass(frozen=True, slots=True)
class SegmentHours:
    """One segment of one session, in aware New York times; `close` itself is not part of the segment."""

    segment: Segment
    open: datetime
    close: datetime

    def contains(self, instant: datetime) -> bool:
        """Whether the aware `instant` lies in the segment. Raises ValueError on a naive one."""
        return _utc(self.open) <= _utc(instant) < _utc(self.close)


@dataclass(frozen=True, slots=True)
class _Window:
    """Hours of a segment within a normal day; `eve` means that it opens on the calendar day before."""

    segment: Segment
    open: time
    close: time
    eve: bool = False


_REGULAR_1615 = _Window(Segment.REGULAR, _OPEN, time(16, 15))

_Era = tuple[date, tuple[_Window, ...]]

#: First session of each set of hours. Sources: Cboe and CFE notices and rule filings named in the comments.
_HOURS: Mapping[Product, tuple[_Era, ...]] = {
    Product.EQUITY: ((FIRST_DAY, (_Window(Segment.REGULAR, _OPEN, _CLOSE),)),),
    Product.INDEX_OPTION: (
        (FIRST_DAY, (_REGULAR_1615,)),
        # Extended hours from 3:00 for SPX; VIX options began a week earlier.
        (date(2015, 3, 9), (_Window(Segment.GLOBAL, time(3), time(9, 15)), _REGULAR_1615)),
        (date(2021, 11, 22), (_Window(Segment.GLOBAL, time(20, 15), time(9, 15), eve=True), _REGULAR_1615)),
        # SR-CBOE-2021-071: curb.
        (
            date(2022, 4, 25),
            (
                _Window(Segment.GLOBAL, time(20, 15), time(9, 15), eve=True),
                _REGULAR_1615,
                _Window(Segment.CURB, time(16, 15), time(17)),
            ),
        ),
        # SR-CBOE-2024-031: ten minutes more overnight.
        (
            date(2024, 8, 26),
            (
                _Window(Segment.GLOBAL, time(20, 15), time(9, 25), eve=True),
                _REGULAR_1615,
                _Window(Segment.CURB, time(16, 15), time(17)),
            ),
        ),
    ),
    Product.VIX_FUTURE: (
        (date(2004, 3, 26), (_REGULAR_1615,)),
        # SR-CFE-2010-013, SR-CFE-2011-019, CFE IC13-041, RG-CFE-2014-020, RG-CFE-2018-005, C2021102603.
        (date(2010, 12, 10), (_Window(Segment.GLOBAL, time(8, 20), _OPEN), _REGULAR_1615)),
        (date(2011, 9, 26), (_Window(Segment.GLOBAL, time(8), _OPEN), _REGULAR_1615)),
        (date(2013, 11, 4), (_Window(Segment.GLOBAL, time(3), _OPEN), _REGULAR_1615)),
        (date(2014, 6, 23), (_Window(Segment.GLOBAL, time(18), _OPEN, eve=True), _REGULAR_1615)),
        (
            date(2018, 2, 26),
            (
                _Window(Segment.GLOBAL, time(18), _OPEN, eve=True),
                _REGULAR_1615,
                _Window(Segment.CURB, time(16, 30), time(17)),
            ),
        ),
        (
            date(2021, 12, 6),
            (
                _Window(Segment.GLOBAL, time(18), _OPEN, eve=True),
                _Window(Segment.REGULAR, _OPEN, _CLOSE),
                _Window(Segment.CURB, _CLOSE, time(17)),
            ),
        ),
    ),
}

#: Days without regular hours on which the overnight segment is known, or announced, to run in full.
_GLOBAL_ONLY: Mapping[Product, frozenset[date]] = {
    Product.EQUITY: frozenset(),
    Product.INDEX_OPTION: frozenset({date(2025, 1, 9)}),
    # The Good Fridays are those of CFE's own notices; in other years that day was shut altogether.
    Product.VIX_FUTURE: frozenset(
        {date(2021, 4, 2), date(2023, 4, 7), date(2025, 1, 9), date(2026, 4, 3)},
    ),
}


@lru_cache(maxsize=4096)
def segments(product: Product, session: date) -> tuple[SegmentHours, ...]:
    """The segments booked to the trade date `session`, in order of time; empty on a closed day.

    The overnight segment of a session opens on the evening before it, be that a Sunday or a holiday. Raises
    ValueError outside the calendar.
    """
    return tuple(
        SegmentHours(
            window.segment,
            _at(session - timedelta(1) if window.eve else session, window.open),
            _at(session, window.close),
        )
        for window in _windows(product, session)
    )


def segment_at(product: Product, instant: datetime) -> SegmentHours | None:
    """The segment in which `product` trades at the aware `instant`, or None; ValueError on a naive one."""
    day = _utc(instant).astimezone(MARKET_TZ).date()
    for session in (day, day + timedelta(1)):
        if FIRST_DAY <= session <= LAST_DAY:
            for hours in segments(product, session):
                if hours.contains(instant):
                    return hours
    return None


def is_early_close(session: date) -> bool:
    """Whether the cash market closes early. Raises ValueError when `session` is not a session."""
    _require_session(session)
    return session in early_closes(session.year)


@lru_cache(maxsize=4096)
def regular_hours(session: date) -> tuple[datetime, datetime]:
    """Open and close of the New York Stock Exchange in aware New York times; ValueError without a session."""
    _require_session(session)
    return _at(session, _OPEN), _at(session, early_closes(session.year).get(session, _CLOSE))


@lru_cache(maxsize=4096)
def option_close(session: date) -> datetime:
    """End of the regular hours of index options: 15 minutes after the cash close (16:15, half days 13:15)."""
    return regular_hours(session)[1] + _INDEX_OPTION_EXTENSION


@lru_cache(maxsize=4096)
def option_hours_utc(session: date) -> tuple[datetime, datetime]:
    """Open and end of the regular hours of index options in UTC, for comparisons: those of times in two zones
    take fifty times as long. ValueError without a session.
    """
    return regular_hours(session)[0].astimezone(UTC), option_close(session).astimezone(UTC)


@lru_cache(maxsize=4096)
def vx_settlement_instant(session: date) -> datetime:
    """The moment to which the daily settlement of VIX futures refers.

    The close of the cash market (16:00, half days 13:00) since 2020-10-26, 15 minutes after it before that
    (Cboe notice C2020092202). Raises ValueError on a day without a session.
    """
    close = regular_hours(session)[1]
    return close if session >= _SETTLEMENT_AT_CASH_CLOSE_SINCE else close + _INDEX_OPTION_EXTENSION


def _windows(product: Product, session: date) -> tuple[_Window, ...]:
    in_session = is_session(session)
    era = bisect_right(_HOURS[product], session, key=lambda era: era[0]) - 1
    if era < 0:
        return ()
    windows = _HOURS[product][era][1]
    if not in_session:
        overnight = session in _GLOBAL_ONLY[product]
        return tuple(window for window in windows if overnight and window.segment is Segment.GLOBAL)
    if not is_early_close(session):
        return windows
    return tuple(
        _shortened(window, product, session) for window in windows if window.segment is not Segment.CURB
    )


def _shortened(window: _Window, product: Product, session: date) -> _Window:
    if window.segment is not Segment.REGULAR:
        return window
    close = regular_hours(session)[1] if product is Product.EQUITY else option_close(session)
    return _Window(window.segment, window.open, close.time())


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, MARKET_TZ)


def _utc(instant: datetime) -> datetime:
    # Python compares times of one zone by their wall clocks, which is wrong across a DST change.
    if instant.tzinfo is None:
        raise ValueError(f"{instant} needs a time zone")
    return instant.astimezone(UTC)


def _require_session(day: date) -> None:
    if not is_session(day):
        raise ValueError(f"{day} is not a session")
