"""Expiry and settlement days of SPX and VIX contracts, and the time that is left until them.

An expiry is named by the day it settles: an AM-settled contract (SPX, VIX, VIX futures) settles on an
opening, its last regular trading day lies before that; a PM-settled one (SPXW, XSP) trades and settles on
the same day. Two different holidays move a VIX settlement: its own Wednesday, and the Friday 30 days later
on which the SPX options behind the settlement value expire. Since 2025 Cboe lets expiring AM contracts
trade overnight into the settlement morning (SR-CBOE-2025-011); the last trade here stays the end of regular
hours, because nothing is traded overnight.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache

from market.holidays import FIRST_YEAR, LAST_YEAR, nth_weekday
from market.trading_days import is_session, previous_session, session_on_or_before
from market.trading_hours import MARKET_TZ, Product, option_close, regular_hours

_WEDNESDAY, _FRIDAY = 2, 4
_SETTLEMENT_LAG = timedelta(30)
_VX_LAST_TRADE = time(9, 0)
_YEAR_S = 365 * 86_400

AM_SETTLED: frozenset[str] = frozenset({"SPX", "VIX", "VIXW"})
PM_SETTLED: frozenset[str] = frozenset({"SPXW", "XSP"})

#: The first Wednesday after weekly VIX options were listed, and the one settlement that a closure put off
#: instead of bringing it forward, because it was announced too late (Cboe notice C2018120300).
_FIRST_VIXW = date(2015, 10, 14)
_DEFERRED_VIXW = {date(2018, 12, 5): date(2018, 12, 6)}


@cache
def vix_final_settlement(year: int, month: int) -> date:
    """Final settlement day of the monthly VIX options and futures of a contract month.

    The Wednesday 30 days before the third Friday of the following month; the business day before that
    Wednesday when either of the two days is a holiday (CFE rule 1202, Cboe VIX option specification). Raises
    ValueError when the following month is outside the calendar.
    """
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    return _vix_settlement(nth_weekday(*following, _FRIDAY, 3))


def vix_expiries(first: date, last: date) -> tuple[date, ...]:
    """Monthly VIX settlement days from `first` to `last`, both included, ascending."""
    return tuple(day for day in _monthly_vix() if first <= day <= last)


def vixw_expiries(first: date, last: date) -> tuple[date, ...]:
    """Settlement days of weekly VIX options, class VIXW: the weeks without a monthly expiry; ends included.

    Raises ValueError in the last five weeks of the calendar, where the Friday behind the settlement is
    outside.
    """
    monthly = set(_monthly_vix())
    weekly = (
        _DEFERRED_VIXW.get(wednesday, _vix_settlement(wednesday + _SETTLEMENT_LAG))
        for wednesday in _weekdays(first, last, _WEDNESDAY)
        if wednesday >= _FIRST_VIXW
    )
    return tuple(day for day in weekly if first <= day <= last and day not in monthly)


def vix_last_trade(settlement: date, product: Product = Product.INDEX_OPTION) -> datetime:
    """Last trade of the contract that settles on `settlement`.

    Options: the end of regular hours on the session before. Futures: 09:00 New York time on the settlement
    day itself. Raises ValueError for another product, or when `settlement` is not a session.
    """
    if product is Product.INDEX_OPTION:
        return option_last_trade("VIX", settlement)
    if product is Product.VIX_FUTURE:
        _require_session(settlement)
        return datetime.combine(settlement, _VX_LAST_TRADE, MARKET_TZ)
    raise ValueError(f"{product} has no VIX settlement")


def vx_settlements_after(day: date, n: int) -> tuple[date, ...]:
    """The next n monthly VX final settlement days strictly after `day`; ValueError beyond the calendar."""
    settlements = _monthly_vix()
    start = bisect_right(settlements, day)
    if n < 0 or start + n > len(settlements):
        raise ValueError(f"no {n} VX settlements after {day} in the calendar")
    return settlements[start : start + n]


def front_vx_pair(session: date) -> tuple[date, date]:
    """Final settlement days of the two VX contracts that stand for the front of the curve on `session`.

    From the Friday before a settlement on, the second and third contract take over, so that a price is never
    taken from a contract in its last days (roll by Rhoads). The Friday counts by date: when it is a holiday,
    the session before it still has the old pair. The pair is defined on any day of the calendar.
    """
    nearest, second, third = vx_settlements_after(session, 3)
    friday_before = nearest - timedelta((nearest.weekday() - _FRIDAY) % 7)
    return (nearest, second) if session < friday_before else (second, third)


@cache
def spx_monthly_expiry(year: int, month: int) -> date:
    """Settlement day of a month's AM-settled SPX options: third Friday, or the session before a holiday."""
    return session_on_or_before(nth_weekday(year, month, _FRIDAY, 3))


def spx_monthly_expiries(first: date, last: date) -> tuple[date, ...]:
    """AM-settled SPX settlement days from `first` to `last`, both included, ascending."""
    months = ((year, month) for year in range(first.year, last.year + 1) for month in range(1, 13))
    return tuple(day for day in (spx_monthly_expiry(*month) for month in months) if first <= day <= last)


@lru_cache(maxsize=64)
def spxw_expiries(first: date, last: date) -> tuple[date, ...]:
    """Friday expiries of PM-settled SPXW options, ends included; a holiday moves them to the session before.

    Raises ValueError when the Friday after `last` is outside the calendar.
    """
    expiries = (session_on_or_before(friday) for friday in _weekdays(first, last, _FRIDAY))
    return tuple(day for day in expiries if first <= day <= last)


def option_last_trade(trading_class: str, expiry: date) -> datetime:
    """Last regular trade of an index option that settles on `expiry`, aware New York time.

    AM-settled (SPX, VIX, VIXW): the end of regular hours of the session before. PM-settled (SPXW, XSP): the
    cash close of the expiry day. Raises ValueError for an unknown class, or when `expiry` is not a session.
    """
    if _is_am_settled(trading_class):
        _require_session(expiry)
        return option_close(previous_session(expiry))
    return regular_hours(expiry)[1]


def option_expiry_instant(trading_class: str, expiry: date) -> datetime:
    """The moment whose prices settle the option: the open of an AM class, the cash close of a PM class.

    Raises ValueError for an unknown class, or when `expiry` is not a session.
    """
    opening, close = regular_hours(expiry)
    return opening if _is_am_settled(trading_class) else close


def days_to_expiry(day: date, expiry: date) -> int:
    """Calendar days from `day` to the settlement day (DTE)."""
    return (expiry - day).days


def t_years(now: datetime, trading_class: str, expiry: date) -> float:
    """Years (act/365, elapsed seconds) from the aware `now` to the expiry instant; 0.0 from that instant on.

    Raises ValueError on a naive `now`, an unknown class, or when `expiry` is not a session.
    """
    if now.tzinfo is None:
        raise ValueError(f"{now} needs a time zone")
    # In UTC, because subtraction within one zone counts wall-clock hours: one off across a DST change.
    left = _expiry_in_utc(trading_class, expiry) - now.astimezone(UTC)
    return max(left.total_seconds(), 0.0) / _YEAR_S


@lru_cache(maxsize=256)
def _expiry_in_utc(trading_class: str, expiry: date) -> datetime:
    return option_expiry_instant(trading_class, expiry).astimezone(UTC)


def _vix_settlement(spx_friday: date) -> date:
    wednesday = spx_friday - _SETTLEMENT_LAG
    return wednesday if is_session(wednesday) and is_session(spx_friday) else previous_session(wednesday)


@cache
def _monthly_vix() -> tuple[date, ...]:
    months = [(year, month) for year in range(FIRST_YEAR, LAST_YEAR + 1) for month in range(1, 13)]
    # The last month of the calendar settles by a Friday of the year after it.
    return tuple(vix_final_settlement(*month) for month in months[:-1])


def _weekdays(first: date, last: date, weekday: int) -> tuple[date, ...]:
    """Each `weekday` from a week before `first` to a week after `last`: a holiday may move one between."""
    start = first - timedelta((first.weekday() - weekday) % 7 or 7)
    return tuple(start + timedelta(7 * n) for n in range(max((last - start).days // 7 + 2, 0)))


def _is_am_settled(trading_class: str) -> bool:
    if trading_class not in AM_SETTLED | PM_SETTLED:
        raise ValueError(f"unknown trading class {trading_class!r}")
    return trading_class in AM_SETTLED


def _require_session(day: date) -> None:
    if not is_session(day):
        raise ValueError(f"{day} is not a session")
