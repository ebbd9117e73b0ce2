"""Why says what the journal holds: value, threshold, distance, age, and the gate that blocks."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.engine.decision import Decision, Verb
from bot.journal.writer import Journal
from bot.review.decisions import names_of, short_name
from bot.review.why import Explanation, age_text, distance, explain, phrase
from risk.verdict import Check
from strategies.base import Gate, Reading
from tests.bot.recorder import record_two_starts

NOON = datetime(2024, 3, 5, 17, 0, tzinfo=UTC)
TODAY = date(2024, 3, 5)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_two_starts(tmp_path_factory.mktemp("recorded") / "journal")


def journal_of(folder: Path, decisions: Sequence[tuple[datetime, Decision]]) -> Path:
    journal, _ = Journal.open(folder)
    for time, decision in decisions:
        journal.append(time, "Decision", decision)
    journal.commit()
    journal.release()
    return folder


def only(explanations: Sequence[Explanation]) -> Explanation:
    assert len(explanations) == 1
    return explanations[0]


READ = Decision(
    "d1",
    "near_term",
    Verb.READ,
    "the near-term layer does not fire",
    readings=(
        Reading("ad_line_rsi", 45.25, 30.0, "<", False, "2024-03-04", "nyse_breadth", (100, 100)),
        Reading("front_backwardation", 0.031, 0.08, ">", False, "2024-03-04"),
        Reading("spot_backwardation", None, 0.08, ">", None, reason="near leg missing", warm_up=(63, 100)),
    ),
)
HOLD = Decision(
    "d2",
    "iron_condor",
    Verb.HOLD,
    "blocked by entry_window",
    gates=(Gate("calm", True), Gate("entry_window", False, "09:45 is before 10:00"), Gate("breadth", None)),
    evaluations=12,
)
DENY = Decision(
    "d3",
    "iron_condor",
    Verb.DENY,
    "risk refuses",
    checks=(Check("nav_age", 3.0, 60.0, True), Check("initiation_loss", 0.0131, 0.012, False)),
)


def test_a_layer_that_did_not_fire_tells_each_distance(tmp_path: Path) -> None:
    found = only(explain(journal_of(tmp_path, [(NOON, READ)]), "L1"))
    rows = {row.reading.name: row for row in found.readings}
    assert rows["ad_line_rsi"].distance == 15.25
    assert rows["front_backwardation"].distance == 0.049
    assert rows["spot_backwardation"].distance is None
    assert rows["ad_line_rsi"].age == timedelta(days=1)
    assert "ad_line_rsi is 45.25, needs < 30: 15.25 too high." in found.summary
    assert "front_backwardation is 0.031, needs > 0.08: 0.049 short." in found.summary
    assert "spot_backwardation is unknown: near leg missing (63 of 100)." in found.summary


def test_the_gate_that_blocks_is_named_in_words(tmp_path: Path) -> None:
    found = only(explain(journal_of(tmp_path, [(NOON, HOLD)]), "condor"))
    assert "Gate entry_window blocks: 09:45 is before 10:00." in found.summary
    assert "Gate breadth is unknown." in found.summary
    assert found.last.decision.evaluations == 12


def test_a_refusal_names_value_and_limit_of_the_check(tmp_path: Path) -> None:
    found = only(explain(journal_of(tmp_path, [(NOON, HOLD), (NOON, DENY)]), "condor"))
    assert "Risk refuses: initiation_loss is 0.0131, limit 0.012." in found.summary
    assert [gate.name for gate in found.gates] == ["calm", "entry_window", "breadth"]


def test_readings_gates_and_checks_come_each_from_the_newest_decision_that_has_some(tmp_path: Path) -> None:
    later, latest = NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)
    booked = Decision("d4", "iron_condor", Verb.BOOK, "working")
    folder = journal_of(tmp_path, [(NOON, DENY), (later, HOLD), (latest, booked)])
    found = only(explain(folder, "condor"))
    assert found.last.decision == booked
    assert (found.checked_at, found.gated_at, found.read_at) == (NOON, later, None)


def test_an_earlier_moment_is_explained_by_what_was_known_then(tmp_path: Path) -> None:
    folder = journal_of(tmp_path, [(NOON, HOLD), (NOON + timedelta(hours=1), DENY)])
    assert only(explain(folder, "condor", NOON + timedelta(minutes=59))).last.decision == HOLD
    assert only(explain(folder, "condor", NOON + timedelta(minutes=60))).last.decision == DENY
    assert explain(folder, "condor", NOON - timedelta(seconds=1)) == ()


def test_without_a_name_every_strategy_is_explained(recorded: Path) -> None:
    assert [each.strategy for each in explain(recorded, None)] == ["L1", "L2", "L3", "condor", "regime"]


def test_a_halt_is_told_beside_every_explanation_from_then_on(recorded: Path) -> None:
    halted = "trading is halted: operator: a person: a test [of] words"
    assert {each.restriction for each in explain(recorded, None)} == {halted}
    assert only(explain(recorded, "L1")).restriction == halted
    before = datetime(2020, 2, 27, 15, 9, tzinfo=UTC)
    assert only(explain(recorded, "L1", before)).restriction == ""


def test_a_recorded_session_explains_the_fire_and_what_came_of_it(recorded: Path) -> None:
    found = only(explain(recorded, "L1"))
    assert found.last.decision.verb is Verb.HOLD
    assert {row.reading.name: row.reading.fired for row in found.readings}["front_backwardation"] is True
    assert "Gate listing is unknown" in found.summary
    morning = datetime(2020, 2, 27, 14, 20, tzinfo=UTC)
    assert only(explain(recorded, "L1", morning)).last.decision.verb is Verb.FIRE


@pytest.mark.parametrize("name", ["L1", "l1", "near_term", " L1 "])
def test_a_layer_goes_by_its_number_or_its_name(name: str) -> None:
    assert "near_term" in names_of(name)
    assert short_name("near_term") == "L1"
    assert short_name("risk") == "risk"


@pytest.mark.parametrize(
    ("relation", "value", "expected"),
    [
        ("<", 31.0, 1.0),
        ("<", 29.0, 0.0),
        (">", 29.0, 1.0),
        (">=", 30.0, 0.0),
        ("<=", 30.5, 0.5),
        ("=", 28.0, 2.0),
        ("<", None, None),
    ],
)
def test_distance_is_what_is_missing_to_the_threshold(
    relation: str, value: float | None, expected: float | None
) -> None:
    assert distance(Reading("r", value, 30.0, relation, None)) == expected


def test_the_wrong_side_of_an_equality_is_neither_high_nor_short() -> None:
    armed = Reading("near_term_armed", 0.0, 1.0, "=", False)
    assert phrase(armed) == "near_term_armed is 0, needs = 1: 1 off"


def test_foreign_text_cannot_move_the_cursor() -> None:
    told = phrase(Reading("r", None, 1.0, ">", None, reason="bad\x1b[2J\r\nnews\u202e"))
    assert told == "r is unknown: bad\\x1b[2J\\r\\nnews\\u202e"


def test_ages_are_told_in_their_largest_unit() -> None:
    ages = [None, timedelta(0), timedelta(seconds=90), timedelta(minutes=10), timedelta(days=1)]
    assert [age_text(age) for age in ages] == ["-", "today", "90 s", "10 min", "1 d"]


def test_a_reading_of_the_moment_is_as_old_as_its_decision_and_comes_from_the_snapshot(
    tmp_path: Path,
) -> None:
    live = Decision(
        "d9",
        "iron_condor",
        Verb.HOLD,
        "nothing to do",
        readings=(
            Reading("credit_to_width", 0.12, 0.15, ">=", False),
            Reading("credit_to_width", 0.12, 0.40, "<=", True),
            Reading("condor.loss_pts", None, 9.0, ">=", None, reason="a leg has no price"),
        ),
    )
    folder = journal_of(tmp_path, [(NOON, live)])
    rows = only(explain(folder, "condor", NOON + timedelta(minutes=3))).readings
    assert [(row.reading.threshold, row.age, row.reading.source) for row in rows] == [
        (0.15, timedelta(minutes=3), "snapshot"),
        (0.40, timedelta(minutes=3), "snapshot"),
        (9.0, None, ""),
    ]


def test_the_newest_break_evens_of_each_condor_stay_in_the_table_for_their_session(tmp_path: Path) -> None:
    def read(name: str, value: float, session: date = TODAY) -> Decision:
        row = Reading(f"{name}.low_expiry_sd", value, 0.5, "<=", False, session.isoformat())
        notes = (("net_credit", value), ("parity_mad", 0.1))
        return Decision("r", "iron_condor", Verb.READ, "told", session, name, readings=(row,), notes=notes)

    held = Decision(
        "h",
        "iron_condor",
        Verb.HOLD,
        "nothing",
        NOON.date(),
        readings=(Reading("a.dte", 30.0, 21.0, "<=", False),),
    )
    told = [
        read("b", 0.7, date(2024, 3, 4)),
        read("a", 0.9),
        read("a", 0.8),
        held,
    ]
    found = only(
        explain(
            journal_of(tmp_path, [(NOON + timedelta(minutes=n), one) for n, one in enumerate(told)]), "condor"
        )
    )
    assert [(row.reading.name, row.reading.value) for row in found.readings] == [
        ("a.dte", 30.0),
        ("a.low_expiry_sd", 0.8),
    ]
    assert found.figures == (("a", "net_credit", 0.8),)
