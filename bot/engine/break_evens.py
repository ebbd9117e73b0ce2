"""Break-evens of every open condor, told once a session and after each adjustment (METHOD 4.5).

The first clean mark of a session is measured: cumulative net credit after rolls and fees, expiry break-evens
and today's, their distance at both ends of the forward, and the chance of a breach at the worse end. A condor
whose worse end is near raises an alert. One that could not be measured by the end of the session says so too.
Today's are watched from then on: the first time in a session that one of them is near, it is told.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import isfinite, log

import numpy as np

from bot.engine.box_rate import box_readings
from bot.engine.decision import Decision, Verb
from bot.engine.state import BreakEvensToday, EngineState, Step
from bot.engine.working import decision_id
from bot.events import Alert
from market.contract import Contract, Right
from market.pricing import implied_volatility
from market.records import replace
from market.rounding import round_price, round_ratio, round_volatility
from market.sessions import regular_hours
from risk.breakeven import BreakEven, Market, break_evens, ends
from strategies import iron_condor
from strategies.base import MarketSnapshot, Reading, Structure
from strategies.condor_exit import has_shorts
from strategies.condor_mark import Mark, mark
from strategies.expiry_parity import ExpiryParity, spot_of
from strategies.rules import CondorAdjust
from strategies.strikes import ForwardMarket

GIVEN_UP_BEFORE_CLOSE = timedelta(minutes=15)
Carried = dict[tuple[str, date | None], ForwardMarket | None]


def recalibrate(state: EngineState, snapshot: MarketSnapshot) -> Step:
    """Tell the break-evens of each condor that has not been measured as it is this session, where known."""
    step = Step(state)
    carried: Carried = {}
    if state.parameters is None:
        return step
    rules = state.parameters.condor.adjust
    for structure in state.structures.values():
        if structure.strategy != iron_condor.STRATEGY or not structure.quantity or not has_shorts(structure):
            continue
        step = replace(step, state=_unless_adjusted(step.state, structure, snapshot.session))
        if step.state.recalibrated.get(structure.structure_id) != snapshot.session:
            step = step.then(_recalibrate(step.state, structure, snapshot, rules))
        else:
            step = step.then(_watch_today(step.state, structure, snapshot, carried, rules))
    return step


def _unless_adjusted(state: EngineState, structure: Structure, session: date) -> EngineState:
    """Forget what was measured before an adjustment of this session: those levels are of another combo."""
    name = structure.structure_id
    today = state.break_evens_today.get(name)
    if today is None or today.session != session or today.adjustments == len(structure.adjustments):
        return state
    return replace(
        state,
        recalibrated={key: day for key, day in state.recalibrated.items() if key != name},
        break_evens_today={key: one for key, one in state.break_evens_today.items() if key != name},
    )


def _recalibrate(
    state: EngineState, structure: Structure, snapshot: MarketSnapshot, rules: CondorAdjust
) -> Step:
    expiry = structure.combo.legs[0].contract.expiry
    reading = state.condor.parity.reading(expiry, snapshot.session)
    spot = spot_of(snapshot, structure.combo.legs[0].contract.trading_class)
    marked = mark(snapshot, structure, state.condor.parity)
    is_read = reading is not None and reading.session == snapshot.session
    if reading is None or not is_read or spot is None or marked.value is None or marked.market is None:
        if snapshot.time < regular_hours(snapshot.session)[1] - GIVEN_UP_BEFORE_CLOSE:
            return Step(state)
        reason = marked.reason or "no parity of this session"
        return _tell(state, structure, snapshot, f"break-evens unknown: {reason}", (), (), True)
    market = _market(structure, marked, reading, snapshot.time, spot)
    credit = net_credit(structure)
    found = break_evens(structure.combo, credit, market)
    readings = tuple(
        _reading(structure, one.side, one.today, one.distance, _nearest(rules, one.today), snapshot.session)
        for one in found
    )
    near = [row for row in readings if row.fired]
    boxes = box_readings(state, structure.structure_id, reading, snapshot.session)
    odd = [row for row in boxes if row.fired is False]
    reason = f"break-evens recalibrated{_near(near)}"
    over = "".join(f"{row.value:g} bp over federal funds, {row.relation} {row.threshold:g}" for row in odd)
    if odd:
        reason = f"{reason}; box rate {over} expected"
    notes = (
        ("net_credit", credit),
        *_carried(structure),
        ("value", marked.value),
        *_parity_notes(reading, market),
        *_levels(found),
    )
    today = BreakEvensToday(
        snapshot.session,
        len(structure.adjustments),
        tuple((one.side, one.level, one.sigma) for one in found if one.today),
        any(row.fired for row, one in zip(readings, found, strict=True) if one.today),
    )
    state = _with_today(state, structure.structure_id, today)
    done = _tell(state, structure, snapshot, reason, (*readings, *boxes), notes, bool(near))
    if not odd:
        return done
    alert = Alert("warning", "parity.box_rate", f"{structure.structure_id}: box rate {over} expected")
    return replace(done, commands=(*done.commands, alert))


def _watch_today(
    state: EngineState,
    structure: Structure,
    snapshot: MarketSnapshot,
    carried: Carried,
    rules: CondorAdjust,
) -> Step:
    """Tell the first time since they were measured that the market comes near one of today's break-evens."""
    name, contract = structure.structure_id, structure.combo.legs[0].contract
    today = state.break_evens_today.get(name)
    if today is None or today.told or today.session != snapshot.session:
        return Step(state)
    market = _carried_market(state, contract, snapshot, carried)
    if market is None or market.t_years <= 0.0:
        return Step(state)
    bounds = (
        round_price(market.forward - market.half_width),
        round_price(market.forward + market.half_width),
    )
    nearest = _nearest(rules, True)
    worse = [
        (side, ends(side, level, sigma, bounds, market.t_years)[2]) for side, level, sigma in today.levels
    ]
    if not any(_outward(side, one) <= nearest for side, one in worse):
        return Step(state)  # at nearly every look
    readings = tuple(_reading(structure, side, True, one, nearest, snapshot.session) for side, one in worse)
    near = [row for row in readings if row.fired]
    state = _with_today(state, name, replace(today, told=True))
    notes = (("forward", market.forward), ("forward_lo", bounds[0]), ("forward_hi", bounds[1]))
    levels = tuple((f"{side}_today", level) for side, level, _ in today.levels)
    return _tell(
        state, structure, snapshot, f"break-evens of today{_near(near)}", readings, notes + levels, True
    )


def _carried_market(
    state: EngineState, contract: Contract, snapshot: MarketSnapshot, carried: Carried
) -> ForwardMarket | None:
    """The forward market of an option's expiry now, carried from its reading once for all condors on it."""
    key = contract.trading_class, contract.expiry
    if key not in carried:
        reading = state.condor.parity.reading(contract.expiry, snapshot.session)
        spot = spot_of(snapshot, contract.trading_class)
        carried[key] = None
        if reading is not None and spot is not None:
            carried[key] = reading.market(snapshot.time, spot)
    return carried[key]


def _near(rows: Sequence[Reading]) -> str:
    return f": {', '.join(row.name.partition('.')[2] for row in rows)} near" if rows else ""


def _nearest(rules: CondorAdjust, today: bool) -> float:
    """How near, in standard deviations, a break-even may come untold."""
    return rules.break_even_today_alert_sd if today else rules.break_even_alert_sd


def _with_today(state: EngineState, name: str, today: BreakEvensToday) -> EngineState:
    held = {key for key, one in state.structures.items() if one.quantity}
    kept = {key: one for key, one in state.break_evens_today.items() if key in held}
    return replace(state, break_evens_today={**kept, name: today})


def net_credit(structure: Structure) -> float:
    """Points a unit has brought in so far, rolls and earlier expiries included and fees taken off."""
    units, multiplier = structure.units_opened, structure.combo.multiplier
    if not units:
        return 0.0
    own = (-structure.opened_cost - structure.fees_usd / multiplier) / units
    return round_price(own - structure.carried - structure.carried_fees_usd / multiplier)


def _carried(structure: Structure) -> tuple[tuple[str, float], ...]:
    """What of the credit comes from earlier expiries, fees taken off, where there are any."""
    if not structure.follows:
        return ()
    fees = structure.carried_fees_usd / structure.combo.multiplier
    return (("credit_of_earlier_expiries", round_price(-structure.carried - fees)),)


def _market(structure: Structure, marked: Mark, reading: ExpiryParity, now: datetime, spot: float) -> Market:
    """The expiry as it is now, its smile through the chain that was read and the structure's own legs."""
    carried = reading.market(now, spot)
    legs = structure.combo.legs
    strikes = np.array([leg.contract.strike for leg in legs])
    calls = np.array([leg.contract.right is Right.CALL for leg in legs])
    sigma = implied_volatility(
        np.array(marked.mids), carried.forward, strikes, carried.t_years, carried.discount, calls
    ).sigma
    own = {
        round_ratio(log(strike / carried.forward)): round_volatility(vol)
        for strike, vol in zip(strikes.tolist(), sigma.tolist(), strict=True)
        if isfinite(vol)
    }
    half = carried.half_width
    return Market(
        carried.forward,
        round_price(carried.forward - half),
        round_price(carried.forward + half),
        carried.discount,
        carried.t_years,
        tuple(sorted({**dict(reading.smile), **own}.items())),
    )


def _outward(side: str, worse: float) -> float:
    return round_ratio(-worse if side == "low" else worse)


def _reading(
    structure: Structure, side: str, today: bool, worse: float, nearest: float, session: date
) -> Reading:
    """Near is what lies within the alert's distance of the forward, or beyond it, at the worse end."""
    outward = _outward(side, worse)
    name = f"{structure.structure_id}.{side}_{'today' if today else 'expiry'}_sd"
    return Reading(name, outward, nearest, "<=", outward <= nearest, as_of=session.isoformat())


def _parity_notes(reading: ExpiryParity, market: Market) -> tuple[tuple[str, float], ...]:
    box = () if reading.box_rate is None else (("box_rate", reading.box_rate),)
    return (
        ("forward", market.forward),
        ("forward_lo", market.lo),
        ("forward_hi", market.hi),
        ("discount", market.discount),
        ("parity_rate", reading.rate),
        *box,
        ("dividend_yield", reading.dividend_yield),
        ("dividends_pts", reading.dividends),
        ("parity_mad", reading.residual_mad),
        ("parity_strikes", float(reading.strikes)),
    )


def _levels(found: tuple[BreakEven, ...]) -> tuple[tuple[str, float], ...]:
    rows: list[tuple[str, float]] = []
    for one in found:
        name = f"{one.side}_{'today' if one.today else 'expiry'}"
        rows += [(name, one.level), (f"{name}_breach", one.breach)]
    return tuple(rows)


def _tell(
    state: EngineState,
    structure: Structure,
    snapshot: MarketSnapshot,
    reason: str,
    readings: tuple[Reading, ...],
    notes: tuple[tuple[str, float], ...],
    warn: bool,
) -> Step:
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(snapshot.time, number),
        strategy=structure.strategy,
        verb=Verb.READ,
        reason=reason,
        session=snapshot.session,
        structure_id=structure.structure_id,
        quantity=structure.quantity,
        trading=state.risk.trading.value,
        readings=readings,
        notes=notes,
    )
    held = {key for key, one in state.structures.items() if one.quantity}
    done = {key: day for key, day in state.recalibrated.items() if key in held}
    state = replace(state, decisions=number, recalibrated={**done, structure.structure_id: snapshot.session})
    text = f"{structure.structure_id}: {reason}"
    return Step(state, (decision,), (Alert("warning", "condor.break_even", text),) if warn else ())
