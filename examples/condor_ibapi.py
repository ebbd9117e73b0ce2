"""An iron condor on the embedded gateway with ibapi, the broker's own client: a thread and callbacks.

alvh gateway --port 4002 --seed 1 --scenario calm
.venv-ibapi/bin/python examples/condor_ibapi.py --port 4002
"""

import argparse
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ibapi.client import EClient
from ibapi.contract import ComboLeg, Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

#: Distance of each leg from the index, its right, and what buying the condor does with it.
LEGS = ((0.96, "P", "BUY"), (0.97, "P", "SELL"), (1.03, "C", "SELL"), (1.04, "C", "BUY"))
BID, ASK, LAST, MODEL = 1, 2, 4, 13
NOT_CONNECTED = 502  # told in our own words
PATIENCE_S = 30.0
UNREACHABLE = (
    "no gateway answers at 127.0.0.1:{port}; start one with `alvh gateway --port {port}`, or name its port"
    " with --port; a client id that is in use is not answered either"
)


class Ear(EWrapper):
    """Keeps what the callbacks say by name and request, and waits for it."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        self._heard: dict[tuple[object, ...], Any] = {}
        self._news = threading.Condition()
        self.next_id = 1

    def hear(self, *key: object, value: Any = True) -> None:
        """Keep something that was said."""
        with self._news:
            self._heard[key] = value
            self._news.notify_all()

    def wait(self, *key: object) -> Any:
        """What was said, now or within a while. Raises TimeoutError."""
        if not self.heard_within(PATIENCE_S, *key):
            raise TimeoutError(f"nothing came for {key}")
        return self._heard[key]

    def heard_within(self, seconds: float, *key: object) -> bool:
        """Whether something is said, now or within so many seconds."""
        with self._news:
            return self._news.wait_for(lambda: key in self._heard, seconds)

    def every(self, name: str) -> list[Any]:
        """All that was said under a name."""
        with self._news:
            return [value for key, value in self._heard.items() if key[0] == name]

    # --- callbacks, whose names are the library's

    def nextValidId(self, orderId: int) -> None:
        self.next_id = orderId
        self.hear("ready")

    def managedAccounts(self, accountsList: str) -> None:
        self.hear("account", value=accountsList)

    def error(self, reqId: int, errorTime: int, errorCode: int, errorString: str, *_: str) -> None:
        if not 2100 <= errorCode < 2200 and errorCode != NOT_CONNECTED:
            print(f"error {errorCode} about {reqId}: {errorString}")

    def contractDetails(self, reqId: int, contractDetails: Any) -> None:
        self.hear("details", reqId, value=contractDetails.contract)

    def securityDefinitionOptionParameter(
        self, reqId: int, exchange: str, con_id: int, name: str, multiplier: str, days: Any, strikes: Any
    ) -> None:
        self.hear("chain", reqId, name, value=(sorted(days), sorted(strikes)))

    def tickPrice(self, reqId: int, tickType: int, price: float, attrib: Any) -> None:
        if price > 0:
            self.hear("price", reqId, tickType, value=price)

    def tickOptionComputation(self, reqId: int, tickType: int, *figures: float) -> None:
        self.hear("model", reqId, tickType, value=figures)


class Desk(Ear, EClient):
    """A client and its ear; callbacks about orders and the account."""

    def __init__(self) -> None:
        Ear.__init__(self)
        EClient.__init__(self, self)

    def ask(self, request: Callable[..., None], *arguments: Any) -> int:
        """Make a request under a new id, which is given."""
        self.next_id += 1
        request(self.next_id, *arguments)
        return self.next_id

    def openOrder(self, orderId: int, contract: Any, order: Any, orderState: Any) -> None:
        self.hear("order", orderId, value=orderState)

    def orderStatus(self, orderId: int, status: str, *figures: Any) -> None:
        self.hear("status", orderId, status, value=figures)

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:
        self.hear("fill", execution.execId, value=(contract, execution))

    def execDetailsEnd(self, reqId: int) -> None:
        self.hear("fills", reqId)

    def commissionAndFeesReport(self, commissionAndFeesReport: Any) -> None:
        self.hear("fee", commissionAndFeesReport.execId, value=commissionAndFeesReport.commissionAndFees)

    def position(self, account: str, contract: Any, position: Decimal, avgCost: float) -> None:
        self.hear("position", contract.conId, value=position)

    def positionEnd(self) -> None:
        self.hear("positions")


def contract(kind: str, exchange: str, **fields: object) -> Any:
    """An SPX contract."""
    made = Contract()
    for name, value in {
        "secType": kind,
        "symbol": "SPX",
        "currency": "USD",
        "exchange": exchange,
        **fields,
    }.items():
        setattr(made, name, value)
    return made


def price(desk: Desk, asked: Any, kind: int) -> float:
    """The first price of a kind on a line that is closed again."""
    line = desk.ask(desk.reqMktData, asked, "", False, False, [])
    found: float = desk.wait("price", line, kind)
    desk.cancelMktData(line)
    return found


def find_legs(desk: Desk) -> list[Any]:
    """Four SPXW options five weeks out."""
    index = desk.wait("details", desk.ask(desk.reqContractDetails, contract("IND", "CBOE")))
    chain = desk.ask(desk.reqSecDefOptParams, "SPX", "", "IND", index.conId)
    expiries, strikes = desk.wait("chain", chain, "SPXW")
    far_enough = date.fromisoformat(expiries[0]) + timedelta(days=35)
    expiry = next(day for day in expiries if date.fromisoformat(day) >= far_enough)
    level = price(desk, index, LAST)
    print(f"SPX {level:.2f}, {len(expiries)} expiries, condor of {expiry}")
    legs = []
    for distance, right, _ in LEGS:
        near = level * distance
        strike = min((one for one in strikes if one % 25 == 0), key=lambda one: abs(one - near))
        asked = contract(
            "OPT",
            "SMART",
            tradingClass="SPXW",
            right=right,
            strike=strike,
            lastTradeDateOrContractMonth=expiry,
        )
        legs.append(desk.wait("details", desk.ask(desk.reqContractDetails, asked)))
    return legs


def quote(desk: Desk, legs: list[Any]) -> float:
    """What the condor costs to buy when every spread is crossed."""
    natural = 0.0
    for leg, (_, _, action) in zip(legs, LEGS, strict=True):
        line = desk.ask(desk.reqMktData, leg, "", False, False, [])
        bid, ask = desk.wait("price", line, BID), desk.wait("price", line, ASK)
        delta = desk.wait("model", line, MODEL)[2]
        desk.cancelMktData(line)
        print(f"{leg.localSymbol}  {bid:.2f} / {ask:.2f}  delta {delta:.3f}")
        natural += ask if action == "BUY" else -bid
    return natural


def buy(desk: Desk, legs: list[Any], natural: float) -> None:
    """Ask for the margin, then buy at the natural price. A negative limit is a credit."""
    condor = contract("BAG", "SMART")
    condor.comboLegs = []
    for found, (_, _, action) in zip(legs, LEGS, strict=True):
        leg = ComboLeg()
        leg.conId, leg.ratio, leg.action, leg.exchange = found.conId, 1, action, "SMART"
        condor.comboLegs.append(leg)
    order = Order()
    order.action, order.orderType, order.totalQuantity, order.tif = "BUY", "LMT", Decimal(1), "DAY"
    order.lmtPrice, order.orderRef = round(round(natural / 0.05) * 0.05 + 0.05, 2), "example"
    order.whatIf = True
    state = desk.wait("order", desk.ask(desk.placeOrder, condor, order))
    margin, fee = float(state.initMarginChange), state.commissionAndFees
    print(f"what if: initial margin {margin:+,.2f} USD, commission {fee:.2f}")
    order.whatIf = False
    _, _, average, perm_id, *_ = desk.wait("status", desk.ask(desk.placeOrder, condor, order), "Filled")
    print(f"order {perm_id}: Filled at {average:.2f}")
    desk.wait("fills", desk.ask(desk.reqExecutions, ExecutionFilter()))
    for bought, execution in desk.every("fill"):
        if execution.permId == perm_id and bought.secType == "OPT":
            fee = desk.wait("fee", execution.execId)
            side, shares = execution.side, float(execution.shares)
            print(f"{side} {shares:g} {bought.localSymbol} at {execution.price:.2f}, commission {fee:.2f}")
    desk.reqPositions()
    desk.wait("positions")
    print(f"{len([held for held in desk.every('position') if held])} positions")


def main(port: int, client_id: int) -> int:
    """Trade one condor; 69 when no gateway answers. Raises TimeoutError when something else does not come."""
    desk = Desk()
    desk.connect("127.0.0.1", port, client_id)
    reading = threading.Thread(target=desk.run)
    reading.start()
    try:
        if not desk.isConnected() or not desk.heard_within(PATIENCE_S, "ready"):
            print(UNREACHABLE.format(port=port), file=sys.stderr)
            return 69
        print(f"connected to {desk.wait('account')}, server version {desk.serverVersion()}")
        legs = find_legs(desk)
        buy(desk, legs, quote(desk, legs))
    finally:
        desk.disconnect()
        reading.join()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=4002)
    parser.add_argument("--client-id", type=int, default=13)
    chosen = parser.parse_args()
    raise SystemExit(main(chosen.port, chosen.client_id))
