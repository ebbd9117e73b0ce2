"""Windows around releases: when they are in force, on odd days too, and what an unknown year means."""

from datetime import date, datetime, time, timedelta

import pytest

from bot.engine.parameters import parameters
from config.loader import load_rules
from config.release_calendar import shipped_calendar
from config.settings import SHIPPED_RULES
from market.releases import ReleaseDays
from market.sessions import is_session, sessions
from strategies.release_windows import ReleaseWindow, ends_within, unknown_days, windows_in_force
from tests.strategies.world import at

SHIPPED = parameters(load_rules(SHIPPED_RULES).model_dump(mode="json"), shipped_calendar())


def reasons(session: date, clock: str) -> tuple[str, ...]:
    return windows_in_force(at(session, clock), session, SHIPPED.calendar, SHIPPED.windows)


@pytest.mark.parametrize(
    ("session", "clock", "name"),
    [
        (date(2026, 3, 17), "15:29:59", ""),
        (date(2026, 3, 17), "15:30", "FOMC"),
        (date(2026, 3, 18), "09:30", "FOMC"),
        (date(2026, 3, 18), "15:14:59", "FOMC"),
        (date(2026, 3, 18), "15:15", ""),
        (date(2026, 3, 10), "15:30", "CPI"),
        (date(2026, 3, 11), "10:29:59", "CPI"),
        (date(2026, 3, 11), "10:30", ""),
        (date(2020, 4, 9), "15:30", "CPI"),  # published on Good Friday
        (date(2020, 4, 13), "09:30", ""),
        (date(2026, 3, 4), "12:00", ""),
    ],
)
def test_a_window_lasts_from_the_session_before_to_its_time_on_the_day(
    session: date, clock: str, name: str
) -> None:
    found = reasons(session, clock)
    assert [reason.split()[0] for reason in found] == ([name] if name else [])


def test_on_a_half_day_a_window_begins_half_an_hour_before_its_close() -> None:
    calendar = {"cpi": ReleaseDays(frozenset({2026}), (date(2026, 11, 30),))}  # after the half Friday
    half, windows = date(2026, 11, 27), {"cpi": SHIPPED.windows["cpi"]}
    assert windows_in_force(at(half, "12:29"), half, calendar, windows) == ()
    assert windows_in_force(at(half, "12:30"), half, calendar, windows) != ()


def test_two_windows_at_once_are_both_named() -> None:
    assert [reason.split()[0] for reason in reasons(date(2026, 12, 9), "15:30")] == ["CPI"]
    assert {reason.split()[0] for reason in reasons(date(2024, 6, 12), "09:45")} == {"FOMC", "CPI"}


@pytest.mark.parametrize(("before", "first"), [(0, date(2026, 3, 18)), (2, date(2026, 3, 16))])
def test_a_window_may_begin_on_the_day_itself_or_several_sessions_before(before: int, first: date) -> None:
    window = ReleaseWindow(before, time(11, 0), time(15, 15))
    held = [
        day
        for day in sessions(date(2026, 3, 12), date(2026, 3, 19))
        if windows_in_force(at(day, "11:00"), day, SHIPPED.calendar, {"fomc": window})
    ]
    assert held == sessions_until(first, date(2026, 3, 18))


def sessions_until(first: date, last: date) -> list[date]:
    return list(sessions(first, last))


@pytest.mark.parametrize("session", [date(2006, 12, 28), date(2026, 12, 31), date(2027, 6, 1)])
def test_a_year_whose_days_are_not_known_bars_and_says_which(session: date) -> None:
    found = reasons(session, "12:00")
    assert found
    assert all(reason.startswith("no ") for reason in found)
    assert unknown_days(session, SHIPPED.calendar, SHIPPED.windows)


def test_a_release_that_is_in_no_calendar_bars_every_day() -> None:
    windows = {"nfp": SHIPPED.windows["cpi"]}
    session = date(2026, 3, 4)
    assert windows_in_force(at(session, "12:00"), session, {}, windows) == ("no NFP days known for 2026",)


def test_the_end_of_the_known_days_is_seen_a_month_ahead() -> None:
    month = timedelta(days=30)
    assert ends_within(date(2026, 12, 1), SHIPPED.calendar, month) == ()
    assert ends_within(date(2026, 12, 2), SHIPPED.calendar, month) == ("CPI 2027",)


def test_between_counts_both_ends() -> None:
    days = ReleaseDays(frozenset({2026}), (date(2026, 1, 5), date(2026, 2, 5), date(2026, 3, 5)))
    assert days.between(date(2026, 1, 5), date(2026, 2, 5)) == days.days[:2]
    assert days.between(date(2026, 1, 6), date(2026, 2, 4)) == ()


def test_every_statement_day_is_a_session_and_so_is_nearly_every_day_of_consumer_prices() -> None:
    shut = {
        name: [day for day in SHIPPED.calendar[name].days if not is_session(day)] for name in ("fomc", "cpi")
    }
    assert shut["fomc"] == []
    assert shut["cpi"] == [date(2017, 4, 14), date(2020, 4, 10)]  # Good Fridays


def test_a_window_is_asked_in_any_time_zone() -> None:
    moment = at(date(2026, 3, 18), "10:00").astimezone(tz=None)
    assert isinstance(moment, datetime)
    assert windows_in_force(moment, date(2026, 3, 18), SHIPPED.calendar, SHIPPED.windows)
