"""A person at the running daemon: the kill switch obeyed many times a second, beside everything else.

It runs in a task of its own, so that no slow answer of the broker stands between a person and a halt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.engine.state import EngineState
from bot.errors import BrokerError, NotPaperAccountError
from bot.events import Event, OperatorCommanded, Reconciled
from bot.switch import KillSwitch, Request
from risk.state import Cause, TradingState

LOOK_S = 0.05
BEAT_EVERY = 10  # looks


@dataclass(frozen=True, slots=True)
class Operated:
    """What is needed of the daemon: its state, events taken at once, records made durable, a fresh look."""

    state: Callable[[], EngineState]
    take: Callable[[Event], Awaitable[None]]
    durable: Callable[[], Awaitable[object]]
    reconcile: Callable[[], Awaitable[Reconciled]]


class Operation:
    """Obeys one switch for one daemon."""

    def __init__(self, switch: KillSwitch, daemon: Operated) -> None:
        self._switch = switch
        self._daemon = daemon
        self._told = ""

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            if await self.look() or looks % BEAT_EVERY == 0:
                self._switch.beat(self._standing())
            looks += 1
            await asyncio.sleep(LOOK_S)

    async def look(self) -> bool:
        """One look at the switch; whether it made a difference. Raises NotPaperAccountError, JournalError."""
        is_halted = Cause.OPERATOR in dict(self._daemon.state().risk.causes)
        asked = None if is_halted or not self._switch.is_pulled else self._switch.halt_asked()
        if asked is not None:
            await self._daemon.take(OperatorCommanded("halt", asked.who, asked.reason))
            await self._daemon.durable()
            return True
        asked = self._switch.resume_asked()
        if asked is None:
            return False
        await self._resume(asked)
        self._switch.beat(self._standing())
        self._switch.resume_answered()
        return True

    async def _resume(self, asked: Request) -> None:
        """Trade again, if the broker's books as they are now allow it."""
        self._told = ""
        try:
            await self._daemon.take(await self._daemon.reconcile())
        except NotPaperAccountError:
            raise
        except BrokerError as error:
            self._told = f"the broker's books cannot be had: {error}"
            return
        await self._daemon.take(OperatorCommanded("resume", asked.who, asked.reason))
        await self._daemon.durable()
        state = self._daemon.state()
        if state.risk.trading is TradingState.HALTED:
            self._told = _why(state) or "the journal says why"
            return
        self._switch.reset()

    def _standing(self) -> dict[str, Any]:
        state = self._daemon.state()
        return {
            "trading": state.risk.trading.value,
            "causes": {cause.value: detail for cause, detail in state.risk.causes},
            "connected": state.connected,
            "reconciled": state.reconciled,
            "told": self._told,
        }


def _why(state: EngineState) -> str:
    return "; ".join(
        f"{cause.value}: {detail}"
        for cause, detail in state.risk.causes
        if cause not in {Cause.OPERATOR, Cause.HALT}
    )
