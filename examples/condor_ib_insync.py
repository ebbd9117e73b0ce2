"""An iron condor on the embedded gateway with ib_insync, the predecessor of ib_async, in blocking calls.

alvh gateway --port 4002 --seed 1 --scenario calm
.venv-insync/bin/python examples/condor_ib_insync.py --port 4002
"""

import argparse
import logging
import sys
from datetime import date, timedelta
from typing import Any

from ib_insync import IB, ComboLeg, Contract, Index, LimitOrder, Option, Ticker

#: Distance of each leg from the index, its right, and what buying the condor does with it.
LEGS = ((0.96, "P", "BUY"), (0.97, "P", "SELL"), (1.03, "C", "SELL"), (1.04, "C", "BUY"))
PATIENCE_S = 30.0
UNREACHABLE = (
    "no gateway answers at 127.0.0.1:{port} ({error}); start one with `alvh gateway --port {port}`,"
    " or name its port with --port; a client id that is in use is not answered either"
)
LOOK_S = 0.1


def main(port: int, client_id: int) -> int:
    """Trade one condor; 0 when it was filled, 1 when not, 69 when no gateway answers."""
    ib = IB()
    try:
        ib.connect("127.0.0.1", port, clientId=client_id)
    except OSError as error:  # nobody listens, or nobody finishes the greeting
        print(UNREACHABLE.format(port=port, error=repr(error)), file=sys.stderr)
        return 69
    print(f"connected to {ib.managedAccounts()[0]}, server version {ib.client.serverVersion()}")
    try:
        legs = find_legs(ib)
        natural = 0.0
        for leg, (_, _, action) in zip(legs, LEGS, strict=True):
            ticker = quote(ib, leg)
            delta = ticker.modelGreeks.delta
            print(f"{leg.localSymbol}  {ticker.bid:.2f} / {ticker.ask:.2f}  delta {delta:.3f}")
            natural += ticker.ask if action == "BUY" else -ticker.bid
        combo = [
            ComboLeg(conId=leg.conId, ratio=1, action=action, exchange="SMART")
            for leg, (_, _, action) in zip(legs, LEGS, strict=True)
        ]
        condor = Contract(secType="BAG", symbol="SPX", exchange="SMART", currency="USD", comboLegs=combo)
        return buy(ib, condor, natural)
    finally:
        ib.disconnect()


def find_legs(ib: IB) -> list[Contract]:
    """Four SPXW options five weeks out."""
    (index,) = ib.qualifyContracts(Index("SPX", "CBOE", "USD"))
    chains = ib.reqSecDefOptParams("SPX", "", "IND", index.conId)
    weekly = next(chain for chain in chains if chain.tradingClass == "SPXW")
    expiries = sorted(weekly.expirations)
    far_enough = date.fromisoformat(expiries[0]) + timedelta(days=35)
    expiry = next(day for day in expiries if date.fromisoformat(day) >= far_enough)
    ticker = quote(ib, index)
    print(f"SPX {ticker.last:.2f}, {len(expiries)} expiries, condor of {expiry}")
    wanted = []
    for distance, right, _ in LEGS:
        near = ticker.last * distance
        strike = min((one for one in weekly.strikes if one % 25 == 0), key=lambda one: abs(one - near))
        wanted.append(Option("SPX", expiry, strike, right, "SMART", tradingClass="SPXW"))
    found: list[Contract] = ib.qualifyContracts(*wanted)
    return found


def quote(ib: IB, contract: Contract) -> Ticker:
    """A contract's line as soon as it has a price and, for an option, the model's greeks."""
    ticker = ib.reqMktData(contract)
    while not (ticker.hasBidAsk() and ticker.modelGreeks) and not (
        contract.secType == "IND" and ticker.last > 0
    ):
        if not ib.waitOnUpdate(PATIENCE_S):
            raise TimeoutError(f"no quote of {contract.localSymbol}")
    ib.cancelMktData(contract)
    return ticker


def buy(ib: IB, condor: Contract, natural: float) -> int:
    """Ask for the margin, then buy at the natural price. A negative limit is a credit."""
    limit = round(round(natural / 0.05) * 0.05 + 0.05, 2)
    order = LimitOrder("BUY", 1, limit, tif="DAY", orderRef="example")
    state = ib.whatIfOrder(condor, order)
    margin, fee = float(state.initMarginChange), state.commission
    print(f"what if: initial margin {margin:+,.2f} USD, commission {fee:.2f}")
    trade = ib.placeOrder(condor, order)
    for _ in range(int(PATIENCE_S / LOOK_S)):
        if trade.isDone() and all(fill.commissionReport.execId for fill in leg_fills(trade)):
            break
        ib.sleep(LOOK_S)
    print(f"order {trade.order.permId}: {trade.orderStatus.status} at {trade.orderStatus.avgFillPrice:.2f}")
    for fill in leg_fills(trade):
        execution = fill.execution
        print(
            f"{execution.side} {execution.shares:g} {fill.contract.localSymbol} at {execution.price:.2f},"
            f" commission {fill.commissionReport.commission:.2f}"
        )
    print(f"{len([one for one in ib.positions() if one.position])} positions")
    return 0 if trade.orderStatus.status == "Filled" else 1


def leg_fills(trade: Any) -> list[Any]:
    """Fills without the line of the combination itself, which has no commission."""
    return [fill for fill in trade.fills if fill.contract.secType == "OPT"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=4002)
    parser.add_argument("--client-id", type=int, default=12)
    chosen = parser.parse_args()
    logging.getLogger("ib_insync.client").setLevel(logging.CRITICAL)  # a failed connection is told once
    raise SystemExit(main(chosen.port, chosen.client_id))
