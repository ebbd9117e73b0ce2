"""The strictest cause wins, a first detail stays, and only a loss leaves the hedges alone."""

import pytest

from risk.state import HALTING, HEDGING_ALLOWED, Cause, RiskState, TradingState

REDUCING = [cause for cause in Cause if cause not in HALTING]


def test_a_wrong_account_and_a_word_of_the_operator_halt() -> None:
    assert {Cause.ACCOUNT, Cause.OPERATOR} <= HALTING
    assert not HALTING & {Cause.LOSS, Cause.DRAWDOWN, Cause.DATA, Cause.MISMATCH, Cause.UNKNOWN_ORDER}


def test_without_a_cause_trading_is_active_and_hedges_are_free() -> None:
    assert RiskState().trading is TradingState.ACTIVE
    assert RiskState().hedges_allowed


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_reduces_and_a_few_halt_whatever_else_is_the_matter(cause: Cause) -> None:
    alone = RiskState().with_cause(cause, "seen")
    expected = TradingState.HALTED if cause in HALTING else TradingState.REDUCING
    assert alone.trading is expected
    assert alone.with_cause(Cause.OPERATOR, "a trader").trading is TradingState.HALTED
    assert alone.hedges_allowed is (cause in (Cause.LOSS, Cause.DRAWDOWN))


@pytest.mark.parametrize("other", [cause for cause in REDUCING if cause not in HEDGING_ALLOWED])
def test_a_loss_beside_anything_worse_bars_the_hedges_too(other: Cause) -> None:
    both = RiskState().with_cause(Cause.LOSS, "2 %").with_cause(other, "seen")
    assert both.trading is TradingState.REDUCING
    assert not both.hedges_allowed
    assert both.without(other).hedges_allowed


def test_the_first_detail_of_a_cause_stays_and_causes_stand_in_one_order() -> None:
    one = RiskState().with_cause(Cause.MISMATCH, "first").with_cause(Cause.DATA, "seen")
    assert one.causes == ((Cause.DATA, "seen"), (Cause.MISMATCH, "first"))
    again = one.with_cause(Cause.MISMATCH, "second")
    assert again is one
    assert one.without(Cause.MISMATCH).causes == ((Cause.DATA, "seen"),)
    assert one.without(Cause.LOSS) == one
    lifted = one.without(Cause.MISMATCH).without(Cause.DATA)
    assert lifted == RiskState()
    assert lifted.trading is TradingState.ACTIVE
