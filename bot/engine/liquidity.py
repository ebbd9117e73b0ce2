"""The quick ratio between entries: told once a session, and at once when it falls too low (METHOD 7.4).

A fall and the way back are told once a session: at its limit the ratio would go to and fro all day.

The check at an entry asks what one more condor would leave; this asks what stands now, whatever is proposed.
It forbids nothing: closing is always right, and an entry has its own check. Until the opening quotes have
settled nothing is measured, and while nothing is owed there is nothing to tell.
"""

from datetime import date, datetime, timedelta

from bot.engine.decision import Decision, Verb
from bot.engine.parameters import Parameters
from bot.engine.state import EngineState, LiquidityWatch, Step
from bot.engine.working import decision_id
from bot.events import AccountTaken, Alert
from market.contract import SecurityType
from market.records import replace
from market.sessions import MARKET_TZ, regular_hours
from risk.balance import option_rows, quick_ratio
from strategies.base import Reading

STRATEGY = "liquidity"
GIVEN_UP_BEFORE_CLOSE = timedelta(minutes=15)


def watch(state: EngineState, time: datetime) -> Step:
    """Measure it on the account's newest figures; call it when they have come."""
    parameters, session, account = state.parameters, state.session, state.account
    if parameters is None or session is None or account is None:
        return Step(state)
    if time.astimezone(MARKET_TZ).date() != session or not _measures(session, time, parameters):
        return Step(state)
    if not any(_is_option(state, con_id) for con_id in _held(state)):
        if state.liquidity.is_low or state.liquidity.low_on is not None:
            state = replace(state, liquidity=LiquidityWatch(state.liquidity.told))
        return Step(state)
    ratio, reason = _ratio(state, account, parameters)
    if ratio is None:
        late = time >= regular_hours(session)[1] - GIVEN_UP_BEFORE_CLOSE
        if not reason or not late or state.liquidity.told == session:
            return Step(state)
        return _tell(state, parameters, None, reason, session, time)
    is_low = ratio < parameters.limits.quick_ratio_min
    is_retold = is_low is state.liquidity.is_low or (is_low and state.liquidity.low_on == session)
    if state.liquidity.told == session and is_retold:
        return Step(state)
    return _tell(state, parameters, ratio, "", session, time)


def _measures(session: date, time: datetime, parameters: Parameters) -> bool:
    start = datetime.combine(session, parameters.condor.parity_start_time, MARKET_TZ)
    return start <= time < regular_hours(session)[1]


def _held(state: EngineState) -> dict[int, int]:
    """Signed contracts by id, flat ones left out."""
    return {con_id: one.quantity for con_id, one in state.portfolio.positions().items() if one.quantity}


def _is_option(state: EngineState, con_id: int) -> bool:
    contract = state.contracts.get(con_id)
    return contract is None or contract.security_type is SecurityType.OPTION


def _ratio(state: EngineState, account: AccountTaken, parameters: Parameters) -> tuple[float | None, str]:
    """The ratio, or None with the reason; None without one where nothing is owed."""
    held = [(state.contracts.get(con_id), count) for con_id, count in sorted(_held(state).items())]
    known = [(contract, count) for contract, count in held if contract is not None]
    rows = option_rows(known, state.quotes)
    if rows is None or len(known) < len(held):
        return None, "an option that is held has no price"
    weight = parameters.limits.long_option_weight_fraction
    return quick_ratio(account.cash_usd, account.maint_margin_usd, rows, weight), ""


def _tell(
    state: EngineState,
    parameters: Parameters,
    ratio: float | None,
    unknown: str,
    session: date,
    time: datetime,
) -> Step:
    limit, number = parameters.limits.quick_ratio_min, state.decisions + 1
    fired = None if ratio is None else ratio >= limit
    words = {True: "the quick ratio is sufficient", False: "the quick ratio is low", None: "unknown"}[fired]
    account = state.account
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=STRATEGY,
        verb=Verb.READ,
        reason=f"the quick ratio is unknown: {unknown}" if fired is None else words,
        session=session,
        trading=state.risk.trading.value,
        readings=(Reading("quick_ratio", ratio, limit, ">=", fired, reason=unknown),),
        notes=()
        if account is None
        else (("cash_usd", account.cash_usd), ("maint_margin_usd", account.maint_margin_usd)),
    )
    alerts: tuple[Alert, ...] = ()
    if fired is False:
        alerts = (Alert("warning", "quick_ratio.low", f"{ratio:g}, at least {limit:g}"),)
    elif fired and state.liquidity.is_low:
        alerts = (Alert("info", "quick_ratio.enough", f"{ratio:g}, at least {limit:g}"),)
    is_low = state.liquidity.is_low if fired is None else not fired
    liquidity = LiquidityWatch(session, is_low, session if fired is False else state.liquidity.low_on)
    return Step(replace(state, decisions=number, liquidity=liquidity), (decision,), alerts)
