"""The broker's own figure of the margin an opening order needs (METHOD 4.3).

It is asked for by a what-if order before anything that needs margin is opened, at most once a minute for a
structure, and holds for some minutes for these very legs and no more units. Without a figure risk refuses.
"""

from datetime import datetime, timedelta

from bot.engine.orders import hold
from bot.engine.state import EngineState, MarginAsk, Step
from bot.events import AskMargin, MarginTold
from market.records import replace
from risk.capital import MARGIN_TOLD
from risk.context import ToldMargin
from risk.limits import RiskLimits
from risk.verdict import Verdict
from strategies.base import Evaluation, Proposal


def told_margin(
    state: EngineState, proposal: Proposal, limits: RiskLimits, time: datetime
) -> ToldMargin | None:
    """The broker's fresh answer about this combo, or None while there is none.

    While a question that went unanswered is put again, it stands as unanswered.
    """
    ask = state.margins.get(proposal.structure_id)
    if ask is None or ask.combo != proposal.combo:
        return None
    if ask.told_at is None:
        return ToldMargin(ask.quantity, None, ask.reason) if ask.reason else None
    if time - ask.told_at > timedelta(seconds=limits.margin_told_age_max_s):
        return None
    return ToldMargin(ask.quantity, ask.change_usd, ask.reason)


def lacks_only_margin(verdict: Verdict) -> bool:
    """Whether nothing but the broker's figure stands between a proposal and its order."""
    return verdict.refusals == (MARGIN_TOLD,)


def ask_margin(
    state: EngineState,
    proposal: Proposal,
    verdict: Verdict,
    evaluation: Evaluation,
    quantity: int,
    limits: RiskLimits,
    time: datetime,
) -> Step:
    """Put the question, unless it was put too lately, and hold until the answer is there."""
    before = state.margins.get(proposal.structure_id)
    denied = (proposal, verdict)
    is_unanswered = before is not None and bool(before.reason) and before.combo == proposal.combo
    awaits = "" if is_unanswered else f"margin asked for {proposal.structure_id}"
    again = timedelta(seconds=limits.margin_ask_again_s)
    if before is not None and time - before.asked_at < again:
        return hold(state, proposal.strategy, evaluation, time, denied, awaits)
    key = f"{proposal.structure_id}@{time:%Y%m%dT%H%M%S}"
    ask = MarginAsk(key, proposal.combo, quantity, time)
    if before is not None and is_unanswered:
        ask = replace(ask, reason=before.reason)
    kept = max(again, timedelta(seconds=limits.margin_told_age_max_s))
    margins = {name: one for name, one in state.margins.items() if time - one.asked_at <= kept}
    state = replace(state, margins={**margins, proposal.structure_id: ask})
    command = AskMargin(key, proposal.combo, quantity, proposal.limit)
    return Step(state, (), (command,)).then(hold(state, proposal.strategy, evaluation, time, denied, awaits))


def margin_told(state: EngineState, event: MarginTold, time: datetime) -> Step:
    """Keep the answer to the last question about a structure; an answer to an earlier one says nothing."""
    margins = {
        name: replace(ask, told_at=time, change_usd=event.init_margin_change_usd, reason=event.reason)
        if ask.key == event.key and ask.told_at is None
        else ask
        for name, ask in state.margins.items()
    }
    return Step(replace(state, margins=margins, look_due=True))
