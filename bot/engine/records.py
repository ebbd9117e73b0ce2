"""`dataclasses.replace` for the engine's own records, several times as fast.

A step copies the engine's state, a record of several dozen fields, about twenty times, and the standard
function spends most of its time on generality. Here a copy takes the slots over as they are: no constructor
runs, so it is only for records whose constructor does nothing but store. Types are checked as for the
standard function.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from itertools import repeat
from operator import attrgetter, call
from typing import TYPE_CHECKING, Any

Writer = Callable[[Any, Any], None]
_run = deque[Any](maxlen=0).extend  # drives an iterator to its end and keeps nothing

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(record: Any, /, **changes: Any) -> Any:
        """A copy of a slotted dataclass with some fields changed. Raises KeyError on a field it has not."""
        kind = type(record)
        read, writers, fresh, by_name = _slots(kind)
        copied = object.__new__(kind)
        _run(map(call, writers, repeat(copied), read(record)))
        for write, default in fresh:
            write(copied, default)
        for name, value in changes.items():
            by_name[name](copied, value)
        return copied


@cache
def _slots(
    kind: type[Any],
) -> tuple[
    Callable[[Any], tuple[Any, ...]],
    tuple[Writer, ...],
    tuple[tuple[Writer, object], ...],
    dict[str, Writer],
]:
    """How to read all fields of a record at once and to write each; writers pass by what keeps it frozen.

    What a record remembers beside its value (a field its constructor does not take) begins anew in the copy.
    """
    writers: dict[str, Writer] = {field.name: getattr(kind, field.name).__set__ for field in fields(kind)}
    taken = [field.name for field in fields(kind) if field.init]
    fresh = [(writers[field.name], field.default) for field in fields(kind) if not field.init]
    return attrgetter(*taken), tuple(writers[name] for name in taken), tuple(fresh), writers


__all__ = ["replace"]
