"""Which journal a reviewing command reads, the one named or the one written last, and its flaws."""

import os
from pathlib import Path

import typer

from bot.journal.segments import segments

DEFAULT_FOLDER = "journal"
_FOLDER_VARIABLE = "ALVH__JOURNAL__FOLDER"


def find_journal(named: Path | None) -> Path:
    """The folder with the segments.

    `named` may be the journal itself or a folder of journals, one for each mode; of several the one written
    last is meant. Raises typer.BadParameter (exit 2) where there is none.
    """
    root = named if named is not None else Path(os.environ.get(_FOLDER_VARIABLE, DEFAULT_FOLDER))
    if is_journal(root):
        return root
    inside = [path for path in sorted(root.glob("*")) if path.is_dir() and is_journal(path)]
    if not inside:
        raise typer.BadParameter(
            f"no journal in {root}; name one with --journal, or make one with `alvh demo`"
        )
    return max(inside, key=lambda path: (_written(path), path.name))


def warn_of(folder: Path, from_day: str = "") -> str | None:
    """Say on standard error what speaks against a journal, and give it; None when its chain holds.

    Segments before the UTC date `from_day` are not walked.
    """
    from bot.control.output import complain
    from bot.review.doubt import doubt

    against = doubt(folder, from_day)
    if not against:
        return None
    complain(f"{against}: this journal was changed or damaged; what is shown may not be what was decided")
    return against


def is_journal(folder: Path) -> bool:
    """Whether a folder holds a journal, or what is left of one."""
    return folder.is_dir() and ((folder / "head").exists() or bool(segments(folder)))


def _written(folder: Path) -> int:
    return max(path.stat().st_mtime_ns for path in (folder / "head", *segments(folder)) if path.exists())
