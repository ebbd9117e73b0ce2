"""What stood in the way is counted in looks, known and unknown apart, a session's readings once."""

from datetime import UTC, date, datetime, timedelta

from bot.engine.decision import Decision, Verb
from bot.journal.writer import Record
from bot.review.decisions import Told
from bot.review.whynot import Blocker, last_words, rank
from risk.verdict import Check
from strategies.base import Gate, Reading

START = datetime(2020, 2, 27, 15, 0, tzinfo=UTC)


def told(minute: int, decision: Decision) -> Told:
    time = START + timedelta(minutes=minute)
    return Told(time, decision, Record(minute + 1, time.isoformat(), "Decision", {}, "", "0001", 1, b""))


def hold(gates: tuple[Gate, ...], looks: int = 1, strategy: str = "iron_condor") -> Decision:
    return Decision("d", strategy, Verb.HOLD, "gates", evaluations=looks, gates=gates)


def by_name(blockers: tuple[Blocker, ...]) -> dict[str, Blocker]:
    return {one.name: one for one in blockers}


def test_looks_without_news_count_for_the_decision_before_them_and_the_busiest_comes_first() -> None:
    found = rank(
        [
            told(0, hold((Gate("week_entries", False, "1 of 1"), Gate("entry_window", True)), looks=9)),
            told(
                1,
                hold((Gate("entry_window", False, "16:00"), Gate("week_entries", False, "2 of 1")), looks=50),
            ),
            told(1, hold((), looks=7)),
        ]
    )
    assert [one.name for one in found] == ["week_entries", "entry_window"]
    first = found[0]
    assert (first.strategy, first.kind, first.blocked, first.unknown, first.alone) == (
        "condor",
        "gate",
        57,
        0,
        50,
    )
    assert (first.decisions, first.detail, first.last - first.first) == (2, "2 of 1", timedelta(minutes=1))


def test_an_unknown_gate_is_counted_apart() -> None:
    listing = hold((Gate("listing", None, "not listed"),))
    found = by_name(rank([told(0, listing), told(1, hold((), 3))]))
    assert (found["listing"].blocked, found["listing"].unknown, found["listing"].looks) == (0, 3, 3)


def test_looks_before_the_span_and_after_the_last_word_belong_to_nobody() -> None:
    found = by_name(rank([told(0, hold((Gate("listing", None, "not listed"),), 2_429))]))
    assert found["listing"].looks == 1


def test_looks_at_a_refused_structure_are_not_those_of_its_strategy() -> None:
    checks = (Check("margin", 2.0, 1.0, False),)
    deny = Decision("d", "iron_condor", Verb.DENY, "risk", structure_id="c-1", checks=checks)
    later = Decision("d", "iron_condor", Verb.DENY, "risk", structure_id="c-1", evaluations=5, checks=checks)
    found = by_name(rank([told(0, hold((Gate("listing", None, ""),))), told(1, deny), told(2, later)]))
    assert (found["margin"].blocked, found["listing"].looks) == (6, 1)


def test_refused_checks_count_and_passed_ones_do_not() -> None:
    checks = (Check("open_max_loss", 70_000.0, 60_000.0, False), Check("margin", 1.0, 2.0, True))
    deny = Decision("d", "iron_condor", Verb.DENY, "risk", checks=checks)
    opened = Decision("d", "iron_condor", Verb.OPEN, "opens", checks=checks)
    found = rank([told(0, deny), told(1, opened)])
    assert [(one.kind, one.name, one.blocked, one.detail) for one in found] == [
        ("check", "open_max_loss", 1, "70,000, limit 60,000")
    ]


def readings(rsi: float | None) -> tuple[Reading, ...]:
    fired = None if rsi is None else rsi < 30.0
    return (
        Reading("ad_line_rsi", rsi, 30.0, "<", fired, reason="no breadth" if rsi is None else ""),
        Reading("near_term_armed", 1.0, 1.0, "=", True),
    )


def test_of_a_sessions_daily_readings_only_the_last_word_counts() -> None:
    day, other = date(2020, 2, 26), date(2020, 2, 27)
    read = [
        told(0, Decision("d", "near_term", Verb.READ, "provisional", session=day, readings=readings(None))),
        told(1, Decision("d", "near_term", Verb.READ, "final", session=day, readings=readings(45.0))),
        told(2, Decision("d", "near_term", Verb.READ, "provisional", session=other, readings=readings(35.0))),
        told(3, Decision("d", "near_term", Verb.FIRE, "fires", session=other, readings=readings(25.0))),
    ]
    found = rank(last_words(read))
    assert [(one.kind, one.name, one.blocked, one.unknown) for one in found] == [
        ("reading", "ad_line_rsi", 1, 0)
    ]
    assert found[0].detail == "45, needs < 30"


def test_nothing_in_the_way_is_an_empty_ranking() -> None:
    assert rank([told(0, hold((Gate("week_entries", True),)))]) == ()
