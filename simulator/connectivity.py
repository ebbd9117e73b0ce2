"""The line between the gateway and the broker's servers, which can break while the socket stays up.

While it is broken (1100) no quotes pass, orders wait in the gateway, and what the exchange reports is kept
back: the exchange itself works on. Restoring it hands over what waited. Single farms break in the same way:
without the market-data farm no quotes pass, without the history farm no bars are found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.model import OrderRequest, Report
from simulator.notices import Farm


@dataclass(slots=True)
class Connectivity:
    """What works at this moment, and what waits until it works again."""

    lost: bool = False
    frozen: bool = False  # quotes have stopped and nobody is told
    broken: set[Farm] = field(default_factory=set)
    _reports: list[Report] = field(default_factory=list)
    _orders: list[OrderRequest] = field(default_factory=list)

    @property
    def quotes_pass(self) -> bool:
        """Whether ticks reach the clients."""
        return not self.lost and not self.frozen and Farm.MARKET_DATA not in self.broken

    @property
    def history_answers(self) -> bool:
        """Whether bars can be asked for."""
        return not self.lost and Farm.HISTORY not in self.broken

    def keep_reports(self, reports: Sequence[Report]) -> None:
        """Keep back what the exchange reports."""
        self._reports += reports

    def keep_order(self, request: OrderRequest) -> None:
        """Let an order wait in the gateway."""
        self._orders.append(request)

    def restore(self) -> tuple[list[Report], list[OrderRequest]]:
        """The line works again: the reports and orders that waited, oldest first."""
        waited = self._reports, self._orders
        self.lost, self._reports, self._orders = False, [], []
        return waited
