"""The whole product in virtual time: daemon, client library and embedded gateway on one event loop.

Nothing in it is a stand-in for the product: the daemon is the one that runs for months, its broker adapter
speaks the broker's protocol to the gateway through the unmodified client library, and every record goes to a
journal on disk. Only time is virtual.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.broker.adapter import IbBroker
from bot.clock import VirtualClock
from bot.control.stand_ins import stand_ins
from bot.daemon import Daemon
from bot.engine.state import EngineState
from bot.feeds import PublishedFeeds, answered_by
from bot.journal.commit import commit_inline
from bot.journal.opening import open_journal, opening_record
from bot.port import Observers
from config.rules import Rules
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.model import Market
from simulator.pacing import drive
from simulator.publications import respond
from simulator.server import HOST, GatewayProtocol
from simulator.virtual import VirtualLoop, run

PORT = 4002
CLIENT_ID = 442


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is simulated: a market from `start` to `end`, looked at every `interval_s` seconds."""

    market: Market
    start: datetime
    end: datetime
    interval_s: float
    mode: str
    account: str
    rules: Rules
    seed: int | None
    journal: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: the journal's head and the engine's last state."""

    head: str
    records: int
    state: EngineState


def simulate(simulation: Simulation, observers: Observers) -> Outcome:
    """Run to the end. Raises JournalError or BrokerError."""
    return run(_simulate(simulation, observers), simulation.start)


async def _simulate(simulation: Simulation, observers: Observers) -> Outcome:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("a simulation runs on a virtual-time loop")
    clock = VirtualClock(loop, simulation.start)
    gateway = Gateway(Exchange(simulation.market, simulation.account), clock.now)
    server = await loop.create_server(lambda: GatewayProtocol(gateway), HOST, PORT)
    interval = timedelta(seconds=simulation.interval_s)
    driving = loop.create_task(drive(gateway, interval, clock.sleep_until))
    opened = open_journal(simulation.journal)
    broker = IbBroker(
        host=HOST,
        port=PORT,
        client_id=CLIENT_ID,
        account=simulation.account,
        clock=clock,
        messages_per_s=simulation.rules.risk.messages_per_second_max,
    )

    feeds = PublishedFeeds(
        answered_by(lambda path: respond(simulation.market, path)),
        stand_ins("http://localhost"),
        clock,
        notify=lambda alert: observers.alert(clock.now(), alert),
    )
    daemon = Daemon(
        opening_record(
            simulation.mode,
            simulation.account,
            simulation.rules,
            opened.state,
            simulation.interval_s,
            simulation.seed,
        ),
        opened,
        broker,
        clock,
        feeds,
        commit_inline,
        observers,
        commit_interval=timedelta(minutes=10),
        idle_silence=timedelta(minutes=10),
    )
    try:
        await daemon.run(until=simulation.end)
    finally:
        driving.cancel()
        server.close()
    head = opened.journal.close(clock.now())
    return Outcome(head, opened.journal.count, daemon.state)
