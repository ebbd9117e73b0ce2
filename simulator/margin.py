"""Margin of a paper account under Regulation T as the broker applies it to cash-settled index options and VIX
products.

Options of one class and one expiry settle on one number, so that a group of them is margined as a whole: its
requirement is the most it can owe at settlement, exact at every strike (for a condor the wider side, CBOE
Margin Manual), or 102 % of that less the credit taken, whichever is more; a VIX spread needs at least 150 USD
(broker's margin text). Short contracts that nothing covers carry the naked rule, 15 % of the index (20 % on
VIX), which is large on purpose. Groups do not help each other: a calendar spread counts as naked, which is
stricter than the broker. Long premium is paid in full and needs none. The requirement stands against cash, in
which the credits received are still contained.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from market.contract import Contract, Right, SecurityType

#: Broker's surcharge on the maximum loss of a spread.
UNIVERSAL_SPREAD_RATE: Final = 1.02
VIX_SPREAD_MINIMUM_USD: Final = 150.0
#: Share of the futures price; VIX futures have no fixed margin, the exchange sets it with the level (our
#: approximation).
FUTURES_INITIAL_RATE: Final = 0.35
FUTURES_INITIAL_FLOOR_POINTS: Final = 5.0
FUTURES_MAINTENANCE_SHARE: Final = 0.80
STOCK_INITIAL_RATE: Final = 0.50
STOCK_MAINTENANCE_RATE: Final = 0.25
STOCK_SHORT_RATE: Final = 1.50

_NAKED_RATE: Final = {"VIX": 0.20}
_NAKED_RATE_INDEX: Final = 0.15
_NAKED_MINIMUM_RATE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Exposure:
    """A position as margin sees it. `cost_usd` is what was paid for all of it (negative: received); prices in
    points.
    """

    contract: Contract
    quantity: int
    cost_usd: float
    mark: float
    underlying: float | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Initial and maintenance margin in USD."""

    initial_usd: float = 0.0
    maintenance_usd: float = 0.0

    def __add__(self, other: "Requirement") -> "Requirement":
        return Requirement(
            round(self.initial_usd + other.initial_usd, 2),
            round(self.maintenance_usd + other.maintenance_usd, 2),
        )


def requirement(exposures: Iterable[Exposure]) -> Requirement:
    """Margin of the whole account: options by class and expiry, futures by symbol, stocks one by one."""
    options: dict[tuple[str, date | None], list[Exposure]] = {}
    futures: dict[str, list[Exposure]] = {}
    total = Requirement()
    for held in exposures:
        if not held.quantity:
            continue
        kind = held.contract.security_type
        if kind is SecurityType.OPTION:
            key = (held.contract.trading_class or held.contract.symbol, held.contract.expiry)
            options.setdefault(key, []).append(held)
        elif kind is SecurityType.FUTURE:
            futures.setdefault(held.contract.symbol, []).append(held)
        else:
            total += _stock(held)
    for group in options.values():
        amount = _option_group(group)
        total += Requirement(amount, amount)
    for side in futures.values():
        total += _futures(side)
    return total


def worst_settlement_usd(group: Sequence[Exposure]) -> float:
    """Least the group is worth at settlement over all strikes, in USD (negative: owed). Tails beyond them are
    not included.
    """
    strikes = sorted({held.contract.strike for held in group})
    return min(
        sum(held.quantity * held.contract.multiplier * held.contract.payoff(strike) for held in group)
        for strike in strikes
    )


def _option_group(group: Sequence[Exposure]) -> float:
    shorts = {
        right: -sum(h.quantity for h in group if h.contract.right is right and h.quantity < 0)
        for right in Right
    }
    if not any(shorts.values()):
        return 0.0
    owed = max(0.0, -worst_settlement_usd(group))
    credit = max(0.0, -sum(held.cost_usd for held in group))
    covered = max(owed, UNIVERSAL_SPREAD_RATE * (owed - credit))
    if group[0].contract.symbol == "VIX":
        covered = max(covered, VIX_SPREAD_MINIMUM_USD * max(shorts.values()))
    return round(covered + _naked(group, Right.CALL) + _naked(group, Right.PUT), 2)


def _naked(group: Sequence[Exposure], right: Right) -> float:
    """The rule for short contracts of one right that no long contract covers, charged at the short strike
    nearest the money.
    """
    side = [held for held in group if held.contract.right is right]
    uncovered = -sum(held.quantity for held in side)
    if uncovered <= 0:
        return 0.0
    nearest = min if right is Right.CALL else max
    short = nearest((held for held in side if held.quantity < 0), key=lambda held: held.contract.strike)
    contract = short.contract
    spot = contract.strike if short.underlying is None else short.underlying
    out_of_the_money = max(0.0, contract.strike - spot if right is Right.CALL else spot - contract.strike)
    rate = _NAKED_RATE.get(contract.symbol, _NAKED_RATE_INDEX)
    minimum = _NAKED_MINIMUM_RATE * (spot if right is Right.CALL else contract.strike)
    return uncovered * contract.multiplier * (short.mark + max(rate * spot - out_of_the_money, minimum))


def _futures(held: Sequence[Exposure]) -> Requirement:
    """The larger side of a symbol's futures: a calendar spread is charged as one outright."""

    def side(sign: int) -> float:
        return sum(
            abs(h.quantity)
            * h.contract.multiplier
            * max(FUTURES_INITIAL_RATE * h.mark, FUTURES_INITIAL_FLOOR_POINTS)
            for h in held
            if h.quantity * sign > 0
        )

    initial = round(max(side(1), side(-1)), 2)
    return Requirement(initial, round(FUTURES_MAINTENANCE_SHARE * initial, 2))


def _stock(held: Exposure) -> Requirement:
    value = abs(held.quantity) * held.contract.multiplier * held.mark
    if held.quantity < 0:
        return Requirement(round(STOCK_SHORT_RATE * value, 2), round(STOCK_SHORT_RATE * value, 2))
    return Requirement(round(STOCK_INITIAL_RATE * value, 2), round(STOCK_MAINTENANCE_RATE * value, 2))
