"""The stand-in pages over HTTP, on this machine only: GET, one answer, then the connection closes."""

import asyncio
from typing import Final

from simulator.local_port import LocalPort
from simulator.model import Market
from simulator.publications import respond

_REQUEST_BYTES_MAX: Final = 8192
_REQUEST_S_MAX: Final = 10.0
_REASONS: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class PageServer(LocalPort):
    """Serves `simulator.publications` of one market."""

    def __init__(self, market: Market, port: int) -> None:
        super().__init__(port, _REQUEST_BYTES_MAX)
        self._market = market

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S_MAX):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(head))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # whoever does not ask properly gets no answer
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        target = rest.partition(b" ")[0].decode("latin-1")
        if method != b"GET":
            status, kind, body = 405, "text/plain", b"only GET\n"
        else:
            status, kind, body = respond(self._market, target)
        lines = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
