"""Rules of the slow triggers for the tests, as the governed file has them."""

from dataclasses import replace
from typing import Any

from strategies.rules import MidTermRules, ReserveRules, SignalRules
from tests.strategies.world import near_term_rules


def mid_term_rules(**changes: Any) -> MidTermRules:
    """The mid-term layer's defaults."""
    defaults = MidTermRules(
        mode="confirm",
        macd_fast_sessions=12,
        macd_slow_sessions=26,
        macd_signal_sessions=9,
        histogram_min_pts=0.10,
        warmup_sessions=250,
        lag_min_sessions=1,
        lag_max_sessions=21,
        divergence_definition="resid",
        divergence_change_months=3,
        divergence_window_months=60,
        divergence_above_sd=1.0,
        open_sessions=45,
    )
    return replace(defaults, **changes)


def reserve_rules(**changes: Any) -> ReserveRules:
    """The reserve layer's defaults."""
    defaults = ReserveRules(
        z_above_sd=1.5,
        rearm_z_below_sd=1.0,
        rearm_sessions=126,
        growth_fraction=0.02,
        debt_weight_fraction=0.35,
        window_sessions=1260,
        warmup_sessions=504,
        confirm_sessions=2,
    )
    return replace(defaults, **changes)


def signal_rules() -> SignalRules:
    """All three triggers as the pack `seed` has them."""
    return SignalRules(near_term_rules(), mid_term_rules(), reserve_rules(), "rolled", "capital", "last_four")
