"""SIGKILL at seeded moments while orders are placed, moved, filled and cancelled: nothing is lost."""

import os
import random
import time

import pytest

from tests.scenarios.processes import House
from tests.scenarios.proof import Venue, prove

# More of the same: ALVH_KILL_TURNS=10.
TURNS = int(os.environ.get("ALVH_KILL_TURNS", "1"))
KILLS = {"daemon": 2, "gateway": 2, "both": 2}
# What a kill waits for: told between the durable write and the wire, or when the broker has answered.
MOMENTS = ("decision.open", "decision.reprice", "decision.cancel", "decision.book", "decision.close", "any")


def await_moment(house: House, moments: random.Random) -> None:
    """A moment close to an order's message, or any moment at all; not longer than some seconds."""
    event = moments.choice(MOMENTS)
    if event == "any":
        time.sleep(moments.uniform(0.0, 3.0))
    else:
        house.await_events(event, count=house.told(event) + 1, within_s=3.0)
        time.sleep(moments.uniform(0.0, 0.02))


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("victims", sorted(KILLS))
def test_after_sigkill_no_order_is_doubled_and_nothing_is_lost(house: House, victims: str, turn: int) -> None:
    moments = random.Random(f"{victims} {turn}")
    house.seed = 7 + turn
    house.start_gateway()
    house.start_daemon()
    house.until("decision.open")
    for _ in range(KILLS[victims]):
        await_moment(house, moments)
        ready = 0 if victims != "gateway" else house.told("alert.daemon.ready")
        house.kill(daemon=victims != "gateway", gateway=victims != "daemon")
        if victims != "daemon":
            house.start_gateway()
        if victims != "gateway":
            house.start_daemon()
        house.until("alert.daemon.ready", count=ready + 1)
    time.sleep(1.0)
    assert house.stop_daemon() == 0
    state = prove(house.journal, Venue.of_state(house.stop_gateway()))
    assert state.orders, "no order was under way"
