"""A record becomes the event it was, or is refused with its place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.decision import Decision
from bot.errors import JournalError
from bot.events import Stopping
from bot.journal.records import COMMANDS, DECISION, EVENTS, HOUSEKEEPING, event_of
from bot.journal.writer import Journal, Record, read_records
from tests.bot.journal.typed_values import values_of

TIME = datetime(2024, 3, 4, 15, 0, 0, 123456, tzinfo=UTC)


def written(folder: Path, kind: str, body: object) -> Record:
    journal, _ = Journal.open(folder)
    journal.append(TIME, kind, body)
    journal.commit()
    journal.release()
    return list(read_records(folder))[-1]


def test_every_kind_of_event_reads_back_from_a_journal(tmp_path: Path) -> None:
    @settings(max_examples=40)
    @given(st.one_of([values_of(kind) for kind in EVENTS.values()]))
    def round_trip(event: object) -> None:
        timed = event_of(written(tmp_path, type(event).__name__, event))
        assert timed is not None
        assert (timed.time, timed.event) == (TIME, event)

    round_trip()


@pytest.mark.parametrize("kind", sorted({*COMMANDS, DECISION, *HOUSEKEEPING}))
def test_what_is_no_event_is_passed_over(tmp_path: Path, kind: str) -> None:
    assert event_of(written(tmp_path, kind, {})) is None


def test_kinds_of_events_commands_and_notes_are_told_apart() -> None:
    assert not EVENTS.keys() & COMMANDS.keys()
    assert not HOUSEKEEPING & (EVENTS.keys() | COMMANDS.keys())
    assert Decision.__name__ == DECISION


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("Guessed", {}),
        ("Stopping", {}),
        ("Stopping", {"reason": "x", "urgent": True}),
        ("Stopping", ["x"]),
        ("AccountTaken", {"nav_usd": None, "cash_usd": 1.0, "init_margin_usd": 1.0, "maint_margin_usd": 1.0}),
        ("JobDue", {"job": "siesta", "session": "2024-03-04"}),
        ("JobDue", {"job": "session_open", "session": "2024-03-33"}),
    ],
)
def test_a_body_that_does_not_fit_its_kind_is_refused_with_its_place(
    tmp_path: Path, kind: str, body: object
) -> None:
    record = written(tmp_path, kind, body)
    with pytest.raises(JournalError, match=r"^0001-2024-03-04\.jsonl:1: "):
        event_of(record)


def test_events_with_equal_fields_stay_of_their_own_kind(tmp_path: Path) -> None:
    timed = event_of(written(tmp_path, "Stopping", Stopping("over")))
    assert timed is not None
    assert type(timed.event) is Stopping
