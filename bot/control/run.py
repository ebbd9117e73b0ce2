"""`alvh run`: the daemon in real time, against a gateway that is there or against the embedded one.

The embedded gateway is a child process behind real TCP, like any other gateway; its account lives on in its own folder, so that
either side may die and come back.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bot.broker.adapter import IbBroker
from bot.clock import BrokerClock, WallClock
from bot.commit import WriterThread
from bot.control.gateway import SCENARIO
from bot.daemon import Daemon
from bot.errors import BrokerUnreachableError
from bot.feeds import PublishedFeeds, over_http
from bot.opening import open_journal, opening_record
from bot.port import Clock, Observers
from config.loader import LoadedSettings, load_rules
from config.rules import Rules
from config.settings import Settings

GATEWAY_START_S = 20.0
STAND_IN_PATHS = {
    "breadth": "/breadth.csv",
    "vx_settlement": "/us/futures/market_statistics/settlement/csv?dt={date}",
    "vix": "/api/global/us_indices/daily_prices/VIX_History.csv",
    "vvix": "/api/global/us_indices/daily_prices/VVIX_History.csv",
    "reer": "/graph/fredgraph.csv?id=RBUSBIS",
    "ppi": "/graph/fredgraph.csv?id=PPIACO",
    "treasury_10y": "/graph/fredgraph.csv?id=DGS10",
    "baa": "/graph/fredgraph.csv?id=DBAA",
}


def run_daemon(loaded: LoadedSettings, rules_path: Path) -> None:
    """Trade until SIGTERM or SIGINT. Raises an AlvhError with its exit code."""
    from bot.control.console import observers

    settings, rules = loaded.settings, load_rules(rules_path)
    if not settings.gateway.embedded:
        asyncio.run(run_live(settings, rules, observers(settings.mode, settings.broker.account)))
        return
    with EmbeddedGateway(
        port=settings.broker.port,
        seed=settings.gateway.seed,
        state=Path(settings.gateway.state_folder),
        account=settings.broker.account,
    ) as gateway:
        asyncio.run(
            run_live(settings, rules, observers(settings.mode, settings.broker.account), gateway.pages_port)
        )


async def run_live(
    settings: Settings,
    rules: Rules,
    told: Observers,
    pages_port: int | None = None,
    on_ready: Callable[[Daemon], None] = lambda daemon: None,
) -> Daemon:
    """One daemon in real time until it is stopped. Returns it after a clean stop."""
    loop = asyncio.get_running_loop()
    journal = open_journal(settings.journal_folder)
    clock: Clock = WallClock() if settings.clock.source == "host" else BrokerClock()
    broker = IbBroker(
        host=settings.broker.host,
        port=settings.broker.port,
        client_id=settings.broker.client_id,
        account=settings.broker.account,
        clock=clock,
        notify=lambda alert: told.alert(clock.now(), alert),
        connect_timeout_s=settings.broker.connect_timeout_s,
        request_timeout_s=settings.broker.request_timeout_s,
    )

    writer = WriterThread()
    daemon = Daemon(
        opening_record(
            settings.mode,
            settings.broker.account,
            rules,
            journal.state,
            settings.market_data.evaluation_interval_s,
            settings.gateway.seed if settings.gateway.embedded else None,
        ),
        journal,
        broker,
        clock,
        _feeds(settings, clock, told, pages_port),
        writer.commit,
        told,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop, signal.Signals(number).name)
    on_ready(daemon)
    try:
        await daemon.run()
        journal.journal.close(daemon.last_time)
    finally:
        writer.close()
        journal.journal.release()
    return daemon


def _feeds(settings: Settings, clock: Clock, told: Observers, pages_port: int | None) -> PublishedFeeds:
    feeds = settings.feeds
    if pages_port is not None:
        addresses = {name: f"http://127.0.0.1:{pages_port}{path}" for name, path in STAND_IN_PATHS.items()}
    else:
        addresses = {
            "vx_settlement": feeds.vx_settlement_url,
            "vix": feeds.vix_url,
            "vvix": feeds.vvix_url,
            "reer": feeds.reer_url,
            "ppi": feeds.ppi_url,
            "treasury_10y": feeds.treasury_10y_url,
            "baa": feeds.baa_yield_url,
        }
    history = settings.history.folder
    return PublishedFeeds(
        over_http(feeds.timeout_s),
        addresses,
        clock,
        history=None if history is None else Path(history),
        notify=lambda alert: told.alert(clock.now(), alert),
    )


@dataclass(slots=True)
class EmbeddedGateway:
    """The gateway as a child process. Use it as a context: it is asked to stop at the end."""

    port: int
    seed: int
    state: Path | None
    account: str
    pages_port: int = 0
    scenario: str = SCENARIO
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bot.control.cli", "gateway", "--port", str(self.port)]
        command += [
            "--seed",
            str(self.seed),
            "--account",
            self.account,
            "--until-eof",
            "--scenario",
            self.scenario,
        ]
        if self.state is not None:
            command += ["--state", str(self.state)]
        # Its own process group: Ctrl-C at the terminal stops the daemon first, and the daemon then stops it.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        facts = self._first_line(self.process)
        self.port, self.pages_port = int(facts["port"]), int(facts["pages_port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self.process
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return
        process.kill()
        process.wait()

    def _first_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout is not None else b""
        try:
            facts: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            code = process.wait(timeout=GATEWAY_START_S)
            raise BrokerUnreachableError(
                f"the embedded gateway did not start (exit code {code}); its own message stands above"
            ) from error
        return facts
