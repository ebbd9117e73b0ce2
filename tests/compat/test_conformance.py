"""What every client must find at the gateway: the same cases for ib_async, ib_insync and the official client.

Whichever of the three is installed is the one that is tried; `make test` tries ib_async, `make compat` the
other two. The cases run in the order in which they stand: what one trades, a later one finds in the account.
"""

import asyncio
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from tests.compat import asyncio_driver, official_driver
from tests.compat.counterpart import ACCOUNT, USUAL_PYTHON, Counterpart, gateway
from tests.compat.message_table import Exchanged, check_or_write
from tests.compat.tap import HOST, Tap
from tests.compat.terms import Client, Named, Order, RefusedError, Wanted

if not USUAL_PYTHON.exists():
    pytest.skip("the environment of the gateway is not made: make .venv", allow_module_level=True)

LIBRARIES = ("ib_async", "ib_insync", "ibapi")
LIBRARY = next(name for name in LIBRARIES if importlib.util.find_spec(name) is not None)
CLIENT_ID = 7
PATIENCE_S = 5.0  # the asyncio libraries notice only after this long that they are not let in
SNAPSHOT_END = 57
SPX = Wanted("IND", "SPX", "CBOE", con_id=416904)
VIX = Wanted("IND", "VIX", "CBOE", con_id=13455763)
WORKING = ("PreSubmitted", "Submitted")

Connect = Callable[[int], Client]


@dataclass(frozen=True)
class Condor:
    """A condor six weeks out: its legs, and what they cost to buy when every spread is crossed."""

    wanted: Wanted
    legs: tuple[Named, ...]
    natural: float


@pytest.fixture(scope="module")
def counterpart() -> Iterator[Counterpart]:
    with gateway() as running:
        yield running


@pytest.fixture(scope="module")
def tap(counterpart: Counterpart) -> Iterator[Tap]:
    with Tap(counterpart.port) as listening:
        yield listening


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop that the asyncio libraries run, all their connections alike."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    made.run_until_complete(asyncio.sleep(0.1))  # a connection that ended closes its socket
    made.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="module")
def connect(tap: Tap, loop: asyncio.AbstractEventLoop) -> Connect:
    def connected(client_id: int) -> Client:
        if LIBRARY == "ibapi":
            return official_driver.connect(HOST, tap.port, client_id)
        return asyncio_driver.connect(LIBRARY, HOST, tap.port, client_id, PATIENCE_S)

    return connected


@pytest.fixture(scope="module")
def client(connect: Connect) -> Iterator[Client]:
    connected = connect(CLIENT_ID)
    yield connected
    connected.hang_up()


@pytest.fixture(scope="module")
def level(client: Client) -> float:
    """The index at its latest bar."""
    return client.data.history(SPX, "1 day", "5 D")[-1].close


@pytest.fixture(scope="module")
def condor(client: Client, level: float) -> Condor:
    """Legs 3 and 4 % from the index in the first SPXW expiry 35 days out."""
    weekly = next(c for c in client.reference.chains("SPX", SPX.con_id) if c.trading_class == "SPXW")
    near = date.fromisoformat(weekly.expiries[0]) + timedelta(days=35)
    expiry = next(text for text in weekly.expiries if date.fromisoformat(text) >= near)
    legs, natural = [], 0.0
    for target, right, action in ((0.96, "P", 1), (0.97, "P", -1), (1.03, "C", -1), (1.04, "C", 1)):
        strike = min((s for s in weekly.strikes if s % 25 == 0), key=lambda s: abs(s - level * target))
        asked = Wanted("OPT", "SPX", trading_class="SPXW", expiry=expiry, strike=strike, right=right)
        (named,) = client.reference.details(asked)
        ticks = client.data.quote(replace(asked, con_id=named.con_id))
        natural += ticks.ask if action > 0 else -ticks.bid
        legs.append((named, "BUY" if action > 0 else "SELL"))
    sides = tuple((named.con_id, action) for named, action in legs)
    return Condor(Wanted("BAG", "SPX", legs=sides), tuple(named for named, _ in legs), round(natural, 2))


def _leg(condor: Condor, number: int) -> Wanted:
    named = condor.legs[number]
    return Wanted(
        "OPT", "SPX", trading_class="SPXW", expiry=named.expiry, strike=named.strike, right=named.right,
        con_id=named.con_id,
    )  # fmt: skip


# --- definitions


def test_the_account_is_announced_and_told_again(client: Client) -> None:
    assert client.reference.accounts() == [ACCOUNT]


def test_time_is_the_markets(client: Client) -> None:
    assert client.reference.server_time_s() > 1_772_000_000  # the gateway opens on 2026-03-02


def test_contract_details_are_complete(client: Client) -> None:
    (index,) = client.reference.details(SPX)
    assert index.con_id == 416904
    assert index.min_tick > 0
    futures = client.reference.details(Wanted("FUT", "VIX", "CFE", "VX"))
    assert len(futures) >= 6
    assert {one.multiplier for one in futures} == {"1000"}
    assert all(len(one.exchanges) == len(one.rule_ids) for one in futures)
    assert all("-" in one.liquid_hours for one in futures)


def test_an_unknown_contract_is_refused_with_200(client: Client) -> None:
    with pytest.raises(RefusedError) as refused:
        client.reference.details(Wanted("IND", "NOSUCH", "CBOE"))
    assert refused.value.code == 200


def test_chains_name_classes_expiries_and_strikes(client: Client) -> None:
    chains = {chain.trading_class: chain for chain in client.reference.chains("SPX", SPX.con_id)}
    assert set(chains) == {"SPX", "SPXW"}
    assert len(chains["SPXW"].expiries) > len(chains["SPX"].expiries) > 3
    assert len(chains["SPXW"].strikes) > 50


def test_market_rules_give_the_price_steps(client: Client, condor: Condor) -> None:
    steps = client.reference.price_steps(condor.legs[0].rule_ids[0])
    assert steps == [(0.0, 0.05), (3.0, 0.1)]


def test_symbols_are_found_by_a_part_of_their_name(client: Client) -> None:
    assert "SPX" in client.reference.matching("SPX")


# --- quotes and history


def test_an_option_ticks_with_greeks_of_the_model(client: Client, condor: Condor) -> None:
    ticks = client.data.quote(_leg(condor, 1))
    assert 0 < ticks.bid < ticks.ask
    assert ticks.implied_volatility is not None
    assert 0.05 < ticks.implied_volatility < 1.0
    assert ticks.delta is not None
    assert -0.5 < ticks.delta < 0.0


def test_delayed_data_come_when_they_are_asked_for(client: Client) -> None:
    client.data.set_kind(3)
    client.data.set_kind(1)
    assert client.data.quote(VIX) is not None


def test_generic_ticks_and_a_snapshot_are_served(client: Client, condor: Condor) -> None:
    client.data.generic(_leg(condor, 1), "100,101,106")
    (etf,) = client.reference.details(Wanted("STK", "SPY", "SMART"))
    client.data.generic(Wanted("STK", "SPY", "SMART", con_id=etf.con_id), "104,106,233")
    vx = client.reference.details(Wanted("FUT", "VIX", "CFE", "VX"))[0]
    wanted = Wanted("FUT", "VIX", "CFE", "VX", vx.expiry, con_id=vx.con_id)
    assert client.data.quote(wanted, snapshot=True).bid > 0


def test_history_has_bars_in_order_and_the_last_one_is_kept_up_to_date(client: Client) -> None:
    bars = client.data.history(SPX, "1 day", "10 D")
    assert [bar.date for bar in bars] == sorted(bar.date for bar in bars)
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    count, updates = client.data.following(VIX)
    assert count >= 5
    assert updates >= 1


def test_first_bar_and_schedule_of_sessions_are_told(client: Client) -> None:
    assert client.data.first_bar(SPX)[:2] in {"19", "20"}
    assert len(client.data.schedule(SPX)) == 5


def test_bars_and_single_ticks_are_streamed(client: Client) -> None:
    vx = client.reference.details(Wanted("FUT", "VIX", "CFE", "VX"))[0]
    wanted = Wanted("FUT", "VIX", "CFE", "VX", vx.expiry, con_id=vx.con_id)
    assert client.data.live_bars(wanted) >= 1
    assert client.data.single_ticks(wanted, "BidAsk") >= 1
    assert client.data.single_ticks(wanted, "MidPoint") >= 1


def test_volatility_and_price_of_an_option_are_each_others_inverse(
    client: Client, condor: Condor, level: float
) -> None:
    wanted = _leg(condor, 1)
    price = client.data.option_price(wanted, 0.25, level)
    assert client.data.implied_volatility(wanted, price, level) == pytest.approx(0.25, abs=1e-3)


# --- orders


def test_a_what_if_order_tells_margin_and_places_nothing(client: Client, condor: Condor) -> None:
    assert client.orders.what_if(condor.wanted, Order("BUY", 1, condor.natural, order_ref="c:whatif")) > 0
    assert "c:whatif" not in client.orders.working()


def test_a_limit_far_off_rests_is_modified_and_cancelled_once(client: Client, condor: Condor) -> None:
    order = Order("BUY", 1, round(condor.natural - 5.0, 1), order_ref="c:far")
    order_id = client.orders.place(condor.wanted, order)
    first = client.await_status(order_id, WORKING)
    client.orders.modify(order_id, round(condor.natural - 4.0, 1))
    assert "c:far" in client.orders.working()
    assert "c:far" in client.orders.working(every_client=True)
    client.orders.cancel(order_id)
    client.await_error(202, order_id)
    ended = client.await_status(order_id, ("Cancelled",))
    assert (ended.filled, ended.perm_id) == (0, first.perm_id)
    assert ("c:far", "Cancelled") in client.orders.completed()


def test_a_condor_fills_leg_by_leg_with_one_permanent_id(client: Client, condor: Condor) -> None:
    order = Order("BUY", 2, round(condor.natural + 0.5, 1), order_ref="c:fill")
    order_id = client.orders.place(condor.wanted, order)
    filled = client.await_status(order_id, ("Filled",))
    assert (filled.filled, filled.remaining) == (2, 0)
    mine = [one for one in client.orders.executions() if one.order_ref == "c:fill"]
    assert {one.perm_id for one in mine} == {filled.perm_id}
    sides = {"BUY": "BOT", "SELL": "SLD"}
    legs = {(one.con_id, one.side): one.shares for one in mine if one.security_type == "OPT"}
    assert legs == {(con_id, sides[action]): 2 for con_id, action in condor.wanted.legs}
    assert [one.shares for one in mine if one.security_type == "BAG"] == [2]
    leg_ids = {one.exec_id for one in mine if one.security_type == "OPT"}
    client.wait(lambda: leg_ids <= set(client.orders.commissions_usd()))
    assert all(client.orders.commissions_usd()[exec_id] > 0 for exec_id in leg_ids)


def test_a_market_order_and_a_stop_are_taken(client: Client, condor: Condor) -> None:
    wing = _leg(condor, 0)
    order_id = client.orders.place(wing, Order("BUY", 1, kind="MKT", order_ref="c:market"))
    client.await_status(order_id, ("Filled",))
    stop = client.orders.place(wing, Order("SELL", 1, kind="STP", stop=0.05, order_ref="c:stop"))
    client.await_status(stop, WORKING)
    client.orders.cancel_all()
    client.await_status(stop, ("Cancelled",))


# --- the account


def test_positions_and_portfolio_are_those_of_the_fills(client: Client, condor: Condor) -> None:
    held = {con_id: quantity for con_id, quantity in client.account.positions().items() if quantity}
    wanted = {con_id: 2 if action == "BUY" else -2 for con_id, action in condor.wanted.legs}
    wanted[condor.legs[0].con_id] += 1
    assert held == wanted
    client.wait(lambda: set(client.account.portfolio()) >= set(wanted))
    assert all(cost > 0 for _, cost in client.account.portfolio().values())


def test_the_account_is_told_three_ways(client: Client) -> None:
    assert float(client.account.values()["NetLiquidation"]) > 900_000
    assert float(client.account.summary()["NetLiquidation"]) > 900_000
    assert float(client.account.multi()["NetLiquidation"]) > 900_000


def test_profit_and_loss_are_streamed_for_account_and_position(client: Client, condor: Condor) -> None:
    assert client.account.gains().daily != 0
    assert client.account.gains_of(condor.legs[1].con_id).position == -2


# --- refusals


def test_prices_of_single_legs_are_refused_with_10058(client: Client, condor: Condor) -> None:
    order = Order("BUY", 1, condor.natural, order_ref="c:legs", leg_prices=(1.0, 1.0, 1.0, 1.0))
    client.await_error(10058, client.orders.place(condor.wanted, order))


def test_a_price_off_the_step_is_refused_with_110(client: Client, condor: Condor) -> None:
    order = Order("BUY", 1, round(condor.natural, 1) + 0.03, order_ref="c:step")
    client.await_error(110, client.orders.place(condor.wanted, order))


def test_a_filled_order_is_neither_cancelled_nor_modified(client: Client, condor: Condor) -> None:
    order = Order("BUY", 1, round(condor.natural + 0.5, 1), order_ref="c:done")
    order_id = client.orders.place(condor.wanted, order)
    client.await_status(order_id, ("Filled",))
    client.orders.cancel(order_id)
    client.wait(lambda: [x for x in client.errors if x[0] == order_id and x[1] in {161, 10148}])
    client.orders.modify_as(order_id, condor.wanted, replace(order, limit=round(condor.natural, 1)))
    client.wait(lambda: [x for x in client.errors if x[0] == order_id and x[1] in {103, 104}])


def test_another_contract_under_a_working_order_is_refused_with_105(client: Client, condor: Condor) -> None:
    order = Order("BUY", 1, round(condor.natural - 5.0, 1), order_ref="c:other")
    order_id = client.orders.place(condor.wanted, order)
    client.await_status(order_id, WORKING)
    client.orders.modify_as(order_id, _leg(condor, 0), replace(order, limit=0.05))
    client.await_error(105, order_id)
    assert "c:other" in client.orders.working()
    client.orders.cancel_all()
    client.await_status(order_id, ("Cancelled",))


def test_an_order_that_nobody_knows_cannot_be_cancelled(client: Client) -> None:
    client.orders.cancel(999_999)
    client.await_error(10147, 999_999)


def test_a_client_id_in_use_is_refused_with_326(client: Client, connect: Connect) -> None:
    assert client.reference.accounts()
    with pytest.raises(RefusedError) as refused:
        connect(CLIENT_ID)
    assert refused.value.code == 326


# --- the world outside


def test_a_correction_a_notice_and_a_lost_line_are_heard(client: Client, counterpart: Counterpart) -> None:
    before = len(client.orders.executions())
    counterpart.steer("fault", kind="correct", points=0.05)
    client.wait(lambda: len(client.orders.executions()) >= before)
    counterpart.steer("fault", kind="connectivity", for_s=1.0, data_kept=True)
    client.await_error(1100)
    client.await_error(1102)
    for farm, broken, works in (("market_data", 2103, 2104), ("history", 2105, 2106)):
        counterpart.steer("fault", kind="farm", farm=farm, for_s=0.5)
        client.await_error(broken)
        client.await_error(works)


def test_client_id_zero_is_let_in_as_the_one_that_orders_made_by_hand_are_bound_to(connect: Connect) -> None:
    first = connect(0)
    assert first.reference.accounts() == [ACCOUNT]
    first.hang_up()


def test_a_snapshot_ends_by_itself(client: Client, tap: Tap) -> None:
    client.wait(lambda: SNAPSHOT_END in tap.told)  # that of an earlier case, some eleven seconds ago


def test_the_messages_that_went_by_are_those_the_documents_name(tap: Tap) -> None:
    check_or_write(LIBRARY, Exchanged(tap.asked, tap.told))
