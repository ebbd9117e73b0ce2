"""Daily signals: slow series in, the hedge layers' triggers out.

Each session counts once, with final values. A session's signals are computed twice. At its review they
are provisional (breadth from the exchange's live count, VX at the mid of the settlement instant) and only
told. Before the next session opens the settlement file has arrived; only that final value counts a session
and can fire a layer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace as changed
from datetime import date, datetime

from bot.engine.decision import Decision, Verb
from bot.engine.observations import MONTHS, SESSION_SERIES, YIELDS, DailyInputs, Known, Waiting, as_of, kept
from bot.engine.parameters import Parameters
from bot.engine.state import REIT_SYMBOL, EngineState, Step
from bot.engine.working import decision_id
from bot.events import DISTRIBUTION, NET_ADVANCES, VX_SETTLEMENT, ObservationsKnown
from market.contract import Contract, SecurityType
from market.records import replace
from market.rounding import round_price
from market.sessions import next_session, previous_session, sessions_between
from strategies import regime, vix_hedge
from strategies.base import Reading
from strategies.layers import LAYERS, STRATEGY_OF, Verdict, count_near_term, count_session, front_prices
from strategies.regime import Regime, regime_readings
from strategies.rules import SignalRules
from strategies.session_inputs import SessionInputs

BREADTH_SYMBOL = "AD-NYSE"
_NAMES = {"L1": "near-term", "L2": "mid-term", "L3": "reserve"}
_LONG_LIVED = YIELDS | MONTHS | {DISTRIBUTION}


def know(state: EngineState, event: ObservationsKnown, time: datetime) -> EngineState:
    """Keep what later sessions need; a value from the future is not taken (METHOD 0, point-in-time)."""
    done = state.layers.last_session
    lasts = event.series in _LONG_LIVED
    before = state.daily.waiting.get(event.series, ())
    have = set(before)
    fresh = [
        known
        for seen in event.observations
        if seen.known_at <= time and seen.final and (lasts or done is None or seen.period > done)
        if (known := (seen.known_at, seen.period, seen.value)) not in have
    ]
    if not fresh or not _is_read(event.series):
        return state
    waiting = {**state.daily.waiting, event.series: (*before, *fresh)}
    return replace(state, daily=replace(state.daily, waiting=waiting))


def note_provisional(state: EngineState, session: date) -> EngineState:
    """Keep the mids of the VX futures and the index at the settlement instant."""
    mids: dict[date, float] = {}
    for contract in state.contracts.values():
        quote = state.quotes.get(contract.con_id)
        if contract.trading_class == "VX" and contract.expiry is not None and quote is not None:
            mid = quote.mid
            if mid is not None:
                mids[contract.expiry] = mid
    daily = replace(state.daily, provisional={session: mids})
    level = _level(state, "VIX", SecurityType.INDEX)
    if level is not None:
        daily = replace(daily, live_vix=_with(daily.live_vix, session, level))
    return replace(state, daily=daily)


def review_session(state: EngineState, session: date, time: datetime) -> Step:
    """Keep the live count of breadth and tell the provisional readings; nothing fires."""
    parameters = state.parameters
    if parameters is None:
        return Step(state)
    net, reit = _live_breadth(state), _level(state, REIT_SYMBOL, SecurityType.STOCK)
    daily = state.daily
    if net is not None:
        daily = replace(daily, live_net_advances=_with(daily.live_net_advances, session, net))
    if reit is not None:
        daily = replace(daily, live_vnq=_with(daily.live_vnq, session, reit))
    state = replace(state, daily=daily)
    live = changed(
        Known().at(session, parameters.signals.reserve.yield_age_max_sessions),
        net_advances=net,
        curve=daily.provisional.get(session, {}),
        vix_in_step=daily.live_vix.get(session),
    )
    _, verdict = count_near_term(state.layers.near, live, parameters.signals)
    reason = "provisional: final values come before the next open"
    return _tell(state, "L1", Verb.READ, reason, session, verdict.readings, time)


def settle_final(state: EngineState, session: date, time: datetime) -> Step:
    """Count every session before `session` that is not counted yet, in order, with final values.

    A missing value leaves that session unknown. Only a fire of the last completed session opens a
    tranche: an older one, found while catching up, is history.
    """
    parameters = state.parameters
    if parameters is None:
        return Step(state)
    last = previous_session(session)
    days = _uncounted(state, last)
    known, daily = state.daily.known(), state.daily
    tape = sorted(
        ((seen, series) for series, values in daily.waiting.items() for seen in values),
        key=lambda entry: (entry[0][0], entry[1], entry[0][1]),
    )
    step, taken, age = Step(state), 0, parameters.signals.reserve.yield_age_max_sessions
    for day in days:
        # What arrived after its hour still counts for the session just completed, never for an older one.
        cut = time if day == last else as_of(day)
        while taken < len(tape) and tape[taken][0][0] <= cut:
            (_, period, value), series = tape[taken]
            known.take(series, period, value)
            taken += 1
        seen = _with_live(known.at(day, age), daily)
        step = step.then(_count(step.state, parameters, seen, day == last, time))
    if not days:
        return step
    ahead = [entry for entry in tape[:taken] if entry[1] not in _LONG_LIVED and entry[0][1] > last]
    rest: dict[str, tuple[Waiting, ...]] = {}
    for one, series in (*ahead, *tape[taken:]):
        rest[series] = (*rest.get(series, ()), one)
    return step.then(Step(replace(step.state, daily=kept(daily, known, rest, last))))


def _is_read(series: str) -> bool:
    return series in _LONG_LIVED or series in SESSION_SERIES or series.startswith(VX_SETTLEMENT)


def _uncounted(state: EngineState, last: date) -> list[date]:
    counted = state.layers.last_session
    if counted is None:
        known = [period for _, period, _ in state.daily.waiting.get(NET_ADVANCES, ())]
        known = [day for day in (*known, *state.daily.live_net_advances) if day <= last]
        if not known:
            return []
        day = min(known)
    else:
        day = next_session(counted)
    days = []
    while day <= last:
        days.append(day)
        day = next_session(day)
    return days


def _with_live(seen: SessionInputs, daily: DailyInputs) -> SessionInputs:
    """Published values, and the daemon's own where nothing was published."""
    day = seen.session
    return changed(
        seen,
        net_advances=_or(seen.net_advances, daily.live_net_advances.get(day)),
        vnq=_or(seen.vnq, daily.live_vnq.get(day)),
        vix_in_step=daily.live_vix.get(day),
    )


def _count(
    state: EngineState, parameters: Parameters, seen: SessionInputs, is_last: bool, time: datetime
) -> Step:
    day = seen.session
    layers, verdicts = count_session(state.layers, seen, parameters.signals)
    mid = layers.mid.last_fire
    free = mid is None or sessions_between(mid, day) >= parameters.signals.mid_term.open_sessions
    hedge = vix_hedge.session_closed(
        state.hedge,
        day,
        layers.near.backwardation,
        layers.near.armed and free and layers.reserve.armed,
        tuple(state.structures.values()),
        parameters.budget,
    )
    before = state.layers.curve.regime
    step = Step(replace(state, layers=layers, hedge=hedge))
    if not is_last:
        return step
    for layer in LAYERS:
        step = step.then(_verdict(step.state, layer, verdicts[layer], day, time))
    return step.then(_label(step.state, parameters.signals, seen, before, time))


def _label(
    state: EngineState, rules: SignalRules, seen: SessionInputs, before: Regime, time: datetime
) -> Step:
    """Tell the regime in which the coming session trades, and what stands for and against leaving it."""
    curve = state.layers.curve
    reason = f"the regime is {curve.regime}"
    if curve.last_session != seen.session:
        reason = f"{reason}, carried: a price is missing"
    elif curve.regime is not before:
        reason = f"{reason}, was {before}"
    if curve.echo_since is not None:
        reason = f"{reason}; an echo since {curve.echo_since}"
    vx1, vx2 = front_prices(seen)
    readings = regime_readings(curve, seen.session, vx1, vx2, seen.vix, rules.regime)
    return _told(state, regime.STRATEGY, Verb.READ, reason, seen.session, readings, time)


def _verdict(state: EngineState, layer: str, verdict: Verdict, day: date, time: datetime) -> Step:
    """Tell what a layer says of the session just completed, and let a fire wait for the next one."""
    name = _NAMES[layer]
    if not verdict.fired:
        reason = f"the {name} layer {'is unknown' if verdict.fired is None else 'does not fire'}"
        return _tell(state, layer, Verb.READ, reason, day, verdict.readings, time)
    reason = f"the {name} layer fires"
    b = state.layers.near.backwardation
    if state.account is None:
        reason = f"{reason}; without a net asset value no tranche can be sized"
    else:
        nav_usd = state.account.nav_usd
        hedge = vix_hedge.layer_fired(state.hedge, layer, day, next_session(day), b or 0.0, nav_usd)
        state = replace(state, hedge=hedge)
    return _tell(state, layer, Verb.FIRE, reason, day, verdict.readings, time)


def _tell(
    state: EngineState,
    layer: str,
    verb: Verb,
    reason: str,
    session: date,
    readings: tuple[Reading, ...],
    time: datetime,
) -> Step:
    return _told(state, STRATEGY_OF[layer], verb, reason, session, readings, time)


def _told(
    state: EngineState,
    strategy: str,
    verb: Verb,
    reason: str,
    session: date,
    readings: tuple[Reading, ...],
    time: datetime,
) -> Step:
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=strategy,
        verb=verb,
        reason=reason,
        session=session,
        trading=state.risk.trading.value,
        readings=readings,
    )
    return Step(replace(state, decisions=number), (decision,))


def _live_breadth(state: EngineState) -> float | None:
    contract = breadth_index(state)
    quote = state.quotes.get(contract.con_id) if contract is not None else None
    if quote is None or quote.bid is None or quote.ask is None:
        return None
    return round_price(quote.bid - quote.ask)


def breadth_index(state: EngineState) -> Contract | None:
    """The contract of the exchange's advance-decline counts, once the broker has named it."""
    return _named(state.contracts.values(), BREADTH_SYMBOL, SecurityType.INDEX)


def _named(contracts: Iterable[Contract], symbol: str, kind: SecurityType) -> Contract | None:
    return next((one for one in contracts if (one.symbol, one.security_type) == (symbol, kind)), None)


def _level(state: EngineState, symbol: str, kind: SecurityType) -> float | None:
    contract = _named(state.contracts.values(), symbol, kind)
    quote = None if contract is None else state.quotes.get(contract.con_id)
    return None if quote is None else _or(quote.last, quote.mid)


def _with(values: Mapping[date, float], session: date, value: float) -> dict[date, float]:
    return {**{day: kept_value for day, kept_value in values.items() if day < session}, session: value}


def _or(value: float | None, other: float | None) -> float | None:
    return other if value is None else value
