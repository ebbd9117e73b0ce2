"""A market that relives real sessions: the same instruments, driven by a folder of daily series.

Read from the folder (CSV with a header): spx.csv, vix.csv (date, open, high, low, close), vvix.csv (date,
close), vx_settlements.csv (date, final_settlement, settle), nyse_breadth.csv (date, advances, declines),
rates.csv (date, treasury_10y_pct, baa_yield_pct, fed_funds_pct), vnq.csv (date, open, high, low, close,
dividend), vix_term.csv (date, vix9d, vix3m), vx_contracts.csv (for settlement quotations: the `settle` of a
contract on its settlement day) and the monthly reer_broad_usd.csv and ppi_all_commodities.csv (date, value).
Only spx.csv and vix.csv are needed; a series that is absent, or silent on a day, gives no quotes and no
published rows for it. Option chains do not exist in such folders: option prices are those of the volatility
surface, hung on the day's VIX, VVIX and VX curve.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from market.sessions import FIRST_DAY, MARKET_TZ, is_session, session_offset, session_on_or_after
from simulator.days import MonthlyValue, Ohlc, SessionDay
from simulator.path_market import PathMarket

#: Sessions before the start that are read as history, so that every warm-up has its data.
HISTORY_SESSIONS: Final = 1320
_MONTHLY_FILES = {"reer": "reer_broad_usd.csv", "ppi": "ppi_all_commodities.csv"}

Rows = Mapping[date, Mapping[str, str]]


class HistoricalMarket(PathMarket):
    """The sessions of `folder` from the first on or after `start` to `end`; behind it the market stands
    still.
    """

    def __init__(
        self,
        folder: Path | str,
        start: datetime,
        end: date,
        step_s: float = 60.0,
        sparse_chains: bool = False,
    ) -> None:
        """Open at `start` (aware). `step_s`: grain of the paths, seconds.

        Raises FileNotFoundError without spx.csv or vix.csv, and ValueError on a naive start, on prices that
        are no open, high, low and close, or when fewer than two sessions are known before `start`.
        """
        if start.tzinfo is None:
            raise ValueError(f"{start} needs a time zone")
        first_live = session_on_or_after(start.astimezone(MARKET_TZ).date())
        recorded = RecordedDays(Path(folder), first_live, end)
        super().__init__(recorded, start, step_s, sparse_chains)
        #: The last session that is recorded, `end` or before; behind it nothing moves.
        self.last_session: date = recorded.days(end)[-1].session


class RecordedDays:
    """The day source behind HistoricalMarket: sessions of the calendar for which both SPX and VIX are
    recorded.
    """

    def __init__(self, folder: Path, first_live: date, end: date) -> None:
        """Read the folder from `HISTORY_SESSIONS` before `first_live` to `end`."""
        self._first_live = first_live
        self._end = end
        earliest = _sessions_before(first_live, HISTORY_SESSIONS)
        self._days = _read_days(folder, earliest, end)
        self._monthly = {name: _read_months(folder / file, end) for name, file in _MONTHLY_FILES.items()}

    def days(self, through: date) -> Sequence[SessionDay]:
        """Every record from the beginning of history to `through`."""
        low, high = 0, len(self._days)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._days[middle].session <= through else (low, middle)
        return self._days[:low]

    def monthly(self, series: str, through: date) -> Sequence[MonthlyValue]:
        """Months of `reer` or `ppi` up to `through`. Raises KeyError for another series."""
        return [one for one in self._monthly[series] if one.month <= through]

    def identity(self) -> dict[str, Any]:
        """The span and its first and last close; the folder's place on disk is no part of it."""
        ends = [self._days[0], self._days[-1]] if self._days else []
        return {
            "kind": "historical",
            "first_live": self._first_live.isoformat(),
            "end": self._end.isoformat(),
            "ends": [[day.session.isoformat(), day.spx.close] for day in ends],
            "path_seed": "historical",
        }


def _sessions_before(day: date, count: int) -> date:
    try:
        return session_offset(day, -count)
    except ValueError:
        return FIRST_DAY


def _read_days(folder: Path, first: date, last: date) -> list[SessionDay]:
    spx, vix = (_rows(folder / name, first, last) for name in ("spx.csv", "vix.csv"))
    vvix, breadth, rates, vnq, term = (
        _rows(folder / name, first, last, required=False)
        for name in ("vvix.csv", "nyse_breadth.csv", "rates.csv", "vnq.csv", "vix_term.csv")
    )
    curves, quotations = (
        _read_curves(folder / "vx_settlements.csv", first, last),
        _read_vro(folder, first, last),
    )
    days = []
    for session in sorted(set(spx) & set(vix)):
        if not is_session(session):
            continue
        counts, yields, house = breadth.get(session, {}), rates.get(session, {}), vnq.get(session)
        ups, downs = _number(counts, "advances"), _number(counts, "declines")
        days.append(
            SessionDay(
                session,
                _ohlc(spx[session], "spx.csv", session),
                _ohlc(vix[session], "vix.csv", session),
                _number(vvix.get(session, {}), "close"),
                curves.get(session, {}),
                vro=quotations.get(session),
                vix9d=_number(term.get(session, {}), "vix9d"),
                vix3m=_number(term.get(session, {}), "vix3m"),
                advances=None if ups is None else int(ups),
                declines=None if downs is None else int(downs),
                treasury_10y_pct=_number(yields, "treasury_10y_pct"),
                baa_yield_pct=_number(yields, "baa_yield_pct"),
                fed_funds_pct=_number(yields, "fed_funds_pct"),
                vnq=None if house is None else _ohlc(house, "vnq.csv", session),
                vnq_dividend=0.0 if house is None else _number(house, "dividend") or 0.0,
            )
        )
    return days


def _read_curves(path: Path, first: date, last: date) -> dict[date, dict[date, float]]:
    """Session -> final settlement day -> daily settlement, without the contract that settles that day."""
    curves: dict[date, dict[date, float]] = {}
    for day, row in _records(path, first, last, required=False):
        expiry = date.fromisoformat(row["final_settlement"])
        settle = _number(row, "settle")
        # A settlement day that is no session is a misprint, and the calendar could not price such a contract.
        if settle and expiry > day and is_session(expiry):
            curves.setdefault(day, {})[expiry] = settle
    return {day: dict(sorted(curve.items())) for day, curve in curves.items()}


def _read_vro(folder: Path, first: date, last: date) -> dict[date, float]:
    quotations: dict[date, float] = {}
    for day, row in _records(folder / "vx_contracts.csv", first, last, required=False, settling=True):
        settle = _number(row, "settle")
        if settle:
            quotations[day] = settle
    return quotations


def _read_months(path: Path, last: date) -> list[MonthlyValue]:
    rows = _records(path, FIRST_DAY, last, required=False)
    return [MonthlyValue(day, float(row["value"])) for day, row in rows if row["value"]]


def _rows(path: Path, first: date, last: date, *, required: bool = True) -> Rows:
    return dict(_records(path, first, last, required=required))


def _records(
    path: Path, first: date, last: date, *, required: bool, settling: bool = False
) -> Iterator[tuple[date, dict[str, str]]]:
    """Rows dated `first` to `last`. `settling`: only rows whose third column repeats their date.

    Dates are compared as text before anything is parsed: most lines of a long file lie outside the span.
    """
    if not required and not path.exists():
        return
    earliest, latest = first.isoformat(), last.isoformat()
    with path.open(encoding="ascii") as lines:
        names = next(lines).strip().split(",")
        for line in lines:
            if not earliest <= line[:10] <= latest or (settling and f"{line[:10]}," not in line[11:]):
                continue
            row = dict(zip(names, line.strip().split(","), strict=True))
            if not settling or row["final_settlement"] == row["date"]:
                yield date.fromisoformat(row["date"]), row


def _number(row: Mapping[str, str], name: str) -> float | None:
    text = row.get(name, "")
    return float(text) if text else None


def _ohlc(row: Mapping[str, str], name: str, day: date) -> Ohlc:
    try:
        return Ohlc(*(float(row[column]) for column in ("open", "high", "low", "close")))
    except ValueError as error:
        raise ValueError(f"{name}, {day}: {error}") from None
