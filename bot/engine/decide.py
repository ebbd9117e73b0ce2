"""What the market calls for now: strategies propose, risk reviews, and what passes becomes an order.

One evaluation tends the orders under way, lets each strategy look at the snapshot, reviews every proposal
(hedges first: they reserve before a condor takes what is left), and says why nothing was done where nothing
was. It also asks for the listings and quotes the strategies still need.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from datetime import time as time_of_day

from bot.engine.book import round_trips
from bot.engine.break_evens import recalibrate
from bot.engine.differences import missing
from bot.engine.lines import LinePlan, standing_plan
from bot.engine.margin import ask_margin, lacks_only_margin, told_margin
from bot.engine.orders import hold, order_reference, place
from bot.engine.release_days import end_openings, windows
from bot.engine.retrying import awaits
from bot.engine.roster import roster
from bot.engine.state import EngineState, OrderLine, Step
from bot.engine.working import tend
from bot.events import Alert, Command, Feed, ListOptions, QuotesTaken, StreamLines
from market.broker_hours import near_restart
from market.contract import Contract, Right
from market.records import replace
from market.rounding import round_price
from market.sessions import option_hours_utc, regular_hours
from risk.capital import sized
from risk.context import LiveOrder, ReviewContext, ToldMargin
from risk.exposure import Stake
from risk.limits import RiskLimits
from risk.review import in_order_of_review, review
from risk.sizing import initiation_headroom_usd, unit_max_loss_usd
from risk.state import Cause
from risk.verdict import Ruling
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Intent, MarketSnapshot, Proposal, Structure
from strategies.layers import still_hold
from strategies.strikes import scale_of

UNCHANGED_LOOK = timedelta(seconds=60)
ORDER_TIMES_KEPT = timedelta(minutes=1)


def may_evaluate(state: EngineState, time: datetime) -> bool:
    """Whether a decision may be made at all: connected, reconciled, not stopping, in regular hours."""
    if not (state.connected and state.reconciled) or state.stopping or state.parameters is None:
        return False
    session = state.session
    if session is None:
        return False
    return option_hours_utc(session)[0] <= time <= option_hours_utc(session)[1]


def look_overdue(state: EngineState, time: datetime) -> bool:
    """Whether the last look is long past: data that stand still bring no snapshot that would ask for one.

    While a feed that is asked for gives no sign of life, every look is due until that is a cause in force.
    """
    if not may_evaluate(state, time):
        return False
    if state.evaluated_at is None or time - state.evaluated_at >= UNCHANGED_LOOK:
        return True
    return not _is_silence_known(state) and any(feed not in state.alive for feed in state.feeds_asked)


def _is_silence_known(state: EngineState) -> bool:
    return any(cause is Cause.DATA for cause, _ in state.risk.causes)


def nothing_read_changed(state: EngineState, event: QuotesTaken, time: datetime) -> bool:
    """Whether a snapshot moved nothing that a gate reads, and the last look is recent.

    A feed that fell silent is news until that is a cause in force.
    """
    if state.look_due or state.evaluated_at is None or time - state.evaluated_at >= UNCHANGED_LOOK:
        return False
    if state.working():
        return False
    if not _is_silence_known(state) and any(feed not in event.alive for feed in state.feeds_asked):
        return False
    return {row[0] for row in event.quotes}.isdisjoint(state.read)


def evaluate(state: EngineState, time: datetime) -> Step:
    """One look at the market. Call it only when `may_evaluate`."""
    parameters, session = state.parameters, state.session
    if parameters is None or session is None:
        return Step(state)
    state = _watch_feeds(replace(state, evaluated_at=time, look_due=False), time)
    trading_open = _may_order(state, session, time, parameters.limits)
    step = tend(state, time, parameters.walk, trading_open)
    in_force = windows(state, time)
    step = step.then(end_openings(step.state, time, in_force))
    state = step.state
    snapshot = take_snapshot(state, time)
    busy = state.busy_structures()
    structures = tuple(state.structures.values())
    nav_usd = state.account.nav_usd if state.account is not None else None
    hedge, hedge_found = vix_hedge.evaluate(
        snapshot,
        state.hedge,
        structures,
        nav_usd,
        parameters.hedge,
        parameters.budget,
        busy,
        in_force,
        still_hold(state.layers, parameters.signals),
    )
    reserved_usd = vix_hedge.reserved_usd(hedge, session, nav_usd, structures, parameters.budget)
    barred = (*in_force, *(("crisis regime",) if state.layers.curve.regime.bars_new_condors else ()))
    condor, condor_found = iron_condor.evaluate(
        snapshot,
        state.condor,
        structures,
        _headroom_usd(state, reserved_usd),
        parameters.condor,
        busy,
        barred,
        {Right.PUT: in_force, Right.CALL: (*in_force, *_call_side_barred(state))},
    )
    state = replace(state, hedge=hedge, condor=condor)
    found = {**hedge_found, iron_condor.STRATEGY: condor_found}
    step = replace(step, state=state).then(_act(state, found, reserved_usd, time, trading_open))
    step = step.then(recalibrate(step.state, snapshot))
    return step.then(_want(step.state, found, time))


def _may_order(state: EngineState, session: date, time: datetime, limits: RiskLimits) -> bool:
    """Whether an order may go out: neither at the session's end nor around the gateway's own restart."""
    if time >= option_hours_utc(session)[1] - timedelta(seconds=limits.trading_end_before_close_s):
        return False
    return state.opened is None or not near_restart(
        time, time_of_day.fromisoformat(state.opened.gateway_restart)
    )


def _call_side_barred(state: EngineState) -> tuple[str, ...]:
    regime = state.layers.curve.regime
    return (f"{regime.value.lower()} regime",) if regime.bars_call_adjustments else ()


def _act(
    state: EngineState, found: dict[str, Evaluation], reserved_usd: float, time: datetime, trading_open: bool
) -> Step:
    """Review every proposal, closes before hedges before condors, and place what passes."""
    step = Step(state)
    proposals = in_order_of_review([p for evaluation in found.values() for p in evaluation.proposals])
    spoken = set()
    for proposal in proposals if trading_open else ():
        step = step.then(_judge(step.state, proposal, found[proposal.strategy], reserved_usd, time))
        spoken.add(proposal.strategy)
    for strategy, evaluation in found.items():
        if strategy not in spoken:
            step = step.then(hold(step.state, strategy, evaluation, time))
    return step


def _judge(
    state: EngineState, proposal: Proposal, evaluation: Evaluation, reserved_usd: float, time: datetime
) -> Step:
    if state.parameters is None:
        return Step(state)
    order_ref = order_reference(state, proposal.strategy, time)
    others_usd = 0.0 if proposal.reserves else _unspent_usd(state, reserved_usd)
    limits = state.parameters.limits
    context = review_context(state, order_ref, time, others_usd, told_margin(state, proposal, limits, time))
    verdict = review(proposal, context, limits)
    needs_figure = lacks_only_margin(verdict)
    if verdict.ruling is Ruling.DENIED and not needs_figure:
        return hold(state, proposal.strategy, evaluation, time, (proposal, verdict))
    waits = awaits(state, proposal, state.parameters.execution, time)
    if waits:
        return hold(state, proposal.strategy, evaluation, time, (proposal, verdict), waits)
    if needs_figure:
        quantity = sized(proposal, context, limits)
        return ask_margin(state, proposal, verdict, evaluation, quantity, limits, time)
    return place(state, proposal, verdict, evaluation, order_ref, time)


def _want(state: EngineState, found: dict[str, Evaluation], time: datetime) -> Step:
    """Ask for listings that are missing, and for exactly the lines that are read."""
    commands: list[Command] = []
    requested = list(state.requested_listings)
    for evaluation in found.values():
        for symbol, trading_class, expiry in evaluation.listings:
            key = f"{trading_class} {expiry}"
            if key not in state.listings and key not in requested:
                requested.append(key)
                commands.append(ListOptions(symbol, trading_class, expiry))
    known = roster(state.contracts)
    under_way = {leg.contract.con_id for line in state.working() for leg in line.order.combo.legs}
    under_way.update(con_id for con_id in state.portfolio.positions() if con_id in state.contracts)
    lines_max = state.parameters.limits.market_data_lines_max if state.parameters is not None else 0
    wanted = tuple((name, one.lines) for name, one in found.items())
    plan = standing_plan(known.streamed, under_way, wanted, lines_max)
    lines, streamed = plan.lines, plan.streamed
    if lines != state.lines:
        commands.append(StreamLines(lines))
    commands += _tell_dropped(state, plan, lines_max)
    quotes = state.quotes
    gone = [con_id for con_id in quotes if con_id not in streamed]
    if gone:
        # A quote that is no longer streamed grows old without anybody noticing: it is forgotten.
        quotes = {con_id: quote for con_id, quote in quotes.items() if con_id not in set(gone)}
    asked = dict(state.feeds_asked)
    if known.linear.issuperset(lines):
        asked.pop(Feed.OPTION, None)
    else:
        asked.setdefault(Feed.OPTION, time)
    state = replace(
        state,
        requested_listings=tuple(requested),
        lines=lines,
        quotes=quotes,
        read=plan.read,
        short_of_lines=tuple(name for name, _ in plan.dropped),
        feeds_asked=asked,
    )
    return Step(state, (), tuple(commands))


def _tell_dropped(state: EngineState, plan: LinePlan, lines_max: int) -> list[Command]:
    """Say when lines run short, for whom, and when they suffice again; not each time their number changes."""
    if tuple(name for name, _ in plan.dropped) == state.short_of_lines:
        return []
    if not plan.dropped:
        return [Alert("info", "lines.enough", f"all lines fit into {lines_max} again")]
    return [Alert("warning", "lines.short", f"{lines_max} lines are not enough: {plan.text}")]


def _headroom_usd(state: EngineState, reserved_usd: float) -> float | None:
    """What one more condor of this session may lose."""
    if state.account is None or state.parameters is None:
        return None
    return initiation_headroom_usd(
        state.account.nav_usd,
        _committed_usd(state) + sum(_at_stake_usd(line) for line in _opening(state)),
        _unspent_usd(state, reserved_usd),
        state.parameters.limits.initiation_max_fraction,
    )


def _opening(state: EngineState) -> list[OrderLine]:
    """Orders that initiate something; an adjustment may lose no more than its structure could before."""
    return [line for line in state.working() if line.intent is Intent.OPEN and not line.adjusts]


def _at_stake_usd(line: OrderLine) -> float:
    """Worst loss of what an opening order may still trade."""
    unit = unit_max_loss_usd(line.order.combo, line.limit_worst, line.fees_per_unit_usd)
    return unit * line.order.remaining


def _unspent_usd(state: EngineState, reserved_usd: float) -> float:
    """What is left of a hedge's reserve beyond its working order, which is counted by itself."""
    working = sum(_at_stake_usd(line) for line in _opening(state) if line.reserves)
    return max(reserved_usd - working, 0.0)


def _watch_feeds(state: EngineState, time: datetime) -> EngineState:
    """Raise or lift the cause DATA: in regular hours every class of feed has to prove itself.

    Silence counts from the open, or from when the lines were asked for, whichever came last.
    """
    if state.parameters is None or state.session is None:
        return state
    limits = state.parameters.limits
    ages = {Feed.INDEX: limits.index_quote_age_max_s, Feed.OPTION: limits.option_quote_age_max_s}
    opens, _ = option_hours_utc(state.session)
    for feed, asked in sorted(state.feeds_asked.items()):
        if feed is Feed.INDEX and time > regular_hours(state.session)[1]:
            continue  # the index rests from the cash close on; its options trade another quarter of an hour
        since = max(state.alive.get(feed, asked), asked, opens)
        if feed in ages and (time - since).total_seconds() > ages[feed]:
            detail = f"no proof of a live {feed.value} feed"
            return replace(state, risk=state.risk.with_cause(Cause.DATA, detail))
    lifted = state.risk.without(Cause.DATA)
    return state if lifted == state.risk else replace(state, risk=lifted)


def take_snapshot(state: EngineState, time: datetime) -> MarketSnapshot:
    """The market as the strategies may see it."""
    known = roster(state.contracts)
    if state.session is None:
        raise ValueError("a snapshot belongs to a session")
    return MarketSnapshot(
        time=time,
        session=state.session,
        quotes=state.quotes,
        listed={(item.trading_class, item.expiry): item.contracts for item in state.listings.values()},
        spx=known.spx,
        vix=known.vix,
        futures=known.futures,
        others=known.others,
        open_interest=state.open_interest,
    )


def review_context(
    state: EngineState,
    order_ref: str,
    time: datetime,
    reserved_usd: float,
    told: ToldMargin | None = None,
) -> ReviewContext:
    """Everything the checks read, out of the engine's state."""
    opened, account = state.opened, state.account
    if opened is None:
        raise ValueError("nothing is reviewed before the journal is opened")
    held = [(one, one.quantity) for one in state.structures.values() if not one.is_flat]
    return ReviewContext(
        now=time,
        account=state.announced,
        allowed_account=opened.account,
        state=state.risk,
        order_ref=order_ref,
        quotes=state.quotes,
        feeds_alive={feed.value: at for feed, at in state.alive.items()},
        nav_usd=account.nav_usd if account is not None else None,
        nav_time=state.account_time,
        nav_session_open_usd=state.session_nav_usd,
        nav_peak_usd=state.peak_nav_usd,
        init_margin_usd=account.init_margin_usd if account is not None else None,
        maint_margin_usd=account.maint_margin_usd if account is not None else None,
        cash_usd=account.cash_usd if account is not None else None,
        index_levels=_index_levels(state),
        stakes=tuple(
            Stake(structure.combo, quantity, structure.entry_price, structure.structure_id)
            for structure, quantity in held
            if quantity
        ),
        loose=_loose_legs(state, held),
        missing=_known_contracts(state, missing(state)),
        working=tuple(_live_order(line) for line in state.orders.values() if _is_live(line)),
        used_refs=state.orders.keys(),
        committed_usd=_committed_usd(state),
        reserved_usd=reserved_usd,
        order_times=tuple(
            line.sent_at for line in state.orders.values() if time - line.sent_at < ORDER_TIMES_KEPT
        ),
        round_trips_today=round_trips(state),
        told_margin=told,
    )


def _index_levels(state: EngineState) -> dict[str, float]:
    """The level under the options of each index we sell options on; none where it is not quoted."""
    spx = next((c for c in state.contracts.values() if c.symbol == "SPX" and c.right is None), None)
    quote = None if spx is None else state.quotes.get(spx.con_id)
    level = None if quote is None else quote.last if quote.last is not None else quote.mid
    return {} if level is None else {"SPX": level, "XSP": round_price(scale_of("XSP") * level)}


def _is_live(line: OrderLine) -> bool:
    return not line.order.status.is_terminal or line.awaits_executions


def _live_order(line: OrderLine) -> LiveOrder:
    order = line.order
    return LiveOrder(
        line.structure_id,
        order.order_ref,
        order.combo,
        order.remaining,
        line.limit_worst,
        line.intent is Intent.OPEN and not line.adjusts,
        line.fees_per_unit_usd,
    )


def _loose_legs(
    state: EngineState, held: Sequence[tuple[Structure, int]]
) -> tuple[tuple[Contract, int], ...]:
    """Contracts held beyond the whole units of structures: half-filled ones, and whatever is not ours."""
    loose = {con_id: position.quantity for con_id, position in state.portfolio.positions().items()}
    for structure, quantity in held:
        for contract, ratio in structure.combo.signed:
            con_id = contract.con_id
            loose[con_id] = loose.get(con_id, 0) - quantity * ratio
    return _known_contracts(state, loose)


def _known_contracts(state: EngineState, counts: Mapping[int, int]) -> tuple[tuple[Contract, int], ...]:
    known = ((state.contracts.get(con_id), count) for con_id, count in sorted(counts.items()) if count)
    return tuple((contract, quantity) for contract, quantity in known if contract is not None)


def _committed_usd(state: EngineState) -> float:
    """Worst loss of what was opened this session and has filled."""
    total = 0.0
    for structure in state.structures.values():
        units = structure.units_opened if structure.opened == state.session else 0
        if units:
            unit = unit_max_loss_usd(structure.combo, structure.entry_price, 0.0)
            total += units * unit + structure.fees_usd
    return total
