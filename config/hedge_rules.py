"""The governed rules of the hedge as types: triggers and tranches of its layers, regimes and budget.

What they mean stands beside the numbers in `config/rules.toml`; no key has a default here.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.rule_kinds import (
    BeforeClose,
    Bps,
    Count,
    Days,
    Delta,
    EntryWalk,
    Fraction,
    MorningTime,
    Points,
    Sessions,
    Signed,
    StandardDeviations,
    counts_among,
    exit_after_entry,
    expiry_window,
)
from config.settings import Section
from strategies.macro import MONTHS_KEPT

# Monthly VIX expiries are 27 to 36 days apart: a narrower window of days to expiry is empty on some days.
VIX_EXPIRY_GAP_MAX_DAYS = 36


class TrancheExitRules(Section):
    """How a tranche is sold, in the same words for every layer; 0 leaves a condition out."""

    parts: Annotated[int, Field(ge=1, le=10)]
    gain_fractions: Annotated[
        tuple[Annotated[float, Field(gt=0, le=20)], ...], Field(strict=False, max_length=3)
    ]
    measure: Literal["premium", "future"]
    contango_sessions: Annotated[int, Field(ge=0, le=252)]
    sessions_max: Annotated[int, Field(ge=0, le=252)]
    front_future_above_pts: Annotated[float, Field(ge=0, le=200)]
    give_back_fraction: Annotated[float, Field(ge=0, lt=1)]
    exit_dte: Days
    rolls_max: Annotated[int, Field(ge=0, le=24)]

    @model_validator(mode="after")
    def _targets_rise(self) -> Self:
        if not self.gain_fractions or list(self.gain_fractions) != sorted(set(self.gain_fractions)):
            raise ValueError("gain_fractions must rise, and there must be one")
        if len(self.gain_fractions) > self.parts:
            raise ValueError("gain_fractions must not be more than parts: each sells one of them")
        return self


class TrancheSection(Section):
    """Which VIX expiry and strikes a layer buys, or what else, and how it sells."""

    instrument: Literal["call_spread", "call", "vx", "vxm"]
    fallback: Literal["none", "vxx", "uvxy"]
    min_dte: Days
    max_dte: Days
    target_dte: Days
    long_delta: Delta
    width_min_pts: Annotated[float, Field(ge=0, le=200)]
    short_delta: Annotated[float, Field(ge=0, lt=1)]
    exit: TrancheExitRules

    @model_validator(mode="after")
    def _can_be_bought_and_held(self) -> Self:
        expiry_window(
            self.min_dte, self.target_dte, self.max_dte, VIX_EXPIRY_GAP_MAX_DAYS, "monthly VIX expiries"
        )
        exit_after_entry(self.exit.exit_dte, self.min_dte, "a tranche is sold on the day it is bought")
        if self.instrument == "call_spread" and self.width_min_pts == 0.0 and self.short_delta == 0.0:
            raise ValueError("a call_spread needs width_min_pts or short_delta")
        if self.short_delta >= self.long_delta:
            raise ValueError("short_delta must be below long_delta")
        return self


class HedgeSection(EntryWalk):
    """What all hedge layers share."""

    monetisation: Literal["ladder", "hold", "trail"]
    hold_exit_dte: Days
    trail_give_back_fraction: Fraction
    blackout_override_backwardation_fraction: Fraction
    fallback_spread_above_fraction: Fraction
    fallback_open_interest_below_count: Annotated[int, Field(ge=0, le=10_000_000)]
    forward_gap_max_pts: Points
    trade_start_time: MorningTime
    buy_end_before_close_s: BeforeClose
    future_stress_fraction: Fraction
    future_stop_fraction: Fraction
    shares_sessions_max: Sessions


class L1Rules(TrancheSection):
    """The near-term layer: breadth exhausted while the front of the VIX curve is inverted."""

    mode: Literal["episode", "strict_cross"]
    rsi_sessions: Sessions
    rsi_below_pts: Annotated[float, Field(gt=0, lt=100)]
    backwardation_definition: Literal["vx1_vx2", "b_spot"]
    backwardation_above_fraction: Fraction
    rearm_rsi_min_pts: Annotated[float, Field(gt=0, lt=100)]
    rearm_backwardation_below_fraction: Fraction
    rearm_sessions: Sessions
    warmup_sessions: Sessions
    gap_window_sessions: Sessions
    gaps_max_count: Count

    @model_validator(mode="after")
    def _rearms_apart_from_firing(self) -> Self:
        counts_among(self.gaps_max_count, self.gap_window_sessions)
        if self.rearm_rsi_min_pts <= self.rsi_below_pts:
            raise ValueError(
                "rearm_rsi_min_pts must be above rsi_below_pts, or the layer fires again at once"
            )
        if self.rearm_backwardation_below_fraction > self.backwardation_above_fraction:
            raise ValueError(
                "rearm_backwardation_below_fraction must not exceed backwardation_above_fraction"
            )
        return self


class L2Rules(TrancheSection):
    """The mid-term layer: confirmed by the volatility of volatility after the first layer's signal."""

    mode: Literal["confirm", "after_l1", "unlagged"]
    macd_fast_sessions: Sessions
    macd_slow_sessions: Sessions
    macd_signal_sessions: Sessions
    histogram_min_pts: Points
    warmup_sessions: Sessions
    gap_window_sessions: Sessions
    gaps_max_count: Count
    flip_spacing_sessions: Sessions
    lag_min_sessions: Sessions
    lag_max_sessions: Sessions
    divergence_definition: Literal["resid", "gap", "sign"]
    divergence_change_months: Count
    divergence_window_months: Annotated[int, Field(ge=1, le=MONTHS_KEPT - 1)]
    divergence_above_sd: StandardDeviations
    divergence_age_max_days: Days
    divergence_gap_months_min: Annotated[int, Field(ge=1, le=MONTHS_KEPT)]
    open_sessions: Sessions

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.macd_fast_sessions >= self.macd_slow_sessions:
            raise ValueError("macd_fast_sessions must be below macd_slow_sessions")
        if self.lag_min_sessions > self.lag_max_sessions:
            raise ValueError("lag_min_sessions must not exceed lag_max_sessions")
        counts_among(self.gaps_max_count, self.gap_window_sessions)
        return self


class L3Rules(TrancheSection):
    """The reserve layer: the cost of capital implied by REIT prices, wide against its own history."""

    z_above_sd: StandardDeviations
    rearm_z_below_sd: StandardDeviations
    rearm_sessions: Sessions
    growth_fraction: Fraction
    debt_weight_fraction: Fraction
    window_sessions: Sessions
    warmup_sessions: Sessions
    confirm_sessions: Sessions
    equity_premium_fraction: Fraction
    beta_weeks: Count
    capm_gap_warn_fraction: Fraction
    yield_age_max_sessions: Sessions

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.rearm_z_below_sd >= self.z_above_sd:
            raise ValueError("rearm_z_below_sd must be below z_above_sd")
        if self.warmup_sessions > self.window_sessions:
            raise ValueError("warmup_sessions must not exceed window_sessions")
        return self


class RegimeRules(Section):
    """Labels of the VIX futures curve, and how slowly they are left."""

    stress_above_fraction: Signed
    stress_left_below_fraction: Signed
    crisis_above_fraction: Signed
    crisis_left_below_fraction: Signed
    curve_exit_sessions: Sessions
    calm_contango_min_fraction: Fraction
    calm_vix_below_pts: Points
    calm_exit_sessions: Sessions
    echo_sessions: Sessions

    @model_validator(mode="after")
    def _left_apart_from_entered(self) -> Self:
        if self.stress_above_fraction >= self.crisis_above_fraction:
            raise ValueError("stress_above_fraction must be below crisis_above_fraction")
        if self.stress_left_below_fraction > self.stress_above_fraction:
            raise ValueError("stress_left_below_fraction must not exceed stress_above_fraction")
        if self.crisis_left_below_fraction > self.crisis_above_fraction:
            raise ValueError("crisis_left_below_fraction must not exceed crisis_above_fraction")
        return self


class BudgetRules(Section):
    """What the hedge may cost, and how it is split between the layers."""

    l1_fraction: Fraction
    l2_fraction: Fraction
    l3_fraction: Fraction
    campaign_bps: Bps
    year_bps: Bps
    campaign_sessions_max: Sessions

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = self.l1_fraction + self.l2_fraction + self.l3_fraction
        if abs(total - 1) > 1e-9:
            raise ValueError(f"l1_fraction, l2_fraction and l3_fraction must add up to 1, not to {total:.6g}")
        if self.campaign_bps > self.year_bps:
            raise ValueError("campaign_bps must not exceed year_bps")
        return self
