"""Sets aside all from the first damaged record of a journal on, so that a start can go on, halted.

A record that is damaged in the middle ends what can be believed: all behind it hangs on it. The records
before it stay where they are. The rest, damaged and sound, is copied byte for byte into `quarantine/NNNN`
with what is known of it, and the chain goes on behind the last good record with two new ones: `Quarantined`,
which names what was set aside, and `Halted`, for only a person may judge what was lost. The broker's
executions and positions then say what is held.

A crash at any point leaves a journal that is still damaged, and is set aside once more, or one that is mended
and halted: the last good records take the damaged segment's place in one step, after all else is durable.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from bot.errors import JournalError
from bot.events import Halted
from bot.journal.anchor import anchor_path, drop_anchor, require_anchored
from bot.journal.checkpoint import Checkpoints
from bot.journal.codec import canonical
from bot.journal.segments import (
    GENESIS,
    NO_RECORD,
    PACKED,
    first_seq,
    line_of,
    lines_of,
    read_head,
    segment_number,
    segments,
    sync_folder,
)
from bot.journal.verification import Fault, Walk, walk_segment

FOLDER = "quarantine"
KIND = "Quarantined"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class FileSetAside:
    """A file as it was found."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What was set aside, and where: in `folder` inside the journal's.

    Records up to `kept` stand as they were. The head file had promised records up to `promised`. `cut_off`
    are folders of the same work that a crash cut off: what stands in one of them may stand in no other.
    """

    folder: str
    cut_off: tuple[str, ...]
    damage: str
    kept: int
    promised: int
    files: tuple[FileSetAside, ...]

    def __str__(self) -> str:
        """What a person has to know, on one line."""
        return (
            f"the journal was damaged at {self.damage}: what stood behind record {self.kept}"
            f" ({self.promised} were promised) is set aside in {' and '.join((*self.cut_off, self.folder))};"
            " compare the broker's orders and positions with `alvh status`"
        )


@dataclass(frozen=True, slots=True)
class _Damage:
    """The first segment that does not hold, how far it does, and all the files from it on."""

    fault: Fault
    walk: Walk
    before: Path | None
    files: tuple[Path, ...]

    @property
    def segment(self) -> Path:
        """The damaged one."""
        return self.files[0]


def set_aside_damage(folder: Path) -> Quarantined | None:
    """Mend the journal in `folder`, whose lock the caller holds.

    The new records bear the time of the last good one: this machine's clock may not be the market's.

    None, and nothing changed, where that is no remedy: where nothing is damaged, where records, segments or
    the head file are missing as a whole, where no record is good, and where a checkpoint in a later segment
    knows more than the records before the damage. Raises RolledBackError where the journal was put back to
    an earlier state, JournalError on a bad head file, and OSError.
    """
    head = read_head(folder)
    found = None if head is None else _first_damage(folder)
    if head is None or found is None or not found.walk.count or _is_long_past(folder, found):
        return None
    kept = found.walk.count
    require_anchored(folder, kept)
    checkpoints = Checkpoints(folder / "checkpoints").behind(kept)
    good = _good_bytes(found)
    stamp = canonical(_last_time(found, good))
    aside = _copy(folder, found, head[0], checkpoints)
    told, digest = line_of(kept + 1, stamp, KIND, aside, found.walk.head)
    halt, digest = line_of(kept + 2, stamp, Halted.__name__, Halted(str(aside)), digest)
    # The mark names a record that is set aside: without it a crash in between is no journal put back.
    anchor_path(folder).unlink(missing_ok=True)
    sync_folder(folder.parent)
    # What this promises is not there yet: until it is, the end of the journal is damaged and never just torn.
    _durably(folder / "head", canonical({"count": kept + 2, "head": digest}))
    for path in (*checkpoints, *reversed(found.files[1:])):
        path.unlink()
    last = found.segment if good or found.before is None else found.before
    fresh = folder / f"{segment_number(last) + 1:04d}-{stamp[1:11].decode()}.jsonl"
    _durably(fresh, told + halt)
    plain = found.segment.with_name(found.segment.name.removesuffix(PACKED))
    if good:
        _durably(plain, good)
    for path in _twins(found.segment):
        if path != fresh and not (good and path == plain):
            path.unlink()
    sync_folder(folder)
    with suppress(OSError):  # the daemon moves the mark on each minute, and tells when it cannot
        drop_anchor(folder)
    return aside


def manifests(folder: Path) -> tuple[dict[str, Any], ...]:
    """What each folder in quarantine says of itself, the first one first."""
    return tuple(orjson.loads(path.read_bytes()) for path in sorted((folder / FOLDER).glob(f"*/{MANIFEST}")))


def _first_damage(folder: Path) -> _Damage | None:
    """The first record the chain does not prove. What only the head file says against one is none."""
    count, previous = 0, GENESIS
    files = segments(folder)
    for expected, path in enumerate(files, start=1):
        if segment_number(path) > expected:
            return None
        if segment_number(path) < expected:
            # A crash in here left the damaged one beside the new one of its number.
            twice = Fault(path.name, 1, "another segment has its number")
            walk = Walk(count, previous, False, twice, 0, 0)
        else:
            walk = walk_segment(path, count, previous, None)
        fault = walk.fault or (None if walk.lines else Fault(path.name, 1, "the segment is empty"))
        if fault is not None:
            before = files[expected - 2] if expected > 1 else None
            behind = [twin for later in files[expected:] for twin in _twins(later)]
            return _Damage(fault, walk, before, (path, *behind))
        count, previous = walk.count, walk.head
    return None


def _is_long_past(folder: Path, found: _Damage) -> bool:
    """Whether the journal went on behind the damage for days: a restore keeps more than a cut."""
    seq = Checkpoints(folder / "checkpoints").load(folder)[0]
    return any(first <= seq for first in map(_first_seq, found.files[1:]))


def _first_seq(path: Path) -> int:
    try:
        return first_seq(path)
    except JournalError:
        return NO_RECORD


def _twins(path: Path) -> list[Path]:
    """A segment as it stands, plain, packed, or both where a crash cut the packing off."""
    plain = path.with_name(path.name.removesuffix(PACKED))
    return [one for one in (plain, plain.with_name(plain.name + PACKED)) if one.exists()]


def _copy(folder: Path, found: _Damage, promised: int, checkpoints: Sequence[Path]) -> Quarantined:
    """Copy all that stands from the damage on, whole files, and what stood beside them."""
    below = folder / FOLDER
    below.mkdir(exist_ok=True)
    number = 1 + max((int(path.name) for path in below.iterdir() if path.name.isdigit()), default=0)
    target, fresh = below / f"{number:04d}", below / "new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    beside = [path for path in (folder / "head", anchor_path(folder)) if path.exists()]
    files = (*_twins(found.segment), *found.files[1:], *checkpoints, *beside)
    kept = tuple(_copied(path, fresh / path.name) for path in files)
    cut_off, once = _cut_off(below / f"{number - 1:04d}", found.walk.count)
    aside = Quarantined(
        f"{FOLDER}/{target.name}", cut_off, str(found.fault), found.walk.count, max(promised, once), kept
    )
    _durably(fresh / MANIFEST, canonical(asdict(aside)) + b"\n")
    fresh.rename(target)
    sync_folder(below)
    sync_folder(folder)
    return aside


def _cut_off(before: Path, kept: int) -> tuple[tuple[str, ...], int]:
    """Folders in which the same was set aside already, and what the head file had promised then."""
    manifest = before / MANIFEST
    known: dict[str, Any] = orjson.loads(manifest.read_bytes()) if manifest.exists() else {}
    if known.get("kept") != kept:
        return (), 0
    return (*known["cut_off"], known["folder"]), known["promised"]


def _copied(path: Path, target: Path) -> FileSetAside:
    data = path.read_bytes()
    _durably(target, data)
    return FileSetAside(path.name, len(data), sha256(data).hexdigest())


def _good_bytes(found: _Damage) -> bytes:
    """The damaged segment's lines before the damage, as they stand in a plain one."""
    good, lines = bytearray(), lines_of(found.segment)
    while len(good) < found.walk.good_bytes:
        good += next(lines)
    return bytes(good)


def _last_time(found: _Damage, good: bytes) -> datetime:
    """When the last good record was written."""
    lines = good.splitlines() or (list(lines_of(found.before)) if found.before is not None else [])
    return datetime.fromisoformat(orjson.loads(lines[-1])["time"])


def _durably(path: Path, data: bytes) -> None:
    """Put a whole file in place in one step."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
