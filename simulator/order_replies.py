"""openOrder, orderStatus and completedOrder: an order as the venue sees it, told to its clients.

Everything the venue does not interpret is echoed from the client's own message, so that a client which
reconnects finds the order exactly as it was placed.
"""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from simulator.model import Instrument, OrderRequest, WhatIfAnswer, WorkingOrder
from simulator.order_fields import COMPLETED_ORDER, CONTRACT11, OPEN_ORDER, Record, echo, render
from simulator.replies import ZONE_NAME, bag_fields, contract_fields
from simulator.wire import message, text

Find = Callable[[int], Instrument | None]

_ZONE = ZoneInfo(ZONE_NAME)


def open_order(version: int, order: WorkingOrder, find: Find) -> str:
    """The openOrder message of a working or ended order."""
    record = _record(order.request, order.perm_id, find)
    record |= {
        "status": order.state.value,
        "what_if": "0",
        "commission_currency": "",
        "warning": order.reason,
    }
    return message(5, *render(OPEN_ORDER, record, version))


def what_if(version: int, answer: WhatIfAnswer, equity_before: float, find: Find) -> str:
    """The one openOrder that answers a what-if request, margins and commission filled in. Amounts in USD."""
    record = _record(answer.request, answer.perm_id, find)
    amounts = {
        "init_margin_before": answer.init_margin_after - answer.init_margin_change,
        "maint_margin_before": answer.maint_margin_after - answer.maint_margin_change,
        "equity_before": equity_before,
        "init_margin_change": answer.init_margin_change,
        "maint_margin_change": answer.maint_margin_change,
        "equity_change": answer.equity_after - equity_before,
        "init_margin_after": answer.init_margin_after,
        "maint_margin_after": answer.maint_margin_after,
        "equity_after": answer.equity_after,
        "commission": answer.commission,
    }
    record |= {name: text(round(amount, 6)) for name, amount in amounts.items()}
    record |= {
        "status": "PreSubmitted",
        "what_if": "1",
        "commission_currency": answer.request.currency or "USD",
    }
    return message(5, *render(OPEN_ORDER, record, version))


def order_status(order: WorkingOrder) -> str:
    """The orderStatus message."""
    request = order.request
    parent = echo(request.raw).get("parent_id", "0")
    return message(
        3, request.order_id, order.state.value, order.filled, order.remaining, order.average_price,
        order.perm_id, parent if isinstance(parent, str) else "0", order.last_price, request.client_id,
        "", 0.0, )  # fmt: skip


def completed_order(version: int, order: WorkingOrder, find: Find) -> str:
    """The completedOrder message, which knows neither order id nor client id."""
    record = _record(order.request, order.perm_id, find)
    ended = order.completed_at
    record |= {
        "status": order.state.value,
        "filled_quantity": text(order.filled),
        "auto_cancel_date": "",
        "completed_time": "" if ended is None else f"{ended.astimezone(_ZONE):%Y%m%d %H:%M:%S} {ZONE_NAME}",
        "completed_status": order.completed_status,
    }
    return message(101, *render(COMPLETED_ORDER, record, version))


def _record(request: OrderRequest, perm_id: int, find: Find) -> Record:
    record: Record = dict(_echo(request))
    names = [name for name in CONTRACT11 if isinstance(name, str)]
    record |= dict(zip(names, _contract(request, find), strict=True))
    record |= {
        "order_id": str(request.order_id),
        "client_id": str(request.client_id),
        "perm_id": str(perm_id),
        "action": request.action,
        "quantity": text(request.quantity),
        "order_type": request.order_type,
        "limit_price": text(0.0 if request.limit_price is None else request.limit_price),
        "aux_price": text(0.0 if request.aux_price is None else request.aux_price),
        "tif": request.tif or "DAY",
        "account": request.account,
        "order_ref": request.order_ref,
        "outside_rth": text(request.outside_rth),
        "legs": [
            (str(leg.con_id), str(leg.ratio), leg.action, leg.exchange, "0", "0", "", "-1")
            for leg in request.legs
        ],
        "leg_prices": [(text(price),) for price in request.leg_prices],
        "smart_combo": list(request.smart_combo),
        "legs_description": ",".join(
            [f"{leg.con_id}|{leg.ratio if leg.action == 'BUY' else -leg.ratio}" for leg in request.legs]
        ),
    }
    return record


def _echo(request: OrderRequest) -> Mapping[str, str | list[tuple[str, ...]]]:
    # Filled in by the broker when an order comes back, not by the client.
    return {name: value for name, value in echo(request.raw).items() if name not in {"volatility", "what_if"}}


def _contract(request: OrderRequest, find: Find) -> list[str]:
    instrument = find(request.con_id) if request.con_id else None
    if instrument is not None:
        values = contract_fields(instrument, request.exchange)
    elif request.security_type == "BAG":
        values = bag_fields(request.symbol, request.exchange, request.currency)
    else:
        # A refused order may name a contract nobody knows.
        values = (
            request.con_id, request.symbol, request.security_type, "", 0.0, "", "", request.exchange,
            request.currency, "", "",
        )  # fmt: skip
    return [text(value) for value in values]
