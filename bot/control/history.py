"""`alvh history`: daily series from a folder, checked, and taken into a journal no daemon runs on."""

import os
from pathlib import Path
from typing import Any

from bot.clock import WallClock
from bot.events import DISTRIBUTION, ObservationsKnown
from bot.feeds import history_observations
from bot.journal.opening import open_journal
from bot.publications import MONTHLY, gaps
from config.loader import load_settings
from config.settings import SIMULATED_PROFILE
from market.sessions import FIRST_DAY, MARKET_TZ, session_offset, session_on_or_before

#: Enough for every warm-up of a daily signal; monthly series reach further back by themselves.
SESSIONS_TAKEN = 1320


def import_folder(folder: Path, journal: Path | None) -> dict[str, Any]:
    """Append the folder's observations to the journal, each with the moment it was known.

    The records carry the moment by which all of it was known, or the journal's last one if that is later:
    what is imported never runs ahead of the market time a daemon will go on with. Raises FeedError naming
    file, line and remedy, JournalInUseError while a daemon writes the journal.
    """
    target = journal if journal is not None else _default_journal()
    everything = _read(folder)
    newest = max(seen.period for known in everything for seen in known.observations)
    found = history_observations(
        folder, session_offset(session_on_or_before(newest), -SESSIONS_TAKEN), newest
    )
    opened = open_journal(target)
    try:
        time = max(seen.known_at for known in found for seen in known.observations)
        if opened.state.time is not None:
            time = max(time, opened.state.time)
        for known in found:
            opened.journal.append(time, type(known).__name__, known)
        opened.journal.close(time)
    finally:
        opened.journal.release()
    return {**_report(folder, found), "journal": str(target)}


def check_folder(folder: Path) -> dict[str, Any]:
    """What the folder holds: series, spans, counts and the sessions without a value. Raises FeedError."""
    return _report(folder, _read(folder))


def _read(folder: Path) -> tuple[ObservationsKnown, ...]:
    today = WallClock().now().astimezone(MARKET_TZ).date()
    return history_observations(folder, FIRST_DAY, session_on_or_before(today))


def _report(folder: Path, found: tuple[ObservationsKnown, ...]) -> dict[str, Any]:
    """One entry a series, the futures of all months together.

    `gaps` is None where no session needs a value.
    """
    series: dict[str, dict[str, Any]] = {}
    for known in found:
        name = known.series.partition(":")[0]
        periods = [observation.period for observation in known.observations]
        entry = series.setdefault(name, {"values": 0, "first": None, "last": None, "gaps": None})
        entry["values"] += len(periods)
        entry["first"] = min(day for day in (entry["first"], min(periods)) if day is not None)
        entry["last"] = max(day for day in (entry["last"], max(periods)) if day is not None)
        if ":" not in known.series and name not in MONTHLY and name != DISTRIBUTION:
            entry["gaps"] = len(gaps(known.observations))
    return {"folder": str(folder), "series": series}


def _default_journal() -> Path:
    return load_settings({}, os.environ, SIMULATED_PROFILE).settings.journal_folder
