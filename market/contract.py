"""What is traded: contracts, legs and combos, with the sign convention of the whole product.

One convention, stated once. A `Combo` is what its *buyer* holds: a leg with action BUY adds contracts, a
leg with action SELL takes them away. Every order buys a combo; its price is the cash paid for one unit, so
that a debit is positive and a credit is negative. Opening an iron condor buys (BUY put wing, SELL put, SELL
call, BUY call wing) at a negative limit; closing it buys the `reversed()` combo at a positive one. Open and
close therefore net to nothing, leg by leg.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from math import inf

from market.records import quickly_made


class SecurityType(StrEnum):
    """The broker's names for kinds of contract."""

    INDEX = "IND"
    STOCK = "STK"
    OPTION = "OPT"
    FUTURE = "FUT"
    COMBO = "BAG"


class Right(StrEnum):
    """The right an option gives."""

    CALL = "C"
    PUT = "P"

    __hash__ = str.__hash__  # an enumeration's own takes several times as long, and every look asks


class Action(StrEnum):
    """The side of an order or of a leg."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Action.BUY else -1

    @property
    def opposite(self) -> "Action":
        """The other side."""
        return Action.SELL if self is Action.BUY else Action.BUY


@quickly_made
@dataclass(frozen=True, slots=True)
class Contract:
    """One tradable or observable instrument.

    `con_id` is the broker's identity, 0 until the broker has named it.     `expiry` is the day the contract
    settles: for an AM-settled option or a VIX contract the settlement morning, not the last     trading
    day. `multiplier` is USD per point.
    """

    security_type: SecurityType
    symbol: str
    trading_class: str = ""
    expiry: date | None = None
    strike: float = 0.0
    right: Right | None = None
    multiplier: int = 1
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int = 0

    def __hash__(self) -> int:
        # Equal contracts have these in common; to hash all fields would cost every review time.
        return self.con_id or hash(self.strike)

    def payoff(self, settlement: float) -> float:
        """Value of one unit, in points, when the underlying settles at `settlement`."""
        if self.right is Right.CALL:
            return max(settlement - self.strike, 0.0)
        if self.right is Right.PUT:
            return max(self.strike - settlement, 0.0)
        return settlement

    def describe(self) -> str:
        """A trader's name, for example `SPXW 2020-03-20 2900 P`."""
        parts = [self.trading_class or self.symbol]
        if self.expiry is not None:
            parts.append(self.expiry.isoformat())
        if self.right is not None:
            parts += [f"{self.strike:g}", self.right.value]
        return " ".join(parts)


@quickly_made
@dataclass(frozen=True, slots=True)
class Leg:
    """`ratio` contracts of `contract` a unit of the combo, bought or sold by the combo's buyer."""

    contract: Contract
    action: Action
    ratio: int = 1

    @property
    def signed_ratio(self) -> int:
        """Contracts gained by the buyer of one unit; negative when sold."""
        return self.ratio if self.action is Action.BUY else -self.ratio


@quickly_made
@dataclass(frozen=True, slots=True)
class Combo:
    """One or more legs traded together at one net price.

    See the module's sign convention. Raises ValueError on no legs, a ratio below one, the same contract
    twice, or legs with different multipliers.
    """

    legs: tuple[Leg, ...]
    # What the payoff range was found to be. Every check of a review asks for it; it is no part of the value.
    _range: tuple[float, float] | None = field(default=None, init=False, repr=False, compare=False)
    # The same for the legs as signed contracts.
    _signed: tuple[tuple[Contract, int], ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    _hash: int | None = field(default=None, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        # As for a contract: what is kept by combo is asked for at every look.
        known = self._hash
        if known is None:
            known = hash((len(self.legs), self.legs[0].contract, self.legs[-1].contract))
            object.__setattr__(self, "_hash", known)
        return known

    def __post_init__(self) -> None:
        if not self.legs:
            raise ValueError("a combo needs at least one leg")
        if any(leg.ratio < 1 for leg in self.legs):
            raise ValueError("a leg's ratio is at least 1; its direction is its action")
        contracts = [leg.contract for leg in self.legs]
        if len(set(contracts)) != len(contracts):
            raise ValueError("a contract stands in one leg only")
        if len({contract.multiplier for contract in contracts}) != 1:
            raise ValueError("all legs of a combo share one multiplier")

    @property
    def multiplier(self) -> int:
        """USD per point of the net price."""
        return self.legs[0].contract.multiplier

    @property
    def signed(self) -> tuple[tuple[Contract, int], ...]:
        """Contracts a unit gains, leg by leg; negative when sold."""
        known = self._signed
        if known is None:
            known = tuple((leg.contract, leg.signed_ratio) for leg in self.legs)
            object.__setattr__(self, "_signed", known)
        return known

    def reversed(self) -> "Combo":
        """The combo that undoes this one when bought."""
        return Combo(tuple(Leg(leg.contract, leg.action.opposite, leg.ratio) for leg in self.legs))

    def payoff(self, settlement: float) -> float:
        """Points a unit is worth to its buyer when every leg settles on the same value.

        Raises ValueError when the legs expire on different days: one settlement cannot then value them.
        """
        self._single_expiry()
        return sum(leg.signed_ratio * leg.contract.payoff(settlement) for leg in self.legs)

    def max_loss(self, price: float) -> float:
        """Most points a buyer at `price` (negative: a credit) can lose at expiry, `inf` with uncovered calls.

        Exact: the payoff is piecewise linear in the settlement, so its minimum over [0, inf) lies at 0, at a
        strike, or at infinity.
        """
        return price - self.payoff_range()[0]

    def payoff_range(self) -> tuple[float, float]:
        """Least and most points a unit is worth to its buyer at expiry; infinite with uncovered calls."""
        known = self._range
        if known is None:
            known = self._payoff_range()
            object.__setattr__(self, "_range", known)
        return known

    def _payoff_range(self) -> tuple[float, float]:
        self._single_expiry()
        options = [(leg.signed_ratio, leg.contract.right, leg.contract.strike) for leg in self.legs]
        least, most = inf, -inf
        for corner in (0.0, *(strike for _, right, strike in options if right is not None)):
            worth = 0.0
            for ratio, right, strike in options:
                if right is Right.CALL:
                    worth += ratio * (corner - strike) if corner > strike else 0.0
                elif right is Right.PUT:
                    worth += ratio * (strike - corner) if corner < strike else 0.0
                else:
                    worth += ratio * corner
            least, most = min(least, worth), max(most, worth)
        slope = sum(ratio for ratio, right, _ in options if right is not Right.PUT)
        return -inf if slope < 0 else least, inf if slope > 0 else most

    def _single_expiry(self) -> None:
        if len({leg.contract.expiry for leg in self.legs}) != 1:
            raise ValueError("legs expire on different days")


def net_contracts(units: Iterable[tuple[Combo, int]]) -> dict[Contract, int]:
    """Contracts held after buying each combo `quantity` times, without the legs that net to nothing."""
    net: dict[Contract, int] = {}
    for combo, quantity in units:
        for contract, ratio in combo.signed:
            net[contract] = net.get(contract, 0) + quantity * ratio
    return {contract: held for contract, held in net.items() if held}


def joined(units: Iterable[tuple[Combo, int]]) -> Combo | None:
    """What is held after buying each combo `quantity` times, as one combo, puts first and strikes ascending.

    None when all of it nets to nothing.
    """
    net = net_contracts(units)
    ordered = sorted(net, key=lambda one: (one.expiry or date.min, one.right is not Right.PUT, one.strike))
    legs = tuple(
        Leg(contract, Action.BUY if net[contract] > 0 else Action.SELL, abs(net[contract]))
        for contract in ordered
    )
    return Combo(legs) if legs else None


def single(contract: Contract, action: Action = Action.BUY) -> Combo:
    """A combo of one contract, so that every order has the same shape."""
    return Combo((Leg(contract, action),))


@lru_cache(maxsize=32)
def iron_condor(put_wing: Contract, short_put: Contract, short_call: Contract, call_wing: Contract) -> Combo:
    """The short iron condor its buyer is paid to hold; look after look finds the same one, so it is kept.

    Raises ValueError unless the strikes ascend, the rights fit and all four share class and expiry.
    """
    legs = (put_wing, short_put, short_call, call_wing)
    if [leg.right for leg in legs] != [Right.PUT, Right.PUT, Right.CALL, Right.CALL]:
        raise ValueError("an iron condor is two puts and two calls")
    if len({(leg.trading_class, leg.expiry) for leg in legs}) != 1:
        raise ValueError("an iron condor has one class and one expiry")
    if not put_wing.strike < short_put.strike < short_call.strike < call_wing.strike:
        raise ValueError("an iron condor's strikes ascend: put wing, put, call, call wing")
    return Combo(
        (
            Leg(put_wing, Action.BUY),
            Leg(short_put, Action.SELL),
            Leg(short_call, Action.SELL),
            Leg(call_wing, Action.BUY),
        )
    )


def call_spread(long_call: Contract, short_call: Contract) -> Combo:
    """A debit call spread.

    Raises ValueError unless both are calls of one class and expiry with the long strike lower.
    """
    if long_call.right is not Right.CALL or short_call.right is not Right.CALL:
        raise ValueError("a call spread is two calls")
    if (long_call.trading_class, long_call.expiry) != (short_call.trading_class, short_call.expiry):
        raise ValueError("a call spread has one class and one expiry")
    if not long_call.strike < short_call.strike:
        raise ValueError("a debit call spread buys the lower strike")
    return Combo((Leg(long_call, Action.BUY), Leg(short_call, Action.SELL)))
