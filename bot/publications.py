"""Slow series as they are published: file formats, their checks, and when each value was known.

Every parser takes text and a name for it and returns observations; what it refuses, it refuses with the
file's name, the line and what to do. Rows on days without a session are left out, because the exchanges'
files also hold days on which the cash market was shut.

| series | value | known from (New York time) |
|---|---|---|
| nyse_net_advances | advances minus declines, final | 09:00 of the next session |
| vx_settlement:YYYY-MM-DD | settlement of the future that settles then, points | 09:00 of the next session |
| spx, vix, vvix, vnq | close | 16:20 of the session, half days 13:20 |
| vnq_distribution | USD a share, by ex-date | 09:00 of the ex-date |
| treasury_10y, baa, fed_funds | yield or rate, percent | 16:20 of the next session |
| reer, ppi | index of the month named by its first day | 16:20 of the last session of the next month |

The monthly rule is the conservative one for files without vintages. A value fetched before its rule says so
is known from the moment it was fetched.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from itertools import pairwise
from math import isfinite

from bot.errors import FeedError
from bot.events import DISTRIBUTION, NET_ADVANCES, VX_SETTLEMENT, Job, ObservationsKnown
from bot.schedule import moment
from market.rounding import round_price
from market.series import Observation
from market.sessions import (
    FIRST_DAY,
    LAST_DAY,
    MARKET_TZ,
    is_session,
    next_session,
    session_on_or_before,
    sessions,
)

MONTHLY = frozenset({"reer", "ppi"})
_SAME_EVENING = frozenset({"spx", "vix", "vvix", "vnq"})
_NEXT_EVENING = frozenset({"treasury_10y", "baa", "fed_funds"})
_MORNING = time(9, 0)
_EVENING = time(16, 20)
_VX_MONTHLY = re.compile(r"VX/[FGHJKMNQUVXZ][0-9]")
_ABSENT = frozenset({"", ".", "NA"})
_VALUE_MAX = 1e9
# Smaller steps between close and adjusted close are rounding, not distributions.
_STEP_MIN_FRACTION = 0.001
_IMPLIED_SOURCE = "step between close and adjusted close"

Row = tuple[int, dict[str, str]]  # line number, cell by column


def known_at(series: str, period: date) -> datetime:
    """The moment (UTC) from which the value of `period` counts as known. FeedError for an unknown series."""
    if series in MONTHLY:
        following = date(period.year + period.month // 12, period.month % 12 + 1, 28)
        month_end = (following + timedelta(4)).replace(day=1) - timedelta(1)
        return moment(Job.SESSION_REVIEW, session_on_or_before(month_end))
    if series in _SAME_EVENING:
        return moment(Job.SESSION_REVIEW, period)
    if series in _NEXT_EVENING:
        return _at(next_session(period), _EVENING)
    if series == NET_ADVANCES or series.startswith(VX_SETTLEMENT):
        return _at(next_session(period), _MORNING)
    if series == DISTRIBUTION:
        return _at(period, _MORNING)
    raise FeedError(f"no publication rule for the series {series!r}")


def column(
    text: str, source: str, series: str, column_name: str, date_column: str = "date"
) -> tuple[Observation, ...]:
    """One column of a file with an ascending date column (ISO or MM/DD/YYYY).

    Cells that say nothing are skipped.
    """
    rows = _checked(text, source, (date_column, column_name))
    return _observed(
        source,
        series,
        ((line, day, row[column_name]) for line, day, row in _dated(rows, source, date_column)),
    )


def fred(text: str, source: str, series: str) -> tuple[Observation, ...]:
    """FRED's graph file: a date column (`observation_date`, formerly `DATE`) and one value column."""
    header = _header(text, source)
    if len(header) < 2 or header[0].lower() not in {"observation_date", "date"}:
        raise FeedError(f"{source}:1: not a FRED graph file, its columns are {header}: check the address")
    return column(text, source, series, header[1], header[0])


def cboe_history(text: str, source: str, series: str) -> tuple[Observation, ...]:
    """Cboe's index history: DATE with either OPEN, HIGH, LOW, CLOSE or one column with the index's name."""
    header = _header(text, source)
    if len(header) < 2 or header[0].upper() != "DATE":
        raise FeedError(f"{source}:1: not a Cboe index history, its columns are {header}: check the address")
    return column(text, source, series, "CLOSE" if "CLOSE" in header else header[1], header[0])


def net_advances(text: str, source: str) -> tuple[Observation, ...]:
    """A breadth file (date, advances, declines) as advances minus declines."""
    rows = _dated(_checked(text, source, ("date", "advances", "declines")), source, "date")
    differences = (
        (line, day, str(_number(source, line, row["advances"]) - _number(source, line, row["declines"])))
        for line, day, row in rows
        if row["advances"] not in _ABSENT and row["declines"] not in _ABSENT
    )
    return _observed(source, NET_ADVANCES, differences)


def cfe_settlements(text: str, source: str, session: date) -> tuple[ObservationsKnown, ...]:
    """CFE's settlement file of one session: one series for each monthly VX contract in it."""
    rows = _checked(text, source, ("Product", "Symbol", "Expiration Date", "Price"))
    prices = [
        (line, _day(source, line, row["Expiration Date"]), row["Price"])
        for line, row in rows
        if row["Product"] == "VX" and _VX_MONTHLY.fullmatch(row["Symbol"])
    ]
    if not prices:
        raise FeedError(f"{source}: no monthly VX contract in it: check the address and the date")
    return _by_contract(source, ((line, session, settles, price) for line, settles, price in prices))


def settlement_history(text: str, source: str, first: date, last: date) -> tuple[ObservationsKnown, ...]:
    """A file of settlements (date, final_settlement, settle), rows from `first` to `last`, by contract."""
    rows = _checked(text, source, ("date", "final_settlement", "settle"))
    return _by_contract(
        source,
        (
            (line, day, _day(source, line, row["final_settlement"]), row["settle"])
            for line, row in rows
            if first <= (day := _day(source, line, row["date"])) <= last
        ),
    )


def distributions(text: str, source: str, adjusted: str = "adj_close") -> tuple[Observation, ...]:
    """Distributions of a price file (date, close, dividend), and of its rows that state none.

    Those are read off the step between close and adjusted close. The adjusted close of the day before the
    ex-date is scaled by 1 - D / close, therefore D is that close times one minus the ratio of the two days'
    scales. Such a one is known with the close of the ex-date.
    """
    stated = column(text, source, DISTRIBUTION, "dividend")
    if adjusted not in _header(text, source):
        return stated
    closes = column(text, source, "vnq", "close")
    scaled = {seen.period: seen.value for seen in column(text, source, "vnq", adjusted)}
    said = {seen.period for seen in column(text, source, "vnq", "dividend")}
    found = list(stated)
    for before, after in pairwise(closes):
        day = after.period
        if day in said or before.period not in scaled or day not in scaled:
            continue
        step = 1.0 - (scaled[before.period] / before.value) / (scaled[day] / after.value)
        if step > _STEP_MIN_FRACTION:
            amount = round_price(before.value * step)
            found.append(Observation(after.known_at, day, amount, source=_IMPLIED_SOURCE))
    return tuple(found)


def gaps(observations: Iterable[Observation]) -> tuple[date, ...]:
    """Sessions between the first and the last observation of a daily series that have none."""
    seen = {observation.period for observation in observations}
    if not seen:
        return ()
    return tuple(day for day in sessions(min(seen), max(seen)) if day not in seen)


def _by_contract(source: str, rows: Iterable[tuple[int, date, date, str]]) -> tuple[ObservationsKnown, ...]:
    found: dict[date, list[tuple[int, date, str]]] = {}
    for line, day, settles, price in rows:
        found.setdefault(settles, []).append((line, day, price))
    return tuple(
        ObservationsKnown(name, observations)
        for settles in sorted(found)
        if (
            observations := _observed(source, name := f"{VX_SETTLEMENT}{settles.isoformat()}", found[settles])
        )
    )


def _observed(source: str, series: str, rows: Iterable[tuple[int, date, str]]) -> tuple[Observation, ...]:
    observations: list[Observation] = []
    before: date | None = None
    for line, day, cell in rows:
        if before is not None and day <= before:
            what = "stands twice" if day == before else f"comes after {before}"
            raise FeedError(f"{source}:{line}: {day} {what}: sort the rows by date and keep one for each day")
        before = day
        if (
            cell in _ABSENT
            or not FIRST_DAY <= day <= LAST_DAY
            or (series not in MONTHLY and not is_session(day))
        ):
            continue
        value = round_price(_number(source, line, cell))
        if value == 0.0 and series == DISTRIBUTION:
            continue
        observations.append(Observation(known_at(series, day), day, value, source=_page(source)))
    return tuple(observations)


def _page(source: str) -> str:
    """The last part of an address or path: a record says which page, not which machine or folder."""
    return source.partition("?")[0].rstrip("/").rpartition("/")[2]


def _header(text: str, source: str) -> list[str]:
    first = text.lstrip("\ufeff").partition("\n")[0].strip()
    if not first:
        raise FeedError(f"{source}: the file is empty: fetch it again")
    return [cell.strip() for cell in first.split(",")]


def _checked(text: str, source: str, columns: tuple[str, ...]) -> Iterator[Row]:
    header = _header(text, source)
    absent = [name for name in columns if name not in header]
    if absent:
        raise FeedError(
            f"{source}:1: no column {', '.join(absent)} among {header}: check what the file holds"
        )
    reader = csv.reader(StringIO(text.lstrip("\ufeff")))
    next(reader)
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise FeedError(
                f"{source}:{reader.line_num}: {len(cells)} cells, {len(header)} columns: the file is broken"
            )
        yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _dated(rows: Iterator[Row], source: str, date_column: str) -> Iterator[tuple[int, date, dict[str, str]]]:
    for line, row in rows:
        yield line, _day(source, line, row[date_column]), row


def _day(source: str, line: int, text: str) -> date:
    try:
        if text[2:3] == "/":
            return date(int(text[6:10]), int(text[:2]), int(text[3:5]))
        return date.fromisoformat(text[:10])
    except ValueError:
        raise FeedError(f"{source}:{line}: {text!r} is no date: dates are YYYY-MM-DD or MM/DD/YYYY") from None


def _number(source: str, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FeedError(f"{source}:{line}: {text!r} is no number: mend or remove the row") from None
    if not isfinite(value) or abs(value) > _VALUE_MAX:
        raise FeedError(f"{source}:{line}: {text!r} is no plausible value: mend or remove the row")
    return value


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, MARKET_TZ).astimezone(UTC)
