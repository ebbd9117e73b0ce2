"""Whatever values a message carries, the client library's codec and the gateway's read the same in it."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import Contract, ExecutionFilter

from market.contract import Contract as Listed
from market.contract import Right, SecurityType
from simulator import client_messages as ask
from simulator import replies
from simulator.model import Bar, Chain, Execution, Instrument, PositionLine
from simulator.requests import decode
from simulator.wire import frame
from tests.simulator.client_library import decoded, encoded
from tests.simulator.fixture_venue import ACCOUNT, SPX, Line, encode, open_gateway

VERSIONS = st.sampled_from([157, 160, 163, 164, 166, 169, 170, 176])
IDS = st.integers(1, 2_147_483_646)
#: Whatever stands in a field: letters of any alphabet, blanks and line breaks, but no NUL, which ends it.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=24)
NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))
PRICES = st.floats(0.01, 1e6).map(lambda value: round(value, 6))
COUNTS = st.integers(0, 1_000_000)
DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))
#: To the second, as the protocol prints it, and away from the hour that autumn repeats in New York.
TIMES = st.datetimes(datetime(2001, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001  the zone is set next
    lambda at: at.replace(hour=15, microsecond=0, tzinfo=UTC)
)


def option(con_id: int, expiry: date, strike: float, right: Right) -> Instrument:
    contract = Listed(SecurityType.OPTION, "SPX", "SPXW", expiry, strike, right, 100, con_id=con_id)
    return Instrument(contract, "SPXW", "S&P 500 Stock Index", 0.05, (("SMART", 110),), 416904)


OPTIONS = st.builds(option, IDS, DAYS, PRICES, st.sampled_from(list(Right)))


def one(text: str, version: int = 176) -> tuple[Any, ...]:
    ((_, arguments),) = decoded(version, text)
    return arguments


#: A reply, the callback it makes, and what its fields may hold, in order.
SHORT: list[tuple[Callable[..., str], str, list[st.SearchStrategy[Any]]]] = [
    (replies.managed_accounts, "managedAccounts", [TEXTS]),
    (replies.next_valid_id, "nextValidId", [IDS]),
    (replies.current_time, "currentTime", [IDS]),
    (replies.tick_request_parameters, "tickReqParams", [IDS, PRICES, TEXTS, COUNTS]),
    (replies.market_data_type, "marketDataType", [IDS, st.integers(1, 4)]),
    (replies.tick_string, "tickString", [IDS, st.just(45), TEXTS]),
    (replies.snapshot_end, "tickSnapshotEnd", [IDS]),
    (replies.head_timestamp, "headTimestamp", [IDS, TEXTS]),
    (replies.account_value, "updateAccountValue", [TEXTS, TEXTS, TEXTS, TEXTS]),
    (replies.account_time, "updateAccountTime", [TEXTS]),
    (replies.account_download_end, "accountDownloadEnd", [TEXTS]),
    (replies.account_summary, "accountSummary", [IDS, TEXTS, TEXTS, TEXTS, TEXTS]),
    (replies.account_summary_end, "accountSummaryEnd", [IDS]),
    (replies.account_update_multi, "accountUpdateMulti", [IDS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS]),
    (replies.account_update_multi_end, "accountUpdateMultiEnd", [IDS]),
    (replies.pnl, "pnl", [IDS, NUMBERS, NUMBERS, NUMBERS]),
    (replies.pnl_single, "pnlSingle", [IDS, COUNTS, NUMBERS, NUMBERS, NUMBERS, NUMBERS]),
    (replies.contract_details_end, "contractDetailsEnd", [IDS]),
    (replies.option_parameters_end, "securityDefinitionOptionParameterEnd", [IDS]),
    (replies.executions_end, "execDetailsEnd", [IDS]),
    (replies.order_bound, "orderBound", [IDS, COUNTS, st.integers(-1_000_000, -1)]),
    (
        replies.real_time_bar,
        "realtimeBar",
        [IDS, IDS, PRICES, PRICES, PRICES, PRICES, COUNTS.map(float), PRICES, COUNTS],
    ),
    (
        replies.option_computation,
        "tickOptionComputation",
        [IDS, st.sampled_from([10, 11, 12, 13, 53]), st.integers(0, 1), *[NUMBERS] * 8],
    ),
]


@settings(max_examples=25, deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    ("reply", "callback", "fields"), SHORT, ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_short_message_gives_the_client_the_values_that_were_meant(
    reply: Callable[..., str], callback: str, fields: list[st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    values = tuple(data.draw(field) for field in fields)
    assert decoded(176, reply(*values)) == [(callback, values)]


@settings(max_examples=50, deadline=None)
@given(VERSIONS, st.one_of(st.just(-1), IDS), st.integers(100, 20_000), TEXTS)
def test_an_error_reads_back_at_every_version(version: int, req_id: int, code: int, text: str) -> None:
    assert one(replies.error(version, req_id, code, text), version) == (req_id, code, text, "")


@settings(max_examples=50, deadline=None)
@given(IDS, st.lists(DAYS, unique=True, max_size=40), st.lists(PRICES, unique=True, max_size=40))
def test_a_chain_of_any_length_reads_back(req_id: int, days: list[date], strikes: list[float]) -> None:
    chain = Chain("SMART", 416904, "SPXW", 100, tuple(days), tuple(strikes))
    expected = (req_id, "SMART", "416904", "SPXW", "100", [f"{day:%Y%m%d}" for day in days], strikes)
    assert one(replies.option_parameters(req_id, chain)) == expected


@settings(max_examples=50, deadline=None)
@given(IDS, st.lists(st.tuples(PRICES, PRICES), max_size=8))
def test_price_steps_read_back(rule_id: int, steps: list[tuple[float, float]]) -> None:
    told_id, told = one(replies.market_rule(rule_id, steps))
    assert (told_id, [(step.lowEdge, step.increment) for step in told]) == (rule_id, steps)


@settings(max_examples=50, deadline=None)
@given(IDS, st.lists(st.tuples(TIMES, PRICES, PRICES, PRICES, PRICES, COUNTS), min_size=1, max_size=20))
def test_bars_of_any_number_read_back(req_id: int, rows: list[tuple[Any, ...]]) -> None:
    bars = [Bar(*row) for row in rows]
    *told, end = decoded(176, replies.history(req_id, bars[0].time, bars[-1].time, bars))
    assert end[0] == "historicalDataEnd"
    assert [(bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume) for _, (_, bar) in told] == [
        (replies.bar_date(bar, replies.DAILY), bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in bars
    ]


@settings(max_examples=50, deadline=None)
@given(VERSIONS, IDS, OPTIONS)
def test_a_contract_reads_back_at_every_version(version: int, req_id: int, instrument: Instrument) -> None:
    hours = replies.Hours("20200302:0930-20200302:1615", "20200303:CLOSED")
    text = replies.contract_details(version, req_id, instrument, None, "SMART", hours)
    told_id, told = one(text, version)
    contract, listed = told.contract, instrument.contract
    assert (told_id, contract.conId, contract.strike) == (req_id, listed.con_id, listed.strike)
    assert listed.right is not None
    assert contract.right == listed.right.value
    assert contract.lastTradeDateOrContractMonth == f"{listed.expiry:%Y%m%d}"
    assert (told.minTick, told.marketRuleIds) == (0.05, "110")
    assert (told.tradingHours, told.liquidHours) == (hours.trading, hours.liquid)


@settings(max_examples=50, deadline=None)
@given(OPTIONS, st.builds(PositionLine, IDS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_a_position_reads_back_both_ways(instrument: Instrument, line: PositionLine) -> None:
    _, contract, quantity, cost = one(replies.position(ACCOUNT, instrument, line.quantity, line.average_cost))
    assert (contract.conId, quantity, cost) == (instrument.contract.con_id, line.quantity, line.average_cost)
    contract, *figures, account = one(replies.portfolio_value(line, instrument, ACCOUNT))
    assert (contract.conId, account) == (instrument.contract.con_id, ACCOUNT)
    assert figures == [
        line.quantity, line.market_price, line.market_value, line.average_cost, line.unrealised_pnl,
        line.realised_pnl,
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    VERSIONS, OPTIONS, TIMES, st.sampled_from(["BOT", "SLD"]), COUNTS.map(float), PRICES, IDS, TEXTS,
    st.one_of(st.just(-1), IDS), PRICES,
)  # fmt: skip
def test_an_execution_and_its_fee_read_back(
    version: int, instrument: Instrument, at: datetime, side: str, quantity: float, price: float,
    perm_id: int, order_ref: str, req_id: int, fee: float,
) -> None:  # fmt: skip
    meant = Execution(
        exec_id="0001.02.03.04.01", order_id=7, client_id=3, perm_id=perm_id, account=ACCOUNT,
        con_id=instrument.contract.con_id, security_type="OPT", side=side, quantity=quantity, price=price,
        time=at, exchange="CBOE", cumulative=quantity, average_price=price, order_ref=order_ref,
        commission=fee,
    )  # fmt: skip
    fields = replies.contract_fields(instrument, "CBOE")
    told_id, contract, told = one(replies.execution_details(req_id, meant, fields), version)
    assert (told_id, contract.conId, told.execId) == (req_id, meant.con_id, meant.exec_id)
    assert (told.side, told.shares, told.price, told.cumQty) == (side, quantity, price, quantity)
    assert (told.time, told.permId, told.orderRef, told.acctNumber) == (at, perm_id, order_ref, ACCOUNT)
    (report,) = one(replies.commission_report(meant, "USD"), version)
    assert (report.execId, report.commission, report.currency) == (meant.exec_id, fee, "USD")


# --- what clients send

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
QUERIES = st.builds(
    ask.ContractQuery,
    con_id=COUNTS,
    symbol=WORDS,
    security_type=st.sampled_from(["IND", "OPT", "FUT", "STK"]),
    expiry=st.one_of(st.just(""), DAYS.map(lambda day: f"{day:%Y%m%d}")),
    strike=st.one_of(st.just(0.0), PRICES),
    right=st.sampled_from(["", "C", "P", "CALL", "PUT"]),
    multiplier=st.sampled_from(["", "100", "1000"]),
    exchange=WORDS,
    primary_exchange=WORDS,
    currency=WORDS,
    local_symbol=WORDS,
    trading_class=WORDS,
)


def asked(query: ask.ContractQuery) -> Contract:
    """The library's contract of the same fields."""
    return Contract(
        secType=query.security_type, conId=query.con_id, symbol=query.symbol, strike=query.strike,
        lastTradeDateOrContractMonth=query.expiry, right=query.right, multiplier=query.multiplier,
        exchange=query.exchange, primaryExchange=query.primary_exchange, currency=query.currency,
        localSymbol=query.local_symbol, tradingClass=query.trading_class,
    )  # fmt: skip


def read(version: int, call: Callable[[Any], object]) -> Any:
    (message,) = encoded(version, call)
    return decode(message, version, 7)


@settings(max_examples=60, deadline=None)
@given(VERSIONS, IDS, QUERIES, st.booleans(), st.booleans(), WORDS)
def test_requests_about_any_contract_read_back(
    version: int, req_id: int, query: ask.ContractQuery, flag: bool, other: bool, word: str
) -> None:
    contract = asked(query)
    contract.includeExpired = flag
    assert read(version, lambda c: c.reqContractDetails(req_id, contract)) == ask.RequestContractDetails(
        req_id, query, flag, "", ""
    )
    assert read(version, lambda c: c.reqMktData(req_id, contract, word, flag, other, [])) == (
        ask.RequestMarketData(req_id, query, (), ask.Hedge(), word, flag, other, "")
    )
    assert read(
        version,
        lambda c: c.reqHistoricalData(req_id, contract, word, "5 D", "1 day", "TRADES", other, 1, flag, []),
    ) == ask.RequestHistory(req_id, query, flag, word, "1 day", "5 D", other, "TRADES", 1, (), flag, "")
    assert read(version, lambda c: c.reqHeadTimeStamp(req_id, contract, word, flag, 2)) == (
        ask.RequestHeadTimestamp(req_id, query, flag, flag, word, 2)
    )
    assert read(version, lambda c: c.reqRealTimeBars(req_id, contract, 5, word, flag, [])) == (
        ask.RequestRealTimeBars(req_id, query, 5, word, flag, "")
    )
    assert read(version, lambda c: c.reqTickByTickData(req_id, contract, word, 3, flag)) == (
        ask.RequestTickByTick(req_id, query, word, 3, flag)
    )


@settings(max_examples=60, deadline=None)
@given(VERSIONS, IDS, QUERIES, PRICES, PRICES, WORDS, st.booleans(), COUNTS)
def test_other_requests_read_back(
    version: int, req_id: int, query: ask.ContractQuery, price: float, level: float, word: str, flag: bool,
    number: int,
) -> None:  # fmt: skip
    contract = asked(query)
    told = read(version, lambda c: c.calculateImpliedVolatility(req_id, contract, price, level, []))
    assert (told.req_id, told.query, told.option_price, told.underlying_price) == (
        req_id,
        query,
        price,
        level,
    )
    told = read(version, lambda c: c.calculateOptionPrice(req_id, contract, price, level, []))
    assert (told.req_id, told.query, told.volatility, told.underlying_price) == (req_id, query, price, level)
    assert read(version, lambda c: c.reqAccountSummary(req_id, word, word)) == (
        ask.RequestAccountSummary(req_id, word, word)
    )
    assert read(version, lambda c: c.reqAccountUpdatesMulti(req_id, word, word, flag)) == (
        ask.RequestAccountUpdatesMulti(req_id, word, word, flag)
    )
    assert read(version, lambda c: c.reqPnLSingle(req_id, word, word, number)) == (
        ask.RequestPnlSingle(req_id, word, word, number)
    )
    wanted = ExecutionFilter(number, word, word, word, word, word, word)
    assert read(version, lambda c: c.reqExecutions(req_id, wanted)) == ask.RequestExecutions(
        req_id, str(number), word, word, word, word, word, word
    )
    assert read(version, lambda c: c.reqMatchingSymbols(req_id, word)) == (
        ask.RequestMatchingSymbols(req_id, word)
    )


# --- however the network cuts it

# Without live lines: their first ticks come at the end of a segment, after its other answers.

CONVERSATION = b"".join((
    b"API\0", frame(b"v157..178"), encode(71, 2, 7, ""), encode(61, 1), encode(6, 2, 1, ACCOUNT),
    encode(9, 8, 3, *SPX, 0, "", "", ""), encode(78, 4, "SPX", "", "IND", 416904),
    encode(91, 110), encode("nonsense"), encode(1, 11, 6), encode(2, 2, 5), encode(99, 0), encode(5, 1),
))  # fmt: skip


def answers(pieces: list[bytes]) -> bytes:
    """All that a gateway sends for a conversation in these pieces."""
    line = Line.__new__(Line)
    line.sent, line.closed = b"", False
    line.session = open_gateway().connect(line._take, line._close)
    for piece in pieces:
        line.session.receive(piece)
    return line.sent


def test_single_bytes_are_answered_like_whole_frames() -> None:
    whole = answers([CONVERSATION])
    assert len(whole) > 10_000
    assert answers([CONVERSATION[i : i + 1] for i in range(len(CONVERSATION))]) == whole


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, len(CONVERSATION) - 1), max_size=12))
def test_any_segmentation_is_answered_like_whole_frames(cuts: set[int]) -> None:
    bounds = [0, *sorted(cuts), len(CONVERSATION)]
    pieces = [CONVERSATION[a:b] for a, b in pairwise(bounds)]
    assert answers(pieces) == answers([CONVERSATION])
