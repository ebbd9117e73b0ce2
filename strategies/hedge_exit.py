"""Selling a tranche: which of its conditions hold, how much of it goes, at which price (METHOD 3.4).

The conditions are the same words for every layer; the rules say which of them it has. Parts are counted in
units sold so far and rounded up, so that a single unit goes whole at the first target. A position is never
held into its settlement: what is left on the last trading day is sold.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from math import ceil

from market.contract import SecurityType
from market.quote import ComboQuote, combo_quote
from market.records import replace
from market.rounding import round_price, round_ratio
from market.sessions import (
    MARKET_TZ,
    days_to_expiry,
    front_vx_pair,
    previous_session,
    regular_hours,
    sessions_between,
)
from market.tick import COMBO_TICK
from strategies.base import Evaluation, Gate, Intent, MarketSnapshot, Proposal, Reading, Structure
from strategies.costs import FEE_PER_CONTRACT_USD, limits
from strategies.hedge_state import LAYER_OF, Tranche
from strategies.rules import HedgeRules, TrancheExit


class Due(StrEnum):
    """Why a tranche, or a part of it, is sold; the later ones outrank the earlier ones."""

    FIRST = "first target"
    SECOND = "second target"
    THIRD = "third target"
    FRONT_FUTURE = "front future"
    GIVE_BACK = "give back"
    CONTANGO = "contango"
    SESSIONS = "sessions"
    STOP = "stop"
    DTE = "dte"
    ROLL = "roll"
    SETTLEMENT = "settlement"


_TARGETS = (Due.FIRST, Due.SECOND, Due.THIRD)


@dataclass(frozen=True, slots=True)
class Exit:
    """What one tranche calls for: its figures after this look, and what was found."""

    tranche: Tranche
    found: Evaluation


@dataclass(frozen=True, slots=True)
class _View:
    structure: Structure
    tranche: Tranche
    rules: HedgeRules
    exit: TrancheExit
    quote: ComboQuote | None
    session: date

    @property
    def first(self) -> SecurityType:
        return self.structure.combo.legs[0].contract.security_type


def watch(
    snapshot: MarketSnapshot,
    structure: Structure,
    tranche: Tranche,
    rules: HedgeRules,
    holds: Mapping[str, bool | None],
    working: AbstractSet[str],
) -> Exit:
    """Measure one tranche and propose to sell the part of it that is due.

    `holds` says by layer whether the signal it was bought for still stands; only a plain yes lets it roll.
    """
    layer = LAYER_OF[structure.strategy]
    quote = combo_quote(structure.combo, snapshot.quotes)
    if quote is not None:
        tranche = _with_peak(tranche, quote.mid)
    view = _View(structure, tranche, rules, rules.of(layer).exit, quote, snapshot.session)
    fired, readings = _conditions(snapshot, view, holds.get(layer))
    selling = tranche.roll_units > 0  # a roll once begun is finished, whatever the market does meanwhile
    if selling and Due.SETTLEMENT not in fired:
        fired = {Due.ROLL: structure.quantity}
    if not fired:
        return Exit(tranche, Evaluation(readings=readings))
    due = max(fired, key=list(Due).index)
    quantity = max(fired.values())
    if due is Due.ROLL and not selling:
        tranche = _rolling(tranche, structure)
    return Exit(tranche, _sale(snapshot, view, quantity, due, readings, working))


def gain(structure: Structure, quote: ComboQuote | None, rules: HedgeRules) -> float | None:
    """Gain on what was put at stake: the premium, or a future's stress loss; None without a price."""
    paid = structure.entry_price
    if quote is None or paid <= 0.0:
        return None
    change = round_ratio(quote.mid / paid - 1.0)
    if structure.combo.legs[0].contract.security_type is SecurityType.FUTURE:
        return round_ratio(change / rules.future_stress_fraction)
    return change


def _conditions(
    snapshot: MarketSnapshot, view: _View, holds: bool | None
) -> tuple[dict[Due, int], tuple[Reading, ...]]:
    """The conditions that hold with the units each of them sells, and all of them as readings."""
    name, held = view.structure.structure_id, view.structure.quantity
    ladder = view.rules.monetisation == "ladder"
    fired: dict[Due, int] = {}
    readings: list[Reading] = []

    def check(due: Due, reading: Reading, units: int = held) -> None:
        readings.append(reading)
        if reading.fired and units > 0:
            fired[due] = units

    for number, reading in enumerate(_targets(snapshot, view) if ladder else (), start=1):
        check(_TARGETS[number - 1], reading, _part_left(view, number))
    if ladder and _targets_taken(view) and view.exit.front_future_above_pts > 0.0:
        check(Due.FRONT_FUTURE, _front_future(snapshot, view))
    share = view.exit.give_back_fraction if ladder and _targets_taken(view) else 0.0
    if view.rules.monetisation == "trail":
        share = view.rules.trail_give_back_fraction
    if share > 0.0:
        check(Due.GIVE_BACK, _give_back(view, share))
    if ladder and view.exit.contango_sessions:
        row = view.tranche.contango
        check(Due.CONTANGO, _count(f"{name}.contango_closes", row, view.exit.contango_sessions))
    is_shares = view.first is SecurityType.STOCK
    longest = view.rules.shares_sessions_max if is_shares else view.exit.sessions_max if ladder else 0
    if longest:
        age = sessions_between(view.structure.opened, view.session)
        check(Due.SESSIONS, _count(f"{name}.sessions_held", age, longest))
    if view.first is SecurityType.FUTURE:
        check(Due.STOP, _stop(view))
    for due, reading in () if is_shares else _days(view, holds):
        check(due, reading)
    return fired, tuple(readings)


def _days(view: _View, holds: bool | None) -> tuple[tuple[Due, Reading], ...]:
    """The two conditions of the calendar: few days left, and none."""
    name, structure = view.structure.structure_id, view.structure
    expiry = structure.combo.legs[0].contract.expiry or view.session
    left = days_to_expiry(view.session, expiry)
    limit = view.rules.hold_exit_dte if view.rules.monetisation == "hold" else view.exit.exit_dte
    rolls = view.rules.monetisation == "ladder" and view.tranche.rolls < view.exit.rolls_max and holds is True
    due = Due.ROLL if rolls else Due.DTE
    last_day = previous_session(expiry)
    over = view.session >= last_day
    return (
        (due, Reading(f"{name}.dte", float(left), float(limit), "<=", left <= limit)),
        (
            Due.SETTLEMENT,
            Reading(f"{name}.last_trading_day", float(over), 1.0, "=", over, last_day.isoformat()),
        ),
    )


def _targets(snapshot: MarketSnapshot, view: _View) -> list[Reading]:
    """One reading for each target: the gain, on the premium or on the matching future."""
    name = view.structure.structure_id
    value, reason = _measured(snapshot, view)
    what = f"{name}.gain" if view.exit.measure == "premium" else f"{name}.future_gain"
    return [
        Reading(what, value, level, ">=", None if value is None else value >= level, reason=reason)
        for level in view.exit.gain_fractions
    ]


def _measured(snapshot: MarketSnapshot, view: _View) -> tuple[float | None, str]:
    if view.exit.measure == "premium" or view.first is not SecurityType.OPTION:
        value = gain(view.structure, view.quote, view.rules)
        return value, "" if value is not None else "a leg has no price"
    expiry = view.structure.combo.legs[0].contract.expiry
    mid = snapshot.curve().price(expiry) if expiry is not None else None
    if mid is None or view.tranche.forward <= 0.0:
        return None, "the future that settles with it has no price"
    return round_ratio(mid / view.tranche.forward - 1.0), ""


def _part_left(view: _View, number: int) -> int:
    """Units still to be sold for the first `number` parts, rounded up."""
    opened, sold = view.structure.units_opened, view.structure.units_closed
    return min(ceil(round_price(opened * number / view.exit.parts)) - sold, view.structure.quantity)


def _targets_taken(view: _View) -> bool:
    """Whether every target has been sold, so that only the last part is left."""
    return _part_left(view, len(view.exit.gain_fractions)) <= 0


def _front_future(snapshot: MarketSnapshot, view: _View) -> Reading:
    limit = view.exit.front_future_above_pts
    front = snapshot.curve().price(front_vx_pair(view.session)[0])
    fired = None if front is None else front >= limit
    reason = "" if front is not None else "the front future has no price"
    return Reading(f"{view.structure.structure_id}.front_future", front, limit, ">=", fired, reason=reason)


def _give_back(view: _View, share: float) -> Reading:
    """The share of the highest value that is gone; a value never above the entry has nothing to give back."""
    name, peak, paid = view.structure.structure_id, view.tranche.peak, view.structure.entry_price
    if view.quote is None:
        return Reading(f"{name}.give_back", None, share, ">=", None, reason="a leg has no price")
    lost = round_ratio(1.0 - view.quote.mid / peak) if peak > paid > 0.0 else 0.0
    return Reading(f"{name}.give_back", lost, share, ">=", lost >= share)


def _stop(view: _View) -> Reading:
    name, paid, share = (
        view.structure.structure_id,
        view.structure.entry_price,
        view.rules.future_stop_fraction,
    )
    if view.quote is None or paid <= 0.0:
        return Reading(f"{name}.stop", None, share, ">=", None, reason="the future has no price")
    lost = round_ratio(1.0 - view.quote.mid / paid)
    return Reading(f"{name}.stop", lost, share, ">=", lost >= share)


def _with_peak(tranche: Tranche, value: float) -> Tranche:
    if value <= tranche.peak:
        return tranche
    return replace(tranche, peak=value)


def _rolling(tranche: Tranche, structure: Structure) -> Tranche:
    return replace(tranche, roll_units=structure.quantity, roll_cost=structure.closed_cost)


def _sale(
    snapshot: MarketSnapshot,
    view: _View,
    quantity: int,
    due: Due,
    readings: tuple[Reading, ...],
    working: AbstractSet[str],
) -> Evaluation:
    structure = view.structure
    name, combo = structure.structure_id, structure.combo.reversed()
    quote = combo_quote(combo, snapshot.quotes)
    now = snapshot.time.astimezone(MARKET_TZ)
    opening, close = regular_hours(snapshot.session)
    start = datetime.combine(snapshot.session, view.rules.trade_start_time, MARKET_TZ)
    trading_class = structure.combo.legs[0].contract.trading_class
    tick = COMBO_TICK[trading_class]
    worthless = quote is not None and quote.bid > -tick
    gates = (
        Gate(f"{name}.exit_hours", max(start, opening) <= now < close, f"exit due: {due}"),
        Gate(f"{name}.no_working_order", name not in working),
        Gate(
            f"{name}.price",
            None if quote is None else True,
            "" if quote is not None else "a leg has no price",
        ),
        Gate(
            f"{name}.worth_selling",
            not worthless,
            "nobody pays for it; it settles by itself" if worthless else "",
        ),
    )
    if quote is None or not all(gate.passed for gate in gates):
        return Evaluation(readings=readings, gates=gates)
    patient, final = view.rules.entry_patient_spread_fraction, view.rules.entry_final_spread_fraction
    start_price, worst = limits(quote, trading_class, Intent.CLOSE, patient, final)
    worst = min(worst, -tick)  # what was bought is never paid for to be rid of
    proposal = Proposal(
        strategy=structure.strategy,
        structure_id=name,
        intent=Intent.CLOSE,
        combo=combo,
        quantity=quantity,
        limit=min(start_price, worst),
        limit_worst=worst,
        max_loss_points=round_price(combo.max_loss(worst)),
        reason=due,
        fees_per_unit_usd=round_price(len(combo.legs) * FEE_PER_CONTRACT_USD[trading_class]),
        tick=tick,
        notes=(("paid", structure.entry_price), ("value", -quote.mid), ("natural", -quote.ask)),
    )
    return Evaluation(readings=readings, gates=gates, proposals=(proposal,))


def _count(name: str, count: int, limit: int) -> Reading:
    return Reading(name, float(count), float(limit), ">=", count >= limit)
