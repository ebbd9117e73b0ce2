"""The shift of a condor in time: closed by its time exit, then opened again at a later expiry (METHOD 4.7).

Closing comes first and is due at any profit or loss; nothing of it waits for what may follow. Once executions
have proved every unit closed, the same session may open a successor: the challenged side on its own strikes,
the other one at the entry's delta, widths as they were, as one order. What closing has cost is known by then,
so that the least credit is fixed when the order is decided, and holds for each unit whether all of them fill
or not. Without it the condor simply stays closed.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor

from market.contract import Combo, Contract, Right, iron_condor
from market.quote import ComboQuote, combo_quote
from market.records import replace
from market.rounding import round_price
from market.sessions import MARKET_TZ
from market.tick import COMBO_TICK, round_down
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.condor_entry import Shorts, hours_gate, look
from strategies.condor_exit import SHIFT_OF, STRATEGY, side_of, width_of
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.expiry_parity import spot_of
from strategies.ladder import Ladder, ladder
from strategies.rules import CondorRules
from strategies.strikes import DeltaStrike, StrikeWindow, condor_series, deltas, options_at

_RIGHT_OF = {due.value: right for right, due in SHIFT_OF.items()}


@dataclass(frozen=True, slots=True)
class Shift:
    """A condor whose time exit may have a successor this session; where its strikes are looked for."""

    structure_id: str
    right: Right  # the challenged side, whose strikes stay
    window: StrikeWindow = field(default_factory=StrikeWindow)
    tried_at: datetime | None = None

    @property
    def successor(self) -> str:
        """The name of the structure at the later expiry."""
        return f"{self.structure_id}-shifted"


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a unit's closing cost, what fees both orders may cost, and the least credit that repays them."""

    close_cost: float
    fees: float
    least: float


def pending(
    shifts: Sequence[Shift],
    due: Mapping[str, str],
    structures: Mapping[str, Structure],
    working: AbstractSet[str],
) -> tuple[Shift, ...]:
    """The shifts of this moment: of condors whose time exit calls for one, or that were closed by it.

    `due` is by structure what its exit is due for at this look. Once a close was sent, what was decided with
    it holds whatever is measured since, until another close is sent in its place: an execution of the first
    may come late, long after it was given up. A shift ends when its successor has opened and nothing of it
    works any more, or when its condor was closed for another reason.
    """
    known = {one.structure_id: one for one in shifts}
    kept = []
    for name, origin in structures.items():
        one, reason = known.get(name), due.get(name, "")
        if origin.is_flat or name in working or (one is not None and reason not in _RIGHT_OF):
            reason = origin.closed_reason
        right = _RIGHT_OF.get(reason)
        if right is None or (one is None and origin.is_flat):  # flat and unknown: of an earlier session
            continue
        if one is None or one.right is not right:
            one = Shift(name, right)
        successor = structures.get(one.successor)
        if successor is None or not successor.opened_legs or one.successor in working:
            kept.append(one)
    return tuple(kept)


def shift(
    snapshot: MarketSnapshot,
    origin: Structure,
    one: Shift,
    initiation_usd: float | None,
    rules: CondorRules,
    working: AbstractSet[str],
    barred: Sequence[str],
) -> tuple[Shift, Evaluation]:
    """Look for the successor's strikes while the condor is being closed, and propose it once that is done.

    `initiation_usd` is what an initiation may still lose, `barred` the reasons why nothing may be opened now.
    """
    name = origin.structure_id
    if one.successor in working:
        gate = Gate(f"{name}.shift_no_working_order", False, one.successor)
        return replace(one, tried_at=snapshot.time), Evaluation(gates=(gate,))
    is_closed = origin.is_flat and name not in working
    gates = [
        hours_gate(f"{name}.shift_window", snapshot, rules),
        Gate(f"{name}.shift_not_barred", not barred, ", ".join(barred)),
        Gate(f"{name}.shift_closed", is_closed, _progress(origin)),
    ]
    if one.tried_at is not None:
        again = one.tried_at + timedelta(seconds=rules.adjust.roll_retry_s)
        tried = f"tried at {one.tried_at.astimezone(MARKET_TZ):%H:%M}"
        detail = f"{tried}, again after {rules.adjust.roll_retry_s:g} s"
        gates.append(Gate(f"{name}.shift_pause", snapshot.time >= again, detail))
    series = condor_series(snapshot.session, rules)
    spot = None if series is None else spot_of(snapshot, series.trading_class)
    first = origin.combo.legs[0].contract
    if series is None or spot is None or first.expiry is None or series.expiry <= first.expiry:
        gates.append(Gate(f"{name}.shift_market", None, "no later expiry in the window of days, or no index"))
        return one, Evaluation(gates=tuple(gates))
    if one.window.expiry != series.expiry:
        one = replace(one, window=StrikeWindow(series.expiry))
    found = Evaluation(listings=((series.symbol, series.trading_class, series.expiry),))
    rungs = ladder(snapshot, series.trading_class, series.expiry)
    if rungs is None:
        gates.append(
            Gate(f"{name}.shift_listing", None, f"{series.trading_class} {series.expiry} not listed")
        )
        return one, replace(found, gates=tuple(gates))
    width = width_of(origin)
    view = look(snapshot, rungs, one.window, series, spot, width, rules)
    one, kept = replace(one, window=view.window), _kept(origin, one.right, rungs, width)
    found = replace(found, lines=(*kept, *view.lines))
    if view.shorts is None or not kept:
        reason = view.reason or "the challenged strikes are not listed"
        gates.append(Gate(f"{name}.shift_strikes", None, reason))
    elif all(gate.passed for gate in gates):
        shorts = _with_kept(view.shorts, one.right, kept[0], snapshot)
        return one, _priced(snapshot, origin, one, rungs, shorts, initiation_usd, rules, gates, found)
    return one, replace(found, gates=tuple(gates))


def _progress(origin: Structure) -> str:
    return f"{origin.units_closed} of {origin.units_opened} closed"


def _kept(origin: Structure, right: Right, rungs: Ladder, width: float) -> tuple[Contract, ...]:
    """The challenged short and its wing at the later expiry: the listed strike nearest to where it was."""
    short = next(leg.contract for leg in side_of(origin.combo, right) if leg.signed_ratio < 0)
    offset = -width if right is Right.PUT else width
    options = options_at(rungs, short.strike, right, offset)
    if not options:
        return ()
    # Of two equally near ones the farther from the money.
    nearest = min(options, key=lambda one: (abs(one.strike - short.strike), one.strike * -offset))
    return nearest, rungs.options[(nearest.strike + offset, right)]


def _with_kept(
    shorts: Shorts, right: Right, option: Contract, snapshot: MarketSnapshot
) -> tuple[Shorts, DeltaStrike | None]:
    """The short strikes with the challenged one where it was, and its delta where that is known."""
    (seen,) = deltas([option], snapshot.quotes, shorts.market)
    there = seen or DeltaStrike(option.strike, 0.0, 0.0)
    return (replace(shorts, put=there) if right is Right.PUT else replace(shorts, call=there)), seen


def _priced(
    snapshot: MarketSnapshot,
    origin: Structure,
    one: Shift,
    rungs: Ladder,
    chosen: tuple[Shorts, DeltaStrike | None],
    initiation_usd: float | None,
    rules: CondorRules,
    gates: list[Gate],
    found: Evaluation,
) -> Evaluation:
    """The successor on its strikes, through the gates of credit, loss and size."""
    name, width = origin.structure_id, width_of(origin)
    shorts, seen = chosen
    put, call = shorts.put.strike, shorts.call.strike
    gates.append(Gate(f"{name}.shift_shorts_apart", put < call, f"short {put:g} below {call:g}"))
    limit = rules.exit.delta_close_delta
    near = None if seen is None else abs(seen.delta) < limit
    delta = "unknown" if seen is None else f"{abs(seen.delta):g}"
    gates.append(Gate(f"{name}.shift_delta", near, f"challenged short {delta}, below {limit:g}"))
    if not (near and put < call):
        return replace(found, gates=tuple(gates))
    combo = iron_condor(
        rungs.options[(put - width, Right.PUT)],
        rungs.options[(put, Right.PUT)],
        rungs.options[(call, Right.CALL)],
        rungs.options[(call + width, Right.CALL)],
    )
    quote = combo_quote(combo, snapshot.quotes)
    if quote is None:
        gates.append(Gate(f"{name}.shift_quote", None, "a leg has no price"))
        return replace(found, gates=tuple(gates))
    terms = _terms(origin, combo, rules)
    added = round_price(-quote.mid)
    readings = (Reading(f"{name}.shift_credit_pts", added, terms.least, ">=", added >= terms.least),)
    paid = f"closing cost {terms.close_cost:g}, fees {terms.fees:g}"
    gates.append(Gate(f"{name}.shift_credit", added >= terms.least, f"{added:g} of {terms.least:g}: {paid}"))
    proposal = _proposal(origin, one, combo, quote, terms.least, initiation_usd, rules)
    before = round_price(-origin.combo.payoff_range()[0] - origin.credit)
    carried = round_price(origin.credit - terms.close_cost - terms.fees)
    after = round_price(-combo.payoff_range()[0] - carried + proposal.limit_worst)
    gates.append(Gate(f"{name}.shift_max_loss", after <= before, f"{after:g} of {before:g} points"))
    found = replace(found, readings=readings)
    if added < terms.least or after > before:
        return replace(found, gates=tuple(gates))
    gates.append(
        Gate(
            f"{name}.shift_size",
            proposal.quantity >= 1,
            f"{proposal.quantity} of {origin.units_closed}, {initiation_usd or 0.0:g} USD left for it",
        )
    )
    if proposal.quantity < 1:
        return replace(found, gates=tuple(gates))
    figures = (
        ("credit_so_far", origin.credit),
        ("close_cost", terms.close_cost),
        ("fees_pts", terms.fees),
        ("credit_least", terms.least),
        ("credit_mid", added),
        ("put_delta", shorts.put.delta),
        ("call_delta", shorts.call.delta),
        ("max_loss_before", before),
        ("max_loss_after", after),
    )
    return replace(found, gates=tuple(gates), proposals=(replace(proposal, notes=figures),))


def _terms(origin: Structure, combo: Combo, rules: CondorRules) -> _Terms:
    """Fees at their dearest for closing and opening: what the broker has reported so far may be less."""
    cost = round_price(origin.closed_cost / origin.units_closed)
    fees = round_price(2.0 * _fees_usd(combo) / combo.multiplier)
    least = round_price(max(cost + fees, 0.0) + rules.adjust.time_shift_credit_min_pts)
    return _Terms(cost, fees, least)


def _fees_usd(combo: Combo) -> float:
    return round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[combo.legs[0].contract.trading_class])


def _proposal(
    origin: Structure,
    one: Shift,
    combo: Combo,
    quote: ComboQuote,
    least: float,
    initiation_usd: float | None,
    rules: CondorRules,
) -> Proposal:
    """One order for what an initiation may lose of the closed units; the least credit binds its walk."""
    trading_class, fees = combo.legs[0].contract.trading_class, _fees_usd(combo)
    patient, final = rules.entry_patient_spread_fraction, rules.entry_final_spread_fraction
    start, worst = limits(quote, trading_class, Intent.OPEN, patient, final)
    worst = min(worst, round_down(-least, COMBO_TICK[trading_class]))
    loss = round_price(combo.max_loss(worst) * combo.multiplier + fees)
    affordable = floor((initiation_usd or 0.0) / loss) if loss > 0.0 else 0
    return Proposal(
        strategy=STRATEGY,
        structure_id=one.successor,
        intent=Intent.OPEN,
        combo=combo,
        quantity=min(origin.units_closed, affordable),
        limit=min(start, worst),
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=f"shifted from {origin.structure_id}",
        fees_per_unit_usd=fees,
        tick=COMBO_TICK[trading_class],
        follows=origin.structure_id,
    )
