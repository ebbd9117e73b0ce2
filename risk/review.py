"""The review: one proposal in, one verdict out, with the result of every check.

Sizing comes first and may only lower the quantity; then all checks run on what is left, also after one has
failed, so that a refusal always shows the whole picture. Nothing here can approve what a check refused.
"""

from collections.abc import Iterable
from typing import TypeVar

from risk import balance, capital, checks
from risk.context import ProposedTrade, ReviewContext, is_hedge, is_open
from risk.exposure import group_of
from risk.limits import RiskLimits
from risk.verdict import Check, Ruling, Verdict

Trade = TypeVar("Trade", bound=ProposedTrade)


def review(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Verdict:
    """Judge one proposal against everything that is known now.

    APPROVED at the proposed quantity, RESIZED below it, or DENIED with quantity 0. The context must already
    hold what earlier verdicts of the same instant have let through.
    """
    settle = {group_of(leg.contract) for leg in proposal.combo.legs}
    together = Check("one_settlement", len(settle), 1, len(settle) == 1)
    if not together.passed:
        # Without a common settlement there is no worst loss to size or to judge by.
        return Verdict(Ruling.DENIED, 0, (together, checks.paper_account(context)))
    quantity = capital.sized(proposal, context, limits)
    judged = max(quantity, 1)
    results = (
        together,
        checks.paper_account(context),
        checks.trading_state(proposal, context),
        checks.structure_free(proposal, context),
        checks.fresh_order_ref(context),
        checks.order_quantity(proposal, limits),
        checks.covered_shorts(proposal, judged, context),
        checks.closes_what_is_held(proposal, judged, context),
        checks.vix_futures(proposal, judged, context, limits),
        checks.self_cross(proposal, context),
        checks.price_sign(proposal),
        checks.no_arbitrage_price(proposal),
        checks.sided_quotes(proposal, context),
        checks.price_collar(proposal, context, limits),
        *checks.quote_ages(proposal, context, limits),
        checks.orders_per_minute(context, limits),
        checks.round_trips(proposal, context, limits),
        capital.nav_age(proposal, context, limits),
        capital.initiation(proposal, quantity, context, limits),
        capital.open_max_loss(proposal, judged, context, limits),
        capital.margin(proposal, judged, context, limits),
        balance.beta_delta(proposal, judged, context, limits),
        balance.liquidity(proposal, judged, context, limits),
        capital.condors_per_expiry(proposal, context, limits),
        capital.open_condors(proposal, context, limits),
        capital.daily_loss(proposal, context, limits),
        capital.drawdown(proposal, context, limits),
    )
    stands = quantity >= 1 and all(check.passed for check in results)
    results = (*results, capital.margin_told(proposal, judged, context, is_all_that_lacks=stands))
    if not stands or not results[-1].passed:
        return Verdict(Ruling.DENIED, 0, results)
    return Verdict(Ruling.APPROVED if quantity == proposal.quantity else Ruling.RESIZED, quantity, results)


def in_order_of_review(proposals: Iterable[Trade]) -> tuple[Trade, ...]:
    """Closes first, then hedges, then the rest, each in the order given: hedges reserve before condors."""
    return tuple(
        sorted(
            proposals, key=lambda proposal: (is_open(proposal), is_open(proposal) and not is_hedge(proposal))
        )
    )
