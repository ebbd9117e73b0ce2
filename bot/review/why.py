"""Why: the truth table behind a strategy's last decision, with every condition's distance to its threshold.

What is shown is what the journal holds, never a new computation: each reading with value, threshold, warm-up
and age, each gate, each risk check, and in one sentence what stands in the way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bot.engine.decision import Verb
from bot.journal.records import DECISION
from bot.journal.segments import last_record, newest_first
from bot.journal.writer import Record
from bot.review.decisions import Told, names_of, short_name, told
from bot.review.text import number, plain, span
from market.rounding import round_ratio
from market.sessions import MARKET_TZ
from risk.state import TradingState
from risk.verdict import Check
from strategies.base import Gate, Reading

# How far back a strategy's last decision is looked for, and from there the readings and checks behind it.
LOOK_BACK = timedelta(days=400)
TABLE_LOOK_BACK = timedelta(days=10)
LIVE = "snapshot"
# What a condor's break-evens of the session rest on.
FIGURES = frozenset({"net_credit", "credit_of_earlier_expiries", "value", "forward"})
_NOT_A_STRATEGY = frozenset({"risk"})


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """A reading, how far its value is from firing (0 when it fires, None when unknown), and how old it is."""

    reading: Reading
    distance: float | None
    age: timedelta | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about one strategy at one moment.

    Readings, gates and checks come each from the newest decision that has some; their times are beside them.
    """

    strategy: str
    at: datetime
    last: Told
    readings: tuple[ReadingRow, ...]
    read_at: datetime | None
    gates: tuple[Gate, ...]
    gated_at: datetime | None
    checks: tuple[Check, ...]
    checked_at: datetime | None
    summary: str
    figures: tuple[tuple[str, str, float], ...] = ()  # structure, name, points
    restriction: str = ""  # why trading is reduced or halted at that moment, by the risk state
    restricted_at: datetime | None = None  # when the risk state last changed


def explain(folder: Path, asked: str | None, at: datetime | None = None) -> tuple[Explanation, ...]:
    """Explanations of one strategy, or of all, at a moment (default: the journal's last record).

    Empty when the journal holds no decision of it. Raises JournalError naming segment:line.
    """
    end = last_record(folder)
    if end is None:
        return ()
    moment = at if at is not None else datetime.fromisoformat(end.time).astimezone(UTC)
    if asked is not None:
        names = names_of(asked)
        found = _explain(_decisions(folder, moment, names), moment)
        return (_restricted(found, _last_change(folder, moment)),) if found is not None else ()
    groups: dict[str, list[Told]] = {}
    for each in _decisions(folder, moment, None):
        name = short_name(each.decision.strategy)
        if each.decision.strategy in _NOT_A_STRATEGY:
            continue
        if moment - each.time > TABLE_LOOK_BACK and groups:
            break
        groups.setdefault(name, []).append(each)
    explained = (_explain(iter(group), moment) for _, group in sorted(groups.items()))
    change = _last_change(folder, moment)
    return tuple(_restricted(each, change) for each in explained if each is not None)


def first_day(explanations: Sequence[Explanation]) -> str:
    """UTC date of the oldest record that is shown: what lies before it has no part in the explanations."""
    times = [
        (each.last.time, each.read_at, each.gated_at, each.checked_at, each.restricted_at)
        for each in explanations
    ]
    return min(time for row in times for time in row if time is not None).astimezone(UTC).date().isoformat()


def _last_change(folder: Path, moment: datetime) -> Told | None:
    return next(_decisions(folder, moment, _NOT_A_STRATEGY), None)


def _restricted(each: Explanation, last: Told | None) -> Explanation:
    """With what the last change of the trading state said, while trading is not active."""
    if last is None:
        return each
    said = plain(f"trading is {last.decision.trading}: {last.decision.reason}")
    active = last.decision.trading == TradingState.ACTIVE
    return replace(each, restriction="" if active else said, restricted_at=last.time)


def _decisions(folder: Path, moment: datetime, names: frozenset[str] | None) -> Iterator[Told]:
    """Decisions at or before a moment, the newest first."""
    marks = None if names is None else tuple(b'"strategy":"' + name.encode() for name in sorted(names))
    for record in newest_first(folder, DECISION):
        if marks is not None and not _has_mark(record, marks):
            continue
        each = told(record)
        if each.time > moment:
            continue
        if moment - each.time > LOOK_BACK:
            return
        if names is None or each.decision.strategy.lower() in names:
            yield each


def _has_mark(record: Record, marks: tuple[bytes, ...]) -> bool:
    start = record.raw[:400].lower()
    return any(mark in start for mark in marks)


def _explain(newest: Iterator[Told], moment: datetime) -> Explanation | None:
    last: Told | None = None
    read: Told | None = None
    gated: Told | None = None
    checked: Told | None = None
    of_structures: list[Told] = []
    for each in newest:
        last = last or each
        if last.time - each.time > TABLE_LOOK_BACK:
            break
        is_of_session = each.decision.session == last.decision.session
        if each.decision.verb is Verb.READ and each.decision.structure_id and is_of_session:
            of_structures.append(each)
        read = read or (each if each.decision.readings else None)
        gated = gated or (each if each.decision.gates else None)
        checked = checked or (each if each.decision.checks else None)
        if read and gated and checked and not is_of_session:
            break
    if last is None:
        return None
    readings = read.decision.readings if read else ()
    # Break-evens are read apart, once or twice a session: the newest of each structure stand beside the rest.
    rows = [(row, read) for row in readings]
    rows += _apart(of_structures, read)
    gates = gated.decision.gates if gated else ()
    checks = checked.decision.checks if checked else ()
    return Explanation(
        strategy=short_name(last.decision.strategy),
        at=moment,
        last=last,
        readings=tuple(_row(row, source, moment) for row, source in rows),
        read_at=read.time if read else None,
        gates=gates,
        gated_at=gated.time if gated else None,
        checks=checks,
        checked_at=checked.time if checked else None,
        summary=summary(last, readings, gates, checks),
        figures=_figures(of_structures),
    )


def _apart(told_of: list[Told], read: Told | None) -> list[tuple[Reading, Told | None]]:
    """The newest of each reading of structures, without those that stand in the table anyway."""
    found: dict[tuple[str, str, str], tuple[Reading, Told | None]] = {}
    for each in told_of:
        for row in each.decision.readings:
            found.setdefault((each.decision.structure_id, row.name, row.relation), (row, each))
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [pair for _, pair in ordered if pair[1] is not read]


def _figures(told_of: list[Told]) -> tuple[tuple[str, str, float], ...]:
    """The newest of each figure that break-evens rest on: structure, name, points."""
    found: dict[tuple[str, str], float] = {}
    for each in told_of:
        for name, value in each.decision.notes:
            if name in FIGURES:
                found.setdefault((each.decision.structure_id, name), value)
    return tuple((structure, name, value) for (structure, name), value in sorted(found.items()))


def _row(reading: Reading, read: Told | None, moment: datetime) -> ReadingRow:
    """A reading that names no input of its own was taken from the snapshot of its moment."""
    if not reading.as_of and reading.value is not None and read is not None:
        return ReadingRow(
            replace(reading, source=reading.source or LIVE), distance(reading), moment - read.time
        )
    return ReadingRow(reading, distance(reading), _age(reading.as_of, moment))


def distance(reading: Reading) -> float | None:
    """How far the value must still move for the condition to hold; 0 when it holds already."""
    if reading.value is None or reading.threshold is None:
        return None
    gap = reading.value - reading.threshold
    if reading.relation in ("<", "<="):
        return round_ratio(max(gap, 0.0))
    if reading.relation in (">", ">="):
        return round_ratio(max(-gap, 0.0))
    return round_ratio(abs(gap))


def summary(
    last: Told, readings: tuple[Reading, ...], gates: tuple[Gate, ...], checks: tuple[Check, ...]
) -> str:
    """In one or two sentences: what was decided, and what stands in the way of acting."""
    decision = last.decision
    parts = [f"{decision.verb.value}: {plain(decision.reason)}."]
    parts += [f"{_blocked(gate)}." for gate in gates if gate.passed is False]
    parts += [f"{_unknown(gate)}." for gate in gates if gate.passed is None]
    if decision.verb is Verb.DENY:
        parts += [
            f"Risk refuses: {check.name} is {number(check.value)}, limit {number(check.limit)}."
            for check in checks
            if not check.passed
        ]
    parts += [f"{phrase(row)}." for row in readings if row.fired is not True and not decision.gates]
    return " ".join(parts)


def phrase(reading: Reading) -> str:
    """One reading in words: `front_backwardation is 0.0312, needs > 0.08: 0.0488 short`."""
    if reading.fired is None:
        warm = f" ({reading.warm_up[0]} of {reading.warm_up[1]})" if reading.warm_up else ""
        return plain(f"{reading.name} is unknown: {reading.reason or 'no value'}{warm}")
    said = f"{reading.name} is {number(reading.value)}, needs {reading.relation} {number(reading.threshold)}"
    gap = distance(reading)
    if gap:
        side = {">": " short", "<": " too high"}.get(reading.relation[:1], " off")
        said += f": {number(gap)}{side}"
    return plain(said)


def _blocked(gate: Gate) -> str:
    return plain(f"Gate {gate.name} blocks{': ' + gate.detail if gate.detail else ''}")


def _unknown(gate: Gate) -> str:
    return plain(f"Gate {gate.name} is unknown{': ' + gate.detail if gate.detail else ''}")


def _age(as_of: str, moment: datetime) -> timedelta | None:
    """Time from the newest input to the moment; whole days where only the day is known."""
    try:
        if len(as_of) == 10:
            return moment.astimezone(MARKET_TZ).date() - date.fromisoformat(as_of)
        time = datetime.fromisoformat(as_of)
        return moment - (time if time.tzinfo is not None else time.replace(tzinfo=UTC))
    except ValueError:
        return None


def age_text(age: timedelta | None) -> str:
    """An age as a person reads it."""
    if age is None:
        return "-"
    if age.days == 1 and not age.seconds:
        return "1 d"
    return "today" if age == timedelta(0) else span(age)
