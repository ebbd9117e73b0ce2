"""Checks of the money: the initiation, the open worst loss, the margin, the day and the drawdown.

Hedges that can cost no more than their premium stand outside the open worst loss, the daily loss and the
drawdown, and count neither there nor towards condors: protection must be able to open when it is needed
(METHOD 4.6).
"""

from market.rounding import round_price, round_ratio
from risk.context import LiveOrder, ProposedTrade, ReviewContext, closable, is_hedge, is_open, is_roll
from risk.exposure import Stake, collects_premium, group_of, only_pays_premium, open_loss_usd, worst_losses
from risk.limits import RiskLimits
from risk.sizing import initiation_headroom_usd, unit_max_loss_usd, units
from risk.state import Cause
from risk.verdict import Check

MARGIN_TOLD = "margin_told_usd"
CENT = 0.01


def nav_age(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """An initiation is measured on a net asset value that is known, positive and fresh (I-03)."""
    if not is_open(proposal):
        return Check("nav_age_s", None, "for opens", True)
    known = context.nav_usd is not None and context.nav_usd > 0.0 and context.nav_time is not None
    if not known or context.nav_time is None:
        return Check("nav_age_s", None, limits.nav_age_max_s, False)
    age = round_price((context.now - context.nav_time).total_seconds())
    return Check("nav_age_s", age, limits.nav_age_max_s, 0.0 <= age <= limits.nav_age_max_s)


def headroom_usd(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> float:
    """What this opening may lose: a hedge draws on its own reserve, a condor takes the remainder."""
    if context.nav_usd is None:
        return 0.0
    committed = context.committed_usd + sum(
        order.remaining * unit_max_loss_usd(order.combo, order.price, order.fees_per_unit_usd)
        for order in context.working
        if order.opening
    )
    reserved = 0.0 if is_hedge(proposal) else context.reserved_usd
    return initiation_headroom_usd(context.nav_usd, committed, reserved, limits.initiation_max_fraction)


def sized(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> int:
    """Units that may be ordered: of an opening what the initiation limit leaves, all of a roll or a close.

    Where the broker lacks some of a close's legs, what it still holds: a stop for those is better than none.
    """
    if not is_open(proposal) and context.missing:
        left = min(available // abs(leg.signed_ratio) for leg, available in closable(proposal, context))
        return min(proposal.quantity, left)
    if not is_open(proposal) or is_roll(proposal):
        return proposal.quantity
    loss = unit_max_loss_usd(proposal.combo, proposal.limit_worst, proposal.fees_per_unit_usd)
    return max(min(proposal.quantity, units(headroom_usd(proposal, context, limits), loss)), 0)


def initiation(proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits) -> Check:
    """The worst loss of what is opened in one session stays within 1.2 % of net asset value.

    A roll initiates nothing: its structure's worst loss may not grow, which `open_max_loss` sees to.
    """
    if not is_open(proposal) or is_roll(proposal):
        return Check("initiation_usd", None, "for opens", True)
    headroom = headroom_usd(proposal, context, limits)
    unit = unit_max_loss_usd(proposal.combo, proposal.limit_worst, proposal.fees_per_unit_usd)
    loss = round_price(unit * max(quantity, 1))
    return Check("initiation_usd", loss, headroom, quantity >= 1 and loss <= headroom)


def open_max_loss(
    proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits
) -> Check:
    """The worst expiry loss of the book, the worst working orders filled, stays within its limit (I-02).

    A close or a roll passes when it does not raise its structure's loss, whatever the limit says; a spread
    that is bought back may cost what it costs, but no more may be lost at expiry than before.
    """
    if is_hedge(proposal):
        return Check("open_max_loss_usd", None, "hedges exempt", True)
    held = [stake for stake in context.stakes if not only_pays_premium(stake.combo)]
    working = [order.stake for order in context.working if not _is_hedge_order(order)]
    trade = Stake(proposal.combo, quantity, proposal.limit_worst, proposal.structure_id)
    after = open_loss_usd(worst_losses(held, [*working, trade], context.loose))
    if not is_open(proposal) or is_roll(proposal):
        if proposal.adjusts and not is_open(proposal):
            trade = Stake(proposal.combo, quantity, 0.0, proposal.structure_id)
        mine = [stake for stake in context.stakes if stake.structure_id == proposal.structure_id]
        before = round_price(open_loss_usd(worst_losses(mine, (), context.loose)))
        after = round_price(open_loss_usd(worst_losses(mine, [trade], context.loose)))
        return Check("open_max_loss_usd", after, before, after <= before + CENT)
    if context.nav_usd is None:
        return Check("open_max_loss_usd", round_price(after), None, False)
    limit = round_price(limits.open_max_loss_fraction * context.nav_usd)
    return Check("open_max_loss_usd", round_price(after), limit, round_price(after) <= limit)


def model_margin_usd(stake: Stake, limits: RiskLimits) -> float:
    """Margin a stake is expected to need: its premium, or 102 % of its worst loss (METHOD 4.3)."""
    loss = unit_max_loss_usd(stake.combo, stake.price, 0.0)
    if only_pays_premium(stake.combo):
        return round_price(loss * stake.quantity)
    least = limits.vix_spread_margin_min_usd if stake.combo.legs[0].contract.symbol == "VIX" else 0.0
    return round_price(max(limits.universal_spread_margin_ratio * loss, least) * stake.quantity)


def margin(proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits) -> Check:
    """The account's initial margin with the working openings and this one stays within its share.

    What this one adds is the greater of the model's figure and the broker's own (METHOD 4.3). A roll adds
    what the broker says; one that raises nothing passes, whatever the account's margin is.
    """
    if not is_open(proposal) or (is_roll(proposal) and _told_usd(context) <= 0.0):
        return Check("margin_usd", context.init_margin_usd, "for opens", True)
    if context.nav_usd is None or context.init_margin_usd is None:
        return Check("margin_usd", context.init_margin_usd, None, False)
    trade = Stake(proposal.combo, quantity, proposal.limit_worst)
    added = max(0.0 if is_roll(proposal) else model_margin_usd(trade, limits), _told_usd(context))
    added += sum(model_margin_usd(order.stake, limits) for order in context.working if order.opening)
    total = round_price(context.init_margin_usd + added)
    limit = round_price(limits.margin_max_fraction * context.nav_usd)
    return Check("margin_usd", total, limit, total <= limit)


def margin_told(
    proposal: ProposedTrade, quantity: int, context: ReviewContext, *, is_all_that_lacks: bool
) -> Check:
    """What needs margin opens on the broker's own figure for at least so many units, or not at all.

    What only costs its premium needs none, and the broker is not asked about what something else refuses.
    """
    if not is_open(proposal) or only_pays_premium(proposal.combo):
        return Check(MARGIN_TOLD, None, "where margin is needed", True)
    if not is_all_that_lacks:
        return Check(MARGIN_TOLD, None, "when nothing else refuses", True)
    told = context.told_margin
    if told is None or told.quantity < quantity:
        return Check(MARGIN_TOLD, "not asked", "told", False)
    if told.change_usd is None:
        return Check(MARGIN_TOLD, told.reason, "told", False)
    return Check(MARGIN_TOLD, told.change_usd, "told", True)


def _told_usd(context: ReviewContext) -> float:
    told = context.told_margin
    return 0.0 if told is None or told.change_usd is None else told.change_usd


def condors_per_expiry(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """No more credit structures on one class and expiry than allowed, working ones included."""
    if not is_open(proposal) or not collects_premium(proposal.combo):
        return Check("condors_per_expiry", None, "for condors", True)
    group = group_of(proposal.combo.legs[0].contract)
    candidates = [*context.stakes, *(order.stake for order in context.working if order.opening)]
    alike = {
        stake.structure_id
        for stake in candidates
        if collects_premium(stake.combo) and group_of(stake.combo.legs[0].contract) == group
    }
    count = len(alike | {proposal.structure_id})
    return Check(
        "condors_per_expiry", count, limits.condors_per_expiry_max, count <= limits.condors_per_expiry_max
    )


def open_condors(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """No more credit structures at once than allowed, working ones included (METHOD 4.1)."""
    if not is_open(proposal) or not collects_premium(proposal.combo):
        return Check("open_condors", None, "for condors", True)
    candidates = [*context.stakes, *(order.stake for order in context.working if order.opening)]
    names = {stake.structure_id for stake in candidates if collects_premium(stake.combo)}
    count = len(names | {proposal.structure_id})
    return Check("open_condors", count, limits.open_condors_max, count <= limits.open_condors_max)


def daily_loss(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """Nothing but hedges and closes once the session has lost its limit."""
    change = _change(context.nav_usd, context.nav_session_open_usd)
    exempt = not is_open(proposal) or is_hedge(proposal)
    passed = exempt or (change is not None and change > -limits.daily_loss_max_fraction)
    return Check("daily_loss_fraction", change, -limits.daily_loss_max_fraction, passed)


def drawdown(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """Nothing but hedges and closes once the account stands too far below its peak."""
    change = _change(context.nav_usd, context.nav_peak_usd)
    exempt = not is_open(proposal) or is_hedge(proposal)
    passed = exempt or (change is not None and change > -limits.drawdown_max_fraction)
    return Check("drawdown_fraction", change, -limits.drawdown_max_fraction, passed)


def loss_causes(
    nav_usd: float | None, session_open_usd: float | None, peak_usd: float | None, limits: RiskLimits
) -> tuple[tuple[Cause, str], ...]:
    """Causes to reduce trading that the account's own figures give, each with what was seen (I-05)."""
    session, peak = "of the session's opening value is lost", "below the highest value so far"
    seen = (
        (Cause.LOSS, _change(nav_usd, session_open_usd), limits.daily_loss_max_fraction, session),
        (Cause.DRAWDOWN, _change(nav_usd, peak_usd), limits.drawdown_max_fraction, peak),
    )
    return tuple(
        (cause, f"{-change:.2%} {words}")
        for cause, change, limit, words in seen
        if change is not None and change <= -limit
    )


def _change(nav_usd: float | None, base_usd: float | None) -> float | None:
    if nav_usd is None or base_usd is None or base_usd <= 0.0:
        return None
    return round_ratio(nav_usd / base_usd - 1.0)


def _is_hedge_order(order: LiveOrder) -> bool:
    """A hedge being bought or sold again: neither risks more than premium already counted as paid."""
    return only_pays_premium(order.combo if order.opening else order.combo.reversed())
