"""A venue over a hand-set market, and what the tests read from its reports."""

from collections.abc import Sequence
from typing import Any

from simulator.exchange import Exchange
from simulator.floor import HouseRules
from simulator.model import (
    Executed,
    Execution,
    OrderChanged,
    OrderError,
    Report,
    WorkingOrder,
)
from tests.simulator.hand_market import (
    ACCOUNT,
    HandMarket,
)


def venue(rules: HouseRules | None = None, **book: Any) -> tuple[HandMarket, Exchange]:
    market = HandMarket()
    market.condor(**book)
    return market, Exchange(market, ACCOUNT, rules=rules)


def errors(reports: Sequence[Report]) -> list[tuple[int, str]]:
    return [(report.code, report.text) for report in reports if isinstance(report, OrderError)]


def fills(reports: Sequence[Report]) -> list[Execution]:
    return [report.execution for report in reports if isinstance(report, Executed)]


def states(reports: Sequence[Report]) -> list[str]:
    return [report.order.state.value for report in reports if isinstance(report, OrderChanged)]


def last_order(reports: Sequence[Report]) -> WorkingOrder:
    return [report.order for report in reports if isinstance(report, OrderChanged)][-1]


def values(exchange: Exchange) -> dict[str, float]:
    return {key: float(value) for key, value, currency in exchange.account_values() if currency == "USD"}
