"""Importing and checking a folder of daily history, on folders written here."""

from datetime import date
from pathlib import Path

import pytest

from bot.control.history import check_folder, import_folder
from bot.errors import FeedError, JournalInUseError
from bot.journal.opening import open_journal
from bot.journal.segments import read_records
from bot.journal.verification import verify
from bot.journal.writer import Journal
from market.sessions import sessions

DAYS = sessions(date(2020, 1, 2), date(2020, 3, 2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    breadth = [f"{day},{1500 + number},{1400 - number}" for number, day in enumerate(DAYS)]
    (place / "nyse_breadth.csv").write_text("\n".join(["date,advances,declines", *breadth]) + "\n")
    settles = [f"{day},2020-03-18,{15 + number / 10:.2f},curve" for number, day in enumerate(DAYS)]
    header = "date,final_settlement,settle,source"
    (place / "vx_settlements.csv").write_text("\n".join([header, *settles]) + "\n")
    return place


def test_an_import_leaves_a_journal_that_verifies_and_that_a_daemon_can_go_on_with(
    folder: Path, tmp_path: Path
) -> None:
    report = import_folder(folder, tmp_path / "journal")
    assert report["series"]["nyse_net_advances"]["values"] == len(DAYS)
    found = verify(tmp_path / "journal")
    assert (found.fault, found.closed) == (None, True)
    state = open_journal(tmp_path / "journal").state
    waiting = state.daily.waiting
    last, first = waiting["nyse_net_advances"][-1], waiting["vx_settlement:2020-03-18"][0]
    assert last[1:] == (DAYS[-1], 100 + 2 * (len(DAYS) - 1))
    assert first[1:] == (DAYS[0], 15.0)


def test_imported_records_carry_the_moment_by_which_all_was_known(folder: Path, tmp_path: Path) -> None:
    import_folder(folder, tmp_path / "journal")
    times = {record.time for record in read_records(tmp_path / "journal")}
    assert times == {"2020-03-03T14:00:00Z"}  # 09:00 in New York on the session after the last one


def test_a_second_import_adds_records_and_changes_no_value(folder: Path, tmp_path: Path) -> None:
    import_folder(folder, tmp_path / "journal")
    before = open_journal(tmp_path / "journal")
    before.journal.release()
    import_folder(folder, tmp_path / "journal")
    after = open_journal(tmp_path / "journal").state
    assert after.daily == before.state.daily


def test_an_import_is_refused_while_a_daemon_writes_the_journal(folder: Path, tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path / "journal")
    with pytest.raises(JournalInUseError):
        import_folder(folder, tmp_path / "journal")
    journal.release()


def test_a_check_counts_sessions_without_a_value_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    path = folder / "nyse_breadth.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], *lines[7:]]) + "\n")
    assert check_folder(folder)["series"]["nyse_net_advances"]["gaps"] == 2
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data"]


def test_a_broken_row_is_refused_with_its_line(folder: Path, tmp_path: Path) -> None:
    path = folder / "nyse_breadth.csv"
    path.write_text(path.read_text().replace("2020-01-06,1502,", "2020-01-06,many,"))
    with pytest.raises(FeedError, match=r"nyse_breadth.csv:4"):
        import_folder(folder, tmp_path / "journal")
    assert not (tmp_path / "journal").exists()
