"""Contracts open of streamed options: counted by the broker once a day, told with the line that asked.

A count proves no live feed, and comes again only when it is another one.
"""

from bot.events import OpenInterestTold
from market.contract import Contract, Right

_GENERIC_TICK = "101"
_KINDS = {Right.CALL: 27, Right.PUT: 28}
_COUNT_MAX = 1e9


def generic_ticks(contract: Contract) -> str:
    """What a line asks for beside its quote: the open interest of options on VIX, which a rule reads.

    It takes no further line.
    """
    return _GENERIC_TICK if contract.right is not None and contract.symbol == "VIX" else ""


def interest_kind(contract: Contract) -> int | None:
    """The tick that counts the contracts open of this option; the other right's tick is 0 on its line."""
    return None if contract.right is None else _KINDS[contract.right]


class InterestBook:
    """Counts that were told and not yet taken."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}

    def tell(self, con_id: int, before: int | None, size: float) -> int | None:
        """A count as ticked; returns what stands from now on. What is no count leaves the one before."""
        if not 0.0 <= size < _COUNT_MAX:
            return before
        count = int(size)
        if count != before:
            self._told[con_id] = count
        return count

    def take(self) -> OpenInterestTold | None:
        """What was told since the last look, in order of con_id; None when nothing was."""
        if not self._told:
            return None
        told, self._told = self._told, {}
        return OpenInterestTold(tuple(sorted(told.items())))
