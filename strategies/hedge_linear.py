"""Opening a tranche of what is no option: a VIX future, or shares of a volatility product (METHOD 3.3).

A future is sized on its stress loss, the greater of a share of its price and the way to its stop; that has
to fit the layer's budget. Its month is chosen by the layer's window of days like an option's. Shares cost
what they cost.
"""

from datetime import date

from market.contract import Contract, SecurityType, single
from market.records import replace
from strategies.base import Evaluation, Gate, MarketSnapshot
from strategies.hedge_entry import Order, proposed
from strategies.rules import HedgeRules
from strategies.strikes import vix_expiry

FUTURE_CLASS = {"vx": "VX", "vxm": "VXM"}


def enter_future(snapshot: MarketSnapshot, order: Order, hedge: HedgeRules) -> Evaluation:
    """The future of the layer's window: its line, gates, and a proposal when the order is ready."""
    rules = hedge.of(order.layer)
    expiry = vix_expiry(snapshot.session, rules)
    if expiry is None:
        return Evaluation(gates=(Gate("expiry", None, "no monthly expiry in the window of days"),))
    trading_class = FUTURE_CLASS[rules.instrument]
    contract = future_of(snapshot, trading_class, expiry)
    if contract is None:
        gate = Gate("listing", None, f"{trading_class} {expiry} not named by the broker")
        return Evaluation(gates=(gate,))
    found = Evaluation(gates=(Gate("listing", True, contract.describe()),), lines=(contract,))
    quote = snapshot.quote(contract)
    if quote is None or quote.mid is None:
        return replace(found, gates=(*found.gates, Gate("forward", None, "the future has no market")))
    if not order.ready:
        return found
    stake = hedge.future_stake_fraction
    return proposed(
        snapshot, single(contract), order, hedge, found, stake, (("forward", quote.mid), ("stress", stake))
    )


def enter_shares(snapshot: MarketSnapshot, order: Order, hedge: HedgeRules) -> Evaluation:
    """Shares in place of options that are too dear to trade."""
    symbol = hedge.of(order.layer).fallback.upper()
    contract = next(
        (one for one in snapshot.others if (one.symbol, one.security_type) == (symbol, SecurityType.STOCK)),
        None,
    )
    if contract is None:
        return Evaluation(gates=(Gate("listing", None, f"{symbol} not named by the broker"),))
    found = Evaluation(gates=(Gate("fallback", True, f"{symbol} instead"),), lines=(contract,))
    quote = snapshot.quote(contract)
    if quote is None or quote.mid is None:
        return replace(found, gates=(*found.gates, Gate("combo_quote", None, f"{symbol} has no market")))
    if not order.ready:
        return found
    return proposed(snapshot, single(contract), order, hedge, found, None, (("forward", 0.0),))


def future_of(snapshot: MarketSnapshot, trading_class: str, expiry: date) -> Contract | None:
    """The monthly future of a class that settles on a day."""
    listed = (one for one in (*snapshot.futures, *snapshot.others) if one.trading_class == trading_class)
    return next((one for one in listed if one.expiry == expiry), None)
