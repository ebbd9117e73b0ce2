"""A gateway with everything around it: market, account, clock, faults, script, and its controls.

The command line, the test fixture and the examples all open this one box.
"""

from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any, Final

from simulator.api_settings import ApiSettings
from simulator.clock import MarketClock
from simulator.disturbances import Disturbances
from simulator.entitlements import Entitlements
from simulator.fault_injection import FaultInjector
from simulator.faults import Fault, FaultPlan, FaultPlanError, fault_of, read_plan
from simulator.gateway import Gateway
from simulator.path_market import PathMarket
from simulator.script import read_script
from simulator.venue import Venue

#: Held time is moved in steps no longer than this, so that orders meet the market on the way.
STEP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Scripting:
    """What is done to the market and the gateway. `faults`: `seed:N` or a plan's file."""

    faults: str | None = None
    script: Path | None = None
    restart: time | None = None  # New York time of day at which the gateway restarts by itself


@dataclass(frozen=True, slots=True)
class Rights:
    """What clients may see and do."""

    entitlements: Entitlements = field(default_factory=Entitlements)
    settings: ApiSettings = field(default_factory=ApiSettings)


class PaperBox:
    """One gateway and its controls. Nothing here is thread-safe: calls belong on the gateway's own loop."""

    def __init__(
        self,
        venue: Venue,
        clock: MarketClock,
        scripting: Scripting | None = None,
        rights: Rights | None = None,
    ) -> None:
        """Raises FaultPlanError on a plan or script that cannot be read."""
        scripting, rights = scripting or Scripting(), rights or Rights()
        self.clock = clock
        opened = clock.now()
        plan = FaultPlan() if scripting.faults is None else read_plan(scripting.faults, opened)
        script = None if scripting.script is None else read_script(scripting.script, opened)
        if script is not None:
            if not isinstance(venue.market, PathMarket):
                raise FaultPlanError("only a market with a path of its own can be scripted")
            venue.market.follow(script.market)
            script.account.apply(rights.entitlements, rights.settings)
            if script.account.interest is not None:
                venue.by_hand.pay_interest(script.account.interest)
        if clock.is_held:
            rights.entitlements.snapshot_s = 0.0  # while time stands a snapshot would have no end
        self.gateway = Gateway(venue, clock.now, rights.entitlements, settings=rights.settings)
        self.world = Disturbances(self.gateway)
        self.faults = FaultInjector(self.gateway, plan)
        for event in () if script is None else script.events:
            self.faults.add(event)
        if scripting.restart is not None:
            self.faults.restart_nightly(scripting.restart)
        self.gateway.edge = self.faults

    def advance(self, seconds: float) -> datetime:
        """Move held time, in steps of ten seconds; the time reached. Raises ValueError where it runs
        by itself or would go too far at once."""
        self.clock.require_advance(seconds)
        left = seconds
        while left > STEP_S:
            self.clock.advance(STEP_S)
            self.gateway.step()
            left -= STEP_S
        reached = self.clock.advance(left)
        self.gateway.step()
        return reached

    def inject(self, row: dict[str, Any]) -> Fault:
        """Arm one fault, described as in a plan. Raises FaultPlanError."""
        fault = fault_of(row, "fault", self.clock.now())
        self.faults.add(fault)
        self.faults.step(self.clock.now())
        return fault

    def send_error(self, code: int, text: str, client_id: int | None = None, req_id: int = -1) -> int:
        """Send an error to one client or all; how many got it."""
        sessions = self.gateway.sessions
        chosen = [sessions[one] for one in sessions if client_id in (None, one)]
        for session in chosen:
            session.peer.error(req_id, code, text)
        self.gateway.flush()
        return len(chosen)

    def drop(self, client_id: int | None = None) -> int:
        """Hang up on one client or all; how many there were."""
        chosen = [one for one in self.gateway.clients if client_id in (None, one)]
        return sum(self.world.drop_client(one) for one in chosen)

    def reset_account(self, cash_usd: float) -> None:
        """Start the account over."""
        self.gateway.route(self.gateway.venue.by_hand.reset(cash_usd))
        self.gateway.flush()

    def status(self) -> dict[str, Any]:
        """What goes on, as JSON values."""
        gateway, market = self.gateway, self.gateway.venue.market
        return {
            "market_time": self.clock.now().isoformat(),
            "market_stands_at": market.now.isoformat(),
            "speed": self.clock.speed,
            "account": gateway.venue.account_id,
            "clients": list(gateway.clients),
            "open_orders": len(gateway.venue.open_orders(None)),
            "executions": len(gateway.venue.executions()),
            "connectivity_lost": gateway.connectivity.lost,
            "farms_broken": sorted(gateway.connectivity.broken),
            "halted": sorted(market.halted),
            "faults_struck": dict(sorted(self.faults.struck.items())),
        }
