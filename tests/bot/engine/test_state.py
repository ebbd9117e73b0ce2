"""The state: a value that survives being written at any moment, and a fold that always ends the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.state import EngineState
from bot.engine.step import step
from bot.journal.codec import Rewriter, canonical, decode
from tests.bot.engine.conftest import Recorded

CHECKPOINT_BYTES_MAX = 384 * 1024  # most of it, once only: what a warm-up brought and is not counted yet


def test_the_recorded_session_holds_what_the_tests_need(recorded: Recorded) -> None:
    kinds = {type(timed.event).__name__ for timed in recorded.events}
    assert {"Executed", "OrderReported", "Reconciled", "JobDue", "OptionsListed", "QuotesTaken"} <= kinds
    commands = {type(command).__name__ for done in recorded.steps for command in done.commands}
    assert {"PlaceOrder", "ReplaceOrder", "StreamLines", "ListOptions"} <= commands
    assert [structure.quantity > 0 for structure in recorded.states[-1].structures.values()] == [True]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_folding_the_same_events_again_gives_the_same_bytes(recorded: Recorded, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(recorded.events) - 1))
    end = min(start + data.draw(st.integers(1, 60)), len(recorded.events))
    state = recorded.states[start]
    for timed, known in zip(recorded.events[start:end], recorded.steps[start:end], strict=True):
        done = step(state, timed)
        assert canonical(done.decisions) == canonical(known.decisions)
        assert canonical(done.commands) == canonical(known.commands)
        state = done.state
    assert canonical(state) == canonical(recorded.states[end])


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_state_written_and_read_in_the_middle_of_a_run_goes_on_as_if_nothing_had_been(
    recorded: Recorded, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(recorded.events) - 1))
    state = decode(EngineState, canonical(recorded.states[start]))
    assert state == recorded.states[start]
    end = min(start + 30, len(recorded.events))
    for timed, known in zip(recorded.events[start:end], recorded.steps[start:end], strict=True):
        done = step(state, timed)
        assert canonical(done.decisions) == canonical(known.decisions)
        assert canonical(done.commands) == canonical(known.commands)
        state = done.state
    assert state == recorded.states[end]


def test_a_checkpoint_stays_small(recorded: Recorded) -> None:
    assert max(len(canonical(state)) for state in recorded.states[::20]) <= CHECKPOINT_BYTES_MAX


def test_states_rewritten_field_by_field_are_the_bytes_of_each_encoded_whole(recorded: Recorded) -> None:
    rewriter = Rewriter()
    for state in recorded.states[::20]:
        assert rewriter.canonical(state) == canonical(state)
