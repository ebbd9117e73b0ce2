"""The words in which a strategy speaks: readings, gates and proposals, never orders.

A strategy looks at a snapshot and at its own state and says what it would like to do and why, or which
gate stops it. It does not know the broker, the clock or the risk limits. `None` in `Reading.fired` and
`Gate.passed` means unknown: an input is missing or stale. Unknown never fires a layer and never blocks
an exit that reduces risk (METHOD 0).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from market.contract import Combo, Contract
from market.quote import Quote, VixCurve
from market.records import quickly_made
from market.rounding import round_price


class Intent(StrEnum):
    """What an order does to the risk of the book."""

    OPEN = "open"
    CLOSE = "close"


@quickly_made
@dataclass(frozen=True, slots=True)
class Reading:
    """One measured condition.

    `relation` is how value and threshold compare when it is true, for example `<`.
    """

    name: str
    value: float | None
    threshold: float | None
    relation: str
    fired: bool | None
    as_of: str = ""  # ISO date or time of the newest input
    source: str = ""
    warm_up: tuple[int, int] | None = None  # observations at hand, observations needed
    reason: str = ""  # why it is unknown


@quickly_made
@dataclass(frozen=True, slots=True)
class Gate:
    """A precondition of acting.

    `detail` says value and limit in one short phrase.
    """

    name: str
    passed: bool | None
    detail: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class Proposal:
    """A wish to trade one structure, in units of its combo.

    `limit` is the signed price to start with and `limit_worst` the worst one this decision may ever
    accept (both cash paid for a unit, negative for a credit). `max_loss_points` is the buyer's worst
    loss at `limit_worst`. `quantity` is what the strategy wants at most; risk may give less. `reserves`
    marks a hedge, whose premium is reserved before any condor's risk.
    """

    strategy: str
    structure_id: str
    intent: Intent
    combo: Combo
    quantity: int
    limit: float
    limit_worst: float
    max_loss_points: float
    reason: str
    reserves: bool = False
    fees_per_unit_usd: float = 0.0
    tick: float = 0.05  # price step of the combo's net price
    adjusts: bool = False  # changes what an open structure holds: a roll opens, a spread bought back closes
    follows: str = ""  # the closed structure that this one continues at a later expiry
    notes: tuple[
        tuple[str, float], ...
    ] = ()  # named figures worth a line in the decision: delta, credit, break-evens ...


@quickly_made
@dataclass(frozen=True, slots=True)
class Structure:
    """A condor or a hedge tranche: the unit that is opened, watched and closed, never a single leg.

    `opened_legs` and `closed_legs` count the signed contracts filled by opening and by closing orders,
    so that a half-filled structure is seen as what it is; `opened_cost` and `closed_cost` are the cash
    paid for them in points (negative: received). `combo` is what a unit holds: what was bought to open, with
    all that later adjustments made of it. `adjusting_legs` and `adjusting_cost` are the fills of an
    adjustment under way; once it has ended they are part of what was opened.
    """

    structure_id: str
    strategy: str
    combo: Combo
    opened: date  # session of the opening decision
    opened_legs: tuple[tuple[int, int], ...] = ()
    closed_legs: tuple[tuple[int, int], ...] = ()
    opened_cost: float = 0.0
    closed_cost: float = 0.0
    adjusting_legs: tuple[tuple[int, int], ...] = ()
    adjusting_cost: float = 0.0
    adjustments: tuple[str, ...] = ()  # reasons of the adjustments that traded, in their order
    fees_usd: float = 0.0
    follows: str = ""  # the structure of an earlier expiry that it continues ...
    carried: float = 0.0  # ... points a unit had paid in it (negative: received) ...
    carried_fees_usd: float = 0.0  # ... and the fees of a unit
    closed_reason: str = ""
    settled: bool = False  # held to expiry: the clearing house closed it, not an order
    parts_sold: int = 0  # targets a hedge tranche has already taken
    marks: tuple[
        tuple[str, float], ...
    ] = ()  # the strategy's own small memory, e.g. the first breach of a stop
    # Units opened and closed, and the entry price, once counted: every look asks. No part of the value.
    _counted: tuple[int, int, float] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def units_opened(self) -> int:
        """Whole units bought."""
        return self._counts()[0]

    @property
    def units_closed(self) -> int:
        """Whole units bought back."""
        return self._counts()[1]

    @property
    def quantity(self) -> int:
        """Whole units open."""
        return 0 if self.settled else self.units_opened - self.units_closed

    @property
    def entry_price(self) -> float:
        """Average signed price a unit was opened at, in points; 0 before the first whole unit."""
        return self._counts()[2]

    @property
    def credit(self) -> float:
        """Points a unit has brought in so far, rolls and earlier expiries included, fees not counted."""
        return round_price(-self.entry_price - self.carried)

    @property
    def is_flat(self) -> bool:
        """Whether nothing of it is held, not even a single leg."""
        return self.settled or not self.legs

    @property
    def legs(self) -> dict[int, int]:
        """Signed contracts held now by con_id, flat ones left out."""
        held = dict(self.opened_legs)
        for con_id, quantity in (*self.closed_legs, *self.adjusting_legs):
            held[con_id] = held.get(con_id, 0) + quantity
        return {} if self.settled else {con_id: quantity for con_id, quantity in held.items() if quantity}

    def _counts(self) -> tuple[int, int, float]:
        known = self._counted
        if known is None:
            opened, closed = self._units(self.opened_legs, 1), self._units(self.closed_legs, -1)
            known = opened, closed, round_price(self.opened_cost / opened) if opened else 0.0
            object.__setattr__(self, "_counted", known)
        return known

    def _units(self, filled: tuple[tuple[int, int], ...], direction: int) -> int:
        if not filled:
            return 0
        counts = dict(filled)
        fewest = -1
        for leg in self.combo.legs:
            ratio = direction * leg.signed_ratio
            units = counts.get(leg.contract.con_id, 0) // ratio
            if units <= 0:
                return 0
            if fewest < 0 or units < fewest:
                fewest = units
        return fewest


@quickly_made
@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """All that a strategy may see of the market at one instant.

    Quotes are by con_id; times are aware.
    """

    time: datetime
    session: date
    quotes: Mapping[int, Quote]
    listed: Mapping[tuple[str, date], tuple[Contract, ...]] = field(
        default_factory=dict
    )  # (class, expiry) -> options
    spx: Contract | None = None
    vix: Contract | None = None
    futures: tuple[Contract, ...] = ()  # VX, by expiry
    others: tuple[Contract, ...] = ()  # small futures and shares a hedge may buy
    open_interest: Mapping[int, int] = field(default_factory=dict)  # contracts open, where they were told

    def quote(self, contract: Contract | None) -> Quote | None:
        """The latest quote of a contract, if it is streamed."""
        return None if contract is None else self.quotes.get(contract.con_id)

    def curve(self) -> VixCurve:
        """The VX futures with a two-sided market, at their mids."""
        mids = ((c.expiry, q.mid) for c in self.futures if (q := self.quotes.get(c.con_id)) is not None)
        return VixCurve(
            tuple((expiry, mid) for expiry, mid in mids if expiry is not None and mid is not None)
        )


@quickly_made
@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a strategy found at one instant.

    `listings` and `lines` are the option classes to list and the contracts to stream.
    """

    readings: tuple[Reading, ...] = ()
    gates: tuple[Gate, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    listings: tuple[tuple[str, str, date], ...] = ()  # (symbol, trading class, expiry)
    lines: tuple[Contract, ...] = ()
