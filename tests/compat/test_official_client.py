"""The embedded gateway serves the broker's own client: what ib_async is content with is no accident of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from tests.compat.official_client import (
    ACCOUNT,
    USUAL_PYTHON,
    OfficialClient,
    bag,
    contract,
    gateway,
    limit_order,
    order_cancel,
)

pytest.importorskip("ibapi", reason="the official client has an environment of its own: make compat")
if not USUAL_PYTHON.exists():
    pytest.skip("the environment of the gateway is not made: make .venv", allow_module_level=True)

BID, ASK = 1, 2
CLIENT_ID = 7


@dataclass(frozen=True)
class Condor:
    """The legs as (contract id, action), and what they cost to buy when every spread is crossed."""

    legs: list[tuple[int, str]]
    natural: float


@pytest.fixture(scope="module")
def client() -> Iterator[OfficialClient]:
    with gateway() as port:
        connected = OfficialClient()
        connected.connect(port, CLIENT_ID)
        yield connected
        connected.disconnect()


@pytest.fixture(scope="module")
def condor(client: OfficialClient) -> Condor:
    """A condor six weeks out with legs 3 and 4 % from the index, quoted through the tick stream."""
    (index,) = client.details(contract("IND", "SPX", exchange="CBOE"))
    request_id = client.new_id()
    client.client.reqSecDefOptParams(request_id, "SPX", "", "IND", index.contract.conId)
    client.wait("securityDefinitionOptionParameterEnd", request_id)
    weekly = next(
        args for args in client.all("securityDefinitionOptionParameter", request_id) if args[3] == "SPXW"
    )
    listed = sorted(weekly[5])
    near = date.fromisoformat(listed[0]) + timedelta(days=35)
    expiry = next(text for text in listed if date.fromisoformat(text) >= near)
    level = _price(client, index.contract, BID, ASK, 4)
    legs, natural = [], 0.0
    for target, right, action in (
        (0.96, "P", "BUY"),
        (0.97, "P", "SELL"),
        (1.03, "C", "SELL"),
        (1.04, "C", "BUY"),
    ):
        strike = min((s for s in weekly[6] if s % 25 == 0), key=lambda s: abs(s - level * target))
        asked = contract(
            "OPT", "SPX", exchange="SMART", tradingClass="SPXW", right=right, strike=strike,
            lastTradeDateOrContractMonth=expiry,
        )  # fmt: skip
        (details,) = client.details(asked)
        legs.append((details.contract.conId, action))
        natural += (
            _price(client, details.contract, ASK)
            if action == "BUY"
            else -_price(client, details.contract, BID)
        )
    return Condor(legs, round(natural, 2))


def _price(client: OfficialClient, asked: object, *fields: int) -> float:
    """The first tick of one of these fields."""
    request_id = client.new_id()
    client.client.reqMktData(request_id, asked, "", False, False, [])
    price: float = client.wait("tickPrice", request_id, until=lambda args: args[1] in fields and args[2] > 0)[
        2
    ]
    client.client.cancelMktData(request_id)
    return price


def test_it_greets_with_the_last_version_of_the_text_dialect(client: OfficialClient) -> None:
    assert client.client.serverVersion() == 176
    assert client.wait("managedAccounts") == (ACCOUNT,)


def test_contract_details_are_complete(client: OfficialClient) -> None:
    (index,) = client.details(contract("IND", "SPX", exchange="CBOE"))
    assert index.contract.conId > 0
    assert index.minTick > 0
    assert "CBOE" in index.validExchanges
    futures = client.details(contract("FUT", "VIX", exchange="CFE", tradingClass="VX"))
    assert len(futures) >= 6
    assert {details.contract.multiplier for details in futures} == {"1000"}


def test_an_unknown_contract_is_refused_with_200(client: OfficialClient) -> None:
    request_id = client.new_id()
    client.client.reqContractDetails(request_id, contract("IND", "NOSUCH", exchange="CBOE"))
    assert client.wait("error", request_id)[2] == 200


def test_a_what_if_order_tells_margin_and_places_nothing(client: OfficialClient, condor: Condor) -> None:
    order_id, order = client.new_id(), limit_order(condor.natural, 1, "alvh:whatif")
    order.whatIf = True
    client.client.placeOrder(order_id, bag(condor.legs), order)
    state = client.wait("openOrder", order_id)[3]
    assert float(state.initMarginChange) > 0
    client.client.reqAllOpenOrders()
    client.wait("openOrderEnd")
    assert client.all("orderStatus", order_id) == []


def test_a_working_condor_is_cancelled_once(client: OfficialClient, condor: Condor) -> None:
    order_id = client.new_id()
    client.client.placeOrder(
        order_id, bag(condor.legs), limit_order(round(condor.natural - 5.0, 1), 1, "alvh:far")
    )
    client.wait("orderStatus", order_id, until=lambda args: args[1] in ("PreSubmitted", "Submitted"))
    client.client.cancelOrder(order_id, order_cancel())
    assert client.wait("error", order_id)[2] == 202
    client.wait("orderStatus", order_id, "Cancelled")
    assert {args[2] for args in client.all("orderStatus", order_id)} == {0}  # nothing filled


def test_a_condor_fills_leg_by_leg_and_stands_in_the_positions(
    client: OfficialClient, condor: Condor
) -> None:
    order_id = client.new_id()
    order = limit_order(round(condor.natural + 0.5, 1), 2, "alvh:fill")
    client.client.placeOrder(order_id, bag(condor.legs), order)
    filled = client.wait("orderStatus", order_id, "Filled")
    assert (int(filled[2]), int(filled[3])) == (2, 0)
    request_id = client.new_id()
    client.client.reqExecutions(request_id, _filter())
    client.wait("execDetailsEnd", request_id)
    told = {
        (args[1].conId, args[2].side): int(args[2].shares)
        for args in client.all("execDetails", request_id)
        if args[1].secType == "OPT"
    }
    sides = {"BUY": "BOT", "SELL": "SLD"}
    assert told == {(con_id, sides[action]): 2 for con_id, action in condor.legs}
    assert {args[2].orderRef for args in client.all("execDetails", request_id)} == {"alvh:fill"}
    fees = client.all("commissionAndFeesReport")
    assert len(fees) >= 4
    assert all(args[0].commissionAndFees > 0 for args in fees if args[0].commissionAndFees < 1e9)
    client.client.reqPositions()
    client.wait("positionEnd")
    held = {args[1].conId: int(args[2]) for args in client.all("position") if args[2] != 0}
    assert held == {con_id: 2 if action == "BUY" else -2 for con_id, action in condor.legs}


def _filter() -> object:
    from ibapi.execution import ExecutionFilter

    made: object = ExecutionFilter()
    return made
