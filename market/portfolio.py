"""Positions as a fold of executions, each applied once and replaced by its corrections."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from market.order import Fill, execution_base, execution_revision


@dataclass(frozen=True, slots=True)
class Position:
    """Contracts held of one instrument; negative when short."""

    con_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Executions keyed by identity, on top of `carried` positions. Immutable: a change gives a new portfolio.

    Executions older than any correction the broker could still send are folded into `carried`, so that the
    portfolio stays small over years.
    """

    fills: Mapping[str, Fill] = field(default_factory=dict)
    carried: Mapping[int, Position] = field(default_factory=dict)
    # The sum of both, once somebody has asked for it; it is no part of the value.
    _net: Mapping[int, Position] | None = field(default=None, init=False, repr=False, compare=False)

    def knows(self, exec_id: str) -> bool:
        """Whether this very execution, or a later correction of it, has been applied."""
        known = self.fills.get(execution_base(exec_id))
        return known is not None and execution_revision(exec_id) <= execution_revision(known.exec_id)

    def apply(self, fill: Fill) -> "Portfolio":
        """Add an execution.

        A repeat changes nothing; a correction replaces what it corrects; an older revision is ignored.
        """
        if self.knows(fill.exec_id):
            return self
        base = execution_base(fill.exec_id)
        known = self.fills.get(base)
        if known is not None and fill.commission is None:
            fill = replace(fill, commission=known.commission)
        return Portfolio({**self.fills, base: fill}, self.carried)

    def retold(self, fill: Fill) -> "Portfolio":
        """Put a known execution in the place of what was first heard of it; the commission stays.

        Raises KeyError for an execution that is not known.
        """
        base = execution_base(fill.exec_id)
        known = self.fills[base]
        return Portfolio({**self.fills, base: replace(fill, commission=known.commission)}, self.carried)

    def renamed(self, base: str, fill: Fill) -> "Portfolio":
        """Put an execution in the place of one that was told under a number it does not have.

        Raises KeyError when there is no such execution.
        """
        rest = {known: one for known, one in self.fills.items() if known != base}
        told = replace(fill, commission=self.fills[base].commission)
        return Portfolio({**rest, execution_base(fill.exec_id): told}, self.carried)

    def commission(self, exec_id: str, commission_usd: float) -> "Portfolio":
        """Attach a commission to a known execution; one for an unknown execution changes nothing."""
        base = execution_base(exec_id)
        known = self.fills.get(base)
        if known is None or known.commission == commission_usd:
            return self
        return Portfolio({**self.fills, base: replace(known, commission=commission_usd)}, self.carried)

    def settle(self, con_ids: Iterable[int]) -> "Portfolio":
        """Drop expired contracts: the clearing house settled them in cash and no execution says so.

        Their executions stay known, so that hearing of one again changes nothing.
        """
        held = self.positions()
        carried = dict(self.carried)
        for con_id in con_ids:
            if con_id in held:
                before = carried.pop(con_id, Position(con_id, 0)).quantity
                if rest := before - held[con_id].quantity:
                    carried[con_id] = Position(con_id, rest)
        return Portfolio(self.fills, carried)

    def adjust(self, legs: Mapping[int, int]) -> "Portfolio":
        """Add signed contracts by con_id that no execution tells of."""
        carried = dict(self.carried)
        for con_id, quantity in legs.items():
            count = quantity + (carried.pop(con_id).quantity if con_id in carried else 0)
            if count:
                carried[con_id] = Position(con_id, count)
        return Portfolio(self.fills, carried)

    def carry(self, before: datetime) -> "Portfolio":
        """Fold executions older than `before` into the carried positions."""
        old = [fill for fill in self.fills.values() if fill.time < before]
        if not old:
            return self
        recent = {base: fill for base, fill in self.fills.items() if fill.time >= before}
        return Portfolio(
            recent, Portfolio({execution_base(f.exec_id): f for f in old}, self.carried).positions()
        )

    def positions(self) -> Mapping[int, Position]:
        """Net position of each contract, flat ones left out, by ascending contract id."""
        known = self._net
        if known is None:
            counts = {con_id: position.quantity for con_id, position in self.carried.items()}
            for fill in self.fills.values():
                counts[fill.con_id] = counts.get(fill.con_id, 0) + fill.quantity
            known = {con_id: Position(con_id, counts[con_id]) for con_id in sorted(counts) if counts[con_id]}
            object.__setattr__(self, "_net", known)
        return known


def fold(fills: Iterable[Fill]) -> Portfolio:
    """The portfolio after every execution, in any order and with any repetition."""
    portfolio = Portfolio()
    for fill in fills:
        portfolio = portfolio.apply(fill)
    return portfolio
