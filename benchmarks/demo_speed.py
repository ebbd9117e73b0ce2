"""How many times real time the demo trades: sessions times 23,400 seconds by the wall.

It runs what `alvh demo` runs, at its interval of ten seconds and with its market: the daemon, the unmodified
client library, the embedded gateway and the journal on disk, all in one process and on one core. Run
`python -m benchmarks.demo_speed [--json] [--days N]`.
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.control.demo import run_demo
from bot.control.options import DemoOptions

ROUNDS, DAYS, SEED = 5, 2, 7
SESSION_S = 23_400
TARGET, GOAL = 2_000, 3_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds; `times_real_time_min` is the slowest."""

    sessions: int
    records: int
    wall_s: float
    times_real_time: float
    times_real_time_min: float


def measure(rounds: int, days: int) -> Figures:
    """The same demo several times; each must end with the same journal."""
    walls, heads = [], set()
    sessions = records = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            journal = Path(scratch) / "journal"
            figures = run_demo(DemoOptions(seed=SEED, days=days, journal=journal, json=True))
            records = sum(len(path.read_bytes().splitlines()) for path in journal.glob("*.jsonl"))
        walls.append(float(figures["wall_s"]))
        heads.add(figures["journal_sha256"])
        sessions = int(figures["sessions"])
    if len(heads) != 1 or sessions != days:
        raise SystemExit("the rounds differ: their speeds mean nothing")
    speeds = [sessions * SESSION_S / wall for wall in walls]
    return Figures(
        sessions,
        records,
        round(statistics.median(walls), 3),
        round(statistics.median(speeds)),
        round(min(speeds)),
    )


def main() -> None:
    """Print the figures, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="times real time of the demo")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often (default {ROUNDS})")
    parser.add_argument("--days", type=int, default=DAYS, help=f"sessions of each (default {DAYS})")
    chosen = parser.parse_args()
    found = measure(chosen.rounds, chosen.days)
    if chosen.json:
        print(json.dumps({"rounds": chosen.rounds, **asdict(found)}))
        return
    print(f"{found.sessions} sessions, {found.records:,} records, {found.wall_s:.2f} s by the wall")
    print(
        f"{found.times_real_time:,.0f} times real time (slowest of {chosen.rounds}: "
        f"{found.times_real_time_min:,.0f}; target {TARGET:,}, goal {GOAL:,})"
    )


if __name__ == "__main__":
    main()
