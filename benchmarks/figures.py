"""What the daemon promises about trouble, measured on real processes over TCP, each beside its bound.

Times are wall time, so a loaded machine makes them longer: only a lost intent ends with exit code 1.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.wire_trace import may_trace, orders_on_the_wire, tracer
from bot.journal.writer import read_records
from bot.switch import KillSwitch
from simulator.running import RunningGateway
from tests.scenarios.faults.house import FaultHouse
from tests.scenarios.faults.plans import plan_of
from tests.scenarios.faults.runs import be_quiet
from tests.scenarios.faults.scenes import scene
from tests.scenarios.processes import House
from tests.scenarios.proof import Venue

LOOK_S = 0.002
SEEDS = 16


def until(holds: Callable[[], bool], within_s: float = 90.0) -> float:
    """Seconds until something holds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within_s:
            return float("inf")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def dead_link_s(house: House) -> float:
    """The gateway stops answering, its socket stays: the slowest of three, at other phases."""
    house.start_gateway()
    house.start_daemon(ALVH__MARKET_DATA__EVALUATION_INTERVAL_S=SHIPPED_INTERVAL_S)
    assert house.gateway is not None
    house.until("decision.hold", count=2)
    slowest = 0.0
    for times in (1, 2, 3):
        time.sleep(float(SHIPPED_INTERVAL_S) * (3 + times / 3))  # connected, and at another phase
        house.gateway.send_signal(signal.SIGSTOP)
        slowest = max(slowest, until(partial(_has_lost, house, times)))
        house.gateway.send_signal(signal.SIGCONT)
    return slowest


def _has_lost(house: House, times: int) -> bool:
    """Whether the daemon has told so often that the broker is gone."""
    return house.told("alert.broker.disconnected") >= times


def dead_feed_s(house: House) -> float:
    """Quotes stop, everything else is answered."""
    with RunningGateway() as gateway:
        house.port = gateway.port
        house.start_daemon(ALVH__MARKET_DATA__EVALUATION_INTERVAL_S=SHIPPED_INTERVAL_S)
        house.until("decision.hold", count=2)
        time.sleep(5.0)
        gateway.inject("freeze", for_s=120.0)
        return until(lambda: b"no proof of a live" in house.log.read_bytes())


def halt_s(house: House) -> float:
    """From the halt to the daemon's own word for it; behind the halt no order is accepted at all."""
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    house.until("decision.book")
    KillSwitch(house.journal).pull("figures", "measured")
    return until(lambda: house.told("alert.trading.halted") > 0)


def blocked_halt_s(house: House) -> float:
    """From the halt to every order cancelled at the gateway, while the daemon's loop stands still."""
    house.start_gateway()
    house.start_blocked_daemon(8.0)
    house.until("decision.open")
    house.until("decision.book")
    (house.folder / "journal" / "block").touch()
    time.sleep(0.5)
    KillSwitch(house.journal).pull("figures", "measured")
    return until(lambda: "every order was cancelled" in house.errors.read_text())


def recovery_s(house: House) -> float:
    """From the kernel's kill, with an order at work, to a reconciled book of the next start."""
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    house.kill(daemon=True)
    began = time.monotonic()
    house.start_daemon()
    house.ready()
    return time.monotonic() - began


def stop_s(house: House) -> float:
    """From SIGTERM, with an order at work, to the exit."""
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    began = time.monotonic()
    assert house.stop_daemon() == 0
    return time.monotonic() - began


def durable(house: House) -> tuple[int, int]:
    """Orders the gateway has seen, and those of them whose intent was on the disk, over five kills."""
    house.start_gateway()
    for _ in range(5):
        house.start_daemon()
        house.until("decision.open", "decision.reprice", "decision.cancel")
        house.kill(daemon=True)
    venue = Venue.of_state(house.stop_gateway())
    intended = {r.body["order_ref"] for r in read_records(house.journal) if r.kind == "PlaceOrder"}
    return len(venue.orders), sum(reference in intended for reference, _ in venue.orders)


def traced(house: House) -> tuple[int, int]:
    """Orders the kernel saw on their way to the socket, and those whose intent was durable by then."""
    trace = house.folder / "trace"
    house.start_gateway()
    house.wrapper = tracer(trace)
    house.start_daemon()
    house.until("decision.open")
    house.await_events("decision.open", "decision.close", count=10)  # or as many as there are in a minute
    house.stop_traced()
    with trace.open(encoding="utf-8", errors="replace") as lines:
        seen, first = orders_on_the_wire(lines)
    known = {reference for reference, _ in Venue.of_state(house.stop_gateway()).orders}
    assert known <= seen, "the trace missed an order the gateway has"
    return len(seen), len(first)


def seeded(house: House) -> tuple[int, int]:
    """Orders on the line of the first seeded fault sessions, and those whose intent was durable by then."""
    be_quiet()
    seen = late = 0
    for seed in range(SEEDS):
        plan = plan_of(seed)
        session = FaultHouse(plan, scene(plan.scene), house.folder / str(seed))
        session.run()
        seen += len(session.judge.orders.ids)
        late += sum(violation.invariant == "I-08" for violation in session.judge.violations)
    return seen, seen - late


SHIPPED_INTERVAL_S = "5.0"
FIGURES: tuple[tuple[str, Callable[[House], float], float], ...] = (
    ("dead link found", dead_link_s, 15.0),
    ("dead feed found", dead_feed_s, 30.0),
    ("halt to halted", halt_s, 0.1),
    ("halt to all cancelled, loop blocked", blocked_halt_s, 3.0),
    ("kill -9 to reconciled", recovery_s, 30.0),
    ("SIGTERM to exit", stop_s, 10.0),
)


INTENTS: tuple[tuple[str, Callable[[House], tuple[int, int]]], ...] = (
    ("intents, over five kills", durable),
    ("intents, by the kernel's trace", traced),
    (f"intents, on the line of {SEEDS} seeds", seeded),
)


def main() -> None:
    """Measure and print."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for name, measure, bound_s in FIGURES:
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder))
            try:
                taken_s = measure(house)
            finally:
                house.close()
        word = "within" if taken_s <= bound_s else "BEYOND"
        print(f"{name:<38} {taken_s:8.3f} s   ({word} {bound_s:g} s)", flush=True)
    missed = 0
    for name, count in INTENTS:
        if count is traced and not may_trace():
            print(f"{name:<38} not counted: it needs strace, and the right to trace processes")
            continue
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder))
            try:
                seen, first = count(house)
            finally:
                house.close()
        print(f"{name:<38} {first} of {seen} durable before the wire", flush=True)
        missed += not 0 < seen == first
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    main()
