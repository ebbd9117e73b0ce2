"""Bytes packed by gzip's format, with a header that never differs and nothing behind the end.

The standard library's reader takes any header and forgives what stands behind the trailer; here both are
checked, so that a packed file can only be changed where it changes its content, which the journal's chain
finds. Any gzip program reads what is written here.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

# gzip, deflate, no flags, no time, packed as small as possible, by an unnamed system
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
_RAW = -zlib.MAX_WBITS
_PIECE = 1 << 16


def pack(data: bytes) -> bytes:
    """The packed form; `unpack` gives the data back."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return HEADER + deflate.compress(data) + deflate.flush() + _trailer(zlib.crc32(data), len(data))


def unpack(stream: BinaryIO) -> Iterator[bytes]:
    """The data in pieces, from a stream that stands at its beginning.

    Raises ValueError on anything `pack` has not written; what was handed out before may be good.
    """
    if stream.read(len(HEADER)) != HEADER:
        raise ValueError("another header than a packed segment has")
    inflate = zlib.decompressobj(_RAW)
    check, size, waiting = 0, 0, b""
    while not inflate.eof:
        waiting = waiting or stream.read(_PIECE)
        if not waiting:
            raise ValueError("the packed data end too soon")
        try:
            piece = inflate.decompress(waiting, _PIECE)
        except zlib.error as error:
            raise ValueError(f"the packed data are damaged: {error}") from error
        waiting = inflate.unconsumed_tail
        check, size = zlib.crc32(piece, check), size + len(piece)
        yield piece
    if inflate.unused_data + stream.read() != _trailer(check, size):
        raise ValueError("the packed data do not fit their trailer")


def _trailer(check: int, size: int) -> bytes:
    return check.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
