"""The kill switch: a file halts whoever made it, with or without words, and never depends on free space."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import switch as switching
from bot.switch import HALT, KillSwitch, Request


def test_a_halt_stands_from_the_moment_it_is_asked_for_until_it_is_reset(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert (switch.is_pulled, switch.halt_asked()) == (False, None)
    switch.pull("ann", "unsure")
    assert (switch.is_pulled, switch.halt_asked()) == (True, Request("ann", "unsure"))
    switch.reset()
    switch.reset()
    assert not switch.is_pulled


@pytest.mark.parametrize("data", [b"", b"stop!", b"[1]", b'{"who": 1}', b"\xff"])
def test_a_file_made_by_hand_halts_whatever_it_says(tmp_path: Path, data: bytes) -> None:
    (tmp_path / HALT).write_bytes(data)
    switch = KillSwitch(tmp_path)
    assert switch.is_pulled
    assert switch.halt_asked() == Request("a file", "HALT is there")


def test_long_words_are_cut(tmp_path: Path) -> None:
    KillSwitch(tmp_path).pull("a" * 999, "b" * 9999)
    asked = KillSwitch(tmp_path).halt_asked()
    assert asked is not None
    assert (len(asked.who), len(asked.reason)) == (200, 200)


def test_a_full_disk_takes_the_words_and_leaves_halt_and_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = KillSwitch(tmp_path)
    switch.beat({"trading": "active"})
    before = switch.beat_ns()

    def full(path: Path, words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(switching, "_write", full)
    switch.pull("ann", "unsure")
    assert switch.is_pulled
    switch.beat({"trading": "halted"})
    after = switch.beat_ns()
    assert before is not None
    assert after is not None
    assert after > before
    assert switch.standing() == {"trading": "active"}


def test_a_beat_has_an_age_and_says_how_the_daemon_stands(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    assert (switch.beat_ns(), switch.beat_age_s(datetime(2026, 1, 1, tzinfo=UTC))) == (None, None)
    assert switch.standing() == {}
    switch.beat({"trading": "active"})
    beat = switch.beat_ns()
    assert beat is not None
    age_s = switch.beat_age_s(datetime.fromtimestamp(beat / 1e9 + 3.0, UTC))
    assert age_s == pytest.approx(3.0, abs=1e-3)


def test_a_resume_is_asked_for_until_it_is_answered(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.ask_resume("ann", "seen")
    assert switch.resume_asked() == Request("ann", "seen")
    switch.resume_answered()
    assert switch.resume_asked() is None
