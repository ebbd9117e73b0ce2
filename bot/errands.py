"""Requests to the broker that run beside the daemon's loop; each answer is an event like any other."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bot.errors import BrokerError, NotPaperAccountError
from bot.events import Event, RequestFailed


class Errands:
    """What is being asked for now.

    `post` takes the answers; `group` holds the tasks while the daemon runs.
    """

    def __init__(self, post: Callable[[Event], None]) -> None:
        self.group: asyncio.TaskGroup | None = None
        self._post = post
        self._running: dict[asyncio.Task[None], None] = {}

    def start(self, request: Coroutine[Any, Any, Event]) -> None:
        """Let a request run beside the loop. A request that fails is told: whoever needs it asks again."""
        if self.group is None:
            raise RuntimeError("requests start while the daemon runs")
        task = self.group.create_task(self._answer(request))
        self._running[task] = None

        def ended(done: asyncio.Task[None]) -> None:
            del self._running[done]
            request.close()  # it may have been cancelled before it began

        task.add_done_callback(ended)

    def cancel(self) -> None:
        """End them all: whatever they would still tell, the next start asks for again."""
        for task in tuple(self._running):
            task.cancel()

    async def _answer(self, request: Coroutine[Any, Any, Event]) -> None:
        try:
            self._post(await request)
        except NotPaperAccountError:
            raise  # nobody asks this gateway again
        except BrokerError as error:
            self._post(RequestFailed(str(error)))
