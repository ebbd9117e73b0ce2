"""Segments of days gone by are packed, one at a time, by whoever has time for it.

Packing changes no record: the chain is over what the segments hold. Only segments that another one follows
and that the head file promises are packed, so the writer never meets one. A crash leaves the plain segment,
the packed one or both; of both the plain one counts, and the next turn packs it anew.
"""

import asyncio
import os
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from bot.errors import JournalError
from bot.events import Alert
from bot.journal.packing import pack, unpack
from bot.journal.segments import PACKED, first_seq, read_head, segments, sync_folder

TURN_S = 900.0


async def keep_packed(folder: Path, notify: Callable[[Alert], object]) -> None:
    """Pack what can be packed every quarter of an hour, beside a running daemon, until cancelled.

    What stands in the way is told and tried again: the daemon trades as well on plain segments.
    """
    while True:
        await asyncio.sleep(TURN_S)
        try:
            while await asyncio.to_thread(pack_oldest, folder) is not None:
                pass
        except (OSError, JournalError) as error:
            notify(Alert("warning", "journal.not_packed", str(error)))


def pack_oldest(folder: Path) -> Path | None:
    """Pack the oldest plain segment that may be packed; the packed file, or None when there is none.

    Raises JournalError on a head file or a segment that does not read.
    """
    head = read_head(folder)
    promised = 0 if head is None else head[0]
    files = segments(folder)
    for path, following in pairwise(files):
        if path.suffix != PACKED:
            return _packed(path) if first_seq(following) - 1 <= promised else None
    return None


def _packed(path: Path) -> Path:
    """Write the packed segment beside the plain one, durably, and only then remove the plain one."""
    data = path.read_bytes()
    packed = pack(data)
    if b"".join(unpack(BytesIO(packed))) != data:
        raise ValueError(f"{path.name} does not come back as it was packed")
    target = path.with_name(path.name + PACKED)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    sync_folder(path.parent)
    path.unlink()
    sync_folder(path.parent)
    return target
