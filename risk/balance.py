"""Checks of the account's balance: how far it leans with the index, and what it could pay at once.

Both bar new condors only. Closes lower the risk in any case, and protection has to be able to open when it is
needed (METHOD 4.6).
"""

from collections.abc import Iterable, Mapping, Sequence

from market.contract import Contract
from market.quote import Quote
from market.rounding import round_price, round_ratio
from risk.capital import model_margin_usd
from risk.context import ProposedTrade, ReviewContext, is_hedge, is_open
from risk.exposure import Stake
from risk.limits import RiskLimits
from risk.sensitivity import beta_delta_usd, counts, option_deltas
from risk.verdict import Check


def beta_delta(proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits) -> Check:
    """The net beta-weighted delta after this entry, the worst working orders filled, within its share.

    It gates entries only: condors that the market tests exceed it by themselves, and closing is always right.
    """
    if not is_open(proposal) or is_hedge(proposal):
        return Check("beta_delta_fraction", None, "gates entries only", True)
    limit = limits.beta_delta_max_fraction
    levels = context.index_levels
    trade = Stake(proposal.combo, quantity, proposal.limit_worst)
    needed = [contract for contract, _ in context.held]
    orders = [order.stake for order in context.working]
    needed += [contract for stake in (*orders, trade) for contract, _ in stake.combo.signed]
    deltas = option_deltas(
        [one for one in needed if counts(one, levels)], context.quotes, levels, context.now
    )
    own = [(contract, ratio * quantity) for contract, ratio in proposal.combo.signed]
    net = beta_delta_usd([*context.held, *own], orders, deltas, levels)
    known = net is not None and context.nav_usd is not None and context.nav_usd > 0.0 and bool(levels)
    if not known or net is None or context.nav_usd is None:
        return Check("beta_delta_fraction", None, limit, False)
    share = round_ratio(net / context.nav_usd)
    return Check("beta_delta_fraction", share, limit, abs(share) <= limit)


def quick_ratio(
    cash_usd: float,
    maint_margin_usd: float,
    held: Sequence[tuple[float, float, int]],
    long_option_weight_fraction: float,
) -> float | None:
    """Cash and a share of the long options against short options and the margin beyond them (METHOD 7.4).

    `held` are bid, ask and signed USD a point (contracts times multiplier) of each option. None when nothing
    is owed.
    """
    longs = sum(bid * points for bid, _, points in held if points > 0)
    shorts = -sum(ask * points for _, ask, points in held if points < 0)
    owed = round_price(shorts + max(maint_margin_usd - shorts, 0.0))
    liquid = cash_usd + long_option_weight_fraction * longs
    return round_ratio(liquid / owed) if owed > 0.0 else None


def option_rows(
    held: Iterable[tuple[Contract, int]], quotes: Mapping[int, Quote]
) -> list[tuple[float, float, int]] | None:
    """Bid, ask and signed USD a point of each option held; None when one of them has no ask.

    A missing bid counts as nothing. What is no option is left out.
    """
    rows = []
    for contract, count in held:
        if contract.right is None:
            continue
        quote = quotes.get(contract.con_id)
        if quote is None or quote.ask is None:
            return None
        rows.append((quote.bid if quote.bid is not None else 0.0, quote.ask, count * contract.multiplier))
    return rows


def liquidity(proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits) -> Check:
    """The quick ratio with the margin of this entry and of the openings at work on top."""
    limit = limits.quick_ratio_min
    if not is_open(proposal) or is_hedge(proposal):
        return Check("quick_ratio", None, "for condors", True)
    rows = option_rows(context.held, context.quotes)
    if rows is None or context.cash_usd is None or context.maint_margin_usd is None:
        return Check("quick_ratio", None, limit, False)
    added = model_margin_usd(Stake(proposal.combo, quantity, proposal.limit_worst), limits)
    added += sum(model_margin_usd(order.stake, limits) for order in context.working if order.opening)
    ratio = quick_ratio(
        context.cash_usd, context.maint_margin_usd + added, rows, limits.long_option_weight_fraction
    )
    return Check("quick_ratio", ratio, limit, ratio is None or ratio >= limit)
