"""Parity of the expiries that are held, read anew each session and now and then within it (METHOD 4.4).

Lines are few, so one expiry at a time is looked at, for as long as its reading takes. What a reading keeps is
what hardly moves: the box rate and the dividend yield. With them the forward of any later moment follows from
the index. A reading serves its own session and the next one, until that has its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import exp, log

from market.contract import Contract, Right
from market.parity import widest_box
from market.pricing import volatility_and_delta
from market.records import quickly_made, replace
from market.rounding import round_price, round_ratio, round_volatility
from market.sessions import MARKET_TZ, previous_session, regular_hours, t_years
from strategies.base import Evaluation, MarketSnapshot
from strategies.forwards import (
    ChainParity,
    SuspectDataError,
    both_rights,
    chain_parity,
    half_width,
    index_parity_strikes,
)
from strategies.ladder import ladder
from strategies.rules import CondorRules
from strategies.strikes import ForwardMarket, scale_of

LOOK_MAX = timedelta(minutes=5)  # then it is another expiry's turn


@quickly_made
@dataclass(frozen=True, slots=True)
class ExpiryParity:
    """One expiry's parity at one moment; points, yearly continuous rates, and the smile that was seen.

    `dividends` is the present value of what the index pays until expiry, in points; `smile` pairs of
    ln(strike / forward) and volatility, ascending; `box_rate` the rate of the widest box, beside the
    regression's.
    """

    trading_class: str
    expiry: date
    session: date
    time: datetime
    spot: float
    forward: float
    discount: float
    rate: float
    dividend_yield: float
    dividends: float
    residual_mad: float
    strikes: int
    lo: float | None
    hi: float | None
    half_width: float
    box_rate: float | None
    smile: tuple[tuple[float, float], ...]

    def market(self, now: datetime, spot: float) -> ForwardMarket:
        """The forward market at a later moment: the index carried at the rates that were read."""
        t = t_years(now, self.trading_class, self.expiry)
        forward = round_price(spot * exp((self.rate - self.dividend_yield) * t))
        at_the_money = 0.0
        if self.smile:
            at_the_money = min(self.smile, key=lambda point: (abs(point[0]), point[0]))[1]
        return ForwardMarket(
            forward, round_ratio(exp(-self.rate * t)), t, at_the_money, half_width=self.half_width
        )


@quickly_made
@dataclass(frozen=True, slots=True)
class ParityWatch:
    """Readings by expiry, expiries whose quotes are suspect and why, and the expiry being looked at.

    `tried` is when an expiry's look last ended without a reading.
    """

    readings: tuple[ExpiryParity, ...] = ()
    suspects: tuple[tuple[date, str], ...] = ()
    looking: date | None = None
    since: datetime | None = None
    anchor: float = 0.0
    tried: tuple[tuple[date, datetime], ...] = ()

    def reading(self, expiry: date | None, session: date) -> ExpiryParity | None:
        """The reading that serves `session`: its own, or the one of the session before."""
        for one in self.readings:
            if one.expiry == expiry and one.session in (session, previous_session(session)):
                return one
        return None

    def suspicion(self, expiry: date | None) -> str:
        """Why the expiry's quotes are not believed, or nothing."""
        return next((why for day, why in self.suspects if day == expiry), "")


def spot_of(snapshot: MarketSnapshot, trading_class: str = "SPX") -> float | None:
    """The level of the index in points of a class: its last print, else its mid; None where there is none."""
    quote = snapshot.quote(snapshot.spx)
    level = None if quote is None else quote.last if quote.last is not None else quote.mid
    return round_price(scale_of(trading_class) * level) if level is not None and level > 0.0 else None


def watch(
    snapshot: MarketSnapshot,
    state: ParityWatch,
    held: Mapping[date, tuple[str, str]],
    rules: CondorRules,
    is_busy: bool,
) -> tuple[ParityWatch, Evaluation]:
    """Look at one of the `held` expiries, by (symbol, trading class), if one is due.

    Due is what has no reading of this session, and with free lines what is older than `parity_refresh_s`. The
    listings of all held expiries are asked for: their partners are needed for clean marks.
    """
    state = _forget(state, held)
    listings = tuple((*held[expiry], expiry) for expiry in sorted(held))
    found = Evaluation(listings=listings)
    spot, now = spot_of(snapshot), snapshot.time
    opens = datetime.combine(snapshot.session, rules.parity_start_time, MARKET_TZ)
    if spot is None or not opens <= now < regular_hours(snapshot.session)[1]:
        return replace(state, looking=None, since=None), found
    chosen = _choose(state, snapshot, held, timedelta(seconds=rules.parity_refresh_s), is_busy)
    if chosen is None:
        return replace(state, looking=None, since=None), found
    if chosen != state.looking:
        state = replace(state, looking=chosen, since=now, anchor=0.0)
    rungs = ladder(snapshot, held[chosen][1], chosen)
    spot = spot_of(snapshot, held[chosen][1])
    if rungs is None or spot is None:
        return state, found
    anchor, strikes = index_parity_strikes(rungs, state.anchor, spot)
    lines = both_rights(rungs, strikes)
    state = _read(snapshot, replace(state, anchor=anchor), chosen, lines, spot)
    return state, replace(found, lines=lines)


def _forget(state: ParityWatch, held: Mapping[date, tuple[str, str]]) -> ParityWatch:
    known = (*(one.expiry for one in state.readings), *(day for day, _ in (*state.suspects, *state.tried)))
    if held.keys() >= set(known):
        return state
    readings = tuple(one for one in state.readings if one.expiry in held)
    suspects = tuple(one for one in state.suspects if one[0] in held)
    tried = tuple(one for one in state.tried if one[0] in held)
    return replace(state, readings=readings, suspects=suspects, tried=tried)


def _choose(
    state: ParityWatch,
    snapshot: MarketSnapshot,
    held: Mapping[date, tuple[str, str]],
    refresh: timedelta,
    is_busy: bool,
) -> date | None:
    """The expiry to look at: the present one while its look lasts, else the one looked at longest ago."""
    now, known = snapshot.time, {one.expiry: one for one in state.readings}
    tried = dict(state.tried)
    due = []
    for expiry in sorted(held):
        one = known.get(expiry)
        is_new = one is not None and one.session == snapshot.session
        old = one is None or now - one.time >= refresh
        if state.suspicion(expiry) or not is_new or (old and not is_busy):
            due.append(expiry)
    if not due:
        return None
    if state.looking in due and state.since is not None and now - state.since < LOOK_MAX:
        return state.looking

    def last(expiry: date) -> float:
        one = known.get(expiry)
        seen = [at.timestamp() for at in (tried.get(expiry), one.time if one else None) if at is not None]
        return max(seen, default=0.0)

    others = [expiry for expiry in due if expiry != state.looking] or due
    return min(others, key=lambda expiry: (last(expiry), expiry))


def _read(
    snapshot: MarketSnapshot, state: ParityWatch, expiry: date, lines: tuple[Contract, ...], spot: float
) -> ParityWatch:
    trading_class = lines[0].trading_class if lines else ""
    others = tuple(one for one in state.suspects if one[0] != expiry)
    tried = (*(one for one in state.tried if one[0] != expiry), (expiry, snapshot.time))
    t = t_years(snapshot.time, trading_class, expiry) if lines else 0.0
    try:
        parity = chain_parity(lines, snapshot.quotes, spot, t)
    except SuspectDataError as error:
        return replace(state, suspects=(*others, (expiry, str(error))), tried=tried)
    if isinstance(parity, str):
        return replace(state, tried=tried)
    reading = _reading(snapshot, parity, trading_class, expiry, spot, t)
    readings = (*(one for one in state.readings if one.expiry != expiry), reading)
    return replace(state, readings=readings, suspects=others, looking=None, since=None)


def _reading(
    snapshot: MarketSnapshot, parity: ChainParity, trading_class: str, expiry: date, spot: float, t: float
) -> ExpiryParity:
    found, box = parity.found, widest_box(parity.rows)
    return ExpiryParity(
        trading_class=trading_class,
        expiry=expiry,
        session=snapshot.session,
        time=snapshot.time,
        spot=spot,
        forward=found.forward,
        discount=found.discount,
        rate=found.rate_box,
        dividend_yield=found.dividend_yield,
        dividends=round_price(spot - found.forward * found.discount),
        residual_mad=found.residual_mad,
        strikes=found.strikes_used,
        lo=parity.bounds.lo,
        hi=parity.bounds.hi,
        half_width=half_width(parity.bounds),
        box_rate=None if box is None or box <= 0.0 else round_ratio(-log(box) / t),
        smile=_smile(parity, t),
    )


def _smile(parity: ChainParity, t: float) -> tuple[tuple[float, float], ...]:
    """Volatility of the out-of-the-money option at each strike, by log-moneyness."""
    forward, discount = parity.found.forward, parity.found.discount
    smile = []
    for strike, call_bid, call_ask, put_bid, put_ask in parity.rows:
        is_call = strike >= forward
        mid = 0.5 * (call_bid + call_ask) if is_call else 0.5 * (put_bid + put_ask)
        valued = volatility_and_delta(mid, forward, strike, t, discount, is_call)
        if valued is not None:
            smile.append((round_ratio(log(strike / forward)), round_volatility(valued[0])))
    return tuple(smile)


def other_right(right: Right | None) -> Right:
    """The partner of an option at its strike."""
    return Right.PUT if right is Right.CALL else Right.CALL
