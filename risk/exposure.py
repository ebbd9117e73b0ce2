"""How much a book can lose at expiry, exactly, with the worst of its working orders filled.

Contracts that settle on one value (a class and an expiry) form a group. Within a group the loss is
piecewise linear in the settlement. A working order adds its own loss where that is positive and nothing
where it is not, since the worst case fills just the orders that hurt; a positive part is convex between
strikes, so the greatest loss still lies at zero, at a strike or at infinity, and looking there is exact.
Groups settle on different days or values, so their worst cases are added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf

from market.contract import Combo, Contract, Right
from market.records import quickly_made

Group = tuple[str, date | None]
OptionSide = tuple[str, date | None, Right]
Claims = dict[float, tuple[int, int]]  # strike -> USD a point of puts, and of calls
_NO_CLAIM = 0, 0


@quickly_made
@dataclass(frozen=True, slots=True)
class Stake:
    """`quantity` units of a combo bought at `price` points each (negative: a credit).

    Also an order in waiting: then `quantity` is what may still trade and `price` the worst it may trade at.
    """

    combo: Combo
    quantity: int
    price: float
    structure_id: str = ""


def group_of(contract: Contract) -> Group:
    """What settles together: trading class (the symbol where there is none) and expiry."""
    return contract.trading_class or contract.symbol, contract.expiry


def worst_losses(
    held: Iterable[Stake], working: Iterable[Stake] = (), loose: Iterable[tuple[Contract, int]] = ()
) -> dict[Group, float]:
    """Worst loss at expiry in USD of each group, negative where even the worst case is a gain.

    `loose` are signed contracts outside whole units, counted at no cost: what was paid or received for them
    is not known to be theirs. `inf` where calls are sold that nothing covers. Raises ValueError on a combo
    whose legs settle differently.
    """
    stakes: dict[Group, list[Stake]] = {}
    orders: dict[Group, list[Stake]] = {}
    odd: dict[Group, list[tuple[Contract, int]]] = {}
    for stake in held:
        stakes.setdefault(_group(stake.combo), []).append(stake)
    for order in working:
        orders.setdefault(_group(order.combo), []).append(order)
    for contract, quantity in loose:
        odd.setdefault(group_of(contract), []).append((contract, quantity))
    groups = sorted({*stakes, *orders, *odd}, key=lambda group: (group[0], group[1] or date.min))
    return {
        group: _group_loss(stakes.get(group, ()), orders.get(group, ()), odd.get(group, ()))
        for group in groups
    }


def open_loss_usd(losses: Mapping[Group, float]) -> float:
    """Sum of the groups' worst losses; a group that cannot lose offsets nothing elsewhere."""
    return sum(max(loss, 0.0) for loss in losses.values())


def worst_payoff(combo: Combo) -> float:
    """Least points a unit is worth to its buyer at expiry; `-inf` when short calls are uncovered."""
    return combo.payoff_range()[0]


def best_payoff(combo: Combo) -> float:
    """Most points a unit is worth to its buyer at expiry; `inf` for a long call."""
    return combo.payoff_range()[1]


def only_pays_premium(combo: Combo) -> bool:
    """Whether the buyer can lose no more than the price: the combo is never worth less than nothing."""
    return worst_payoff(combo) >= 0.0


def collects_premium(combo: Combo) -> bool:
    """Whether the combo is never worth more than nothing to its buyer, who must therefore be paid for it."""
    return best_payoff(combo) <= 0.0


def worst_option_counts(held: Mapping[Contract, int], working: Iterable[Stake] = ()) -> dict[OptionSide, int]:
    """Options bought less options sold of each class, expiry and right, at worst; negative: naked.

    The worst case fills every working order that lowers the count and none that raises it. A bought option
    covers whatever its strike: farther out of the money it caps the loss (a credit spread, whose size the
    loss limits judge), nearer the money it outweighs the short one (a debit spread).
    """
    counts: dict[OptionSide, int] = {}
    for contract, quantity in held.items():
        if contract.right is not None:
            side = (*group_of(contract), contract.right)
            counts[side] = counts.get(side, 0) + quantity
    for order in working:
        for side, change in net_options(order.combo).items():
            counts[side] = counts.get(side, 0) + min(change * order.quantity, 0)
    return counts


def net_options(combo: Combo) -> dict[OptionSide, int]:
    """Options gained for each class, expiry and right when a unit is bought."""
    net: dict[OptionSide, int] = {}
    for contract, ratio in combo.signed:
        if contract.right is not None:
            side = (*group_of(contract), contract.right)
            net[side] = net.get(side, 0) + ratio
    return net


def _group(combo: Combo) -> Group:
    group = group_of(combo.legs[0].contract)
    for contract, _ in combo.signed:
        if group_of(contract) != group:
            raise ValueError("the legs of a combo settle on different values")
    return group


def _group_loss(
    stakes: Sequence[Stake], orders: Sequence[Stake], odd: Sequence[tuple[Contract, int]]
) -> float:
    if _slope(stakes, orders, odd) > 0:
        return inf
    held: Claims = {}
    paid = 0.0
    for stake in stakes:
        _add_claims(held, stake.combo.signed, stake.quantity)
        paid += _paid_usd(stake)
    _add_claims(held, odd, 1)
    waiting: list[tuple[Stake, Claims]] = [(order, {}) for order in orders]
    corners = {0.0, *held}
    for order, claims in waiting:
        _add_claims(claims, order.combo.signed, order.quantity)
        corners.update(claims)
    ascending = sorted(corners)
    losses = [paid - worth for worth in _worths_usd(held, ascending)]
    for order, claims in waiting:
        price = _paid_usd(order)
        for index, worth in enumerate(_worths_usd(claims, ascending)):
            if price > worth:
                losses[index] += price - worth
    return max(losses)


def _add_claims(claims: Claims, contracts: Iterable[tuple[Contract, int]], units: int) -> None:
    """Options bought minus sold at each strike, netted once instead of valued leg by leg."""
    for contract, count in contracts:
        strike, usd = contract.strike, units * count * contract.multiplier
        puts, above = claims.get(strike, _NO_CLAIM)
        if contract.right is Right.PUT:
            claims[strike] = puts + usd, above
        else:
            # Worth nothing at its strike and a point more with each point above; without an option, from zero
            # on.
            claims[strike] = puts, above + usd


def _worths_usd(claims: Claims, corners: Sequence[float]) -> list[float]:
    """Worth at each of the ascending corners, from zero on: one pass along the piecewise-linear payoff."""
    worth, slope = 0.0, 0
    for strike, (puts, _) in claims.items():
        worth += puts * strike
        slope -= puts
    worths, before = [], 0.0
    for corner in corners:
        worth += slope * (corner - before)
        worths.append(worth)
        claim = claims.get(corner)
        if claim is not None:
            slope += claim[0] + claim[1]
        before = corner
    return worths


def _paid_usd(stake: Stake) -> float:
    return stake.quantity * stake.combo.multiplier * stake.price


def _slope(stakes: Sequence[Stake], orders: Sequence[Stake], odd: Sequence[tuple[Contract, int]]) -> int:
    """USD lost per point above the highest strike, the hurting orders filled."""
    slope = 0
    for stake in stakes:
        slope += stake.quantity * _rise(stake.combo)
    for order in orders:
        slope += max(order.quantity * _rise(order.combo), 0)
    for contract, count in odd:
        if contract.right is not Right.PUT:
            slope -= count * contract.multiplier
    return slope


def _rise(combo: Combo) -> int:
    above = 0
    for contract, ratio in combo.signed:
        if contract.right is not Right.PUT:
            above += ratio
    return -above * combo.multiplier
