"""The pytest fixture `alvh_gateway`: a paper account that listens on a free port while a test runs.

    @pytest.mark.alvh(seed=7, speed=0)
    def test_something(alvh_gateway):
        ib.connect(alvh_gateway.host, alvh_gateway.port, clientId=1)
        alvh_gateway.advance(3600)

The marker takes the fields of `simulator.running.Opening`. The gateway is imported only by tests that use it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from simulator.running import RunningGateway

_MARKER = "alvh"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    text = f"{_MARKER}(seed, at, speed, faults, script, ...): how the gateway of alvh_gateway is opened."
    config.addinivalue_line("markers", text)


@pytest.fixture
def alvh_gateway(request: pytest.FixtureRequest) -> "Iterator[RunningGateway]":
    """A gateway on a free port, with methods that steer it."""
    from simulator.running import Opening, RunningGateway

    marker = request.node.get_closest_marker(_MARKER)
    try:
        opening = Opening(**(marker.kwargs if marker is not None else {}))
        gateway = RunningGateway(opening)
    except (TypeError, ValueError) as error:
        pytest.fail(f"the gateway cannot be opened: {error}", pytrace=False)
    with gateway:
        yield gateway
