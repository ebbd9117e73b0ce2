"""What was known of each session, from a folder of daily history: point in time by construction.

Every value of the folder becomes an observation with the moment from which it was known (`publications`). The
sessions are walked in order; before a session is handed over, exactly those observations are taken in that
were known when the daemon would have counted it, the next morning after the settlement file (09:10). What
lies later cannot be read, because it is not there yet.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from bot import publications
from bot.errors import FeedError
from bot.events import NET_ADVANCES, VX_SETTLEMENT, Job
from bot.feeds import history_observations
from bot.publications import DISTRIBUTION
from bot.schedule import moment
from market.rounding import round_price
from market.series import Observation
from market.sessions import FIRST_DAY, LAST_DAY, next_session, sessions, sessions_between

YIELD_AGE_MAX_SESSIONS = 5
# Smaller steps between close and adjusted close are rounding, not distributions.
_STEP_MIN_FRACTION = 0.001
_IMPLIED_SOURCE = "step between close and adjusted close"
# Series that only the review reads: file, column, and the published series whose hour they share.
_REVIEW_COLUMNS = {
    "spx": ("spx.csv", "close", "vix"),
    "vix3m": ("vix_term.csv", "vix3m", "vix"),
    "fed_funds": ("rates.csv", "fed_funds_pct", "treasury_10y"),
}
_SESSION_SERIES = frozenset({NET_ADVANCES, "vix", "vvix", "vnq", "spx", "vix3m"})
_YIELDS = frozenset({"treasury_10y", "baa", "fed_funds"})


@dataclass(frozen=True, slots=True)
class SessionInputs:
    """One session as it was known the next morning at 09:10, New York time.

    `curve` holds VX settlements by final settlement day; prices are None where none was known. Yields are
    fractions of the newest day published, None when older than five sessions. Distributions are (ex-date, USD
    a share) up to the session, oldest first. `reer` and `ppi` are levels by the first day of their month; the
    mappings are replaced, never changed, when a month becomes known.
    """

    session: date
    net_advances: float | None
    curve: Mapping[date, float]
    vix: float | None
    vvix: float | None
    vnq: float | None
    spx: float | None
    vix3m: float | None
    treasury_10y: float | None
    baa: float | None
    fed_funds: float | None
    distributions: tuple[tuple[date, float], ...]
    reer: Mapping[date, float]
    ppi: Mapping[date, float]


def read_history(folder: Path) -> dict[str, tuple[Observation, ...]]:
    """Every series of a folder by name, each observation with the moment it was known.

    Raises FeedError naming file, line and remedy.
    """
    found = {known.series: known.observations for known in history_observations(folder, FIRST_DAY, LAST_DAY)}
    for series, (name, column, like) in _REVIEW_COLUMNS.items():
        path = folder / name
        if path.is_file():
            found[series] = publications.column(path.read_text(encoding="utf-8-sig"), name, like, column)
    path = folder / "vnq.csv"
    if path.is_file():
        stated = found.get(DISTRIBUTION, ())
        implied = _implied_distributions(path.read_text(encoding="utf-8-sig"), path.name)
        found[DISTRIBUTION] = (*stated, *implied)
    return found


def as_of(session: date) -> datetime:
    """The moment (UTC) at which a session is counted with final values: the next one's morning."""
    return moment(Job.SETTLEMENT_FINAL, next_session(session))


def session_inputs(history: Mapping[str, Iterable[Observation]], last: date) -> Iterator[SessionInputs]:
    """Each session from the first daily signal value of the history up to `last`, as it was known."""
    tape = sorted(
        ((seen.known_at, series, seen.period, seen.value) for series in history for seen in history[series]),
        key=lambda entry: entry[:3],
    )
    first = min((period for _, series, period, _ in tape if series == NET_ADVANCES), default=None)
    if first is None:
        raise FeedError("the history holds no breadth: nyse_breadth.csv is needed")
    known, position = _Known(), 0
    for session in sessions(first, last):
        time = as_of(session)
        while position < len(tape) and tape[position][0] <= time:
            known.take(*tape[position][1:])
            position += 1
        yield known.at(session)


@dataclass(slots=True)
class _Known:
    """What has been taken in so far, by series."""

    values: dict[str, dict[date, float]] = field(
        default_factory=lambda: {name: {} for name in _SESSION_SERIES}
    )
    curves: dict[date, dict[date, float]] = field(default_factory=dict)
    yields: dict[str, tuple[date, float]] = field(default_factory=dict)
    distributions: dict[date, float] = field(default_factory=dict)
    months: dict[str, dict[date, float]] = field(default_factory=lambda: {"reer": {}, "ppi": {}})

    def take(self, series: str, period: date, value: float) -> None:
        """One observation that has become known."""
        if series in _SESSION_SERIES:
            self.values[series][period] = value
        elif series.startswith(VX_SETTLEMENT):
            settles = date.fromisoformat(series.removeprefix(VX_SETTLEMENT))
            self.curves.setdefault(period, {})[settles] = value
        elif series in _YIELDS:
            if series not in self.yields or self.yields[series][0] <= period:
                self.yields[series] = (period, value)
        elif series == DISTRIBUTION:
            self.distributions = dict(sorted({**self.distributions, period: value}.items()))
        elif series in self.months:
            self.months[series] = {**self.months[series], period: value}

    def at(self, session: date) -> SessionInputs:
        """The session's view. A distribution that goes ex after the session is not part of it yet."""
        values = {name: self.values[name].get(session) for name in _SESSION_SERIES}
        return SessionInputs(
            session=session,
            net_advances=values[NET_ADVANCES],
            curve=self.curves.get(session, {}),
            vix=values["vix"],
            vvix=values["vvix"],
            vnq=values["vnq"],
            spx=values["spx"],
            vix3m=values["vix3m"],
            treasury_10y=self._yield("treasury_10y", session),
            baa=self._yield("baa", session),
            fed_funds=self._yield("fed_funds", session),
            distributions=tuple(paid for paid in self.distributions.items() if paid[0] <= session),
            reer=self.months["reer"],
            ppi=self.months["ppi"],
        )

    def _yield(self, series: str, session: date) -> float | None:
        newest = self.yields.get(series)
        if newest is None or sessions_between(newest[0], session) > YIELD_AGE_MAX_SESSIONS:
            return None
        return newest[1] / 100.0


def _implied_distributions(text: str, source: str) -> tuple[Observation, ...]:
    """Distributions of the rows that state none, from the step between close and adjusted close.

    The adjusted close of the day before the ex-date is scaled by 1 - D / close, therefore D is that close
    times one minus the ratio of the two days' scales. Known with the close of the ex-date.
    """
    closes = publications.column(text, source, "vnq", "close")
    adjusted = {seen.period: seen.value for seen in publications.column(text, source, "vnq", "adj_close")}
    stated = {seen.period for seen in publications.column(text, source, "vnq", "dividend")}
    found: list[Observation] = []
    for before, after in pairwise(closes):
        day = after.period
        if day in stated or before.period not in adjusted or day not in adjusted:
            continue
        step = 1.0 - (adjusted[before.period] / before.value) / (adjusted[day] / after.value)
        if step > _STEP_MIN_FRACTION:
            amount = round_price(before.value * step)
            found.append(Observation(after.known_at, day, amount, source=_IMPLIED_SOURCE))
    return tuple(found)
