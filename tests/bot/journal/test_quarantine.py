"""What is damaged in the midst of a journal is set aside whole, and the chain goes on, halted."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.state import EngineState
from bot.errors import JournalError, JournalInUseError, RolledBackError
from bot.journal import quarantine
from bot.journal.anchor import drop_anchor, rolled_back
from bot.journal.archive import pack_oldest
from bot.journal.checkpoint import Checkpoints
from bot.journal.codec import canonical
from bot.journal.opening import open_or_set_aside
from bot.journal.packing import pack
from bot.journal.quarantine import set_aside_damage
from bot.journal.segments import split_line
from bot.journal.writer import Journal, read_head, read_records, take_lock, verify
from bot.review.verify import examine
from risk.state import Cause
from tests.bot.journal.journals import FIRST_DAY, contents, crashed_journal, restore_contents, write_records

LATER = FIRST_DAY + timedelta(days=10)
MIDDLE = "0002-2024-03-05.jsonl"


def set_aside(folder: Path, number: str = "0001") -> dict[str, bytes]:
    return contents(folder / "quarantine" / number)


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def cut(data: bytes, at: int) -> bytes:
    return data[:at] + data[at + 1 :]


def insert(data: bytes, at: int) -> bytes:
    return data[:at] + b"#" + data[at:]


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["0001-2024-03-04.jsonl", MIDDLE]),
    share=st.floats(0.0, 1.0, exclude_max=True),
    damage=st.sampled_from([flip, cut, insert]),
)
def test_damage_anywhere_in_the_middle_keeps_the_records_before_and_every_byte_of_the_rest(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    share: float,
    damage: Callable[[bytes, int], bytes],
) -> None:
    folder = crashed_journal(tmp_path_factory.mktemp("journal") / "paper")
    good = [record.raw for record in read_records(folder)]
    whole = contents(folder)
    damaged = {**whole, name: damage(whole[name], int(share * len(whole[name])))}
    restore_contents(folder, damaged)
    fault = verify(folder)
    assert fault.fault is not None
    lock = take_lock(folder)
    try:
        aside = set_aside_damage(folder)
    finally:
        os.close(lock)
    if not fault.records:
        assert aside is None
        assert contents(folder) == damaged
        return
    assert aside is not None
    assert verify(folder).fault is None
    records = list(read_records(folder))
    assert [record.raw for record in records[:-2]] == good[: fault.records]
    assert [record.kind for record in records[-2:]] == ["Quarantined", "Halted"]
    assert read_head(folder) == (len(records), records[-1].hash)
    kept = set_aside(folder)
    later = sorted(one for one in damaged if one.endswith(".jsonl") and one >= name)
    assert {one: kept[one] for one in (*later, "head")} == {one: damaged[one] for one in (*later, "head")}
    assert json.loads(kept["manifest.json"]) == records[-2].body


def test_a_start_behind_damage_is_halted_until_a_person_resumes_and_the_next_one_is_too(
    tmp_path: Path,
) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(
        (folder / MIDDLE).read_bytes().replace(b"day 1 \xc3\xa9 1", b"day 1 \xc3\xa9 7")
    )
    opened = open_or_set_aside(folder)
    assert opened.quarantined is not None
    assert (opened.quarantined.kept, opened.quarantined.promised) == (4, 9)
    assert MIDDLE + ":2" in str(opened.quarantined)
    assert dict(opened.state.risk.causes)[Cause.HALT] == str(opened.quarantined)
    opened.journal.append(LATER, "Alert", {"level": "info", "name": "n", "text": "goes on"})
    opened.journal.close(LATER)
    again = open_or_set_aside(folder)
    assert again.quarantined is None
    assert Cause.HALT in dict(again.state.risk.causes)
    again.journal.release()
    assert verify(folder).fault is None


def test_a_packed_segment_that_is_damaged_leaves_its_good_records_in_a_plain_one(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    assert pack_oldest(folder)
    assert pack_oldest(folder)
    packed = folder / f"{MIDDLE}.gz"
    data = packed.read_bytes()
    packed.write_bytes(
        data[:-4] + b"\0\0\0\0"
    )  # the trailer: all records read, and the file is not as written
    opened = open_or_set_aside(folder)
    opened.journal.release()
    assert opened.quarantined is not None
    assert not packed.exists()
    assert set_aside(folder)[packed.name] == data[:-4] + b"\0\0\0\0"
    assert verify(folder).fault is None
    assert opened.journal.count == opened.quarantined.kept + 2


def test_a_journal_put_back_to_an_earlier_state_is_refused_whatever_is_damaged_in_it(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper", days=2)
    early = contents(folder)
    journal, _ = Journal.open(folder)
    journal.append(LATER, "Alert", {"level": "info", "name": "n", "text": "later"})
    journal.commit()
    journal.release()
    drop_anchor(folder)
    damaged = {**early, "0001-2024-03-04.jsonl": flip(early["0001-2024-03-04.jsonl"], 400)}
    restore_contents(folder, damaged)
    with pytest.raises(RolledBackError, match="put back in time"):
        open_or_set_aside(folder)
    assert contents(folder) == damaged


def test_another_journal_than_the_one_that_was_marked_is_refused_too(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper", days=1)
    drop_anchor(folder)
    other = tmp_path / "other"
    journal, _ = Journal.open(other)
    for number in range(6):
        journal.append(
            FIRST_DAY + timedelta(days=number // 3), "Alert", {"level": "info", "name": "m", "text": ""}
        )
    journal.commit()
    journal.release()
    files = contents(other)
    files["0002-2024-03-05.jsonl"] = flip(files["0002-2024-03-05.jsonl"], 3)
    restore_contents(folder, files)
    with pytest.raises(RolledBackError, match="another journal"):
        open_or_set_aside(folder)


def test_the_mark_outside_the_journal_is_kept_and_moved_on(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    drop_anchor(folder)
    mark = (tmp_path / "paper.anchor").read_bytes()
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    open_or_set_aside(folder).journal.release()
    assert set_aside(folder)["paper.anchor"] == mark
    assert rolled_back(folder) == ""


@pytest.mark.parametrize("gone", ["0001-2024-03-04.jsonl", MIDDLE, "0003-2024-03-06.jsonl", "head"])
def test_a_file_that_is_missing_as_a_whole_still_refuses_the_start(tmp_path: Path, gone: str) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / gone).unlink()
    left = contents(folder)
    with pytest.raises(JournalError, match="restore the folder"):
        open_or_set_aside(folder)
    assert contents(folder) == left


def test_a_journal_that_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    journal, _ = Journal.open(folder)
    with pytest.raises(JournalInUseError):
        open_or_set_aside(folder)
    journal.release()


def test_damage_that_cannot_be_copied_refuses_the_start_and_changes_nothing(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    (folder / "quarantine").write_bytes(b"no folder")
    left = contents(folder)
    with pytest.raises(JournalError, match="the damage cannot be set aside"):
        open_or_set_aside(folder)
    assert contents(folder) == left


def test_a_record_of_another_version_is_no_damage(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path / "paper")
    journal.append(datetime(2024, 3, 4, tzinfo=UTC), "Opened", {"version": "none"})
    journal.commit()
    journal.release()
    with pytest.raises(JournalError, match="Opened does not read"):
        open_or_set_aside(tmp_path / "paper")
    assert not (tmp_path / "paper" / "quarantine").exists()


def test_the_new_records_bear_the_journals_own_time_whatever_the_hosts_clock_says(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    open_or_set_aside(folder).journal.release()
    times = [record.time for record in read_records(folder)]
    assert times[-2:] == [times[2]] * 2


def test_a_segment_of_the_same_day_as_the_one_before_is_replaced_when_its_first_record_is_damaged(
    tmp_path: Path,
) -> None:
    folder = crashed_journal(tmp_path / "paper")
    first, second = folder / "0001-2024-03-04.jsonl", folder / "0002-2024-03-04.jsonl"
    lines = first.read_bytes().splitlines(keepends=True)
    for path in (folder / MIDDLE, folder / "0003-2024-03-06.jsonl"):
        path.unlink()
    first.write_bytes(lines[0])
    second.write_bytes(b"#" + lines[1] + lines[2])
    (folder / "head").write_bytes(canonical({"count": 3, "head": split_line(lines[2][:-1])[1]}))
    state = _start(folder)
    assert Cause.HALT in dict(state.risk.causes)
    assert verify(folder).records == 3
    assert Cause.HALT in dict(_start(folder).risk.causes)


def test_an_empty_segment_in_the_midst_is_damage_like_any_other(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(b"")
    assert Cause.HALT in dict(_start(folder).risk.causes)
    assert verify(folder).records == 5
    assert set_aside(folder)[MIDDLE] == b""
    assert len(list((folder / "quarantine").iterdir())) == 1


def test_a_packed_twin_of_a_damaged_segment_goes_with_it(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    for name in (MIDDLE, "0003-2024-03-06.jsonl"):
        (folder / f"{name}.gz").write_bytes(pack((folder / name).read_bytes()))
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    twins = contents(folder)
    assert Cause.HALT in dict(_start(folder).risk.causes)
    assert verify(folder).records == 5
    kept = set_aside(folder)
    assert all(kept[name] == data for name, data in twins.items() if name.startswith(("0002", "0003")))


def test_checkpoints_behind_the_damage_are_set_aside_with_it(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    checkpoints = Checkpoints(folder / "checkpoints")
    for seq in (2, 8):
        checkpoints.save(seq, "of another chain", b"{}")
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    _start(folder)
    assert [path.name for path in checkpoints.folder.iterdir()] == ["000000000002.json"]
    assert set_aside(folder)["000000000008.json"].endswith(b"{}")


@pytest.mark.parametrize("at", [3, 400])
def test_damage_days_before_a_checkpoint_that_is_believed_refuses_for_a_restore_keeps_more(
    tmp_path: Path, at: int
) -> None:
    folder = tmp_path / "paper"
    journal, _ = Journal.open(folder)
    write_records(journal, 2)
    state = canonical(EngineState())
    seq = journal.append(FIRST_DAY + timedelta(days=2), "Checkpointed", {"sha256": sha256(state).hexdigest()})
    Checkpoints(folder / "checkpoints").save(seq, journal.head, state)
    write_records(journal, 1, first=3)
    journal.release()
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 400))
    assert Cause.HALT not in dict(_start(folder).risk.causes)  # a start believes the checkpoint
    newest = folder / "0004-2024-03-07.jsonl"
    newest.write_bytes(flip(newest.read_bytes(), at))
    left = contents(folder)
    with pytest.raises(JournalError, match=newest.name):
        _start(folder)
    assert contents(folder) == left


def test_all_behind_the_first_damage_is_set_aside_whatever_else_is_damaged_there(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    newest = folder / "0003-2024-03-06.jsonl"
    for path in (folder / MIDDLE, newest):
        path.write_bytes(flip(path.read_bytes(), 3))
    damaged = newest.read_bytes()
    assert Cause.HALT in dict(_start(folder).risk.causes)
    assert set_aside(folder)[newest.name] == damaged
    assert verify(folder).records == 5


def test_a_head_file_that_disagrees_with_a_sound_chain_is_no_damage_of_the_chain(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    count, digest = read_head(folder) or (0, "")
    (folder / "head").write_bytes(canonical({"count": count, "head": digest[::-1]}))
    left = contents(folder)
    with pytest.raises(JournalError, match="the head file names another record here"):
        _start(folder)
    assert contents(folder) == left


def test_what_was_set_aside_is_still_told_when_the_chain_is_damaged_again(tmp_path: Path) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))
    _start(folder)
    assert examine(folder).fault is None
    first = folder / "0001-2024-03-04.jsonl"
    first.write_bytes(flip(first.read_bytes(), 400))
    report = examine(folder)
    assert report.fault is not None
    assert [one["folder"] for one in report.as_json()["set_aside"]] == ["quarantine/0001"]
    assert "kept in quarantine/0001" in report.lines()[-1]


def test_a_mark_that_cannot_be_moved_on_does_not_undo_what_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = crashed_journal(tmp_path / "paper")
    (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), 3))

    def refuse(_folder: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(quarantine, "drop_anchor", refuse)
    assert Cause.HALT in dict(_start(folder).risk.causes)


@pytest.mark.parametrize("first_of_its_segment", [False, True])
def test_a_crash_at_any_step_leaves_damage_that_is_set_aside_once_more_or_a_halted_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_of_its_segment: bool
) -> None:
    ended = 0
    for step in range(100):
        folder = crashed_journal(tmp_path / str(step) / "paper")
        drop_anchor(folder)
        good = [record.raw for record in read_records(folder)]
        at = 3 if first_of_its_segment else 400
        (folder / MIDDLE).write_bytes(flip((folder / MIDDLE).read_bytes(), at))
        sound = verify(folder).records
        assert (sound == 3) is first_of_its_segment
        if not _crashes_at(step, monkeypatch, partial(_start, folder)):
            break
        ended += 1
        state = _start(folder)
        assert Cause.HALT in dict(state.risk.causes)
        assert [record.raw for record in read_records(folder)][:sound] == good[:sound]
        told = [one.body for one in read_records(folder, kinds=frozenset({"Quarantined"}))]
        assert (told[0]["kept"], told[0]["promised"]) == (sound, 9)
        named = [below for one in told for below in (*one["cut_off"], one["folder"])]
        aside = [contents(folder / below) for below in named]
        kept = b"".join(data for files in aside for name, data in files.items() if name.endswith(".jsonl"))
        assert all(line in kept for line in good[sound + 1 :])
        assert verify(folder).fault is None
        assert rolled_back(folder) == ""
    assert ended > 10


def _start(folder: Path) -> EngineState:
    opened = open_or_set_aside(folder)
    opened.journal.release()
    return opened.state


class _Crash(BaseException):
    """The process is gone."""


def _crashes_at(step: int, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> bool:
    """Whether the action did not live to its end: it is cut off before its step-th change of the disk."""
    left = step

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **options: Any) -> Any:
            nonlocal left
            if not left:
                raise _Crash
            left -= 1
            return change(*args, **options)

        return made

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(os, "fsync", counted(os.fsync))
        try:
            action()
        except _Crash:
            return True
    return False
