"""The watchdog: a process of its own that acts when the daemon's loop cannot.

It is started by the daemon and ends with it, by a pipe between them. It looks at the daemon's beat and at the
kill switch. A loop that stands still is told on standard error. When somebody has halted and the daemon does
not confirm it within a second, because its loop is blocked, the watchdog connects under a client id of its
own and cancels every order; the daemon itself sends no order while the switch is pulled, whenever it wakes.
"""

import asyncio
import os
import sys
from pathlib import Path

import orjson

from bot.broker.kill import cancel_everything
from bot.errors import BrokerError
from bot.switch import KillSwitch
from risk.state import TradingState

LOOK_S = 0.05
LAG_MAX_S = 2.0
PATIENCE_S = 1.0
AGAIN_S = 0.5


class Watch:
    """What the watchdog knows of one daemon."""

    def __init__(self, switch: KillSwitch, host: str, port: int, client_id: int, account: str) -> None:
        self._switch = switch
        self._where = (host, port, client_id, account)
        self._beat = switch.beat_ns()
        self._beat_at: float | None = None  # None: it has not beaten since we look
        self._is_lag_told = False
        # A halt that is older than the daemon was obeyed by an earlier one.
        self._is_obeyed = switch.is_pulled
        self._pulled_at: float | None = None
        self._again_at = 0.0

    async def look(self, now: float) -> None:
        """One look, at `now` seconds of the loop."""
        beat = self._switch.beat_ns()
        if beat != self._beat:
            self._beat, self._beat_at = beat, now
            if self._is_lag_told:
                self._is_lag_told = False
                complain("the daemon's loop turns again")
        lag_s = 0.0 if self._beat_at is None else now - self._beat_at
        if lag_s > LAG_MAX_S and not self._is_lag_told:
            self._is_lag_told = True
            complain(f"the daemon's loop has stood still for {lag_s:.1f} s")
        if not self._switch.is_pulled:
            self._pulled_at, self._is_obeyed = None, False
        elif not self._is_obeyed:
            await self._see_to_it(now, lag_s)

    async def _see_to_it(self, now: float, lag_s: float) -> None:
        self._pulled_at = self._pulled_at if self._pulled_at is not None else now
        is_halted = self._switch.standing().get("trading") == TradingState.HALTED.value
        if is_halted and self._beat_at is not None and lag_s < PATIENCE_S:
            self._is_obeyed = True
            return
        if now - self._pulled_at < PATIENCE_S or now < self._again_at:
            return
        try:
            await cancel_everything(*self._where)
        except BrokerError as error:
            self._again_at = now + AGAIN_S
            complain(f"halted, and the orders could not be cancelled: {error}")
            return
        self._is_obeyed = True
        complain("halted: the daemon did not answer, every order was cancelled in its place")


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"alvh watchdog: {text}\n")
    sys.stderr.flush()


def _is_orphaned() -> bool:
    """Whether the daemon at the other end of standard input is gone."""
    try:
        return os.read(sys.stdin.fileno(), 64) == b""
    except BlockingIOError:
        return False


async def watch(folder: Path, host: str, port: int, client_id: int, account: str) -> None:
    """Look until the daemon is gone."""
    loop = asyncio.get_running_loop()
    watching = Watch(KillSwitch(folder), host, port, client_id, account)
    os.set_blocking(sys.stdin.fileno(), False)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while not _is_orphaned():
        await watching.look(loop.time())
        await asyncio.sleep(LOOK_S)


def main() -> None:
    """`python -m bot.watchdog '{"folder":...,"host":...,"port":...,"client_id":...,"account":...}'`."""
    told = orjson.loads(sys.argv[1])
    asyncio.run(watch(Path(told["folder"]), told["host"], told["port"], told["client_id"], told["account"]))


if __name__ == "__main__":
    main()
