"""Replies, read back by the client library's own decoder."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import ComboLeg, Contract, LimitOrder, Order, TagValue
from ib_async.order import PriceCondition, TimeCondition
from ib_async.util import UNSET_DOUBLE

from market.contract import Contract as Listed
from market.contract import Right, SecurityType
from simulator import order_replies, replies
from simulator.model import (
    Bar,
    Chain,
    Execution,
    Instrument,
    OrderRequest,
    OrderState,
    PositionLine,
    Tick,
    WhatIfAnswer,
    WorkingOrder,
)
from simulator.requests import decode
from simulator.ticks import QuoteLine
from tests.simulator.client_library import decoded, encoded

VERSIONS = [157, 160, 163, 164, 166, 170, 176]

# AM-settled: the last trading day is the Thursday before the settlement on Friday, 17 April 2020.
AM_OPTION = Instrument(
    Listed(SecurityType.OPTION, "SPX", "SPX", date(2020, 4, 17), 2900.0, Right.PUT, 100, con_id=77),
    "SPX   200417P02900000",
    "S&P 500 Stock Index",
    0.05,
    (("SMART", 110), ("CBOE", 110)),
    416904,
    last_trade=datetime(2020, 4, 16, 20, 15, tzinfo=UTC),
)
INDEX = Instrument(
    Listed(SecurityType.INDEX, "SPX", "SPX", exchange="CBOE", con_id=416904),
    "SPX",
    "S&P 500 Stock Index",
    0.01,
    (("CBOE", 26),),
)


def find(con_id: int) -> Instrument | None:
    return {77: AM_OPTION, 416904: INDEX}.get(con_id)


def one(version: int, text: str) -> tuple[Any, ...]:
    ((_, args),) = decoded(version, text)
    return args


@pytest.mark.parametrize("version", VERSIONS)
def test_contract_details_print_the_last_trading_day_of_an_am_settled_option(version: int) -> None:
    hours = replies.Hours("20200302:0930-20200302:1615", "20200303:CLOSED")
    req_id, details = one(version, replies.contract_details(version, 5, AM_OPTION, INDEX, "SMART", hours))
    contract = details.contract
    assert (req_id, contract.conId, contract.symbol, contract.secType) == (5, 77, "SPX", "OPT")
    assert (contract.lastTradeDateOrContractMonth, details.realExpirationDate) == ("20200416", "20200416")
    assert (contract.strike, contract.right, contract.multiplier) == (2900.0, "P", "100")
    assert (contract.exchange, contract.currency, contract.tradingClass) == ("SMART", "USD", "SPX")
    assert (contract.localSymbol, details.minTick) == ("SPX   200417P02900000", 0.05)
    assert (details.validExchanges, details.marketRuleIds) == ("SMART,CBOE", "110,110")
    assert (details.underConId, details.underSymbol, details.underSecType) == (416904, "SPX", "IND")
    assert (details.contractMonth, details.timeZoneId) == ("202004", "US/Eastern")
    assert (details.tradingHours, details.liquidHours) == (hours.trading, hours.liquid)
    assert details.longName == "S&P 500 Stock Index"


def test_an_index_has_neither_expiry_nor_multiplier() -> None:
    text = replies.contract_details(176, 5, INDEX, None, "CBOE", replies.Hours("", ""))
    details = one(176, text)[1]
    contract = details.contract
    assert (contract.lastTradeDateOrContractMonth, contract.multiplier, contract.right) == ("", "", "")
    assert (contract.strike, details.underConId) == (0.0, 0)


def test_a_chain_reads_back() -> None:
    chain = Chain("SMART", 416904, "SPXW", 100, (date(2020, 3, 4), date(2020, 3, 6)), (2900.0, 2905.0))
    expected = (5, "SMART", "416904", "SPXW", "100", ["20200304", "20200306"], [2900.0, 2905.0])
    assert one(176, replies.option_parameters(5, chain)) == expected


def test_a_market_rule_reads_back() -> None:
    rule_id, steps = one(176, replies.market_rule(110, ((0.0, 0.05), (3.0, 0.1))))
    assert (rule_id, [(s.lowEdge, s.increment) for s in steps]) == (110, [(0.0, 0.05), (3.0, 0.1)])


@pytest.mark.parametrize("version", VERSIONS)
def test_symbol_samples_read_back(version: int) -> None:
    text = replies.symbol_samples(version, 5, [(INDEX, ("OPT",)), (AM_OPTION, ())])
    req_id, found = one(version, text)
    assert (req_id, [d.contract.conId for d in found]) == (5, [416904, 77])
    assert [d.derivativeSecTypes for d in found] == [["OPT"], []]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_reads_back(version: int) -> None:
    expected = (9, 200, "No security", "")
    assert one(version, replies.error(version, 9, 200, "No security")) == expected


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (replies.managed_accounts("DU1"), ("managedAccounts", ("DU1",))),
        (replies.next_valid_id(4), ("nextValidId", (4,))),
        (replies.current_time(1583161200), ("currentTime", (1583161200,))),
        (replies.contract_details_end(5), ("contractDetailsEnd", (5,))),
        (replies.option_parameters_end(5), ("securityDefinitionOptionParameterEnd", (5,))),
        (replies.tick_request_parameters(5, 0.05, "9c", 3), ("tickReqParams", (5, 0.05, "9c", 3))),
        (replies.market_data_type(5, 2), ("marketDataType", (5, 2))),
        (replies.snapshot_end(5), ("tickSnapshotEnd", (5,))),
        (replies.head_timestamp(5, "20200302"), ("headTimestamp", (5, "20200302"))),
        (replies.account_value("A", "1", "USD", "DU1"), ("updateAccountValue", ("A", "1", "USD", "DU1"))),
        (replies.account_time("10:00"), ("updateAccountTime", ("10:00",))),
        (replies.account_download_end("DU1"), ("accountDownloadEnd", ("DU1",))),
        (replies.account_summary(5, "DU1", "A", "1", "USD"), ("accountSummary", (5, "DU1", "A", "1", "USD"))),
        (replies.account_summary_end(5), ("accountSummaryEnd", (5,))),
        (
            replies.account_update_multi(5, "DU1", "", "A", "1", "USD"),
            ("accountUpdateMulti", (5, "DU1", "", "A", "1", "USD")),
        ),
        (replies.account_update_multi_end(5), ("accountUpdateMultiEnd", (5,))),
        (replies.position_end(), ("positionEnd", ())),
        (replies.pnl(5, 1.5, -2.0, 0.0), ("pnl", (5, 1.5, -2.0, 0.0))),
        (replies.pnl_single(5, 1.0, 2.0, 3.0, 4.0, 5.0), ("pnlSingle", (5, 1.0, 2.0, 3.0, 4.0, 5.0))),
        (replies.open_order_end(), ("openOrderEnd", ())),
        (replies.executions_end(5), ("execDetailsEnd", (5,))),
        (replies.completed_orders_end(), ("completedOrdersEnd", ())),
        (replies.order_bound(1, 2, 3), ("orderBound", (1, 2, 3))),
    ],
)
def test_short_messages_read_back(text: str, call: tuple[str, tuple[Any, ...]]) -> None:
    assert decoded(176, text) == [call]


def test_a_short_message_checks_its_number_of_fields() -> None:
    with pytest.raises(ValueError, match="has the fields accounts"):
        replies.managed_accounts("DU1", "DU2")


def test_daily_bars_read_back() -> None:
    bar = Bar(datetime(2020, 2, 28, 21, 0, tzinfo=UTC), 2916.9, 2959.7, 2855.8, 2954.2, 12)
    first, end = decoded(176, replies.history(5, bar.time, datetime(2020, 3, 2, 15, tzinfo=UTC), [bar]))
    read = first[1][1]
    assert (read.date, read.open, read.high, read.low, read.close) == (
        "20200228",
        2916.9,
        2959.7,
        2855.8,
        2954.2,
    )
    assert end == ("historicalDataEnd", (5, "20200228 16:00:00 US/Eastern", "20200302 10:00:00 US/Eastern"))


def test_a_growing_bar_reads_back() -> None:
    req_id, bar = one(176, replies.history_update(5, -1, "20200302", 1.0, 2.0, 3.0, 0.5, 1.75, 7))
    assert (req_id, bar.open, bar.close, bar.high, bar.low, bar.volume) == (5, 1.0, 2.0, 3.0, 0.5, 7.0)


def test_a_position_and_its_portfolio_line_read_back() -> None:
    line = PositionLine(77, -2.0, 1234.5, 12.5, -2500.0, -31.0, 7.25)
    account, contract, quantity, cost = one(176, replies.position("DU1", AM_OPTION, -2.0, 1234.5))
    assert (account, contract.conId, contract.lastTradeDateOrContractMonth) == ("DU1", 77, "20200416")
    assert (quantity, cost) == (-2.0, 1234.5)
    contract, *figures = one(176, replies.portfolio_value(line, AM_OPTION, "DU1"))
    assert (contract.conId, figures) == (77, [-2.0, 12.5, -2500.0, 1234.5, -31.0, 7.25, "DU1"])


EXECUTION = Execution(
    exec_id="0001.02.01",
    order_id=42,
    client_id=7,
    perm_id=1048,
    account="DU1",
    con_id=77,
    security_type="OPT",
    side="SLD",
    quantity=2.0,
    price=12.5,
    time=datetime(2020, 3, 2, 15, 0, 4, tzinfo=UTC),
    exchange="CBOE",
    cumulative=2.0,
    average_price=12.5,
    order_ref="d-17",
    commission=1.32,
)


def test_an_execution_and_its_commission_read_back() -> None:
    fields = replies.contract_fields(AM_OPTION, "CBOE")
    req_id, contract, read = one(176, replies.execution_details(-1, EXECUTION, fields))
    assert (req_id, contract.conId, contract.exchange) == (-1, 77, "CBOE")
    assert (read.execId, read.orderId, read.clientId, read.permId) == ("0001.02.01", 42, 7, 1048)
    assert (read.side, read.shares, read.price, read.cumQty, read.avgPrice) == ("SLD", 2.0, 12.5, 2.0, 12.5)
    assert (read.time, read.orderRef, read.acctNumber) == (EXECUTION.time, "d-17", "DU1")
    (report,) = one(176, replies.commission_report(EXECUTION, "USD"))
    assert (report.execId, report.commission, report.currency) == ("0001.02.01", 1.32, "USD")
    assert report.realizedPNL == UNSET_DOUBLE


def test_the_execution_of_a_combo_is_told_on_the_brokers_combo_contract() -> None:
    fields = replies.bag_fields("SPX", "SMART", "USD")
    contract = one(176, replies.execution_details(5, EXECUTION, fields))[1]
    assert (contract.conId, contract.secType, contract.symbol) == (28812380, "BAG", "SPX")


CONDOR = Contract(
    symbol="SPX",
    secType="BAG",
    exchange="SMART",
    currency="USD",
    comboLegs=[
        ComboLeg(conId=77, ratio=1, action="BUY", exchange="SMART"),
        ComboLeg(conId=78, ratio=2, action="SELL", exchange="SMART"),
    ],
)


def placed(version: int, contract: Contract, order: Order) -> WorkingOrder:
    (message,) = encoded(version, lambda c: c.placeOrder(42, contract, order))
    request = decode(message, version, 7)
    assert isinstance(request, OrderRequest)
    return WorkingOrder(request, 1048, OrderState.SUBMITTED)


ECHOED = {
    "goodTillDate": st.sampled_from(["", "20200303 16:00:00 US/Eastern"]),
    "ocaGroup": st.sampled_from(["", "one"]),
    "orderRef": st.sampled_from(["", "d-17"]),
    "minQty": st.sampled_from([2147483647, 5]),
    "outsideRth": st.booleans(),
    "allOrNone": st.booleans(),
    "parentId": st.integers(0, 9),
    "algoStrategy": st.sampled_from(["", "Adaptive"]),
    "algoParams": st.just([TagValue("adaptivePriority", "Normal")]),
    "hedgeType": st.sampled_from(["", "D"]),
    "trailStopPrice": st.sampled_from([UNSET_DOUBLE, 9.5]),
    "scalePriceIncrement": st.sampled_from([UNSET_DOUBLE, 0.5]),
    "triggerPrice": st.sampled_from([UNSET_DOUBLE, 3.25]),
    "cashQty": st.sampled_from([UNSET_DOUBLE, 10.0]),
    "usePriceMgmtAlgo": st.booleans(),
    "conditions": st.lists(
        st.sampled_from(
            [PriceCondition(price=3000.0, conId=416904, exch="CBOE"), TimeCondition(time="20200302 10:00:00")]
        ),
        max_size=2,
    ),
}


@settings(max_examples=50, deadline=None)
@given(st.fixed_dictionaries(ECHOED), st.sampled_from(VERSIONS), st.booleans())
def test_an_open_order_comes_back_exactly_as_it_was_placed(
    fields: dict[str, Any], version: int, bag: bool
) -> None:
    contract = CONDOR if bag else Contract(conId=77, secType="OPT", symbol="SPX", exchange="SMART")
    order = LimitOrder("BUY", 2, -1.55, tif="DAY", account="DU1")
    for name, value in fields.items():
        setattr(order, name, value)
    text = order_replies.open_order(version, placed(version, contract, order), find)
    order_id, read_contract, read, state = one(version, text)
    assert (order_id, read.orderId, read.clientId, read.permId) == (42, 42, 7, 1048)
    assert (state.status, read.whatIf) == ("Submitted", False)
    assert (read.action, read.totalQuantity, read.orderType, read.lmtPrice) == ("BUY", 2.0, "LMT", -1.55)
    assert (read.tif, read.account) == ("DAY", "DU1")
    for name, value in fields.items():
        if name == "algoParams":
            assert list(read.algoParams) == (value if order.algoStrategy else [])
        else:
            assert getattr(read, name) == value, name
    if bag:
        assert read_contract.secType == "BAG"
        assert read_contract.comboLegs == CONDOR.comboLegs
        assert read_contract.comboLegsDescrip == "77|1,78|-2"
    else:
        assert (read_contract.conId, read_contract.lastTradeDateOrContractMonth) == (77, "20200416")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bag", [True, False])
def test_a_completed_order_reads_back(version: int, bag: bool) -> None:
    contract = CONDOR if bag else Contract(conId=77, secType="OPT", symbol="SPX", exchange="SMART")
    order = LimitOrder("SELL", 3, 2.5, tif="GTC", orderRef="d-18")
    order.conditions = [PriceCondition(price=3000.0, conId=416904, exch="CBOE")]
    working = placed(version, contract, order)
    working.state = OrderState.CANCELLED
    working.filled = 1.0
    working.completed_at = datetime(2020, 3, 2, 16, 0, tzinfo=UTC)
    working.completed_status = "Cancelled by Trader"
    read_contract, read, state = one(version, order_replies.completed_order(version, working, find))
    assert (read.permId, read.orderRef, read.filledQuantity) == (1048, "d-18", 1.0)
    assert (read.action, read.totalQuantity, read.lmtPrice) == ("SELL", 3.0, 2.5)
    assert (state.status, state.completedStatus) == ("Cancelled", "Cancelled by Trader")
    assert state.completedTime == "20200302 11:00:00 US/Eastern"
    assert (len(read_contract.comboLegs), read.conditions) == (2 if bag else 0, order.conditions)


def test_an_order_without_raw_fields_is_still_told() -> None:
    request = OrderRequest(
        7, 42, "DU1", 77, "SPX", "OPT", "SMART", "USD", "BUY", 1.0, "MKT", None, None, "DAY", "d-19"
    )
    working = WorkingOrder(request, 1048, OrderState.PRE_SUBMITTED)
    for version in VERSIONS:
        assert one(version, order_replies.open_order(version, working, find))[2].orderRef == "d-19"
        assert one(version, order_replies.completed_order(version, working, find))[1].permId == 1048


def test_an_order_status_reads_back() -> None:
    order = placed(176, CONDOR, LimitOrder("BUY", 5, -1.55, parentId=9))
    order.filled, order.average_price, order.last_price = 2.0, -1.6, -1.65
    assert one(176, order_replies.order_status(order)) == (
        42, "Submitted", 2.0, 3.0, -1.6, 1048, 9, -1.65, 7, "", 0.0,
    )  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_a_what_if_answer_carries_margins_and_commission(version: int) -> None:
    request = placed(version, CONDOR, LimitOrder("BUY", 2, -1.55, whatIf=True)).request
    answer = WhatIfAnswer(request, 5000.0, 4000.0, 15000.0, 14000.0, 999_000.0, 5.3)
    order_id, _, read, state = one(version, order_replies.what_if(version, answer, 1_000_000.0, find))
    assert (order_id, read.whatIf, state.status) == (42, True, "PreSubmitted")
    assert (state.initMarginBefore, state.initMarginChange, state.initMarginAfter) == (
        "10000.0", "5000.0", "15000.0",
    )  # fmt: skip
    assert (state.maintMarginChange, state.maintMarginAfter) == ("4000.0", "14000.0")
    assert (state.equityWithLoanBefore, state.equityWithLoanChange) == ("1000000.0", "-1000.0")
    assert (state.commission, state.commissionCurrency) == (5.3, "USD")


def told(line: QuoteLine, tick: Tick) -> list[tuple[str, tuple[Any, ...]]]:
    out: list[str] = []
    line.changes({tick.con_id: tick}, out)
    return decoded(176, "".join(out))


def test_the_first_ticks_of_an_option_are_both_sides_last_and_the_model() -> None:
    tick = Tick(
        77, 12.5, 12.7, 10, 20, last=12.6, close=11.0, implied_volatility=0.2, delta=-0.3, gamma=0.01,
        vega=3.0, theta=-0.5, model_price=12.6, underlying=2950.0,
    )  # fmt: skip
    line = QuoteLine(5, (77,), "OPT")
    assert told(line, tick) == [
        ("priceSizeTick", (5, 1, 12.5, 10.0)),
        ("priceSizeTick", (5, 2, 12.7, 20.0)),
        ("priceSizeTick", (5, 4, 12.6, 0.0)),
        ("tickOptionComputation", (5, 13, 0, 0.2, -0.3, 12.6, 0.0, 0.01, 3.0, -0.5, 2950.0)),
        ("priceSizeTick", (5, 9, 11.0, 0.0)),
    ]
    assert told(line, tick) == []


def test_only_what_changed_is_sent() -> None:
    line = QuoteLine(5, (77,), "OPT")
    told(line, Tick(77, 12.5, 12.7, 10, 20))
    assert told(line, Tick(77, 12.5, 12.8, 10, 20)) == [("priceSizeTick", (5, 2, 12.8, 20.0))]
    assert told(line, Tick(77, 12.5, 12.8, 11, 20)) == [("tickSize", (5, 0, 11.0))]
    assert told(line, Tick(77, 12.5, 12.8, 11, 21)) == [("tickSize", (5, 3, 21.0))]
    assert told(line, Tick(77, 12.5, 12.8, 11, 21, halted=True)) == [("tickGeneric", (5, 49, 1.0))]


def test_a_missing_side_is_minus_one_without_size() -> None:
    line = QuoteLine(5, (77,), "OPT")
    assert told(line, Tick(77, None, 0.05, 0, 20))[0] == ("priceSizeTick", (5, 1, -1.0, 0.0))
    told(line, Tick(77, 0.05, 0.1, 3, 20))
    assert told(line, Tick(77, None, 0.1, 0, 20)) == [("priceSizeTick", (5, 1, -1.0, 0.0))]


def test_an_index_has_last_close_open_high_and_low_and_no_sides() -> None:
    line = QuoteLine(5, (416904,), "IND")
    tick = Tick(416904, last=2950.0, open=2940.0, high=2960.0, low=2930.0, close=2954.2)
    kinds = [args[1] for _, args in told(line, tick)]
    assert kinds == [4, 9, 14, 6, 7]


def test_advancers_and_decliners_are_bid_and_ask_without_size() -> None:
    line = QuoteLine(5, (9,), "IND")
    assert told(line, Tick(9, 1500.0, 1200.0)) == [
        ("priceSizeTick", (5, 1, 1500.0, 0.0)),
        ("priceSizeTick", (5, 2, 1200.0, 0.0)),
    ]


def test_unknown_greeks_are_the_protocols_unset_values() -> None:
    out = told(QuoteLine(5, (77,), "OPT"), Tick(77, 1.0, 1.1, 1, 1, model_price=1.05))
    expected = (5, 13, 0, -1.0, -2.0, 1.05, 0.0, -2.0, -2.0, -2.0, -1.0)
    assert out[-1] == ("tickOptionComputation", expected)
