"""`alvh gateway`: the embedded paper account as a server of its own, in real time.

Its market has a time of its own: it opens in session whatever the wall clock says, and then runs beside
it. The distance between the two is kept with the account, so that a restart finds market time where it would
be by now.
"""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson

from bot.clock import WallClock
from bot.control.options import SCENARIO
from bot.errors import PortTakenError, WrongUsageError
from config.errors import AlvhError
from market.sessions import (
    MARKET_TZ,
    is_session,
    next_session,
    option_close,
    regular_hours,
    session_on_or_after,
)
from simulator.box import PaperBox, Scripting
from simulator.clock import MarketClock
from simulator.control_port import ControlPort
from simulator.exchange import Exchange
from simulator.faults import FaultPlanError, FaultSeedError
from simulator.generator import Scenario
from simulator.historical import HistoricalMarket
from simulator.http_pages import PageServer
from simulator.model import Market
from simulator.server import GatewayServer
from simulator.stochastic import StochasticMarket
from simulator.store import StateError, Store

#: The session in which the market opens when nothing else is asked for, and how long after the open.
FIRST_SESSION = date(2026, 3, 2)
AFTER_OPEN = timedelta(minutes=30)
BEFORE_CLOSE = timedelta(minutes=30)
SAVE_INTERVAL_S = 1.0
LOCK_PATIENCE_S, LOCK_LOOK_S = 5.0, 0.1
HISTORY_STEP_S = 1.0


class GatewayError(AlvhError):
    """The embedded gateway cannot be started as asked."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class Controls:
    """What is done to the gateway beside serving it. `port`: of the control port; 0 a free one."""

    speed: float = 1.0
    faults: str | None = None
    script: Path | None = None
    port: int | None = None
    sparse_chains: bool = False
    restart: str | None = None


def run_gateway(
    *,
    port: int,
    seed: int,
    history: Path | None,
    state: Path | None,
    at: str | None,
    account: str,
    pages: int = 0,
    until_eof: bool = False,
    scenario: str = SCENARIO,
    speed: float = 1.0,
    faults: str | None = None,
    script: Path | None = None,
    control_port: int | None = None,
    sparse_chains: bool = False,
    restart: str | None = None,
) -> None:
    """Serve until stopped by SIGTERM or SIGINT. Raises GatewayError, PortTakenError or WrongUsageError.

    With `until_eof` a failure to start is one JSON line on standard output in place of the announcement.
    """
    steered = Controls(speed, faults, script, control_port, sparse_chains, restart)
    announced: list[bool] = []

    def announce(facts: dict[str, object]) -> None:
        announced.append(True)
        _announce(facts)

    try:
        asyncio.run(
            serve(port, seed, history, state, at, account, pages, until_eof, scenario, steered, announce)
        )
    except AlvhError as error:
        if announced or not until_eof:
            raise
        # A parent that waits for the first line tells its user the reason, once and with its own remedy.
        _announce({"error": type(error).__name__, "text": str(error), "exit_code": error.exit_code})
        sys.exit(error.exit_code)


async def serve(
    port: int,
    seed: int,
    history: Path | None,
    state: Path | None,
    at: str | None,
    account: str,
    pages: int,
    until_eof: bool,
    scenario: str,
    controls: Controls,
    announce: Callable[[dict[str, object]], None],
) -> None:
    """Open the market, listen, and step it with the wall clock until a signal comes."""
    wall = WallClock()
    start = _opening(at, history, wall.now())
    if controls.script is not None and state is not None:
        raise WrongUsageError("--script begins with its market; it cannot go on with the account of --state")
    market = _market(seed, history, start, scenario, controls.sparse_chains)
    store = await _store(state, LOCK_PATIENCE_S if until_eof else 0.0)
    try:
        exchange = Exchange(market, account, store=store)
    except StateError as error:
        raise GatewayError(str(error)) from error
    exchange.clock_offset_s = _offset_s(exchange, start, wall.now())
    exchange.checkpoint()

    box = _box(exchange, wall, controls)
    server, page_server = GatewayServer(box.gateway, port), PageServer(market, pages)
    control = None if controls.port is None else ControlPort(box, controls.port)
    box.gateway.step()
    await _listening(page_server.start(), pages, "--pages-port")
    if control is not None:
        await _listening(control.start(), controls.port, "--control-port")
    await _listening(server.start(), port, "--port")
    announce(
        {
            "port": server.port,
            "pages_port": page_server.port,
            **({} if control is None else {"control_port": control.port}),
            "account": account,
            "market_time": box.clock.now().astimezone(MARKET_TZ).isoformat(timespec="seconds"),
        }
    )
    await _until_stopped(exchange, server, until_eof, lambda: _keep_offset(exchange, box.clock, wall))
    await server.stop()
    await page_server.stop()
    if control is not None:
        await control.stop()
    exchange.checkpoint()
    if store is not None:
        store.close()


async def _listening(starting: Coroutine[Any, Any, None], port: int | None, option: str) -> None:
    """Start to listen. Raises PortTakenError, or GatewayError where the port cannot be had otherwise."""
    try:
        await starting
    except OSError as error:
        kind = PortTakenError if error.errno == errno.EADDRINUSE else GatewayError
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise kind(f"port {port}: {reason}; choose another with {option}") from error


def _box(exchange: Exchange, wall: WallClock, controls: Controls) -> PaperBox:
    """The gateway over `exchange`, its time from wall time on. Raises GatewayError on a bad plan or speed."""
    opened = wall.now() + timedelta(seconds=exchange.clock_offset_s)
    try:
        clock = MarketClock(wall.now, opened, controls.speed)
        restart = _time_of_day(controls.restart)
        return PaperBox(exchange, clock, Scripting(controls.faults, controls.script, restart))
    except FaultSeedError as error:
        raise WrongUsageError(f"--faults {error}") from error
    except FaultPlanError as error:
        raise GatewayError(str(error)) from error
    except ValueError as error:
        raise WrongUsageError(f"--speed: {error}") from error


def _time_of_day(text: str | None) -> time | None:
    if text is None:
        return None
    try:
        found = time.fromisoformat(text)
    except ValueError as error:
        raise WrongUsageError(f"--restart takes a time of day like 23:45, not {text!r}") from error
    if found.tzinfo is not None:
        raise WrongUsageError(f"--restart takes a time of day in New York, without a zone, not {text!r}")
    return found


def _keep_offset(exchange: Exchange, clock: MarketClock, wall: WallClock) -> None:
    """Where market time does not run beside wall time, the distance between the two has to be kept anew."""
    if clock.speed != 1.0:
        exchange.clock_offset_s = (clock.now() - wall.now()).total_seconds()


def _announce(facts: dict[str, object]) -> None:
    """One JSON line once the gateway can be connected to."""
    sys.stdout.buffer.write(orjson.dumps(facts) + b"\n")
    sys.stdout.buffer.flush()


async def _until_stopped(
    exchange: Exchange, server: GatewayServer, until_eof: bool, keep_offset: Callable[[], None]
) -> None:
    """Wait for SIGTERM, SIGINT or, where asked to, the end of standard input: then the parent is gone.

    Saves now and then, so that market time moves on over a crash. A market that cannot be stepped ends it: a
    gateway whose prices stand still must not look alive.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    if until_eof:
        try:
            loop.add_reader(sys.stdin.fileno(), stopped.set)
        except PermissionError:
            stopped.set()  # a plain file or /dev/null cannot be waited for: there is no parent behind it
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    while not stopped.is_set():
        server.require_stepping()
        try:
            async with asyncio.timeout(SAVE_INTERVAL_S):
                await stopped.wait()
        except TimeoutError:
            keep_offset()
            exchange.checkpoint()


async def _store(state: Path | None, patience_s: float) -> Store | None:
    """The state folder. A gateway whose parent was just killed may hold it for another moment."""
    while state is not None:
        try:
            return Store(state)
        except StateError as error:
            if patience_s <= 0:
                raise GatewayError(str(error)) from error
        await asyncio.sleep(LOCK_LOOK_S)
        patience_s -= LOCK_LOOK_S
    return None


def _offset_s(exchange: Exchange, start: datetime, wall: datetime) -> float:
    """Market time less wall time: as kept, or moved into the next session if it is out of hours by now."""
    kept = exchange.clock_offset_s
    if not kept:
        return (start - wall).total_seconds()
    by_now = max(wall + timedelta(seconds=kept), exchange.market.now)
    return (_into_session(by_now) - wall).total_seconds()


def _into_session(time: datetime) -> datetime:
    """The time itself while a session has some life left, else half an hour into the next one."""
    day = time.astimezone(MARKET_TZ).date()
    if is_session(day):
        opens, closes = regular_hours(day)[0], option_close(day)
        if opens <= time <= closes - BEFORE_CLOSE:
            return time
        if time < opens:
            return (opens + AFTER_OPEN).astimezone(UTC)
    following = next_session(day)
    return (regular_hours(following)[0] + AFTER_OPEN).astimezone(UTC)


def _opening(at: str | None, history: Path | None, wall: datetime) -> datetime:
    """The market time to open at."""
    if at == "now":
        return wall
    if at is not None:
        try:
            time = datetime.fromisoformat(at)
        except ValueError as error:
            raise WrongUsageError(f"--at takes a time like 2026-03-02T10:00 or `now`, not {at!r}") from error
        return (time if time.tzinfo is not None else time.replace(tzinfo=MARKET_TZ)).astimezone(UTC)
    first = FIRST_SESSION if history is None else date(2020, 2, 3)
    return (regular_hours(session_on_or_after(first))[0] + AFTER_OPEN).astimezone(UTC)


def _market(
    seed: int, history: Path | None, start: datetime, scenario: str, sparse_chains: bool = False
) -> Market:
    if history is None:
        if scenario not in list(Scenario):
            raise WrongUsageError(f"--scenario takes one of {', '.join(Scenario)}, not {scenario!r}")
        try:
            return StochasticMarket(seed, start, 1.0, scenario, sparse_chains=sparse_chains)
        except ValueError as error:
            raise WrongUsageError(f"--seed {seed} --scenario {scenario}: {error}") from error
    try:
        return HistoricalMarket(history, start, date(2023, 12, 29), HISTORY_STEP_S, sparse_chains)
    except OSError as error:
        raise GatewayError(
            f"--history: {error.filename}: {error.strerror}: give a folder of daily series"
        ) from error
    except ValueError as error:
        raise GatewayError(f"--history {history}: {error}") from error
