"""What the daemon promises about trouble, measured on real processes over TCP, each beside its bound.

Times are wall time, so a loaded machine makes them longer: only a lost intent ends with exit code 1.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bot.journal.writer import read_records
from bot.switch import KillSwitch
from simulator.running import RunningGateway
from tests.scenarios.processes import House
from tests.scenarios.proof import Venue

LOOK_S = 0.002


def until(holds: Callable[[], bool], within_s: float = 90.0) -> float:
    """Seconds until something holds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within_s:
            return float("inf")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def dead_link_s(house: House) -> float:
    """The gateway stops answering, its socket stays."""
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    assert house.gateway is not None
    house.gateway.send_signal(signal.SIGSTOP)
    found = until(lambda: house.told("alert.broker.disconnected") > 0)
    house.gateway.send_signal(signal.SIGCONT)
    return found


def dead_feed_s(house: House) -> float:
    """Quotes stop, everything else is answered."""
    with RunningGateway() as gateway:
        house.port = gateway.port
        house.start_daemon(ALVH__MARKET_DATA__EVALUATION_INTERVAL_S="5.0")
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


FIGURES: tuple[tuple[str, Callable[[House], float], float], ...] = (
    ("dead link found", dead_link_s, 15.0),
    ("dead feed found", dead_feed_s, 30.0),
    ("halt to halted", halt_s, 0.1),
    ("halt to all cancelled, loop blocked", blocked_halt_s, 3.0),
    ("kill -9 to reconciled", recovery_s, 30.0),
    ("SIGTERM to exit", stop_s, 10.0),
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
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        try:
            seen, first = durable(house)
        finally:
            house.close()
    print(f"{'intent durable before the wire':<38} {first} of {seen}")
    sys.exit(0 if 0 < seen == first else 1)


if __name__ == "__main__":
    main()
