"""A market whose sessions come from a source of days: the Market protocol over path, quotes, listing and
releases.

At the open of a session its record is taken from the source and its whole path laid out; every later question
is a look-up at market time. Nothing is drawn while the market runs, so equal sources give equal ticks
whatever the steps, and the state worth keeping is the source's identity and the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import inf
from typing import Any

from market.contract import Contract, SecurityType
from market.sessions import (
    MARKET_TZ,
    Product,
    Segment,
    next_session,
    option_expiry_instant,
    previous_session,
    regular_hours,
    segments,
    session_on_or_before,
)
from simulator.classes import CLASSES, settles_as
from simulator.days import DaySource, Ohlc, SessionDay
from simulator.instruments import contract_of, trading_ends
from simulator.listing import Listing
from simulator.model import Bar, Chain, Instrument, Tick
from simulator.moment import Moment
from simulator.paths import SessionPath, session_path
from simulator.quotes import Layout, layout_of, quote
from simulator.releases import FINAL_BREADTH, public_rows
from simulator.script import MarketScript
from simulator.session_bars import bars_within, daily_bar, daily_closes
from simulator.surface import BOX_SPREAD
from simulator.vix_products import VIX_PRODUCTS, VixProducts

_YEAR_OF_SESSIONS = 252
_LAYOUTS_KEPT = 64
_DUMP_VERSION = 1
_LONGEST_GAP = timedelta(10)


class PathMarket:
    """Prices of a day source, from the first live session on. `step_s` is the grain of the intraday paths."""

    def __init__(
        self, source: DaySource, start: datetime, step_s: float, sparse_chains: bool = False
    ) -> None:
        """Open the market at `start` (aware). With `sparse_chains` not every strike exists for every expiry.

        Raises ValueError on a naive start or a step outside [1, 1800] s.
        """
        if start.tzinfo is None:
            raise ValueError(f"{start} needs a time zone")
        if not 1.0 <= step_s <= 1800.0:
            raise ValueError(f"a step of {step_s} s is outside 1 to 1800")
        self._source = source
        self._step_s = float(step_s)
        self._layouts: dict[tuple[int, ...], Layout] = {}
        self._quoted: dict[int, Tick] = {}  # of this moment
        self._next_settlement: datetime | None = None
        self._sparse = sparse_chains
        #: Symbols whose trading, with that of everything on them, is halted now.
        self.halted: set[str] = set()
        self._products = VixProducts(previous_session(_opened(start)))
        self._script: MarketScript | None = None
        self._scripted: dict[date, SessionDay] = {}
        self._now = start.astimezone(UTC)
        self._open_session()

    @property
    def now(self) -> datetime:
        """Market time, aware (UTC)."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Move market time forward to the aware `to`. A step backwards raises ValueError."""
        to = to.astimezone(UTC)
        if to < self._now:
            raise ValueError(f"market time cannot go back from {self._now} to {to}")
        self._now = to
        self._quoted.clear()
        if to.timestamp() >= self._rolls_at:
            self._open_session()

    def follow(self, script: MarketScript) -> None:
        """Go along a script from now on, in this session and later ones."""
        self._script = script if script.points else None
        self._open_session()

    def find(self, **fields: Any) -> Sequence[Instrument]:
        """Instruments that match every given field; see the protocol."""
        return self._listing.find(fields, self._now)

    def instrument(self, con_id: int) -> Instrument | None:
        """The instrument with this id, if it was ever listed."""
        return self._listing.instrument(con_id)

    def chains(self, underlying_con_id: int) -> Sequence[Chain]:
        """Option chains listed on the underlying now."""
        return self._listing.chains(underlying_con_id, self._now)

    def ticks(self, con_ids: Iterable[int], age_s: float = 0.0) -> Sequence[Tick]:
        """Quotes of `age_s` seconds ago, in the order asked for. Greeks per point, per 1 % of volatility
        (vega) and per day (theta).
        """
        key, quoted = tuple(con_ids), self._quoted
        if age_s:
            ticks = quote(self._layout(key), self._moment(age_s))
        else:
            # What was quoted at this moment already, to a client mostly, is what the account is marked at.
            if not quoted.keys() >= set(key):
                quoted.update(zip(key, quote(self._layout(key), self._moment()), strict=True))
            ticks = [quoted[con_id] for con_id in key]
        return [self._halt(tick) for tick in ticks] if self.halted else ticks

    def _layout(self, con_ids: tuple[int, ...]) -> Layout:
        layout = self._layouts.get(con_ids)
        if layout is None:
            if len(self._layouts) >= _LAYOUTS_KEPT:
                self._layouts.pop(next(iter(self._layouts)))
            layout = self._layouts[con_ids] = layout_of(con_ids)
        return layout

    def is_open(self, con_id: int) -> bool:
        """Whether the instrument trades at this moment, in the regular segment of its product."""
        contract = contract_of(con_id)
        day = self._now.astimezone(MARKET_TZ).date()
        if contract is None or day != self._day.session or self._listing.instrument(con_id) is None:
            return False
        ends = trading_ends(contract)
        if ends is not None and ends <= self._now:
            return False
        hours = (one for one in segments(_product(contract), day) if one.segment is Segment.REGULAR)
        return any(one.contains(self._now) for one in hours)

    def settlement(self, con_id: int) -> float | None:
        """What the instrument's underlying settled at, once determined: SPX its open or close, VIX the VRO.

        Where the source knows no settlement quotation the open of the index that morning stands for it.
        """
        contract = contract_of(con_id)
        if contract is None or contract.expiry is None:
            return None
        name = contract.trading_class
        if _settles_at(name, contract.expiry) > self._now:
            return None
        day = self._record(contract.expiry)
        if day is None:
            return None
        if CLASSES[name].underlying == "VIX":
            return day.vro if day.vro is not None else day.vix.open
        if name == "XSP":
            return round(day.spx.close / 10.0, 2)
        return day.spx.close if name == "SPXW" else day.spx.open

    def next_settlement(self) -> datetime | None:
        """The next instant after now at which some listed contract settles."""
        if self._next_settlement is None or self._next_settlement <= self._now:
            instants = [
                option_expiry_instant(name, expiry).astimezone(UTC)
                for name in ("SPX", "SPXW", "VIX", "VIXW", "XSP")
                for expiry in self._listing.expiries(name, self._now)[:1]
            ]
            self._next_settlement = min(instants, default=None)
        return self._next_settlement

    def bars(self, con_id: int, end: datetime, sessions: int, seconds: int = 0) -> Sequence[Bar]:
        """Bars of the last `sessions` sessions up to `end` and now: completed daily ones, or of `seconds`."""
        contract = contract_of(con_id)
        limit = min(end.astimezone(UTC), self._now)
        if contract is None or contract.right is not None or sessions <= 0:
            return []
        if seconds:
            return self._bars_within(contract, limit, seconds, sessions)
        found: list[Bar] = []
        for day in reversed(self._days(limit.astimezone(MARKET_TZ).date())):
            opening, close = regular_hours(day.session)
            bar = self._bar(contract, day)
            if bar is not None and close <= limit:
                found.append(Bar(opening.astimezone(UTC), bar.open, bar.high, bar.low, bar.close))
                if len(found) == sessions:
                    break
        return found[::-1]

    def daily_rows(self, series: str, first: date = date.min) -> Sequence[tuple[date, Mapping[str, float]]]:
        """Rows of a slow series from `first` on that are public now (simulator/releases.py). Raises KeyError
        for an unknown series.
        """
        return public_rows(self._source, series, self._now, first)

    def dump(self) -> dict[str, Any]:
        """The market's full state as JSON values: its source, its time, and where it stands, to be checked on
        load.
        """
        return {
            "version": _DUMP_VERSION,
            "source": self._source.identity(),
            "step_s": self._step_s,
            "now": self._now.isoformat(),
            "session": self._day.session.isoformat(),
            "spx_close": self._day.spx.close,
            "products_since": self._products.anchor.isoformat(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `dump` gave. Raises ValueError when the state belongs to another market or cannot be
        rebuilt.
        """
        if state.get("version") != _DUMP_VERSION or state["source"] != self._source.identity():
            raise ValueError("the state was dumped by another market")
        if state["step_s"] != self._step_s:
            raise ValueError(f"the state was dumped at steps of {state['step_s']} s, not {self._step_s}")
        self._now = datetime.fromisoformat(state["now"]).astimezone(UTC)
        self.halted.clear()
        if "products_since" in state:
            self._products = VixProducts(date.fromisoformat(state["products_since"]))
        self._next_settlement = None
        self._open_session()
        if (self._day.session.isoformat(), self._day.spx.close) != (state["session"], state["spx_close"]):
            raise ValueError(f"the source gives another {state['session']} than the dumped one")

    def _days(self, through: date) -> Sequence[SessionDay]:
        days = self._source.days(through)
        if not self._scripted:
            return days
        return [self._scripted.get(day.session, day) for day in days]

    def _record(self, session: date) -> SessionDay | None:
        days = self._days(session)
        return days[-1] if days and days[-1].session == session else None

    def _open_session(self) -> None:
        """Take over the last session that has opened by now; before the first open of all, the history's last
        day.
        """
        self._quoted.clear()
        today = _opened(self._now)
        drawn = self._source.days(today)
        if len(drawn) < 2:
            raise ValueError(f"no sessions before {today} to start from")
        day = drawn[-1]
        self._day, self._path = self._laid_out(drawn)
        if self._script is not None:
            self._go_by(self._script, drawn)
        before = self._days(today)[:-1]
        self._previous = before[-1]
        self._vx_closes = _known_settlements(before[-_YEAR_OF_SESSIONS:], day.session)
        recent = before[-_YEAR_OF_SESSIONS:]
        self._listing = Listing(
            day.session,
            min(one.spx.low for one in recent),
            max(one.spx.high for one in recent),
            min(one.spx.low for one in before),
            max(one.spx.high for one in before),
            tuple(self._day.vx),
            self._sparse,
        )
        self._etps = self._products.lines(before, self._path)
        self._vvix = _last(before, "vvix", day, 90.0)
        self._rate = _last(before, "fed_funds_pct", None, 2.0) / 100.0 + BOX_SPREAD
        self._closes = {**daily_closes(self._previous), **self._products.closes(before)}
        # A source that has ended has nothing to roll to; one that skips a session still goes on.
        more = self._days(today + _LONGEST_GAP)[-1].session > today
        self._rolls_at = regular_hours(next_session(today))[0].timestamp() if more else inf
        self._breadth_final = datetime.combine(day.session, FINAL_BREADTH, MARKET_TZ).timestamp()
        self._next_settlement = None

    def _bars_within(self, contract: Contract, until: datetime, seconds: int, sessions: int) -> Sequence[Bar]:
        found: list[Bar] = []
        for day in self._days(until.astimezone(MARKET_TZ).date())[1:][-sessions:]:
            path, notes = self._path, self._etps
            if day.session != self._day.session:
                drawn = self._source.days(day.session)
                path = self._laid_out(drawn)[1]
                if self._script is not None and day.session in self._scripted:
                    path = self._script.path(path)
                notes = self._products.lines(drawn[:-1], path)
            found += bars_within(contract, path, notes, seconds, until.timestamp())
        return found

    def _bar(self, contract: Contract, day: SessionDay) -> Ohlc | None:
        """The session's bar. Where the source has a close only, it stands for all four prices."""
        if contract.symbol in VIX_PRODUCTS:
            close = self._products.closes(self._days(day.session)).get(contract.symbol)
            return None if close is None else Ohlc(close, close, close, close)
        return daily_bar(contract, day)

    def _laid_out(self, drawn: Sequence[SessionDay]) -> tuple[SessionDay, SessionPath]:
        """The last of `drawn` with every contract that is still alive, and its path."""
        known = _known_settlements(drawn[-_YEAR_OF_SESSIONS:-1], drawn[-1].session)
        day = replace(drawn[-1], vx=dict(sorted({**known, **drawn[-1].vx}.items())))
        return day, session_path(day, drawn[-2], known, self._seed(), self._step_s)

    def _go_by(self, script: MarketScript, drawn: Sequence[SessionDay]) -> None:
        """Lay the script over today, and over sessions since its beginning in which nobody looked."""
        for count in range(len(drawn), 1, -1):
            day, path = self._laid_out(drawn[:count])
            if (day.session in self._scripted and count < len(drawn)) or path.closes < script.points[0].epoch:
                break
            scripted = script.path(path)
            self._scripted[day.session] = script.record(day, scripted)
            if count == len(drawn):
                self._day, self._path = self._scripted[day.session], scripted

    def _seed(self) -> str:
        return str(self._source.identity()["path_seed"])

    def _moment(self, age_s: float = 0.0) -> Moment:
        path = self._path
        epoch = self._now.timestamp()
        if age_s:
            epoch = max(epoch - age_s, min(epoch, path.opens))
        place = path.index(epoch)
        levels = path.followers["VVIX"]
        final = self._day.advances, self._day.declines
        is_final = epoch >= self._breadth_final and final[0] is not None and final[1] is not None
        return Moment(
            path,
            place,
            epoch,
            min(epoch, path.closes),
            self._vvix if levels is None else float(levels[place]),
            self._rate,
            self._closes,
            self._vx_closes,
            (final[0] or 0, final[1] or 0) if is_final else None,
            self._etps,
        )

    def _halt(self, tick: Tick) -> Tick:
        contract = contract_of(tick.con_id)
        if contract is None or not {contract.symbol, contract.trading_class} & self.halted:
            return tick
        return tick._replace(halted=True)


def _product(contract: Contract) -> Product:
    if contract.right is not None:
        return Product.INDEX_OPTION
    if contract.security_type is SecurityType.FUTURE:
        return Product.VIX_FUTURE
    # VIX and its relatives are computed as long as the options trade from which they are made.
    return Product.INDEX_OPTION if "VIX" in contract.symbol else Product.EQUITY


@lru_cache(maxsize=1024)
def _settles_at(trading_class: str, expiry: date) -> datetime:
    """When an option's settlement value is made, in UTC: every position is asked for it at every mark."""
    return option_expiry_instant(settles_as(trading_class), expiry).astimezone(UTC)


def _opened(start: datetime) -> date:
    """The session whose path is in force at `start`."""
    today = session_on_or_before(start.astimezone(MARKET_TZ).date())
    return previous_session(today) if regular_hours(today)[0] > start else today


def _known_settlements(days: Sequence[SessionDay], session: date) -> dict[date, float]:
    """The last settlement of every contract that settles after `session`, from the sessions of a month before
    it.
    """
    known: dict[date, float] = {}
    for day in days[-21:]:
        known.update((expiry, settle) for expiry, settle in day.vx.items() if expiry > session)
    return dict(sorted(known.items()))


def _last(before: Sequence[SessionDay], name: str, today: SessionDay | None, default: float) -> float:
    for day in [*([today] if today else []), *reversed(before[-21:])]:
        value = getattr(day, name)
        if value is not None:
            return float(value)
    return default
