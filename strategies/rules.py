"""The operator's numbers in the shape the strategies read them.

Plain frozen records without defaults: the governed rules file is the only place where a number stands. Field
names are those of its sections, so that the composition root builds a record from a section by keyword.
"""

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrancheExit:
    """When a tranche is sold, in the same words for every layer; 0 leaves a condition out.

    The tranche is cut into `parts`; at each of the `gain_fractions` one more of them is sold. A gain is
    measured on the `premium` paid (a future's on its stress loss), or on the `future` that settles with the
    option. `front_future_above_pts` and `give_back_fraction` (of the highest value so far) sell what the
    targets have left. At `exit_dte` what is left is rolled, at most `rolls_max` times and only while the
    layer's signal still holds, else sold.
    """

    parts: int
    gain_fractions: tuple[float, ...]
    measure: Literal["premium", "future"]
    contango_sessions: int
    sessions_max: int
    front_future_above_pts: float
    give_back_fraction: float
    exit_dte: int
    rolls_max: int


@dataclass(frozen=True, slots=True)
class TrancheRules:
    """What a layer buys: instrument, window of days, strikes and exits.

    A call spread's short strike is the first at least `width_min_pts` above the long one and not nearer than
    `short_delta` (0: the width alone). `fallback` is bought instead where options are too dear to trade.
    """

    instrument: Literal["call_spread", "call", "vx", "vxm"]
    fallback: Literal["none", "vxx", "uvxy"]
    min_dte: int
    max_dte: int
    target_dte: int
    long_delta: float
    width_min_pts: float
    short_delta: float
    exit: TrancheExit


@dataclass(frozen=True, slots=True)
class HedgeRules:
    """What all layers share: monetisation, the walk of an entry, and the sizing of what is no option.

    `hold_exit_dte` and `trail_give_back_fraction` belong to the monetisations of those names. A future's
    loss is counted as `future_stress_fraction` of its price and it is sold `future_stop_fraction` below its
    entry.
    """

    l1: TrancheRules
    l2: TrancheRules
    l3: TrancheRules
    monetisation: Literal["ladder", "hold", "trail"]
    hold_exit_dte: int
    trail_give_back_fraction: float
    entry_patient_spread_fraction: float
    entry_final_spread_fraction: float
    entry_walk_s: int
    blackout_override_backwardation_fraction: float
    fallback_spread_above_fraction: float
    fallback_open_interest_below_count: int
    forward_gap_max_pts: float
    trade_start_time: time
    buy_end_before_close_s: int
    future_stress_fraction: float
    future_stop_fraction: float
    shares_sessions_max: int

    @property
    def trade_before_close(self) -> timedelta:
        """How long before the close the last purchase may begin."""
        return timedelta(seconds=self.buy_end_before_close_s)

    @property
    def future_stake_fraction(self) -> float:
        """What a future may lose, of its price: the greater of the stress and the way to the stop."""
        return max(self.future_stress_fraction, self.future_stop_fraction)

    def of(self, layer: str) -> TrancheRules:
        """The rules of `L1`, `L2` or `L3`."""
        return {"L1": self.l1, "L2": self.l2, "L3": self.l3}[layer]


@dataclass(frozen=True, slots=True)
class NearTermRules:
    """The near-term layer's (L1) trigger: breadth, the front of the VIX curve, and when it arms again."""

    mode: Literal["episode", "strict_cross"]
    rsi_sessions: int
    rsi_below_pts: float
    backwardation_definition: Literal["vx1_vx2", "b_spot"]
    backwardation_above_fraction: float
    rearm_rsi_min_pts: float
    rearm_backwardation_below_fraction: float
    rearm_sessions: int
    warmup_sessions: int
    gap_window_sessions: int
    gaps_max_count: int


@dataclass(frozen=True, slots=True)
class MidTermRules:
    """The mid-term layer's (L2) trigger: VVIX histogram, lag behind the first layer, dollar and prices.

    `divergence_definition` "none" leaves the macro condition out; it is a comparison, never a profile.
    """

    mode: Literal["confirm", "after_l1", "unlagged"]
    macd_fast_sessions: int
    macd_slow_sessions: int
    macd_signal_sessions: int
    histogram_min_pts: float
    warmup_sessions: int
    gap_window_sessions: int
    gaps_max_count: int
    flip_spacing_sessions: int
    lag_min_sessions: int
    lag_max_sessions: int
    divergence_definition: Literal["resid", "gap", "sign", "none"]
    divergence_change_months: int
    divergence_window_months: int
    divergence_above_sd: float
    divergence_age_max_days: int
    divergence_gap_months_min: int
    open_sessions: int


@dataclass(frozen=True, slots=True)
class ReserveRules:
    """The reserve layer's (L3) trigger: the cost of capital implied by REIT prices, against its history."""

    z_above_sd: float
    rearm_z_below_sd: float
    rearm_sessions: int
    growth_fraction: float
    debt_weight_fraction: float
    window_sessions: int
    warmup_sessions: int
    confirm_sessions: int
    equity_premium_fraction: float
    beta_weeks: int
    capm_gap_warn_fraction: float
    yield_age_max_sessions: int


@dataclass(frozen=True, slots=True)
class RegimeRules:
    """What labels the VIX futures curve by b = VX1 / VX2 - 1 and the index, and when a label is left."""

    stress_above_fraction: float
    stress_left_below_fraction: float
    crisis_above_fraction: float
    crisis_left_below_fraction: float
    curve_exit_sessions: int
    calm_contango_min_fraction: float
    calm_vix_below_pts: float
    calm_exit_sessions: int
    echo_sessions: int


@dataclass(frozen=True, slots=True)
class SignalRules:
    """All three triggers and the regime, and the readings of the source that are not numbers.

    `front` is the pair of futures whose first stands for the front of the curve: `rolled` away on the Friday
    before a settlement, or the `nearest` one up to the day before it. `spread` is what the reserve layer
    measures: the cost of `capital` over the 10-year yield, or the dividend model's cost of equity over the
    capital asset pricing model's (`ddm_gap`). `distribution` is the yearly one: the sum of the `last_four`,
    or four times the median of the last eight (`median_eight`).
    """

    near_term: NearTermRules
    mid_term: MidTermRules
    reserve: ReserveRules
    regime: RegimeRules
    front: Literal["rolled", "nearest"]
    spread: Literal["capital", "ddm_gap"]
    distribution: Literal["last_four", "median_eight"]


@dataclass(frozen=True, slots=True)
class HedgeBudgetRules:
    """What the hedge may cost in a campaign and in a year, and how the layers share it."""

    l1_fraction: float
    l2_fraction: float
    l3_fraction: float
    campaign_bps: float
    year_bps: float
    campaign_sessions_max: int


@dataclass(frozen=True, slots=True)
class ExecutionRules:
    """How the limit of any order walks from its first price to the worst one its decision allows.

    `rejected_retry_s` is how long a structure waits after the broker refused its order, twice as long after
    each further refusal, up to `rejected_retry_max_s`.
    """

    walk_steps: int
    closing_dwell_s: int
    rejected_retry_s: int
    rejected_retry_max_s: int


@dataclass(frozen=True, slots=True)
class CondorExit:
    """When a condor is closed, or one of its spreads bought back; a short is tested at `tested_delta`."""

    profit_of_credit_fraction: float
    exit_dte: int
    stop_credit_ratio: float
    stop_of_max_loss_fraction: float
    stop_confirm_s: int
    buy_back_pts: float
    tested_delta: float
    delta_close: bool
    delta_close_delta: float
    targets_start_time: time


@dataclass(frozen=True, slots=True)
class CondorAdjust:
    """What is done with a condor that is tested, and when its break-evens call for attention.

    `time_shift` is which time exits are followed by a reopening at a later expiry.
    """

    roll_untested: bool
    roll_credit_min_fraction: float
    roll_retry_s: float
    break_even_alert_sd: float
    break_even_today_alert_sd: float
    time_shift: Literal["off", "tested", "loss"]
    time_shift_credit_min_pts: float


@dataclass(frozen=True, slots=True)
class CondorRules:
    """Which SPX iron condor is sold, when, and when it is closed. Widths are points of the index."""

    underlying: Literal["SPX", "XSP"]
    min_dte: int
    max_dte: int
    target_dte: int
    short_delta: float
    wing_min_pts: float
    wing_step_pts: float
    wing_of_spot_fraction: float
    credit_min_of_width_fraction: float
    credit_max_of_width_fraction: float
    open_max_count: int
    entries_per_week_max: int
    entry_start_time: time
    entry_end_time: time
    entry_end_before_close_s: int
    preparation_s: int
    entry_patient_spread_fraction: float
    entry_final_spread_fraction: float
    entry_walk_s: int
    parity_refresh_s: int
    box_over_fed_funds_min_bps: float
    box_over_fed_funds_max_bps: float
    parity_start_time: time
    exit: CondorExit
    adjust: CondorAdjust
