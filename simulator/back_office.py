"""What people do to a paper account beside the API: orders made by hand, resets, interventions.

Orders made by hand have no client and order id 0 until client 0 binds them; from then on they carry a
negative id of that client. Everything here works on the same books as the exchange and is durable before
its reports are returned.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from market.contract import SecurityType
from simulator.account import STARTING_CASH_USD, Account
from simulator.blotter import Blotter
from simulator.clearing import Clearing
from simulator.floor import Floor, changed
from simulator.interest import CashInterest
from simulator.judgement import Refusal
from simulator.model import (
    AccountChanged,
    Executed,
    OrderBound,
    OrderChanged,
    OrderRequest,
    Report,
    WorkingOrder,
)

#: The client to whom orders made by hand belong once they are bound.
HAND_CLIENT: Final = 0


class BackOffice:
    """The side door to one account (implements simulator.venue.HandOrders)."""

    def __init__(
        self,
        books: tuple[Account, Blotter, Clearing, Floor],
        take: Callable[[OrderRequest], Sequence[Report]],
        checkpoint: Callable[[], None],
    ) -> None:
        self._account, self._blotter, self._clearing, self._floor = books
        self._take = take
        self._checkpoint = checkpoint
        self._refusals: deque[Refusal] = deque()
        self.auto_bind = False

    def place(self, request: OrderRequest) -> Sequence[Report]:
        """An order made by hand. It is bound at once while client 0 asks for that."""
        order_id = self._blotter.bound_id() if self.auto_bind else 0
        reports = self._take(replace(request, client_id=HAND_CLIENT, order_id=order_id))
        taken = next((report.order for report in reports if isinstance(report, OrderChanged)), None)
        return [OrderBound(taken), *reports] if order_id and taken is not None else reports

    def cancel(self, perm_id: int) -> Sequence[Report]:
        """Cancel any working order by hand, whoever made it. Raises KeyError for an unknown one."""
        reports = self._floor.cancel(self._blotter.working[perm_id])
        self._checkpoint()
        return reports

    def bind(self) -> Sequence[Report]:
        """Give every order made by hand an id of client 0."""
        reports: list[Report] = []
        for order in self._blotter.working.values():
            if not order.request.order_id:
                order.request = replace(order.request, order_id=self._blotter.bound_id())
                reports += [OrderBound(replace(order)), changed(order)]
        if reports:
            self._checkpoint()
        return reports

    def roll_back_order_ids(self, count: int) -> None:
        """Hand the last `count` order ids of every client out again."""
        self._blotter.roll_back_order_ids(count)
        self._checkpoint()

    def reset(self, cash_usd: float = STARTING_CASH_USD) -> Sequence[Report]:
        """Start the account over: every order is cancelled, every position is gone, cash is `cash_usd`."""
        reports: list[Report] = []
        for order in tuple(self._blotter.working.values()):
            reports += self._floor.cancel(order, "The account was reset")
        gone = tuple(sorted(self._account.holdings))
        self._account.reset(cash_usd)
        self._clearing.booked_at.clear()
        self._checkpoint()
        return [*reports, AccountChanged(gone)]

    def pay_interest(self, interest: CashInterest) -> None:
        """Pay and charge interest on cash from now on."""
        self._clearing.interest = interest

    def refuse_next(self, code: int, text: str) -> None:
        """Refuse the next order with this error, whatever it is."""
        self._refusals.append(Refusal(code, text))

    def refusal(self) -> Refusal | None:
        """The refusal that waits for an order, taken away by asking."""
        return self._refusals.popleft() if self._refusals else None

    def cut_next_fill(self, units: int) -> None:
        """Fill at most `units` of the next order that trades; the rest waits for the next match."""
        self._floor.next_fill_units = units

    def correct(self, exec_id: str, price: float) -> Sequence[Report]:
        """Correct an execution of today to another price, as an exchange does: same stem, next version.

        Raises KeyError when there is no such execution, or when its position has been settled since.
        """
        old = self._blotter.execution(exec_id)
        if old.security_type == SecurityType.COMBO:
            raise KeyError(f"{exec_id} is the combo's own line; correct a leg")
        signed = int(old.quantity) * (1 if old.side == "BOT" else -1)
        self._account.correct(old.con_id, signed, old.price, price)
        reports: list[Report] = [
            Executed(self._blotter.correct(exec_id, price)),
            AccountChanged((old.con_id,)),
        ]
        self._checkpoint()
        return reports

    def correct_last(self, points: float) -> Sequence[Report]:
        """Correct the last execution of today that can be corrected by so many points; none: nothing."""
        for fill in reversed(self._blotter.executions):
            if fill.security_type != SecurityType.COMBO and fill.con_id in self._account.holdings:
                return self.correct(fill.exec_id, round(fill.price + points, 6))
        return []

    def working(self) -> tuple[WorkingOrder, ...]:
        """Every working order, oldest first."""
        return tuple(replace(order) for order in self._blotter.working.values())
