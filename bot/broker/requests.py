"""Questions put to the broker and the answers still to come.

An answer is complete only when its end marker has arrived. What does not arrive within its deadline is a
failure, never an empty answer: both client libraries take a timeout for "no positions, no orders".
"""

import asyncio
from typing import Any

from bot.errors import BrokerError, BrokerUnreachableError

Key = int | str


class RefusedError(BrokerError):
    """The broker answered a question with an error. `code` is the broker's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the broker refused a request: {code} {text}")
        self.code = code
        self.text = text


class Requests:
    """Open questions by request id, or by name where the protocol has no id."""

    def __init__(self) -> None:
        self._rows: dict[Key, list[Any]] = {}
        self._futures: dict[Key, asyncio.Future[list[Any]]] = {}

    def is_open(self, key: Key) -> bool:
        """Whether an answer is awaited."""
        return key in self._futures

    def open(self, key: Key) -> None:
        """Begin to collect an answer. Raises BrokerError when the same question is already open."""
        if key in self._futures:
            raise BrokerError(f"the broker is already being asked for {key}")
        self._rows[key] = []
        self._futures[key] = asyncio.get_running_loop().create_future()

    def row(self, key: Key, row: Any) -> bool:
        """Add a row to an open answer; False when nobody asked."""
        rows = self._rows.get(key)
        if rows is None:
            return False
        rows.append(row)
        return True

    def end(self, key: Key) -> None:
        """The end marker arrived."""
        future = self._futures.get(key)
        if future is not None and not future.done():
            future.set_result(self._rows[key])

    def refuse(self, key: Key, code: int, text: str) -> bool:
        """The broker answered with an error; False when nobody asked."""
        future = self._futures.get(key)
        if future is None:
            return False
        if not future.done():
            future.set_exception(RefusedError(code, text))
        return True

    def refuse_named(self, code: int, text: str) -> None:
        """An error without an id that can only mean a question asked by name."""
        for key in list(self._futures):
            if isinstance(key, str):
                self.refuse(key, code, text)

    def abandon(self, reason: str) -> None:
        """The session is gone: every open question fails."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(BrokerUnreachableError(reason))

    async def answer(self, key: Key, within_s: float) -> list[Any]:
        """The complete answer.

        Raises RefusedError, or BrokerUnreachableError when it does not come in time.
        """
        future = self._futures[key]
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise BrokerUnreachableError(
                f"the broker did not finish answering {key} in {within_s:g} s"
            ) from None
        finally:
            future.cancel()
            self._futures.pop(key, None)
            self._rows.pop(key, None)
