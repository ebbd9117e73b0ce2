"""How the paper exchange fills: from the top of the book, in whole units, and never through the limit.

What is marketable when it meets the book takes the natural price of that moment. What is not rests, and when
the book comes to it, others trade with it at its own limit: a resting order is never given a better price,
however far the book has gone between two steps.

An order is first reduced to what its owner gains per unit, leg action times order action, and from then on
there are no directions left to confuse: a gain trades at the ask, a loss at the bid, and the outlay of one
unit is the sum. The price of the order is the outlay for a buyer and its negative for a seller. A combo
trades all its legs together or not at all, so that a partial fill is balanced; it never trades in the middle
of its legs' spreads.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

from simulator.model import OrderRequest, Tick

_SAME_PRICE: Final = 1e-9
#: Units that can trade when the book's sizes are not looked at.
UNLIMITED: Final = 10**9


@dataclass(frozen=True, slots=True)
class Gain:
    """Contracts of one instrument that the owner of an order gains (negative: gives) per unit filled."""

    con_id: int
    quantity: int

    @property
    def takes_ask(self) -> bool:
        """Whether the leg buys."""
        return self.quantity > 0


def gains(request: OrderRequest) -> tuple[Gain, ...]:
    """What one unit of the order moves: order action times leg action times ratio.

    Raises ValueError on an action that is neither BUY nor SELL.
    """
    order_sign = _sign(request.action)
    if not request.legs:
        return (Gain(request.con_id, order_sign),)
    return tuple(Gain(leg.con_id, order_sign * _sign(leg.action) * leg.ratio) for leg in request.legs)


def order_price(request: OrderRequest, outlay: float) -> float:
    """The price in the order's own terms of paying `outlay` points per unit."""
    return (outlay if request.action == "BUY" else -outlay) + 0.0


def outlay_at(request: OrderRequest, price: float) -> float:
    """Points paid per unit when the order trades at `price`; the inverse of `order_price`."""
    return order_price(request, price)


def leg_price(gain: Gain, tick: Tick | None) -> float | None:
    """The side of the book this leg trades against, None without a quote or in a halt."""
    if tick is None or tick.halted:
        return None
    price, size = (tick.ask, tick.ask_size) if gain.takes_ask else (tick.bid, tick.bid_size)
    return price if price is not None and price > 0 and size > 0 else None


def natural_outlay(legs: Sequence[Gain], book: Mapping[int, Tick]) -> float | None:
    """Points paid per unit at the legs' natural prices (negative: received), None when a leg has no opposite
    quote.
    """
    total = 0.0
    for gain in legs:
        price = leg_price(gain, book.get(gain.con_id))
        if price is None:
            return None
        total += gain.quantity * price
    return round(total, 6) + 0.0


def traded_outlay(request: OrderRequest, natural: float, *, resting: bool) -> float:
    """Points paid per unit of an order that trades now: its limit if it has been resting at one, else the
    natural outlay.
    """
    if not resting or not has_limit(request) or request.limit_price is None:
        return natural
    return outlay_at(request, request.limit_price)


def traded_prices(legs: Sequence[Gain], natural: Sequence[float], outlay: float) -> tuple[float, ...]:
    """Prices per leg that together cost `outlay`: the natural ones, worse by what the outlay is above theirs.

    The difference is spread over the legs in whole cents, in proportion to what each is worth, and what is
    left of it goes to the dearest leg. A leg that sells gives up no more than its price while others buy.
    """
    worth = [abs(gain.quantity) * price for gain, price in zip(legs, natural, strict=True)]
    extra = round(outlay - sum(g.quantity * price for g, price in zip(legs, natural, strict=True)), 6)
    if not extra:
        return tuple(natural)
    if extra >= sum(worth) and any(gain.takes_ask for gain in legs):
        worth = [value if gain.takes_ask else 0.0 for gain, value in zip(legs, worth, strict=True)]
    share = extra / sum(worth)
    cents = [
        floor(round(100.0 * share * value / abs(gain.quantity), 6))
        for gain, value in zip(legs, worth, strict=True)
    ]
    left = extra - sum(abs(gain.quantity) * each for gain, each in zip(legs, cents, strict=True)) / 100.0
    # A leg of one contract a unit can take any number of cents; where there is none, a price has a fraction.
    last = max(range(len(legs)), key=lambda n: (abs(legs[n].quantity) == 1 and worth[n] > 0.0, worth[n]))
    worse = [each / 100.0 for each in cents]
    worse[last] += left / abs(legs[last].quantity)
    return tuple(
        round(price + (more if gain.takes_ask else -more), 9) + 0.0
        for gain, price, more in zip(legs, natural, worse, strict=True)
    )


def has_limit(request: OrderRequest) -> bool:
    """Whether the order names the worst price it takes."""
    return request.order_type in {"LMT", "STP LMT"}


def reaches_limit(request: OrderRequest, outlay: float) -> bool:
    """Whether a unit at `outlay` is as good as the limit; an order without a limit takes any price."""
    if not has_limit(request) or request.limit_price is None:
        return True
    return outlay <= outlay_at(request, request.limit_price) + _SAME_PRICE


def reaches_stop(request: OrderRequest, outlay: float) -> bool:
    """Whether the natural price has moved against the order as far as its stop: up for a buyer, down for a
    seller.
    """
    return request.aux_price is not None and outlay >= outlay_at(request, request.aux_price) - _SAME_PRICE


class DisplayedSize:
    """What is left of the sizes on display at one moment, shared by all orders that meet the same book."""

    def __init__(self) -> None:
        """Nothing taken yet."""
        self._taken: MutableMapping[tuple[int, bool], int] = {}

    def units(self, legs: Sequence[Gain], book: Mapping[int, Tick]) -> int:
        """Whole units that every leg can still fill."""
        return min(self._left(gain, book[gain.con_id]) // abs(gain.quantity) for gain in legs)

    def take(self, legs: Sequence[Gain], units: int) -> None:
        """Use up what `units` traded."""
        for gain in legs:
            key = (gain.con_id, gain.takes_ask)
            self._taken[key] = self._taken.get(key, 0) + units * abs(gain.quantity)

    def _left(self, gain: Gain, tick: Tick) -> int:
        shown = tick.ask_size if gain.takes_ask else tick.bid_size
        return max(0, shown - self._taken.get((gain.con_id, gain.takes_ask), 0))


def _sign(action: str) -> int:
    if action == "BUY":
        return 1
    if action == "SELL":
        return -1
    raise ValueError(f"{action!r} is neither BUY nor SELL")
