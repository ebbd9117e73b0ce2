"""A connection that comes back: what is asked of the broker again, and what is not."""

from bot.engine.step import step
from bot.events import Connected, ContractsNamed, Disconnected, StreamLines, TimedEvent
from tests.bot.engine.desk import ACCOUNT, NAMED, NOW, ready


def test_a_new_connection_leaves_the_lines_as_they_are_wanted_so_that_each_is_asked_for_once() -> None:
    wanted = tuple(sorted([7, *(contract.con_id for contract in NAMED)]))
    state = step(ready(lines=wanted), TimedEvent(NOW, Disconnected("silent"))).state
    state = step(state, TimedEvent(NOW, Connected(ACCOUNT, 2))).state
    done = step(state, TimedEvent(NOW, ContractsNamed(NAMED)))
    assert done.state.lines == wanted
    assert not [command for command in done.commands if isinstance(command, StreamLines)]
