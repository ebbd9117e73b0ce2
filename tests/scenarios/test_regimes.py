"""A curve that inverts, breaks, heals and inverts again takes the daemon through every regime and its bars.

The daemon is awake for a few minutes of the sessions that matter, in virtual time; what a regime forbids is
read from its journal with the words a person would use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bot.control.stand_ins import stand_ins
from bot.engine.decision import Decision, Verb
from bot.journal.writer import read_records
from bot.review.decisions import Told, told
from bot.review.why import Explanation, explain
from market.sessions import MARKET_TZ, session_offset
from simulator.historical import HistoricalMarket
from strategies.condor_exit import Due
from tests.scenarios.condor_paths import at, rules_with
from tests.scenarios.curve_folder import Close, write_curve
from tests.scenarios.virtual_house import VirtualHouse

FIRST = date(2021, 3, 1)
#: By session, the curve at its close: what the next one trades under is told in its morning.
CLOSES = (
    Close(0.03, 4000.0, 17.0),  # 0: a condor is opened; the curve inverts
    Close(0.10, 3832.0, 18.7),  # 1 under STRESS: the puts are tested, the calls may not follow
    Close(0.03, 3832.0, 18.7),  # 2 under CRISIS: nothing is opened
    Close(0.03, 3832.0, 18.7),
    Close(-0.02, 3832.0, 18.7),  # 4: two closes below 4 %, still CRISIS
    Close(0.02, 3832.0, 18.7),  # 5: three, CRISIS is left; the curve inverts again
    Close(-0.03, 3832.0, 18.7),  # 6 under STRESS, an echo
    Close(-0.03, 3832.0, 18.7),
    Close(-0.03, 3832.0, 18.7),  # 8: two closes below -1 %, still STRESS
    Close(-0.03, 3832.0, 18.7),  # 9: three, STRESS is left; the echo stays
)
AWAKE = (0, 1, 2, 4, 5, 6, 8, 9)
LABELS = {
    0: "the regime is NORMAL",
    1: "the regime is STRESS, was NORMAL",
    2: "the regime is CRISIS, was STRESS",
    4: "the regime is CRISIS",
    5: "the regime is NORMAL, was CRISIS",
    6: "the regime is STRESS, was NORMAL; an echo since 2021-03-08",
    8: "the regime is STRESS; an echo since 2021-03-08",
    9: "the regime is NORMAL, was STRESS; an echo since 2021-03-08",
}
_RULES: Mapping[str, Mapping[str, Any]] = {
    "condor": {"entries_per_week_max": 10, "open_max_count": 10, "entry_patient_spread_fraction": 1.0},
    "condor.exit": {"stop_credit_ratio": 50.0, "stop_of_max_loss_fraction": 0.99},
    "risk": {"condors_per_expiry_max": 10},
}


def session(number: int) -> date:
    return session_offset(FIRST, number)


@dataclass(frozen=True)
class Story:
    """What was decided, and what `why` says in the last minute of each session the daemon was awake in."""

    decisions: tuple[Told, ...]
    why: Mapping[int, Mapping[str, Explanation]]

    def of(self, number: int, strategy: str, *verbs: Verb) -> list[Decision]:
        day = session(number)
        return [
            one.decision
            for one in self.decisions
            if one.time.astimezone(MARKET_TZ).date() == day
            and one.decision.strategy == strategy
            and one.decision.verb in verbs
        ]

    def blocks(self, number: int, gate: str) -> set[str]:
        """What the condor's gates of a name said when they did not pass."""
        held = self.of(number, "iron_condor", *Verb)
        gates = (one for decision in held for one in decision.gates if one.name.endswith(gate))
        return {one.detail for one in gates if not one.passed}


@cache
def story() -> Story:
    """Run it once for all tests, and prove the journal against the venue."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        start, last = at(FIRST, "09:46"), session(len(CLOSES) - 1)
        market = HistoricalMarket(write_curve(folder / "data", FIRST, CLOSES), start, last, 60.0)
        house = VirtualHouse(
            folder / "journal",
            market,
            start,
            rules_with(_RULES),
            60.0,
            timedelta(minutes=10),
            stand_ins("http://localhost"),
            wakes=[at(session(number), "09:46") for number in AWAKE[1:]],
        )
        ends: list[datetime] = [at(session(number), "10:10") for number in AWAKE]
        house.run(ends[:-1], ends[-1])
        records = read_records(folder / "journal")
        decisions = tuple(told(record) for record in records if record.kind == "Decision")
        why = {
            number: {
                asked: found
                for asked in ("condor", "regime")
                for found in explain(folder / "journal", asked, end)
            }
            for number, end in zip(AWAKE, ends, strict=True)
        }
        return Story(decisions, why)


def test_each_regime_is_entered_at_once_and_left_after_its_closes() -> None:
    found = {number: [one.reason for one in story().of(number, "regime", Verb.READ)] for number in AWAKE}
    assert found == {number: [reason] for number, reason in LABELS.items()}


def test_under_stress_the_call_side_of_a_tested_condor_stays_and_condors_are_still_opened() -> None:
    assert "stress regime" in story().blocks(1, "roll_not_barred")
    assert not story().of(1, "iron_condor", Verb.ADJUST)
    assert story().of(1, "iron_condor", Verb.OPEN)


def test_in_a_crisis_no_condor_is_opened_and_no_call_side_moved_until_it_is_left() -> None:
    for number in (2, 4):
        assert story().blocks(number, "not_barred") >= {"crisis regime"}
        assert story().blocks(number, "roll_not_barred") == {"crisis regime"}
        assert not story().of(number, "iron_condor", Verb.OPEN, Verb.ADJUST)


def test_once_the_crisis_is_left_condors_open_and_the_call_side_follows() -> None:
    assert story().of(5, "iron_condor", Verb.OPEN)
    assert Due.ROLL_CALLS in {one.reason for one in story().of(5, "iron_condor", Verb.ADJUST)}


def test_an_echo_is_told_and_forbids_nothing_itself() -> None:
    assert not story().blocks(9, "not_barred")
    (label,) = story().of(9, "regime", Verb.READ)
    echo = next(one for one in label.readings if one.name == "echo")
    assert (echo.fired, echo.source) == (True, "crisis left 2021-03-05")


def test_why_names_the_regime_that_stands_in_the_way_with_its_figures() -> None:
    assert "not_barred blocks: crisis regime" in story().why[2]["condor"].summary
    assert "roll_not_barred blocks: stress regime" in story().why[1]["condor"].summary
    rows = {row.reading.name: row for row in story().why[2]["regime"].readings}
    crisis = rows["curve_crisis"].reading
    assert crisis.value == pytest.approx(0.1, abs=1e-5)
    assert (crisis.threshold, crisis.fired) == (0.08, True)
    closes = {number: story().why[number]["regime"].readings for number in (4, 8)}
    for readings in closes.values():
        row = next(one for one in readings if one.reading.name == "closes_to_leave")
        assert (row.reading.value, row.reading.threshold) == (2.0, 3.0)
