"""A gateway that runs in a thread of its own, for tests and tools that speak to it over a real socket.

Its methods may be called from any thread; they are carried out on the gateway's loop and return when they are
done there.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from simulator.account import STARTING_CASH_USD
from simulator.box import PaperBox, Rights, Scripting
from simulator.clock import MarketClock, wall_now
from simulator.control_port import ControlPort
from simulator.exchange import Exchange
from simulator.floor import HouseRules
from simulator.server import HOST, GatewayServer, Pace
from simulator.stochastic import StochasticMarket

#: A Monday, half past ten in New York.
OPENS_AT: Final = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
_PATIENCE_S: Final = 60.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Opening:
    """How a gateway is opened. `faults`: `seed:N` or a plan's file; `script`: a script's file; `restart`: the
    New York time of day at which it restarts by itself.
    """

    seed: int = 1
    at: datetime = OPENS_AT
    speed: float = 1.0
    account: str = "DU0000000"
    scenario: str = "calm"
    sparse_chains: bool = False
    faults: str | None = None
    script: Path | None = None
    restart: time | None = None
    rules: HouseRules = field(default_factory=HouseRules)
    rights: Rights = field(default_factory=Rights)
    pace: Pace = field(default_factory=Pace)
    cash_usd: float = STARTING_CASH_USD


class RunningGateway:
    """A gateway on a free port of this machine."""

    host: Final = HOST

    def __init__(self, opening: Opening | None = None) -> None:
        """Open and serve. Raises FaultPlanError or ValueError for an opening that makes no sense."""
        self.opening = opening or Opening()
        box = _box_of(self.opening)
        self._box = box
        self.account = self.opening.account
        self._loop = asyncio.new_event_loop()
        self._server = GatewayServer(box.gateway, 0, self.opening.pace)
        self._control = ControlPort(box)
        self._thread = threading.Thread(target=self._run, name="alvh-gateway", daemon=True)
        self._thread.start()
        self._ask(self._start())
        self.port = self._server.port
        self.control_port = self._control.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Hang up on every client and stop serving; a second call does nothing."""
        if self._thread.is_alive():
            self._ask(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE_S)
            self._loop.close()

    def call(self, action: Callable[[PaperBox], Result]) -> Result:
        """Carry `action` out on the gateway's own loop; its result, or its exception."""

        async def carry_out() -> Result:
            return action(self._box)

        return asyncio.run_coroutine_threadsafe(carry_out(), self._loop).result(_PATIENCE_S)

    def status(self) -> dict[str, Any]:
        """What goes on: market time, clients, orders, faults that struck."""
        return self.call(PaperBox.status)

    def advance(self, seconds: float) -> datetime:
        """Move market time that is held (speed 0). Raises ValueError where it runs by itself."""
        return self.call(lambda box: box.advance(seconds))

    def inject(self, kind: str, **parameters: Any) -> None:
        """Arm one fault, described as in a plan. Raises FaultPlanError."""
        self.call(lambda box: box.inject({"kind": kind, **parameters}))

    def send_error(self, code: int, text: str, client_id: int | None = None, req_id: int = -1) -> int:
        """Send an error to one client or all; how many got it."""
        return self.call(lambda box: box.send_error(code, text, client_id, req_id))

    def drop(self, client_id: int | None = None) -> int:
        """Hang up on one client or all; how many there were."""
        return self.call(lambda box: box.drop(client_id))

    def lose_connectivity(self) -> None:
        """The line to the broker breaks (1100)."""
        self.call(lambda box: box.world.lose_connectivity())

    def restore_connectivity(self, *, data_kept: bool = True) -> None:
        """The line works again (1102), or works without the data that were subscribed to (1101)."""
        self.call(lambda box: box.world.restore_connectivity(data_kept=data_kept))

    def restart(self, roll_back: int = 4) -> None:
        """The nightly restart: everybody is hung up on and order ids roll back."""
        self.call(lambda box: box.world.restart(roll_back))

    def reset_account(self, cash_usd: float = STARTING_CASH_USD) -> None:
        """Start the account over."""
        self.call(lambda box: box.reset_account(cash_usd))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _ask(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _start(self) -> None:
        self._box.gateway.step()
        await self._control.start()
        await self._server.start()

    async def _end(self) -> None:
        await self._server.stop()
        await self._control.stop()
        await asyncio.sleep(0)


def _box_of(opening: Opening) -> PaperBox:
    market = StochasticMarket(
        opening.seed, opening.at, 1.0, opening.scenario, sparse_chains=opening.sparse_chains
    )
    exchange = Exchange(market, opening.account, rules=opening.rules, starting_cash_usd=opening.cash_usd)
    clock = MarketClock(wall_now, opening.at, opening.speed)
    scripting = Scripting(opening.faults, opening.script, opening.restart)
    return PaperBox(exchange, clock, scripting, opening.rights)
