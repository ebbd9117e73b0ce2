"""Account and orders through the two asyncio libraries."""

from typing import Any

from tests.compat.asyncio_driver import Desk, known
from tests.compat.driver import until
from tests.compat.values import ACCOUNT, Fill, OrderState, Spec, Ticket


def _state(trade: Any) -> OrderState:
    order, status = trade.order, trade.orderStatus
    return OrderState(
        order.orderId, order.permId, order.orderRef, status.status, float(status.filled),
        float(status.remaining), float(order.lmtPrice),
    )  # fmt: skip


class AsyncioAccount(Desk):
    """Money and positions."""

    def values(self) -> dict[str, str]:
        """Account values in the account's currency."""
        self._ask("reqAccountUpdatesAsync", ACCOUNT)
        return {one.tag: one.value for one in self._do(self._ib.accountValues) if one.currency == "USD"}

    def portfolio(self) -> dict[int, tuple[float, float]]:
        """Positions as the portfolio tells them."""
        items = self._do(self._ib.portfolio)
        return {one.contract.conId: (float(one.position), float(one.averageCost)) for one in items}

    def summary(self) -> dict[str, str]:
        """The summary, whose subscription is given up again."""
        rows = self._ask("accountSummaryAsync")
        (req_id,) = self._do(lambda: [self._client.ib.client.getReqId() - 1])
        self._client.wire("cancelAccountSummary", req_id)
        return {one.tag: one.value for one in rows}

    def several(self) -> dict[str, str]:
        """Values of a model's account, whose subscription is given up again."""
        self._ask("reqAccountUpdatesMultiAsync", ACCOUNT, "")
        (req_id,) = self._do(lambda: [self._client.ib.client.getReqId() - 1])
        self._client.wire("cancelAccountUpdatesMulti", req_id)
        return {one.tag: one.value for one in self._do(self._ib.accountValues) if one.currency == "USD"}

    def positions(self) -> dict[int, tuple[float, float]]:
        """What is held."""
        held = self._ask("reqPositionsAsync")
        self._client.wire("cancelPositions")
        return {one.contract.conId: (float(one.position), float(one.avgCost)) for one in held}

    def pnl(self) -> tuple[float, float, float]:
        """Of the day, unrealised, realised."""
        told = self._do(self._ib.reqPnL, ACCOUNT)
        until(lambda: known(told.dailyPnL) is not None, "for profit and loss")
        self._do(self._ib.cancelPnL, ACCOUNT)
        return float(told.dailyPnL), float(told.unrealizedPnL), float(told.realizedPnL)

    def pnl_single(self, con_id: int) -> tuple[float, ...]:
        """Quantity, of the day, unrealised, realised, value."""
        told = self._do(self._ib.reqPnLSingle, ACCOUNT, "", con_id)
        until(lambda: known(told.dailyPnL) is not None, "for profit and loss of a position")
        self._do(self._ib.cancelPnLSingle, ACCOUNT, "", con_id)
        return float(told.position), told.dailyPnL, told.unrealizedPnL, told.realizedPnL, told.value


class AsyncioOrders(Desk):
    """Orders and executions."""

    def place(self, spec: Spec, ticket: Ticket, order_id: int | None = None) -> int:
        """Place an order, or change the one of this id."""
        order = self._client.order(ticket)
        if order_id is not None:
            order.orderId = order_id
        trade = self._do(self._ib.placeOrder, self._client.contract(spec), order)
        return int(trade.order.orderId)

    def what_if(self, spec: Spec, ticket: Ticket) -> tuple[float, float]:
        """Change of initial margin, commission."""
        contract, order = self._client.contract(spec), self._client.order(ticket)
        state = self._ask("whatIfOrderAsync", contract, order)
        return float(state.initMarginChange), float(state.commission)

    def cancel(self, order_id: int) -> None:
        """Cancel one."""
        trade = next(one for one in self._do(self._ib.trades) if one.order.orderId == order_id)
        self._do(self._ib.cancelOrder, trade.order)

    def cancel_all(self) -> None:
        """Cancel every one."""
        self._do(self._ib.reqGlobalCancel)

    def state(self, order_id: int) -> OrderState | None:
        """The order as the library has it."""
        found = [one for one in self._do(self._ib.trades) if one.order.orderId == order_id]
        return _state(found[-1]) if found else None

    def working(self, *, everybody: bool) -> list[OrderState]:
        """Working orders, of this client or of all."""
        name = "reqAllOpenOrdersAsync" if everybody else "reqOpenOrdersAsync"
        return [_state(trade) for trade in self._ask(name)]

    def completed(self) -> list[OrderState]:
        """Orders that ended today."""
        return [_state(trade) for trade in self._ask("reqCompletedOrdersAsync", False)]

    def executions(self) -> list[Fill]:
        """Executions of today. What the request gives lacks the fees, which the library keeps elsewhere."""
        self._ask("reqExecutionsAsync")
        return [
            Fill(
                one.execution.execId, one.contract.conId, one.contract.secType, one.execution.side,
                float(one.execution.shares), float(one.execution.price), one.execution.permId,
                one.execution.orderRef,
                one.commissionReport.commission if one.commissionReport.execId else None,
            )
            for one in self._do(self._ib.fills)
        ]  # fmt: skip

    def bind(self) -> None:
        """Orders made by hand belong to this client from now on."""
        self._do(self._ib.reqAutoOpenOrders, True)

    def bound(self) -> list[int]:
        """Ids of orders that are known and were given by the gateway."""
        return [one.order.orderId for one in self._do(self._ib.trades) if one.order.orderId < 0]
