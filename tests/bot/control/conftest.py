"""A command line in an empty folder, and a journal in it."""

from pathlib import Path

import pytest

from tests.bot.control.shell import Shell
from tests.bot.recorder import record_two_starts


@pytest.fixture
def alvh(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("ALVH__JOURNAL__FOLDER", "ALVH__BROKER__PORT"):
        monkeypatch.delenv(name, raising=False)
    return Shell(monkeypatch, capfdbinary)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return record_two_starts(tmp_path / "journal" / "simulated")
