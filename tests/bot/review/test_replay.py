"""A replay comes out equal, or names the first place where it does not, field by field."""

import tracemalloc
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from bot.engine.state import EngineState, Step
from bot.engine.step import step
from bot.events import Alert, QuotesTaken, TimedEvent
from bot.journal.codec import canonical
from bot.journal.writer import Journal, Record, read_records
from bot.review.replay import Engine, replay
from tests.bot.recorder import START, record_session, record_two_starts


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_two_starts(tmp_path_factory.mktemp("recorded") / "journal")


def rewritten(source: Path, target: Path, change: dict[int, bytes | None]) -> Path:
    """A well-chained copy of a journal with the bodies of some records changed, or the records left out."""
    journal, _ = Journal.open(target)
    for record in read_records(source):
        body = change.get(record.seq, record.raw_body)
        if body is not None:
            append_raw(journal, record, body)
    journal.release()
    return target


def append_raw(journal: Journal, record: Record, body: bytes) -> None:
    journal.append(datetime.fromisoformat(record.time), record.kind, orjson.Fragment(body))
    journal.commit()


def first(folder: Path, kind: str, number: int = 0) -> Record:
    return [record for record in read_records(folder) if record.kind == kind][number]


def test_a_recorded_session_of_two_starts_replays_equal(recorded: Path) -> None:
    result = replay(recorded)
    assert result.divergence is None
    records = list(read_records(recorded))
    assert (result.records, result.starts, result.states) == (len(records), 2, 2)
    assert result.decisions == sum(record.kind == "Decision" for record in records) > 5
    assert result.head == records[-1].hash


def test_progress_is_told_up_to_the_last_record(recorded: Path) -> None:
    told: list[int] = []
    result = replay(recorded, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == result.records


def test_a_changed_decision_is_the_first_divergence_with_its_fields(recorded: Path, tmp_path: Path) -> None:
    record = first(recorded, "Decision", 4)  # four are the layers' own and the regime's
    body = record.raw_body.replace(b'"evaluations":1', b'"evaluations":7').replace(b'"active"', b'"calm"')
    found = replay(rewritten(recorded, tmp_path / "changed", {record.seq: body})).divergence
    assert found is not None
    assert (found.place, found.kind) == (record.place, "Decision")
    assert found.event.startswith("QuotesTaken")
    assert [(field.path, field.recorded, field.replayed) for field in found.fields] == [
        ("evaluations", 7, 1),
        ("trading", "calm", "active"),
    ]


def test_a_changed_event_diverges_at_what_the_engine_makes_of_it(recorded: Path, tmp_path: Path) -> None:
    halt = first(recorded, "OperatorCommanded")
    body = halt.raw_body.replace(b"a person", b"a stranger")
    found = replay(rewritten(recorded, tmp_path / "changed", {halt.seq: body})).divergence
    assert found is not None
    assert found.seq == halt.seq + 1
    assert [field.path for field in found.fields] == ["reason"]


def test_a_decision_left_out_is_found_at_its_event(recorded: Path, tmp_path: Path) -> None:
    last = first(recorded, "Decision", 3)
    found = replay(rewritten(recorded, tmp_path / "shorter", {last.seq: None})).divergence
    assert found is not None
    assert found.seq < last.seq
    assert found.event.startswith("JobDue")
    assert "not recorded" in found.what
    assert ("strategy", "regime") in [(field.path, field.replayed) for field in found.fields]


def test_a_command_that_the_engine_does_not_emit_is_found(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "longer"
    journal, _ = Journal.open(folder)
    for record in read_records(recorded):
        append_raw(journal, record, record.raw_body)
        if record.kind == "AccountTaken":
            journal.append(START, "Alert", Alert("warning", "made.up", "nobody said so"))
            break
    journal.commit()
    journal.release()
    found = replay(folder).divergence
    assert found is not None
    assert (found.kind, found.what) == ("Alert", "recorded, but the engine does not emit it")


def test_another_kind_in_a_record_s_place_is_found(recorded: Path) -> None:
    def restless(state: EngineState, timed: TimedEvent) -> Step:
        done = step(state, timed)
        return replace(done, commands=(Alert("warning", "a", "b"),)) if done.commands else done

    found = replay(recorded, restless).divergence
    assert found is not None
    assert found.what == "recorded is a StreamLines, the engine emits a Alert"


def test_a_state_that_is_not_the_recorded_one_is_found_at_its_checkpoint(recorded: Path) -> None:
    def forgetful(state: EngineState, timed: TimedEvent) -> Step:
        done = step(state, timed)
        return replace(done, state=replace(done.state, peak_nav_usd=1.0))

    found = replay(recorded, forgetful).divergence
    assert found is not None
    assert (found.kind, found.place) == ("Checkpointed", first(recorded, "Checkpointed").place)


def unfinished(recorded: Path, folder: Path, also: bool) -> Path:
    """The journal up to the fire's event, as a process that died in the middle of a write leaves it."""
    journal, _ = Journal.open(folder)
    fire = first(recorded, "Decision")
    for record in read_records(recorded):
        if record.seq < fire.seq:
            append_raw(journal, record, record.raw_body)
    if also:
        restart = first(recorded, "Opened", 1)
        append_raw(journal, restart, restart.raw_body)
    journal.release()
    return folder


@pytest.mark.parametrize("restarted", [False, True])
def test_outputs_lost_with_a_killed_process_are_no_divergence(
    recorded: Path, tmp_path: Path, restarted: bool
) -> None:
    result = replay(unfinished(recorded, tmp_path / "killed", restarted))
    assert (result.divergence, result.unfinished) == (None, 4)


def test_outputs_missing_before_a_clean_stop_are_a_divergence(recorded: Path, tmp_path: Path) -> None:
    folder = unfinished(recorded, tmp_path / "closed", also=False)
    journal, _ = Journal.open(folder)
    journal.close(START)
    assert replay(folder).divergence is not None


def test_memory_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    """The engine is left out: what is measured is the reading and comparing."""
    nothing: Engine = lambda state, timed: Step(state)  # noqa: E731 -- one word says it
    body = canonical(QuotesTaken(tuple((con_id, 1.0, 2.0, None) for con_id in range(200)), ()))

    def peak_of(records: int) -> int:
        folder = tmp_path / str(records)
        journal, _ = Journal.open(folder)
        for _ in range(records):
            journal.append(START, "QuotesTaken", orjson.Fragment(body))
        journal.commit()
        journal.release()
        tracemalloc.start()
        assert replay(folder, nothing).records == records
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_of(50)
    assert peak_of(2000) < 1.5 * peak_of(200)


def test_a_journal_without_a_stop_replays_too(tmp_path: Path) -> None:
    recorder = record_session(tmp_path / "journal", snapshots=3)
    assert replay(tmp_path / "journal").divergence is None
    recorder.journal.release()
