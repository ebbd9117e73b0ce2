"""A TCP port on this machine only; what is said on it is for the class that is served."""

import asyncio
from abc import ABC, abstractmethod

from simulator.server import HOST


class LocalPort(ABC):
    """Listens, and lets `_converse` speak on each connection."""

    def __init__(self, port: int, line_bytes_max: int) -> None:
        self._port = port
        self._line_bytes_max = line_bytes_max
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is served; with port 0 the one the system chose."""
        if self._server is not None and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._converse, HOST, self._port, limit=self._line_bytes_max
        )

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @abstractmethod
    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its close."""
