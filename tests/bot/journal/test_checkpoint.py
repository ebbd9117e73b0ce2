"""A checkpoint is the fold of the events before it, and is believed only when the journal says so."""

from pathlib import Path

import pytest

from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.errors import JournalError
from bot.events import Opened, TimedEvent
from bot.journal.checkpoint import KEPT, Checkpoints, fold, recover
from bot.journal.codec import canonical
from bot.journal.writer import Journal, read_records, segments
from bot.review.replay import replay
from tests.bot.recorder import START, Recorder, record_session, record_two_starts


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_two_starts(tmp_path_factory.mktemp("recorded") / "journal")


@pytest.fixture
def journal(tmp_path: Path, recorded: Path) -> Path:
    folder = tmp_path / "journal"
    (folder / "checkpoints").mkdir(parents=True)
    for path in recorded.rglob("*"):
        if path.is_file() and path.name != "lock":
            (folder / path.relative_to(recorded)).write_bytes(path.read_bytes())
    return folder


def whole_fold(folder: Path) -> EngineState:
    return fold(EngineState(), read_records(folder))


def checkpoint_files(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*.json"))


def test_recovery_equals_the_fold_of_the_whole_journal(journal: Path) -> None:
    assert recover(journal) == whole_fold(journal)
    assert canonical(recover(journal)) == canonical(whole_fold(journal))


def test_each_checkpoint_is_the_fold_of_the_events_before_it(journal: Path) -> None:
    files = checkpoint_files(journal)
    assert len(files) == KEPT
    for path in files:
        seq = int(path.stem)
        state = fold(EngineState(), (record for record in read_records(journal) if record.seq <= seq))
        assert path.read_bytes().partition(b"\n")[2] == canonical(state)


def test_recovery_reads_nothing_before_the_newest_checkpoint(journal: Path) -> None:
    expected = whole_fold(journal)
    segment = segments(journal)[0]
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[20] = lines[20].replace(b'"body":', b'"bodi":')
    segment.write_bytes(b"".join(lines))
    assert recover(journal) == expected


@pytest.mark.parametrize("cut", [0, 1, 40, 100, 1000, -1])
def test_a_cut_checkpoint_falls_back_to_the_one_before(journal: Path, cut: int) -> None:
    newest = checkpoint_files(journal)[-1]
    newest.write_bytes(newest.read_bytes()[:cut])
    seq, _, _ = Checkpoints(journal / "checkpoints").load(journal)
    assert seq == int(checkpoint_files(journal)[0].stem)
    assert recover(journal) == whole_fold(journal)


def test_every_changed_byte_of_a_checkpoint_is_noticed(journal: Path) -> None:
    newest = checkpoint_files(journal)[-1]
    data = newest.read_bytes()
    for position in [*range(150), *range(150, len(data), max(len(data) // 50, 1))]:
        changed = bytearray(data)
        changed[position] ^= 0x01
        newest.write_bytes(bytes(changed))
        seq, _, _ = Checkpoints(journal / "checkpoints").load(journal)
        assert seq == int(checkpoint_files(journal)[0].stem), position
    newest.write_bytes(data)
    assert Checkpoints(journal / "checkpoints").load(journal)[0] == int(newest.stem)


def test_without_any_believable_checkpoint_the_journal_is_folded_from_its_beginning(journal: Path) -> None:
    for path in checkpoint_files(journal):
        path.write_bytes(b"{}")
    assert Checkpoints(journal / "checkpoints").load(journal)[0] == 0
    assert recover(journal) == whole_fold(journal)
    for path in checkpoint_files(journal):
        path.unlink()
    (journal / "checkpoints").rmdir()
    assert recover(journal) == whole_fold(journal)


def test_a_checkpoint_of_another_journal_is_not_believed(journal: Path, tmp_path: Path) -> None:
    other = record_session(tmp_path / "other", snapshots=31)
    other.journal.release()
    assert Checkpoints(journal / "checkpoints").load(tmp_path / "other")[0] == 0


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "journal")
    for _ in range(KEPT + 3):
        recorder.checkpoint(START)
    recorder.journal.release()
    assert [int(path.stem) for path in checkpoint_files(tmp_path / "journal")] == [KEPT + 2, KEPT + 3]


def test_rules_of_another_version_are_refused_with_their_place(tmp_path: Path) -> None:
    recorder = record_session(tmp_path / "ours")
    recorder.journal.release()
    opened = next(record for record in read_records(tmp_path / "ours") if record.kind == "Opened")
    rules = {**opened.body["rules"], "condor": {"min_dte": 30}}
    journal, _ = Journal.open(tmp_path / "theirs")
    journal.append(START, "Opened", {**opened.body, "rules": rules})
    journal.commit()
    journal.release()
    said = r"0001-2020-02-27\.jsonl:1: its rules are not the ones this version reads"
    with pytest.raises(JournalError, match=said):
        recover(tmp_path / "theirs")
    with pytest.raises(JournalError, match=said):
        replay(tmp_path / "theirs")


def test_a_fault_of_the_engine_is_not_taken_for_another_version(journal: Path) -> None:
    def broken(state: EngineState, timed: TimedEvent) -> Step:
        raise KeyError("a bug") if not isinstance(timed.event, Opened) else ValueError("what it reads")

    with pytest.raises(JournalError, match="what it reads"):
        replay(journal, broken)
    with pytest.raises(KeyError, match="a bug"):
        replay(journal, lambda state, timed: broken(state, timed) if state.opened else step(state, timed))


def test_a_fault_of_the_engine_on_a_record_that_reads_is_not_taken_for_an_older_version(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(state: EngineState, timed: TimedEvent) -> Step:
        if not isinstance(timed.event, Opened):
            raise KeyError("a fault")
        return step(state, timed)

    monkeypatch.setattr("bot.journal.checkpoint.step", broken)
    with pytest.raises(KeyError, match="a fault"):
        whole_fold(journal)
