"""A small HTTP port, on this machine only, through which a test steers a running gateway.

GET /status; POST /advance {"seconds": 60} where time is held; POST /error {"code": 1100, "text": "...",
"client": 7, "id": -1}; POST /drop {"client": 7}; POST /fault with one fault as in a plan; POST /reset
{"cash_usd": 1000000}. Answers are JSON: 400 for a request that makes no sense, 409 for one that is not
possible now.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulator.account import STARTING_CASH_USD
from simulator.box import PaperBox
from simulator.faults import FaultPlanError
from simulator.local_port import LocalPort

_HEAD_BYTES_MAX: Final = 8192
_BODY_BYTES_MAX: Final = 65_536
_REQUEST_S_MAX: Final = 10.0
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 413: "Content Too Large",
}  # fmt: skip

Answer = tuple[int, dict[str, Any]]


class ControlPort(LocalPort):
    """Serves the controls of one box."""

    def __init__(self, box: PaperBox, port: int = 0) -> None:
        super().__init__(port, _HEAD_BYTES_MAX)
        self._box = box

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Status and JSON answer of one request."""
        if target == "/status":
            return (200, self._box.status()) if method == "GET" else (405, _why("GET /status"))
        action = self._actions().get(target)
        if action is None:
            return 404, _why(f"no such control: {target[:80]}")
        if method != "POST":
            return 405, _why(f"POST {target}")
        try:
            row = json.loads(body) if body else {}
            if not isinstance(row, dict):
                return 400, _why("the body is a JSON object")
            return 200, action(row)
        except _ConflictError as error:
            return 409, _why(str(error))
        except ValueError as error:
            return 400, _why(str(error))

    def _actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "/advance": self._advance,
            "/error": self._error,
            "/drop": self._drop,
            "/fault": self._fault,
            "/reset": self._reset,
        }

    def _advance(self, row: dict[str, Any]) -> dict[str, Any]:
        seconds = _number(row, "seconds")
        if not self._box.clock.is_held:
            raise _ConflictError("market time runs by itself; start the gateway with --speed 0 to hold it")
        return {"market_time": self._box.advance(seconds).isoformat()}

    def _error(self, row: dict[str, Any]) -> dict[str, Any]:
        code, text = _integer(row, "code"), row.get("text", "")
        if not isinstance(text, str):
            raise ValueError("'text' is a text")
        client = None if row.get("client") is None else _integer(row, "client")
        req_id = -1 if row.get("id") is None else _integer(row, "id")
        return {"clients": self._box.send_error(code, text, client, req_id)}

    def _drop(self, row: dict[str, Any]) -> dict[str, Any]:
        client = None if row.get("client") is None else _integer(row, "client")
        return {"clients": self._box.drop(client)}

    def _fault(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"armed": self._box.inject(row).kind}
        except FaultPlanError as error:
            raise ValueError(str(error)) from error

    def _reset(self, row: dict[str, Any]) -> dict[str, Any]:
        cash = _number(row, "cash_usd") if "cash_usd" in row else STARTING_CASH_USD
        self._box.reset_account(cash)
        return {"cash_usd": cash}

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S_MAX):
                writer.write(await self._respond(reader))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # whoever does not ask properly gets no answer
        finally:
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        # A page in a browser on this machine must not steer the gateway, whatever name it came by.
        host = headers.get("host", "").rsplit(":", 1)[0]
        if host not in {"127.0.0.1", "localhost"} or "origin" in headers:
            return _http(403, _why("only programs on this machine may ask"))
        size = headers.get("content-length", "0")
        if not size.isdigit() or len(size) > 9:
            return _http(400, _why("Content-Length is a number"))
        if int(size) > _BODY_BYTES_MAX:
            return _http(413, _why(f"a body has up to {_BODY_BYTES_MAX} bytes"))
        body = await reader.readexactly(int(size))
        return _http(*self.answer(method, rest.partition(" ")[0], body))


class _ConflictError(Exception):
    """Asked for at the wrong time."""


def _http(status: int, answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode() + b"\n"
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _why(text: str) -> dict[str, Any]:
    return {"error": text}


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueError(f"{name!r} is a number above 0, not {value!r}")
    return float(value)


def _integer(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 31:
        raise ValueError(f"{name!r} is a whole number, not {value!r}")
    return value
