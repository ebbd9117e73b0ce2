"""Rules of the slow triggers for the tests, as the governed file has them."""

from typing import Any

from strategies.rules import MidTermRules, RegimeRules, ReserveRules, SignalRules
from tests.strategies.world import known_keys, near_term_rules


def mid_term_rules(**changes: Any) -> MidTermRules:
    """The mid-term layer's trigger as shipped."""
    return MidTermRules(**{**known_keys(MidTermRules, "l2"), **changes})


def reserve_rules(**changes: Any) -> ReserveRules:
    """The reserve layer's trigger as shipped."""
    return ReserveRules(**{**known_keys(ReserveRules, "l3"), **changes})


def regime_rules(**changes: Any) -> RegimeRules:
    """The labels of the curve as shipped."""
    return RegimeRules(**{**known_keys(RegimeRules, "regime"), **changes})


def signal_rules() -> SignalRules:
    """All three triggers as the pack `seed` has them."""
    return SignalRules(
        near_term_rules(),
        mid_term_rules(),
        reserve_rules(),
        regime_rules(),
        "rolled",
        "capital",
        "last_four",
    )
