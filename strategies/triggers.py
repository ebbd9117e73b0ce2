"""The near-term trigger (L1): breadth exhausted while the front of the VIX futures curve is inverted.

`near_term` is called once for each completed session, in order, with final values (a day without a value is
passed as None, never left out and never carried forward). Each condition is a Reading of its own. A session
with a missing input is UNKNOWN: it fires nothing, carries the state and is marked as a gap (METHOD 0,
2.1-2.3). Called on provisional values the same function is a forecast, provided its returned state is
thrown away.
"""

from dataclasses import dataclass, field
from datetime import date

from market.records import replace
from market.rounding import round_ratio
from strategies.base import Reading
from strategies.indicators import WilderRsi
from strategies.rules import NearTermRules


@dataclass(frozen=True, slots=True)
class NearTermState:
    """All that the trigger remembers between sessions.

    `gaps` are the sessions without breadth in the window of gaps. `contango_closes` counts closes in a row
    with b < 0 (what ends a tranche), `rearm_closes` closes in a row on which both re-arm conditions held.
    """

    rsi: WilderRsi = field(default_factory=WilderRsi)
    last_session: date | None = None
    last_breadth: date | None = None
    gaps: tuple[date, ...] = ()
    sessions: tuple[date, ...] = ()
    vx1: float | None = None
    vx2: float | None = None
    pair: tuple[date, date] | None = None
    backwardation: float | None = None
    contango_closes: int = 0
    armed: bool = True
    rearm_closes: int = 0
    last_fire: date | None = None


def near_term(
    state: NearTermState,
    session: date,
    net_advances: float | None,
    vx1: float | None,
    vx2: float | None,
    pair: tuple[date, date] | None,
    rules: NearTermRules,
    vix: float | None = None,
) -> tuple[NearTermState, tuple[Reading, ...], bool | None]:
    """Count one completed session.

    `net_advances` is NYSE advances minus declines; `vx1` and `vx2` are settlements in points of the two
    contracts that settle on `pair`; `vix` is the index at the same instant, needed where b is defined on
    the spot. Returns the state to keep, the readings (RSI, both backwardations, armed) and whether the
    layer fires: None when an input is missing. A session not after the last one counted changes nothing and
    is unknown.
    """
    if state.last_session is not None and session <= state.last_session:
        return state, (_repeated(session),), None
    before = state.rsi.value
    state = _with_breadth(state, session, net_advances, rules)
    b_curve = _premium(vx1, vx2)
    b_spot = _premium(vix, vx1)
    b = b_curve if rules.backwardation_definition == "vx1_vx2" else b_spot
    rsi = None if net_advances is None else state.rsi.value
    warm = state.rsi.changes >= rules.warmup_sessions
    condition = _rsi_condition(rsi, before, warm, rules)
    deep = None if b is None else b > rules.backwardation_above_fraction
    readings = (
        Reading(
            "ad_line_rsi",
            rsi,
            rules.rsi_below_pts,
            "<",
            condition,
            session.isoformat(),
            "nyse_breadth",
            (min(state.rsi.changes, rules.warmup_sessions), rules.warmup_sessions),
            _why_no_rsi(net_advances, warm),
        ),
        _backwardation_reading("front_backwardation", b_curve, session, pair, rules, vx1, vx2),
        _backwardation_reading("spot_backwardation", b_spot, session, pair, rules, vix, vx1),
        Reading("near_term_armed", float(state.armed), 1.0, "=", state.armed, session.isoformat()),
    )
    fired = None if condition is None or deep is None else condition and deep and state.armed
    state = replace(state, last_session=session, vx1=vx1, vx2=vx2, pair=pair, backwardation=b)
    state = _with_curve(state, b)
    if fired:
        state = replace(state, armed=False, rearm_closes=0, last_fire=session)
    elif not state.armed:
        state = _rearmed(state, rsi, b, rules)
    return state, readings, fired


def _with_breadth(
    state: NearTermState, session: date, net_advances: float | None, rules: NearTermRules
) -> NearTermState:
    if state.rsi.period != rules.rsi_sessions:
        state = replace(state, rsi=WilderRsi(rules.rsi_sessions))
    recent = (*state.sessions, session)[-rules.gap_window_sessions :]
    if net_advances is not None:
        gaps = tuple(day for day in state.gaps if day >= recent[0])
        return replace(
            state, rsi=state.rsi.update(net_advances), last_breadth=session, sessions=recent, gaps=gaps
        )
    gaps = (*(day for day in state.gaps if day >= recent[0]), session)
    if len(gaps) > rules.gaps_max_count:
        # The recursion has lost too much of the line: it starts again and must warm up in full.
        return replace(state, rsi=WilderRsi(rules.rsi_sessions), sessions=(), gaps=())
    return replace(state, sessions=recent, gaps=gaps)


def _rsi_condition(rsi: float | None, before: float | None, warm: bool, rules: NearTermRules) -> bool | None:
    if rsi is None or not warm:
        return None
    if rules.mode == "episode":
        return rsi < rules.rsi_below_pts
    return None if before is None else before >= rules.rsi_below_pts > rsi


def _with_curve(state: NearTermState, b: float | None) -> NearTermState:
    """An unknown close neither counts nor breaks the row."""
    if b is None:
        return state
    return replace(state, contango_closes=state.contango_closes + 1 if b < 0.0 else 0)


def _rearmed(state: NearTermState, rsi: float | None, b: float | None, rules: NearTermRules) -> NearTermState:
    if rsi is None or b is None:
        return state
    quiet = rsi >= rules.rearm_rsi_min_pts and b < rules.rearm_backwardation_below_fraction
    closes = state.rearm_closes + 1 if quiet else 0
    return replace(state, rearm_closes=closes, armed=closes >= rules.rearm_sessions)


def _premium(near: float | None, far: float | None) -> float | None:
    if near is None or far is None or near <= 0.0 or far <= 0.0:
        return None
    return round_ratio(near / far - 1.0)


def _backwardation_reading(
    name: str,
    b: float | None,
    session: date,
    pair: tuple[date, date] | None,
    rules: NearTermRules,
    near: float | None,
    far: float | None,
) -> Reading:
    limit = rules.backwardation_above_fraction
    source = "" if pair is None else f"{pair[0].isoformat()}/{pair[1].isoformat()}"
    missing = " and ".join(side for side, price in (("near", near), ("far", far)) if price is None)
    reason = f"{missing} leg missing" if missing else "price not positive" if b is None else ""
    fired = None if b is None else b > limit
    return Reading(name, b, limit, ">", fired, session.isoformat(), source, reason=reason)


def _why_no_rsi(net_advances: float | None, warm: bool) -> str:
    if net_advances is None:
        return "gap: no breadth for this session"
    return "" if warm else "warming up"


def _repeated(session: date) -> Reading:
    reason = "this session, or a later one, has been counted already"
    return Reading("near_term", None, None, "=", None, session.isoformat(), reason=reason)
