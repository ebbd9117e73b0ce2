"""A listing is arranged once, kept while it is the same, and searched by strikes that have both rights."""

from datetime import date, timedelta

from market.contract import Contract, Right, SecurityType
from strategies.base import MarketSnapshot
from strategies.ladder import Ladder, ladder
from tests.strategies.world import at

SESSION, EXPIRY = date(2021, 4, 19), date(2021, 5, 19)


def options(*strikes: float, expiry: date = EXPIRY) -> tuple[Contract, ...]:
    return tuple(
        Contract(SecurityType.OPTION, "VIX", "VIX", expiry, strike, right, multiplier=100)
        for strike in strikes
        for right in (Right.CALL, Right.PUT)
    )


def listed(*listing: Contract, expiry: date = EXPIRY) -> MarketSnapshot:
    return MarketSnapshot(at(SESSION, "10:00"), SESSION, {}, {("VIX", expiry): listing})


def arranged(snapshot: MarketSnapshot, expiry: date = EXPIRY) -> Ladder:
    found = ladder(snapshot, "VIX", expiry)
    assert found is not None
    return found


def test_nothing_is_arranged_before_the_broker_has_listed_an_option() -> None:
    assert ladder(listed(), "VIX", EXPIRY) is None
    assert ladder(listed(*options(20.0)), "VIX", None) is None
    assert ladder(listed(*options(20.0)), "VIX", EXPIRY + timedelta(7)) is None


def test_only_strikes_with_both_rights_are_rungs_in_ascending_order() -> None:
    lone_call, _ = options(22.5)
    _, lone_put = options(17.5)
    future = Contract(SecurityType.FUTURE, "VIX", "VX", EXPIRY)
    found = arranged(listed(*options(25.0, 20.0), lone_call, lone_put, future))
    assert found.strikes == (20.0, 25.0)
    assert (found.has(20.0), found.has(22.5), found.has(17.5)) == (True, False, False)


def test_the_lowest_strike_not_below_a_level_may_not_exist() -> None:
    found = arranged(listed(*options(20.0, 25.0)))
    assert [found.first_at_or_above(level) for level in (19.0, 20.0, 20.5, 25.5)] == [20.0, 20.0, 25.0, None]


def test_strikes_are_laid_evenly_over_a_band_and_all_are_taken_where_they_are_few() -> None:
    found = arranged(listed(*options(*(float(strike) for strike in range(10, 31)))))
    assert found.spread(10.0, 31.0, 5) == (10.0, 15.0, 20.0, 25.0, 30.0)
    assert found.spread(12.0, 15.0, 5) == (12.0, 13.0, 14.0)
    assert found.nearest(10.0, 3) == (10.0, 11.0, 12.0)
    assert found.nearest(20.4, 3) == (19.0, 20.0, 21.0)


def test_the_same_listing_is_arranged_once_and_another_one_anew() -> None:
    first = listed(*options(20.0, 25.0))
    assert arranged(first) is arranged(first)
    more = listed(*options(20.0, 25.0, 30.0))
    assert arranged(more).strikes == (20.0, 25.0, 30.0)
    assert arranged(first).strikes == (20.0, 25.0)


def test_more_listings_than_are_remembered_are_each_arranged_rightly() -> None:
    days = [EXPIRY + timedelta(7 * week) for week in range(40)]
    for _ in range(2):
        for number, day in enumerate(days):
            snapshot = listed(*options(20.0 + number, expiry=day), expiry=day)
            assert arranged(snapshot, day).strikes == (20.0 + number,)
