"""Durable records a second: this project's journal beside SQLite in WAL mode with synchronous FULL.

Both write the same decision-sized records to the same folder, in turns, and the median of the rounds counts:
one by one (each record durable before the next) and in batches of 100. The journal chains each record with
SHA-256 and rewrites its head file after each sync; SQLite inserts the same canonical bytes into one table and
commits. Before each turn the medium is settled. Run `python -m benchmarks.journal [--json] [--folder DIR]`:
the folder decides which disk is measured.
"""

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.engine.decision import Decision, Verb
from bot.journal.codec import canonical
from bot.journal.writer import Journal, verify
from risk.verdict import Check
from strategies.base import Gate, Reading

ROUNDS = 7
ONE_BY_ONE = 300
BATCHES, BATCH = 60, 100
START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: median records a second of each, and the median ratio of the rounds."""

    name: str
    journal_per_s: float
    sqlite_full_per_s: float
    ratio: float


def decision(number: int) -> Decision:
    """A decision as it is written for a look that does nothing, with its readings, gates and checks."""
    return Decision(
        f"20240304T143000-{number}",
        "iron_condor",
        Verb.HOLD,
        "blocked by entry_window",
        session=START.date(),
        trading="active",
        readings=(Reading("iron_condor.value_to_credit", 0.62, 0.5, "<=", False),),
        gates=(Gate("entry_window", False, "09:31 in 10:00-15:00"), Gate("week_entries", True, "0 of 1")),
        checks=(Check("initiation_loss", 0.0097, 0.012, True),),
    )


def with_journal(folder: Path, batches: int, batch: int) -> float:
    """Seconds for that many durable batches."""
    journal, _ = Journal.open(folder)
    made = [decision(number) for number in range(batches * batch)]
    started = time.perf_counter()
    for number, each in enumerate(made, start=1):
        journal.append(START + timedelta(milliseconds=number), "Decision", each)
        if number % batch == 0:
            journal.commit()
    took = time.perf_counter() - started
    journal.release()
    if verify(folder).records != len(made):
        raise RuntimeError("the journal does not hold what was written")
    return took


def with_sqlite(folder: Path, batches: int, batch: int) -> float:
    """The same for SQLite, WAL and FULL, with one table of number, time, kind and body."""
    folder.mkdir(parents=True)
    base = sqlite3.connect(folder / "records.db", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE records (seq INTEGER PRIMARY KEY, time TEXT, kind TEXT, body BLOB)",
    ):
        base.execute(statement).fetchall()
    made = [decision(number) for number in range(batches * batch)]
    started = time.perf_counter()
    for number, each in enumerate(made, start=1):
        if number % batch == 1 or batch == 1:
            base.execute("BEGIN")
        stamp = (START + timedelta(milliseconds=number)).isoformat()
        base.execute("INSERT INTO records VALUES (?, ?, ?, ?)", (number, stamp, "Decision", canonical(each)))
        if number % batch == 0:
            base.execute("COMMIT")
    took = time.perf_counter() - started
    held = base.execute("SELECT count(*) FROM records").fetchone()[0]
    base.close()
    if held != len(made):
        raise RuntimeError("the database does not hold what was written")
    return took


def compare(name: str, batches: int, batch: int, rounds: int, folder: Path) -> Row:
    """Interleaved rounds; who goes first changes each round."""
    writers: list[tuple[str, Callable[[Path, int, int], float]]] = [
        ("journal", with_journal),
        ("sqlite", with_sqlite),
    ]
    rates: dict[str, list[float]] = {key: [] for key, _ in writers}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            for key, write in writers if number % 2 == 0 else reversed(writers):
                os.sync()
                rates[key].append(batches * batch / write(Path(scratch) / key, batches, batch))
    ratios = [ours / theirs for ours, theirs in zip(rates["journal"], rates["sqlite"], strict=True)]
    return Row(
        name,
        statistics.median(rates["journal"]),
        statistics.median(rates["sqlite"]),
        statistics.median(ratios),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each (default {ROUNDS})")
    parser.add_argument("--folder", type=Path, default=None, help="folder on the disk to measure")
    chosen = parser.parse_args()
    folder = chosen.folder if chosen.folder is not None else Path.cwd()
    rows = [
        compare("one by one", ONE_BY_ONE, 1, chosen.rounds, folder),
        compare(f"in batches of {BATCH}", BATCHES, BATCH, chosen.rounds, folder),
    ]
    bytes_each = len(canonical(decision(1)))
    if chosen.json:
        print(
            json.dumps(
                {"record_bytes": bytes_each, "rounds": chosen.rounds, "rows": [asdict(r) for r in rows]}
            )
        )
        return
    print(f"durable records a second, bodies of {bytes_each} bytes, median of {chosen.rounds} rounds")
    print(f"{'':<22}{'journal':>12}{'SQLite FULL':>14}{'ratio':>8}")
    for row in rows:
        print(f"{row.name:<22}{row.journal_per_s:>12,.0f}{row.sqlite_full_per_s:>14,.0f}{row.ratio:>8.2f}")


if __name__ == "__main__":
    main()
