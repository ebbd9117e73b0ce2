"""Packing: what was packed comes back, by any gzip program too, and what was changed is refused."""

import gzip
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.journal.packing import HEADER, pack, unpack

LINES = b"".join(b'{"seq":%d,"text":"the same words again"}\n' % number for number in range(400))


def unpacked(data: bytes) -> bytes:
    return b"".join(unpack(BytesIO(data)))


@given(st.binary(max_size=2000), st.integers(0, 200))
def test_what_was_packed_comes_back(data: bytes, repeats: int) -> None:
    assert unpacked(pack(data * repeats)) == data * repeats


def test_any_gzip_program_reads_it_and_its_header_names_no_moment() -> None:
    packed = pack(LINES)
    assert gzip.decompress(packed) == LINES
    assert packed.startswith(HEADER)
    assert len(packed) < len(LINES) / 5


def test_a_changed_byte_is_refused_or_changes_nothing() -> None:
    packed = pack(LINES)
    silent = 0
    for position in range(len(packed)):
        changed = bytearray(packed)
        changed[position] ^= 0x10
        try:
            assert unpacked(bytes(changed)) == LINES
            silent += 1
        except ValueError:
            pass
    assert silent <= 1  # the bits that fill up the last byte of the deflated data


@pytest.mark.parametrize("keep", [0, 5, len(HEADER), 60, -9, -1])
def test_a_cut_end_is_refused(keep: int) -> None:
    with pytest.raises(ValueError, match=r"header|too soon|trailer"):
        unpacked(pack(LINES)[:keep])


@pytest.mark.parametrize("behind", [b"\0", b"x", pack(b"more")])
def test_nothing_may_stand_behind_the_end(behind: bytes) -> None:
    with pytest.raises(ValueError, match="trailer"):
        unpacked(pack(LINES) + behind)
