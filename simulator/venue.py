"""What the gateway's conversations need of the venue, and what stands beside them at its side door."""

from collections.abc import Sequence
from typing import Protocol

from simulator.interest import CashInterest
from simulator.model import Execution, Market, OrderRequest, PositionLine, Report, WorkingOrder


class Venue(Protocol):
    """Order life and account behind the protocol: what simulator/exchange.py implements."""

    market: Market

    @property
    def account_id(self) -> str:
        """The one account this venue serves, e.g. DU0000000."""

    def next_order_id(self, client_id: int) -> int:
        """Lowest order id this client may use."""

    def submit(self, request: OrderRequest) -> Sequence[Report]:
        """Judge and take a new order, a modification or a what-if.

        State is durable before the reports are returned.
        """

    def cancel(self, client_id: int, order_id: int) -> Sequence[Report]:
        """Cancel, or report why not (10147 unknown, 10148 not cancellable)."""

    def cancel_all(self) -> Sequence[Report]:
        """reqGlobalCancel."""

    def match(self) -> Sequence[Report]:
        """Fill what the current top of book fills; expire, settle, mark.

        Called after each market step.
        """

    def open_orders(self, client_id: int | None) -> Sequence[WorkingOrder]:
        """Working orders of one client, or of all."""

    def completed_orders(self) -> Sequence[WorkingOrder]:
        """Orders that ended since midnight."""

    def executions(self) -> Sequence[Execution]:
        """Executions since midnight."""

    def positions(self) -> Sequence[PositionLine]:
        """Positions now, marked."""

    def account_values(self) -> Sequence[tuple[str, str, str]]:
        """(key, value, currency): NetLiquidation, TotalCashValue, InitMarginReq, ..."""

    def pnl(self) -> tuple[float, float, float]:
        """Daily, unrealised and realised P&L."""

    @property
    def by_hand(self) -> "HandOrders":
        """Orders made by hand on the broker's own screen."""


class HandOrders(Protocol):
    """Orders without a client (implemented by simulator/back_office.py)."""

    auto_bind: bool  # bind each new one to client 0 as it comes

    def bind(self) -> Sequence[Report]:
        """Give every order made by hand an id of client 0."""

    def roll_back_order_ids(self, count: int) -> None:
        """Hand the last `count` order ids of every client out again."""

    def pay_interest(self, interest: CashInterest) -> None:
        """Pay and charge interest on cash from now on."""

    def refuse_next(self, code: int, text: str) -> None:
        """Refuse the next order with this error."""

    def cut_next_fill(self, units: int) -> None:
        """Fill at most `units` of the next order that trades."""

    def reset(self, cash_usd: float) -> Sequence[Report]:
        """Start the account over with nothing but cash."""

    def correct_last(self, points: float) -> Sequence[Report]:
        """Correct the last execution of today that can be corrected by so many points; none: nothing."""
