"""When a figure becomes public, and the rows of each slow series that are public at a given moment.

| series | columns | public |
|---|---|---|
| spx, vix, vvix, vix9d, vix3m, vnq | open ... close, or close | 16:20 New York time of the session |
| vx_settlements | one column for each final settlement day | 09:00 of the next session |
| breadth | advances, declines | 09:00 of the next session (the live index is final at 16:20) |
| treasury_10y, baa, fed_funds | value, percent | 16:20 of the next session |
| vnq_dividends | amount, named by the ex-date | 09:00 of the ex-date |
| reer | value, named by the month's first day | 09:00 on the first Thursday from the 17th of the next month |
| ppi | value, named by the month's first day | 08:30 on the first session from the 13th of the next month |

The rule for the exchange rates fits the five dates of late 2022 that are known; that for producer prices is a
stand-in for the statisticians' own calendar, which lies between the 9th and the 18th.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from market.sessions import MARKET_TZ, next_session, session_on_or_after
from simulator.days import DaySource, SessionDay

Row = tuple[date, Mapping[str, float]]

FINAL_BREADTH = time(16, 20)
_MORNING = time(9, 0)


def _one(name: str) -> Callable[[SessionDay], Mapping[str, float] | None]:
    def column(day: SessionDay) -> Mapping[str, float] | None:
        value = getattr(day, name)
        return None if value is None else {"value": value}

    return column


def _bar(name: str) -> Callable[[SessionDay], Mapping[str, float] | None]:
    def columns(day: SessionDay) -> Mapping[str, float] | None:
        bar = getattr(day, name)
        return None if bar is None else asdict(bar)

    return columns


def _breadth(day: SessionDay) -> Mapping[str, float] | None:
    if day.advances is None or day.declines is None:
        return None
    return {"advances": float(day.advances), "declines": float(day.declines)}


def _settlements(day: SessionDay) -> Mapping[str, float] | None:
    return {expiry.isoformat(): settle for expiry, settle in day.vx.items()} or None


def _dividend(day: SessionDay) -> Mapping[str, float] | None:
    return {"value": day.vnq_dividend} if day.vnq_dividend else None


_COLUMNS: dict[str, Callable[[SessionDay], Mapping[str, float] | None]] = {
    "spx": _bar("spx"),
    "vix": _bar("vix"),
    "vnq": _bar("vnq"),
    "vvix": _one("vvix"),
    "vix9d": _one("vix9d"),
    "vix3m": _one("vix3m"),
    "vx_settlements": _settlements,
    "breadth": _breadth,
    "treasury_10y": _one("treasury_10y_pct"),
    "baa": _one("baa_yield_pct"),
    "fed_funds": _one("fed_funds_pct"),
    "vnq_dividends": _dividend,
}
_NEXT_EVENING = frozenset({"treasury_10y", "baa", "fed_funds"})
_NEXT_MORNING = frozenset({"vx_settlements", "breadth"})
_MONTHLY = {"reer": (17, time(9, 0), 3), "ppi": (13, time(8, 30), None)}

SERIES = (*_COLUMNS, *_MONTHLY)


@lru_cache(maxsize=8192)
def public_at(series: str, day: date) -> datetime:
    """The moment (aware) at which the row named `day` becomes public. KeyError for an unknown series."""
    if series in _MONTHLY:
        day_of_month, clock, weekday = _MONTHLY[series]
        following = date(day.year + day.month // 12, day.month % 12 + 1, day_of_month)
        if weekday is not None:
            following += timedelta((weekday - following.weekday()) % 7)
        return datetime.combine(session_on_or_after(following), clock, MARKET_TZ)
    if series not in _COLUMNS:
        raise KeyError(series)
    if series in _NEXT_EVENING:
        return datetime.combine(next_session(day), FINAL_BREADTH, MARKET_TZ)
    if series in _NEXT_MORNING:
        return datetime.combine(next_session(day), _MORNING, MARKET_TZ)
    if series == "vnq_dividends":
        return datetime.combine(day, _MORNING, MARKET_TZ)
    return datetime.combine(day, FINAL_BREADTH, MARKET_TZ)


def public_rows(source: DaySource, series: str, now: datetime, first: date = date.min) -> Sequence[Row]:
    """The rows of a series from `first` on that are public at `now` (aware), ascending. Raises KeyError for
    an unknown series.
    """
    today = now.astimezone(MARKET_TZ).date()
    if series in _MONTHLY:
        months = source.monthly(series, today)
        return [
            (one.month, {"value": one.value})
            for one in months
            if first <= one.month and public_at(series, one.month) <= now
        ]
    column = _COLUMNS[series]
    days = list(source.days(today))
    del days[: bisect_left(days, first, key=lambda day: day.session)]
    # Releases follow one another in the order of their days, so that only the end of the list is in question.
    while days and public_at(series, days[-1].session) > now:
        days.pop()
    rows = ((day.session, column(day)) for day in days)
    return [(day, columns) for day, columns in rows if columns is not None]
