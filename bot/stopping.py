"""A stop that was asked for: it ends waiting, never an event that is being taken.

What the daemon waits for can be slow, a gateway that hangs above all; a clean stop has seconds. Every
question to the broker is therefore put so that a stop ends the wait for its answer. Taking an event, from its
record to its commands, is never interrupted.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.errors import BrokerError

Answer = TypeVar("Answer")


class StopAskedError(BrokerError):
    """The answer is not waited for any more: the daemon was asked to stop."""


class StopSignal:
    """Asked for at most once; the first reason stands."""

    def __init__(self) -> None:
        self.reason = ""
        self._asked = asyncio.Event()

    def ask(self, reason: str) -> None:
        """Ask for a stop."""
        self.reason = self.reason or reason
        self._asked.set()

    async def asked_within(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; whether it is."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def unless(self, request: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer of `request`. Raises what it raises, and StopAskedError once a stop is asked for."""
        task = asyncio.ensure_future(request)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise StopAskedError(self.reason)
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
