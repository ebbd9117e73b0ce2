"""What `verify` tells: whether the chain holds, and where it breaks.

Asked for more, it also proves that every checkpoint is the fold of the events before it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.journal.anchor import anchor_path, rolled_back
from bot.journal.quarantine import KIND, manifests
from bot.journal.verification import Progress
from bot.journal.writer import Fault, Verification, read_records, segments, verify
from bot.review.replay import Replay, replay


@dataclass(frozen=True, slots=True)
class Report:
    """A verification and, if it was asked for and the chain holds, the fold behind it."""

    journal: Path
    segments: int
    chain: Verification
    fold: Replay | None = None
    against: str = ""  # what the mark outside of the journal says against it
    set_aside: tuple[dict[str, Any], ...] = ()  # what was damaged once, and where it is kept

    @property
    def fault(self) -> Fault | None:
        """The first thing wrong, in the chain or in the fold."""
        if self.chain.fault is not None:
            return self.chain.fault
        if self.against:
            return Fault(anchor_path(self.journal).name, 1, self.against)
        if self.fold is None or self.fold.divergence is None:
            return None
        found = self.fold.divergence
        segment, _, line = found.place.rpartition(":")
        return Fault(segment, int(line), f"{found.kind}: {found.what}")

    def as_json(self) -> dict[str, Any]:
        """The report as one object."""
        fault = self.fault
        return {
            "journal": str(self.journal),
            "ok": fault is None,
            "records": self.chain.records,
            "segments": self.segments,
            "journal_sha256": self.chain.head,
            "closed": self.chain.closed,
            "uncommitted": self.chain.uncommitted,
            "set_aside": list(self.set_aside),
            "checkpoints_compared": self.fold.states if self.fold is not None else None,
            "fault": None
            if fault is None
            else {"segment": fault.segment, "line": fault.line, "what": fault.what},
        }

    def lines(self) -> list[str]:
        """The report for a person, the first line saying whether all is well."""
        fault = self.fault
        if fault is not None:
            return [f"damaged: {fault}", f"{self.chain.records} records before it fit.", *self._asides()]
        said = [
            f"ok: {self.chain.records} records in {self.segments} segments fit.",
            f"head: {self.chain.head}",
            "closed: a clean stop is the last record."
            if self.chain.closed
            else "open: no clean stop at its end; it is being written, or its writer was killed.",
        ]
        said += self._asides()
        if self.chain.uncommitted:
            said.append(
                f"{self.chain.uncommitted} records stand behind the head file: written, never promised."
            )
        if self.fold is not None:
            said.append(f"deep: {self.fold.states} checkpoints are the fold of the events before them.")
        return said

    def _asides(self) -> list[str]:
        return [
            f"set aside: behind record {one['kept']} of {one['promised']}, kept in"
            f" {' and '.join((*one['cut_off'], one['folder']))} ({one['damage']})."
            for one in self.set_aside
        ]


def examine(folder: Path, deep: bool = False, progress: Progress | None = None) -> Report:
    """Walk the chain; with `deep`, fold the events and compare every output and checkpoint digest as well.

    `progress` is told the records so far, of each walk. Raises JournalError naming segment:line on a record
    that does not read.
    """
    chain = verify(folder, progress)
    if chain.fault is not None:
        return Report(folder, len(segments(folder)), chain, set_aside=manifests(folder))
    fold = replay(folder, progress=progress) if deep else None
    aside = tuple(record.body for record in read_records(folder, kinds=frozenset({KIND})))
    return Report(folder, len(segments(folder)), chain, fold, rolled_back(folder), aside)
