"""The named contracts by the part they play, arranged once for each set of them.

The broker names its contracts once a connection and every look asks for the same few. As with a listing, the
last answer is kept for as long as the very same contracts are handed in; nothing else is remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.engine.state import is_always_streamed
from market.contract import Contract, SecurityType

_kept: list[tuple[Mapping[int, Contract], "Roster"]] = []


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Contracts of one set: what is streamed at all times, what is no option, and what a snapshot names.

    `futures` are the VX futures by expiry, `others` the small futures and shares a hedge may buy.
    """

    streamed: frozenset[int]
    linear: frozenset[int]
    spx: Contract | None
    vix: Contract | None
    futures: tuple[Contract, ...]
    others: tuple[Contract, ...]


def roster(contracts: Mapping[int, Contract]) -> Roster:
    """The contracts of a state, arranged."""
    if not _kept or _kept[0][0] is not contracts:
        _kept[:] = [(contracts, _arranged(tuple(contracts.values())))]
    return _kept[0][1]


def _arranged(named: tuple[Contract, ...]) -> Roster:
    indexes = {c.symbol: c for c in named if c.security_type is SecurityType.INDEX}
    futures = [(c.expiry, c) for c in named if c.trading_class == "VX" and c.expiry is not None]
    return Roster(
        streamed=frozenset(c.con_id for c in named if is_always_streamed(c)),
        linear=frozenset(c.con_id for c in named if c.security_type is not SecurityType.OPTION),
        spx=indexes.get("SPX"),
        vix=indexes.get("VIX"),
        futures=tuple(c for _, c in sorted(futures, key=lambda one: one[0])),
        others=tuple(c for c in named if c.security_type is SecurityType.STOCK or c.trading_class == "VXM"),
    )
