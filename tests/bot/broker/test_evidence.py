"""The broker's evidence about an order: what is believed, and what never is."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bot.broker.compat import LIBRARY_NAME
from bot.broker.evidence import STATUS_GRACE_S
from bot.events import (
    CommissionReported,
    Event,
    Executed,
    OrderReported,
    ReplaceOrder,
)
from market.order import OrderStatus
from simulator.model import OrderState
from tests.bot.broker.scripted import (
    CALL,
    PUT_WING,
    Desk,
    at_the_desk,
)

REF = "alvh:1"


def statuses(events: list[Event]) -> list[tuple[OrderStatus, int, int]]:
    return [(event.status, event.filled, event.code) for event in events if isinstance(event, OrderReported)]


def test_an_acknowledged_order_is_told_once_however_often_the_broker_repeats_itself() -> None:
    async def script(desk: Desk) -> None:
        await desk.place()
        for _ in range(3):
            desk.gateway.open_order(REF, OrderState.PRE_SUBMITTED)
            desk.gateway.status(REF, OrderState.PRE_SUBMITTED)
        await desk.settle()
        told = desk.take()
        assert told == [OrderReported(REF, 900, OrderStatus.WORKING)]

    at_the_desk(script)


def test_the_whole_life_of_an_order_is_told_step_by_step() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.status(REF, OrderState.SUBMITTED, filled=1.0)
        desk.gateway.status(REF, OrderState.PENDING_CANCEL)
        desk.gateway.status(REF, OrderState.CANCELLED)
        desk.gateway.error(desk.gateway.last_order().order_id, 202, "Order Canceled - reason:")
        desk.gateway.open_order(REF, OrderState.SUBMITTED)
        await desk.settle(STATUS_GRACE_S * 3)
        assert statuses(desk.take()) == [
            (OrderStatus.PARTIAL, 1, 0),
            (OrderStatus.CANCEL_SENT, 1, 0),
            (OrderStatus.CANCELLED, 1, 0),
        ]

    at_the_desk(script)


def test_a_fill_needs_no_status_before_it() -> None:
    async def script(desk: Desk) -> None:
        await desk.place()
        desk.gateway.executed(REF, "0001.01.01", CALL, "SLD", 2, 7.1)
        await desk.settle()
        told = desk.take()
        assert len(told) == 1
        assert isinstance(told[0], Executed)
        fill = told[0].fill
        assert (fill.order_ref, fill.perm_id, fill.con_id, fill.quantity, fill.price) == (
            REF,
            900,
            3,
            -2,
            7.1,
        )
        assert fill.time == datetime(2020, 3, 16, 14, 0, 1, tzinfo=UTC)
        assert told[0].contract == CALL

    at_the_desk(script)


def test_the_line_of_the_combo_itself_is_not_a_fill() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.executed(REF, "0001.00.01", None, "BOT", 2, -1.35)
        desk.gateway.executed(REF, "0001.01.01", PUT_WING, "BOT", 2, 3.0)
        await desk.settle()
        assert [event.fill.quantity for event in desk.take() if isinstance(event, Executed)] == [2]

    at_the_desk(script)


def test_an_execution_without_a_reference_finds_its_order() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        desk.gateway.executed(REF, "0001.01.01", CALL, "SLD", 2, 7.1, tells_ref=False)
        await desk.settle()
        assert [event.fill.order_ref for event in desk.take() if isinstance(event, Executed)] == [REF]

    at_the_desk(script)


def test_corrections_and_repeats_are_handed_over_as_they_come() -> None:
    async def script(desk: Desk) -> None:
        await desk.work()
        for exec_id in ("0001.01.01", "0001.01.01", "0001.01.02"):
            desk.gateway.executed(REF, exec_id, CALL, "SLD", 2, 7.1)
        await desk.settle()
        told = [event.fill.exec_id for event in desk.take() if isinstance(event, Executed)]
        assert told == ["0001.01.01", "0001.01.01", "0001.01.02"]

    at_the_desk(script)


@pytest.mark.parametrize("amount", [-1, 1.7976931348623157e308, "nan", "inf", 5e9])
def test_a_commission_that_is_not_known_yet_is_not_told(amount: float | str) -> None:
    async def script(desk: Desk) -> None:
        desk.gateway.commission("0001.01.01", amount)
        desk.gateway.commission("0001.01.01", 1.3, "EUR")
        desk.gateway.commission("0001.01.01", 2.64)
        await desk.settle()
        assert desk.take() == [CommissionReported("0001.01.01", 2.64)]

    at_the_desk(script)


# ---------------------------------------------------------------- errors that are not evidence


@pytest.mark.parametrize("code", [399, 404, 10349, 2109, 2137, 2161])
def test_a_warning_leaves_a_working_order_alone(code: int) -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.error(order_id, code)
        await desk.settle(STATUS_GRACE_S * 3)
        assert desk.take() == []

    at_the_desk(script)


@pytest.mark.parametrize("code", [104, 161, 10147, 10148])
def test_a_contradiction_makes_an_order_unknown_and_never_cancelled(code: int) -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.error(order_id, code)
        await desk.settle()
        assert statuses(desk.take()) == [(OrderStatus.UNKNOWN, 0, code)]
        desk.gateway.status(REF, OrderState.FILLED, filled=2.0)
        await desk.settle()
        assert [status for status, *_ in statuses(desk.take())] == [OrderStatus.FILLED]

    at_the_desk(script)


@pytest.mark.parametrize(
    "code", [103, 105, 106, 107, 109, 110, 201, 203, 321, 322, 329, 434, 451, 10058, 10197]
)
def test_an_error_that_no_status_explains_makes_an_order_unknown_after_a_moment(code: int) -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.error(order_id, code, "text")
        await desk.settle(STATUS_GRACE_S / 2)
        assert desk.take() == []
        await desk.settle(STATUS_GRACE_S)
        told = desk.take()
        assert statuses(told) == [(OrderStatus.UNKNOWN, 0, code)]
        assert isinstance(told[0], OrderReported)
        assert told[0].reason == "text"

    at_the_desk(script)


@pytest.mark.parametrize("code", [105, 110, 201, 321, 329])
def test_a_refused_move_leaves_the_order_working_when_the_broker_says_so(code: int) -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.broker.replace(ReplaceOrder(REF, -1.0))
        await desk.settle()
        desk.gateway.error(order_id, code)
        desk.gateway.open_order(REF, OrderState.SUBMITTED)
        await desk.settle(STATUS_GRACE_S * 3)
        assert desk.take() == []

    at_the_desk(script)


@pytest.mark.parametrize("state", [OrderState.INACTIVE, OrderState.CANCELLED])
@pytest.mark.parametrize("first", ["error", "status"])
@pytest.mark.parametrize("code", [110, 201, 203])
def test_a_rejection_is_believed_when_status_and_error_have_both_come(
    code: int, first: str, state: OrderState
) -> None:
    async def script(desk: Desk) -> None:
        fields = await desk.place()
        told: list[Callable[[], None]] = [
            lambda: desk.gateway.error(int(fields[1]), code, "Order rejected - reason:margin"),
            lambda: desk.gateway.status(REF, state),
        ]
        for tell in told if first == "error" else reversed(told):
            tell()
        await desk.settle(STATUS_GRACE_S * 3)
        last = desk.take()[-1]
        assert isinstance(last, OrderReported)
        if first == "error":
            assert (last.status, last.code) == (OrderStatus.REJECTED, code)
            assert "margin" in last.reason
        elif state is OrderState.CANCELLED:
            assert last.status is OrderStatus.CANCELLED
        else:
            assert last.status is OrderStatus.UNKNOWN

    at_the_desk(script)


def test_an_order_held_as_inactive_counts_as_live() -> None:
    async def script(desk: Desk) -> None:
        await desk.place()
        desk.gateway.open_order(REF, OrderState.INACTIVE)
        await desk.settle()
        told = desk.take()
        assert statuses(told) == [(OrderStatus.WORKING, 0, 0)]
        assert isinstance(told[0], OrderReported)
        assert told[0].reason == "Inactive"

    at_the_desk(script)


def test_a_partly_filled_order_is_cancelled_and_never_rejected() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.status(REF, OrderState.SUBMITTED, filled=1.0)
        desk.gateway.error(order_id, 201)
        desk.gateway.status(REF, OrderState.INACTIVE)
        await desk.settle()
        assert statuses(desk.take())[-1][:2] == (OrderStatus.CANCELLED, 1)

    at_the_desk(script)


def test_a_loss_of_the_broker_told_with_an_order_id_is_no_evidence() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.error(order_id, 1100)
        await desk.settle(STATUS_GRACE_S * 2)
        assert statuses(desk.take()) == []

    at_the_desk(script)


def test_a_state_nobody_knows_makes_an_order_unknown() -> None:
    async def script(desk: Desk) -> None:
        order_id = await desk.work()
        desk.gateway.say(3, order_id, "Sideways", 0.0, 2.0, 0.0, 900, 0, 0.0, 442, "", 0.0)
        await desk.settle()
        assert statuses(desk.take()) == [(OrderStatus.UNKNOWN, 0, 0)]

    at_the_desk(script)


def test_the_adapter_runs_on_the_library_that_is_installed() -> None:
    assert LIBRARY_NAME in {"ib_async", "ib_insync"}
