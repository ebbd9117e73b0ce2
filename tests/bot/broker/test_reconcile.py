"""Reconciliation: all the broker knows, complete, whatever happened while nobody listened."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.events import CancelOrder, CommissionReported, Executed, OrderReported, PositionMoved, Reconciled
from market.contract import Contract, Right, SecurityType
from market.order import OrderStatus
from simulator.model import OrderState
from simulator.wire import Value
from tests.bot.broker.scripted import ACCOUNT, CALL, PUT, Desk, at_the_desk, option

REF = "alvh:1"


def position(desk: Desk, contract: Contract, quantity: float, printed: str, account: str = ACCOUNT) -> None:
    described: tuple[Value, ...] = (
        contract.con_id, contract.symbol, contract.security_type.value, printed, contract.strike,
        contract.right.value if contract.right else "", contract.multiplier, "", "USD", "",
        contract.trading_class,
    )  # fmt: skip
    desk.gateway.say(61, 3, account, *described, quantity, 100.0)


def test_everything_the_broker_lists_is_handed_over_at_once() -> None:
    async def script(desk: Desk) -> None:
        gateway = desk.gateway
        for ref in ("alvh:1", "alvh:2", "alvh:3"):
            await desk.place(ref)

        def positions(_: list[str]) -> None:
            position(desk, CALL, -2, "20200417")
            position(desk, PUT, 0, "20200417")
            gateway.say(62, 1)

        def open_orders(_: list[str]) -> None:
            gateway.open_order("alvh:1", OrderState.SUBMITTED)
            gateway.status("alvh:1", OrderState.SUBMITTED, filled=1.0)
            gateway.say(53, 1)

        def completed_orders(_: list[str]) -> None:
            gateway.completed("alvh:2", OrderState.FILLED, "Filled Size: 2", filled=2.0)
            gateway.completed("alvh:3", OrderState.INACTIVE, "Rejected by System: margin")
            gateway.say(102)

        def executions(fields: list[str]) -> None:
            gateway.executed("alvh:2", "0002.00.01", None, "BOT", 2, -1.35, request_id=int(fields[2]))
            gateway.executed("alvh:2", "0002.01.01", CALL, "SLD", 2, 7.0, request_id=int(fields[2]))
            gateway.commission("0002.01.01", 2.6)
            gateway.say(55, 1, fields[2])

        gateway.answers = {61: positions, 16: open_orders, 99: completed_orders, 7: executions}
        found = await desk.broker.reconcile()
        assert found.orders == (
            OrderReported("alvh:1", 900, OrderStatus.PARTIAL, 1),
            OrderReported("alvh:2", 901, OrderStatus.FILLED, 2, reason="Filled Size: 2"),
            OrderReported("alvh:3", 902, OrderStatus.REJECTED, 0, reason="Rejected by System: margin"),
        )
        assert found.positions == ((CALL.con_id, -2),)
        assert [execution.fill.exec_id for execution in found.executions] == ["0002.01.01"]
        assert found.commissions == (CommissionReported("0002.01.01", 2.6),)
        assert not [event for event in desk.take() if isinstance(event, Executed | CommissionReported)]

    at_the_desk(script)


def test_a_fill_while_disconnected_is_found_by_the_next_reconciliation() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.hang_up()
        await desk.settle()
        gateway = desk.gateway

        def executions(fields: list[str]) -> None:
            gateway.executed(REF, "0001.01.01", CALL, "SLD", 2, 7.0, request_id=int(fields[2]))
            gateway.say(55, 1, fields[2])

        def completed_orders(_: list[str]) -> None:
            gateway.completed(REF, OrderState.FILLED, "Filled Size: 2", filled=2.0)
            gateway.say(102)

        gateway.answers = {7: executions, 99: completed_orders}
        await desk.broker.connect()
        found = await desk.broker.reconcile()
        assert [(order.order_ref, order.status) for order in found.orders] == [(REF, OrderStatus.FILLED)]
        assert [execution.fill.order_ref for execution in found.executions] == [REF]

    at_the_desk(script)


def test_an_order_of_an_earlier_session_can_be_moved_and_cancelled_once_it_is_listed() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        gateway = desk.gateway

        def open_orders(_: list[str]) -> None:
            gateway.open_order(REF, OrderState.SUBMITTED)
            gateway.say(53, 1)

        gateway.answers = {16: open_orders}
        await desk.broker.connect()
        from bot.events import CancelOrder, ReplaceOrder

        desk.broker.replace(ReplaceOrder(REF, -1.20))
        desk.broker.cancel(CancelOrder(REF, "done"))
        await desk.settle()
        order = gateway.last_order()
        assert (order.order_id, order.limit_price, len(order.legs)) == (order_id, -1.20, 4)
        assert [fields[2] for fields in gateway.sent(4)] == [str(order_id)]

    at_the_desk(script)


def test_an_order_id_handed_out_again_never_attributes_one_order_to_another() -> None:
    async def script(desk: Desk) -> None:
        await desk.work("alvh:1")
        gateway = desk.gateway
        first = gateway.orders["alvh:1"]
        # After its restart the gateway knows another order under the same id.
        gateway.orders["alvh:other"] = first.__class__(
            first.request.__class__(
                **{name: getattr(first.request, name) for name in first.request.__slots__}
                | {"order_ref": "alvh:other"}
            ),
            777,
            OrderState.SUBMITTED,
        )
        gateway.open_order("alvh:other", OrderState.SUBMITTED)
        gateway.status("alvh:other", OrderState.FILLED, filled=2.0)
        await desk.settle()
        told = [event for event in desk.take() if isinstance(event, OrderReported)]
        assert [(event.order_ref, event.perm_id, event.status) for event in told] == [
            ("alvh:other", 777, OrderStatus.WORKING),
            ("alvh:other", 777, OrderStatus.FILLED),
        ]

    at_the_desk(script)


def ended_and_listed(desk: Desk, state: OrderState, *, end_again: bool = False) -> None:
    """The broker told an end; its list of open orders has it in `state`, and that of ended ones may too."""
    gateway = desk.gateway

    def open_orders(_: list[str]) -> None:
        gateway.open_order(REF, state)
        gateway.status(REF, state)
        gateway.say(53, 1)

    def completed_orders(_: list[str]) -> None:
        if end_again:
            gateway.completed(REF, OrderState.CANCELLED, "Cancelled by Trader")
        gateway.say(102)

    gateway.answers = {16: open_orders, 99: completed_orders}


def told(desk: Desk) -> list[OrderStatus]:
    """Statuses of orders told since the last call."""
    return [event.status for event in desk.take() if isinstance(event, OrderReported)]


@pytest.mark.parametrize("refused", [False, True])
def test_an_order_told_to_have_ended_and_listed_as_open_later_works_by_the_brokers_own_list(
    refused: bool,
) -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        if refused:
            desk.gateway.error(order_id, 201, "Order rejected")
        desk.gateway.status(REF, OrderState.CANCELLED)
        await desk.settle()
        end = OrderStatus.REJECTED if refused else OrderStatus.CANCELLED
        assert told(desk) == [end]
        # By itself it says nothing that counts: words may come late.
        desk.gateway.status(REF, OrderState.SUBMITTED)
        desk.gateway.open_order(REF, OrderState.SUBMITTED)
        await desk.settle()
        assert told(desk) == []
        ended_and_listed(desk, OrderState.SUBMITTED)
        found = await desk.broker.reconcile()
        assert found.orders == (OrderReported(REF, 900, OrderStatus.WORKING, 0),)
        # It can be cancelled again, and that end is told anew.
        desk.broker.cancel(CancelOrder(REF, "it had ended"))
        await desk.settle()
        assert len(desk.gateway.sent(4)) == 1
        desk.gateway.status(REF, OrderState.CANCELLED)
        await desk.settle()
        assert told(desk)[-1] is OrderStatus.CANCELLED

    at_the_desk(script)


@pytest.mark.parametrize(
    ("state", "end_again"),
    [
        (OrderState.PENDING_CANCEL, False),  # its cancellation is still on its way through the broker
        (OrderState.CANCELLED, False),
        (OrderState.SUBMITTED, True),  # the list of ended orders, which is younger, has it too
    ],
)
def test_a_list_that_does_not_show_it_at_work_leaves_an_ended_order_ended(
    state: OrderState, end_again: bool
) -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.status(REF, OrderState.CANCELLED)
        await desk.settle()
        desk.take()
        ended_and_listed(desk, state, end_again=end_again)
        found = await desk.broker.reconcile()
        assert {order.status for order in found.orders} == {OrderStatus.CANCELLED}
        assert told(desk) == []

    at_the_desk(script)


def test_an_end_told_while_open_orders_are_listed_stands_whatever_the_list_says_behind_it() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        gateway = desk.gateway

        def open_orders(_: list[str]) -> None:
            gateway.status(REF, OrderState.CANCELLED)
            gateway.open_order(REF, OrderState.SUBMITTED)
            gateway.say(53, 1)

        gateway.answers = {16: open_orders}
        found = await desk.broker.reconcile()
        assert [order.status for order in found.orders] == [OrderStatus.CANCELLED]

    at_the_desk(script)


def test_an_order_at_work_told_behind_the_list_of_open_ones_answers_no_question() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        gateway = desk.gateway
        gateway.status(REF, OrderState.CANCELLED)
        await desk.settle()

        def open_orders(_: list[str]) -> None:
            gateway.say(53, 1)
            gateway.open_order(REF, OrderState.SUBMITTED)

        gateway.answers = {16: open_orders}
        found = await desk.broker.reconcile()
        assert [order.status for order in found.orders] == [OrderStatus.CANCELLED]

    at_the_desk(script)


def test_two_orders_under_one_reference_are_both_listed() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        gateway = desk.gateway

        def open_orders(_: list[str]) -> None:
            gateway.open_order(REF, OrderState.SUBMITTED)
            twin = gateway.orders[REF]
            gateway.orders[REF] = twin.__class__(twin.request, 555, OrderState.SUBMITTED)
            gateway.open_order(REF, OrderState.SUBMITTED)
            gateway.say(53, 1)

        gateway.answers = {16: open_orders}
        found = await desk.broker.reconcile()
        assert sorted(order.perm_id for order in found.orders) == [555, 900]

    at_the_desk(script)


def test_settled_contracts_and_combo_lines_are_no_positions() -> None:
    expired = option(2500, Right.PUT, 31)
    vix = Contract(SecurityType.OPTION, "VIX", "VIX", None, 20.0, Right.CALL, 100, con_id=32)
    future = Contract(SecurityType.FUTURE, "VIX", "VX", None, multiplier=1000, con_id=33)

    async def script(desk: Desk) -> None:
        def positions(_: list[str]) -> None:
            position(desk, expired, -1, "20200318")
            position(desk, vix, 3, "20200317")  # last traded on Tuesday, settled on Wednesday morning
            position(desk, future, 1, "20200415")
            desk.gateway.say(
                61, 3, ACCOUNT, 28812380, "SPX", "BAG", "", 0.0, "", "", "", "USD", "", "", 2, 1.0
            )
            desk.gateway.say(62, 1)

        desk.gateway.answers = {61: positions}
        assert (await desk.broker.reconcile()).positions == expected

    expected: tuple[tuple[int, int], ...] = ((31, -1), (32, 3), (33, 1))
    before = datetime(2020, 3, 18, 13, 20, tzinfo=UTC)
    at_the_desk(script, start=before)
    expected = ((31, -1), (33, 1))
    at_the_desk(script, start=datetime(2020, 3, 18, 13, 35, tzinfo=UTC))
    expected = ((33, 1),)
    at_the_desk(script, start=datetime(2020, 3, 18, 20, 5, tzinfo=UTC))


def test_a_position_of_a_kind_we_do_not_know_is_listed_all_the_same() -> None:
    async def script(desk: Desk) -> None:
        def positions(_: list[str]) -> None:
            desk.gateway.say(
                61, 3, ACCOUNT, 4711, "T 2 1/2", "BOND", "", 0.0, "", "", "", "USD", "", "", 5, 99.0
            )
            desk.gateway.say(62, 1)

        desk.gateway.answers = {61: positions}
        assert (await desk.broker.reconcile()).positions == ((4711, 5),)

    at_the_desk(script)


def test_nothing_known_is_an_answer_of_its_own() -> None:
    async def script(desk: Desk) -> None:
        assert await desk.broker.reconcile() == Reconciled((), (), (), ())

    at_the_desk(script)


def test_two_reconciliations_at_once_take_turns() -> None:
    async def script(desk: Desk) -> None:
        first, second = await asyncio.gather(desk.broker.reconcile(), desk.broker.reconcile())
        assert first == second
        assert len(desk.gateway.sent(61)) == 3

    at_the_desk(script)


@pytest.mark.parametrize("muted", [61, 16, 99, 7])
def test_a_list_cut_short_is_a_failure_and_the_next_one_succeeds(muted: int) -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.muted.add(muted)
        with pytest.raises(Exception, match="did not finish answering"):
            await desk.broker.reconcile()
        desk.gateway.muted.clear()
        assert await desk.broker.reconcile() == Reconciled((), (), (), ())

    at_the_desk(script, request_timeout_s=1.0)


def test_a_position_nobody_asked_for_is_told_and_that_of_a_combo_line_is_not() -> None:
    async def script(desk: Desk) -> None:
        position(desk, CALL, -2, "20200417")
        desk.gateway.say(61, 3, ACCOUNT, 28812380, "SPX", "BAG", "", 0.0, "", "", "", "USD", "", "", 2, 1.0)
        await asyncio.sleep(0.1)
        assert desk.take() == [PositionMoved(CALL.con_id, -2)]

    at_the_desk(script)
