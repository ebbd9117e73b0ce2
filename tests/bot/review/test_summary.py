"""A summary adds up what a journal tells: the price of a structure is the average over all its orders."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bot.engine.decision import Decision, Verb
from bot.journal.writer import Journal
from bot.review.summary import Summary, summarise

FIRST = datetime(2024, 3, 4, 15, 0, tzinfo=UTC)
NAME = "condor-2024-W10-1"


def told(verb: Verb, order_ref: str, reason: str, quantity: int) -> Decision:
    return Decision(
        f"d-{order_ref}", "iron_condor", verb, reason, date(2024, 3, 4), NAME, order_ref, quantity=quantity
    )


def summary_of(folder: Path, *decisions: Decision) -> Summary:
    journal, _ = Journal.open(folder)
    for second, decision in enumerate(decisions):
        journal.append(FIRST + timedelta(seconds=second), "Decision", decision)
    journal.commit()
    journal.release()
    return summarise(folder)


def test_a_close_in_two_orders_is_shown_at_its_average(tmp_path: Path) -> None:
    summary = summary_of(
        tmp_path,
        told(Verb.OPEN, "a", "weekly entry", 6),
        told(Verb.BOOK, "a", "filled 6 of 6 at -6.2", 6),
        told(Verb.CLOSE, "b", "stop", 6),
        told(Verb.BOOK, "b", "filled 3 of 6 at 20.6", 3),
        told(Verb.BOOK, "b", "filled 5 of 6 at 20.65", 5),
        told(Verb.CLOSE, "c", "stop", 1),
        told(Verb.BOOK, "c", "filled 1 of 1 at 20.95", 1),
    )
    trade = summary.trades[NAME]
    assert (trade.units_opened, trade.units_closed) == (6, 6)
    assert (trade.entry, trade.exit) == ("-6.2", "20.7")
    assert summary.closed("iron_condor") == 1


def test_legs_that_make_no_unit_yet_have_no_price(tmp_path: Path) -> None:
    summary = summary_of(
        tmp_path, told(Verb.OPEN, "a", "weekly entry", 2), told(Verb.BOOK, "a", "filled 1 of 2", 1)
    )
    assert summary.trades[NAME].entry == ""
    assert summary.trades[NAME].units_opened == 1
