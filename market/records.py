"""Frozen records at the price of plain ones: how they are made, and how a copy with changes is.

Every look at the market makes some two hundred small records. A frozen dataclass writes each field past its
own guard, by name, which costs many times the plain assignment, and `dataclasses.replace` spends most of its
time on generality. Here both write into a draft, an instance of a class with the same slots and no guard,
which then becomes the record. Values, order of fields, defaults and types are those of the dataclass.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

Record = TypeVar("Record")
_as_class: Callable[[object, type[Any]], None] = object.__dict__["__class__"].__set__


def quickly_made(kind: type[Record]) -> type[Record]:
    """Give a frozen slotted dataclass a constructor that writes as fast as that of one which is not frozen.

    Decorate with it above `@dataclass(frozen=True, slots=True)`. Raises TypeError on a class with a base, or
    with fields that are given by name only.
    """
    made_of: Any = kind
    known: dict[str, Any] = {
        "_as_class": _as_class,
        "_kind": kind,
        "_draft": draft_of(made_of),
        "_missing": MISSING,
    }
    parameters, body = ["self"], ["_as_class(self, _draft)"]
    for field in fields(made_of):
        name, value = field.name, field.name
        if field.kw_only:
            raise TypeError(f"{kind.__name__}.{name} is given by name only")
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
        if field.default_factory is not MISSING:
            known[f"_factory_{name}"] = field.default_factory
        if not field.init:
            value = f"_factory_{name}()" if field.default is MISSING else f"_default_{name}"
        elif field.default_factory is not MISSING:
            parameters.append(f"{name}=_missing")
            value = f"_factory_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name if field.default is MISSING else f"{name}=_default_{name}")
        body.append(f"self.{name} = {value}")
    body.append("self.__class__ = _kind")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    made = _function("__init__", parameters, body, known)
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    made.__annotations__ = kind.__init__.__annotations__
    kind.__init__ = made  # type: ignore[method-assign]  # the very thing this decorator is for
    return kind


if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(record: Any, /, **changes: Any) -> Any:
        """A copy of a slotted dataclass with some fields changed. Raises TypeError on one it has not.

        No constructor runs, so it is only for records whose constructor does nothing but store. What a
        record remembers beside its value (a field its constructor does not take) begins anew in the copy.
        Types are checked as for the standard function.
        """
        kind = type(record)
        copied = _copier(kind)(record)
        for name, value in changes.items():
            try:
                setattr(copied, name, value)
            except AttributeError:
                raise TypeError(f"{kind.__name__} has no field {name}") from None
        copied.__class__ = kind
        return copied


@cache
def _copier(kind: Any) -> Callable[[Any], Any]:
    """What copies a record of this kind into a draft."""
    known: dict[str, Any] = {"_new": object.__new__, "_draft": draft_of(kind)}
    body = ["copied = _new(_draft)"]
    for field in fields(kind):
        if not field.init:
            known[f"_default_{field.name}"] = _fresh(field)
        source = f"record.{field.name}" if field.init else f"_default_{field.name}"
        body.append(f"copied.{field.name} = {source}")
    copy: Callable[[Any], Any] = _function("copy", ["record"], [*body, "return copied"], known)
    return copy


def _fresh(field: Field[Any]) -> Any:
    if field.default is MISSING:
        raise TypeError(f"{field.name} has no value of its own to begin anew with")
    return field.default


@cache
def draft_of(kind: Any) -> type[Any]:
    """The class of a record in the making: the same slots, and it may be written to."""
    if kind.__bases__ != (object,):
        raise TypeError(f"{kind.__name__} has slots of a base")
    return type(f"{kind.__name__}Draft", (), {"__slots__": kind.__slots__})


def _function(name: str, parameters: list[str], body: list[str], known: dict[str, Any]) -> Any:
    """A function written out for one kind of record, as the standard library does for its dataclasses."""
    lines = [f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in body)]
    exec("\n".join(lines), known)
    return known[name]


__all__ = ["draft_of", "quickly_made", "replace"]
