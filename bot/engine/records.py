"""`dataclasses.replace` for the engine's own records, several times as fast.

A step copies the engine's state, a record of several dozen fields, about twenty times, and the standard
function spends most of its time on generality. Here a copy takes the slots over as they are: no constructor
runs, so it is only for records whose constructor does nothing but store. Types are checked as for the
standard function.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

Writer = Callable[[Any, Any], None]

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(record: Any, /, **changes: Any) -> Any:
        """A copy of a slotted dataclass with some fields changed. Raises KeyError on a field it has not."""
        kind = type(record)
        read, writers, by_name = _slots(kind)
        copied = object.__new__(kind)
        for write, value in zip(writers, read(record), strict=True):
            write(copied, value)
        for name, value in changes.items():
            by_name[name](copied, value)
        return copied


@cache
def _slots(kind: type[Any]) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Writer, ...], dict[str, Writer]]:
    """How to read all fields of a record at once and to write each; writers pass by what keeps it frozen."""
    names = [field.name for field in fields(kind)]
    writers: dict[str, Writer] = {name: getattr(kind, name).__set__ for name in names}
    return attrgetter(*names), tuple(writers.values()), writers


__all__ = ["replace"]
