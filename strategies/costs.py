"""What a strategy assumes a trade costs and how it words a price: fees, limits and ticks.

A limit is the cash paid for a unit (negative for a credit). The starting limit is always rounded down to the
combo's tick, towards paying less or receiving more: rounding never gives money away. The worst limit of an
opening order is rounded down as well; that of a closing order is rounded up, so that an order which lowers
risk can always reach the natural price.
"""

from market.quote import ComboQuote
from market.tick import COMBO_TICK, round_down, round_up
from strategies.base import Intent

#: Upper bound of fees per contract and side in USD (METHOD 5, newest figures): exchange at its dearest tier,
#: broker 0.65, clearing 0.055, regulatory 0.04; futures 1.53 and 0.85; a share, whose class is none, a cent.
FEE_PER_CONTRACT_USD = {
    "SPX": 1.245,
    "SPXW": 1.325,
    "XSP": 1.325,
    "VIX": 1.245,
    "VX": 2.40,
    "VXM": 1.0,
    "": 0.01,
}


def limits(
    quote: ComboQuote, trading_class: str, intent: Intent, patient: float, final: float
) -> tuple[float, float]:
    """Starting and worst limit at shares `patient` and `final` of the half spread beyond the mid.

    See the module for the direction of rounding. The start is never worse than the worst.
    """
    tick = COMBO_TICK[trading_class]
    start = round_down(quote.mid + patient * quote.half_spread, tick)
    last = quote.mid + final * quote.half_spread
    worst = round_down(last, tick) if intent is Intent.OPEN else round_up(last, tick)
    return min(start, worst), worst
