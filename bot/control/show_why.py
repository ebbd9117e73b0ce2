"""How an explanation is shown: a truth table for each strategy, where words and colours say the same."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.control.output import emit, say, table
from bot.review.text import moment, number, plain
from bot.review.why import Explanation, ReadingRow, age_text

_SIGNS = {True: "yes", False: "no", None: "unknown"}
_STYLES = {True: "green", False: "red", None: "yellow"}


def show_why(folder: Path, explanations: Sequence[Explanation], json: bool, against: str | None) -> None:
    """Print each explanation. `against`: what speaks against the journal."""
    if json:
        strategies = [_as_json(each) for each in explanations]
        emit({"journal": str(folder), "strategies": strategies, "fault": against})
        return
    for each in explanations:
        _show(each)


def _show(each: Explanation) -> None:
    last = each.last
    say([f"{each.strategy} at {moment(each.at)}", f"{each.summary}"])
    if each.restriction:
        say([each.restriction])
    decision = last.decision
    trading = f", trading is {decision.trading}" if decision.trading else ""
    looks = f", after {decision.evaluations - 1} looks without news" if decision.evaluations > 1 else ""
    say([f"decided {moment(last.time)} ({last.record.place}, {decision.decision_id}){trading}{looks}"])
    if each.readings and each.read_at is not None:
        table(
            f"Readings, {moment(each.read_at)}",
            ("reading", "value", "needs", "distance", "fires", "warm-up", "age", "source", "note"),
            [_reading_cells(row) for row in each.readings],
            [_STYLES[row.reading.fired] for row in each.readings],
        )
    if each.figures:
        table(
            "Of this session's break-evens",
            ("structure", "figure", "points"),
            [(plain(structure), name, number(value)) for structure, name, value in each.figures],
        )
    if each.gates and each.gated_at is not None:
        table(
            f"Gates, {moment(each.gated_at)}",
            ("gate", "open", "detail"),
            [(plain(gate.name), _SIGNS[gate.passed], plain(gate.detail)) for gate in each.gates],
            [_STYLES[gate.passed] for gate in each.gates],
        )
    if each.checks and each.checked_at is not None:
        table(
            f"Risk checks, {moment(each.checked_at)}",
            ("check", "value", "limit", "passes"),
            [
                (plain(check.name), number(check.value), number(check.limit), _SIGNS[check.passed])
                for check in each.checks
            ],
            [_STYLES[check.passed] for check in each.checks],
        )


def _reading_cells(row: ReadingRow) -> tuple[str, ...]:
    reading = row.reading
    warm = f"{reading.warm_up[0]} of {reading.warm_up[1]}" if reading.warm_up else ""
    return (
        plain(reading.name),
        number(reading.value),
        f"{reading.relation} {number(reading.threshold)}",
        number(row.distance),
        _SIGNS[reading.fired],
        warm,
        age_text(row.age),
        plain(reading.source),
        plain(reading.reason),
    )


def _as_json(each: Explanation) -> dict[str, Any]:
    return {
        "strategy": each.strategy,
        "at": each.at,
        "summary": each.summary,
        "restriction": each.restriction,
        "decision": {
            "time": each.last.time,
            "place": each.last.record.place,
            "decision_id": each.last.decision.decision_id,
            "verb": each.last.decision.verb,
            "reason": each.last.decision.reason,
            "trading": each.last.decision.trading,
            "evaluations": each.last.decision.evaluations,
        },
        "readings": [
            {**asdict(row.reading), "distance": row.distance, "age_s": _seconds(row)} for row in each.readings
        ],
        "read_at": each.read_at,
        "figures": [
            {"structure": structure, "name": name, "points": value} for structure, name, value in each.figures
        ],
        "gates": _dicts(each.gates),
        "gated_at": each.gated_at,
        "checks": _dicts(each.checks),
        "checked_at": each.checked_at,
    }


def _seconds(row: ReadingRow) -> float | None:
    return row.age.total_seconds() if row.age is not None else None


def _dicts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
