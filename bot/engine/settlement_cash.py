"""The cash of what has expired: noted when it falls due, and told when it does not come.

The clearing house takes expired options away without an execution and pays them overnight. What has to come
is known from the level of the index at the settlement: to a fraction of a percent where the close settles,
less well where a morning's special quotation does, which nobody streams. The account's cash since the figures
before the settlement, without what trades and commissions moved, has to hold at least the part of it that is
certain when the next session opens. Where a future was held its daily variation moves the cash as well: then,
and where the level is not known because the daemon was down, nothing is judged and that is told.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from bot.engine.reconciliation import is_settled
from bot.engine.roster import roster
from bot.engine.state import EngineState, SettlementDue, Step
from bot.events import Alert
from market.contract import Contract, SecurityType
from market.expiries import option_expiry_instant
from market.records import replace
from market.rounding import round_price
from market.sessions import MARKET_TZ, is_session, next_session

CASH_DUE = time(9, 30)  # New York time, in the session behind the settlement
LEVEL_AGE_MAX = timedelta(hours=1)  # behind the settlement: later the index is another one
GIVEN_UP = timedelta(days=7)  # behind the deadline; executions are forgotten a day later
TOLERANCE_USD = 100.0  # commissions that are not known yet, interest of a night
PM_SLACK, SPX_AM_SLACK, VIX_SLACK = 0.0025, 0.01, 0.10  # of the level that was seen


def note_expired(state: EngineState, time: datetime) -> EngineState:
    """Note what is due for options that are held and have settled; each class and expiry once.

    Call it before the account's figures or the broker's positions behind the settlement are taken in. What
    was due before the last figures was judged by then: a broker that still shows the option changes nothing.
    """
    groups: dict[str, list[tuple[Contract, int]]] = {}
    for con_id, position in state.portfolio.positions().items():
        contract = state.contracts.get(con_id)
        if contract is None or contract.security_type is not SecurityType.OPTION:
            continue
        name = f"{contract.trading_class} {contract.expiry}"
        if name not in state.settling and is_settled(contract, time):
            groups.setdefault(name, []).append((contract, position.quantity))
    if not groups or state.account is None or state.account_time is None:
        return state
    found = [_due(state, name, tuple(held), time) for name, held in groups.items()]
    noted = {due.name: due for due in found if due.due_at > state.account_time}
    if noted and not state.settling:
        state = replace(state, settling_since=state.account_time, settling_cash_usd=state.account.cash_usd)
    return replace(state, settling={**state.settling, **noted})


def judge_cash(state: EngineState, time: datetime) -> Step:
    """Compare what came with what was due, once a deadline has passed. Call it on fresh account figures.

    What is missing is told as an error, once a session for as long as it is missing.
    """
    if any(due.low_usd is None and time - due.settled_at <= LEVEL_AGE_MAX for due in state.settling.values()):
        known = {name: _valued(state, due, time) for name, due in state.settling.items()}
        state = replace(state, settling=known)
    late = [due for due in state.settling.values() if due.due_at <= time]
    if not late:
        return Step(state)
    came = _came_usd(state)
    if came is None or any(due.low_usd is None for due in state.settling.values()):
        text = "its cash cannot be judged: read the account's statement"
        return _cleared(state, late, "settlement.unchecked", "warning", text)
    rest = [due for due in state.settling.values() if due.due_at > time]
    low = sum(due.low_usd or 0.0 for due in late) + sum(min(due.low_usd or 0.0, 0.0) for due in rest)
    high = sum(due.high_usd or 0.0 for due in late) + sum(max(due.high_usd or 0.0, 0.0) for due in rest)
    is_missing = (low > 0 and came < low - TOLERANCE_USD) or (high < 0 and came > high + TOLERANCE_USD)
    if not is_missing:
        if rest:
            return Step(state)
        told = [due for due in late if due.told_on is not None]
        return _cleared(state, told, "settlement.arrived", "info", f"{came:+.2f} USD came")
    bound = f"at least {low:+.2f}" if low > 0 else f"at most {high:+.2f}"
    text = f"{came:+.2f} USD came, {bound} was due"
    if any(time - due.due_at > GIVEN_UP for due in late):
        return _cleared(state, late, "settlement.missing", "error", f"{text}: not looked for any longer")
    today = time.astimezone(MARKET_TZ).date()
    untold = [due for due in late if due.told_on != today]
    marked = {due.name: replace(due, told_on=today) for due in untold}
    alerts = tuple(Alert("error", "settlement.late", f"{due.name}: {text}") for due in untold)
    return Step(replace(state, settling={**state.settling, **marked}), (), alerts)


def _cleared(state: EngineState, told: Iterable[SettlementDue], name: str, level: str, text: str) -> Step:
    """Nothing is looked for any more; `told` say why."""
    alerts = tuple(Alert(level, name, f"{due.name}: {text}") for due in told)
    return Step(replace(state, settling={}, settling_since=None, settling_cash_usd=0.0), (), alerts)


def _due(
    state: EngineState, name: str, held: tuple[tuple[Contract, int], ...], time: datetime
) -> SettlementDue:
    contract = held[0][0]
    expiry = contract.expiry or date.min
    try:
        settled_at = option_expiry_instant(contract.trading_class, expiry).astimezone(MARKET_TZ)
    except ValueError:  # a class or a day our calendar does not know
        settled_at = datetime.combine(expiry, CASH_DUE, MARKET_TZ)
    day = settled_at.date()
    due = datetime.combine(
        next_session(day) if is_session(day) else day + timedelta(days=1), CASH_DUE, MARKET_TZ
    )
    return _valued(state, SettlementDue(name, held, settled_at.astimezone(UTC), due.astimezone(UTC)), time)


def _valued(state: EngineState, due: SettlementDue, time: datetime) -> SettlementDue:
    """What is due by the index's level, if that is seen within the hour of the settlement."""
    level, slack = _level(state, due.held[0][0])
    if due.low_usd is not None or level is None or time - due.settled_at > LEVEL_AGE_MAX:
        return due
    low, high = _bounds_usd(due.held, level * (1.0 - slack), level * (1.0 + slack))
    return replace(due, low_usd=low, high_usd=high)


def _level(state: EngineState, contract: Contract) -> tuple[float | None, float]:
    """The index's level as it is seen now, and by what fraction the settlement may differ from it."""
    named = roster(state.contracts)
    is_vix = contract.symbol == "VIX"
    index = named.vix if is_vix else named.spx
    quote = state.quotes.get(index.con_id) if index is not None else None
    level = quote.last if quote is not None else None
    if level is not None and contract.symbol == "XSP":
        level /= 10.0
    return level, VIX_SLACK if is_vix else SPX_AM_SLACK if contract.trading_class == "SPX" else PM_SLACK


def _bounds_usd(held: Iterable[tuple[Contract, int]], lowest: float, highest: float) -> tuple[float, float]:
    """The least and the most the positions can be worth between two levels: at an end or at a strike."""
    strikes = [contract.strike for contract, _ in held if lowest < contract.strike < highest]
    values = [
        round_price(sum(count * one.multiplier * one.payoff(level) for one, count in held))
        for level in (lowest, highest, *strikes)
    ]
    return min(values), max(values)


def _came_usd(state: EngineState) -> float | None:
    """USD of cash gained since the figures before the settlement, but for trades; None: cannot be told."""
    since, account = state.settling_since, state.account
    if since is None or account is None or _has_futures(state.contracts, state.portfolio.positions()):
        return None
    came = account.cash_usd - state.settling_cash_usd
    for fill in state.portfolio.fills.values():
        if fill.time <= since:
            continue
        contract = state.contracts.get(fill.con_id)
        if contract is None or contract.security_type is SecurityType.FUTURE:
            return None
        came += fill.quantity * fill.price * contract.multiplier + (fill.commission or 0.0)
    return round_price(came)


def _has_futures(contracts: Mapping[int, Contract], held: Iterable[int]) -> bool:
    return any(
        con_id in contracts and contracts[con_id].security_type is SecurityType.FUTURE for con_id in held
    )
