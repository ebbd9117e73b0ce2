"""A journal that does not fold is not opened, and nobody is kept from mending it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import JournalError
from bot.journal.opening import open_journal
from bot.journal.writer import Journal


def test_a_record_that_does_not_read_refuses_the_start_and_lets_the_lock_go(tmp_path: Path) -> None:
    journal, _ = Journal.open(tmp_path)
    journal.append(datetime(2024, 3, 4, tzinfo=UTC), "Opened", {"version": "none"})
    journal.commit()
    journal.release()
    with pytest.raises(JournalError, match="Opened does not read"):
        open_journal(tmp_path)
    again, _ = Journal.open(tmp_path)
    assert again.count == 1
    again.release()
