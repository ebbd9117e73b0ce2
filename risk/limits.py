"""The limits nothing may exceed, in the shape the checks read them.

A frozen record without hidden numbers: the governed rules file fills it field by field, under the same names
where they stand in its section on risk.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of METHOD 4.6, 7.4 and 11. Fractions are of net asset value."""

    initiation_max_fraction: float
    open_max_loss_fraction: float
    margin_max_fraction: float
    beta_delta_max_fraction: float
    condors_per_expiry_max: int
    open_condors_max: int  # `open_max_count` of the rules' section on condors
    quick_ratio_min: float
    long_option_weight_fraction: float  # of its bid; a bought option may be worth nothing tomorrow
    daily_loss_max_fraction: float
    drawdown_max_fraction: float
    universal_spread_margin_ratio: float  # the broker may ask for 102 % of the worst loss (METHOD 4.3)
    vix_spread_margin_min_usd: float
    nav_age_max_s: float
    option_quote_age_max_s: float
    index_quote_age_max_s: float
    future_quote_age_max_s: float
    orders_per_minute_max: int
    messages_per_second_max: int
    round_trips_per_day_max: int
    collar_ticks: int
    order_quantity_max: int
    vix_futures_max_count: int  # of 1000 USD a point; ten small ones are one
    margin_told_age_max_s: float
    margin_ask_again_s: float
    trading_end_before_close_s: int
    market_data_lines_max: int
