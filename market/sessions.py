"""The market calendar: one door to sessions, trading hours, expiries and settlements.

The rules live in four rooms behind it: `holidays` (which days are shut or short), `trading_days` (counting
sessions), `trading_hours` (segments and daily settlements) and `expiries` (SPX and VIX contracts). Nothing
here knows the present: every answer is a pure function of its arguments for 1990 to 2035. Closures nobody
could foresee are known only up to the date of this release, so the daemon compares each day with the
broker's own trading hours and takes the stricter answer.
"""

from market.expiries import (
    AM_SETTLED,
    PM_SETTLED,
    days_to_expiry,
    front_vx_pair,
    option_expiry_instant,
    option_last_trade,
    spx_monthly_expiries,
    spx_monthly_expiry,
    spxw_expiries,
    t_years,
    vix_expiries,
    vix_final_settlement,
    vix_last_trade,
    vixw_expiries,
    vx_settlements_after,
)
from market.holidays import UNSCHEDULED_CLOSURES
from market.trading_days import (
    FIRST_DAY,
    LAST_DAY,
    is_session,
    next_session,
    previous_session,
    session_offset,
    session_on_or_after,
    session_on_or_before,
    sessions,
    sessions_between,
)
from market.trading_hours import (
    MARKET_TZ,
    Product,
    Segment,
    SegmentHours,
    is_early_close,
    option_close,
    option_hours_utc,
    regular_hours,
    segment_at,
    segments,
    vx_settlement_instant,
)

__all__ = [
    "AM_SETTLED",
    "FIRST_DAY",
    "LAST_DAY",
    "MARKET_TZ",
    "PM_SETTLED",
    "UNSCHEDULED_CLOSURES",
    "Product",
    "Segment",
    "SegmentHours",
    "days_to_expiry",
    "front_vx_pair",
    "is_early_close",
    "is_session",
    "next_session",
    "option_close",
    "option_expiry_instant",
    "option_hours_utc",
    "option_last_trade",
    "previous_session",
    "regular_hours",
    "segment_at",
    "segments",
    "session_offset",
    "session_on_or_after",
    "session_on_or_before",
    "sessions",
    "sessions_between",
    "spx_monthly_expiries",
    "spx_monthly_expiry",
    "spxw_expiries",
    "t_years",
    "vix_expiries",
    "vix_final_settlement",
    "vix_last_trade",
    "vixw_expiries",
    "vx_settlement_instant",
    "vx_settlements_after",
]
