"""Requests, decoded from the bytes of the client library's own encoder."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import ComboLeg, Contract, LimitOrder, Order, TagValue
from ib_async.contract import DeltaNeutralContract
from ib_async.objects import ExecutionFilter
from ib_async.order import (
    ExecutionCondition,
    MarginCondition,
    OrderComboLeg,
    PercentChangeCondition,
    PriceCondition,
    TimeCondition,
    VolumeCondition,
)

from simulator import client_messages as ask
from simulator.model import OrderLeg, OrderRequest
from simulator.order_fields import DecodeError, VersionMismatchError, echo
from simulator.requests import decode, subject
from tests.simulator.client_library import encoded

SPX = Contract(secType="IND", symbol="SPX", exchange="CBOE", currency="USD")
CONDOR = Contract(
    symbol="SPX",
    secType="BAG",
    exchange="SMART",
    currency="USD",
    comboLegs=[
        ComboLeg(conId=11, ratio=1, action="BUY", exchange="SMART"),
        ComboLeg(conId=12, ratio=1, action="SELL", exchange="SMART"),
        ComboLeg(conId=13, ratio=1, action="SELL", exchange="SMART"),
        ComboLeg(conId=14, ratio=2, action="BUY", exchange="CBOE"),
    ],
)
LEGS = (
    OrderLeg(11, 1, "BUY", "SMART"),
    OrderLeg(12, 1, "SELL", "SMART"),
    OrderLeg(13, 1, "SELL", "SMART"),
    OrderLeg(14, 2, "BUY", "CBOE"),
)
INDEX = ask.ContractQuery(0, "SPX", "IND", "", 0.0, "", "", "CBOE", "", "USD", "", "")
BAG = ask.ContractQuery(0, "SPX", "BAG", "", 0.0, "", "", "SMART", "", "USD", "", "")

Call = Callable[[Any], object]

PLAIN: list[tuple[Call, Any]] = [
    (lambda c: c.reqIds(3), ask.RequestIds(3)),
    (lambda c: c.reqManagedAccts(), ask.RequestManagedAccounts()),
    (lambda c: c.reqCurrentTime(), ask.RequestCurrentTime()),
    (lambda c: c.setServerLogLevel(2), ask.SetServerLogLevel(2)),
    (lambda c: c.reqMarketDataType(4), ask.RequestMarketDataType(4)),
    (lambda c: c.reqContractDetails(5, SPX), ask.RequestContractDetails(5, INDEX, False, "", "", "")),
    (
        lambda c: c.reqSecDefOptParams(5, "SPX", "", "IND", 416904),
        ask.RequestOptionParameters(5, "SPX", "", "IND", 416904),
    ),
    (lambda c: c.reqMarketRule(110), ask.RequestMarketRule(110)),
    (lambda c: c.reqMatchingSymbols(5, "SP"), ask.RequestMatchingSymbols(5, "SP")),
    (
        lambda c: c.reqMktData(5, SPX, "233", True, False, []),
        ask.RequestMarketData(5, INDEX, (), ask.Hedge(), "233", True, False, ""),
    ),
    (
        lambda c: c.reqMktData(5, CONDOR, "", False, False, []),
        ask.RequestMarketData(5, BAG, LEGS, ask.Hedge(), "", False, False, ""),
    ),
    (lambda c: c.cancelMktData(5), ask.CancelMarketData(5)),
    (
        lambda c: c.reqHistoricalData(5, SPX, "", "30 D", "1 day", "TRADES", True, 1, True, []),
        ask.RequestHistory(5, INDEX, False, "", "1 day", "30 D", True, "TRADES", 1, (), True, ""),
    ),
    (
        lambda c: c.reqHistoricalData(5, CONDOR, "", "1 D", "1 day", "TRADES", False, 1, False, []),
        ask.RequestHistory(5, BAG, False, "", "1 day", "1 D", False, "TRADES", 1, LEGS, False, ""),
    ),
    (lambda c: c.cancelHistoricalData(5), ask.CancelHistory(5)),
    (
        lambda c: c.reqHeadTimeStamp(5, SPX, "TRADES", True, 2),
        ask.RequestHeadTimestamp(5, INDEX, False, True, "TRADES", 2),
    ),
    (lambda c: c.cancelHeadTimeStamp(5), ask.CancelHeadTimestamp(5)),
    (
        lambda c: c.reqRealTimeBars(5, SPX, 5, "TRADES", False, []),
        ask.RequestRealTimeBars(5, INDEX, 5, "TRADES", False, ""),
    ),
    (lambda c: c.cancelRealTimeBars(5), ask.CancelRealTimeBars(5)),
    (
        lambda c: c.reqTickByTickData(5, SPX, "BidAsk", 0, True),
        ask.RequestTickByTick(5, INDEX, "BidAsk", 0, True),
    ),
    (lambda c: c.cancelTickByTickData(5), ask.CancelTickByTick(5)),
    (
        lambda c: c.calculateImpliedVolatility(5, SPX, 10.5, 3000.0, []),
        ask.RequestImpliedVolatility(5, INDEX, 10.5, 3000.0, ask.CalculationOptions("")),
    ),
    (
        lambda c: c.calculateOptionPrice(5, SPX, 0.2, 3000.0, []),
        ask.RequestOptionPrice(5, INDEX, 0.2, 3000.0, ask.CalculationOptions("")),
    ),
    (lambda c: c.reqAccountUpdates(True, "DU1"), ask.RequestAccountUpdates(True, "DU1")),
    (lambda c: c.reqAccountSummary(5, "All", "A,B"), ask.RequestAccountSummary(5, "All", "A,B")),
    (lambda c: c.cancelAccountSummary(5), ask.CancelAccountSummary(5)),
    (
        lambda c: c.reqAccountUpdatesMulti(5, "DU1", "", False),
        ask.RequestAccountUpdatesMulti(5, "DU1", "", False),
    ),
    (lambda c: c.cancelAccountUpdatesMulti(5), ask.CancelAccountUpdatesMulti(5)),
    (lambda c: c.reqPositions(), ask.RequestPositions()),
    (lambda c: c.cancelPositions(), ask.CancelPositions()),
    (lambda c: c.reqPnL(5, "DU1", ""), ask.RequestPnl(5, "DU1", "")),
    (lambda c: c.cancelPnL(5), ask.CancelPnl(5)),
    (lambda c: c.reqPnLSingle(5, "DU1", "", 9), ask.RequestPnlSingle(5, "DU1", "", 9)),
    (lambda c: c.cancelPnLSingle(5), ask.CancelPnlSingle(5)),
    (lambda c: c.cancelOrder(8, ""), ask.CancelOrder(8, "")),
    (lambda c: c.reqGlobalCancel(), ask.GlobalCancel()),
    (lambda c: c.reqOpenOrders(), ask.RequestOpenOrders()),
    (lambda c: c.reqAllOpenOrders(), ask.RequestAllOpenOrders()),
    (lambda c: c.reqAutoOpenOrders(True), ask.RequestAutoOpenOrders(True)),
    (lambda c: c.reqCompletedOrders(True), ask.RequestCompletedOrders(True)),
    (
        lambda c: c.reqExecutions(5, ExecutionFilter(clientId=3, side="BUY")),
        ask.RequestExecutions(5, "3", "", "", "", "", "", "BUY"),
    ),
]


CALCULATIONS = (ask.RequestImpliedVolatility, ask.RequestOptionPrice)


@pytest.mark.parametrize("version", [157, 163, 169, 176])
@pytest.mark.parametrize(("call", "request_"), PLAIN, ids=lambda x: type(x).__name__)
def test_every_request_reads_back_from_the_clients_encoder(
    call: Call, request_: object, version: int
) -> None:
    (message,) = encoded(version, call)
    assert decode(message, version, 7) == request_


@pytest.mark.parametrize(("call", "request_"), PLAIN, ids=lambda x: type(x).__name__)
def test_a_request_with_a_field_too_many_is_a_version_mismatch(call: Call, request_: object) -> None:
    (message,) = encoded(176, call)
    with pytest.raises(VersionMismatchError):
        decode([*message, "1"], 176, 7)


@pytest.mark.parametrize(("call", "request_"), PLAIN, ids=lambda x: type(x).__name__)
def test_a_request_cut_short_is_refused(call: Call, request_: Any) -> None:
    (message,) = encoded(176, call)
    whole = len(message) - 1 if isinstance(request_, CALCULATIONS) else len(message)
    for length in range(1 + len(message) - len(request_.__slots__), whole):
        with pytest.raises(DecodeError):
            decode(message[:length], 176, 7)


@pytest.mark.parametrize(
    ("call", "request_"),
    [row for row in PLAIN if isinstance(row[1], CALCULATIONS)],
    ids=lambda x: type(x).__name__,
)
def test_a_calculation_reads_the_same_without_a_count_of_its_options(call: Call, request_: object) -> None:
    (message,) = encoded(176, call)
    assert decode([*message[:-2], ""], 176, 7) == request_  # as the official client writes it


def condor_order(**fields: Any) -> Order:
    return LimitOrder("BUY", 2, -1.55, orderRef="d-17", tif="DAY", account="DU0000000", **fields)


def place(version: int, contract: Contract, order: Order) -> OrderRequest:
    (message,) = encoded(version, lambda c: c.placeOrder(42, contract, order))
    request = decode(message, version, 7)
    assert isinstance(request, OrderRequest)
    return request


@pytest.mark.parametrize("version", range(157, 177))
def test_a_four_leg_combo_order_reads_back_at_every_version(version: int) -> None:
    request = place(version, CONDOR, condor_order())
    assert (request.client_id, request.order_id, request.con_id) == (7, 42, 0)
    assert (request.symbol, request.security_type, request.exchange) == ("SPX", "BAG", "SMART")
    assert (request.action, request.quantity, request.order_type) == ("BUY", 2.0, "LMT")
    assert (request.limit_price, request.aux_price, request.tif) == (-1.55, None, "DAY")
    assert (request.account, request.order_ref, request.legs) == ("DU0000000", "d-17", LEGS)
    assert (request.transmit, request.what_if, request.outside_rth) == (True, False, False)


def test_a_what_if_order_is_marked_as_one() -> None:
    assert place(176, CONDOR, condor_order(whatIf=True)).what_if
    assert not place(176, CONDOR, condor_order(transmit=False)).transmit


def test_an_order_on_one_contract_keeps_its_contract_id() -> None:
    contract = Contract(conId=77, secType="OPT", symbol="SPX", exchange="SMART", currency="USD")
    request = place(176, contract, Order(action="SELL", totalQuantity=3, orderType="MKT", tif="GTC"))
    assert (request.con_id, request.action, request.quantity) == (77, "SELL", 3.0)
    assert (request.limit_price, request.legs) == (None, ())


def test_combo_prices_and_routing_are_kept() -> None:
    order = condor_order(
        orderComboLegs=[OrderComboLeg(1.5), OrderComboLeg(2.5)],
        smartComboRoutingParams=[TagValue("NonGuaranteed", "0")],
    )
    request = place(176, CONDOR, order)
    assert (request.leg_prices, request.smart_combo) == ((1.5, 2.5), (("NonGuaranteed", "0"),))


CONDITIONS = [
    PriceCondition(price=3000.0, conId=416904, exch="CBOE"),
    TimeCondition(time="20200302 10:00:00 US/Eastern"),
    MarginCondition(percent=30),
    ExecutionCondition(secType="OPT", exch="SMART", symbol="SPX"),
    VolumeCondition(volume=10, conId=1, exch="CBOE"),
    PercentChangeCondition(changePercent=1.5, conId=1, exch="CBOE"),
]

EXTRAS: dict[str, st.SearchStrategy[Any]] = {
    "conditions": st.lists(st.sampled_from(CONDITIONS), max_size=3),
    "algoStrategy": st.sampled_from(["", "Adaptive"]),
    "algoParams": st.just([TagValue("adaptivePriority", "Normal")]),
    "hedgeType": st.sampled_from(["", "D"]),
    "hedgeParam": st.just("x"),
    "deltaNeutralOrderType": st.sampled_from(["", "MKT"]),
    "scalePriceIncrement": st.sampled_from([1.7976931348623157e308, 0.5]),
    "orderType": st.sampled_from(["LMT", "PEG BENCH", "PEG BEST", "PEG MID"]),
    "competeAgainstBestOffset": st.sampled_from([1.7976931348623157e308, 0.1, float("inf")]),
    "softDollarTier": st.just(Order().softDollarTier),
    "goodTillDate": st.sampled_from(["", "20200303 16:00:00 US/Eastern"]),
    "ocaGroup": st.sampled_from(["", "one"]),
    "minQty": st.sampled_from([2147483647, 5]),
}


@settings(max_examples=60, deadline=None)
@given(
    fields=st.fixed_dictionaries(EXTRAS),
    version=st.sampled_from([157, 160, 166, 170, 176]),
    bag=st.booleans(),
    hedged=st.booleans(),
    exchange=st.sampled_from(["SMART", "IBKRATS"]),
)
def test_no_branch_of_an_order_shifts_its_fields(
    fields: dict[str, Any], version: int, bag: bool, hedged: bool, exchange: str
) -> None:
    contract = Contract(conId=5, secType="BAG" if bag else "OPT", symbol="SPX", exchange=exchange)
    contract.comboLegs = list(CONDOR.comboLegs or [])
    contract.deltaNeutralContract = DeltaNeutralContract(1, 0.5, 3.0) if hedged else None
    order = LimitOrder("BUY", 2, -1.55, usePriceMgmtAlgo=True, whatIf=True)
    for name, value in fields.items():
        setattr(order, name, value)
    request = place(version, contract, order)
    record = echo(request.raw)
    assert request.what_if
    assert record["price_management"] == "1"
    assert len(record["conditions"]) == len(order.conditions)
    assert record.get("algo_params", []) == ([("adaptivePriority", "Normal")] if order.algoStrategy else [])


def test_an_order_with_a_field_too_many_or_too_few_is_refused() -> None:
    (message,) = encoded(176, lambda c: c.placeOrder(42, CONDOR, condor_order()))
    with pytest.raises(VersionMismatchError, match="1 fields left over"):
        decode([*message, ""], 176, 7)
    for length in range(1, len(message)):
        with pytest.raises(DecodeError):
            decode(message[:length], 176, 7)
    assert subject(message[:5]) == 42


def test_not_a_number_is_not_a_price() -> None:
    (message,) = encoded(176, lambda c: c.placeOrder(42, SPX, LimitOrder("BUY", 1, float("nan"))))
    with pytest.raises(DecodeError, match="NaN"):
        decode(message, 176, 7)


def test_known_but_unserved_requests_are_named_with_their_id() -> None:
    (message,) = encoded(176, lambda c: c.reqMktDepth(31, SPX, 5, False, []))
    assert decode(message, 176, 7) == ask.Unserved(31, "reqMktDepth")
    (message,) = encoded(176, lambda c: c.cancelHistogramData(31))
    assert decode(message, 176, 7) == ask.Unserved(31, "cancelHistogramData", quiet=True)


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=20))
def test_nonsense_is_refused_and_never_raises_anything_else(message: list[str]) -> None:
    try:
        decode(message, 176, 7)
    except DecodeError:
        assert isinstance(subject(message), int)


@settings(deadline=None)
@given(
    number=st.sampled_from([1, 3, 7, 9, 20, 62, 91]),
    fields=st.lists(st.sampled_from(["", "0", "1", "2", "BAG", "9999999", "-1", "nan", "inf"]), max_size=40),
)
def test_almost_requests_are_refused_or_read_and_never_raise_anything_else(
    number: int, fields: list[str]
) -> None:
    try:
        decode([str(number), *fields], 176, 7)
    except DecodeError:
        assert isinstance(subject([str(number), *fields]), int)
