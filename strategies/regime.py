"""Regimes: one label for the state of the VIX futures curve, with slow exits (METHOD 2.9).

CRISIS > STRESS > CALM > NORMAL: a higher one is entered at once, each is left only after some closes. `echo`
stands beside the label: the curve inverts again soon after a crisis. Labels gate only what the method says.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from market.records import replace
from market.rounding import round_ratio
from market.sessions import sessions_between
from strategies.base import Reading
from strategies.rules import RegimeRules

#: The name under which the label is told.
STRATEGY = "regime"


class Regime(StrEnum):
    """The state of the curve, and what it forbids the condor (METHOD 2.9); never a hedge."""

    NORMAL = "NORMAL"
    CALM = "CALM"
    STRESS = "STRESS"
    CRISIS = "CRISIS"

    @property
    def bars_new_condors(self) -> bool:
        """In a crisis nothing new is sold."""
        return self is Regime.CRISIS

    @property
    def bars_call_adjustments(self) -> bool:
        """Under stress, and in a crisis all the more, no new call side is sold."""
        return self in (Regime.STRESS, Regime.CRISIS)


_RANK = {Regime.NORMAL: 0, Regime.CALM: 1, Regime.STRESS: 2, Regime.CRISIS: 3}


@dataclass(frozen=True, slots=True)
class RegimeState:
    """Label, closes in a row that speak for leaving it, and what the echo needs.

    `crisis_left` is the session that ended the last crisis, `flat_since` whether the curve has been without
    inversion since, `echo_since` the session on which it inverted again.
    """

    regime: Regime = Regime.NORMAL
    exit_closes: int = 0
    crisis_left: date | None = None
    flat_since: bool = False
    echo_since: date | None = None
    last_session: date | None = None


def regime(
    state: RegimeState,
    session: date,
    vx1: float | None,
    vx2: float | None,
    vix: float | None,
    rules: RegimeRules,
) -> tuple[RegimeState, Regime | None, bool | None]:
    """Count one completed session: the state to keep, the label, and whether it lies in an echo.

    Label and echo are None where a price is missing (the state is carried) or the session was counted before.
    """
    if state.last_session is not None and session <= state.last_session:
        return state, None, None
    if vx1 is None or vx2 is None or vx1 <= 0.0 or vx2 <= 0.0:
        return state, None, None
    b = round_ratio(vx1 / vx2 - 1.0)
    if vix is None and b <= rules.stress_above_fraction and not state.regime.bars_call_adjustments:
        return state, None, None  # without the index CALM cannot be told from NORMAL; stress ends on b alone
    at_once = _label(b, round_ratio(vx2 / vx1 - 1.0), vix, rules)
    before = state.regime
    if _RANK[at_once] > _RANK[before]:
        state = replace(state, regime=at_once, exit_closes=0)
    else:
        closes = state.exit_closes + 1 if _speaks_for_leaving(before, at_once, b, rules) else 0
        left = before is not Regime.NORMAL and closes >= _closes_needed(before, rules)
        state = replace(state, regime=at_once if left else before, exit_closes=0 if left else closes)
    if before is Regime.CRISIS and state.regime is not Regime.CRISIS:
        state = replace(state, crisis_left=session, flat_since=False)
    state = _with_echo(replace(state, last_session=session), session, b, rules)
    return state, state.regime, state.echo_since is not None


def regime_readings(
    state: RegimeState,
    session: date,
    vx1: float | None,
    vx2: float | None,
    vix: float | None,
    rules: RegimeRules,
) -> tuple[Reading, ...]:
    """Every condition behind the label of a session just counted: `state` is the one that count returned."""
    known = vx1 is not None and vx2 is not None and vx1 > 0.0 and vx2 > 0.0
    b = round_ratio(vx1 / vx2 - 1.0) if known and vx1 is not None and vx2 is not None else None
    contango = round_ratio(vx2 / vx1 - 1.0) if known and vx1 is not None and vx2 is not None else None
    day, no_price = session.isoformat(), "a price of the front pair is missing"

    def read(name: str, value: float | None, limit: float, relation: str, reason: str) -> Reading:
        fired = None
        if value is not None:
            fired = {">": value > limit, "<": value < limit, ">=": value >= limit}[relation]
        return Reading(name, value, limit, relation, fired, day, reason="" if value is not None else reason)

    is_echo, needed = state.echo_since is not None, _closes_needed(state.regime, rules)
    left = "" if state.crisis_left is None else f"crisis left {state.crisis_left.isoformat()}"
    return (
        read("curve_stress", b, rules.stress_above_fraction, ">", no_price),
        read("curve_crisis", b, rules.crisis_above_fraction, ">", no_price),
        read("closes_to_leave", float(state.exit_closes), float(needed), ">=", ""),
        read("calm_contango", contango, rules.calm_contango_min_fraction, ">=", no_price),
        read("calm_vix", vix, rules.calm_vix_below_pts, "<", "the index is missing"),
        Reading("echo", float(is_echo), 1.0, "=", is_echo, day, left),
    )


def _closes_needed(label: Regime, rules: RegimeRules) -> int:
    return rules.calm_exit_sessions if label is Regime.CALM else rules.curve_exit_sessions


def _label(b: float, contango: float, vix: float | None, rules: RegimeRules) -> Regime:
    if b > rules.crisis_above_fraction:
        return Regime.CRISIS
    if b > rules.stress_above_fraction:
        return Regime.STRESS
    is_quiet = vix is not None and vix < rules.calm_vix_below_pts
    is_calm = is_quiet and contango >= rules.calm_contango_min_fraction
    return Regime.CALM if is_calm else Regime.NORMAL


def _speaks_for_leaving(current: Regime, at_once: Regime, b: float, rules: RegimeRules) -> bool:
    if current is Regime.CRISIS:
        return b < rules.crisis_left_below_fraction
    if current is Regime.STRESS:
        return b < rules.stress_left_below_fraction
    return at_once is not current


def _with_echo(state: RegimeState, session: date, b: float, rules: RegimeRules) -> RegimeState:
    lasts = rules.echo_sessions
    if state.echo_since is not None and sessions_between(state.echo_since, session) >= lasts:
        state = replace(state, echo_since=None, crisis_left=None)
    if state.echo_since is not None or state.crisis_left is None:
        return state
    if sessions_between(state.crisis_left, session) > lasts:
        return replace(state, crisis_left=None)
    if b <= rules.stress_above_fraction:
        return replace(state, flat_since=True)
    return replace(state, echo_since=session) if state.flat_since else state
