"""What a trade costs: IBKR's tiered commission and the third-party fees it passes through, per contract and
side.

The rates are a dated table, newest first known figures applied to every year, which overstates the cost of
early years and is meant to: a paper account should not look cheaper than a real one. Sources are the broker's
public pages: commissions (interactivebrokers.com.hk f=49623), index surcharges, ORF and OCC clearing
(interactivebrokers.com f=1590 p=options5), CFE fee schedule for futures. They are pages of 2019 to 2025;
check them against a statement before relying on a cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Final

from market.contract import Contract, SecurityType

#: The newest of the pages above; the table is applied to every year.
RATES_AS_OF: Final = date(2025, 6, 1)

MINIMUM_PER_ORDER_USD: Final = 1.00
REGULATORY_FEE_USD: Final = 0.0388  # options regulatory fee (ORF), per option contract
CLEARING_FEE_USD: Final = 0.055  # OCC, per option contract, up to the maximum for one trade
CLEARING_MAXIMUM_USD: Final = 55.0
NFA_FEE_USD: Final = 0.02  # per futures contract

# (premium below which the rate applies, USD per contract)
_Tiers = Sequence[tuple[float, float]]

_COMMISSION: Final[_Tiers] = ((0.05, 0.25), (0.10, 0.50), (inf, 0.65))

_EXCHANGE: Final[dict[str, _Tiers]] = {
    "SPX": ((1.0, 0.40), (inf, 0.50)),
    "SPXW": ((1.0, 0.49), (inf, 0.58)),
    "VIX": ((0.11, 0.10), (1.0, 0.25), (2.0, 0.45), (inf, 0.50)),
}
_EXCHANGE_COMPLEX: Final[dict[str, _Tiers]] = {
    "VIX": ((0.11, 0.05), (1.0, 0.17), (2.0, 0.35), (inf, 0.50)),
}
_SAME_SCHEDULE: Final = {"VIXW": "VIX"}

# trading class: (broker, exchange), USD per contract. CFE fee schedule 2024; micro commission of the broker's
# lowest tier.
_FUTURES: Final[dict[str, tuple[float, float]]] = {"VX": (0.85, 1.51), "VXM": (0.25, 0.20)}

_STOCK_PER_SHARE_USD: Final = 0.0035
_STOCK_MINIMUM_USD: Final = 0.35


@dataclass(frozen=True, slots=True)
class Fee:
    """The cost of one execution in USD: the broker's own part, which counts towards the order's minimum, and
    the rest.
    """

    broker_usd: float
    passed_through_usd: float

    @property
    def total_usd(self) -> float:
        """Both parts."""
        return _usd(self.broker_usd + self.passed_through_usd)


def execution_fee(contract: Contract, quantity: int, price: float, *, in_combo: bool) -> Fee:
    """Fee of trading `quantity` (> 0) contracts at `price` points, before the order's minimum.

    `in_combo` selects the schedule of complex orders, which differs for VIX options. Raises ValueError on a
    quantity below one or on a kind of contract that cannot be traded.
    """
    if quantity < 1:
        raise ValueError("a fee needs at least one contract")
    if contract.security_type is SecurityType.OPTION:
        exchange = _exchange_rate(contract.trading_class, price, in_combo=in_combo)
        clearing = min(quantity * CLEARING_FEE_USD, CLEARING_MAXIMUM_USD)
        passed = quantity * (exchange + REGULATORY_FEE_USD) + clearing
        return Fee(_usd(quantity * _rate(_COMMISSION, price)), _usd(passed))
    if contract.security_type is SecurityType.FUTURE:
        broker, exchange = _FUTURES[contract.trading_class or contract.symbol]
        return Fee(_usd(quantity * broker), _usd(quantity * (exchange + NFA_FEE_USD)))
    if contract.security_type is SecurityType.STOCK:
        return Fee(_usd(quantity * _STOCK_PER_SHARE_USD), 0.0)
    raise ValueError(f"{contract.security_type} has no fee: it is not traded")


def order_minimum_usd(contract: Contract) -> float:
    """Least the broker charges for an order in this kind of contract; futures have none."""
    if contract.security_type is SecurityType.OPTION:
        return MINIMUM_PER_ORDER_USD
    return _STOCK_MINIMUM_USD if contract.security_type is SecurityType.STOCK else 0.0


def minimum_top_up(accrued_before_usd: float, broker_usd: float, minimum_usd: float) -> float:
    """What an execution adds beyond its own commission so that the order as a whole reaches the minimum.

    The first execution carries the difference to the minimum; later ones cost nothing until the order's
    accrued commission has caught up (a negative top-up), so that the sum over an order is always max(minimum,
    accrued).
    """
    charged_before = max(minimum_usd, accrued_before_usd) if accrued_before_usd > 0 else 0.0
    charged_after = max(minimum_usd, accrued_before_usd + broker_usd)
    return _usd(charged_after - charged_before - broker_usd)


def _exchange_rate(trading_class: str, price: float, *, in_combo: bool) -> float:
    schedule = _SAME_SCHEDULE.get(trading_class, trading_class)
    if in_combo and schedule in _EXCHANGE_COMPLEX:
        return _rate(_EXCHANGE_COMPLEX[schedule], price)
    # Classes without a surcharge of their own pay the dearest listed one: an unknown cost is not a zero cost.
    return _rate(_EXCHANGE.get(schedule, _EXCHANGE["SPXW"]), price)


def _rate(tiers: _Tiers, premium: float) -> float:
    for below, rate in tiers:
        if premium < below - 1e-9:
            return rate
    return tiers[-1][1]


def _usd(amount: float) -> float:
    return round(amount, 6) + 0.0
