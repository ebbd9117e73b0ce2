"""A gateway over a small fixed venue, and the clock it reads."""

import pytest

from simulator.gateway import Gateway
from tests.simulator.fixture_venue import Clock, open_gateway


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> Gateway:
    return open_gateway(clock)
