"""Verbs on daily history: import, check."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Daily history that warms up the slow signals.")
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the daily series.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command("import", short_help="Take a folder of daily series into a journal.")
def import_(
    folder: Folder,
    journal: Annotated[Path | None, typer.Option("--journal", help="Journal to import into.")] = None,
    json: Json = False,
) -> None:
    """Take a folder of daily series in, each value with the moment it was known."""
    from bot.control.history import import_folder

    _show(import_folder(folder, journal), json)


@app.command(short_help="Say what a folder of daily series holds, and its gaps.")
def check(folder: Folder, json: Json = False) -> None:
    """Say what a folder of daily series holds and what is wrong with it; nothing is written."""
    from bot.control.history import check_folder

    _show(check_folder(folder), json)


def _show(report: dict[str, Any], json: bool) -> None:
    from bot.control.output import emit, say, table

    if json:
        emit(report)
        return
    rows = [
        (
            name,
            *("" if entry[key] is None else str(entry[key]) for key in ("values", "first", "last", "gaps")),
        )
        for name, entry in report["series"].items()
    ]
    table(report["folder"], ("series", "values", "first", "last", "sessions without"), rows)
    if "journal" in report:
        say([f"written to {report['journal']}"])
