"""What a fill cost: cash, the middle of the market at that moment, and the distance between the two.

METHOD 3.5: `slippage = |fill - mid| * multiplier * units`, in USD and in basis points of net asset value. It
is told with the decision that books the fill; fees come later, with the broker's commission reports.
"""

from bot.engine.state import EngineState, OrderLine
from market.quote import combo_quote
from market.records import replace
from market.rounding import round_price, round_ratio

Notes = tuple[tuple[str, float], ...]


def with_costs(state: EngineState, line: OrderLine) -> tuple[OrderLine, Notes]:
    """The line with its whole units accounted for, and what those that are new cost.

    `paid_usd` is negative where cash came in; `slippage_usd` is positive where the fill was worse than the
    middle, and left out where there is no market to compare with.
    """
    units = line.order.filled - line.costed_units
    if units <= 0 or line.has_odd_legs:
        return line, ()
    combo = line.order.combo
    paid = round_price((line.cost - line.costed) * combo.multiplier)
    notes: Notes = (("fill_units", float(units)), ("paid_usd", paid))
    quote = combo_quote(combo, state.quotes)
    if quote is not None:
        slippage = round_price(paid - quote.mid * units * combo.multiplier)
        notes = (*notes, ("mid", quote.mid), ("slippage_usd", slippage))
        nav_usd = state.account.nav_usd if state.account is not None else 0.0
        if nav_usd > 0.0:
            notes = (*notes, ("slippage_bps", round_ratio(10_000 * slippage / nav_usd)))
    return replace(line, costed_units=line.order.filled, costed=line.cost), notes
