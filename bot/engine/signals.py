"""Daily signals: slow series in, the hedge layers' triggers out.

Each session counts once, with final values. A session's signals are computed twice. At its review they
are provisional (breadth from the exchange's live count, VX at the mid of the settlement instant) and only
told. Before the next session opens the settlement file has arrived; only that final value counts a session
and can fire a layer.
"""

from collections.abc import Mapping
from datetime import date, datetime

from bot.engine.decision import Decision, Verb
from bot.engine.parameters import Parameters
from bot.engine.records import replace
from bot.engine.state import DailyInputs, EngineState, Step
from bot.engine.working import decision_id
from bot.events import NET_ADVANCES, VX_SETTLEMENT, ObservationsKnown
from market.contract import Contract, SecurityType
from market.rounding import round_price
from market.sessions import front_vx_pair, next_session, previous_session
from strategies import vix_hedge
from strategies.base import Reading
from strategies.hedge_entry import STRATEGY
from strategies.triggers import NearTermState, near_term

BREADTH_SYMBOL = "AD-NYSE"
SESSIONS_KEPT = 10


def know(state: EngineState, event: ObservationsKnown, time: datetime) -> EngineState:
    """Keep what later sessions need; a value from the future is not taken (METHOD 0, point-in-time)."""
    known = [seen for seen in event.observations if seen.known_at <= time and seen.final]
    done = state.near_term.last_session
    daily = state.daily
    if event.series == NET_ADVANCES:
        net = {seen.period: seen.value for seen in known if done is None or seen.period > done}
        daily = replace(daily, net_advances={**daily.net_advances, **net})
    elif event.series.startswith(VX_SETTLEMENT):
        settles = date.fromisoformat(event.series.removeprefix(VX_SETTLEMENT))
        prices = dict(daily.settlements)
        for seen in known:
            if done is None or seen.period > done:
                prices[seen.period] = {**prices.get(seen.period, {}), settles: seen.value}
        daily = replace(daily, settlements=prices)
    return replace(state, daily=daily)


def note_provisional(state: EngineState, session: date) -> EngineState:
    """Keep the mids of the VX futures at the settlement instant."""
    mids: dict[date, float] = {}
    for contract in state.contracts.values():
        quote = state.quotes.get(contract.con_id)
        if (
            contract.security_type is SecurityType.FUTURE
            and contract.expiry is not None
            and quote is not None
        ):
            mid = quote.mid
            if mid is not None:
                mids[contract.expiry] = mid
    return replace(state, daily=replace(state.daily, provisional={session: mids}))


def review_session(state: EngineState, session: date, time: datetime) -> Step:
    """Keep the live count of breadth and tell the provisional readings; nothing fires."""
    parameters = state.parameters
    if parameters is None:
        return Step(state)
    net = _live_breadth(state)
    if net is not None:
        live = {day: value for day, value in state.daily.live_net_advances.items() if day < session}
        state = replace(state, daily=replace(state.daily, live_net_advances={**live, session: net}))
    prices = state.daily.provisional.get(session, {})
    pair = front_vx_pair(session)
    _, readings, _ = near_term(
        state.near_term,
        session,
        net,
        prices.get(pair[0]),
        prices.get(pair[1]),
        pair,
        parameters.near_term,
    )
    return _tell(
        state, Verb.READ, "provisional: final values come before the next open", session, readings, time
    )


def settle_final(state: EngineState, session: date, time: datetime) -> Step:
    """Count every session before `session` that is not counted yet, in order, with final values.

    A missing value leaves that session unknown. Only a fire of the last completed session opens a
    tranche: an older one, found while catching up, is history.
    """
    parameters = state.parameters
    if parameters is None:
        return Step(state)
    last = previous_session(session)
    step = Step(state)
    for day in _uncounted(state, last):
        step = step.then(_count(step.state, parameters, day, day == last, time))
    return step.then(Step(replace(step.state, daily=_pruned(step.state.daily, last))))


def _uncounted(state: EngineState, last: date) -> list[date]:
    counted = state.near_term.last_session
    if counted is None:
        known = [day for day in state.daily.net_advances if day <= last]
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


def _count(state: EngineState, parameters: Parameters, day: date, is_last: bool, time: datetime) -> Step:
    net = state.daily.net_advances.get(day, state.daily.live_net_advances.get(day))
    pair = front_vx_pair(day)
    prices: Mapping[date, float] = state.daily.settlements.get(day, {})
    near: NearTermState
    near, readings, fired = near_term(
        state.near_term, day, net, prices.get(pair[0]), prices.get(pair[1]), pair, parameters.near_term
    )
    structures = tuple(state.structures.values())
    hedge = vix_hedge.session_closed(
        state.hedge, day, near.backwardation, near.armed, structures, parameters.budget
    )
    state = replace(state, near_term=near, hedge=hedge)
    if not is_last:
        return Step(state)
    if fired and near.backwardation is not None:
        reason = "the near-term layer fires"
        if state.account is None:
            reason = f"{reason}; without a net asset value no tranche can be sized"
        else:
            hedge = vix_hedge.near_term_fired(
                hedge, day, next_session(day), near.backwardation, state.account.nav_usd
            )
        return _tell(replace(state, hedge=hedge), Verb.FIRE, reason, day, readings, time)
    reason = "the near-term layer is unknown" if fired is None else "the near-term layer does not fire"
    return _tell(state, Verb.READ, reason, day, readings, time)


def _tell(
    state: EngineState, verb: Verb, reason: str, session: date, readings: tuple[Reading, ...], time: datetime
) -> Step:
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=STRATEGY,
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
    for contract in state.contracts.values():
        if contract.symbol == BREADTH_SYMBOL:
            return contract
    return None


def _pruned(daily: DailyInputs, last: date) -> DailyInputs:
    """Counted sessions are no longer needed; later ones wait for their turn."""
    return DailyInputs(
        net_advances={day: value for day, value in daily.net_advances.items() if day > last},
        live_net_advances={day: value for day, value in daily.live_net_advances.items() if day > last},
        settlements={day: prices for day, prices in daily.settlements.items() if day > last},
        provisional={day: prices for day, prices in daily.provisional.items() if day > last},
    )
