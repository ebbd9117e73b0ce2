"""Logs show the decisions asked for, one line each, and go on with those that come."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from bot.engine.decision import Decision, Verb
from bot.journal.writer import Journal
from bot.review.decisions import Told
from bot.review.logs import Run, Selection, follow, json_line, line, run_of, select, since_end
from bot.review.text import number, plain, read_moment, read_span
from tests.bot.recorder import ACCOUNT, record_two_starts

FIRST = datetime(2024, 3, 4, 15, 0, tzinfo=UTC)


class StopFollowingError(Exception):
    """Ends a follower in a test."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_two_starts(tmp_path_factory.mktemp("recorded") / "journal")


@pytest.fixture
def week(tmp_path: Path) -> Path:
    """Two decisions a day over five days."""
    journal, _ = Journal.open(tmp_path)
    for day in range(5):
        for second, (strategy, verb) in enumerate((("near_term", Verb.READ), ("iron_condor", Verb.HOLD))):
            journal.append(
                FIRST + timedelta(days=day, seconds=second),
                "Decision",
                Decision(f"d{day}{second}", strategy, verb, "because"),
            )
    journal.commit()
    journal.release()
    return tmp_path


def ids(found: list[Told]) -> list[str]:
    return [each.decision.decision_id for each in found]


def test_all_decisions_come_in_order(week: Path) -> None:
    assert ids(list(select(week, Selection()))) == [f"d{day}{n}" for day in range(5) for n in range(2)]


def test_strategy_verb_and_time_choose(week: Path) -> None:
    assert ids(list(select(week, Selection(strategy="L1")))) == [f"d{day}0" for day in range(5)]
    assert ids(list(select(week, Selection(verb="hold")))) == [f"d{day}1" for day in range(5)]
    assert list(select(week, Selection(strategy="L1", verb="hold"))) == []
    since = FIRST + timedelta(days=3, seconds=1)
    assert ids(list(select(week, Selection(since)))) == ["d31", "d40", "d41"]
    assert list(select(week, Selection(FIRST + timedelta(days=30)))) == []


def test_a_span_counts_back_from_the_journals_end(week: Path, tmp_path: Path) -> None:
    assert since_end(week, timedelta(days=1)) == FIRST + timedelta(days=3, seconds=1)
    assert since_end(tmp_path / "none", timedelta(days=1)) is None


def test_earlier_segments_are_not_read(week: Path) -> None:
    early = week / "0001-2024-03-04.jsonl"
    early.write_bytes(early.read_bytes().replace(b'"kind"', b'"kin_"'))
    assert len(list(select(week, Selection(FIRST + timedelta(days=1))))) == 8


def test_following_goes_on_with_what_comes_and_over_a_new_segment(week: Path) -> None:
    def wait() -> None:
        if len(got) > 10:
            raise StopFollowingError
        journal, _ = Journal.open(week)
        journal.append(FIRST + timedelta(days=5), "Decision", Decision("new", "condor", Verb.OPEN, "now"))
        journal.append(FIRST + timedelta(days=5), "Alert", {})
        journal.commit()
        journal.release()

    got: list[Told] = []
    with pytest.raises(StopFollowingError):
        for each in follow(week, Selection(), wait):
            got.append(each)  # noqa: PERF402 -- the list must hold what came before the follower is stopped
    assert ids(got)[-2:] == ["d41", "new"]


def test_a_line_says_when_who_what_and_why(recorded: Path) -> None:
    lines = [line(each) for each in select(recorded, Selection())]
    assert lines[0].startswith("2020-02-27 09:10:00 EST  L1      fire     the near-term layer fires")
    assert any("[entry_window: " in text for text in lines)
    assert all("\n" not in text for text in lines)


def test_an_order_shows_its_size_and_limit() -> None:
    decision = Decision(
        "d", "iron_condor", Verb.OPEN, "credit\nenough", structure_id="c-1", quantity=2, limit=-4.35
    )
    each = Told(FIRST, decision, None)  # type: ignore[arg-type]  # a line needs no record
    assert line(each) == "2024-03-04 10:00:00 EST  condor  open     c-1  2x at -4.35  credit\\nenough"


def test_a_json_line_is_one_object_with_mode_and_account(recorded: Path) -> None:
    run = run_of(recorded)
    assert run == Run("simulated", ACCOUNT)
    for each in select(recorded, Selection()):
        parsed = orjson.loads(json_line(each, run))
        assert list(parsed)[:5] == ["ts", "level", "event", "mode", "account"]
        assert parsed["decision_id"] == each.decision.decision_id
        assert b"\n" not in json_line(each, run)


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("30m", 1800), ("2H", 7200), ("1d", 86400), ("1 w", 604800), ("1y", None), ("d", None)],
)
def test_spans_are_read_as_typed(text: str, length: int | None) -> None:
    assert read_span(text) == (None if length is None else timedelta(seconds=length))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-04", datetime(2024, 3, 5, 4, 59, 59, tzinfo=UTC)),
        ("2024-03-04T10:00", datetime(2024, 3, 4, 15, 0, tzinfo=UTC)),
        ("2024-07-04 10:00", datetime(2024, 7, 4, 14, 0, tzinfo=UTC)),
        ("2024-03-04T10:00Z", datetime(2024, 3, 4, 10, 0, tzinfo=UTC)),
    ],
)
def test_moments_without_a_zone_are_new_york_time(text: str, moment: datetime) -> None:
    assert read_moment(text) == moment


def test_numbers_are_shown_short_and_foreign_text_spelt_out() -> None:
    values = [None, 0.0, -0.0, 0.0312, 1234.5, 12345678.9, "a\tb"]
    assert [number(value) for value in values] == ["-", "0", "0", "0.0312", "1,234.5", "12,345,679", "a\\tb"]
    assert plain("Grüße − × [ok]") == "Grüße − × [ok]"
