"""Errors and notices, each provoked through a client, with the text it has to have."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.compat.cases import EVERY, status
from tests.compat.driver import Client, until, wait_told
from tests.compat.scene import CLIENT_ID, SECOND_ID, SPX, VNQ, Scene, nickel, quoted
from tests.compat.values import Spec, Ticket, Told

NOBODY: Final = Spec("STK", "NOPE")


@dataclass(frozen=True, slots=True)
class Code:
    """A code, how its text begins (a pattern), and what provokes it: the function gives what was told."""

    name: str
    code: int
    begins: str
    clients: frozenset[str]
    provoke: Callable[[Scene], Told]


CODES: Final[list[Code]] = []
Provoke = Callable[[Scene], Told]


def code(number: int, begins: str, clients: frozenset[str] = EVERY) -> Callable[[Provoke], Provoke]:
    """Enter a function as what provokes a code."""

    def enter(provoke: Provoke) -> Provoke:
        CODES.append(Code(provoke.__name__, number, begins, clients, provoke))
        return provoke

    return enter


def matches(one: Code, told: Told) -> bool:
    """Whether the text is the broker's."""
    return told.code == one.code and re.match(one.begins, told.text, re.DOTALL) is not None


def _refused(
    scene: Scene, number: int, ticket: Ticket, spec: Spec | None = None, opening: str = "usual"
) -> Told:
    """Place an order of a condor, or of another contract, that is answered with this code."""
    client = scene.client(opening)
    order_id = client.orders.place(spec or scene.condor(opening).bag, ticket)
    return wait_told(client, number, order_id)


def _working(scene: Scene, opening: str = "usual") -> tuple[Client, int, Ticket]:
    """An order that rests far from the market."""
    client, condor = scene.client(opening), scene.condor(opening)
    ticket = Ticket(nickel(condor.natural - 5.0), ref="code")
    order_id = client.orders.place(condor.bag, ticket)
    until(lambda: status(client, order_id) in {"Submitted", "PreSubmitted"}, "for the order to work")
    return client, order_id, ticket


def _written(scene: Scene, opening: str, order_id: int, ticket: Ticket) -> None:
    """Place an order below the library's bookkeeping."""
    client = scene.client(opening)
    client.wire("placeOrder", order_id, client.contract(scene.condor(opening).bag), client.order(ticket))


@code(103, r"Duplicate order id")
def an_old_order_id(scene: Scene) -> Told:
    client, order_id, ticket = _working(scene)
    client.orders.cancel(order_id)
    wait_told(client, 202, order_id)
    _written(scene, "usual", order_id, ticket)
    return wait_told(client, 103, order_id)


@code(104, r"Cannot modify a filled order\.")
def a_filled_order_changed(scene: Scene) -> Told:
    client, condor = scene.client(), scene.condor()
    ticket = Ticket(nickel(condor.natural + 2.0), ref="filled")
    order_id = client.orders.place(condor.bag, ticket)
    until(lambda: status(client, order_id) == "Filled", "for the fill")
    _written(scene, "usual", order_id, ticket)
    return wait_told(client, 104, order_id)


@code(105, r"Order being modified does not match original order\.")
def an_order_turned_round(scene: Scene) -> Told:
    client, order_id, ticket = _working(scene)
    _written(scene, "usual", order_id, replace(ticket, action="SELL"))
    return wait_told(client, 105, order_id)


@code(106, r"Can't transmit order ID:-5")
def an_id_that_no_order_can_have(scene: Scene) -> Told:
    _written(scene, "usual", -5, Ticket(nickel(scene.condor().natural - 5.0)))
    return wait_told(scene.client(), 106, -5)


@code(107, r"Cannot transmit incomplete order\.")
def an_order_without_a_type(scene: Scene) -> Told:
    return _refused(scene, 107, Ticket(-1.0, fields={"orderType": ""}))


@code(109, r"Price is out of the range defined by the Percentage setting")
def a_limit_beyond_the_presets(scene: Scene) -> Told:
    client = scene.client("poor")
    vnq = scene.listed(VNQ, client)
    bid, ask = quoted(client, vnq)
    return _refused(scene, 109, Ticket(round(1.2 * (bid + ask) / 2.0, 2)), vnq, "poor")


@code(110, r"The price does not conform to the minimum price variation for this contract\.")
def a_price_off_the_tick(scene: Scene) -> Told:
    return _refused(scene, 110, Ticket(-1.03))


@code(10058, r"Combo per-leg prices are only supported for non-guaranteed smart combos with two legs")
def prices_of_single_legs(scene: Scene) -> Told:
    return _refused(scene, 10058, Ticket(-1.0, leg_prices=(1.0, 2.0, 3.0, 4.0)))


@code(161, r"Cancel attempted when order is not in a cancellable state\. +Order permId =\d+")
def a_cancel_too_many(scene: Scene) -> Told:
    client, order_id, _ = _working(scene, "narrow")
    for _ in range(2):
        client.wire("cancelOrder", order_id, "")
    return wait_told(client, 161, order_id)


@code(2102, r"Unable to modify this order as it is still being processed\.")
def a_change_while_it_is_cancelled(scene: Scene) -> Told:
    client, order_id, ticket = _working(scene, "narrow")
    client.wire("cancelOrder", order_id, "")
    _written(scene, "narrow", order_id, ticket)
    return wait_told(client, 2102, order_id)


@code(162, r"Historical Market Data Service error message:Historical data request pacing violation")
def a_history_asked_twice(scene: Scene) -> Told:
    client = scene.client()
    first, second = client.new_id(), client.new_id()
    for req_id in (first, second):
        contract = client.contract(SPX)
        client.wire("reqHistoricalData", req_id, contract, "", "3 D", "1 day", "TRADES", 1, 1, False, [])
    return wait_told(client, 162, second)


@code(200, r"No security definition has been found for the request")
def a_contract_nobody_lists(scene: Scene) -> Told:
    client = scene.client()
    assert client.reference.details(NOBODY) == []
    return wait_told(client, 200)


@code(201, r"Order rejected - reason:The instrument is not available for trading")
def an_index_bought(scene: Scene) -> Told:
    return _refused(scene, 201, Ticket(1.0), SPX)


@code(202, r"Order Canceled - reason:")
def an_order_cancelled(scene: Scene) -> Told:
    client, order_id, _ = _working(scene)
    client.orders.cancel(order_id)
    return wait_told(client, 202, order_id)


@code(320, r"Error reading request\. ")
def a_number_that_is_none(scene: Scene) -> Told:
    client = scene.client()
    req_id = client.new_id()
    client.wire("reqAccountUpdatesMulti", "no number", "", "", False)
    client.wire("cancelAccountSummary", req_id)
    return wait_told(client, 320)


@code(321, r"Error validating request\.-'b\w' : cause - BAG isn't supported")
def details_of_a_combination(scene: Scene) -> Told:
    client = scene.client()
    req_id = client.new_id()
    client.wire("reqContractDetails", req_id, client.contract(Spec("BAG", "SPX")))
    return wait_told(client, 321, req_id)


@code(321, r"Error validating request\..* - The API interface is currently in Read-Only mode\.")
def an_order_where_none_are_taken(scene: Scene) -> Told:
    return _refused(scene, 321, Ticket(-1.0), opening="locked")


@code(322, r"Error processing request\.-'b\w' : cause - Maximum number of account summary requests exceeded")
def a_third_summary(scene: Scene) -> Told:
    client = scene.client("usual", SECOND_ID)
    asked = [client.new_id() for _ in range(3)]
    for req_id in asked:
        client.wire("reqAccountSummary", req_id, "All", "NetLiquidation")
    told = wait_told(client, 322)
    for req_id in asked:
        client.wire("cancelAccountSummary", req_id)
    return told


@code(326, r"Unable to connect as the client id is already in use\.")
def an_id_in_use(scene: Scene) -> Told:
    first, twin = scene.client(), scene.make()
    assert not twin.connect(scene.port("usual"), CLIENT_ID, 1.0)
    told = wait_told(twin, 326, -1)
    twin.disconnect()
    assert first.connected()
    return told


@code(399, r"Order Message:\nBUY 1 SPX BAG\n.* until 2026-03-03 09:30:00 US/Eastern")
def an_order_in_the_evening(scene: Scene) -> Told:
    return _refused(scene, 399, Ticket(-1.0), scene.condor().bag, "evening")


@code(10147, r"OrderId \d+ that needs to be cancelled is not found\.")
def a_cancel_of_nothing(scene: Scene) -> Told:
    client = scene.client()
    order_id = client.new_id()
    client.wire("cancelOrder", order_id, "")
    return wait_told(client, 10147, order_id)


@code(10148, r"OrderId \d+ that needs to be cancelled cannot be cancelled, state: Cancelled\.")
def a_cancel_of_what_ended(scene: Scene) -> Told:
    client, order_id, _ = _working(scene)
    client.orders.cancel(order_id)
    wait_told(client, 202, order_id)
    client.wire("cancelOrder", order_id, "")
    return wait_told(client, 10148, order_id)


@code(2109, r"Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored")
def an_attribute_ignored(scene: Scene) -> Told:
    ticket = Ticket(nickel(scene.condor().natural - 5.0), fields={"outsideRth": True})
    return _refused(scene, 2109, ticket)


@code(2137, r"The closing order quantity is greater than your current position\.")
def a_position_turned_over(scene: Scene) -> Told:
    client, vnq = scene.client(), scene.listed(VNQ)
    bought = client.orders.place(vnq, Ticket(500.0, 1))
    until(lambda: status(client, bought) == "Filled", "for the fill")
    held = client.account.positions()[vnq.con_id][0]
    return _refused(scene, 2137, Ticket(900.0, held + 1, "SELL"), vnq)


@code(10349, r"Order TIF was set to DAY based on order preset\.")
def no_time_in_force(scene: Scene) -> Told:
    ticket = Ticket(nickel(scene.condor().natural - 5.0), fields={"tif": ""})
    return _refused(scene, 10349, ticket)
