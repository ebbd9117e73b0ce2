"""All the broker knows at one moment, each list proved complete by its end marker."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.broker.compat import ExecutionFilter
from bot.broker.contracts import from_client, is_settled
from bot.broker.inbox import COMPLETED_ORDERS, OPEN_ORDERS, POSITIONS
from bot.broker.session import Session
from bot.events import Reconciled
from market.contract import Contract


async def reconciled(
    session: Session, contracts: Mapping[int, Contract], now: Callable[[], datetime]
) -> Reconciled:
    """Ask for open orders, completed orders, executions and positions, and put them together.

    All of one session. Raises as `Session.ask` does, also where it ended between two questions, and
    NotPaperAccountError when a row belongs to another account.
    """
    client, inbox, ask = session.client, session.inbox, session.ask
    session.evidence.begin_snapshot()
    await ask(OPEN_ORDERS, client.reqAllOpenOrders)
    await ask(COMPLETED_ORDERS, lambda: client.reqCompletedOrders(False))
    request_id = session.next_id()
    commissions = inbox.commissions = []
    try:
        # After the orders, so that an execution without a reference finds its order.
        executions = await ask(request_id, lambda: client.reqExecutions(request_id, ExecutionFilter()))
    finally:
        inbox.commissions = None
    # Last of all: a fill since then was told before them, so that positions are never older than executions.
    positions = await ask(POSITIONS, client.reqPositions)
    session.require_paper()
    return Reconciled(
        orders=session.evidence.snapshot(),
        executions=tuple(executions),
        positions=_held(positions, contracts, now()),
        commissions=tuple(commissions),
    )


def _held(
    rows: list[tuple[Any, float]], contracts: Mapping[int, Contract], now: datetime
) -> tuple[tuple[int, int], ...]:
    """Positions by contract; combo lines, flat ones and contracts already settled are left out."""
    held: dict[int, int] = {}
    for raw, quantity in rows:
        contract = contracts.get(raw.conId) or from_client(raw)
        # A kind of contract we do not know is held all the same: what is not ours has to be noticed.
        if raw.secType != "BAG" and (contract is None or not is_settled(contract, now)):
            held[raw.conId] = round(quantity)
    return tuple((con_id, held[con_id]) for con_id in sorted(held) if held[con_id])
