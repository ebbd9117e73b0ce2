"""A journal that was put back to an earlier day is not traded on: a mark outside of it remembers more."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import RolledBackError
from bot.events import Alert
from bot.journal import anchor
from bot.journal.anchor import anchor_path, drop_anchor, keep_anchored, require_anchored, rolled_back
from bot.journal.writer import Journal
from bot.review.verify import examine

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


def write(folder: Path, *texts: str, at: datetime = NOW) -> None:
    """One clean run that notes these texts."""
    journal, _ = Journal.open(folder)
    for text in texts:
        journal.append(at, "Note", {"text": text})
    journal.close(at)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of two days with its mark."""
    folder = tmp_path / "paper"
    write(folder, "a", "b")
    shutil.copytree(folder, tmp_path / "backup")
    write(folder, "c", at=NOW + timedelta(days=1))
    drop_anchor(folder)
    return folder


def test_a_journal_that_went_on_or_has_no_mark_is_fine(folder: Path) -> None:
    assert rolled_back(folder) == ""
    write(folder, "d", at=NOW + timedelta(days=2))
    require_anchored(folder)
    assert examine(folder).fault is None
    anchor_path(folder).unlink()
    assert rolled_back(folder) == ""


def test_a_journal_put_back_to_an_earlier_day_refuses_the_start_with_78_and_what_to_do(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "backup", folder)
    with pytest.raises(RolledBackError, match="once had 5 records and now has 3") as refused:
        require_anchored(folder)
    assert refused.value.exit_code == 78
    assert "remove paper.anchor" in str(refused.value)
    report = examine(folder)
    assert report.chain.fault is None
    assert report.fault is not None
    assert report.fault.segment == "paper.anchor"
    assert not report.as_json()["ok"]


def test_an_emptied_folder_and_another_journal_of_enough_records_are_found(folder: Path) -> None:
    shutil.rmtree(folder)
    assert "now has 0" in rolled_back(folder)
    write(folder, *"vwxyz")
    assert "another journal" in rolled_back(folder)


def test_a_mark_that_does_not_read_is_told(folder: Path) -> None:
    anchor_path(folder).write_text("{}")
    assert "not a mark" in rolled_back(folder)


def test_a_running_daemon_moves_its_mark_on_and_tells_when_it_cannot(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor, "TURN_S", 0.01)
    write(folder, "d", at=NOW + timedelta(days=2))
    before, told = anchor_path(folder).read_bytes(), list[Alert]()

    async def script() -> None:
        keeping = asyncio.ensure_future(keep_anchored(folder, told.append))
        while anchor_path(folder).read_bytes() == before:  # noqa: ASYNC110 -- a file is awaited
            await asyncio.sleep(0.01)
        (folder / "head").write_text("nonsense")
        while not told:  # noqa: ASYNC110 -- what the other task says is awaited
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(script(), 30))
    assert told[0].name == "journal.not_anchored"


def test_without_a_head_there_is_nothing_to_mark(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    drop_anchor(tmp_path / "paper")
    assert not anchor_path(tmp_path / "paper").exists()


@pytest.mark.parametrize("gone", [True, False])
def test_a_mark_whose_record_is_gone_or_no_record_any_more_stands_against_the_journal(
    folder: Path, gone: bool
) -> None:
    for segment in folder.glob("*.jsonl"):
        if gone:
            segment.unlink()
        elif segment.name.startswith("0002"):
            first, *others = segment.read_bytes().splitlines(keepends=True)
            segment.write_bytes(first + b"rubbish\n" * len(others))
    assert "is not the one the journal once had" in rolled_back(folder)


def test_damage_behind_the_marked_record_says_nothing_against_it(folder: Path) -> None:
    path = anchor_path(folder)
    mark = path.read_bytes()
    write(folder, "d", at=NOW + timedelta(days=2))
    newest = max(folder.glob("*.jsonl"))
    newest.write_bytes(b"#" + newest.read_bytes())
    assert rolled_back(folder) == ""
    path.write_bytes(mark.replace(b'"count":5', b'"count":6'))
    assert "record 6 is not the one" in rolled_back(folder)
