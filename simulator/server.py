"""The gateway on a socket: a small asyncio shell, bound to this machine only.

It accepts connections, hands their bytes to conversations and keeps time: the market is stepped and quotes
go out every 100 ms for options and every 250 ms for the rest, as the broker conflates them. The same shell
runs on a virtual-time loop.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from simulator.gateway import Gateway
from simulator.session import Session

HOST: Final = "127.0.0.1"
#: A client that leaves this much unread has stalled and is cut off, before it takes the gateway's memory.
UNREAD_BYTES_MAX: Final = 32 << 20
_SAME_MOMENT_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Pace:
    """How often quotes of options and of everything else go out, in seconds."""

    options_s: float = 0.1
    others_s: float = 0.25


class GatewayProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._session = self._gateway.connect(self._send, transport.close)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._session is not None:
            self._session.receive(data)

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._transport.abort()
        else:
            self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """The client is gone."""
        if self._session is not None:
            self._gateway.disconnect(self._session)
            self._session = None
            self._transport = None


class GatewayServer:
    """Serves a gateway on a port of this machine and steps it."""

    def __init__(self, gateway: Gateway, port: int, pace: Pace | None = None) -> None:
        self._gateway = gateway
        self._port = port
        self._pace = Pace() if pace is None else pace
        self._server: asyncio.AbstractServer | None = None
        self._stepping: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is served; with port 0 the one the system chose."""
        if isinstance(self._server, asyncio.Server) and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def start(self) -> None:
        """Listen and begin to step. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: GatewayProtocol(self._gateway), HOST, self._port)
        self._stepping = loop.create_task(self._keep_time())

    async def stop(self) -> None:
        """Stop stepping and listening, and hang up on every client."""
        if self._stepping is not None:
            self._stepping.cancel()
            await asyncio.gather(self._stepping, return_exceptions=True)
            self._stepping = None
        if self._server is not None:
            self._server.close()
            self._gateway.hang_up()
            await self._server.wait_closed()
            self._server = None

    def require_stepping(self) -> None:
        """Raise what ended the stepping, if something did."""
        if self._stepping is not None and self._stepping.done():
            self._stepping.result()

    async def serve(self) -> None:
        """Start and step until cancelled. A failure of the venue ends it, as a crash of the gateway would."""
        await self.start()
        try:
            if self._stepping is not None:
                await self._stepping
        finally:
            await self.stop()

    async def _keep_time(self) -> None:
        loop = asyncio.get_running_loop()
        pace = self._pace
        # Deadlines are multiples of an interval from one origin, so that lateness does not add up.
        origin = loop.time()
        option_turns = other_turns = 0
        while True:
            due_s = min(option_turns * pace.options_s, other_turns * pace.others_s)
            await asyncio.sleep(max(0.0, origin + due_s - loop.time()))
            options = option_turns * pace.options_s <= due_s + _SAME_MOMENT_S
            others = other_turns * pace.others_s <= due_s + _SAME_MOMENT_S
            self._gateway.step(options, others)
            late_s = loop.time() - origin
            if options:
                option_turns = max(option_turns + 1, int(late_s / pace.options_s))
            if others:
                other_turns = max(other_turns + 1, int(late_s / pace.others_s))
