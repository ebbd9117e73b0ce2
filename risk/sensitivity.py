"""How far the book leans with the index: the beta-weighted delta in USD (METHOD 4.6).

Only options on the index count, each with a beta of one. What VIX hedges would gain in a fall is left out: it
would make room for more condors just when the hedges are dear. A leg's delta is the undiscounted one of its
own implied volatility (METHOD 4.2), with the index in place of the forward: over two months the two differ by
less than a strike.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from market.contract import Contract, Right
from market.pricing import volatility_and_delta
from market.quote import Quote
from market.rounding import round_price, round_ratio
from market.sessions import t_years
from risk.exposure import Stake, group_of


def option_deltas(
    contracts: Iterable[Contract], quotes: Mapping[int, Quote], levels: Mapping[str, float], now: datetime
) -> dict[Contract, float | None]:
    """Signed delta per point of the index of each index option; None without an ask or a level.

    An option nobody bids for stands at half its ask. Where a price has no volatility, at or below its
    intrinsic value, the option is as good as expired: one in the money, nothing out of it.
    """
    found: dict[Contract, float | None] = {}
    groups: dict[tuple[object, ...], list[tuple[Contract, float]]] = {}
    for contract in dict.fromkeys(contracts):
        level, price = levels.get(contract.symbol), _price(quotes.get(contract.con_id))
        found[contract] = None
        if contract.right is not None and level is not None and level > 0.0 and price is not None:
            groups.setdefault(group_of(contract), []).append((contract, price))
    for members in groups.values():
        found.update(_deltas(members, levels[members[0][0].symbol], now))
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
        worth = _worth_usd(contract, count, deltas, levels)
        if worth is None:
            return None
        base += worth
    high = low = base
    for order in orders:
        change = 0.0
        for leg in order.combo.legs:
            worth = _worth_usd(leg.contract, leg.signed_ratio * order.quantity, deltas, levels)
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
    if quote is None or quote.ask is None:
        return None
    bid = quote.bid if quote.bid is not None else 0.0
    return None if bid > quote.ask else round_price((bid + quote.ask) / 2)


def _deltas(
    members: Sequence[tuple[Contract, float]], level: float, now: datetime
) -> Iterator[tuple[Contract, float]]:
    first = members[0][0]
    t = t_years(now, first.trading_class, first.expiry) if first.expiry is not None else 0.0
    for one, price in members:
        valued = volatility_and_delta(price, level, one.strike, t, 1.0, one.right is Right.CALL)
        yield one, _expired(one, level) if valued is None else round_ratio(valued[1])


def _expired(contract: Contract, level: float) -> float:
    if contract.right is Right.CALL:
        return 1.0 if level > contract.strike else 0.0
    return -1.0 if level < contract.strike else 0.0
