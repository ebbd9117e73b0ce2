"""How far the book leans with the index: the beta-weighted delta in USD (METHOD 4.6).

Only options on the index count, each with a beta of one. What VIX hedges would gain in a fall is left out: it
would make room for more condors just when the hedges are dear. A leg's delta is the undiscounted one of its
own implied volatility (METHOD 4.2), with the index in place of the forward: over two months the two differ by
less than a strike.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from market.contract import Contract, Right
from market.pricing import volatility_and_delta
from market.quote import Quote
from market.rounding import round_price, round_ratio
from market.sessions import t_years
from risk.exposure import Stake


def option_deltas(
    contracts: Iterable[Contract], quotes: Mapping[int, Quote], levels: Mapping[str, float], now: datetime
) -> dict[Contract, float | None]:
    """Signed delta per point of the index of each index option; None without an ask or a level.

    An option nobody bids for stands at half its ask. Where a price has no volatility, at or below its
    intrinsic value, the option is as good as expired: one in the money, nothing out of it.
    """
    found: dict[Contract, float | None] = {}
    times: dict[tuple[str, date | None], float] = {}
    for contract in contracts:
        if contract in found:
            continue
        level, price, right = levels.get(contract.symbol), _price(quotes.get(contract.con_id)), contract.right
        if right is None or level is None or level <= 0.0 or price is None:
            found[contract] = None
            continue
        settles = contract.trading_class, contract.expiry
        t = times.get(settles)
        if t is None:
            t = times[settles] = _years(now, contract)
        valued = volatility_and_delta(price, level, contract.strike, t, 1.0, right is Right.CALL)
        found[contract] = _expired(contract, level) if valued is None else round_ratio(valued[1])
    return found


def beta_delta_usd(
    held: Iterable[tuple[Contract, int]],
    orders: Sequence[Stake],
    deltas: Mapping[Contract, float | None],
    levels: Mapping[str, float],
) -> float | None:
    """Net USD the book moves with the index per unit move, the worst subset of `orders` filled.

    The sign is that of the worse side. Contracts of symbols without a level do not count; None when a delta
    that counts is unknown.
    """
    base = 0.0
    for contract, count in held:
        if not count or not counts(contract, levels):
            continue
        delta = deltas.get(contract)
        if delta is None:
            return None
        base += delta * count * contract.multiplier * levels[contract.symbol]
    high = low = base
    for order in orders:
        change = 0.0
        for contract, ratio in order.combo.signed:
            worth = _worth_usd(contract, ratio * order.quantity, deltas, levels)
            if worth is None:
                return None
            change += worth
        high, low = high + max(change, 0.0), low + min(change, 0.0)
    return round_price(high if high >= -low else low)


def counts(contract: Contract, levels: Mapping[str, float]) -> bool:
    """Whether a contract is an option on one of the indexes."""
    return contract.right is not None and contract.symbol in levels


def _worth_usd(
    contract: Contract, count: int, deltas: Mapping[Contract, float | None], levels: Mapping[str, float]
) -> float | None:
    if not count or not counts(contract, levels):
        return 0.0
    delta = deltas.get(contract)
    return None if delta is None else delta * count * contract.multiplier * levels[contract.symbol]


def _price(quote: Quote | None) -> float | None:
    if quote is None:
        return None
    bid, ask = quote.bid, quote.ask
    if ask is None:
        return None
    if bid is None:
        bid = 0.0
    return None if bid > ask else round_price((bid + ask) / 2)


def _years(now: datetime, contract: Contract) -> float:
    return 0.0 if contract.expiry is None else t_years(now, contract.trading_class, contract.expiry)


def _expired(contract: Contract, level: float) -> float:
    if contract.right is Right.CALL:
        return 1.0 if level > contract.strike else 0.0
    return -1.0 if level < contract.strike else 0.0
