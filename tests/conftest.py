"""Settings of the whole test-suite: property tests are alike on every run and never judged by the clock.

ALVH_EXAMPLES=5 tries five times as many cases of every property.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "project", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")

SETTINGS = "_hypothesis_internal_use_settings"
TIMES = int(os.environ.get("ALVH_EXAMPLES", "1"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every property its number of cases; parameters share one."""
    for test in {getattr(item, "obj", None) for item in items if TIMES > 1}:
        own = getattr(test, SETTINGS, None)
        if own is not None:
            setattr(test, SETTINGS, settings(own, max_examples=TIMES * own.max_examples))
