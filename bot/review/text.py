"""How times, numbers and foreign text are shown and typed: one way everywhere, safe on a terminal."""

import re
from datetime import UTC, date, datetime, timedelta

from market.sessions import MARKET_TZ

_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def plain(text: str) -> str:
    """Text with every control, format and line-breaking character spelt out.

    What a broker or a file says may not move the cursor, break a line or turn the writing direction.
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def number(value: float | str | None) -> str:
    """A value with at most six significant digits and thousands commas; `-` where there is none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return plain(value)
    if abs(value) >= 1e6:
        return f"{value:,.0f}"
    shown = f"{value:,.6g}"
    return "0" if shown == "-0" else shown


def moment(time: datetime) -> str:
    """A time as the market's own, with the zone's name."""
    return f"{time.astimezone(MARKET_TZ):%Y-%m-%d %H:%M:%S %Z}"


def span(length: timedelta) -> str:
    """A duration in its largest sensible unit."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def read_span(text: str) -> timedelta | None:
    """`90s`, `30m`, `2h`, `1d` or `1w` as a duration, None when it is none."""
    match = _SPAN.fullmatch(text.strip().lower())
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def read_moment(text: str) -> datetime:
    """A time as a person types it, aware; without a zone it is New York time, a date alone is its end.

    Raises ValueError.
    """
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=MARKET_TZ).astimezone(UTC)
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=MARKET_TZ)
    return time.astimezone(UTC)
