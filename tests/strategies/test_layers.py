"""A session is counted once: one that comes again, or out of order, is unknown to every layer."""

from datetime import date

import pytest

from strategies.layers import LAYERS, LayersState, count_session
from strategies.session_inputs import SessionInputs
from tests.strategies.signals import signal_rules

SESSION = date(2020, 2, 3)
NOTHING = SessionInputs(SESSION, None, {}, None, None, None, None, None, None, None, None, (), {}, {})


@pytest.mark.parametrize("last", [SESSION, date(2020, 2, 4)])
def test_a_session_that_is_not_after_the_last_one_counted_changes_nothing(last: date) -> None:
    before = LayersState(last_session=last)
    state, verdicts = count_session(before, NOTHING, signal_rules())
    assert state is before
    assert set(verdicts) == set(LAYERS)
    for verdict in verdicts.values():
        (reading,) = verdict.readings
        assert (verdict.fired, reading.fired) == (None, None)
        assert "counted already" in reading.reason


def test_a_session_of_which_nothing_is_known_is_counted_and_fires_nothing() -> None:
    state, verdicts = count_session(LayersState(), NOTHING, signal_rules())
    assert state.last_session == SESSION
    assert {verdict.fired for verdict in verdicts.values()} <= {None, False}
