"""Contracts of which the broker, the executions and the structures do not hold the same.

The words in which a mismatch is told are also where the broker's count is kept until it has listed its
positions again: a decision in between must not close what the broker does not hold.
"""

import re
from collections.abc import Mapping

from bot.engine.state import EngineState
from market.contract import Contract
from risk.state import Cause

_NAMED = re.compile(r"(?:^|; )(?P<name>[^;]*?): journal (?P<mine>-?\d+), broker (?P<broker>-?\d+), ")


def told(contract: Contract | None, con_id: int, mine: int, broker: int, legs: int) -> str:
    """One contract of which the three accounts differ, in signed contracts."""
    return f"{_name(contract, con_id)}: journal {mine}, broker {broker}, structures {legs}"


def missing(state: EngineState) -> Mapping[int, int]:
    """Signed contracts by con_id that the executions say are held and the broker does not hold.

    What it holds beyond them is not counted: that is nothing a close could turn round.
    """
    detail = dict(state.risk.causes).get(Cause.MISMATCH, "")
    counts = {match["name"]: (int(match["mine"]), int(match["broker"])) for match in _NAMED.finditer(detail)}
    if not counts:
        return {}
    lacking = {}
    for con_id in state.portfolio.positions():
        mine, broker = counts.get(_name(state.contracts.get(con_id), con_id), (0, 0))
        still = broker if broker * mine > 0 else 0
        if abs(still) < abs(mine):
            lacking[con_id] = mine - still
    return lacking


def _name(contract: Contract | None, con_id: int) -> str:
    return contract.describe() if contract is not None else f"contract {con_id}"
