"""What commands print: one JSON object for a machine, or plain text and tables for a person.

The terminal library is loaded only when something is drawn; it leaves colours out when `NO_COLOR` is set or
the output is no terminal.
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import orjson

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PIPED_WIDTH = 140
_BAR_AFTER = timedelta(seconds=2)


def emit(value: object) -> None:
    """Print one JSON object and a line end."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    say_bytes(orjson.dumps(value, default=_plain, option=options))


def say(lines: Iterable[str]) -> None:
    """Print lines to standard output."""
    for line in lines:
        say_bytes(line.encode("utf-8", "backslashreplace") + b"\n")


def say_bytes(data: bytes) -> None:
    """Write bytes to standard output at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"alvh: {text}\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """Draw a table; a style for each row, empty for none. Cells are text, never markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for number, row in enumerate(rows):
        style = styles[number] if number < len(styles) else ""
        drawn.add_row(*[Text(cell) for cell in row], style=style or None)
    console().print(drawn)


def console() -> "Console":
    """The terminal, or a wide page where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


class Meter:
    """A progress bar on standard error that appears when work takes longer than two seconds."""

    def __init__(self, label: str, total: int | None, quiet: bool = False) -> None:
        from bot.clock import WallClock

        self._label = label
        self._total = total
        self._quiet = quiet or not sys.stderr.isatty()
        self._clock = WallClock()
        self._started: datetime = self._clock.now()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int) -> None:
        """Say how far the work is."""
        if self._quiet:
            return
        if self._bar is None and self._clock.now() - self._started >= _BAR_AFTER:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
