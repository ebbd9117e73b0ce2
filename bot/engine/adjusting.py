"""What an adjustment makes of its structure (METHOD 4.7).

An adjustment is one order on the legs of an open structure: a side rolled, or a spread bought back. While it
works, its fills stand beside the structure's own. When it has ended, the units it changed hold another combo,
and their cumulative cost is that of opening and of adjusting together. If only a part of the units was
changed, they become a structure of their own: each structure holds whole units of one combo and is closed as
a whole.
"""

from bot.engine.state import OrderLine
from market.contract import Combo, joined
from market.records import replace
from market.rounding import round_price
from strategies.base import Structure

Legs = tuple[tuple[int, int], ...]


def adjusted(structure: Structure, line: OrderLine) -> tuple[Structure, ...]:
    """The structure after an ended adjustment, and the changed units where they are only a part.

    Nothing when the adjustment does not fit: fills that make no whole units of what is held stay beside it.
    """
    combo = joined([(structure.combo, 1), (line.order.combo, 1)])
    units = _units(structure.adjusting_legs, line.order.combo)
    if not 0 < units <= structure.quantity:
        return ()
    price = structure.entry_price
    fees = round_price(structure.fees_usd * units / structure.units_opened)
    changed = replace(
        structure,
        combo=combo or structure.combo,
        opened_legs=_times(combo, units) if combo is not None else (),
        opened_cost=round_price(price * units + structure.adjusting_cost),
        closed_legs=(),
        closed_cost=0.0,
        adjusting_legs=(),
        adjusting_cost=0.0,
        adjustments=(*structure.adjustments, line.reason),
    )
    if units == structure.units_opened:
        return (changed,)
    number = line.order.order_ref.rpartition("-")[2]
    rest = replace(
        structure,
        opened_legs=_less(structure.opened_legs, _times(structure.combo, units)),
        opened_cost=round_price(structure.opened_cost - price * units),
        fees_usd=round_price(structure.fees_usd - fees),
        adjusting_legs=(),
        adjusting_cost=0.0,
    )
    return rest, replace(changed, structure_id=f"{structure.structure_id}-adjusted-{number}", fees_usd=fees)


def _units(legs: Legs, combo: Combo) -> int:
    """How many units of the combo the legs are, 0 when they are not whole units."""
    first = combo.legs[0]
    units = dict(legs).get(first.contract.con_id, 0) // first.signed_ratio
    return units if units > 0 and _times(combo, units) == legs else 0


def _times(combo: Combo, units: int) -> Legs:
    return tuple(sorted((leg.contract.con_id, units * leg.signed_ratio) for leg in combo.legs))


def _less(legs: Legs, taken: Legs) -> Legs:
    counts = dict(legs)
    for con_id, quantity in taken:
        counts[con_id] -= quantity
    return tuple(sorted((con_id, quantity) for con_id, quantity in counts.items() if quantity))
