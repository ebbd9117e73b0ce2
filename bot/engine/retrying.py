"""When an attempt that traded nothing may be made again.

What is due stays due, and would be sent again at every look. After a refusal by the broker a structure's next
attempt waits, each time twice as long, so that an order that cannot be taken does not use up the budget of
orders. A close that nobody filled waits until the market of one of its legs has moved since: where nothing
trades (a halt that is not told, a feed that stands) there is nobody to fill the next one either, and where
it trades the wait is over with the next tick. Only attempts for the same reason count: a stop does not wait
for what became of an earlier profit close.
"""

from datetime import datetime, timedelta

from bot.engine.state import EngineState, OrderLine
from market.order import OrderStatus
from market.sessions import MARKET_TZ
from strategies.base import Intent, Proposal
from strategies.rules import ExecutionRules


def awaits(state: EngineState, proposal: Proposal, rules: ExecutionRules, time: datetime) -> str:
    """What the next attempt of this structure waits for; empty when it may be made now."""
    ended = [
        (line.ended_at, line)
        for line in state.orders.values()
        if line.structure_id == proposal.structure_id
        and line.intent is proposal.intent
        and line.reason == proposal.reason
        and line.ended_at is not None
        and line.ended_at.astimezone(MARKET_TZ).date() == state.session
    ]
    if not ended:
        return ""
    at, last = max(ended, key=lambda one: one[0])
    if last.order.filled or last.told or last.filled_legs:
        return ""
    if last.order.status is OrderStatus.REJECTED:
        return _after_refusals([line for _, line in sorted(ended, key=lambda one: one[0])], at, rules, time)
    if proposal.intent is Intent.CLOSE and last.order.status is OrderStatus.CANCELLED:
        legs = (state.quotes.get(leg.contract.con_id) for leg in proposal.combo.legs)
        if all(quote is None or quote.time <= at for quote in legs):
            return f"{proposal.structure_id} waits: no leg's market has moved since {_clock(at)}"
    return ""


def _after_refusals(lines: list[OrderLine], at: datetime, rules: ExecutionRules, time: datetime) -> str:
    count = 0
    for line in reversed(lines):
        if line.order.status is not OrderStatus.REJECTED:
            break
        count += 1
    wait_s = min(rules.rejected_retry_s * 2 ** (min(count, 16) - 1), rules.rejected_retry_max_s)
    if time - at >= timedelta(seconds=wait_s):
        return ""
    why = lines[-1].order.reason or "no reason given"
    return f"{lines[-1].structure_id} waits {wait_s:g} s: refused by the broker at {_clock(at)} ({why})"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(MARKET_TZ):%H:%M:%S}"
