"""Codes about market data, the account and the world behind the gateway."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from tests.compat.codes import CODES, code
from tests.compat.driver import Client, until, wait_told
from tests.compat.scene import SECOND_ID, SPX, VIX9D, VVIX, Scene
from tests.compat.values import Spec, Told

_TWIN_ACCOUNT: Final = "All"
#: A method of a gateway and its arguments.
Act = tuple[str, Mapping[str, object]]


def _watched(scene: Scene, client: Client, spec: Spec, number: int) -> Told:
    """Ask for a line that is answered with this code."""
    req_id = client.new_id()
    client.wire("reqMktData", req_id, client.contract(spec), "", False, False, [])
    return wait_told(client, number, req_id)


@code(101, r"Max number of tickers has been reached\.")
def a_line_too_many(scene: Scene) -> Told:
    client = scene.client("narrow")
    spec = scene.listed(SPX, client)
    lines = [client.new_id() for _ in range(3)]
    for req_id in lines:
        client.wire("reqMktData", req_id, client.contract(spec), "", False, False, [])
    told = wait_told(client, 101, lines[-1])
    for req_id in lines[:-1]:
        client.wire("cancelMktData", req_id)
    return told


@code(102, r"Duplicate ticker ID\.")
def a_line_twice(scene: Scene) -> Told:
    client = scene.client()
    req_id = client.new_id()
    for _ in range(2):
        client.wire("reqMktData", req_id, client.contract(SPX), "", False, False, [])
    told = wait_told(client, 102, req_id)
    client.wire("cancelMktData", req_id)
    return told


@code(300, r"Can't find EId with tickerId:\d+")
def a_line_that_is_not_there(scene: Scene) -> Told:
    client = scene.client()
    req_id = client.new_id()
    client.wire("cancelMktData", req_id)
    return wait_told(client, 300, req_id)


@code(366, r"No historical data query found for ticker id:\d+")
def a_history_that_is_not_there(scene: Scene) -> Told:
    client = scene.client()
    req_id = client.new_id()
    client.wire("cancelHistoricalData", req_id)
    return wait_told(client, 366, req_id)


@code(354, r"Requested market data is not subscribed\.Delayed market data is available\.")
def data_not_subscribed(scene: Scene) -> Told:
    client = scene.client("narrow")
    return _watched(scene, client, VVIX, 354)


@code(10089, r"Requested market data requires additional subscription for API\.")
def data_without_the_api(scene: Scene) -> Told:
    return _watched(scene, scene.client("narrow"), VIX9D, 10089)


@code(10167, r"Requested market data is not subscribed\. Displaying delayed market data\.")
def delayed_data_instead(scene: Scene) -> Told:
    client = scene.client("narrow")
    client.quotes.kind(3)
    told = _watched(scene, client, VVIX, 10167)
    client.wire("cancelMktData", told.about)
    client.quotes.kind(1)
    return told


@code(10186, r"Requested market data is not subscribed\. Delayed market data is not enabled\.")
def no_delayed_data_either(scene: Scene) -> Told:
    client = scene.client("poor")
    client.quotes.kind(3)
    told = _watched(scene, client, VVIX, 10186)
    client.quotes.kind(1)
    return told


@code(10197, r"No market data during competing live session")
def another_session_takes_the_data(scene: Scene) -> Told:
    client = scene.client()
    line = client.quotes.watch(SPX)
    until(lambda: client.quotes.quote(line).last, "for a price")
    scene.house.tell("compete", "usual", elsewhere=True)
    told = wait_told(client, 10197)
    scene.house.tell("compete", "usual", elsewhere=False)
    client.quotes.unwatch(line)
    return told


@code(2100, r"New account data requested from TWS\. +API client has been unsubscribed from account data\.")
def the_account_under_another_name(scene: Scene) -> Told:
    client = scene.client("locked")
    client.account.values()
    client.wire("reqAccountUpdates", True, _TWIN_ACCOUNT)
    told = wait_told(client, 2100, -1)
    client.account.values()
    return told


@code(
    2101, r"Unable to subscribe to account as the following clients are subscribed to a different account:7"
)
def the_account_followed_elsewhere(scene: Scene) -> Told:
    scene.client("locked").account.values()
    other = scene.client("locked", SECOND_ID)
    other.wire("reqAccountUpdates", True, _TWIN_ACCOUNT)
    return wait_told(other, 2101, -1)


def _noticed(number: int, begins: str, *acts: Act) -> None:
    """A notice that the world behind the gateway brings about."""

    def provoke(scene: Scene) -> Told:
        client = scene.client("poor")
        before = sum(one.code == number for one in client.told())
        for method, arguments in acts:
            scene.house.tell(method, "poor", **arguments)
        until(lambda: sum(one.code == number for one in client.told()) > before, f"for {number}")
        return [one for one in client.told() if one.code == number][-1]

    provoke.__name__ = f"notice_{number}"
    code(number, begins)(provoke)


def _farm(name: str) -> tuple[Act, ...]:
    return (("farm", {"farm": name, "works": False}), ("farm", {"farm": name, "works": True}))


_LOST: Final[Act] = ("lose_connectivity", {})
_KEPT: Final[Act] = ("restore_connectivity", {"data_kept": True})
_NOT_KEPT: Final[Act] = ("restore_connectivity", {"data_kept": False})
_noticed(1100, r"Connectivity between IB and Trader Workstation has been lost\.", _LOST, _KEPT)
_noticed(1101, r"Connectivity .* has been restored - data lost\.", _LOST, _NOT_KEPT)
_noticed(1102, r"Connectivity .* has been restored - data maintained\.", _LOST, _KEPT)
_noticed(2103, r"Market data farm connection is broken:usopt", *_farm("market_data"))
_noticed(2104, r"Market data farm connection is OK:usopt", *_farm("market_data"))
_noticed(2105, r"HMDS data farm connection is broken:ushmds", *_farm("history"))
_noticed(2106, r"HMDS data farm connection is OK:ushmds", *_farm("history"))
_noticed(2107, r"HMDS data farm connection is inactive", ("inject", {"kind": "notice", "code": 2107}))
_noticed(2108, r"Market data farm connection is inactive", ("inject", {"kind": "notice", "code": 2108}))
_noticed(
    2110,
    r"Connectivity between Trader Workstation and server is broken\.",
    ("inject", {"kind": "notice", "code": 2110}),
)
_noticed(2157, r"Sec-def data farm connection is broken:secdefnj", *_farm("security_definitions"))
_noticed(2158, r"Sec-def data farm connection is OK:secdefnj", *_farm("security_definitions"))


@code(1300, r"Socket port has been reset and this connection is being dropped\.")
def the_port_moves(scene: Scene) -> Told:
    client = scene.client("evening")
    scene.house.tell("move_port", "evening", port=4003)
    told = wait_told(client, 1300, -1)
    until(lambda: not client.connected(), "for the gateway to hang up")
    return told


@code(100, r"Max rate of messages per second has been exceeded:max=50 rec=51 \(1\)")
def too_many_messages(scene: Scene) -> Told:
    client = scene.client("usual", SECOND_ID + 2)

    def flood() -> bool:
        # The connection may end between looking and writing, which is what is waited for.
        with suppress(ConnectionError):
            for _ in range(100):
                client.wire("reqCurrentTime")
        return not client.connected()

    until(flood, "for the gateway to hang up")
    told = [one for one in client.told() if one.code == 100]
    assert [one.text[-3:] for one in told] == ["(1)", "(2)", "(3)"]
    return told[0]


#: Those of orders, entered before, and those of this module.
EVERY_CODE: Final = tuple(CODES)
