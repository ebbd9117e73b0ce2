"""From a proposal to an order on its way, or to the reason why there is none.

Every proposal passes all of risk's checks. What passes becomes an order line and a `PlaceOrder` command; what
does not is told once and again only when the reasons change or some minutes have gone by, so that the log
stays readable.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from bot.engine.decision import Decision, Verb
from bot.engine.state import EngineState, OrderLine, Step
from bot.engine.working import decision_id
from bot.events import PlaceOrder
from market.order import Order
from market.records import replace
from market.rounding import round_price
from risk.verdict import Verdict
from strategies.base import Evaluation, Intent, Proposal, Structure

# What the reference of every order of ours begins with, whichever journal it stands in.
OURS = "alvh:"
RETOLD = timedelta(minutes=15)


def order_reference(state: EngineState, strategy: str, time: datetime) -> str:
    """The reference the next order of `strategy` carries for life: it names the decision behind it."""
    return f"{OURS}{strategy}:{decision_id(time, state.decisions + 1)}"


def place(
    state: EngineState,
    proposal: Proposal,
    verdict: Verdict,
    evaluation: Evaluation,
    order_ref: str,
    time: datetime,
) -> Step:
    """Turn an approved proposal into an order; the structure it opens exists from here on, without legs."""
    number = state.decisions + 1
    identity = decision_id(time, number)
    order = Order(order_ref, proposal.combo, verdict.quantity, proposal.limit, placed_at=time)
    line = OrderLine(
        order=order,
        strategy=proposal.strategy,
        structure_id=proposal.structure_id,
        intent=proposal.intent,
        limit_first=proposal.limit,
        limit_worst=proposal.limit_worst,
        tick=proposal.tick,
        sent_at=time,
        priced_at=time,
        max_loss_points=proposal.max_loss_points,
        reserves=proposal.reserves,
        fees_per_unit_usd=proposal.fees_per_unit_usd,
        adjusts=proposal.adjusts,
        reason=proposal.reason,
    )
    structures = dict(state.structures)
    held = structures.get(proposal.structure_id)
    if (
        proposal.intent is Intent.OPEN
        and state.session is not None
        and (held is None or not held.opened_legs)
    ):
        # An attempt that traded nothing leaves no trace: the next one may have chosen other strikes.
        structures[proposal.structure_id] = _begun(state.structures, proposal, state.session)
    elif proposal.intent is Intent.CLOSE and held is not None and not proposal.adjusts:
        structures[proposal.structure_id] = replace(held, closed_reason=proposal.reason)
    decision = Decision(
        decision_id=identity,
        strategy=proposal.strategy,
        verb=_verb(proposal),
        reason=proposal.reason,
        session=state.session,
        structure_id=proposal.structure_id,
        order_ref=order_ref,
        quantity=verdict.quantity,
        limit=proposal.limit,
        evaluations=_evaluations(state, proposal.strategy) + 1,
        trading=state.risk.trading.value,
        readings=evaluation.readings,
        gates=evaluation.gates,
        checks=verdict.checks,
        notes=proposal.notes,
    )
    anew = (proposal.strategy, proposal.structure_id)
    state = replace(
        state,
        decisions=number,
        orders={**state.orders, order_ref: line},
        structures=structures,
        last_held={**state.last_held, **dict.fromkeys(anew, "")},
        held_since={**state.held_since, **dict.fromkeys(anew, 0)},
    )
    command = PlaceOrder(order_ref, identity, proposal.combo, verdict.quantity, proposal.limit)
    return Step(state, (decision,), (command,))


def _begun(structures: Mapping[str, Structure], proposal: Proposal, session: date) -> Structure:
    """The structure an opening order begins; a shifted one carries what its units brought in before."""
    fresh = Structure(proposal.structure_id, proposal.strategy, proposal.combo, session)
    origin = structures.get(proposal.follows)
    if origin is None or not origin.units_closed:
        return fresh
    return replace(
        fresh,
        follows=origin.structure_id,
        adjustments=(*origin.adjustments, origin.closed_reason),
        carried=round_price(origin.closed_cost / origin.units_closed - origin.credit),
        carried_fees_usd=round_price(origin.carried_fees_usd + origin.fees_usd / origin.units_opened),
    )


def _verb(proposal: Proposal) -> Verb:
    if proposal.adjusts:
        return Verb.ADJUST
    return Verb.OPEN if proposal.intent is Intent.OPEN else Verb.CLOSE


def hold(
    state: EngineState,
    strategy: str,
    evaluation: Evaluation,
    time: datetime,
    denied: tuple[Proposal, Verdict] | None = None,
    awaits: str = "",
) -> Step:
    """Say why nothing is done, when that is news or has not been said for a while.

    `awaits` says what a proposal waits for that risk does not refuse for good.
    """
    blocking = [gate.name for gate in evaluation.gates if not gate.passed]
    if awaits:
        reason = awaits
    elif denied is not None:
        refusals = denied[1].refusals
        reason = f"risk refuses {denied[0].structure_id}: {', '.join(refusals) or 'no size left'}"
    else:
        reason = f"blocked by {', '.join(blocking)}" if blocking else "nothing to do"
    # A refusal belongs to its structure: two of them do not make news of each other.
    about = strategy if denied is None else denied[0].structure_id
    counted = _evaluations(state, about) + 1
    signature = f"{state.session}|{reason}"
    told_at = state.held_at.get(about)
    is_fresh = told_at is not None and (time - told_at < RETOLD or not evaluation.gates)
    if state.last_held.get(about) == signature and is_fresh:
        return Step(replace(state, held_since={**state.held_since, about: counted}))
    number = state.decisions + 1
    decision = Decision(
        decision_id=decision_id(time, number),
        strategy=strategy,
        verb=Verb.HOLD if denied is None or awaits else Verb.DENY,
        reason=reason,
        session=state.session,
        structure_id="" if denied is None else denied[0].structure_id,
        quantity=0 if denied is None else denied[0].quantity,
        limit=None if denied is None else denied[0].limit,
        evaluations=counted,
        trading=state.risk.trading.value,
        readings=evaluation.readings,
        gates=evaluation.gates,
        checks=() if denied is None else denied[1].checks,
        notes=() if denied is None else denied[0].notes,
    )
    return Step(
        replace(
            state,
            decisions=number,
            last_held={**state.last_held, strategy: "", about: signature},
            held_since={**state.held_since, about: 0},
            held_at={**state.held_at, about: time},
        ),
        (decision,),
    )


def _evaluations(state: EngineState, about: str) -> int:
    """Evaluations since something was last said about a strategy or a structure."""
    return state.held_since.get(about, 0)
