"""`alvh run`: the daemon in real time, against a gateway that is there or against the embedded one.

Its time is the gateway's unless the operator chose this machine's; on a paper account a machine whose clock
is seconds off is told.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bot.broker.adapter import IbBroker
from bot.clock import BrokerClock, Clock, WallClock
from bot.connection import SILENCE_MAX
from bot.control.embedded import EmbeddedGateway
from bot.control.guard import Guard
from bot.control.output import complain
from bot.control.stand_ins import stand_ins
from bot.daemon import Daemon
from bot.errors import JournalError
from bot.events import Alert
from bot.feeds import PublishedFeeds, over_http
from bot.journal.anchor import drop_anchor, keep_anchored, require_anchored
from bot.journal.archive import keep_packed
from bot.journal.commit import WriterThread
from bot.journal.opening import OpenJournal, open_or_set_aside, opening_record
from bot.port import Observers
from bot.switch import KillSwitch
from config.loader import LoadedSettings, load_rules
from config.rules import Rules
from config.settings import Settings

HOST_SKEW_S_MAX = 2.0
FEED_SILENCE_S = 18.0  # a class of quotes without a tick for so long is dead: looked at every five seconds


def run_daemon(loaded: LoadedSettings, rules_path: Path) -> None:
    """Trade until SIGTERM or SIGINT. Raises an AlvhError with its exit code."""
    from bot.control.console import observers

    settings, rules = loaded.settings, load_rules(rules_path)
    if sys.stderr.isatty():
        complain(_greeting(settings))
    if not settings.gateway.embedded:
        asyncio.run(run_live(settings, rules, observers(settings.mode, settings.broker.account)))
        return
    journal = _anchored(settings.journal_folder)  # a second daemon learns of the first, not of its gateway
    try:
        _run_embedded(settings, rules, journal)
    finally:
        journal.journal.release()


def _greeting(settings: Settings) -> str:
    """For a person at a terminal, who is about to see log lines."""
    broker = settings.broker
    where = f"{broker.host}:{broker.port}" + (" (embedded)" if settings.gateway.embedded else "")
    return (
        f"PAPER {broker.account} at {where}, journal {settings.journal_folder}. Ctrl-C stops."
        " In another terminal: alvh status, alvh why, alvh halt"
    )


def _run_embedded(settings: Settings, rules: Rules, journal: OpenJournal) -> None:
    from bot.control.console import observers

    with EmbeddedGateway(
        port=settings.broker.port,
        seed=settings.gateway.seed,
        state=Path(settings.gateway.state_folder),
        account=settings.broker.account,
        restart=settings.broker.restart_time,
    ) as gateway:
        told = observers(settings.mode, settings.broker.account)
        asyncio.run(run_live(settings, rules, told, gateway, journal=journal))


async def run_live(
    settings: Settings,
    rules: Rules,
    told: Observers,
    gateway: EmbeddedGateway | None = None,
    on_ready: Callable[[Daemon], None] = lambda _: None,
    journal: OpenJournal | None = None,
) -> Daemon:
    """One daemon in real time until it is stopped; an embedded `gateway` is kept alive beside it.

    `journal` is the one of the settings where it is open already. Returns the daemon after a clean stop.
    """
    loop = asyncio.get_running_loop()
    journal = journal or _anchored(settings.journal_folder)
    clock: Clock = WallClock() if settings.clock.source == "host" else BrokerClock()

    def alert(text: Alert) -> None:
        told.alert(clock.now(), text)

    broker = _broker(settings, rules, clock, alert)
    writer, switch = WriterThread(), KillSwitch(settings.journal_folder)
    _make_ready(journal, alert)
    daemon = Daemon(
        opening_record(
            settings.mode,
            settings.broker.account,
            rules,
            journal.state,
            settings.market_data.evaluation_interval_s,
            settings.gateway.seed if settings.gateway.embedded else None,
            settings.broker.restart_time,
        ),
        journal,
        broker,
        clock,
        _feeds(settings, clock, alert, gateway),
        writer.commit,
        told,
        unclean_starts_max=settings.restart.unclean_starts_max,
        silence=SILENCE_MAX,
        switch=switch,
        free_bytes=lambda: _free_bytes(settings.journal_folder),
        host_clock=WallClock(),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop, signal.Signals(number).name)
    # Not by the loop: a loop that stands still would not hear it.
    signal.signal(signal.SIGUSR1, lambda *_: switch.pull("a signal", "SIGUSR1"))
    on_ready(daemon)
    where = settings.broker
    guard = Guard(settings.journal_folder, where.host, where.port, where.client_id + 1, where.account)
    guard.start()
    beside = [loop.create_task(keep_packed(settings.journal_folder, alert))]
    beside.append(loop.create_task(keep_anchored(settings.journal_folder, alert)))
    beside.append(loop.create_task(guard.keep_alive(alert)))
    if gateway is not None:
        beside.append(loop.create_task(gateway.keep_alive(alert)))
    try:
        await daemon.run()
        journal.journal.close(daemon.last_time)
        with suppress(OSError):  # a full disk: the mark of a minute ago stands
            drop_anchor(settings.journal_folder)
    finally:
        for task in beside:
            task.cancel()
        guard.stop()
        writer.close()
        journal.journal.release()
    return daemon


def _anchored(folder: Path) -> OpenJournal:
    """The journal, if it is the one it was. Raises JournalInUseError or JournalError."""
    journal = open_or_set_aside(folder)
    try:
        require_anchored(folder)
    except JournalError:
        journal.journal.release()
        raise
    return journal


def _make_ready(journal: OpenJournal, alert: Callable[[Alert], None]) -> None:
    """Keep some of the disk, and tell what was damaged."""
    journal.journal.set_aside()
    if journal.quarantined is not None:
        alert(Alert("error", "journal.quarantined", str(journal.quarantined)))


def _broker(settings: Settings, rules: Rules, clock: Clock, alert: Callable[[Alert], None]) -> IbBroker:
    return IbBroker(
        host=settings.broker.host,
        port=settings.broker.port,
        client_id=settings.broker.client_id,
        account=settings.broker.account,
        clock=clock,
        notify=alert,
        connect_timeout_s=settings.broker.connect_timeout_s,
        request_timeout_s=settings.broker.request_timeout_s,
        feed_silence_s=FEED_SILENCE_S,
        host_skew_s_max=HOST_SKEW_S_MAX if settings.mode == "paper" else None,
        messages_per_s=rules.risk.messages_per_second_max,
    )


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _feeds(
    settings: Settings, clock: Clock, alert: Callable[[Alert], None], gateway: EmbeddedGateway | None
) -> PublishedFeeds:
    feeds = settings.feeds
    if gateway is not None:
        addresses = stand_ins(f"http://127.0.0.1:{gateway.pages_port}")
    else:
        addresses = {
            "vx_settlement": feeds.vx_settlement_url,
            "spx": feeds.spx_url,
            "vix": feeds.vix_url,
            "vvix": feeds.vvix_url,
            "reer": feeds.reer_url,
            "ppi": feeds.ppi_url,
            "treasury_10y": feeds.treasury_10y_url,
            "baa": feeds.baa_yield_url,
            "fed_funds": feeds.fed_funds_url,
        }
        chosen = {"vnq": feeds.vnq_url, "vnq_distribution": feeds.vnq_distribution_url}
        addresses |= {series: url for series, url in chosen.items() if url is not None}
    history = settings.history.folder
    return PublishedFeeds(
        over_http(feeds.timeout_s),
        addresses,
        clock,
        history=None if history is None else Path(history),
        notify=alert,
    )
