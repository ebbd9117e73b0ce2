"""The demo refuses what it cannot play before anything is shown or written."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.control.demo import DemoError, run_demo
from bot.control.options import DemoOptions
from market.sessions import sessions
from tests.bot.recorder import record_two_starts


def history(folder: Path, last: date) -> Path:
    """A folder with the two series a replayed market needs, of some fifty sessions up to `last`."""
    folder.mkdir()
    days = sessions(last - timedelta(days=75), last)
    for name, row in (("spx.csv", "3000,3010,2990,3005"), ("vix.csv", "15,16,14,15")):
        lines = ["date,open,high,low,close", *(f"{day},{row}" for day in days)]
        (folder / name).write_text("\n".join(lines))
    return folder


def refused(**options: object) -> str:
    """Why, in one line; `json` so that a demo that does not refuse shows nothing."""
    with pytest.raises(DemoError) as caught:
        run_demo(DemoOptions(**options, json=True))  # type: ignore[arg-type]  # one helper for every option
    assert caught.value.exit_code == 2
    assert not list(Path().iterdir())
    return str(caught.value)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_folder_that_holds_a_journal_is_not_written_on(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    record_two_starts(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert "holds a journal already" in refused(journal=folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_days_outside_the_calendar_are_refused(tmp_path: Path) -> None:
    folder = history(tmp_path / "history", date(2020, 3, 31))
    assert "--days 99999: " in refused(days=99_999)
    assert "--days 99999: " in refused(history=folder, days=99_999)
    assert "1980-01-01 is outside" in refused(history=folder, first=date(1980, 1, 1), last=date(1980, 1, 10))


def test_a_weekend_holds_no_session_to_play(tmp_path: Path) -> None:
    folder = history(tmp_path / "history", date(2020, 3, 31))
    assert "between 2020-02-29 and 2020-03-01" in refused(
        history=folder, first=date(2020, 2, 29), last=date(2020, 3, 1)
    )


def test_days_behind_the_last_recorded_one_are_refused(tmp_path: Path) -> None:
    folder = history(tmp_path / "history", date(2020, 3, 31))
    assert "ends on 2020-03-31" in refused(history=folder, first=date(2020, 3, 30), last=date(2020, 4, 2))


def test_a_folder_without_its_files_is_named_with_the_one_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "spx.csv: No such file or directory" in refused(history=tmp_path / "empty")
