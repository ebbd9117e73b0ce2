"""A house for each scenario, in which nothing is left running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.processes import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Folders of their own; whatever still runs at the end is killed."""
    made = House(tmp_path)
    yield made
    made.close()
