"""Whether a journal that is about to be shown can be believed.

What is shown of a journal is worth what its chain is worth. Who only wants to read is not kept from a damaged
one, for that is when it is read; but is told, at the record where it begins.
"""

from pathlib import Path

from bot.errors import JournalError
from bot.journal.anchor import anchor_path, rolled_back
from bot.journal.verification import verify


def doubt(folder: Path, from_day: str = "") -> str:
    """What speaks against the journal, `segment:line: what`; empty when its chain holds.

    Segments before the UTC date `from_day` are not walked: enough for a reader who shows nothing of them.
    """
    fault = verify(folder, from_day=from_day).fault
    if fault is not None:
        return str(fault)
    try:
        against = rolled_back(folder)
    except JournalError as error:
        return str(error)
    return f"{anchor_path(folder).name}: {against}" if against else ""
