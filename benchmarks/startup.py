"""Cold start on a journal of sixty sessions: from the process's birth to a daemon ready to connect.

The journal is made by the product itself in virtual time: sixty sessions, the last one at the live interval
of five seconds, and its newest checkpoint is taken away, so that ten minutes of records have to be folded as
after a crash. The process that is measured imports what `alvh run` imports, reads settings and rules, takes
the lock, mends and folds the journal, and builds broker and daemon; the gateway is left out. The peer is the
bare client library: what a script pays that only imports ib_async and numpy. Run
`python -m benchmarks.startup [--json]`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.sessions import FIRST_SESSION, run_sessions
from bot.journal.segments import segments
from market.sessions import session_offset

SESSIONS = 60
SPARSE_S, LIVE_S = 900.0, 5.0
STOP_BEFORE_CLOSE = timedelta(minutes=76)  # almost ten minutes after a checkpoint
STARTS = 7
READY_S, RSS_MB = 1.2, 110.0

# Everything up to the moment at which `alvh run` would connect.
DAEMON = """
import json, os, resource, sys
from bot.control import cli
from config.loader import load_rules, load_settings
from config.settings import SIMULATED_PROFILE
flags = {"journal.folder": sys.argv[1]}
loaded = load_settings(flags, os.environ, SIMULATED_PROFILE)
import asyncio
from bot.control.console import observers
from bot.control.run import run_live

def ready(daemon):
    kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"decisions": daemon.state.decisions, "rss_mb": kb / 1024}), flush=True)
    os._exit(0)

settings, rules = loaded.settings, load_rules(loaded.settings.rules_file)
asyncio.run(run_live(settings, rules, observers(settings.mode, settings.broker.account), None, ready))
"""
PEER = """
import json, resource
import ib_async, numpy
print(json.dumps({"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over all starts, in seconds and megabytes."""

    sessions: int
    records: int
    folded: int
    journal_mb: float
    ready_s: float
    ready_s_max: float
    rss_mb: float
    peer_s: float
    peer_rss_mb: float
    ratio: float


def make_journal(folder: Path) -> int:
    """Trade the sessions, the last one not to its end; returns how many records there are.

    The newest checkpoint is gone afterwards.
    """
    run_sessions(folder, SESSIONS - 1, SPARSE_S)
    last = session_offset(FIRST_SESSION, SESSIONS - 1)
    records = run_sessions(folder, 1, LIVE_S, first=last, stop_before_close=STOP_BEFORE_CLOSE).records
    max((folder / "checkpoints").glob("*.json")).unlink()
    return records


def folded(folder: Path, records: int) -> int:
    """Records behind the newest checkpoint that is left."""
    return records - int(max((folder / "checkpoints").glob("*.json")).stem)


def start(program: str, *arguments: str) -> tuple[float, dict[str, float]]:
    """Seconds from the birth of a process to its line, and what the line says."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        line = process.stdout.readline() if process.stdout is not None else b""
        took = time.perf_counter() - began
    if process.returncode or not line:
        raise SystemExit("the process did not come up")
    said: dict[str, float] = json.loads(line)
    return took, said


def measure(starts: int) -> Figures:
    """Daemon and peer, in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        journal = Path(scratch) / "simulated"  # where the settings look: the mode is added to the folder
        records = make_journal(journal)
        files, tail = segments(journal), folded(journal, records)
        ours, theirs = [], []
        for _ in range(starts + 1):  # the first start of each warms the disk's cache
            ours.append(start(DAEMON, scratch))
            theirs.append(start(PEER))
        size_mb = sum(path.stat().st_size for path in files) / 1e6
    if not ours[-1][1]["decisions"]:
        raise SystemExit("the journal was not recovered: the figures would mean nothing")
    ours, theirs = ours[1:], theirs[1:]
    return Figures(
        sessions=len(files),
        records=records,
        folded=tail,
        journal_mb=round(size_mb, 1),
        ready_s=round(statistics.median(took for took, _ in ours), 3),
        ready_s_max=round(max(took for took, _ in ours), 3),
        rss_mb=round(statistics.median(said["rss_mb"] for _, said in ours), 1),
        peer_s=round(statistics.median(took for took, _ in theirs), 3),
        peer_rss_mb=round(statistics.median(said["rss_mb"] for _, said in theirs), 1),
        ratio=round(statistics.median(a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)), 2),
    )


def main() -> None:
    """Print the figures, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="seconds from process start to a daemon ready to connect")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--starts", type=int, default=STARTS, help=f"starts of each (default {STARTS})")
    chosen = parser.parse_args()
    found = measure(chosen.starts)
    if chosen.json:
        print(json.dumps({"starts": chosen.starts, **asdict(found)}))
        return
    text = f"journal of {found.sessions} sessions, {found.records:,} records, {found.journal_mb:.1f} MB"
    print(f"{text}, {found.folded:,} records behind the checkpoint")
    print(f"ready    {found.ready_s:6.3f} s (worst {found.ready_s_max:.3f}; target {READY_S})")
    print(f"resident {found.rss_mb:6.1f} MB (target {RSS_MB:.0f})")
    print(
        f"ib_async and numpy alone {found.peer_s:.3f} s, {found.peer_rss_mb:.1f} MB: ratio {found.ratio:.2f}"
    )


if __name__ == "__main__":
    main()
