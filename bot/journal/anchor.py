"""A mark of how far the journal has come, kept outside of its folder.

The chain and the head file prove a journal that stands; they cannot tell one that was put back to an earlier
day as a whole, from a backup perhaps, while the daemon was down. Orders sent since would be forgotten. So the
last durable record is named once more beside the folder, now and then and at a clean stop, and a start on a
journal that does not hold that record is refused.
"""

import asyncio
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import orjson

from bot.errors import JournalError, RolledBackError
from bot.events import Alert
from bot.journal.codec import canonical
from bot.journal.segments import first_seq, lines_of, read_head, segments, split_line, sync_folder

TURN_S = 60.0


def anchor_path(folder: Path) -> Path:
    """Where the mark of the journal in `folder` lies: beside it, under its name."""
    return folder.parent / f"{folder.name}.anchor"


def drop_anchor(folder: Path) -> None:
    """Name the journal's last durable record outside of it. Raises OSError, or JournalError on a bad head."""
    head = read_head(folder)
    if head is None:
        return
    path = anchor_path(folder)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(canonical({"count": head[0], "head": head[1]}))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


async def keep_anchored(folder: Path, notify: Callable[[Alert], object]) -> None:
    """Move the mark on every minute, beside a running daemon, until cancelled."""
    while True:
        await asyncio.sleep(TURN_S)
        try:
            await asyncio.to_thread(drop_anchor, folder)
        except (OSError, JournalError) as error:
            notify(Alert("warning", "journal.not_anchored", str(error)))


def rolled_back(folder: Path, good: int | None = None) -> str:
    """What the mark says against the journal; empty without a mark, or where the journal holds its record.

    Where only the records up to `good` can be read, a later one that was promised is taken to be it. Raises
    JournalError on a bad head file.
    """
    path = anchor_path(folder)
    try:
        marked = orjson.loads(path.read_bytes())  # before the head: a running writer only moves that on
        count, digest = int(marked["count"]), str(marked["head"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"is not a mark of a journal ({error})"
    head = read_head(folder)
    reached = 0 if head is None else head[0]
    if reached < count:
        return f"the journal once had {count} records and now has {reached}: it was put back in time"
    if count and (good is None or count <= good) and _hash_of(folder, count) != digest:
        return f"record {count} is not the one the journal once had: it is another journal"
    return ""


def require_anchored(folder: Path, good: int | None = None) -> None:
    """Raise RolledBackError where the mark stands against the journal, as `rolled_back` finds."""
    against = rolled_back(folder, good)
    if against:
        path = anchor_path(folder)
        raise RolledBackError(
            f"{path}: {against}; restore the newest journal, or, if this is meant, look at the"
            f" broker's orders and remove {path.name}"
        )


def _hash_of(folder: Path, seq: int) -> str:
    """Hash of the record `seq`, which the head file promises; empty where it is no record."""
    path = None
    for one in segments(folder):
        try:
            if first_seq(one) > seq:
                break
        except JournalError:
            break  # damage behind: it says nothing against the records before it
        path = one
    if path is None:
        return ""
    line = next(islice(lines_of(path), seq - first_seq(path), None), b"")
    try:
        return split_line(line.rstrip(b"\n"))[1]
    except ValueError:
        return ""
