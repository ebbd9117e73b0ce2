"""What a set of positions can lose at expiry, worked out anew from the venue's books.

Nothing here comes from the daemon: contracts are the venue's, payoffs are written down once more.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from math import inf

from market.contract import Contract, Right

Positions = Mapping[Contract, int]
Group = tuple[str, str, date | None]


def groups(positions: Positions) -> dict[Group, dict[Contract, int]]:
    """Positions that settle together, by underlying, class and day."""
    found: dict[Group, dict[Contract, int]] = defaultdict(dict)
    for contract, count in positions.items():
        if count:
            found[contract.symbol, contract.trading_class, contract.expiry][contract] = count
    return dict(found)


def least_value_usd(positions: Positions) -> float:
    """The least all positions together can be worth at expiry; minus infinity when a short is bare."""
    return sum(_least(group) for group in groups(positions).values())


def naked(positions: Positions) -> str:
    """A class and expiry with more shorts than longs of one right, or nothing."""
    for (_, name, expiry), group in groups(positions).items():
        for right in Right:
            held = sum(count for contract, count in group.items() if contract.right is right)
            if held < 0:
                return f"{-held} {name} {expiry} {right.value} short without a long"
    return ""


def range_points(legs: Positions) -> tuple[float, float]:
    """Least and most one unit of a combination is worth to its buyer at expiry, in points."""
    corners = [_worth(legs, at) for at in (0.0, *sorted({contract.strike for contract in legs}))]
    slope = sum(count for contract, count in legs.items() if contract.right is not Right.PUT)
    return (-inf if slope < 0 else min(corners), inf if slope > 0 else max(corners))


def _least(group: Mapping[Contract, int]) -> float:
    multiplier = max(contract.multiplier for contract in group)
    low, _ = range_points(group)
    return low * multiplier


def _worth(legs: Positions, settlement: float) -> float:
    total = 0.0
    for contract, count in legs.items():
        if contract.right is None:
            total += count * settlement
        elif contract.right is Right.CALL:
            total += count * max(settlement - contract.strike, 0.0)
        else:
            total += count * max(contract.strike - settlement, 0.0)
    return total
