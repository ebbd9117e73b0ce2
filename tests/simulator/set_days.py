"""A market whose sessions are set by hand, on the real calendar: flat unless a test says otherwise."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from market.sessions import sessions, vx_settlements_after
from simulator.days import MonthlyValue, Ohlc, SessionDay
from simulator.path_market import PathMarket


def flat(level: float) -> Ohlc:
    return Ohlc(level, level, level, level)


class SetDays:
    """SPX stands at 5000 and VIX at 20 except on the days that are given."""

    def __init__(self, first: date, last: date, days: Mapping[date, Mapping[str, Any]]) -> None:
        self._days = [_day(session, days.get(session, {})) for session in sessions(first, last)]

    def days(self, through: date) -> Sequence[SessionDay]:
        return [day for day in self._days if day.session <= through]

    def monthly(self, series: str, through: date) -> Sequence[MonthlyValue]:
        return []

    def identity(self) -> dict[str, Any]:
        return {"kind": "set", "path_seed": "set"}


def _day(session: date, given: Mapping[str, Any]) -> SessionDay:
    curve = dict.fromkeys(vx_settlements_after(session, 4), 20.0)
    values: dict[str, Any] = {"spx": flat(5000.0), "vix": flat(20.0), "vvix": 90.0, "vx": curve, **given}
    return SessionDay(session, **values)


def set_market(start: datetime, last: date, days: Mapping[date, Mapping[str, Any]]) -> PathMarket:
    first = date(start.year - 1, start.month, 1)
    return PathMarket(SetDays(first, last, days), start, 60.0)
