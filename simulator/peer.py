"""The writing end of one client's conversation: what was agreed with the client and what waits to be sent
to it."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Protocol

from simulator import replies
from simulator.wire import to_bytes


class Edge(Protocol):
    """What stands between the conversations and their clients, where something does."""

    def step(self, now: datetime) -> None:
        """Time has come to `now`."""

    def hears(self, message: Sequence[str]) -> bool:
        """Whether a client's message reaches the gateway."""

    def outgoing(self, client: Hashable, messages: Sequence[str]) -> list[str]:
        """What of `messages` leaves for a client now."""

    def forget(self, client: Hashable) -> None:
        """A client is gone."""


class Peer:
    """Agreed version, client id, and the messages of the current step."""

    __slots__ = ("client_id", "outgoing", "version")

    def __init__(self) -> None:
        self.version = 0
        self.client_id = -1
        self.outgoing: list[str] = []

    def write(self, message: str) -> None:
        """Queue an encoded message."""
        self.outgoing.append(message)

    def error(self, req_id: int, code: int, text: str) -> None:
        """Queue an error or notice; `req_id` -1 concerns the connection."""
        self.outgoing.append(replies.error(self.version, req_id, code, text))

    def drain(self, edge: Edge | None = None, client: Hashable = None) -> bytes:
        """Everything queued, for one write, as far as an `edge` lets it pass; empty when there is nothing."""
        if edge is not None:
            data = to_bytes(edge.outgoing(client, self.outgoing))
        elif self.outgoing:
            data = to_bytes(self.outgoing)
        else:
            return b""
        self.outgoing.clear()
        return data
