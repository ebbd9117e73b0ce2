"""The mid-term trigger (L2): volatility of volatility turns up after the first layer's signal.

The dollar must have left its usual link to producer prices meanwhile (METHOD 2.4 to 2.6).

`mid_term` is called once for each completed session, in order. The lag is a confirmation after the first
layer's signal, not after its position, so that a study may take that position away and leave this layer as
it is. A session without VVIX is UNKNOWN: the recursion skips it and is carried.
"""

from dataclasses import dataclass
from datetime import date

from market.records import replace
from market.sessions import sessions_between
from strategies.base import Reading
from strategies.indicators import Ema, MacdHistogram
from strategies.rules import MidTermRules


@dataclass(frozen=True, slots=True)
class MidTermState:
    """All that the trigger remembers between sessions.

    `histogram` is the last known value and `bars` how many closes it stands on. `was_below` says that the
    histogram has been at or below zero since the last close that could be a flip. `gaps` are sessions without
    VVIX in the window of gaps.
    """

    macd: MacdHistogram | None = None
    bars: int = 0
    histogram: float | None = None
    was_below: bool = False
    last_flip: date | None = None
    last_session: date | None = None
    sessions: tuple[date, ...] = ()
    gaps: tuple[date, ...] = ()


def mid_term(
    state: MidTermState,
    session: date,
    vvix: float | None,
    divergence: Reading,
    near_fire: date | None,
    is_open: bool,
    rules: MidTermRules,
) -> tuple[MidTermState, tuple[Reading, ...], bool | None]:
    """Count one completed session.

    `vvix` is its close, `divergence` the macro condition as it stands, `near_fire` the session of the first
    layer's last signal, `is_open` whether this layer is still in place. Returns the state to keep, the
    readings (histogram, flip, divergence, confirmation, not open) and whether the layer fires: None when an
    input is missing. A session not after the last one counted changes nothing and is unknown.
    """
    if state.last_session is not None and session <= state.last_session:
        reason = "this session, or a later one, has been counted already"
        return state, (Reading("mid_term", None, None, "=", None, session.isoformat(), reason=reason),), None
    state = _with_vvix(state, session, vvix, rules)
    warm = state.bars >= rules.warmup_sessions
    histogram = state.histogram if vvix is not None else None
    rising = None if histogram is None or not warm else histogram > 0.0
    flip = _flip_reading(state, session, near_fire, rules, known=rising is not None)
    confirmed = _confirmation(session, near_fire, rules)
    readings = (
        Reading(
            "vvix_macd_histogram",
            histogram,
            0.0,
            ">",
            rising,
            session.isoformat(),
            "vvix",
            (min(state.bars, rules.warmup_sessions), rules.warmup_sessions),
            "gap: no VVIX for this session" if vvix is None else "" if warm else "warming up",
        ),
        flip,
        divergence,
        confirmed,
        Reading("mid_term_free", float(not is_open), 1.0, "=", not is_open, session.isoformat()),
    )
    conditions = [reading.fired for reading in readings]
    return state, readings, None if None in conditions else all(conditions)


def _with_vvix(state: MidTermState, session: date, vvix: float | None, rules: MidTermRules) -> MidTermState:
    recent = (*state.sessions, session)[-rules.gap_window_sessions :]
    gaps = tuple(day for day in state.gaps if day >= recent[0])
    state = replace(state, last_session=session, sessions=recent, gaps=gaps)
    if vvix is None:
        if not state.bars:
            return replace(state, gaps=(), sessions=())  # the series has not begun
        gaps = (*gaps, session)
        if len(gaps) > rules.gaps_max_count:
            # The recursion has lost too much of the series: it starts again and must warm up in full.
            return MidTermState(last_flip=state.last_flip, last_session=session)
        return replace(state, gaps=gaps)
    macd = (state.macd or _fresh(rules)).update(vvix)
    state = replace(state, macd=macd, bars=state.bars + 1, histogram=macd.value)
    return _with_flip(state, session, rules)


def _fresh(rules: MidTermRules) -> MacdHistogram:
    return MacdHistogram(
        Ema(rules.macd_fast_sessions), Ema(rules.macd_slow_sessions), Ema(rules.macd_signal_sessions)
    )


def _with_flip(state: MidTermState, session: date, rules: MidTermRules) -> MidTermState:
    """The first close at or above the minimum after one at or below zero, unless a flip was just before."""
    if state.histogram is None:
        return state
    if state.histogram <= 0.0:
        return replace(state, was_below=True)
    if not state.was_below or state.histogram < rules.histogram_min_pts:
        return state
    state = replace(state, was_below=False)
    last = state.last_flip
    if last is not None and sessions_between(last, session) <= rules.flip_spacing_sessions:
        return state
    return replace(state, last_flip=session)


def _flip_reading(
    state: MidTermState, session: date, near_fire: date | None, rules: MidTermRules, *, known: bool
) -> Reading:
    """Sessions since the last flip, against how many it may lie back under the mode in force."""
    since = None if state.last_flip is None else sessions_between(state.last_flip, session)
    limit = rules.lag_max_sessions
    reason = "" if state.last_flip is not None else "no flip yet"
    if rules.mode != "unlagged" and near_fire is not None:
        lag = sessions_between(near_fire, session)
        # confirm: from lag_max sessions before the signal on; after_l1: strictly after it.
        limit = lag + rules.lag_max_sessions if rules.mode == "confirm" else lag - 1
    fired = (since is not None and since <= limit) if known else None
    return Reading(
        "vvix_flip",
        None if since is None else float(since),
        float(limit),
        "<=",
        fired,
        session.isoformat(),
        "" if state.last_flip is None else f"flip of {state.last_flip.isoformat()}",
        reason=reason if known else "no histogram for this session",
    )


def _confirmation(session: date, near_fire: date | None, rules: MidTermRules) -> Reading:
    """Sessions since the first layer's signal; the lag is a window, its upper end the threshold."""
    name, limit = "sessions_since_near_term", float(rules.lag_max_sessions)
    if rules.mode == "unlagged":
        return Reading(name, None, None, "<=", True, session.isoformat(), reason="not asked for in this mode")
    if near_fire is None:
        return Reading(name, None, limit, "<=", False, session.isoformat(), reason="no signal yet")
    since = sessions_between(near_fire, session)
    inside = rules.lag_min_sessions <= since <= rules.lag_max_sessions
    return Reading(name, float(since), limit, "<=", inside, session.isoformat(), near_fire.isoformat())
