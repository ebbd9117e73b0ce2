"""Hypothesis values of any annotated type, read as the codec reads types."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from market.contract import Action, Combo, Contract, Leg, Right, SecurityType

SMALL = 2  # items in a collection: shapes matter here, not sizes

_numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
_whole = st.integers(-(2**53), 2**53)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 -- made aware on the spot
_json = st.recursive(
    st.none() | st.booleans() | _whole | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=SMALL) | st.dictionaries(_texts, inner, max_size=SMALL),
    max_leaves=4,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Any: _json,
    bool: st.booleans(),
    int: _whole,
    float: _numbers,
    str: _texts,
    datetime: _times,
    date: st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    # The encoder drops leading zeros of a time's fraction of a second; rules hold whole minutes.
    time: st.times().map(lambda exact: exact.replace(microsecond=0)),
    type(None): st.none(),
}


@st.composite
def combos(draw: st.DrawFn) -> Combo:
    """Combos that pass their own checks: distinct contracts with one multiplier."""
    strikes = draw(st.lists(st.integers(1, 9000), min_size=1, max_size=4, unique=True))
    expiry = draw(st.dates(date(2020, 1, 1), date(2030, 1, 1)))
    return Combo(
        tuple(
            Leg(
                Contract(
                    SecurityType.OPTION,
                    "SPX",
                    "SPXW",
                    expiry,
                    float(strike),
                    draw(st.sampled_from(Right)),
                    100,
                    con_id=strike,
                ),
                draw(st.sampled_from(Action)),
            )
            for strike in strikes
        )
    )


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one annotation."""
    return _values(kind)


@cache
def _values(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is Combo:
        return combos()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(
            kind, **{field.name: values_of(hints[field.name]) for field in fields(kind) if field.init}
        )
    return _generic(get_origin(kind), get_args(kind), kind)


def _generic(origin: Any, arguments: tuple[Any, ...], kind: Any) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is frozenset:
        return st.frozensets(values_of(arguments[0]), max_size=SMALL)
    if origin in (Union, types.UnionType):
        return st.one_of([values_of(argument) for argument in arguments])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=SMALL).map(tuple)
    if origin is tuple:
        return st.tuples(*[values_of(argument) for argument in arguments])
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=SMALL)
    raise TypeError(f"no values known for {kind}")
