"""Small journals for the tests: a few days of three records, cleanly closed or as a crash leaves them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.journal.writer import Journal

FIRST_DAY = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
RECORDS_A_DAY = 3


def write_records(journal: Journal, days: int, first: int = 0) -> None:
    """`days` times three records, committed one by one."""
    for day in range(first, first + days):
        for number in range(RECORDS_A_DAY):
            time = FIRST_DAY + timedelta(days=day, seconds=number)
            journal.append(time, "Alert", {"level": "info", "name": "n", "text": f"day {day} é {number}"})
            journal.commit()


def closed_journal(folder: Path, days: int = 3) -> Path:
    """A journal of `days` segments with a clean stop."""
    journal, _ = Journal.open(folder)
    write_records(journal, days)
    journal.close(FIRST_DAY + timedelta(days=days - 1, seconds=60))
    return folder


def crashed_journal(folder: Path, days: int = 3) -> Path:
    """The same without a clean stop."""
    journal, _ = Journal.open(folder)
    write_records(journal, days)
    journal.release()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a journal but its lock."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "lock"
    }


def restore_contents(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder hold exactly these files."""
    for path in folder.iterdir():
        if path.is_file() and path.name not in files:
            path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
