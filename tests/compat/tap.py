"""A wire tap: relays one side to the other unchanged and counts the messages that really passed.

It knows frames and message ids and nothing else, and shares no code with the gateway or a client.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

_GREETING: Final = b"API\0"
_CHUNK: Final = 1 << 16

Traffic = tuple[Counter[int], Counter[int]]


class _Frames:
    """Message ids in a byte stream that begins with `preamble` raw bytes and one frame without an id."""

    def __init__(self, preamble: int) -> None:
        self._skip = preamble
        self._greeted = False
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[int]:
        """The ids of the messages that `data` completes."""
        self._buffer += data
        if self._skip:
            if len(self._buffer) < self._skip:
                return
            self._buffer, self._skip = self._buffer[self._skip :], 0
        while len(self._buffer) >= 4:
            (size,) = struct.unpack_from(">I", self._buffer)
            if len(self._buffer) < 4 + size:
                return
            payload, self._buffer = self._buffer[4 : 4 + size], self._buffer[4 + size :]
            if self._greeted:
                yield int(payload.partition(b"\0")[0])
            self._greeted = True


class Tap:
    """Listens on a port of this machine for any number of clients of the gateway on `target`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._sent: Counter[int] = Counter()
        self._received: Counter[int] = Counter()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def traffic(self) -> Traffic:
        """Messages so far by id: of clients, of the gateway."""
        with self._lock:
            return self._sent.copy(), self._received.copy()

    def close(self) -> None:
        """Take no more clients."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            gateway = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, frames, counts in (
                (client, gateway, _Frames(len(_GREETING)), self._sent),
                (gateway, client, _Frames(0), self._received),
            ):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(
                    target=self._relay, args=(source, sink, frames.feed, counts), daemon=True
                ).start()

    def _relay(
        self,
        source: socket.socket,
        sink: socket.socket,
        feed: Callable[[bytes], Iterator[int]],
        counts: Counter[int],
    ) -> None:
        while True:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            with self._lock:
                counts.update(feed(data))
            try:
                sink.sendall(data)
            except OSError:
                break
        for end in (sink, source):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        source.close()
