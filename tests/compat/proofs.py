"""The protocol's messages, and for each one which case proves it with which client.

The rows are derived from the cases, whose messages are looked for on the wire when they run; docs/clients.md
is this module's text, and running it as a program writes that page.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.compat.cases import CASES, EVERY, Case
from tests.compat.data_codes import EVERY_CODE

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "clients.md"
CLIENTS: Final = {
    "ib_async": "ib_async 2.1.0",
    "ib_insync": "ib_insync 0.9.86",
    "ibapi": "ibapi-stable 10.50.2",
}

SENT: Final[Mapping[int, str]] = {
    71: "startApi", 8: "reqIds", 17: "reqManagedAccts", 49: "reqCurrentTime", 14: "setServerLogLevel",
    59: "reqMarketDataType", 9: "reqContractDetails", 78: "reqSecDefOptParams", 91: "reqMarketRule",
    81: "reqMatchingSymbols", 1: "reqMktData", 2: "cancelMktData", 20: "reqHistoricalData",
    25: "cancelHistoricalData", 87: "reqHeadTimeStamp", 90: "cancelHeadTimeStamp", 50: "reqRealTimeBars",
    51: "cancelRealTimeBars", 97: "reqTickByTick", 98: "cancelTickByTick", 54: "calculateImpliedVolatility",
    55: "calculateOptionPrice", 6: "reqAccountUpdates", 62: "reqAccountSummary", 63: "cancelAccountSummary",
    76: "reqAccountUpdatesMulti", 77: "cancelAccountUpdatesMulti", 61: "reqPositions",
    64: "cancelPositions", 92: "reqPnL", 93: "cancelPnL", 94: "reqPnLSingle", 95: "cancelPnLSingle",
    3: "placeOrder", 4: "cancelOrder", 58: "reqGlobalCancel", 5: "reqOpenOrders", 16: "reqAllOpenOrders",
    15: "reqAutoOpenOrders", 99: "reqCompletedOrders", 7: "reqExecutions",
}  # fmt: skip
RECEIVED: Final[Mapping[int, str]] = {
    15: "managedAccounts", 9: "nextValidId", 4: "error", 49: "currentTime", 10: "contractDetails",
    52: "contractDetailsEnd", 75: "secDefOptParam", 76: "secDefOptParamEnd", 93: "marketRule",
    79: "symbolSamples", 81: "tickReqParams", 58: "marketDataType", 1: "tickPrice", 2: "tickSize",
    45: "tickGeneric", 46: "tickString", 21: "tickOptionComputation", 57: "tickSnapshotEnd",
    17: "historicalData", 90: "historicalDataUpdate", 88: "headTimestamp", 106: "historicalSchedule",
    50: "realtimeBar", 99: "tickByTick", 6: "accountValue", 7: "portfolioValue", 8: "accountUpdateTime",
    54: "accountDownloadEnd", 63: "accountSummary", 64: "accountSummaryEnd", 73: "accountUpdateMulti",
    74: "accountUpdateMultiEnd", 61: "position", 62: "positionEnd", 94: "pnl", 95: "pnlSingle",
    5: "openOrder", 53: "openOrderEnd", 3: "orderStatus", 11: "execDetails", 55: "execDetailsEnd",
    59: "commissionReport", 100: "orderBound", 101: "completedOrder", 102: "completedOrdersEnd",
}  # fmt: skip
#: Messages of the protocol that no case proves, and why.
UNPROVED: Final[Mapping[str, str]] = {}

_HEAD: Final = """# Three clients

The embedded gateway serves unmodified clients: ib_async, its predecessor ib_insync, and the broker's own
ibapi. One conformance suite (`tests/compat/`) runs the same cases through each of them: `make test` with
ib_async, `make compat` with the others, in environments of their own. Between client and gateway lies a tap
that counts message ids on the wire. A case passes when the client saw what it should have seen and every
message that the case is about passed the tap meanwhile. Ids are those of the text dialect at server version
176.

`make proofs` writes this page from the cases; a test compares the two.
"""


def proofs(number: int, *, sent: bool) -> list[Case]:
    """The cases that are about a message."""
    return [one for one in CASES if number in (one.sends if sent else one.receives)]


def page() -> str:
    """docs/clients.md."""
    counts = {name: sum(name in one.clients for one in CASES) for name in CLIENTS}
    lines = [_HEAD]
    lines += ["| client | conversation cases | code cases |", "|---|---|---|"]
    for name, title in CLIENTS.items():
        lines.append(f"| {title} | {counts[name]} | {sum(name in one.clients for one in EVERY_CODE)} |")
    proved = [
        sum(bool(proofs(one, sent=flag)) for one in ids) for ids, flag in ((SENT, True), (RECEIVED, False))
    ]
    for title, ids, flag, count in (
        ("What clients send", SENT, True, proved[0]),
        ("What the gateway sends", RECEIVED, False, proved[1]),
    ):
        lines += ["", f"## {title}: {count} of {len(ids)}", "", "| id | message | clients | proved by |"]
        lines.append("|---|---|---|---|")
        for number in sorted(ids):
            lines.append(f"| {number} | {ids[number]} | {_row(number, ids[number], sent=flag)} |")
    lines += ["", f"## Errors and notices: {len({one.code for one in EVERY_CODE})} codes", ""]
    lines += ["| code | text begins | clients |", "|---|---|---|"]
    for one in sorted(EVERY_CODE, key=lambda one: (one.code, one.name)):
        lines.append(f"| {one.code} | {one.begins.replace('|', ' ').strip()} | {_clients(one.clients)} |")
    return "\n".join(lines) + "\n"


def _row(number: int, name: str, *, sent: bool) -> str:
    cases = proofs(number, sent=sent)
    if not cases:
        return f"none | {UNPROVED[f'{number} {name}']}"
    clients = frozenset[str]().union(*(one.clients for one in cases))
    widest = max(cases, key=lambda one: len(one.clients))
    return f"{_clients(clients)} | {widest.name.replace('_', ' ')}"


def _clients(names: frozenset[str]) -> str:
    return "all three" if names == EVERY else ", ".join(sorted(names))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
