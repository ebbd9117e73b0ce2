"""One canonical form for everything that is written: typed values to JSON bytes and back.

Encoding is orjson's: fields in declared order, times in UTC with Z, dates as ISO, enums as their value, no
blanks. Decoding follows the type annotations, so that a record read back equals the value that was written.
Decoders are built once for each type.
"""

import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS

Decoder = Callable[[Any], Any]
_SCALARS = {str, int, float, bool}


def canonical(value: object) -> bytes:
    """The one byte string of a value made of dataclasses, enums, times, tuples, mappings and JSON scalars.

    Raises TypeError on anything else. NaN and infinity become null: they have no place in a record, and the
    edge refuses them.
    """
    return orjson.dumps(value, default=_in_order, option=_OPTIONS)


class Rewriter:
    """The canonical bytes of one dataclass ever anew: a field that is still the same object keeps its bytes.

    For records whose fields are never changed in place. From one checkpoint of the engine's state to the next
    a few fields are new; those with most of the bytes, such as the listings, are not.
    """

    def __init__(self) -> None:
        self._written: dict[str, tuple[object, bytes]] = {}

    def canonical(self, record: "DataclassInstance") -> bytes:
        """The one byte string of the record as it is now. Raises TypeError as `canonical` does."""
        written = (self._member(field.name, getattr(record, field.name)) for field in fields(record))
        return b"{%b}" % b",".join(written)

    def _member(self, name: str, value: object) -> bytes:
        known = self._written.get(name)
        if known is None or known[0] is not value:
            known = value, b'"%b":%b' % (name.encode(), canonical(value))
            self._written[name] = known
        return known[1]


def _in_order(value: object) -> object:
    """A set has no order of its own; written, it is ascending."""
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no canonical form for {type(value).__name__}")


def decode(kind: type[T], data: bytes) -> T:
    """Read a value of `kind` from canonical bytes.

    Raises ValueError (also KeyError or TypeError) on a malformed body.
    """
    return restore(kind, orjson.loads(data))


def restore(kind: type[T], plain: Any) -> T:
    """Rebuild a value of `kind` from parsed JSON."""
    decoder: Callable[[Any], T] = _decoder(_hashable(kind))
    return decoder(plain)


def _hashable(kind: Any) -> Hashable:
    """A type as a cache key: every annotation is one, which `type[T]` does not say."""
    key: Hashable = kind
    return key


@cache
def _decoder(kind: Any) -> Decoder:
    """Decoder of one annotation."""
    if kind is Any or kind in (str, int, bool, type(None)):
        return _identity
    if kind is float:
        return float
    if kind is datetime:
        return _read_time
    if kind in (date, time):
        read: Decoder = kind.fromisoformat
        return read
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_decoder(kind)
    return _generic_decoder(kind, get_origin(kind), get_args(kind))


def _generic_decoder(kind: Any, origin: Any, arguments: tuple[Any, ...]) -> Decoder:
    if origin is Literal:
        return _literal_decoder(arguments)
    if origin in (Union, types.UnionType):
        members = [argument for argument in arguments if argument is not type(None)]
        if set(members) <= _SCALARS:
            return _scalar_decoder(frozenset(arguments))
        if len(members) != 1:
            raise TypeError(f"only optional values and unions of scalars can be read back, not {kind}")
        only = _decoder(members[0])
        return lambda plain: None if plain is None else only(plain)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _decoder(arguments[0])
        return lambda plain: tuple([item(element) for element in plain])
    if origin is tuple:
        return _row_decoder(arguments)
    if origin is frozenset:
        item = _decoder(arguments[0])
        return lambda plain: frozenset(item(element) for element in plain)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping_decoder(_key_decoder(arguments[0]), _decoder(arguments[1]))
    raise TypeError(f"no canonical form for {kind}")


def _row_decoder(arguments: tuple[Any, ...]) -> Decoder:
    """Rows of a fixed length. One of scalars that have their types already, as a quote, is taken as it is."""
    items = [_decoder(argument) for argument in arguments]

    def read(plain: Any) -> Any:
        return tuple([item(element) for item, element in zip(items, plain, strict=True)])

    written = [_written_as(argument) for argument in arguments]
    if not all(written):
        return read
    as_they_are = frozenset(product(*written))

    def taken(plain: Any) -> Any:
        return tuple(plain) if tuple(map(type, plain)) in as_they_are else read(plain)

    return taken


def _written_as(kind: Any) -> frozenset[type[Any]]:
    """The types of parsed JSON that are a scalar of this kind already; none for what has to be read."""
    kinds = frozenset(get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,))
    return kinds if kinds <= _SCALARS | {type(None)} else frozenset()


def _literal_decoder(allowed: tuple[Any, ...]) -> Decoder:
    def read(plain: Any) -> Any:
        if plain not in allowed:
            raise ValueError(f"{plain!r} is not one of {', '.join(map(str, allowed))}")
        return plain

    return read


def _scalar_decoder(members: frozenset[Any]) -> Decoder:
    """Scalars tell their own type, apart from a whole number where only a float is known."""
    is_float = float in members and int not in members

    def read(plain: Any) -> Any:
        if is_float and type(plain) is int:
            return float(plain)
        if type(plain) not in members:
            raise ValueError(f"{plain!r} is of another type than the field")
        return plain

    return read


def _mapping_decoder(key: Decoder, value: Decoder) -> Decoder:
    def read(plain: Any) -> Any:
        if not isinstance(plain, dict):
            raise ValueError(f"a mapping is not made of {plain!r}")
        return {key(name): value(element) for name, element in plain.items()}

    return read


def _key_decoder(kind: Any) -> Decoder:
    return int if kind is int else _decoder(kind)


def _dataclass_decoder(kind: type[Any]) -> Decoder:
    hints = get_type_hints(kind)
    readers = [(field.name, _decoder(hints[field.name])) for field in fields(kind)]
    known = {name for name, _ in readers}

    def read(plain: Mapping[str, Any]) -> Any:
        if not isinstance(plain, dict):
            raise ValueError(f"{kind.__name__} is not made of {plain!r}")
        unknown = plain.keys() - known
        if unknown:
            raise ValueError(f"{kind.__name__} has no field {min(unknown)}")
        return kind(**{name: reader(plain[name]) for name, reader in readers if name in plain})

    return read


def _identity(plain: Any) -> Any:
    return plain


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
