"""When an order's market opens next, and to which trading day a day order belongs.

Whether a contract trades at this moment is the market's answer; the calendar is asked only about the future.
Orders live in regular hours, so that a trading day is a New York date.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from market.contract import SecurityType
from market.sessions import MARKET_TZ, Product, Segment, segments
from simulator.model import Instrument

_PRODUCTS: Final = {
    SecurityType.OPTION: Product.INDEX_OPTION,
    SecurityType.FUTURE: Product.VIX_FUTURE,
    SecurityType.STOCK: Product.EQUITY,
}
#: Days within which every market opens again (September 2001: seven days).
_LONGEST_CLOSURE: Final = 10


def next_open(instruments: Sequence[Instrument], now: datetime) -> datetime | None:
    """The next start of regular hours, New York time, of whichever contract opens last; None when none is
    near.
    """
    today = now.astimezone(MARKET_TZ).date()
    opens: list[datetime] = []
    for kind in sorted({instrument.contract.security_type for instrument in instruments}):
        days = (today + timedelta(days=n) for n in range(_LONGEST_CLOSURE))
        hours = (segment for day in days for segment in segments(_PRODUCTS[kind], day))
        opens += [h.open for h in hours if h.segment is Segment.REGULAR and h.open > now][:1]
    return max(opens, default=None)


def trading_day(instruments: Sequence[Instrument], now: datetime, *, is_open: bool) -> date:
    """The day on whose close a day order of this moment ends: today while the market is open, else the next
    session.
    """
    opens = None if is_open else next_open(instruments, now)
    return (now if opens is None else opens).astimezone(MARKET_TZ).date()
