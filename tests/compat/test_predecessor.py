"""The daemon on ib_insync 0.9.86: the same trading day, the same records as on its successor."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bot.broker.compat import LIBRARY_NAME
from bot.events import CancelOrder, Executed, PlaceOrder, ReplaceOrder
from bot.journal.segments import Record, read_records
from bot.journal.verification import verify
from bot.review.replay import replay
from tests.compat import trading_day

ROOT = Path(__file__).parent.parent.parent
USUAL_PYTHON = ROOT / ".venv" / "bin" / "python"

pytestmark = pytest.mark.skipif(
    LIBRARY_NAME != "ib_insync", reason="ib_insync has an environment of its own: make compat"
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predecessor") / "journal"
    trading_day.trade(folder)
    return folder


def test_it_quotes_trades_moves_and_cancels_orders(journal: Path) -> None:
    kinds = Counter(record.kind for record in read_records(journal))
    assert kinds[PlaceOrder.__name__] >= 1
    assert kinds[ReplaceOrder.__name__] >= 1
    assert kinds[CancelOrder.__name__] >= 1
    assert kinds[Executed.__name__] >= 4  # a condor has four legs


def test_its_journal_verifies_replays_and_names_the_library(journal: Path) -> None:
    assert verify(journal).fault is None
    told = replay(journal)
    assert told.divergence is None
    assert told.decisions > 0
    opened = next(read_records(journal)).body
    assert ["ib_insync", "0.9.86"] in opened["packages"]
    assert not [name for name, _ in opened["packages"] if name == "ib_async"]


def test_its_records_are_those_of_the_successor(journal: Path, tmp_path: Path) -> None:
    if not USUAL_PYTHON.exists():
        pytest.skip("the environment with ib_async is not made: make .venv")
    other = tmp_path / "journal"
    subprocess.run([USUAL_PYTHON, "-m", "tests.compat.trading_day", other], cwd=ROOT, check=True)
    # The first record names the packages, and with it every checkpoint's digest and chain hash differs.
    assert [_facts(record) for record in read_records(journal)] == [
        _facts(record) for record in read_records(other)
    ]


def test_the_command_line_works_in_this_environment(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("alvh")
    done = subprocess.run(
        [command, "demo", "--days", "1", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["sessions"], told["condors_opened"]) == (1, 1)


def _facts(record: Record) -> tuple[int, str, str, bytes]:
    told = b"" if record.kind in ("Opened", "Checkpointed", "Closed") else record.raw_body
    return record.seq, record.time, record.kind, told
