"""The number of VIX futures held and ordered."""

from dataclasses import replace
from datetime import date

from market.contract import Action, Contract, SecurityType, single
from risk.checks import vix_futures
from risk.exposure import Stake
from tests.risk.book import LIMITS, Trade, book, hedge, live, opening

MARCH = Contract(SecurityType.FUTURE, "VIX", "VX", date(2020, 3, 18), multiplier=1000, con_id=71)
APRIL = replace(MARCH, expiry=date(2020, 4, 15), con_id=72)
SMALL = replace(MARCH, trading_class="VXM", multiplier=100, con_id=73)


def buying(quantity: int, contract: Contract = MARCH, action: Action = Action.BUY) -> Trade:
    """An order for futures."""
    return replace(hedge(), combo=single(contract, action), quantity=quantity, structure_id="futures")


def counted(
    trade: Trade, *held: tuple[Contract, int], working: tuple[Trade, ...] = ()
) -> tuple[object, bool]:
    stakes = [Stake(single(contract), count, 15.0, "other") for contract, count in held]
    orders = tuple(live(one) for one in working)
    found = vix_futures(trade, trade.quantity, book(*stakes, working=orders), LIMITS)
    return found.value, found.passed


def test_the_count_may_be_reached_and_not_passed() -> None:
    assert counted(buying(20)) == (20.0, True)
    assert counted(buying(21)) == (21.0, False)
    assert counted(buying(1), (MARCH, 20)) == (21.0, False)


def test_ten_small_futures_are_one() -> None:
    assert counted(buying(200, SMALL)) == (20.0, True)
    assert counted(buying(201, SMALL)) == (20.1, False)


def test_working_orders_count_and_sold_futures_do_not_make_room() -> None:
    rival = replace(buying(15), structure_id="rival")
    assert counted(buying(6), working=(rival,)) == (21.0, False)
    selling = replace(buying(15, MARCH, Action.SELL), structure_id="rival")
    assert counted(buying(20), working=(selling,)) == (20.0, True)
    assert counted(buying(15, APRIL, Action.SELL), (MARCH, 6)) == (21.0, False)


def test_options_at_work_beside_them_are_no_futures() -> None:
    assert counted(buying(20), working=(opening(quantity=30),)) == (20.0, True)


def test_it_is_no_matter_for_options_and_for_closes() -> None:
    assert counted(opening(), (MARCH, 50)) == (None, True)
    closing = replace(buying(30, MARCH, Action.SELL), intent="close")
    assert counted(closing, (MARCH, 50)) == (None, True)
