"""A series shows what was known at the time and nothing of the future."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.series import Observation, Series

START = datetime(2020, 1, 1, tzinfo=UTC)

observations = st.lists(
    st.builds(
        Observation,
        st.integers(0, 500).map(lambda hours: START + timedelta(hours=hours)),
        st.integers(0, 9).map(lambda days: date(2020, 1, 1) + timedelta(days=days)),
        st.floats(-100, 100),
        st.booleans(),
    ),
    max_size=20,
)
moments = st.integers(-5, 505).map(lambda hours: START + timedelta(hours=hours))


def series(found: list[Observation]) -> Series:
    made = Series("test")
    made.extend(found)
    return made


@given(observations, moments)
def test_nothing_that_became_known_later_is_seen(found: list[Observation], moment: datetime) -> None:
    assert all(one.known_at <= moment for one in series(found).known_at(moment).values())


@given(observations, moments)
def test_cutting_the_future_off_changes_nothing_seen_before(
    found: list[Observation], moment: datetime
) -> None:
    past = [one for one in found if one.known_at <= moment]
    assert series(found).known_at(moment) == series(past).known_at(moment)


@given(observations, moments)
def test_changing_the_future_changes_nothing_seen_before(found: list[Observation], moment: datetime) -> None:
    other = [
        one if one.known_at <= moment else Observation(one.known_at, one.period, one.value + 1.0)
        for one in found
    ]
    assert series(found).known_at(moment) == series(other).known_at(moment)


@given(observations, moments)
def test_every_period_known_by_then_is_seen_once_in_order(found: list[Observation], moment: datetime) -> None:
    known = series(found).known_at(moment)
    assert list(known) == sorted({one.period for one in found if one.known_at <= moment})
    for period, one in known.items():
        vintages = [other for other in found if other.period == period and other.known_at <= moment]
        assert one.known_at == max(other.known_at for other in vintages)


@given(observations.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), moments)
def test_the_order_of_arrival_does_not_matter(
    pair: tuple[list[Observation], list[Observation]], moment: datetime
) -> None:
    assert series(pair[0]).known_at(moment) == series(pair[1]).known_at(moment)
    assert len(series(pair[0])) == len(pair[0])
    assert list(series(pair[0])) == list(series(pair[1]))


def test_a_later_vintage_replaces_the_first_print_from_its_release_on() -> None:
    month, first, later = date(2020, 1, 1), START + timedelta(days=15), START + timedelta(days=45)
    ppi = series([Observation(first, month, 199.0), Observation(later, month, 199.3)])
    assert ppi.known_at(first - timedelta(seconds=1)) == {}
    assert ppi.known_at(first)[month].value == 199.0
    assert ppi.known_at(later)[month].value == 199.3


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Series("ppi").add(Observation(datetime(2020, 1, 1), date(2020, 1, 1), 1.0))  # noqa: DTZ001 - the point
