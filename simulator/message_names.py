"""Names of the protocol's messages, as the client libraries call them, by number and direction."""

from collections.abc import Mapping
from typing import Final

#: What the gateway sends.
OUTGOING: Final[Mapping[int, str]] = {
    1: "tickPrice", 2: "tickSize", 3: "orderStatus", 4: "error", 5: "openOrder", 6: "updateAccountValue",
    7: "updatePortfolio", 8: "updateAccountTime", 9: "nextValidId", 10: "contractDetails", 11: "execDetails",
    15: "managedAccounts", 17: "historicalData", 21: "tickOptionComputation", 45: "tickGeneric",
    46: "tickString", 49: "currentTime", 52: "contractDetailsEnd", 53: "openOrderEnd",
    54: "accountDownloadEnd", 55: "execDetailsEnd", 57: "tickSnapshotEnd", 58: "marketDataType",
    59: "commissionReport", 61: "position", 62: "positionEnd", 63: "accountSummary",
    64: "accountSummaryEnd", 73: "accountUpdateMulti", 74: "accountUpdateMultiEnd",
    75: "securityDefinitionOptionParameter", 76: "securityDefinitionOptionParameterEnd",
    79: "symbolSamples", 81: "tickReqParams", 88: "headTimestamp", 90: "historicalDataUpdate",
    50: "realtimeBar", 99: "tickByTick", 106: "historicalSchedule",
    93: "marketRule", 94: "pnl", 95: "pnlSingle", 100: "orderBound", 101: "completedOrder",
    102: "completedOrdersEnd",
}  # fmt: skip

#: What clients send.
INCOMING: Final[Mapping[int, str]] = {
    1: "reqMktData", 2: "cancelMktData", 3: "placeOrder", 4: "cancelOrder", 5: "reqOpenOrders",
    6: "reqAccountUpdates", 7: "reqExecutions", 8: "reqIds", 9: "reqContractDetails",
    15: "reqAutoOpenOrders", 16: "reqAllOpenOrders", 17: "reqManagedAccts", 20: "reqHistoricalData",
    49: "reqCurrentTime", 58: "reqGlobalCancel", 59: "reqMarketDataType", 61: "reqPositions",
    62: "reqAccountSummary", 71: "startApi", 76: "reqAccountUpdatesMulti", 78: "reqSecDefOptParams",
    81: "reqMatchingSymbols", 91: "reqMarketRule", 92: "reqPnL", 94: "reqPnLSingle",
    99: "reqCompletedOrders",
}  # fmt: skip
