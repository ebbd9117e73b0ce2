"""Logs: the journal's decisions as lines, for a person or for a machine, once or as they come.

A line is rendered from the journal's record, so that the log can be had again at any time and never says
anything else than the journal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.engine.decision import Decision
from bot.errors import JournalError
from bot.journal.records import DECISION
from bot.journal.segments import first_seq, last_record, lines_of, segment_day, segments
from bot.journal.writer import Record, read_records
from bot.logs import decision_fields, log_line
from bot.review.decisions import DECISIONS, Told, names_of, short_name, told
from bot.review.text import moment, number, plain

_OPENED = "Opened"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which decisions to show; an empty field asks for all."""

    since: datetime | None = None
    strategy: str = ""
    verb: str = ""

    def takes(self, each: Told) -> bool:
        """Whether a decision is asked for."""
        if self.since is not None and each.time < self.since:
            return False
        if self.strategy and each.decision.strategy.lower() not in names_of(self.strategy):
            return False
        return not self.verb or each.decision.verb.value == self.verb


def since_end(folder: Path, length: timedelta) -> datetime | None:
    """The moment that lies `length` before the journal's last record; None in an empty journal."""
    end = last_record(folder)
    return None if end is None else datetime.fromisoformat(end.time).astimezone(UTC) - length


def select(folder: Path, selection: Selection) -> Iterator[Told]:
    """The decisions asked for, oldest first. Segments before the moment asked for are not read."""
    for record in read_records(folder, _seq_before(folder, selection.since), DECISIONS):
        each = told(record)
        if selection.takes(each):
            yield each


def follow(folder: Path, selection: Selection, wait: Callable[[], object]) -> Iterator[Told]:
    """The decisions asked for, then those that come, until `wait` raises."""
    seq = _seq_before(folder, selection.since)
    while True:
        for record in read_records(folder, seq):
            seq = record.seq
            if record.kind == DECISION and selection.takes(each := told(record)):
                yield each
        wait()


def line(each: Told) -> str:
    """One decision as one line: time, strategy, verb, what it concerns, why."""
    decision = each.decision
    words = [moment(each.time), f"{short_name(decision.strategy):<6}", f"{decision.verb.value:<7}"]
    words += _subject(decision)
    words.append(plain(decision.reason))
    if blocked := [gate for gate in decision.gates if gate.passed is False]:
        gate = blocked[0]
        words.append(plain(f"[{gate.name}{': ' + gate.detail if gate.detail else ''}]"))
    if refused := [check.name for check in decision.checks if not check.passed]:
        words.append(plain(f"[risk: {', '.join(refused)}]"))
    if decision.evaluations > 1:
        words.append(f"(after {decision.evaluations - 1} looks without news)")
    return "  ".join(word for word in words if word)


def json_line(each: Told, run: "Run") -> bytes:
    """One decision as one canonical JSON line, as the daemon writes it."""
    fields: dict[str, Any] = {
        "ts": each.time,
        "level": "info",
        "event": f"decision.{each.decision.verb.value}",
        "mode": run.mode,
        "account": run.account,
        **decision_fields(each.decision),
    }
    return log_line(fields)


@dataclass(frozen=True, slots=True)
class Run:
    """Whose journal it is: what stands on every line."""

    mode: str
    account: str


def run_of(folder: Path) -> Run:
    """Mode and account from the journal's first record.

    Raises JournalError.
    """
    first: Record | None = next(read_records(folder), None)
    while first is not None and first.kind != _OPENED:
        first = next(read_records(folder, first.seq), None)
    if first is None:
        return Run("", "")
    try:
        return Run(str(first.body["mode"]), str(first.body["account"]))
    except KeyError as error:
        raise JournalError(f"{first.place}: the first record names no {error}") from error


def _subject(decision: Decision) -> list[str]:
    words = []
    if decision.structure_id:
        words.append(plain(decision.structure_id))
    if decision.quantity:
        at = f" at {number(decision.limit)}" if decision.limit is not None else ""
        words.append(f"{decision.quantity}x{at}")
    return words


def _seq_before(folder: Path, since: datetime | None) -> int:
    """The number before the first record of the day of `since`."""
    if since is None:
        return 0
    day = since.astimezone(UTC).date().isoformat()
    for path in segments(folder):
        if segment_day(path) >= day:
            return max(first_seq(path) - 1, 0) if any(lines_of(path)) else 0
    end = last_record(folder)
    return end.seq if end is not None else 0
