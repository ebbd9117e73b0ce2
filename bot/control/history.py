"""`alvh history`: daily series from a folder, checked, and taken into a journal no daemon runs on."""

from pathlib import Path
from typing import Any

from bot.clock import WallClock
from bot.feeds import history_observations
from bot.opening import open_journal
from bot.publications import gaps
from config.loader import load_settings
from config.settings import SIMULATED_PROFILE
from market.sessions import FIRST_DAY, MARKET_TZ, session_offset, session_on_or_before

#: Enough for every warm-up of a daily signal; monthly series reach further back by themselves.
SESSIONS_TAKEN = 600


def import_folder(folder: Path, journal: Path | None) -> dict[str, Any]:
    """Append every observation of the folder to the journal, each with the moment it was known.

    Raises FeedError naming file, line and remedy, JournalInUseError while a daemon writes the journal.
    """
    target = journal if journal is not None else _default_journal()
    opened = open_journal(target)
    try:
        now = WallClock().now()
        if opened.state.time is not None and opened.state.time > now:
            now = opened.state.time
        last = session_on_or_before(now.astimezone(MARKET_TZ).date())
        newest = max(
            o.period for known in history_observations(folder, FIRST_DAY, last) for o in known.observations
        )
        found = history_observations(folder, session_offset(newest, -SESSIONS_TAKEN), last)
        for known in found:
            opened.journal.append(now, type(known).__name__, known)
        opened.journal.close(now)
    finally:
        opened.journal.release()
    return {**_report(folder, found), "journal": str(target)}


def check_folder(folder: Path) -> dict[str, Any]:
    """What the folder holds: series, spans, counts and the sessions without a value. Raises FeedError."""
    today = WallClock().now().astimezone(MARKET_TZ).date()
    return _report(folder, history_observations(folder, FIRST_DAY, session_on_or_before(today)))


def _report(folder: Path, found: tuple[Any, ...]) -> dict[str, Any]:
    series: dict[str, dict[str, Any]] = {}
    for known in found:
        name = known.series.partition(":")[0]
        periods = [observation.period for observation in known.observations]
        entry = series.setdefault(name, {"values": 0, "first": None, "last": None, "gaps": 0})
        entry["values"] += len(periods)
        entry["first"] = min(filter(None, (entry["first"], min(periods))))
        entry["last"] = max(filter(None, (entry["last"], max(periods))))
        if ":" not in known.series:
            entry["gaps"] = len(gaps(known.observations))
    return {"folder": str(folder), "series": series}


def _default_journal() -> Path:
    import os

    return load_settings({}, os.environ, SIMULATED_PROFILE).settings.journal_folder
