"""Account and orders through the broker's own client."""

import importlib

from tests.compat.official_driver import Desk
from tests.compat.values import ACCOUNT, Fill, OrderState, Spec, Ticket

_SUMMARY = "NetLiquidation,TotalCashValue,BuyingPower,InitMarginReq"


class OfficialAccount(Desk):
    """Money and positions."""

    def values(self) -> dict[str, str]:
        """Account values in the account's currency."""
        self.since(
            "updateAccountValue", "accountDownloadEnd", lambda: self._wire("reqAccountUpdates", True, ACCOUNT)
        )
        return {args[0]: args[1] for args in self._all("updateAccountValue") if args[2] == "USD"}

    def portfolio(self) -> dict[int, tuple[float, float]]:
        """Positions as the portfolio tells them."""
        told = self._all("updatePortfolio")
        held = {args[0].conId: (float(args[1]), float(args[4])) for args in told}
        return {con_id: line for con_id, line in held.items() if line[0]}

    def summary(self) -> dict[str, str]:
        """The summary, whose subscription is given up again."""
        req_id = self.asked("reqAccountSummary", "All", _SUMMARY)
        self._wait("accountSummaryEnd", req_id)
        self._wire("cancelAccountSummary", req_id)
        return {args[2]: args[3] for args in self._all("accountSummary", req_id)}

    def several(self) -> dict[str, str]:
        """Values of a model's account, whose subscription is given up again."""
        req_id = self.asked("reqAccountUpdatesMulti", ACCOUNT, "", False)
        self._wait("accountUpdateMultiEnd", req_id)
        self._wire("cancelAccountUpdatesMulti", req_id)
        return {args[3]: args[4] for args in self._all("accountUpdateMulti", req_id)}

    def positions(self) -> dict[int, tuple[float, float]]:
        """What is held."""
        told = self.since("position", "positionEnd", lambda: self._wire("reqPositions"))
        self._wire("cancelPositions")
        return {args[1].conId: (float(args[2]), float(args[3])) for args in told}

    def pnl(self) -> tuple[float, float, float]:
        """Of the day, unrealised, realised."""
        req_id = self.asked("reqPnL", ACCOUNT, "")
        _, daily, unrealised, realised = self._wait("pnl", req_id)
        self._wire("cancelPnL", req_id)
        return daily, unrealised, realised

    def pnl_single(self, con_id: int) -> tuple[float, ...]:
        """Quantity, of the day, unrealised, realised, value."""
        req_id = self.asked("reqPnLSingle", ACCOUNT, "", con_id)
        _, quantity, *figures = self._wait("pnlSingle", req_id)
        self._wire("cancelPnLSingle", req_id)
        return float(quantity), *figures


class OfficialOrders(Desk):
    """Orders and executions."""

    def place(self, spec: Spec, ticket: Ticket, order_id: int | None = None) -> int:
        """Place an order, or change the one of this id."""
        chosen = self._client.new_id() if order_id is None else order_id
        self._wire("placeOrder", chosen, self._client.contract(spec), self._client.order(ticket))
        return chosen

    def what_if(self, spec: Spec, ticket: Ticket) -> tuple[float, float]:
        """Change of initial margin, commission."""
        order_id, order = self._client.new_id(), self._client.order(ticket)
        order.whatIf = True
        self._wire("placeOrder", order_id, self._client.contract(spec), order)
        state = self._wait("openOrder", order_id)[3]
        return float(state.initMarginChange), float(state.commissionAndFees)

    def cancel(self, order_id: int) -> None:
        """Cancel one."""
        self._wire("cancelOrder", order_id)

    def cancel_all(self) -> None:
        """Cancel every one."""
        self._client.client.reqGlobalCancel(importlib.import_module("ibapi.order_cancel").OrderCancel())

    def state(self, order_id: int) -> OrderState | None:
        """The order as it was told last."""
        told = self._all("orderStatus", order_id)
        orders = self._all("openOrder", order_id)
        if not told or not orders:
            return None
        order, status = orders[-1][2], told[-1]
        return OrderState(
            order_id, status[5], order.orderRef, status[1], float(status[2]), float(status[3]),
            float(order.lmtPrice),
        )  # fmt: skip

    def working(self, *, everybody: bool) -> list[OrderState]:
        """Working orders, of this client or of all."""
        name = "reqAllOpenOrders" if everybody else "reqOpenOrders"
        told = self.since("openOrder", "openOrderEnd", lambda: self._wire(name))
        return [
            OrderState(args[0], args[2].permId, args[2].orderRef, args[3].status, limit=args[2].lmtPrice)
            for args in told
        ]

    def completed(self) -> list[OrderState]:
        """Orders that ended today."""
        told = self.since(
            "completedOrder", "completedOrdersEnd", lambda: self._wire("reqCompletedOrders", False)
        )
        return [OrderState(0, order.permId, order.orderRef, state.status) for _, order, state in told]

    def executions(self) -> list[Fill]:
        """Executions of today."""
        wanted = importlib.import_module("ibapi.execution").ExecutionFilter()
        req_id = self.asked("reqExecutions", wanted)
        self._wait("execDetailsEnd", req_id)
        fees = {one.execId: one.commissionAndFees for (one,) in self._all("commissionAndFeesReport")}
        return [
            Fill(
                one.execId, contract.conId, contract.secType, one.side, float(one.shares), one.price,
                one.permId, one.orderRef, fees.get(one.execId),
            )
            for _, contract, one in self._all("execDetails", req_id)
        ]  # fmt: skip

    def bind(self) -> None:
        """Orders made by hand belong to this client from now on."""
        self._wire("reqAutoOpenOrders", True)

    def bound(self) -> list[int]:
        """Ids that orders made by hand were given."""
        return [args[2] for args in self._all("orderBound")]
