"""The kill switch: files in the journal's folder by which a person halts and resumes, and the daemon's beat.

`HALT` halts as long as it is there, whoever made it, also by `touch`: the daemon looks for it many times a
second and, so that nothing slips through, before every single order. `RESUME` asks to trade again; the daemon
takes it away when it has answered. `beat` is rewritten while the daemon's loop turns and says how it stands;
when it grows old the loop is blocked, and the watchdog acts in its place. None of them is in the journal.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

HALT, RESUME, BEAT = "HALT", "RESUME", "beat"
_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and why."""

    who: str
    reason: str


class KillSwitch:
    """The switch of one journal's folder, for whoever can write there."""

    def __init__(self, folder: Path) -> None:
        self._halt = folder / HALT
        self._resume = folder / RESUME
        self._beat = folder / BEAT

    @property
    def is_pulled(self) -> bool:
        """Whether trading is to be halted; a single look at the folder."""
        return os.path.exists(self._halt)  # noqa: PTH110 -- asked before every order and 20 times a second

    def pull(self, who: str, reason: str) -> None:
        """Halt. On a full disk the words are lost, the halt is not."""
        try:
            _write(self._halt, {"who": who, "reason": reason})
        except OSError:
            self._halt.touch()

    def reset(self) -> None:
        """Take the halt away."""
        self._halt.unlink(missing_ok=True)

    def halt_asked(self) -> Request | None:
        """Who halts and why, or None."""
        return _request(self._halt)

    def ask_resume(self, who: str, reason: str) -> None:
        """Ask the daemon to trade again."""
        _write(self._resume, {"who": who, "reason": reason})

    def resume_asked(self) -> Request | None:
        """Who wants to resume and why, or None."""
        return _request(self._resume)

    def resume_answered(self) -> None:
        """The request has been dealt with; the beat says how."""
        self._resume.unlink(missing_ok=True)

    def beat(self, standing: dict[str, Any]) -> None:
        """The loop turns; `standing` is how the daemon stands. On a full disk it still beats."""
        try:
            _write(self._beat, standing)
        except OSError:
            with suppress(OSError):
                os.utime(self._beat)

    def standing(self) -> dict[str, Any]:
        """What the daemon last said of itself; empty before it ever did."""
        try:
            told: dict[str, Any] = orjson.loads(self._beat.read_bytes())
        except (OSError, ValueError):
            return {}
        return told

    def beat_ns(self) -> int | None:
        """When the loop last turned, as the file system tells time; None before it ever did."""
        try:
            return self._beat.stat().st_mtime_ns
        except OSError:
            return None

    def beat_age_s(self, now: datetime) -> float | None:
        """Seconds since the loop last turned, or None."""
        beat = self.beat_ns()
        return None if beat is None else now.timestamp() - beat / 1e9


def _write(path: Path, words: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(orjson.dumps(words))
    temporary.replace(path)


def _request(path: Path) -> Request | None:
    """What a file asks; a file without readable words asks just as much."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        data = b""
    try:
        words = orjson.loads(data)
        who, reason = str(words["who"]), str(words["reason"])
    except (ValueError, KeyError, TypeError):
        who, reason = "a file", f"{path.name} is there"
    return Request(who[:_WORDS_MAX], reason[:_WORDS_MAX])
