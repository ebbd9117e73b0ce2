"""Expiries and settlements of SPX and VIX contracts, against published days and against themselves."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.holidays import nth_weekday
from market.sessions import (
    LAST_DAY,
    MARKET_TZ,
    Product,
    days_to_expiry,
    front_vx_pair,
    is_session,
    next_session,
    option_expiry_instant,
    option_last_trade,
    previous_session,
    sessions,
    sessions_between,
    spx_monthly_expiries,
    spx_monthly_expiry,
    spxw_expiries,
    t_years,
    vix_expiries,
    vix_final_settlement,
    vix_last_trade,
    vixw_expiries,
    vx_settlements_after,
)

VALIDATION_DATA = Path(__file__).parents[2].parent / "shared" / "data"
TUESDAY, WEDNESDAY, FRIDAY = 1, 2, 4

#: Final settlement days of the monthly VIX contracts, January to December.
VIX_SETTLEMENTS = {
    2014: "01-22 02-19 03-18 04-16 05-21 06-18 07-16 08-20 09-17 10-22 11-19 12-17",
    2019: "01-16 02-13 03-19 04-17 05-22 06-19 07-17 08-21 09-18 10-16 11-20 12-18",
    2022: "01-19 02-16 03-15 04-20 05-18 06-15 07-20 08-17 09-21 10-19 11-16 12-21",
    2024: "01-17 02-14 03-20 04-17 05-22 06-18 07-17 08-21 09-18 10-16 11-20 12-18",
    2025: "01-22 02-19 03-18 04-16 05-21 06-18 07-16 08-20 09-17 10-22 11-19 12-17",
    2026: "01-21 02-18 03-18 04-15 05-19 06-17 07-22 08-19 09-16 10-21 11-18 12-16",
    2027: "01-20 02-17 03-17 04-21 05-18 06-16 07-21 08-18 09-15 10-20 11-17 12-22",
}
SETTLEMENT_CASES = [
    (year, month, date.fromisoformat(f"{year}-{day}"))
    for year, days in VIX_SETTLEMENTS.items()
    for month, day in enumerate(days.split(), start=1)
]

days = st.dates(date(2004, 1, 2), LAST_DAY - timedelta(200))


def new_york(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), MARKET_TZ)


# ---------------------------------------------------------------- VIX settlements
@pytest.mark.parametrize(("year", "month", "settlement"), SETTLEMENT_CASES)
def test_monthly_vix_contracts_settle_on_the_published_days(year: int, month: int, settlement: date) -> None:
    assert vix_final_settlement(year, month) == settlement


def test_of_84_monthly_settlements_exactly_the_known_seven_are_not_wednesdays() -> None:
    assert [f"{day}" for _, _, day in SETTLEMENT_CASES if day.weekday() != WEDNESDAY] == [
        "2014-03-18",
        "2019-03-19",
        "2022-03-15",
        "2024-06-18",
        "2025-03-18",
        "2026-05-19",
        "2027-05-18",
    ]


def test_a_settlement_moves_for_a_holiday_on_its_wednesday_and_for_one_on_the_friday_behind_it() -> None:
    assert not is_session(date(2024, 6, 19))  # Juneteenth, the Wednesday itself
    assert vix_final_settlement(2024, 6) == date(2024, 6, 18)
    assert not is_session(date(2019, 4, 19))  # Good Friday, 30 days after the Wednesday
    assert is_session(date(2019, 3, 20))
    assert vix_final_settlement(2019, 3) == date(2019, 3, 19)


def test_monthly_vix_settlements_are_27_to_36_days_apart() -> None:
    settlements = vix_expiries(date(2007, 1, 1), date(2034, 1, 31))
    gaps = {(later - earlier).days for earlier, later in pairwise(settlements)}
    assert sorted(gaps) == [27, 28, 29, 34, 35, 36]


@pytest.mark.parametrize(
    ("shortest", "longest", "days_without"),
    [(9, 44, 0), (10, 44, 2), (14, 45, 337), (16, 51, 0), (45, 90, 0), (120, 240, 0)],
)
def test_calendar_days_of_2007_to_2033_on_which_a_window_of_days_to_expiry_holds_no_monthly_vix_expiry(
    shortest: int, longest: int, days_without: int
) -> None:
    first, last = date(2007, 1, 1), date(2033, 12, 31)
    expiries = vix_expiries(first, last + timedelta(longest))
    covered = {expiry - timedelta(dte) for expiry in expiries for dte in range(shortest, longest + 1)}
    every_day = {first + timedelta(n) for n in range((last - first).days + 1)}
    assert len(every_day - covered) == days_without


@pytest.mark.parametrize("name", ["vx_settlements.csv", "vx_contracts.csv"])
def test_every_final_settlement_in_the_recorded_history_is_one_of_the_calendar(name: str) -> None:
    path = VALIDATION_DATA / name
    if not path.exists():
        pytest.skip(f"validation data {name} is not at hand")
    with path.open(newline="") as lines:
        rows = [
            (date.fromisoformat(row["date"]), date.fromisoformat(row["final_settlement"]))
            for row in csv.DictReader(lines)
        ]
    recorded = {settlement for _, settlement in rows}
    assert recorded
    assert recorded <= set(vix_expiries(min(recorded), max(recorded)))
    # The exchange published VX prices on two days on which the stock market was shut.
    assert {day for day, _ in rows if not is_session(day)} == {date(2015, 4, 3), date(2018, 12, 5)}


def test_the_recorded_curve_holds_both_front_contracts_but_for_one_known_gap() -> None:
    path = VALIDATION_DATA / "vx_settlements.csv"
    if not path.exists():
        pytest.skip("validation data vx_settlements.csv is not at hand")
    curve: dict[date, set[date]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            settlement = date.fromisoformat(row["final_settlement"])
            curve.setdefault(date.fromisoformat(row["date"]), set()).add(settlement)
    observed = [day for day in curve if is_session(day)]
    assert len(observed) > 4000
    absent = {day: set(front_vx_pair(day)) - curve[day] for day in observed}
    # The contract of March 2022 is missing from the record until 2022-01-19; nothing else is.
    assert {day: missing for day, missing in absent.items() if missing} == {
        date(2022, 1, 14): {date(2022, 3, 15)},
        date(2022, 1, 18): {date(2022, 3, 15)},
    }


# ---------------------------------------------------------------- weekly VIX
def test_weekly_vix_options_settle_on_the_wednesdays_between_the_monthly_ones() -> None:
    assert [f"{day}" for day in vixw_expiries(date(2026, 8, 1), date(2026, 9, 30))] == [
        "2026-08-05",
        "2026-08-12",
        "2026-08-26",
        "2026-09-02",
        "2026-09-09",
        "2026-09-23",
        "2026-09-30",
    ]


def test_a_weekly_vix_settlement_moves_for_a_holiday_on_its_wednesday_or_on_the_friday_behind_it() -> None:
    assert vixw_expiries(date(2024, 12, 20), date(2025, 1, 3)) == (date(2024, 12, 24), date(2024, 12, 31))
    # Independence Day 2025, a Friday, lies 30 days after 2025-06-04.
    assert vixw_expiries(date(2025, 6, 2), date(2025, 6, 6)) == (date(2025, 6, 3),)


def test_the_weekly_settlement_of_the_2018_day_of_mourning_was_put_off_to_the_next_session() -> None:
    assert vixw_expiries(date(2018, 12, 3), date(2018, 12, 7)) == (date(2018, 12, 6),)
    assert vixw_expiries(date(2018, 12, 6), date(2018, 12, 6)) == (date(2018, 12, 6),)
    assert option_last_trade("VIXW", date(2018, 12, 6)) == new_york(date(2018, 12, 4), 16, 15)


def test_weekly_vix_options_did_not_exist_before_october_2015() -> None:
    assert vixw_expiries(date(2015, 1, 1), date(2015, 10, 20)) == (date(2015, 10, 14),)


# ---------------------------------------------------------------- last trades of VIX contracts
def test_vix_options_last_trade_on_the_session_before_settlement_and_futures_on_its_morning() -> None:
    settlement = date(2026, 5, 19)
    assert vix_last_trade(settlement) == new_york(date(2026, 5, 18), 16, 15)
    assert vix_last_trade(settlement, Product.VIX_FUTURE) == new_york(settlement, 9)


def test_a_vix_last_trade_is_refused_for_stocks_and_for_days_without_a_session() -> None:
    with pytest.raises(ValueError, match="no VIX settlement"):
        vix_last_trade(date(2026, 5, 19), Product.EQUITY)
    with pytest.raises(ValueError, match="not a session"):
        vix_last_trade(date(2026, 5, 17), Product.VIX_FUTURE)
    with pytest.raises(ValueError, match="not a session"):
        vix_last_trade(date(2026, 5, 17))


# ---------------------------------------------------------------- front of the VX curve
@pytest.mark.parametrize(
    ("session", "pair"),
    [
        (date(2018, 2, 5), (date(2018, 2, 14), date(2018, 3, 21))),
        (date(2018, 2, 8), (date(2018, 2, 14), date(2018, 3, 21))),
        (date(2018, 2, 9), (date(2018, 3, 21), date(2018, 4, 18))),  # Friday before 2018-02-14
        (date(2018, 2, 14), (date(2018, 3, 21), date(2018, 4, 18))),
        (date(2018, 2, 15), (date(2018, 3, 21), date(2018, 4, 18))),
        (date(2024, 6, 13), (date(2024, 6, 18), date(2024, 7, 17))),  # settlement on a Tuesday
        (date(2024, 6, 14), (date(2024, 7, 17), date(2024, 8, 21))),
        (date(2022, 4, 14), (date(2022, 4, 20), date(2022, 5, 18))),  # its Friday is Good Friday
        (date(2022, 4, 18), (date(2022, 5, 18), date(2022, 6, 15))),
    ],
)
def test_the_front_pair_rolls_on_the_friday_before_settlement(session: date, pair: tuple[date, date]) -> None:
    assert front_vx_pair(session) == pair


@given(days)
def test_the_front_pair_is_two_adjacent_settlements_with_a_weekend_before_the_first(day: date) -> None:
    first, second = front_vx_pair(day)
    assert vx_settlements_after(first - timedelta(1), 2) == (first, second)
    assert first - timedelta(first.weekday() + 3) > day  # the Friday of the week before
    assert (first - day).days <= 41


@given(days)
def test_the_front_pair_never_steps_back(day: date) -> None:
    assert front_vx_pair(day) <= front_vx_pair(day + timedelta(1))


@given(days, st.integers(0, 4))
def test_settlements_after_a_day_are_the_next_ones_in_order(day: date, n: int) -> None:
    found = vx_settlements_after(day, n)
    assert len(found) == n
    assert found == vix_expiries(day + timedelta(1), day + timedelta(200))[:n]


def test_settlements_beyond_the_calendar_are_an_error() -> None:
    with pytest.raises(ValueError, match="in the calendar"):
        vx_settlements_after(LAST_DAY, 1)


# ---------------------------------------------------------------- SPX, SPXW, XSP
def test_monthly_spx_options_settle_on_third_fridays() -> None:
    assert [f"{day:%m-%d}" for day in spx_monthly_expiries(date(2026, 1, 1), date(2026, 6, 30))] == [
        "01-16",
        "02-20",
        "03-20",
        "04-17",
        "05-15",
        "06-18",  # the third Friday is Juneteenth
    ]


@pytest.mark.parametrize(
    ("year", "month", "thursday"),
    [(2008, 3, date(2008, 3, 20)), (2014, 4, date(2014, 4, 17)), (2025, 4, date(2025, 4, 17))],
)
def test_on_good_friday_the_monthly_spx_expiry_is_thursday_and_trading_ends_on_wednesday(
    year: int, month: int, thursday: date
) -> None:
    assert spx_monthly_expiry(year, month) == thursday
    assert option_last_trade("SPX", thursday) == new_york(thursday - timedelta(1), 16, 15)
    assert option_expiry_instant("SPX", thursday) == new_york(thursday, 9, 30)


def test_a_friday_holiday_moves_the_weekly_spxw_expiry_to_thursday() -> None:
    assert spxw_expiries(date(2025, 4, 7), date(2025, 4, 25)) == (
        date(2025, 4, 11),
        date(2025, 4, 17),
        date(2025, 4, 25),
    )
    assert spxw_expiries(date(2025, 4, 17), date(2025, 4, 17)) == (date(2025, 4, 17),)
    assert spxw_expiries(date(2025, 4, 18), date(2025, 4, 18)) == ()
    assert option_last_trade("SPXW", date(2025, 4, 17)) == new_york(date(2025, 4, 17), 16)


def test_a_pm_settled_option_that_expires_on_a_half_day_ends_at_13_00() -> None:
    half_day = date(2026, 11, 27)
    assert half_day in spxw_expiries(half_day, half_day)
    for trading_class in ("SPXW", "XSP"):
        assert option_last_trade(trading_class, half_day) == new_york(half_day, 13)
        assert option_expiry_instant(trading_class, half_day) == new_york(half_day, 13)


@pytest.mark.parametrize("trading_class", ["SPX", "VIX", "VIXW"])
def test_an_am_settled_option_after_a_half_day_last_trades_at_13_15(trading_class: str) -> None:
    half_day = date(2024, 12, 24)
    assert option_last_trade(trading_class, next_session(half_day)) == new_york(half_day, 13, 15)


@pytest.mark.parametrize("call", [option_last_trade, option_expiry_instant])
@pytest.mark.parametrize("trading_class", ["SPX", "SPXW"])
def test_an_expiry_on_a_day_without_a_session_is_an_error(call: object, trading_class: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="not a session"):
        call(trading_class, date(2025, 4, 18))


@pytest.mark.parametrize("call", [option_last_trade, option_expiry_instant])
def test_an_unknown_trading_class_is_an_error(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="unknown trading class 'SPY'"):
        call("SPY", date(2026, 3, 20))


def test_a_fifth_friday_that_does_not_exist_is_an_error() -> None:
    assert nth_weekday(2026, 5, FRIDAY, 5) == date(2026, 5, 29)
    with pytest.raises(ValueError, match="number 5"):
        nth_weekday(2026, 6, FRIDAY, 5)


# ---------------------------------------------------------------- time to expiry
def test_time_to_expiry_is_act_365_to_the_settling_prices() -> None:
    now = new_york(date(2026, 2, 2), 16)
    assert t_years(now, "SPXW", date(2026, 2, 20)) == 18 / 365
    assert t_years(now, "SPX", date(2026, 2, 20)) == pytest.approx((17 + 17.5 / 24) / 365, rel=1e-14)
    assert days_to_expiry(now.date(), date(2026, 2, 20)) == 18


@pytest.mark.parametrize(
    ("now", "expiry", "hours"),
    [
        (new_york(date(2026, 3, 6), 16), date(2026, 3, 13), 7 * 24 - 1),  # clocks go forward on 03-08
        (new_york(date(2026, 10, 30), 16), date(2026, 11, 6), 7 * 24 + 1),  # clocks go back on 11-01
    ],
)
def test_time_to_expiry_counts_elapsed_hours_across_daylight_saving(
    now: datetime, expiry: date, hours: int
) -> None:
    assert t_years(now, "SPXW", expiry) == hours / 24 / 365


def test_an_expired_option_has_no_time_left() -> None:
    expiry = date(2026, 3, 20)
    assert t_years(new_york(expiry, 9, 30), "SPX", expiry) == 0.0
    assert t_years(new_york(expiry, 16), "SPXW", expiry) == 0.0
    assert t_years(new_york(date(2026, 3, 23), 10), "SPXW", expiry) == 0.0
    assert t_years(new_york(expiry, 15, 59), "SPXW", expiry) > 0.0


def test_time_to_expiry_refuses_a_naive_instant() -> None:
    with pytest.raises(ValueError, match="time zone"):
        t_years(datetime.combine(date(2026, 3, 2), time(10)), "SPXW", date(2026, 3, 20))


@given(st.sampled_from(sessions(date(2016, 1, 4), date(2030, 12, 31))), st.integers(0, 90 * 24 * 60))
def test_time_to_expiry_does_not_depend_on_the_zone_of_now_and_never_grows(
    expiry: date, minutes: int
) -> None:
    now = option_expiry_instant("SPXW", expiry).astimezone(UTC) - timedelta(minutes=minutes)
    left = t_years(now, "SPXW", expiry)
    assert left == pytest.approx(minutes / (365 * 24 * 60), rel=1e-12)
    assert t_years(now.astimezone(MARKET_TZ), "SPXW", expiry) == left
    assert t_years(now + timedelta(minutes=1), "SPXW", expiry) <= left


# ---------------------------------------------------------------- properties
@given(days)
def test_every_listed_expiry_is_a_session(day: date) -> None:
    span = (day, day + timedelta(120))
    for expiries in (vix_expiries, vixw_expiries, spx_monthly_expiries, spxw_expiries):
        found = expiries(*span)
        assert list(found) == sorted(set(found))
        assert all(is_session(expiry) and span[0] <= expiry <= span[1] for expiry in found)


@given(days)
def test_monthly_spx_expiries_are_among_the_spxw_fridays_one_a_month(day: date) -> None:
    monthly = spx_monthly_expiries(day, day + timedelta(120))
    assert set(monthly) <= set(spxw_expiries(day, day + timedelta(120)))
    months = [(expiry.year, expiry.month) for expiry in monthly]
    assert len(months) == len(set(months))


@given(days, days)
def test_splitting_a_span_splits_its_expiries(a: date, b: date) -> None:
    first, middle = min(a, b), max(a, b)
    last = middle + timedelta(40)
    for expiries in (vix_expiries, vixw_expiries, spx_monthly_expiries, spxw_expiries):
        whole = expiries(first, middle - timedelta(1)) + expiries(middle, last)
        assert expiries(first, last) == whole


@given(st.sampled_from(sessions(date(1990, 3, 1), date(2035, 10, 1))))
def test_an_am_class_stops_trading_the_session_before_it_settles_and_a_pm_class_with_it(expiry: date) -> None:
    for trading_class in ("SPX", "VIX", "VIXW"):
        last_trade = option_last_trade(trading_class, expiry)
        assert last_trade.date() == previous_session(expiry)
        assert sessions_between(last_trade.date(), expiry) == 1
        assert last_trade < option_expiry_instant(trading_class, expiry)
    for trading_class in ("SPXW", "XSP"):
        assert option_last_trade(trading_class, expiry) == option_expiry_instant(trading_class, expiry)


@given(st.integers(1990, 2034), st.integers(1, 12))
def test_a_vix_settlement_lies_30_or_31_days_before_a_third_friday_on_a_tuesday_or_wednesday(
    year: int, month: int
) -> None:
    settlement = vix_final_settlement(year, month)
    assert (settlement.year, settlement.month) == (year, month)
    assert settlement.weekday() in {TUESDAY, WEDNESDAY}
    assert is_session(settlement)
    third_friday = settlement + timedelta(30 if settlement.weekday() == WEDNESDAY else 31)
    assert third_friday.weekday() == FRIDAY
    assert 15 <= third_friday.day <= 21
