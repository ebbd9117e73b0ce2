"""The command line in the test's own process, and a journal that somebody changed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from bot.control import cli


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output; anything beside it fails here."""
        return orjson.loads(self.out)


class Shell:
    """Runs the command line in this process, as the console script does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self._monkeypatch = monkeypatch
        self._captured = capfdbinary

    def __call__(self, *arguments: object) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["alvh", *map(str, arguments)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        out, err = self._captured.readouterr()
        return Ended(code, out.decode(), err.decode())


def damage(journal: Path, line: int) -> str:
    """Change one letter of a record; the place of the record."""
    segment = journal / "0001-2020-02-27.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"body":{', b'"body":{ ', 1)
    segment.write_bytes(b"".join(lines))
    return f"{segment.name}:{line}"
