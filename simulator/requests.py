"""Every message a client may send, decoded by one table into the values of client_messages.py or an
OrderRequest.

A message with fields missing or left over is refused: acting on a misread order is worse than an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from math import inf, isnan
from typing import Any

from simulator import client_messages as ask
from simulator.model import OrderLeg, OrderRequest
from simulator.order_fields import PLACE_ORDER, DecodeError, Record, VersionMismatchError, count, parse


class _Cursor:
    __slots__ = ("_fields", "_next", "bag")

    def __init__(self, message: Sequence[str], start: int) -> None:
        self._fields = message
        self._next = start
        self.bag = False

    def text(self) -> str:
        if self._next >= len(self._fields):
            raise DecodeError(f"the message ends after {len(self._fields)} fields")
        self._next += 1
        return self._fields[self._next - 1]

    def left(self) -> int:
        return len(self._fields) - self._next


def _integer(cursor: _Cursor) -> int:
    return _as_integer(cursor.text())


def _as_integer(field: str) -> int:
    if len(field) > 20:
        raise DecodeError(f"{field[:20]!r}... is no integer")
    return int(field)


def _number(cursor: _Cursor) -> float:
    return _as_number(cursor.text()) or 0.0


def _as_number(field: str) -> float | None:
    if not field:
        return None
    if field == "Infinite":
        return inf
    value = float(field)
    if isnan(value):
        raise DecodeError("a number is NaN")
    return value if abs(value) < 1e300 else None


def _flag(cursor: _Cursor) -> bool:
    return cursor.text() not in {"", "0", "False", "false"}


def _text(cursor: _Cursor) -> str:
    return cursor.text()


def _contract(cursor: _Cursor) -> ask.ContractQuery:
    con_id, symbol, kind, expiry, strike, *rest = [cursor.text() for _ in range(12)]
    cursor.bag = kind == "BAG"
    return ask.ContractQuery(
        _as_integer(con_id or "0"), symbol, kind, expiry, _as_number(strike) or 0.0, *rest
    )


def _legs(cursor: _Cursor) -> ask.Legs:
    if not cursor.bag:
        return ()
    number = count(cursor.text())
    return tuple(
        [OrderLeg(_integer(cursor), _integer(cursor), cursor.text(), cursor.text()) for _ in range(number)]
    )


def _hedge(cursor: _Cursor) -> ask.Hedge:
    return ask.Hedge(_integer(cursor), cursor.text(), cursor.text()) if _flag(cursor) else ask.Hedge()


def _calculation_options(cursor: _Cursor) -> ask.CalculationOptions:
    first = cursor.text()
    return ask.CalculationOptions(cursor.text() if cursor.left() else first)


_READERS: Mapping[Any, Callable[[_Cursor], Any]] = {
    int: _integer,
    float: _number,
    bool: _flag,
    str: _text,
    ask.ContractQuery: _contract,
    ask.Legs: _legs,
    ask.Hedge: _hedge,
    ask.CalculationOptions: _calculation_options,
}


@dataclass(frozen=True, slots=True)
class _Shape:
    request: type[Any]
    versioned: bool = True  # a version field of its own follows the message id
    since: int = 0  # the last field exists from this server version on


_SHAPES: Mapping[int, _Shape] = {
    1: _Shape(ask.RequestMarketData),
    2: _Shape(ask.CancelMarketData),
    4: _Shape(ask.CancelOrder, since=169),
    5: _Shape(ask.RequestOpenOrders),
    6: _Shape(ask.RequestAccountUpdates),
    7: _Shape(ask.RequestExecutions),
    8: _Shape(ask.RequestIds),
    9: _Shape(ask.RequestContractDetails, since=176),
    14: _Shape(ask.SetServerLogLevel),
    15: _Shape(ask.RequestAutoOpenOrders),
    16: _Shape(ask.RequestAllOpenOrders),
    17: _Shape(ask.RequestManagedAccounts),
    20: _Shape(ask.RequestHistory, versioned=False),
    25: _Shape(ask.CancelHistory),
    49: _Shape(ask.RequestCurrentTime),
    50: _Shape(ask.RequestRealTimeBars),
    51: _Shape(ask.CancelRealTimeBars),
    54: _Shape(ask.RequestImpliedVolatility),
    55: _Shape(ask.RequestOptionPrice),
    58: _Shape(ask.GlobalCancel),
    59: _Shape(ask.RequestMarketDataType),
    61: _Shape(ask.RequestPositions),
    62: _Shape(ask.RequestAccountSummary),
    63: _Shape(ask.CancelAccountSummary),
    64: _Shape(ask.CancelPositions),
    71: _Shape(ask.StartApi),
    76: _Shape(ask.RequestAccountUpdatesMulti),
    77: _Shape(ask.CancelAccountUpdatesMulti),
    78: _Shape(ask.RequestOptionParameters, versioned=False),
    81: _Shape(ask.RequestMatchingSymbols, versioned=False),
    87: _Shape(ask.RequestHeadTimestamp, versioned=False),
    90: _Shape(ask.CancelHeadTimestamp, versioned=False),
    91: _Shape(ask.RequestMarketRule, versioned=False),
    92: _Shape(ask.RequestPnl, versioned=False),
    93: _Shape(ask.CancelPnl, versioned=False),
    94: _Shape(ask.RequestPnlSingle, versioned=False),
    95: _Shape(ask.CancelPnlSingle, versioned=False),
    97: _Shape(ask.RequestTickByTick, versioned=False),
    98: _Shape(ask.CancelTickByTick, versioned=False),
    99: _Shape(ask.RequestCompletedOrders, versioned=False),
}

_PLACE_ORDER_ID = 3

#: Name and place of the request id (0: it has none) of what is known and not answered.
_UNSERVED: Mapping[int, tuple[str, int]] = {
    10: ("reqMktDepth", 2), 11: ("cancelMktDepth", 2), 12: ("reqNewsBulletins", 0),
    13: ("cancelNewsBulletins", 0),
    18: ("requestFA", 0), 19: ("replaceFA", 0), 21: ("exerciseOptions", 2), 22: ("reqScannerSubscription", 1),
    23: ("cancelScannerSubscription", 2), 24: ("reqScannerParameters", 0), 52: ("reqFundamentalData", 2),
    53: ("cancelFundamentalData", 2), 56: ("cancelCalculateImpliedVolatility", 2),
    57: ("cancelCalculateOptionPrice", 2), 65: ("verifyRequest", 0), 66: ("verifyMessage", 0),
    67: ("queryDisplayGroups", 2), 68: ("subscribeToGroupEvents", 2), 69: ("updateDisplayGroup", 2),
    70: ("cancelGroupEvents", 2), 72: ("verifyAndAuthRequest", 0), 73: ("verifyAndAuthMessage", 0),
    74: ("reqPositionsMulti", 2), 75: ("cancelPositionsMulti", 2), 79: ("reqSoftDollarTiers", 1),
    80: ("reqFamilyCodes", 0), 82: ("reqMktDepthExchanges", 0), 83: ("reqSmartComponents", 1),
    84: ("reqNewsArticle", 1), 85: ("reqNewsProviders", 0), 86: ("reqHistoricalNews", 1),
    88: ("reqHistogramData", 1),
    89: ("cancelHistogramData", 1), 96: ("reqHistoricalTicks", 1), 100: ("reqWshMetaData", 1),
    101: ("cancelWshMetaData", 1), 102: ("reqWshEventData", 1), 103: ("cancelWshEventData", 1),
    104: ("reqUserInfo", 1),
}  # fmt: skip


def decode(message: Sequence[str], version: int, client_id: int) -> Any:
    """The request behind a message's fields (message id first) at the agreed server version.

    Raises VersionMismatchError on leftover fields and DecodeError on anything else that does not read.
    """
    try:
        number = _as_integer(message[0]) if message else -1
        if number == _PLACE_ORDER_ID:
            return _order(message, version, client_id)
        if number in _UNSERVED:
            name, _ = _UNSERVED[number]
            return ask.Unserved(subject(message), name, quiet=name.startswith("cancel"))
        if number not in _SHAPES:
            raise DecodeError(f"unknown message id {number}")
        return _request(_SHAPES[number], message, version)
    except DecodeError:
        raise
    except ValueError as error:
        raise DecodeError(str(error)) from None


def subject(message: Sequence[str]) -> int:
    """The request or order id of a message that may be unreadable otherwise; -1 when there is none."""
    try:
        number = int(message[0])
        if number == _PLACE_ORDER_ID:
            place = 1
        elif number in _UNSERVED:
            place = _UNSERVED[number][1]
        else:
            names = fields(_SHAPES[number].request)
            has_id = bool(names) and names[0].name in {"req_id", "order_id"}
            place = (2 if _SHAPES[number].versioned else 1) if has_id else 0
        return _as_integer(message[place]) if place else -1
    except (IndexError, KeyError, ValueError):
        return -1


def _request(shape: _Shape, message: Sequence[str], version: int) -> Any:
    cursor = _Cursor(message, 2 if shape.versioned else 1)
    values = []
    for field in fields(shape.request):
        if version < shape.since and field.default is not MISSING:
            break
        values.append(_READERS[field.type](cursor))
    if cursor.left():
        raise VersionMismatchError(f"{cursor.left()} fields left over at version {version}")
    return shape.request(*values)


def _order(message: Sequence[str], version: int, client_id: int) -> OrderRequest:
    record = parse(PLACE_ORDER, message[1:], version)
    bag = record["security_type"] == "BAG"
    request = OrderRequest(
        client_id=client_id,
        order_id=_as_integer(_field(record, "order_id")),
        account=_field(record, "account"),
        con_id=0 if bag else _as_integer(_field(record, "con_id") or "0"),
        symbol=_field(record, "symbol"),
        security_type=_field(record, "security_type"),
        exchange=_field(record, "exchange"),
        currency=_field(record, "currency"),
        action=_field(record, "action"),
        quantity=_as_number(_field(record, "quantity")) or 0.0,
        order_type=_field(record, "order_type"),
        limit_price=_as_number(_field(record, "limit_price")),
        aux_price=_as_number(_field(record, "aux_price")),
        tif=_field(record, "tif"),
        order_ref=_field(record, "order_ref"),
        transmit=_field(record, "transmit") != "0",
        what_if=_field(record, "what_if") == "1",
        outside_rth=_field(record, "outside_rth") == "1",
        good_till=_field(record, "good_till_date"),
        algo=_field(record, "algo_strategy"),
        algo_params=_pairs(record.get("algo_params", ())),
        raw=(str(version), *message[1:]),
    )
    return replace(request, **_combo(record)) if bag else request


def _combo(record: Record) -> dict[str, Any]:
    legs, prices, smart = record["legs"], record["leg_prices"], record["smart_combo"]
    return {
        "legs": tuple([OrderLeg(_as_integer(row[0]), _as_integer(row[1]), row[2], row[3]) for row in legs]),
        "leg_prices": tuple([price for row in prices if (price := _as_number(row[0])) is not None]),
        "smart_combo": _pairs(smart),
    }


def _pairs(rows: str | Sequence[tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    return () if isinstance(rows, str) else tuple([(row[0], row[1]) for row in rows])


def _field(record: Record, name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise DecodeError(f"{name} is no single field")
    return value
