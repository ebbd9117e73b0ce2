"""The date of a good-till-date order, as clients write it.

`YYYYMMDD HH:MM:SS zone` with any zone name, `YYYYMMDD-HH:MM:SS` in UTC, or a bare day, which means the end of
that day. Without a zone New York time is meant, the market's own.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from market.sessions import MARKET_TZ

_END_OF_DAY = "23:59:59"


def good_till(text: str) -> datetime | None:
    """The instant after which the order is gone; None for a text that names none."""
    words = text.split()
    if not words:
        return None
    zone: ZoneInfo | object = MARKET_TZ
    if "-" in words[0]:
        words[:1] = words[0].split("-", 1)
        zone = UTC
    day, clock, zone_name = (*words, "", "")[:3] if len(words) > 1 else (words[0], _END_OF_DAY, "")
    try:
        zone = ZoneInfo(zone_name) if zone_name else zone
        naive = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007  zone set on the next line
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
    return naive.replace(tzinfo=UTC if zone is UTC else ZoneInfo(str(zone)))
