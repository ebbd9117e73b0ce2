"""The writing end of one client's conversation: what was agreed with the client and what waits to be sent
to it."""

from simulator import replies
from simulator.wire import to_bytes


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

    def drain(self) -> bytes:
        """Everything queued, for one write; empty when there is nothing."""
        if not self.outgoing:
            return b""
        data = to_bytes(self.outgoing)
        self.outgoing.clear()
        return data
