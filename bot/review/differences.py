"""Two canonical values compared field by field."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.review.text import plain

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field that differs; `path` is dotted, rows with a name go by their name."""

    path: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        """`path: recorded -> replayed` on one line."""
        return plain(f"{self.path}: {self.recorded} -> {self.replayed}")


def field_differences(recorded: Any, replayed: Any, path: str = "") -> Iterator[FieldDifference]:
    """Fields that differ between two parsed JSON values, in the order in which they are written."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        yield from _of_tables(recorded, replayed, path)
    elif isinstance(recorded, list) and isinstance(replayed, list):
        yield from _of_tables(_rows(recorded), _rows(replayed), path)
    elif type(recorded) is not type(replayed) or recorded != replayed:
        yield FieldDifference(path, recorded, replayed)


def _of_tables(
    recorded: Mapping[str, Any], replayed: Mapping[str, Any], path: str
) -> Iterator[FieldDifference]:
    for name in [*recorded, *(name for name in replayed if name not in recorded)]:
        yield from field_differences(
            recorded.get(name, ABSENT), replayed.get(name, ABSENT), f"{path}.{name}" if path else name
        )


def _rows(items: list[Any]) -> dict[str, Any]:
    """Rows by name, a second one of the same name as `name#2`; by position where some have none."""
    rows: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            return {str(position): each for position, each in enumerate(items)}
        seen[name] += 1
        rows[name if seen[name] == 1 else f"{name}#{seen[name]}"] = item
    return rows
