"""What is known of slow series: the newest yield counts, and a series nobody reads is passed over."""

from datetime import date

from bot.engine.observations import Known

SESSION, BEFORE = date(2020, 2, 3), date(2020, 1, 31)


def test_a_yield_of_an_earlier_day_does_not_take_the_place_of_a_later_one() -> None:
    known = Known()
    known.take("baa", SESSION, 3.9)
    known.take("baa", BEFORE, 4.2)
    assert known.at(SESSION, 5).baa == 0.039
    known.take("baa", SESSION, 3.8)
    assert known.at(SESSION, 5).baa == 0.038


def test_a_series_nobody_reads_changes_nothing() -> None:
    known, other = Known(), Known()
    other.take("sunspots", SESSION, 20.0)
    assert other == known
