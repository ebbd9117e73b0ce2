"""VXX and UVXY: notes on a VIX-futures position with a constant 30 days to settlement.

No series of either is kept. Their closes are carried forward from an anchor, the session before the market
opened, by the returns of the two VX contracts that bracket 30 days, as the index behind both does it (its
roll in instalments through the month is the same mixture); UVXY moves 1.5 times as much. The fees are those
of the prospectuses. Nobody splits or redeems a share here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.days import SessionDay
from simulator.paths import Line, SessionPath

_TENOR_DAYS: Final = 30
_YEAR_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class VixProduct:
    """How far a product follows the futures, what it costs, and where its price begins."""

    leverage: float
    fee_per_year: float
    anchor_usd: float


VIX_PRODUCTS: Final[Mapping[str, VixProduct]] = {
    "VXX": VixProduct(1.0, 0.0089, 20.0),
    "UVXY": VixProduct(1.5, 0.0095, 15.0),
}


class VixProducts:
    """Closes of both products from the anchor on, grown as sessions pass."""

    def __init__(self, anchor: date) -> None:
        """`anchor`: the session whose close is where the prices begin."""
        self.anchor = anchor
        self._closes: dict[date, dict[str, float]] = {}

    def closes(self, days: Sequence[SessionDay]) -> Mapping[str, float]:
        """Closes of the last of `days`; empty before the anchor. `days` reach back to the anchor."""
        since = [day for day in days if day.session >= self.anchor]
        if not since:
            return {}
        self._closes.setdefault(
            since[0].session, {name: product.anchor_usd for name, product in VIX_PRODUCTS.items()}
        )
        for before, day in pairwise(since):
            if day.session not in self._closes:
                self._closes[day.session] = _next_closes(self._closes[before.session], before, day)
        return self._closes[since[-1].session]

    def lines(self, days: Sequence[SessionDay], path: SessionPath) -> Mapping[str, Line]:
        """The paths of both through the session of `path`, which follows `days`; empty without contracts to
        hold.
        """
        closes = self.closes(days)
        held = _weights(days[-1], path.session) if days else {}
        if not closes or not held:
            return {}
        move: npt.NDArray[np.float64] = np.zeros(path.steps)
        for expiry, weight in held.items():
            if expiry in path.vx_settlements:
                values = path.vx[path.vx_settlements.index(expiry)].values
                move = move + weight * (values / days[-1].vx[expiry] - 1.0)
        found = {}
        for name, product in VIX_PRODUCTS.items():
            fee = product.fee_per_year * (path.session - days[-1].session).days / _YEAR_DAYS
            prices = np.maximum(np.round(closes[name] * (1.0 + product.leverage * move - fee), 4), 0.01)
            found[name] = Line(prices, np.maximum.accumulate(prices), np.minimum.accumulate(prices))
        return found


def _next_closes(closes: Mapping[str, float], before: SessionDay, day: SessionDay) -> dict[str, float]:
    move = 0.0
    for expiry, weight in _weights(before, day.session).items():
        value = day.vx.get(expiry)
        if value is None and expiry == day.session:
            value = day.vro if day.vro is not None else day.vix.open
        if value is not None:
            move += weight * (value / before.vx[expiry] - 1.0)
    elapsed = (day.session - before.session).days / _YEAR_DAYS
    return {
        name: max(round(closes[name] * (1.0 + one.leverage * move - one.fee_per_year * elapsed), 4), 0.01)
        for name, one in VIX_PRODUCTS.items()
    }


def _weights(before: SessionDay, session: date) -> dict[date, float]:
    """What is held over `session`: the contracts around 30 days and their shares, as of the close before."""
    days = {expiry: (expiry - before.session).days for expiry in before.vx if expiry >= session}
    near = [expiry for expiry, left in days.items() if left <= _TENOR_DAYS]
    far = [expiry for expiry, left in days.items() if left > _TENOR_DAYS]
    if not near or not far:
        return dict.fromkeys((near[-1:] or far[:1]), 1.0)
    share = (days[far[0]] - _TENOR_DAYS) / (days[far[0]] - days[near[-1]])
    return {near[-1]: share, far[0]: 1.0 - share}
