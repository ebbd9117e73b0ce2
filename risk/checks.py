"""Checks of the order itself: who trades, in which state, what, at which price and on which quotes.

Each is a small pure function of the proposal, the context and the limits and answers with its value and its
limit. None raises and none knows the others; `risk.review` runs them all, also after one has failed.
"""

import re
from datetime import timedelta
from math import isfinite

from market.contract import Contract, SecurityType
from market.quote import combo_quote
from market.rounding import round_price
from market.tick import COMBO_TICK
from risk.context import ProposedTrade, ReviewContext, closable, is_hedge, is_open
from risk.exposure import best_payoff, collects_premium, net_options, worst_option_counts, worst_payoff
from risk.limits import RiskLimits
from risk.state import TradingState
from risk.verdict import Check

VX_MULTIPLIER = 1000
PAPER_ACCOUNT = re.compile(r"DU[0-9]+")


def paper_account(context: ReviewContext) -> Check:
    """The account the broker announced is a paper account and the very one that is allowed."""
    passed = (
        PAPER_ACCOUNT.fullmatch(context.account) is not None and context.account == context.allowed_account
    )
    return Check("paper_account", context.account, context.allowed_account, passed)


def trading_state(proposal: ProposedTrade, context: ReviewContext) -> Check:
    """ACTIVE trades, REDUCING closes, HALTED cancels only.

    REDUCING also hedges where nothing worse than a loss is the matter.
    """
    trading = context.state.trading
    causes = ",".join(cause.value for cause, _ in context.state.causes)
    passed = trading is TradingState.ACTIVE
    if trading is TradingState.REDUCING:
        passed = not is_open(proposal) or (is_hedge(proposal) and context.state.hedges_allowed)
    return Check("trading_state", f"{trading.value}({causes})" if causes else trading.value, "active", passed)


def structure_free(proposal: ProposedTrade, context: ReviewContext) -> Check:
    """No other order lives on the same structure: attempts come strictly one after another."""
    live = sum(order.structure_id == proposal.structure_id for order in context.working)
    return Check("structure_free", live, 0, live == 0)


def fresh_order_ref(context: ReviewContext) -> Check:
    """The order's identity is given and has never been used."""
    passed = bool(context.order_ref) and context.order_ref not in context.used_refs
    passed = passed and all(order.order_ref != context.order_ref for order in context.working)
    return Check("fresh_order_ref", context.order_ref, "unused", passed)


def order_quantity(proposal: ProposedTrade, limits: RiskLimits) -> Check:
    """Between one unit and the cap, as proposed: a slip of the finger is refused, not cut down to size."""
    passed = 1 <= proposal.quantity <= limits.order_quantity_max
    return Check("order_quantity", proposal.quantity, limits.order_quantity_max, passed)


def covered_shorts(proposal: ProposedTrade, quantity: int, context: ReviewContext) -> Check:
    """No option is left sold and uncovered, whichever working orders fill (I-01).

    An opening order must leave the whole book covered. A close may run while the broker's half-filled legs
    leave a short uncovered, as long as it adds none.
    """
    before = worst_option_counts(dict(context.held), [order.stake for order in context.working])
    after = dict(before)
    for side, change in net_options(proposal.combo).items():
        after[side] = after.get(side, 0) + min(change * quantity, 0)
    if is_open(proposal):
        naked = sum(max(-count, 0) for count in after.values())
    else:
        naked = sum(max(min(before.get(side, 0), 0) - count, 0) for side, count in after.items() if count < 0)
    return Check("covered_shorts", naked, 0, naked == 0)


def closes_what_is_held(proposal: ProposedTrade, quantity: int, context: ReviewContext) -> Check:
    """A close only takes away legs that its structure holds, at the broker too, and never turns one round."""
    if is_open(proposal):
        return Check("closes_what_is_held", None, "for closes", True)
    beyond = 0
    for leg, available in closable(proposal, context):
        beyond += max(abs(leg.signed_ratio) * quantity - available, 0)
    return Check("closes_what_is_held", beyond, 0, beyond == 0)


def vix_futures(proposal: ProposedTrade, quantity: int, context: ReviewContext, limits: RiskLimits) -> Check:
    """VIX futures held and ordered stay within their number, whichever orders fill (I-04).

    Counted in contracts of 1000 USD a point, bought or sold; each settlement for itself, so that one never
    offsets another.
    """
    if not is_open(proposal) or not any(_is_vix_future(leg.contract) for leg in proposal.combo.legs):
        return Check("vix_futures_count", None, "for VIX futures", True)
    low = {contract: count for contract, count in context.held if _is_vix_future(contract)}
    high = dict(low)
    orders = [(order.combo, order.remaining) for order in context.working]
    for combo, units in [*orders, (proposal.combo, quantity)]:
        for leg in combo.legs:
            if _is_vix_future(leg.contract):
                change = leg.signed_ratio * units
                low[leg.contract] = low.get(leg.contract, 0) + min(change, 0)
                high[leg.contract] = high.get(leg.contract, 0) + max(change, 0)
    count = round_price(
        sum(max(high[future], -low[future]) * future.multiplier / VX_MULTIPLIER for future in low)
    )
    limit = limits.vix_futures_max_count
    return Check("vix_futures_count", count, limit, count <= limit)


def _is_vix_future(contract: Contract) -> bool:
    return contract.security_type is SecurityType.FUTURE and contract.symbol == "VIX"


def price_sign(proposal: ProposedTrade) -> Check:
    """What can only cost its holder is paid for: a credit condor opens below zero, a debit structure above.

    Closing turns the structure round: nothing is paid to get rid of what cannot be worth less than nothing.
    """
    worst = proposal.limit_worst
    if collects_premium(proposal.combo):
        return Check("price_sign", worst, "< 0", proposal.limit < 0.0 and worst < 0.0)
    if worst_payoff(proposal.combo) >= 0.0:
        return Check("price_sign", worst, "> 0", proposal.limit > 0.0 and worst > 0.0)
    return Check("price_sign", worst, "either", True)


def no_arbitrage_price(proposal: ProposedTrade) -> Check:
    """Both limits are finite, in order, and no worse than the best the combo can ever be worth (I-14)."""
    bound = round_price(best_payoff(proposal.combo))
    low, high = proposal.limit, proposal.limit_worst
    ordered = isfinite(low) and isfinite(high) and low <= high
    passed = ordered and round_price(worst_payoff(proposal.combo)) <= low and high <= bound
    return Check("no_arbitrage_price", high, bound, passed)


def sided_quotes(proposal: ProposedTrade, context: ReviewContext) -> Check:
    """Every leg has both sides and is not crossed. A close needs no bids: only the asks it may have to pay.

    What nobody bids for is sold at nothing. In a crash the far short of a condor has no bid either, and the
    stop that buys it back must not wait for one.
    """
    lacking = []
    for leg in proposal.combo.legs:
        quote = context.quotes.get(leg.contract.con_id)
        if quote is not None and quote.is_two_sided:
            continue
        zero_bid = quote is not None and quote.bid is None and quote.ask is not None
        if is_open(proposal) or not zero_bid:
            lacking.append(leg.contract.describe())
    return Check("sided_quotes", "; ".join(lacking) or "all", "all", not lacking)


def price_collar(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """Neither limit lies farther from the mid than the half spread and a few ticks (I-14).

    The half spread belongs in the bound because the natural price lies exactly there, and the ticks are
    what the market may have moved since.
    """
    quote = combo_quote(proposal.combo, context.quotes)
    if quote is None:
        return Check("price_collar", None, None, False)
    tick = COMBO_TICK.get(proposal.combo.legs[0].contract.trading_class, 0.01)
    bound = round_price(quote.half_spread + limits.collar_ticks * tick)
    distance = round_price(max(abs(price - quote.mid) for price in (proposal.limit, proposal.limit_worst)))
    return Check("price_collar", distance, bound, distance <= bound)


def quote_ages(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> tuple[Check, ...]:
    """Each feed the decision rests on has proved itself lately (I-17).

    An order rests on the feed of its own legs, shares on that of the indexes. An opening order of options
    also rests on what chose its strikes: the index for SPX, the futures for VIX.
    """
    kind = proposal.combo.legs[0].contract.security_type
    own = {SecurityType.FUTURE: "future", SecurityType.STOCK: "index"}.get(kind, "option")
    allowed = {
        "option": limits.option_quote_age_max_s,
        "future": limits.future_quote_age_max_s,
        "index": limits.index_quote_age_max_s,
    }
    needed = {own: allowed[own]}
    if is_open(proposal) and kind is SecurityType.OPTION:
        if proposal.combo.legs[0].contract.symbol == "VIX":
            needed["future"] = limits.future_quote_age_max_s
        else:
            needed["index"] = limits.index_quote_age_max_s
    checks = []
    for feed, limit in needed.items():
        alive = context.feeds_alive.get(feed)
        age = None if alive is None else round_price((context.now - alive).total_seconds())
        checks.append(Check(f"{feed}_quote_age_s", age, limit, age is not None and 0.0 <= age <= limit))
    return tuple(checks)


def orders_per_minute(context: ReviewContext, limits: RiskLimits) -> Check:
    """Fewer orders than the limit in the last minute, closes too: it stops a loop that has run wild."""
    recent = sum(context.now - time < timedelta(seconds=60) for time in context.order_times)
    return Check(
        "orders_per_minute", recent, limits.orders_per_minute_max, recent < limits.orders_per_minute_max
    )


def round_trips(proposal: ProposedTrade, context: ReviewContext, limits: RiskLimits) -> Check:
    """Nothing new once the day has seen its fill of round trips."""
    done = context.round_trips_today
    passed = not is_open(proposal) or done < limits.round_trips_per_day_max
    return Check("round_trips_per_day", done, limits.round_trips_per_day_max, passed)


def self_cross(proposal: ProposedTrade, context: ReviewContext) -> Check:
    """No working order stands on the other side of one of the legs (I-16)."""
    sides = {contract.con_id: ratio for contract, ratio in proposal.combo.signed}
    crossed = sum(
        sides.get(contract.con_id, 0) * ratio < 0
        for order in context.working
        for contract, ratio in order.combo.signed
    )
    return Check("self_cross", crossed, 0, crossed == 0)
