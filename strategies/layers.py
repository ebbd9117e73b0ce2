"""The three layers counted together, one completed session after the other.

The daemon and the review of history call these same functions, so that what a journal says of a session is
what the review says of it. Signals never look at positions: a study may take a layer's position away and
leave the signals as they are. What keeps a layer from being bought twice is a gate of its entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from market.records import replace
from market.sessions import (
    front_vx_pair,
    option_close,
    sessions_between,
    vx_settlement_instant,
    vx_settlements_after,
)
from strategies.base import Reading
from strategies.macro import Divergence, MacroState, divergence_reading, learn, measure
from strategies.mid_term import MidTermState, mid_term
from strategies.regime import RegimeState, regime
from strategies.reserve import ReserveState, reserve
from strategies.rules import SignalRules
from strategies.session_inputs import SessionInputs
from strategies.triggers import NearTermState, near_term
from strategies.wacc import CostOfCapital, WeeklyBeta, cost_of_capital, yearly_distribution

LAYERS = ("L1", "L2", "L3")
#: The name under which each layer trades and speaks.
STRATEGY_OF = {"L1": "near_term", "L2": "mid_term", "L3": "reserve"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One layer on one session; `fired` is None where an input is missing."""

    readings: tuple[Reading, ...]
    fired: bool | None


@dataclass(frozen=True, slots=True)
class MidTermMemory:
    """The mid-term trigger with the signals its lag refers to: the first layer's last one and its own."""

    trigger: MidTermState = field(default_factory=MidTermState)
    near_fire: date | None = None
    last_fire: date | None = None


@dataclass(frozen=True, slots=True)
class LayersState:
    """All that the layers remember between sessions."""

    near: NearTermState = field(default_factory=NearTermState)
    mid: MidTermMemory = field(default_factory=MidTermMemory)
    macro: MacroState = field(default_factory=MacroState)
    reserve: ReserveState = field(default_factory=ReserveState)
    beta: WeeklyBeta = field(default_factory=WeeklyBeta)
    curve: RegimeState = field(default_factory=RegimeState)
    last_session: date | None = None
    z: float | None = None  # the reserve's last known score
    confirmed: bool | None = None  # whether flip and divergence of the mid-term layer hold now


def count_session(
    state: LayersState, seen: SessionInputs, rules: SignalRules
) -> tuple[LayersState, Mapping[str, Verdict]]:
    """Count one completed session: the state to keep, and what each layer says of it.

    Sessions come in order; one not after the last counted is unknown to every layer and changes nothing.
    """
    if state.last_session is not None and seen.session <= state.last_session:
        return state, {layer: _counted_before(layer, seen.session) for layer in LAYERS}
    near, l1 = count_near_term(state.near, seen, rules)
    macro = learn(state.macro, seen.reer, seen.ppi, rules.mid_term)
    divergence = measure(macro, rules.mid_term)
    mid, l2 = count_mid_term(state.mid, seen, bool(l1.fired), divergence, rules)
    beta = count_beta(state.beta, seen, rules)
    layer, l3 = count_reserve(state.reserve, seen, cost_of(seen, beta, rules), rules)
    vx1, vx2 = front_prices(seen)
    curve, _, _ = regime(state.curve, seen.session, vx1, vx2, seen.vix, rules.regime)
    z = l3.readings[0].value
    counted = LayersState(
        near, mid, macro, layer, beta, curve, seen.session, z, _still_confirmed(mid.trigger, l2)
    )
    return counted, dict(zip(LAYERS, (l1, l2, l3), strict=True))


def front_prices(seen: SessionInputs) -> tuple[float | None, float | None]:
    """The settlements of the front pair, in points; None where one is missing."""
    pair = front_vx_pair(seen.session)
    return seen.curve.get(pair[0]), seen.curve.get(pair[1])


def count_near_term(
    state: NearTermState, seen: SessionInputs, rules: SignalRules
) -> tuple[NearTermState, Verdict]:
    """The first layer on one session.

    The index stands beside the futures at their settlement's instant where that was seen; else its close
    does, marked as asynchronous where the two instants differ.
    """
    session = seen.session
    pair = front_vx_pair(session)
    if rules.front == "nearest":
        first, second = vx_settlements_after(session, 2)
        pair = (first, second)
    in_step = seen.vix_in_step is not None or vx_settlement_instant(session) == option_close(session)
    state, readings, fired = near_term(
        state,
        session,
        seen.net_advances,
        seen.curve.get(pair[0]),
        seen.curve.get(pair[1]),
        pair,
        rules.near_term,
        seen.vix_in_step if seen.vix_in_step is not None else seen.vix,
    )
    if not in_step:
        readings = tuple(
            replace(one, source=f"{one.source} async") if one.name == "spot_backwardation" else one
            for one in readings
        )
    return state, Verdict(readings, fired)


def count_mid_term(
    memory: MidTermMemory, seen: SessionInputs, near_fired: bool, divergence: Divergence, rules: SignalRules
) -> tuple[MidTermMemory, Verdict]:
    """The second layer on one session, after the first one's verdict of it.

    It counts as open for a number of sessions after it fired, about the life of its option, whether it was
    bought or not.
    """
    session, mid = seen.session, rules.mid_term
    near_fire = session if near_fired else memory.near_fire
    last = memory.last_fire
    is_open = last is not None and sessions_between(last, session) < mid.open_sessions
    reading = divergence_reading(divergence, session, mid.divergence_age_max_days)
    trigger, readings, fired = mid_term(memory.trigger, session, seen.vvix, reading, near_fire, is_open, mid)
    return MidTermMemory(trigger, near_fire, session if fired else last), Verdict(readings, fired)


def count_beta(beta: WeeklyBeta, seen: SessionInputs, rules: SignalRules) -> WeeklyBeta:
    """The REIT's beta after one more session; a session without both closes is left out."""
    if seen.vnq is None or seen.spx is None:
        return beta
    return beta.update(seen.session, seen.vnq, seen.spx, rules.reserve.beta_weeks)


def cost_of(seen: SessionInputs, beta: WeeklyBeta, rules: SignalRules) -> CostOfCapital | None:
    """The cost of capital that one session's prices imply."""
    yearly = yearly_distribution([amount for _, amount in seen.distributions], rules.distribution)
    return cost_of_capital(seen.vnq, yearly, seen.baa, seen.treasury_10y, beta.value, rules.reserve)


def count_reserve(
    state: ReserveState, seen: SessionInputs, cost: CostOfCapital | None, rules: SignalRules
) -> tuple[ReserveState, Verdict]:
    """The third layer on one session. It has its own rule for firing again and never counts as open."""
    spread = None if cost is None else cost.spread if rules.spread == "capital" else cost.ddm_gap
    state, readings, fired = reserve(state, seen.session, spread, False, rules.reserve)
    return state, Verdict(readings, fired)


def still_hold(state: LayersState, rules: SignalRules) -> dict[str, bool | None]:
    """By layer, whether the signal it was bought for still stands, as far as known: what a roll asks for."""
    z = state.z
    reserved = None if z is None else z >= rules.reserve.rearm_z_below_sd
    return {"L2": state.confirmed, "L3": reserved}


def _still_confirmed(trigger: MidTermState, verdict: Verdict) -> bool | None:
    """Whether what the mid-term layer was bought for holds: histogram above zero, and the divergence."""
    rising, divergent = verdict.readings[0].fired, verdict.readings[2].fired
    if rising is False or divergent is False or trigger.last_flip is None:
        return False
    return None if rising is None or divergent is None else True


def _counted_before(layer: str, session: date) -> Verdict:
    reason = "this session, or a later one, has been counted already"
    reading = Reading(STRATEGY_OF[layer], None, None, "=", None, session.isoformat(), reason=reason)
    return Verdict((reading,), None)
