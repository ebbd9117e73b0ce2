"""Framing and field text of the TWS socket protocol."""

import struct
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import (
    FrameDecoder,
    FrameTooLongError,
    Value,
    frame,
    message,
    prefixed,
    split,
    text,
    to_bytes,
)

FIELD = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@given(
    payloads=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(0, 3000), max_size=20)
)
def test_frames_survive_any_segmentation(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    bounds = sorted({0, len(stream), *[cut for cut in cuts if cut < len(stream)]})
    decoder = FrameDecoder()
    received = [payload for a, b in pairwise(bounds) for payload in decoder.feed(stream[a:b])]
    assert received == payloads


def test_frames_survive_single_bytes() -> None:
    decoder = FrameDecoder()
    stream = frame(b"1\x002\x00") + frame(b"") + frame(b"x" * 300)
    received = [payload for i in range(len(stream)) for payload in decoder.feed(stream[i : i + 1])]
    assert received == [b"1\x002\x00", b"", b"x" * 300]


def test_a_prefix_beyond_the_guard_is_refused_before_its_bytes_arrive() -> None:
    decoder = FrameDecoder(max_frame=10)
    assert list(decoder.feed(frame(b"x" * 10))) == [b"x" * 10]
    with pytest.raises(FrameTooLongError):
        list(decoder.feed(struct.pack(">I", 11)))


@given(st.lists(FIELD, min_size=1, max_size=30))
def test_what_is_encoded_splits_into_the_same_fields(fields: list[str]) -> None:
    (payload,) = FrameDecoder().feed(to_bytes([message(*fields)]))
    assert split(payload) == fields


def test_a_nul_inside_a_text_cannot_shift_later_fields() -> None:
    (payload,) = FrameDecoder().feed(to_bytes([message(4, "a\0b", 5)]))
    assert split(payload) == ["4", "a b", "5"]


def test_bytes_that_are_not_utf8_do_not_end_the_conversation() -> None:
    assert split(b"1\x00\xff\x00") == ["1", "\\xff"]


def test_a_long_body_gets_the_prefix_of_its_length() -> None:
    for size in (127, 255, 1023, 1024, 70_000):
        data = to_bytes([prefixed("x" * size)])
        assert list(FrameDecoder().feed(data)) == [b"x" * size]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (True, "1"),
        (False, "0"),
        (None, ""),
        (0, "0"),
        (-18.9, "-18.9"),
        (2.0, "2.0"),
        (inf, "Infinite"),
        ("x", "x"),
    ],
)
def test_values_print_as_the_clients_read_them(value: Value, field: str) -> None:
    assert text(value) == field
