"""What the hedge remembers: its ledger, the entries that wait, and a few figures of each tranche held.

One mechanism for all layers. A fire of session s waits for session s+1 and no other; a roll waits from the
moment its old tranche is sold. Campaigns open with a fire of any layer and end when all is flat and armed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from market.contract import SecurityType
from market.records import replace
from market.rounding import round_price
from strategies.base import Structure
from strategies.costs import FEE_PER_CONTRACT_USD
from strategies.hedge_budget import BudgetLedger, Purchase
from strategies.layers import LAYERS, STRATEGY_OF
from strategies.rules import HedgeBudgetRules, HedgeRules
from strategies.strikes import StrikeWindow

LAYER_OF = {strategy: layer for layer, strategy in STRATEGY_OF.items()}
_PREFIX = {"L1": "near-term", "L2": "mid-term", "L3": "reserve"}


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """A tranche to be opened: a fire waiting for its session, or the later half of a roll.

    `signal` is the session that fired, `session` the one it may trade on and `backwardation` b at the signal.
    A roll continues `lineage`, the first tranche's name, buys at most `units_max` and spends `credit_usd`,
    what the sale before it brought, beside the layer's budget.
    """

    layer: str
    structure_id: str
    signal: date
    session: date
    backwardation: float
    obstacle: str = "its session has not begun"
    lineage: str = ""
    rolls: int = 0
    units_max: int = 0
    credit_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Tranche:
    """Figures of one tranche: the forward it was bought on, its highest value, closes with b < 0 in a row.

    `roll_units` and `roll_cost` are what was held, and the cash counted as closed, when a roll began to sell;
    `credit_usd` is what such a sale brought to the tranche that succeeds it.
    """

    structure_id: str
    lineage: str
    rolls: int = 0
    forward: float = 0.0
    peak: float = 0.0
    contango: int = 0
    roll_units: int = 0
    roll_cost: float = 0.0
    credit_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class HedgeState:
    """Ledger, waiting entries by layer, tranches by name, strike windows by layer, and what expired last."""

    ledger: BudgetLedger = field(default_factory=BudgetLedger)
    pending: tuple[PendingEntry, ...] = ()
    tranches: tuple[Tranche, ...] = ()
    windows: Mapping[str, StrikeWindow] = field(default_factory=dict)
    expired: tuple[date, str] | None = None
    last_close: date | None = None

    def waiting(self, layer: str) -> PendingEntry | None:
        """The layer's waiting entry."""
        return next((one for one in self.pending if one.layer == layer), None)

    def tranche(self, structure_id: str) -> Tranche:
        """What is remembered of a tranche; a blank one where nothing is."""
        known = (one for one in self.tranches if one.structure_id == structure_id)
        return next(known, Tranche(structure_id, structure_id))

    def with_tranche(self, tranche: Tranche) -> "HedgeState":
        """The state with one tranche's figures replaced or added."""
        if self.tranche(tranche.structure_id) == tranche and tranche in self.tranches:
            return self
        others = (one for one in self.tranches if one.structure_id != tranche.structure_id)
        return replace(self, tranches=tuple(sorted((*others, tranche), key=lambda one: one.structure_id)))

    def with_pending(self, layer: str, entry: PendingEntry | None) -> "HedgeState":
        """The state with the layer's waiting entry replaced, or taken away."""
        others = tuple(one for one in self.pending if one.layer != layer)
        pending = others if entry is None else (*others, entry)
        return replace(self, pending=tuple(sorted(pending, key=lambda one: one.layer)))


def layer_fired(
    state: HedgeState, layer: str, signal: date, session: date, backwardation: float, nav_usd: float
) -> HedgeState:
    """Take note of a fire on the close of `signal`, to trade on `session`, which must be a later one.

    Opens a campaign on this net asset value if none is open. Raises ValueError when the session is not
    after the signal.
    """
    if session <= signal:
        raise ValueError(f"a fire of {signal} cannot trade on {session}")
    name = f"{_PREFIX[layer]}-{signal.isoformat()}"
    entry = PendingEntry(layer, name, signal, session, backwardation, lineage=name)
    state = replace(state, ledger=state.ledger.opened(signal, nav_usd))
    return replace(state, windows={**state.windows, layer: StrikeWindow()}).with_pending(layer, entry)


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
    all layers are `armed` again. An entry whose session has passed without a trade expires.
    """
    if state.last_close is not None and session <= state.last_close:
        return state
    mine = hedges(structures)
    held = {structure.structure_id for structure in mine if structure.quantity}
    for name in sorted(held):
        tranche = state.tranche(name)
        row = 0 if backwardation is not None and backwardation >= 0.0 else tranche.contango
        counted = backwardation is not None and backwardation < 0.0
        state = state.with_tranche(replace(tranche, contango=row + counted))
    state = expired(replace(state, last_close=session), session, mine)
    known = {structure.structure_id for structure in mine}
    waiting = {entry.lineage for entry in state.pending}
    kept = (one for one in state.tranches if one.structure_id in known or one.lineage in waiting)
    state = replace(state, tranches=tuple(kept))
    flat = all(structure.is_flat for structure in mine) and not state.pending
    return replace(state, ledger=state.ledger.closed(session, flat, armed, rules))


def hedges(structures: Sequence[Structure]) -> list[Structure]:
    """The tranches among all structures."""
    return [structure for structure in structures if structure.strategy in LAYER_OF]


def bought(entry: PendingEntry, structures: Sequence[Structure]) -> bool:
    """Whether the entry's tranche has traded, be it a single contract."""
    return any(one.structure_id == entry.structure_id and one.opened_legs for one in structures)


def expired(state: HedgeState, session: date, mine: Sequence[Structure]) -> HedgeState:
    """Drop entries whose session is over; the reason stays readable unless they traded."""
    for entry in state.pending:
        if session < entry.session:
            continue
        state = state.with_pending(entry.layer, None)
        if not bought(entry, mine):
            state = replace(state, expired=(entry.signal, entry.obstacle))
    return state


def booked(state: HedgeState, mine: Sequence[Structure], rules: HedgeRules) -> HedgeState:
    """The ledger owns a tranche's legs and its premium from the first fill on.

    A future takes its stress loss out of the budget. What a roll's sale brought pays for its later half
    first.
    """
    ledger = state.ledger
    for structure in mine:
        units = structure.units_opened
        if not units:
            continue
        legs = structure.combo.legs
        fees = units * sum(FEE_PER_CONTRACT_USD.get(leg.contract.trading_class, 0.0) for leg in legs)
        is_future = legs[0].contract.security_type is SecurityType.FUTURE
        stake = rules.future_stake_fraction if is_future else 1.0
        spent = structure.opened_cost * structure.combo.multiplier * stake + fees
        net = max(round_price(spent - state.tranche(structure.structure_id).credit_usd), 0.0)
        con_ids = tuple(leg.contract.con_id for leg in legs)
        layer = LAYER_OF[structure.strategy]
        ledger = ledger.paid(Purchase(structure.structure_id, layer, structure.opened, net, con_ids))
    return state if ledger is state.ledger else replace(state, ledger=ledger)


def reserved_usd(
    state: HedgeState,
    session: date,
    nav_usd: float | None,
    structures: Sequence[Structure],
    rules: HedgeBudgetRules,
) -> float:
    """What waiting entries may still spend on `session`: reserved before any condor's risk (METHOD 4.6)."""
    if nav_usd is None:
        return 0.0
    total = 0.0
    for layer in LAYERS:
        entry = state.waiting(layer)
        if entry is None or entry.session != session or bought(entry, structures):
            continue
        total += state.ledger.left_usd(layer, session, nav_usd, rules) + entry.credit_usd
    return round_price(total)
