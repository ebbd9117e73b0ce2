"""The limits nothing may exceed, in the shape the checks read them.

A frozen record without hidden numbers: the governed rules file fills the first part, field by field under the
same names. What the file does not govern stands at the end with the source of its default.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of METHOD 4.6 and 11. Fractions are of net asset value."""

    initiation_max_fraction: float
    open_max_loss_fraction: float
    margin_max_fraction: float
    beta_delta_max_fraction: float
    condors_per_expiry_max: int
    quick_ratio_min: float
    daily_loss_max_fraction: float
    drawdown_max_fraction: float
    option_quote_age_max_s: float
    index_quote_age_max_s: float
    future_quote_age_max_s: float
    orders_per_minute_max: int
    messages_per_second_max: int
    round_trips_per_day_max: int
    collar_ticks: int
    nav_age_max_s: float = 60.0  # an initiation is measured on a net asset value no older than this
    order_quantity_max: int = 500  # a slip of the finger, not a plan: far above any size the budgets allow
