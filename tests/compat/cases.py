"""The cases of the conformance suite: what a client does, what it must see, and which messages that proves.

A case names the messages it is about; whoever runs it checks that they passed over the wire while it ran.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.compat.driver import Client, until, wait_told
from tests.compat.scene import SECOND_ID, SPX, VNQ, VVIX, Scene, nickel
from tests.compat.values import ACCOUNT, Fill, Spec, Ticket

ASYNCIO: Final = frozenset({"ib_async", "ib_insync"})
EVERY: Final = ASYNCIO | {"ibapi"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case: message ids a client sends and is sent in it, and the clients it runs on."""

    name: str
    sends: frozenset[int]
    receives: frozenset[int]
    clients: frozenset[str]
    run: Callable[[Scene], None]


CASES: Final[list[Case]] = []
Run = Callable[[Scene], None]


def case(sends: set[int], receives: set[int], clients: frozenset[str] = EVERY) -> Callable[[Run], Run]:
    """Enter a function as a case."""

    def enter(run: Run) -> Run:
        CASES.append(Case(run.__name__, frozenset(sends), frozenset(receives), clients, run))
        return run

    return enter


@case({71, 8, 17, 49, 14}, {15, 9, 49, 4})
def the_greeting_names_version_account_and_next_id(scene: Scene) -> None:
    client = scene.client("usual", SECOND_ID)
    assert client.version() == 176
    assert client.accounts() == [ACCOUNT]
    client.wire("reqIds", 1)
    client.wire("reqManagedAccts")
    client.wire("setServerLogLevel", 2)
    assert client.clock() > 1.7e9
    assert {one.code for one in client.told() if one.about == -1} >= {2104, 2106, 2158}


@case({9}, {10, 52})
def contract_details_are_complete(scene: Scene) -> None:
    reference = scene.client().reference
    (index,) = reference.details(Spec("IND", "SPX", "CBOE"))
    assert (index.con_id, "CBOE" in index.exchanges) == (SPX.con_id, True)
    futures = reference.details(Spec("FUT", "VIX", "CFE", trading_class="VX"))
    assert len(futures) >= 6
    assert {one.multiplier for one in futures} == {"1000"}
    assert all(len(one.rules) == len(one.exchanges) for one in futures)
    assert all("20260302:" in one.trading_hours for one in futures)


@case({78}, {75, 76})
def a_chain_lists_expiries_and_strikes_that_exist(scene: Scene) -> None:
    reference = scene.client().reference
    classes = {one.trading_class: one for one in reference.chains(SPX)}
    assert {"SPX", "SPXW"} <= set(classes)
    weekly = classes["SPXW"]
    strike = next(one for one in weekly.strikes if one % 25 == 0)
    asked = Spec("OPT", "SPX", expiry=weekly.expiries[5], strike=strike, right="P", trading_class="SPXW")
    (option,) = reference.details(asked)
    assert (option.expiry[:8], option.multiplier) == (weekly.expiries[5], "100")


@case({91}, {93})
def a_market_rule_gives_the_steps(scene: Scene) -> None:
    client = scene.client()
    (option,) = client.reference.details(scene.condor().legs[0])
    steps = client.reference.rule(int(option.rules[0]))
    assert [(low, step) for low, step in steps] == [(0.0, 0.05), (3.0, 0.1)]


@case({81}, {79})
def a_symbol_is_found(scene: Scene) -> None:
    assert (SPX.con_id, "SPX") in scene.client().reference.symbols("SPX")


@case({1, 2}, {1, 2, 21, 58, 81})
def option_ticks_come_with_greeks(scene: Scene) -> None:
    quotes, legs = scene.client().quotes, scene.condor().legs
    sizes_before = scene.traffic()[1][2]
    line = quotes.watch(legs[1])
    others = [quotes.watch(leg) for leg in (legs[0], legs[2], legs[3])]
    until(lambda: quotes.quote(line).delta is not None and quotes.quote(line).bid_size, "for greeks")
    until(lambda: scene.traffic()[1][2] > sizes_before, "for a size that changes alone")
    quote = quotes.quote(line)
    for one in (line, *others):
        quotes.unwatch(one)
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.delta is not None
    assert quote.volatility is not None
    assert quote.underlying is not None
    assert 0 < quote.bid < quote.ask
    assert -0.5 < quote.delta < 0.0
    assert 0.05 < quote.volatility < 1.0
    assert quote.underlying > 1000
    assert quote.kind == 1


@case({1}, {1, 57})
def a_snapshot_says_when_it_ends(scene: Scene) -> None:
    quote = scene.client().quotes.snapshot(scene.listed(VNQ))
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.ask


@case({1, 2}, {46})
def the_time_of_the_last_trade_is_told(scene: Scene) -> None:
    quotes, vnq, times = scene.client().quotes, scene.listed(VNQ), scene.traffic()[1][46]
    line = quotes.watch(vnq)
    until(lambda: scene.traffic()[1][46] > times, "for the time of a trade")
    quotes.unwatch(line)


@case({1, 2}, {45})
def a_halt_is_told_on_the_line(scene: Scene) -> None:
    quotes, vnq, halts = scene.client().quotes, scene.listed(VNQ), scene.traffic()[1][45]
    line = quotes.watch(vnq)
    until(lambda: quotes.quote(line).bid, "for a quote")
    scene.house.tell("inject", "usual", kind="halt", symbol="VNQ", for_s=3)
    until(lambda: scene.traffic()[1][45] >= halts + 2, "for the halt and its end")
    quotes.unwatch(line)


@case({59, 1, 2}, {58, 1, 4})
def delayed_data_are_marked_as_such(scene: Scene) -> None:
    client = scene.client("narrow")
    vvix = scene.listed(VVIX, client)
    client.quotes.kind(3)
    line = client.quotes.watch(vvix)
    until(lambda: client.quotes.quote(line).last is not None, "for a delayed price")
    assert client.quotes.quote(line).kind == 3
    assert wait_told(client, 10167).text.endswith("Displaying delayed market data.")
    client.quotes.unwatch(line)
    client.quotes.kind(1)


@case({20, 25}, {17, 90})
def history_goes_on_growing(scene: Scene) -> None:
    bars = scene.client().bars
    found = bars.history(SPX, "5 D", "1 day", keep=True)
    assert len(bars.closes(found)) >= 5
    assert all(close > 1000 for close in bars.closes(found))
    until(lambda: bars.updates(found) >= 2, "for a bar to grow")
    bars.stop(found)


@case({87, 90}, {88})
def history_has_a_beginning(scene: Scene) -> None:
    assert "20000101" < scene.client().bars.head(SPX) < "20260302"


@case({20}, {106})
def a_schedule_names_sessions(scene: Scene) -> None:
    assert scene.client().bars.schedule(SPX, 5) == 5


@case({50, 51}, {50})
def five_second_bars_stream(scene: Scene) -> None:
    bars = scene.client().bars
    stream = bars.follow_fives(SPX)
    until(lambda: bars.fives(stream) >= 2, "for two bars")
    bars.stop_fives(stream)


@case({97, 98}, {99})
def single_ticks_stream(scene: Scene) -> None:
    quotes = scene.client().quotes
    vnq = scene.listed(VNQ)
    for kind in ("BidAsk", "MidPoint", "Last"):
        stream = quotes.follow_ticks(vnq, kind)
        until(partial(quotes.ticks, stream), f"for {kind} ticks")
        quotes.stop_ticks(stream)


@case({54, 55}, {21})
def a_price_and_a_volatility_are_calculated(scene: Scene) -> None:
    reference, option = scene.client().reference, scene.condor().legs[1]
    level = option.strike / 0.97
    price = reference.price_at(option, 0.25, level)
    assert price > 0
    assert abs(reference.volatility_at(option, price, level) - 0.25) < 0.001


@case({6}, {6, 8, 54})
def account_values_are_told(scene: Scene) -> None:
    values = scene.client().account.values()
    assert 900_000 < float(values["NetLiquidation"]) < 1_100_000
    assert {"TotalCashValue", "BuyingPower", "InitMarginReq"} <= set(values)


@case({62, 63}, {63, 64})
def the_account_is_summed_up(scene: Scene) -> None:
    assert 900_000 < float(scene.client().account.summary()["NetLiquidation"]) < 1_100_000


@case({76, 77}, {73, 74})
def account_values_come_under_a_request_id(scene: Scene) -> None:
    assert 900_000 < float(scene.client().account.several()["NetLiquidation"]) < 1_100_000


@case({3}, {5})
def a_what_if_order_tells_margin_and_places_nothing(scene: Scene) -> None:
    client, condor = scene.client(), scene.condor()
    margin, fee = client.orders.what_if(condor.bag, Ticket(nickel(condor.natural), ref="what if"))
    assert margin > 0
    assert 0 < fee < 100
    assert "what if" not in {one.ref for one in client.orders.working(everybody=True)}


@case({3, 7, 61, 64, 6}, {5, 3, 11, 55, 59, 61, 62, 7})
def a_condor_fills_leg_by_leg_and_stands_in_the_positions(scene: Scene) -> None:
    client, condor = scene.client(), scene.condor()
    before = client.account.positions()
    ticket = Ticket(nickel(condor.natural + 2.0), 2, ref="condor")
    order_id = client.orders.place(condor.bag, ticket)
    until(lambda: status(client, order_id) == "Filled", "for the fill")
    state = client.orders.state(order_id)
    assert state is not None
    assert (state.filled, state.remaining) == (2.0, 0.0)
    perm_id = state.perm_id

    def executed() -> list[Fill]:
        return [one for one in client.orders.executions() if one.perm_id == perm_id]

    # A commission report follows its execution.
    until(lambda: all(one.fee for one in executed() if one.kind == "OPT"), "for the fees")
    fills = executed()
    assert {one.ref for one in fills} == {"condor"}
    quantity: dict[tuple[int, str], float] = {}
    for one in fills:
        if one.kind == "OPT":
            quantity[one.con_id, one.side] = quantity.get((one.con_id, one.side), 0.0) + one.quantity
    sides = {"BUY": "BOT", "SELL": "SLD"}
    assert quantity == {(con_id, sides[action]): 2.0 for con_id, action in condor.bag.legs}
    assert sum(one.quantity for one in fills if one.kind == "BAG") == 2.0
    assert all(one.fee is not None and one.fee > 0 for one in fills if one.kind == "OPT")
    held = client.account.positions()
    for con_id, action in condor.bag.legs:
        moved = held[con_id][0] - before.get(con_id, (0.0, 0.0))[0]
        assert moved == (2.0 if action == "BUY" else -2.0)
    client.account.values()
    until(lambda: {con_id for con_id, _ in condor.bag.legs} <= set(client.account.portfolio()), "portfolio")


@case({3, 92, 93, 94, 95}, {94, 95})
def profit_and_loss_stream_of_the_account_and_of_a_position(scene: Scene) -> None:
    client, vnq = scene.client(), scene.listed(VNQ)
    order_id = client.orders.place(vnq, Ticket(500.0, 10, ref="stock"))
    until(lambda: status(client, order_id) == "Filled", "for the fill")
    held = client.account.positions()[vnq.con_id]
    quantity, daily, unrealised, realised, value = client.account.pnl_single(vnq.con_id)
    assert quantity == held[0] >= 10.0
    assert value > 0
    assert (abs(unrealised) < 1000, abs(realised) < 1000, abs(daily) < 1000) == (True, True, True)
    assert all(abs(figure) < 100_000 for figure in client.account.pnl())


@case({3, 4}, {5, 3, 4})
def a_far_limit_rests_is_modified_and_cancelled_once(scene: Scene) -> None:
    client, condor = scene.client(), scene.condor()
    far = nickel(condor.natural - 5.0)
    order_id = client.orders.place(condor.bag, Ticket(far, ref="far"))
    until(lambda: status(client, order_id) == "Submitted", "for the order to work")
    state = client.orders.state(order_id)
    client.orders.place(condor.bag, Ticket(nickel(far - 1.0), ref="far"), order_id)
    until(
        lambda: any(
            one.order_id == order_id and abs(one.limit - nickel(far - 1.0)) < 1e-9
            for one in client.orders.working(everybody=False)
        ),
        "for the changed limit",
    )
    changed = client.orders.state(order_id)
    assert state is not None
    assert changed is not None
    assert (changed.perm_id, changed.status) == (state.perm_id, "Submitted")
    client.orders.cancel(order_id)
    assert wait_told(client, 202, order_id).text.startswith("Order Canceled - reason:")
    until(lambda: status(client, order_id) == "Cancelled", "for the cancel")
    assert state.perm_id not in {one.perm_id for one in client.orders.executions()}
    assert [one.code for one in client.told() if one.about == order_id] == [202]


@case({5, 16, 3, 58, 99}, {5, 3, 53, 101, 102})
def open_and_completed_orders_are_listed_and_all_cancelled(scene: Scene) -> None:
    mine, other, condor = scene.client(), scene.client("usual", SECOND_ID), scene.condor()
    ticket = Ticket(nickel(condor.natural - 6.0), ref="listed")
    order_id = mine.orders.place(condor.bag, ticket)
    until(lambda: status(mine, order_id) == "Submitted", "for the order to work")
    assert "listed" in {one.ref for one in mine.orders.working(everybody=False)}
    assert "listed" not in {one.ref for one in other.orders.working(everybody=False)}
    assert "listed" in {one.ref for one in other.orders.working(everybody=True)}
    mine.orders.cancel_all()
    until(lambda: status(mine, order_id) == "Cancelled", "for the cancel")
    ended = [one for one in mine.orders.completed() if one.ref == "listed"]
    assert {one.status for one in ended} == {"Cancelled"}
    assert all(one.perm_id for one in ended)


@case({15}, {100})
def an_order_made_by_hand_is_bound_to_client_zero(scene: Scene) -> None:
    client, vnq = scene.client("usual", 0), scene.listed(VNQ)
    client.orders.bind()
    client.clock()  # whatever was asked before has been heard when the time is told
    scene.house.tell("place_by_hand", "usual", con_id=vnq.con_id, limit=1.0)
    until(client.orders.bound, "for an id")
    assert all(order_id < 0 for order_id in client.orders.bound())
    client.orders.cancel_all()
    client.clock()  # on another line an order of the next case could come first, and be cancelled with these


def status(client: Client, order_id: int) -> str:
    """The status of an order as the client has it; empty while it has none."""
    state = client.orders.state(order_id)
    return "" if state is None else state.status
