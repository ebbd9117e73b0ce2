"""A tap on the line between a client and the gateway: it passes every byte on and notes the messages.

It cuts the streams into frames by itself, so that what the suite says of a message does not rest on either
side's own idea of it.
"""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

HOST = "127.0.0.1"
GREETING = b"API\0"
PREFIX = 4


@dataclass
class _Frames:
    """The message numbers in one direction of one connection."""

    held: bytes = b""
    skipped: int = 0  # frames that carry no message number: the handshake
    seen: set[int] = field(default_factory=set)

    def feed(self, data: bytes) -> None:
        """Take what came over the line, in whatever pieces."""
        self.held += data
        self.held = self.held.removeprefix(GREETING)
        while len(self.held) >= PREFIX:
            length = int.from_bytes(self.held[:PREFIX], "big")
            if len(self.held) < PREFIX + length:
                return
            payload, self.held = self.held[PREFIX : PREFIX + length], self.held[PREFIX + length :]
            if self.skipped:
                self.skipped -= 1
            else:
                self.seen.add(int(payload.split(b"\0", 1)[0]))


class Tap:
    """Listens on a free port and leads every connection to the gateway's."""

    def __init__(self, gateway_port: int) -> None:
        self._gateway_port = gateway_port
        self._asked: list[_Frames] = []
        self._told: list[_Frames] = []
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            _hang_up(one)
        for thread in self._threads:
            thread.join(5.0)

    @property
    def asked(self) -> frozenset[int]:
        """Numbers of the messages that clients sent."""
        return frozenset().union(*(frames.seen for frames in self._asked))

    @property
    def told(self) -> frozenset[int]:
        """Numbers of the messages that the gateway sent."""
        return frozenset().union(*(frames.seen for frames in self._told))

    def _run(self, work: object, *args: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            gateway = socket.create_connection((HOST, self._gateway_port))
            self._sockets += [client, gateway]
            asked, told = _Frames(skipped=1), _Frames(skipped=1)
            self._asked.append(asked)
            self._told.append(told)
            self._run(_pass, client, gateway, asked)
            self._run(_pass, gateway, client, told)


def _pass(source: socket.socket, sink: socket.socket, frames: _Frames) -> None:
    """Hand bytes on until one side hangs up, then hang up on both."""
    try:
        while data := source.recv(1 << 16):
            frames.feed(data)
            sink.sendall(data)
    except OSError:
        pass  # the other side went first
    for one in (sink, source):
        _hang_up(one)


def _hang_up(one: socket.socket) -> None:
    """End a connection in such a way that a thread that waits on it wakes."""
    with suppress(OSError):  # it was never connected, or the other side went first
        one.shutdown(socket.SHUT_RDWR)
    one.close()
