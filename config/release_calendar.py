"""The days of scheduled releases: facts with their source, one file for each release in `config/calendar/`.

They are data, not rules: they say when something happens, the rules say what is done about it. Both stand in
the first record of a journal, so that a replay knows what was known.
"""

import tomllib
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from config.errors import ConfigError, Problem
from config.settings import SHIPPED_FOLDER
from market.sessions import previous_session

SHIPPED_CALENDAR = SHIPPED_FOLDER / "calendar"
WARNED_AHEAD = timedelta(days=60)

#: Release -> year -> its days as "MM-DD", ascending.
Calendar = dict[str, dict[str, list[str]]]


@cache
def shipped_calendar() -> Calendar:
    """The calendar that comes with this version."""
    return load_calendar(SHIPPED_CALENDAR)


def load_calendar(folder: Path) -> Calendar:
    """Every `*.toml` of the folder, by its name. Raises ConfigError with all that is wrong."""
    calendar: Calendar = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(Problem(str(path), "", f"cannot be read ({error})", "mend the file"))
            continue
        problems += _faults(path, document)
        calendar[path.stem] = document.get("days", {})
    if problems:
        raise ConfigError(tuple(problems))
    return calendar


def first_barred(calendar: Calendar) -> dict[str, date]:
    """By release, the first session on which nothing is opened because no days are known for what comes.

    That is the last session of the last year without a gap before it: an unknown year's eve is barred too.
    """
    found = {}
    for name, years in calendar.items():
        year = min(map(int, years))
        while str(year + 1) in years:
            year += 1
        found[name] = previous_session(date(year + 1, 1, 1))
    return found


def calendar_warnings(calendar: Calendar, today: date) -> tuple[str, ...]:
    """Releases whose known days end within two months of `today`, in words, the earliest first."""
    ending = sorted(
        (day, name) for name, day in first_barred(calendar).items() if day <= today + WARNED_AHEAD
    )
    return tuple(
        f"no {name.upper()} days are known beyond {day.year}: from {day} on nothing is opened until they are "
        f"added to config/calendar/{name}.toml (docs/operations.md)"
        for day, name in ending
    )


def _faults(path: Path, document: dict[str, object]) -> list[Problem]:
    found = [
        Problem(str(path), key, "is unknown", "a calendar has `source` and `[days]`")
        for key in sorted(set(document) - {"source", "days"})
    ]
    if not document.get("source"):
        found.append(Problem(str(path), "source", "is missing", "say where the days were read"))
    days = document.get("days")
    for year, listed in days.items() if isinstance(days, dict) else ():
        key = f"days.{year}"
        if not _are_days(year, listed):
            remedy = 'write a year and its days, ascending: 2026 = ["01-28", "03-18"]'
            found.append(Problem(str(path), key, f"holds no list of days: {listed!r}", remedy))
    if not isinstance(days, dict) or not days:
        found.append(Problem(str(path), "days", "is missing", "list the days of at least one year"))
    return found


def _are_days(year: str, listed: object) -> bool:
    if not isinstance(listed, list) or not listed or listed != sorted(set(listed)):
        return False
    try:
        return all(date.fromisoformat(f"{year}-{day}").year == int(year) for day in listed)
    except ValueError:
        return False
