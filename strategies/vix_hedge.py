"""The near-term hedge tranche: a VIX call spread bought the session after its trigger fired.

A fire of session s may trade on session s+1 only, from 09:45 to 15:45 (METHOD 0, 3). What has not traded by
then expires with the reason that stood in the way last: a trigger that confirms a shock goes stale, and the
layer is bought at the next fire or not at all. A tranche is bought once; a part fill is not topped up. Loss
is capped at the premium.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from math import ceil

from market.quote import combo_quote
from market.rounding import round_price, round_ratio
from market.sessions import MARKET_TZ, days_to_expiry, regular_hours, sessions_between
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.hedge_budget import BudgetLedger, Purchase
from strategies.hedge_entry import LAYER, STRATEGY, TRADING_CLASS, enter
from strategies.rules import HedgeBudgetRules, NearTermRules
from strategies.strikes import StrikeWindow

TRADE_FROM = time(9, 45)
TRADE_BEFORE_CLOSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class PendingFire:
    """A fire waiting for its session: signal date, the one session it may trade on, and b at the signal."""

    signal: date
    session: date
    backwardation: float
    obstacle: str = "its session has not begun"

    @property
    def structure_id(self) -> str:
        """The tranche this fire would open."""
        return f"near-term-{self.signal.isoformat()}"


@dataclass(frozen=True, slots=True)
class HedgeState:
    """What the strategy remembers: ledger, waiting fire, the last one that expired, closes with b < 0."""

    ledger: BudgetLedger = field(default_factory=BudgetLedger)
    pending: PendingFire | None = None
    window: StrikeWindow = field(default_factory=StrikeWindow)
    contango: tuple[tuple[str, int], ...] = ()  # closes in a row with b < 0, by tranche
    expired: tuple[date, str] | None = None
    last_close: date | None = None


def near_term_fired(
    state: HedgeState, signal: date, session: date, backwardation: float, nav_usd: float
) -> HedgeState:
    """Take note of a fire on the close of `signal`, to trade on `session`, which must be a later one.

    Opens a campaign on this net asset value if none is open. Raises ValueError when the session is not
    after the signal.
    """
    if session <= signal:
        raise ValueError(f"a fire of {signal} cannot trade on {session}")
    return replace(
        state,
        ledger=state.ledger.opened(signal, nav_usd),
        pending=PendingFire(signal, session, backwardation),
        window=StrikeWindow(),
    )


def session_closed(
    state: HedgeState,
    session: date,
    backwardation: float | None,
    armed: bool,
    structures: Sequence[Structure],
    rules: HedgeBudgetRules,
) -> HedgeState:
    """Count one completed session with its final b, once.

    An unknown b neither counts nor breaks a row. The campaign ends here when nothing is held or waiting and
    the layer is armed again. A fire whose session has passed without a trade expires.
    """
    if state.last_close is not None and session <= state.last_close:
        return state
    mine = [structure for structure in structures if structure.strategy == STRATEGY]
    counts = dict(state.contango)
    held = {structure.structure_id for structure in mine if structure.quantity}
    contango = []
    for name in sorted(held):
        before = counts.get(name, 0)
        contango.append((name, before if backwardation is None else before + 1 if backwardation < 0.0 else 0))
    state = _expired(replace(state, contango=tuple(contango), last_close=session), session, mine)
    flat = not held and state.pending is None
    return replace(state, ledger=state.ledger.closed(session, flat, armed, rules))


def reserved_usd(
    state: HedgeState,
    session: date,
    nav_usd: float | None,
    structures: Sequence[Structure],
    rules: HedgeBudgetRules,
) -> float:
    """What a waiting fire may still spend on `session`: reserved before any condor's risk (METHOD 4.6)."""
    fire = state.pending
    if fire is None or nav_usd is None or fire.session != session:
        return 0.0
    if any(s.structure_id == fire.structure_id and s.opened_legs for s in structures):
        return 0.0
    return state.ledger.left_usd(LAYER, session, nav_usd, rules)


def evaluate(
    snapshot: MarketSnapshot,
    state: HedgeState,
    structures: Sequence[Structure],
    nav_usd: float | None,
    rules: NearTermRules,
    budget: HedgeBudgetRules,
    working: AbstractSet[str] = frozenset(),
    barred: Sequence[str] = (),
) -> tuple[HedgeState, Evaluation]:
    """Look once: the exits of open tranches, then the waiting fire.

    `barred` are release windows; a fire deep enough in backwardation trades through them (METHOD 3.4).
    """
    mine = [structure for structure in structures if structure.strategy == STRATEGY]
    if not mine and state.pending is None:
        return state, Evaluation()
    state = _booked(state, mine)
    held = [structure for structure in mine if structure.quantity]
    found = [_exit(snapshot, state, structure, rules, working) for structure in held]
    state, entry = _entry(snapshot, state, mine, nav_usd, rules, budget, working, barred)
    lines = {leg.contract.con_id: leg.contract for structure in held for leg in structure.combo.legs}
    lines.update((contract.con_id, contract) for contract in entry.lines)
    return state, Evaluation(
        readings=(*(reading for one in found for reading in one.readings), *entry.readings),
        gates=(*(gate for one in found for gate in one.gates), *entry.gates),
        proposals=(*(proposal for one in found for proposal in one.proposals), *entry.proposals),
        listings=entry.listings,
        lines=tuple(lines.values()),
    )


def _booked(state: HedgeState, mine: Sequence[Structure]) -> HedgeState:
    """The ledger owns a tranche's legs and its premium from the first fill on."""
    ledger = state.ledger
    for structure in mine:
        if structure.units_opened:
            spent = structure.opened_cost * structure.combo.multiplier
            fees = structure.units_opened * len(structure.combo.legs) * FEE_PER_CONTRACT_USD[TRADING_CLASS]
            con_ids = tuple(leg.contract.con_id for leg in structure.combo.legs)
            ledger = ledger.paid(
                Purchase(structure.structure_id, LAYER, structure.opened, round_price(spent + fees), con_ids)
            )
    return state if ledger is state.ledger else replace(state, ledger=ledger)


def _expired(state: HedgeState, session: date, mine: Sequence[Structure]) -> HedgeState:
    """Drop a fire whose session is over; the reason stays readable unless it traded."""
    fire = state.pending
    if fire is None or session < fire.session:
        return state
    if any(s.structure_id == fire.structure_id and s.opened_legs for s in mine):
        return replace(state, pending=None)
    return replace(state, pending=None, expired=(fire.signal, fire.obstacle))


def _entry(
    snapshot: MarketSnapshot,
    state: HedgeState,
    mine: Sequence[Structure],
    nav_usd: float | None,
    rules: NearTermRules,
    budget: HedgeBudgetRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[HedgeState, Evaluation]:
    fire = state.pending
    if fire is None:
        return state, Evaluation()
    if snapshot.session > fire.session:
        state = _expired(state, snapshot.session, mine)
        reason = "" if state.expired is None else state.expired[1]
        return state, Evaluation(gates=(Gate(f"{fire.structure_id}.session", False, f"expired: {reason}"),))
    bought = any(s.structure_id == fire.structure_id and s.opened_legs for s in mine)
    deep = fire.backwardation > rules.blackout_override_backwardation_fraction
    now = snapshot.time.astimezone(MARKET_TZ)
    until = (regular_hours(snapshot.session)[1] - TRADE_BEFORE_CLOSE).time()
    in_time = snapshot.session == fire.session and TRADE_FROM <= now.time() < until
    gates = (
        Gate(
            f"{fire.structure_id}.session",
            in_time,
            f"{now:%m-%d %H:%M} on {fire.session} {TRADE_FROM:%H:%M}-{until:%H:%M}",
        ),
        Gate(f"{fire.structure_id}.not_bought", not bought, "bought once"),
        Gate(f"{fire.structure_id}.not_barred", not barred or deep, ", ".join(barred)),
        Gate(f"{fire.structure_id}.no_working_order", fire.structure_id not in working),
    )
    if snapshot.session < fire.session or bought or now.time() >= until:
        return state, Evaluation(gates=gates)
    left = None if nav_usd is None else state.ledger.left_usd(LAYER, snapshot.session, nav_usd, budget)
    window, entry = enter(
        snapshot, state.window, fire.structure_id, left, rules, all(gate.passed for gate in gates)
    )
    every = (*gates, *entry.gates)
    obstacle = next(
        (f"{gate.name}: {gate.detail}" for gate in every if not gate.passed), "proposed, not filled"
    )
    state = replace(state, window=window, pending=replace(fire, obstacle=obstacle))
    return state, replace(entry, gates=every)


def _exit(
    snapshot: MarketSnapshot,
    state: HedgeState,
    structure: Structure,
    rules: NearTermRules,
    working: AbstractSet[str],
) -> Evaluation:
    """Measure one tranche and propose to sell the part of it that is due."""
    name, quantity, paid = structure.structure_id, structure.quantity, structure.entry_price
    quote = combo_quote(structure.combo, snapshot.quotes)
    gain = None if quote is None or paid <= 0.0 else round_ratio(quote.mid / paid - 1.0)
    reason = "" if gain is not None else "a leg has no price"
    dte = days_to_expiry(snapshot.session, structure.combo.legs[0].contract.expiry or snapshot.session)
    age = sessions_between(structure.opened, snapshot.session)
    contango = dict(state.contango).get(name, 0)
    first, second = rules.exit.first_gain_fraction, rules.exit.second_gain_fraction
    readings = (
        Reading(f"{name}.gain", gain, first, ">=", None if gain is None else gain >= first, reason=reason),
        Reading(f"{name}.gain", gain, second, ">=", None if gain is None else gain >= second, reason=reason),
        _count(f"{name}.contango_closes", contango, rules.exit.contango_sessions),
        _count(f"{name}.sessions_held", age, rules.exit.sessions_max),
        Reading(f"{name}.dte", float(dte), float(rules.exit.exit_dte), "<=", dte <= rules.exit.exit_dte),
    )
    parts = ("first target", "second target", "contango", "sessions", "dte")
    fired = [part for part, reading in zip(parts, readings, strict=True) if reading.fired]
    # What remains after the first target is the part rounded down, so a single unit goes at once.
    opened = structure.units_opened
    remainder = opened - ceil(round_price(opened * rules.exit.first_part_fraction))
    only_first = fired == ["first target"]
    to_sell = max(quantity - remainder, 0) if only_first else quantity
    if not fired or to_sell < 1:
        return Evaluation(readings=readings)
    return _sale(snapshot, structure, to_sell, fired[-1], readings, working, reason, rules)


def _sale(
    snapshot: MarketSnapshot,
    structure: Structure,
    quantity: int,
    due: str,
    readings: tuple[Reading, ...],
    working: AbstractSet[str],
    reason: str,
    rules: NearTermRules,
) -> Evaluation:
    name, combo = structure.structure_id, structure.combo.reversed()
    quote = combo_quote(combo, snapshot.quotes)
    now = snapshot.time.astimezone(MARKET_TZ)
    opening, close = regular_hours(snapshot.session)
    start = datetime.combine(snapshot.session, TRADE_FROM, MARKET_TZ)
    tick = COMBO_TICK[TRADING_CLASS]
    worthless = quote is not None and quote.bid > -tick
    gates = (
        Gate(f"{name}.exit_hours", max(start, opening) <= now < close, f"exit due: {due}"),
        Gate(f"{name}.no_working_order", name not in working),
        Gate(f"{name}.price", None if quote is None else True, reason),
        Gate(
            f"{name}.worth_selling",
            not worthless,
            "nobody pays for it; it settles by itself" if worthless else "",
        ),
    )
    if quote is None or not all(gate.passed for gate in gates):
        return Evaluation(readings=readings, gates=gates)
    start_price, worst = limits(
        quote,
        TRADING_CLASS,
        Intent.CLOSE,
        rules.entry_patient_spread_fraction,
        rules.entry_final_spread_fraction,
    )
    worst = min(worst, -tick)  # a long spread is never paid for to be rid of
    proposal = Proposal(
        strategy=STRATEGY,
        structure_id=name,
        intent=Intent.CLOSE,
        combo=combo,
        quantity=quantity,
        limit=min(start_price, worst),
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=due,
        fees_per_unit_usd=round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[TRADING_CLASS]),
        tick=tick,
        notes=(("paid", structure.entry_price), ("value", -quote.mid), ("natural", -quote.ask)),
    )
    return Evaluation(readings=readings, gates=gates, proposals=(proposal,))


def _count(name: str, count: int, limit: int) -> Reading:
    return Reading(name, float(count), float(limit), ">=", count >= limit)
