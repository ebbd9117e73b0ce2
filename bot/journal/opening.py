"""Opening a journal for a run: what the first record says, and the state the run continues from."""

import os
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bot.engine.state import EngineState
from bot.errors import JournalError, JournalInUseError
from bot.events import Opened
from bot.journal.checkpoint import Checkpoints, recover
from bot.journal.quarantine import Quarantined, set_aside_damage
from bot.journal.writer import SCHEMA, Journal, take_lock
from config.release_calendar import shipped_calendar
from config.rules import Rules

# Whatever can change a number between two installations.
_NAMED_PACKAGES = ("ib_async", "ib_insync", "numpy", "orjson", "tzdata")


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """A journal ready to be continued."""

    journal: Journal
    checkpoints: Checkpoints
    state: EngineState
    repaired: str  # what had to be cut off its end, or nothing
    quarantined: Quarantined | None = None  # what was damaged in its midst


def open_journal(folder: Path) -> OpenJournal:
    """Lock, mend and fold the journal in `folder`; a new one is made where none is.

    Raises JournalInUseError or JournalError.
    """
    journal, repaired = Journal.open(folder)
    try:
        state = recover(folder)
    except BaseException:  # raised again: no end, not even a bug, may leave the lock held
        journal.release()
        raise
    return OpenJournal(journal, Checkpoints(folder / "checkpoints"), state, repaired)


def open_or_set_aside(folder: Path) -> OpenJournal:
    """As `open_journal`; where a record is damaged in its midst, halted behind the last good one.

    What stood from there on is kept in quarantine. Raises RolledBackError where the journal was put back to
    an earlier state as well.
    """
    try:
        return open_journal(folder)
    except JournalInUseError:
        raise
    except JournalError:
        lock = take_lock(folder)
        try:
            aside = set_aside_damage(folder)
        except OSError as error:
            raise JournalError(f"{folder}: the damage cannot be set aside ({error.strerror})") from error
        finally:
            os.close(lock)
        if aside is None:
            raise
        return replace(open_journal(folder), quarantined=aside)


def opening_record(
    mode: str,
    account: str,
    rules: Rules,
    previous: EngineState,
    interval_s: float,
    seed: int | None,
    gateway_restart: str = "23:45",
) -> Opened:
    """The record that makes the run reproducible."""
    return Opened(
        schema=SCHEMA,
        mode=mode,
        account=account,
        start=previous.opened.start + 1 if previous.opened is not None else 1,
        product=f"alvh {version('alvh')}",
        packages=_versions(),
        rules=rules.model_dump(mode="json"),
        rules_hash=rules.rules_hash(),
        seed=seed,
        evaluation_interval_s=interval_s,
        calendar=shipped_calendar(),
        gateway_restart=gateway_restart,
    )


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _NAMED_PACKAGES:
        try:
            found.append((name, version(name)))
        except ModuleNotFoundError:
            continue
    return tuple(found)
