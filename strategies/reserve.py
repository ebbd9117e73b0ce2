"""The reserve trigger (L3): the cost of capital implied by REIT prices stands wide against its own history.

`reserve` is called once for each completed session, in order, with that session's spread (METHOD 2.7, 2.8).
The layer needs no signal of the others. A session without a spread is UNKNOWN: it neither counts towards the
confirmation nor breaks it, and the window is carried; there is no recursion that a gap could spoil.
"""

from dataclasses import dataclass
from datetime import date

from market.records import replace
from market.sessions import sessions_between
from strategies.base import Reading
from strategies.indicators import RollingZScore
from strategies.rules import ReserveRules


@dataclass(frozen=True, slots=True)
class ReserveState:
    """All that the trigger remembers between sessions; `closes` counts closes in a row above the limit."""

    window: RollingZScore | None = None
    closes: int = 0
    armed: bool = True
    last_fire: date | None = None
    last_session: date | None = None


def reserve(
    state: ReserveState, session: date, spread: float | None, is_open: bool, rules: ReserveRules
) -> tuple[ReserveState, tuple[Reading, ...], bool | None]:
    """Count one completed session.

    `spread` is a fraction, `is_open` whether this layer is still in place. Returns the state to keep, the
    readings (score, closes above, armed, not open) and whether the layer fires: None when the score is
    unknown. The score leaves the session itself out of its window. A session not after the last one counted
    changes nothing and is unknown.
    """
    if state.last_session is not None and session <= state.last_session:
        reason = "this session, or a later one, has been counted already"
        return state, (Reading("reserve", None, None, "=", None, session.isoformat(), reason=reason),), None
    window = state.window or RollingZScore(rules.window_sessions, rules.warmup_sessions)
    have = len(window.values)
    z = None if spread is None else window.score(spread)
    if spread is not None:
        window = window.update(spread)
    state = _counted(replace(state, window=window, last_session=session), session, z, rules)
    is_short = z is not None and have < rules.window_sessions
    why_unknown = "no spread for this session" if spread is None else "warming up" if z is None else ""
    readings = (
        Reading(
            "wacc_spread_z",
            z,
            rules.z_above_sd,
            ">",
            None if z is None else z > rules.z_above_sd,
            session.isoformat(),
            "short_window" if is_short else "",
            (min(have, rules.warmup_sessions), rules.warmup_sessions),
            why_unknown,
        ),
        Reading(
            "closes_above",
            float(state.closes),
            float(rules.confirm_sessions),
            ">=",
            None if z is None else state.closes >= rules.confirm_sessions,
            session.isoformat(),
            reason=why_unknown,
        ),
        Reading("reserve_armed", float(state.armed), 1.0, "=", state.armed, session.isoformat()),
        Reading("reserve_free", float(not is_open), 1.0, "=", not is_open, session.isoformat()),
    )
    conditions = [reading.fired for reading in readings]
    fired = None if None in conditions else all(conditions)
    if fired:
        state = replace(state, armed=False, last_fire=session)
    return state, readings, fired


def _counted(state: ReserveState, session: date, z: float | None, rules: ReserveRules) -> ReserveState:
    if z is None:
        return state
    armed = state.armed
    if not armed and state.last_fire is not None:
        waited = sessions_between(state.last_fire, session) >= rules.rearm_sessions
        armed = waited or z < rules.rearm_z_below_sd
    return replace(state, closes=state.closes + 1 if z > rules.z_above_sd else 0, armed=armed)
