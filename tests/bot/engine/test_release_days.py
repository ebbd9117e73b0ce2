"""Windows in the engine: both strategies hear of them, openings under way end, and unknown years are told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.engine import decide, release_days
from bot.engine.decision import Verb
from bot.events import Alert, CancelOrder, Job, JobDue
from strategies.base import Intent
from tests.bot.engine.desk import at_work, order_line, ready, take

BEFORE = datetime(2020, 3, 10, 19, 29, 55, tzinfo=UTC)  # 15:29:55 on the eve of consumer prices
WITHIN = BEFORE + timedelta(seconds=5)


def test_a_window_that_begins_cancels_the_condors_opening_and_leaves_closes_and_hedges() -> None:
    state = ready(session=date(2020, 3, 10), feeds_asked={})
    lines = (
        order_line("open", structure_id="a", priced_at=BEFORE),
        order_line("close", structure_id="b", intent=Intent.CLOSE, priced_at=BEFORE),
        order_line("hedge", structure_id="c", reserves=True, priced_at=BEFORE),
    )
    for line in lines:
        state = at_work(line, state)
    assert not [c for c in decide.evaluate(state, BEFORE).commands if isinstance(c, CancelOrder)]
    done = decide.evaluate(state, WITHIN)
    cancelled = [command for command in done.commands if isinstance(command, CancelOrder)]
    assert [command.order_ref for command in cancelled] == ["open"]
    assert "CPI window until 2020-03-11 10:30" in cancelled[0].reason
    told = [decision for decision in done.decisions if decision.verb is Verb.CANCEL]
    assert [decision.structure_id for decision in told] == ["a"]


def test_in_a_window_the_condor_says_which_one_bars_it() -> None:
    state = ready(session=date(2020, 3, 10), feeds_asked={})
    held = [d for d in decide.evaluate(state, WITHIN).decisions if d.strategy == "iron_condor"]
    (gate,) = [gate for gate in held[0].gates if gate.name == "not_barred"]
    assert gate.passed is False
    assert gate.detail == "CPI window until 2020-03-11 10:30"


@pytest.mark.parametrize(
    ("session", "name", "level"),
    [
        (date(2026, 11, 30), "", ""),
        (date(2026, 12, 7), "calendar.ends", "warning"),
        (date(2026, 12, 31), "calendar.unknown", "error"),
        (date(2027, 1, 4), "calendar.unknown", "error"),
    ],
)
def test_the_open_tells_of_a_year_without_days(session: date, name: str, level: str) -> None:
    done = take(ready(), JobDue(Job.SESSION_OPEN, session))
    alerts = [command for command in done.commands if isinstance(command, Alert)]
    assert [(alert.name, alert.level) for alert in alerts] == ([(name, level)] if name else [])
    assert all("CPI 2027" in alert.text for alert in alerts)


def test_before_the_rules_are_known_there_are_no_windows_and_no_alerts() -> None:
    state = replace(ready(), parameters=None)
    assert release_days.windows(state, WITHIN) == ()
    assert release_days.calendar_alerts(state, date(2027, 1, 4)) == ()
