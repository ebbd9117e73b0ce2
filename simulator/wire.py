"""Framing of the TWS socket protocol, text dialect: bytes in, payloads out, and values back to bytes.

A frame is a four-byte big-endian length and that many bytes; a payload is a row of fields, each ended by
one NUL. Nothing here knows what a message means. Outgoing text is kept as `str` in which every character
is one byte, length prefix included, so that a whole step of ticks is joined and encoded once.
"""

import struct
from collections.abc import Iterable, Iterator
from math import inf, isinf

#: Longest frame taken from a client. The longest honest one, an order with many legs and conditions,
#: stays under 16 kB.
MAX_FRAME = 1 << 18

_PREFIX = struct.Struct(">I")
#: What clients write for a number that is not set.
UNSET_DOUBLE = "1.7976931348623157E308"

#: Length prefixes as text, one character a byte.
_SHORT_PREFIX = tuple(_PREFIX.pack(n).decode("latin-1") for n in range(1024))

Value = str | int | float | bool | None


class FrameTooLongError(ValueError):
    """A length prefix beyond the guard: the stream is corrupt or hostile and cannot be resynchronised."""


class FrameDecoder:
    """Cuts a byte stream into payloads, however the network segmented it."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._max_frame = max_frame

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Payloads completed by `data`, in order; to be read to the end.

        Raises FrameTooLongError on reaching a prefix that announces more than the guard. Payloads before it
        have been given by then, so that what is obeyed does not depend on the segmentation.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= 4:
                (length,) = _PREFIX.unpack_from(buffer, start)
                if length > self._max_frame:
                    raise FrameTooLongError(f"a frame of {length} bytes")
                end = start + 4 + length
                if len(buffer) < end:
                    break
                payload = bytes(buffer[start + 4 : end])
                start = end
                yield payload
        finally:
            del buffer[:start]

    def take(self, count: int) -> bytes | None:
        """The next `count` raw bytes (the unframed greeting), or None while there are fewer."""
        if len(self._buffer) < count:
            return None
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def hold(self, data: bytes) -> None:
        """Keep bytes without cutting frames yet."""
        self._buffer += data


def split(payload: bytes) -> list[str]:
    """Fields of a payload. A missing last NUL is forgiven; bytes that are not UTF-8 are escaped."""
    fields = payload.decode("utf-8", "backslashreplace").split("\0")
    if not fields[-1]:
        fields.pop()
    return fields


def text(value: Value) -> str:
    """A value as its field: booleans 0/1, None empty, whole floats without an exponent, infinity as
    `Infinite`.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True:
        return "1"
    if value is False:
        return "0"
    if isinstance(value, float):
        if isinf(value):
            return "Infinite" if value == inf else "-Infinite"
        return repr(float(value))
    return str(value)


def message(*values: Value) -> str:
    """One message with its length prefix, as one-byte characters.

    A NUL inside a text would shift every later field, so it becomes a blank.
    """
    body = "".join([text(value) + "\0" for value in values])
    if body.count("\0") > len(values):
        body = "".join([text(value).replace("\0", " ") + "\0" for value in values])
    if not body.isascii():
        body = body.encode().decode("latin-1")
    return prefixed(body)


def prefixed(body: str) -> str:
    """`body` (one-byte characters, every field ended) with its length prefix."""
    size = len(body)
    return (_SHORT_PREFIX[size] if size < 1024 else _PREFIX.pack(size).decode("latin-1")) + body


def to_bytes(messages: Iterable[str]) -> bytes:
    """Messages made by `message` or `prefixed`, joined for one write."""
    return "".join(messages).encode("latin-1")


def frame(payload: bytes) -> bytes:
    """A raw payload with its length prefix."""
    return _PREFIX.pack(len(payload)) + payload
