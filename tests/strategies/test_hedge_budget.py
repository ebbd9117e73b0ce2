"""The ledger shares a campaign's money among the layers and keeps the year's cap over campaigns."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.sessions import session_offset
from strategies.hedge_budget import BudgetLedger, Purchase
from tests.strategies.world import budget_rules

RULES = budget_rules()
OPENED = date(2020, 2, 27)
NAV = 1_000_000.0


def campaign() -> BudgetLedger:
    return BudgetLedger().opened(OPENED, NAV)


@pytest.mark.parametrize(("layer", "budget"), [("L1", 3_000.0), ("L2", 3_000.0), ("L3", 1_500.0)])
def test_seventy_five_basis_points_are_split_forty_forty_twenty(layer: str, budget: float) -> None:
    assert campaign().left_usd(layer, OPENED, NAV, RULES) == budget


def test_without_a_campaign_there_is_nothing_to_spend() -> None:
    assert BudgetLedger().left_usd("L1", OPENED, NAV, RULES) == 0.0


def test_a_later_fire_joins_the_open_campaign_at_its_first_value() -> None:
    assert campaign().opened(date(2020, 3, 9), 2 * NAV) == campaign()


def test_a_purchase_grows_with_its_fills_and_never_shrinks() -> None:
    ledger = campaign()
    for spent in (1_000.0, 2_500.0, 1_500.0):
        ledger = ledger.paid(Purchase("a", "L1", OPENED, spent))
    assert ledger.spent_usd("L1") == 2_500.0
    assert ledger.left_usd("L1", OPENED, NAV, RULES) == 500.0
    assert ledger.left_usd("L2", OPENED, NAV, RULES) == 3_000.0


def test_an_older_campaigns_purchases_count_for_the_year_but_not_for_this_campaign() -> None:
    ledger = BudgetLedger(purchases=(Purchase("old", "L1", date(2019, 10, 1), 14_000.0),)).opened(OPENED, NAV)
    assert ledger.spent_usd("L1") == 0.0
    assert ledger.left_usd("L1", OPENED, NAV, RULES) == 1_000.0


def test_the_year_rolls_so_that_new_year_does_not_double_it() -> None:
    ledger = BudgetLedger(purchases=(Purchase("old", "L1", date(2019, 12, 30), 15_000.0),))
    ledger = ledger.opened(date(2020, 1, 3), NAV)
    assert ledger.left_usd("L1", date(2020, 1, 3), NAV, RULES) == 0.0
    assert ledger.left_usd("L1", date(2020, 12, 29), NAV, RULES) == 3_000.0


def test_purchases_older_than_a_year_are_forgotten() -> None:
    ledger = campaign().paid(Purchase("a", "L1", OPENED, 1.0))
    assert ledger.closed(date(2021, 2, 25), False, False, RULES).purchases
    assert not ledger.closed(date(2021, 2, 26), False, False, RULES).purchases


@pytest.mark.parametrize(("sessions", "open_still"), [(125, True), (126, False)])
def test_a_campaign_ends_after_126_sessions_at_the_latest(sessions: int, open_still: bool) -> None:
    ledger = campaign().closed(session_offset(OPENED, sessions), False, False, RULES)
    assert (ledger.campaign is not None) is open_still


@given(st.lists(st.tuples(st.sampled_from(["L1", "L2", "L3"]), st.floats(0, 5_000)), max_size=8))
def test_spending_what_is_left_never_exceeds_campaign_or_year(wishes: list[tuple[str, float]]) -> None:
    ledger = campaign()
    for number, (layer, wish) in enumerate(wishes):
        spent = min(wish, ledger.left_usd(layer, OPENED, NAV, RULES))
        ledger = ledger.paid(Purchase(str(number), layer, OPENED, spent))
    assert ledger.spent_usd("L1") <= 3_000.001
    assert ledger.spent_usd("L3") <= 1_500.001
    assert ledger.year_spent_usd(OPENED) <= 7_500.001
