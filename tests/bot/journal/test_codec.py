"""What is written reads back equal, in one form only, whatever the values."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.decision import Decision
from bot.engine.state import EngineState
from bot.journal.codec import Rewriter, canonical, decode, restore
from bot.journal.records import COMMANDS, EVENTS
from market.order import OrderStatus
from tests.bot.journal.typed_values import values_of

WRITTEN: dict[str, type[Any]] = {**EVENTS, **COMMANDS, "Decision": Decision}


@pytest.mark.parametrize("kind", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_kind_of_record_reads_back_equal_and_writes_the_same_bytes_again(kind: type[Any]) -> None:
    @settings(max_examples=20)
    @given(values_of(kind))
    def round_trip(value: Any) -> None:
        data = canonical(value)
        assert decode(kind, data) == value
        assert canonical(decode(kind, data)) == data
        assert b"\n" not in data

    round_trip()


@dataclass(frozen=True)
class Figure:
    """A field whose equal values are written differently."""

    value: float
    name: str = "figure"


def test_a_field_is_rewritten_for_an_equal_value_that_is_written_otherwise() -> None:
    rewriter = Rewriter()
    for value in (1.0, True, 1, 0.0, -0.0):
        assert rewriter.canonical(Figure(value)) == canonical(Figure(value))


@settings(max_examples=20)
@given(values_of(EngineState))
def test_the_engine_state_reads_back_equal_and_writes_the_same_bytes_again(state: EngineState) -> None:
    data = canonical(state)
    assert decode(EngineState, data) == state
    assert canonical(decode(EngineState, data)) == data


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 -- made aware below
def test_one_instant_is_written_in_one_way_whatever_its_zone(naive: datetime, offset_min: int) -> None:
    there = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    read = decode(datetime, canonical(there.astimezone(UTC)))
    assert read == there
    assert canonical(read).endswith(b'Z"')


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    price: float = 0.0
    level: float | str | None = None
    status: OrderStatus = OrderStatus.INTENT
    days: tuple[date, ...] = ()
    pair: tuple[int, float] | None = None


def test_missing_fields_take_their_defaults() -> None:
    assert decode(Row, b'{"name":"a"}') == Row("a")


def test_a_whole_number_in_a_float_field_reads_as_a_float() -> None:
    row = decode(Row, b'{"name":"a","price":3,"level":4}')
    assert (row.price, row.level) == (3.0, 4.0)
    assert isinstance(row.price, float)
    assert isinstance(row.level, float)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"name":"a","nam":"b"}',
        b'{"name":"a","price":null}',
        b'{"name":"a","price":"high"}',
        b'{"name":"a","level":true}',
        b'{"name":"a","level":[1]}',
        b'{"name":"a","status":"lively"}',
        b'{"name":"a","days":["2024-02-30"]}',
        b'{"name":"a","days":5}',
        b'{"name":"a","pair":[1]}',
        b'{"name":"a","pair":[1,2.0,3]}',
    ],
)
def test_a_malformed_body_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(Row, data)


def test_a_type_without_a_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="canonical"):
        restore(list[int], [1])
    with pytest.raises(TypeError, match="unions"):
        restore(Row | date, {})  # type: ignore[arg-type]  # what is refused here


def test_values_without_a_canonical_form_are_not_written() -> None:
    with pytest.raises(TypeError):
        canonical({"a": {1, 2}})
    assert canonical(float("nan")) == b"null"


@dataclass(frozen=True)
class Chosen:
    way: Literal["up", "down"]
    counts: dict[str, int]


def test_a_value_of_no_allowed_kind_does_not_read_back() -> None:
    good = Chosen("up", {"a": 1})
    assert decode(Chosen, canonical(good)) == good
    with pytest.raises(ValueError, match="'left' is not one of up, down"):
        decode(Chosen, b'{"way":"left","counts":{}}')
    with pytest.raises(ValueError, match="a mapping is not made of"):
        decode(Chosen, b'{"way":"up","counts":[1]}')


def test_a_row_of_numbers_reads_back_with_the_types_of_its_fields() -> None:
    row: Any = tuple[int, float | None, float | None]
    for plain, types in (
        ([1, 2.0, None], (int, float, type(None))),
        ([1, 2, None], (int, float, type(None))),
        ([1, None, 3], (int, type(None), float)),
    ):
        assert tuple(map(type, restore(row, plain))) == types
    with pytest.raises(ValueError, match="zip"):
        restore(row, [1, 2.0])
