"""What holds for any orders in any book: nothing is created, lost, unbalanced or filled through its limit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.exchange import Exchange
from simulator.model import Executed, Execution, OrderLeg, OrderRequest, Report
from tests.simulator.hand_market import (
    ACCOUNT,
    CALL_WING,
    CONDOR_LEGS,
    CONTRACTS,
    EXPIRY_CLOSE,
    PUT_WING,
    SHORT_CALL,
    SHORT_PUT,
    VX,
    HandMarket,
    condor,
    single,
)

OPTIONS = (PUT_WING, SHORT_PUT, SHORT_CALL, CALL_WING)


@dataclass(frozen=True)
class Quote:
    """A new top of book of one contract."""

    con_id: int
    bid: float | None
    ask: float | None
    size: int


def nickels(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda n: round(n * 0.05, 2))


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    bid = draw(nickels(0, 500))
    ask = round(bid + draw(nickels(1, 20)), 2)
    missing = draw(st.sampled_from(["", "", "", "bid", "ask"]))
    con_id = draw(st.sampled_from([*OPTIONS, VX]))
    size = draw(st.integers(0, 12))
    return Quote(con_id, None if missing == "bid" else bid, None if missing == "ask" else ask, size)


@st.composite
def orders(draw: st.DrawFn) -> OrderRequest:
    action = draw(st.sampled_from(["BUY", "SELL"]))
    quantity = draw(st.integers(1, 8))
    shape = draw(st.sampled_from(["condor", "vertical", "single", "future"]))
    kind, tif = (
        draw(st.sampled_from(["LMT", "LMT", "MKT", "STP"])),
        draw(st.sampled_from(["DAY", "GTC", "IOC"])),
    )
    if shape == "single":
        price = round(draw(st.integers(1, 250)) * 0.1, 2)
        order = single(draw(st.sampled_from(OPTIONS)), action, quantity, price, tif=tif)
    elif shape == "future":
        order = single(VX, action, quantity, draw(nickels(200, 400)), tif=tif, exchange="CFE")
    else:
        legs = (
            CONDOR_LEGS
            if shape == "condor"
            else (OrderLeg(PUT_WING, 2, "BUY"), OrderLeg(SHORT_PUT, 3, "SELL"))
        )
        order = condor(action, quantity, draw(nickels(-600, 600)), legs=legs, tif=tif)
    if kind == "MKT":
        return replace(order, order_type="MKT", limit_price=None)
    if kind == "STP":
        return replace(order, order_type="STP", limit_price=None, aux_price=order.limit_price)
    return order


STEPS = st.lists(st.one_of(quotes(), quotes(), orders(), st.just("step")), min_size=5, max_size=40)


def opened() -> tuple[HandMarket, Exchange]:
    market = HandMarket()
    market.condor(size=4)
    market.quote(VX, 15.0, 15.05, 4)
    return market, Exchange(market, ACCOUNT)


def natural_price(request: OrderRequest, market: HandMarket) -> float:
    """What the order costs at the quotes of this moment, worked out anew from its own words."""
    legs = request.legs or (OrderLeg(request.con_id, 1, "BUY"),)
    net = 0.0
    for leg in legs:
        tick = market.book[leg.con_id]
        price = tick.ask if leg.action == request.action else tick.bid
        assert price is not None
        net += leg.ratio * price * (1 if leg.action == "BUY" else -1)
    return net


def play(steps: Sequence[Quote | OrderRequest | str]) -> tuple[HandMarket, Exchange, list[Report]]:
    market, exchange = opened()
    reports: list[Report] = []
    order_id = 0
    for step in steps:
        if isinstance(step, Quote):
            market.quote(step.con_id, step.bid, step.ask, step.size)
        elif isinstance(step, OrderRequest):
            order_id += 1
            reports += exchange.submit(replace(step, order_id=order_id))
        else:
            market.advance(market.now + timedelta(minutes=5))
            reports += exchange.match()
    return market, exchange, reports


def executions(reports: Sequence[Report]) -> list[Execution]:
    return [report.execution for report in reports if isinstance(report, Executed)]


def cash_flow(line: Execution) -> float:
    """What an execution does to the buyer's purse, worked out anew from its own words."""
    sign = -1.0 if line.side == "BOT" else 1.0
    return sign * line.quantity * line.price * CONTRACTS[line.con_id].multiplier - (line.commission or 0.0)


def signed(line: Execution) -> int:
    return int(line.quantity) if line.side == "BOT" else -int(line.quantity)


@settings(max_examples=50)
@given(STEPS)
def test_positions_are_the_sum_of_the_leg_executions(steps: list[Quote | OrderRequest | str]) -> None:
    _, exchange, reports = play(steps)
    held: dict[int, int] = {}
    for line in executions(reports):
        if line.security_type != "BAG":
            held[line.con_id] = held.get(line.con_id, 0) + signed(line)
    assert {line.con_id: int(line.quantity) for line in exchange.positions()} == held


@settings(max_examples=50)
@given(
    STEPS, st.integers(440_000, 540_000).map(lambda n: n / 100), st.integers(900, 4000).map(lambda n: n / 100)
)
def test_at_settlement_the_cash_is_the_start_plus_every_cash_flow(
    steps: list[Quote | OrderRequest | str], spx: float, vix: float
) -> None:
    market, exchange, reports = play(steps)
    market.settle_spx(spx)
    market.settle_vix(vix)
    for order in list(exchange.open_orders(None)):
        exchange.cancel(order.request.client_id, order.request.order_id)
    flows = 0.0
    held: dict[int, int] = {}
    for line in executions(reports):
        if line.security_type != "BAG":
            flows += cash_flow(line)
            held[line.con_id] = held.get(line.con_id, 0) + signed(line)
    for con_id, quantity in held.items():
        contract = CONTRACTS[con_id]
        value = contract.payoff(vix if con_id == VX else spx)
        flows += quantity * value * contract.multiplier
    market.advance(EXPIRY_CLOSE)
    exchange.match()
    market.advance(EXPIRY_CLOSE + timedelta(days=5))
    exchange.match()
    assert exchange.positions() == []
    cash = next(float(v) for k, v, c in exchange.account_values() if (k, c) == ("TotalCashValue", "USD"))
    assert cash == pytest.approx(1_000_000 + flows, abs=0.02)
    assert exchange.pnl()[1] == 0.0


@settings(max_examples=50)
@given(STEPS)
def test_no_order_fills_beyond_its_quantity_or_through_its_limit(
    steps: list[Quote | OrderRequest | str],
) -> None:
    _, exchange, _ = play(steps)
    known = {order.perm_id: order for order in (*exchange.open_orders(None), *exchange.completed_orders())}
    for order in known.values():
        assert 0 <= order.filled <= order.request.quantity
        assert (order.state.value == "Filled") == (order.filled == order.request.quantity)
    for line in exchange.executions():
        request = known[line.perm_id].request
        own_line = line.security_type == "BAG" or not request.legs
        if own_line and request.order_type == "LMT" and request.limit_price is not None:
            if request.action == "BUY":
                assert line.price <= request.limit_price + 1e-9
            else:
                assert line.price >= request.limit_price - 1e-9


@settings(max_examples=80)
@given(STEPS)
def test_on_arrival_an_order_pays_the_natural_price_and_at_rest_its_limit_to_the_cent(
    steps: list[Quote | OrderRequest | str],
) -> None:
    market, exchange = opened()
    requests: dict[int, OrderRequest] = {}
    for step in steps:
        if isinstance(step, Quote):
            market.quote(step.con_id, step.bid, step.ask, step.size)
            continue
        if isinstance(step, OrderRequest):
            placed = replace(step, order_id=len(requests) + 1)
            requests[placed.order_id] = placed
            told = exchange.submit(placed)
        else:
            market.advance(market.now + timedelta(minutes=5))
            told = exchange.match()
        for line in executions(told):
            request = requests[line.order_id]
            if request.legs and line.security_type != "BAG":
                continue
            if isinstance(step, OrderRequest) or request.order_type != "LMT":
                assert line.price == pytest.approx(natural_price(request, market), abs=1e-9)
            else:
                assert line.price == request.limit_price


@settings(max_examples=50)
@given(STEPS)
def test_the_legs_of_every_combo_fill_are_balanced_and_add_up_to_its_price(
    steps: list[Quote | OrderRequest | str],
) -> None:
    _, exchange, reports = play(steps)
    orders_ = {o.perm_id: o for o in (*exchange.open_orders(None), *exchange.completed_orders())}
    fills: dict[str, list[Execution]] = {}
    for line in executions(reports):
        fills.setdefault(line.exec_id[:17], []).append(line)
    for lines in fills.values():
        request = orders_[lines[0].perm_id].request
        if not request.legs:
            assert len(lines) == 1
            continue
        combo, *legs = lines
        assert [leg.quantity for leg in legs] == [combo.quantity * leg.ratio for leg in request.legs]
        net = sum(signed(leg) * leg.price for leg in legs) / combo.quantity
        assert combo.price == pytest.approx(net if request.action == "BUY" else -net, abs=1e-6)


@settings(max_examples=60)
@given(STEPS)
def test_daily_pnl_is_realised_plus_unrealised_and_equity_its_sum(
    steps: list[Quote | OrderRequest | str],
) -> None:
    _, exchange, _ = play(steps)
    daily, unrealised, realised = exchange.pnl()
    assert daily == pytest.approx(unrealised + realised, abs=1e-3)
    equity = next(float(v) for k, v, c in exchange.account_values() if (k, c) == ("NetLiquidation", "USD"))
    assert equity == pytest.approx(1_000_000 + daily, abs=0.01)
    by_position = [line.daily_pnl for line in exchange.positions()]
    if None not in by_position:
        assert sum(one or 0.0 for one in by_position) == pytest.approx(daily, abs=1e-3)


@settings(max_examples=30)
@given(STEPS)
def test_equal_sequences_give_equal_reports(steps: list[Quote | OrderRequest | str]) -> None:
    assert play(steps)[2] == play(steps)[2]
