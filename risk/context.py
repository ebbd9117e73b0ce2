"""What a review looks at: the proposed trade, and the account, book, orders and feeds at that moment.

The engine fills the context; the checks only read it. None means unknown, and a check that needs an unknown
value does not pass.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from market.contract import Combo, Contract, Leg, net_contracts
from market.quote import Quote
from market.records import quickly_made
from risk.exposure import Stake, only_pays_premium
from risk.state import RiskState


class ProposedTrade(Protocol):
    """What risk reads of a proposal, in the shape of strategies.base.Proposal.

    `intent` is "open" or "close".
    """

    @property
    def structure_id(self) -> str: ...
    @property
    def intent(self) -> str: ...
    @property
    def combo(self) -> Combo: ...
    @property
    def quantity(self) -> int: ...
    @property
    def limit(self) -> float: ...
    @property
    def limit_worst(self) -> float: ...
    @property
    def reserves(self) -> bool: ...
    @property
    def fees_per_unit_usd(self) -> float: ...
    @property
    def adjusts(self) -> bool: ...


@quickly_made
@dataclass(frozen=True, slots=True)
class LiveOrder:
    """An order that may still trade, UNKNOWN ones included. `price` is the worst its decision may accept."""

    structure_id: str
    order_ref: str
    combo: Combo
    remaining: int
    price: float
    opening: bool
    fees_per_unit_usd: float = 0.0

    @property
    def stake(self) -> Stake:
        """The order as if it traded in full."""
        return Stake(self.combo, self.remaining, self.price, self.structure_id)


@quickly_made
@dataclass(frozen=True, slots=True)
class ToldMargin:
    """The broker's own figure: by how much `quantity` units raise the account's initial margin, in USD.

    None where the broker did not say, for `reason`.
    """

    quantity: int
    change_usd: float | None
    reason: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class ReviewContext:
    """One instant of the account. `stakes` are whole units open, `loose` signed contracts outside of them.

    `committed_usd` is the worst loss of what was opened this session and has filled; working orders are
    added here. `reserved_usd` is what a fired hedge may still spend this session. `index_levels` are by the
    symbol of the options on them. `feeds_alive` holds, for
    "option", "index" and "future", the last proof that the feed lives. `order_times` are the orders sent
    lately. `told_margin` is the broker's fresh figure for the very combo that is proposed.
    """

    now: datetime
    account: str
    allowed_account: str
    state: RiskState
    order_ref: str
    quotes: Mapping[int, Quote]
    feeds_alive: Mapping[str, datetime]
    nav_usd: float | None = None
    nav_time: datetime | None = None
    nav_session_open_usd: float | None = None
    nav_peak_usd: float | None = None
    init_margin_usd: float | None = None
    maint_margin_usd: float | None = None
    cash_usd: float | None = None
    index_levels: Mapping[str, float] = field(default_factory=dict)
    stakes: tuple[Stake, ...] = ()
    loose: tuple[tuple[Contract, int], ...] = ()
    missing: tuple[tuple[Contract, int], ...] = ()  # signed contracts of both that the broker does not hold
    working: tuple[LiveOrder, ...] = ()
    used_refs: Container[str] = field(default_factory=frozenset)
    committed_usd: float = 0.0
    reserved_usd: float = 0.0
    order_times: tuple[datetime, ...] = ()
    round_trips_today: int = 0
    told_margin: ToldMargin | None = None
    # The whole book, once a check has asked for it; it is no part of the value.
    _held: tuple[tuple[Contract, int], ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @property
    def held(self) -> tuple[tuple[Contract, int], ...]:
        """Signed contracts of the whole book, those of structures and the loose ones."""
        known = self._held
        if known is None:
            held = net_contracts((stake.combo, stake.quantity) for stake in self.stakes)
            for contract, count in self.loose:
                held[contract] = held.get(contract, 0) + count
            known = tuple(held.items())
            object.__setattr__(self, "_held", known)
        return known


def is_open(proposal: ProposedTrade) -> bool:
    """Whether the trade opens something; anything that is not plainly a close counts as opening."""
    return proposal.intent != "close"


def is_roll(proposal: ProposedTrade) -> bool:
    """Whether the trade opens something in place of what its structure holds: judged by that structure."""
    return is_open(proposal) and proposal.adjusts


def is_hedge(proposal: ProposedTrade) -> bool:
    """Whether the trade is a hedge that cannot cost more than its premium."""
    return is_open(proposal) and proposal.reserves and only_pays_premium(proposal.combo)


def closable(proposal: ProposedTrade, context: ReviewContext) -> list[tuple[Leg, int]]:
    """Of each leg of a close, how many contracts it may take away.

    No more than its structure holds, loose contracts counted in; of what the broker lacks, no more than the
    broker has left of that contract behind the closes that work, whichever structure counts it as its own.
    """
    own = (stake for stake in context.stakes if stake.structure_id == proposal.structure_id)
    held = net_contracts((stake.combo, stake.quantity) for stake in own)
    there = net_contracts(
        [(stake.combo, stake.quantity) for stake in context.stakes]
        + [(order.combo, order.remaining) for order in context.working if not order.opening]
    )
    for contract, count in context.loose:
        held[contract] = held.get(contract, 0) + count
        there[contract] = there.get(contract, 0) + count
    lacking = dict(context.missing)
    found = []
    for leg in proposal.combo.legs:
        has = held.get(leg.contract, 0)
        available = abs(has) if has * leg.signed_ratio < 0 else 0
        if leg.contract in lacking:
            left = there.get(leg.contract, 0) - lacking[leg.contract]
            available = min(available, abs(left) if left * leg.signed_ratio < 0 else 0)
        found.append((leg, available))
    return found
