"""Open interest in the engine: kept while its option streams, shown to strategies, forgotten with a start."""

from dataclasses import replace

from bot.engine.decide import take_snapshot
from bot.engine.step import step
from bot.events import OpenInterestTold, TimedEvent
from tests.bot.engine.desk import NOW, opened, ready


def test_counts_are_kept_for_lines_that_stream_and_shown_to_the_strategies() -> None:
    state = replace(ready(), lines=(1, 7), open_interest={7: 900, 8: 20})
    state = step(state, TimedEvent(NOW, OpenInterestTold(((9, 310),)))).state
    assert state.open_interest == {7: 900, 9: 310}
    assert take_snapshot(state, NOW).open_interest == {7: 900, 9: 310}


def test_a_start_knows_none() -> None:
    state = replace(ready(), open_interest={7: 900})
    assert step(state, TimedEvent(NOW, opened(2))).state.open_interest == {}
