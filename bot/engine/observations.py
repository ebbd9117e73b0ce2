"""What has become known of the slow series, and a session as it was known when it was counted.

Point in time by construction: values are taken in by the moment from which each was known, and a session is
handed over before anything later is taken. The daemon and the review of history use the same class, so that
they cannot differ in what they knew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from bot.events import DISTRIBUTION, NET_ADVANCES, VX_SETTLEMENT
from market.sessions import MARKET_TZ, next_session, sessions_between
from strategies.session_inputs import SessionInputs

COUNTED_AT = time(9, 10)  # the next morning, after the settlement file (bot/schedule.py)
SESSION_SERIES = frozenset({NET_ADVANCES, "vix", "vvix", "vnq", "spx", "vix3m"})
YIELDS = frozenset({"treasury_10y", "baa", "fed_funds"})
MONTHS = frozenset({"reer", "ppi"})
DISTRIBUTIONS_KEPT = 12
MONTHS_KEPT = 96

#: One value that no counted session has taken yet: known from, period, value.
Waiting = tuple[datetime, date, float]


def as_of(session: date) -> datetime:
    """The moment (UTC) at which a session is counted with final values: the next one's morning."""
    return datetime.combine(next_session(session), COUNTED_AT, MARKET_TZ).astimezone(UTC)


@dataclass(slots=True)
class Known:
    """What has been taken in so far, by series. It grows; `at` shows a session."""

    values: dict[str, dict[date, float]] = field(default_factory=dict)
    curves: dict[date, dict[date, float]] = field(default_factory=dict)
    yields: dict[str, tuple[date, float]] = field(default_factory=dict)
    distributions: dict[date, float] = field(default_factory=dict)
    months: dict[str, dict[date, float]] = field(default_factory=dict)

    def take(self, series: str, period: date, value: float) -> None:
        """One observation that has become known; a series nobody reads is passed over."""
        if series in SESSION_SERIES:
            self.values.setdefault(series, {})[period] = value
        elif series.startswith(VX_SETTLEMENT):
            settles = date.fromisoformat(series.removeprefix(VX_SETTLEMENT))
            self.curves.setdefault(period, {})[settles] = value
        elif series in YIELDS:
            if series not in self.yields or self.yields[series][0] <= period:
                self.yields[series] = (period, value)
        elif series == DISTRIBUTION:
            self.distributions = dict(sorted({**self.distributions, period: value}.items()))
        elif series in MONTHS:
            self.months[series] = {**self.months.get(series, {}), period: value}

    def at(self, session: date, yield_age_max_sessions: int) -> SessionInputs:
        """The session's view; a yield older than that is unknown.

        A distribution that goes ex after the session is not part of it yet.
        """
        values = {name: self.values.get(name, {}).get(session) for name in SESSION_SERIES}
        return SessionInputs(
            session=session,
            net_advances=values[NET_ADVANCES],
            curve=self.curves.get(session, {}),
            vix=values["vix"],
            vvix=values["vvix"],
            vnq=values["vnq"],
            spx=values["spx"],
            vix3m=values["vix3m"],
            treasury_10y=self._yield("treasury_10y", session, yield_age_max_sessions),
            baa=self._yield("baa", session, yield_age_max_sessions),
            fed_funds=self._yield("fed_funds", session, yield_age_max_sessions),
            distributions=tuple(paid for paid in self.distributions.items() if paid[0] <= session),
            reer=self.months.get("reer", {}),
            ppi=self.months.get("ppi", {}),
        )

    def _yield(self, series: str, session: date, age_max_sessions: int) -> float | None:
        newest = self.yields.get(series)
        if newest is None or sessions_between(newest[0], session) > age_max_sessions:
            return None
        return newest[1] / 100.0


@dataclass(frozen=True, slots=True)
class DailyInputs:
    """Slow series between two counts: what waits, and what stays in force beyond the session it is about.

    The live figures are the daemon's own: breadth and VNQ at the review, and the prices at the settlement
    instant (`VIX` by name, VX by settlement day) of sessions that are not counted yet.
    """

    waiting: Mapping[str, tuple[Waiting, ...]] = field(default_factory=dict)  # by series
    yields: Mapping[str, tuple[date, float]] = field(default_factory=dict)
    distributions: Mapping[date, float] = field(default_factory=dict)
    months: Mapping[str, Mapping[date, float]] = field(default_factory=dict)
    live_net_advances: Mapping[date, float] = field(default_factory=dict)
    live_vnq: Mapping[date, float] = field(default_factory=dict)
    live_vix: Mapping[date, float] = field(default_factory=dict)
    provisional: Mapping[date, Mapping[date, float]] = field(default_factory=dict)

    def known(self) -> Known:
        """What stays in force, to which a count adds what has become known since."""
        months = {name: dict(levels) for name, levels in self.months.items()}
        return Known(yields=dict(self.yields), distributions=dict(self.distributions), months=months)


def kept(
    daily: DailyInputs, known: Known, waiting: Mapping[str, tuple[Waiting, ...]], last: date
) -> DailyInputs:
    """The inputs after a count up to session `last`: long-lived values, and what lies ahead."""
    return DailyInputs(
        waiting=waiting,
        yields=dict(sorted(known.yields.items())),
        distributions=dict(list(known.distributions.items())[-DISTRIBUTIONS_KEPT:]),
        months={
            name: dict(sorted(levels.items())[-MONTHS_KEPT:]) for name, levels in sorted(known.months.items())
        },
        live_net_advances=_after(daily.live_net_advances, last),
        live_vnq=_after(daily.live_vnq, last),
        live_vix=_after(daily.live_vix, last),
        provisional={day: prices for day, prices in daily.provisional.items() if day > last},
    )


def _after(values: Mapping[date, float], last: date) -> dict[date, float]:
    return {day: value for day, value in values.items() if day > last}
