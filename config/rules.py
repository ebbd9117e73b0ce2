"""The governed rules as types: what is traded, when and how much. No key has a default here, so that the
rules file is the whole truth, and `Rules.rules_hash()` over its canonical form identifies the rules a journal
was made under. The numbers stand in `config/rules.toml`.
"""

from datetime import time
from hashlib import sha256
from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, model_validator

from config.settings import Section

# Monthly VIX expiries are 27 to 36 days apart: a narrower window of days to expiry is empty on some days.
VIX_EXPIRY_GAP_MAX_DAYS = 36
CONDOR_EXPIRY_GAP_MAX_DAYS = 14  # Friday expiries, one of which may fall on a holiday

Fraction = Annotated[float, Field(gt=0, lt=1)]
Delta = Annotated[float, Field(gt=0, lt=1)]
Points = Annotated[float, Field(gt=0, le=10_000)]
Bps = Annotated[float, Field(gt=0, le=1_000)]
StandardDeviations = Annotated[float, Field(gt=0, le=10)]
Sessions = Annotated[int, Field(ge=1, le=5_000)]
Count = Annotated[int, Field(ge=1, le=1_000)]
Days = Annotated[int, Field(ge=0, le=1_000)]
Seconds = Annotated[int, Field(ge=1, le=23_400)]
QuoteAge = Annotated[float, Field(gt=0, le=600)]
Ratio = Annotated[float, Field(gt=0, le=100)]


def _window(min_dte: int, target_dte: int, max_dte: int, gap_days: int, what: str) -> None:
    """Refuse a window of days to expiry that is out of order or can be empty."""
    if not min_dte <= target_dte <= max_dte:
        raise ValueError("min_dte <= target_dte <= max_dte must hold")
    if max_dte - min_dte + 1 < gap_days:
        raise ValueError(
            f"a window of {max_dte - min_dte + 1} days to expiry is empty on some days: {what} are up to "
            f"{gap_days} days apart; widen min_dte..max_dte to at least {gap_days} days"
        )


class EntryWalk(Section):
    """How a limit walks from patient to final: shares of the half spread beyond the mid, and for how long."""

    entry_patient_spread_fraction: Annotated[float, Field(ge=0, le=1)]
    entry_final_spread_fraction: Annotated[float, Field(ge=0, le=1)]
    entry_walk_s: Seconds

    @model_validator(mode="after")
    def _walks_outward(self) -> Self:
        if self.entry_patient_spread_fraction > self.entry_final_spread_fraction:
            raise ValueError("entry_patient_spread_fraction must not exceed entry_final_spread_fraction")
        return self


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
        _window(self.min_dte, self.target_dte, self.max_dte, VIX_EXPIRY_GAP_MAX_DAYS, "monthly VIX expiries")
        if self.exit.exit_dte >= self.min_dte:
            raise ValueError(
                "exit.exit_dte must be below min_dte, or a tranche is sold on the day it is bought"
            )
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

    @model_validator(mode="after")
    def _rearms_apart_from_firing(self) -> Self:
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
    lag_min_sessions: Sessions
    lag_max_sessions: Sessions
    divergence_definition: Literal["resid", "gap", "sign"]
    divergence_change_months: Count
    divergence_window_months: Count
    divergence_above_sd: StandardDeviations
    open_sessions: Sessions

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.macd_fast_sessions >= self.macd_slow_sessions:
            raise ValueError("macd_fast_sessions must be below macd_slow_sessions")
        if self.lag_min_sessions > self.lag_max_sessions:
            raise ValueError("lag_min_sessions must not exceed lag_max_sessions")
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

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.rearm_z_below_sd >= self.z_above_sd:
            raise ValueError("rearm_z_below_sd must be below z_above_sd")
        if self.warmup_sessions > self.window_sessions:
            raise ValueError("warmup_sessions must not exceed window_sessions")
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


class CondorExit(Section):
    """When a condor is closed."""

    profit_of_credit_fraction: Fraction
    exit_dte: Days
    stop_credit_ratio: Ratio
    stop_of_max_loss_fraction: Fraction
    stop_confirm_s: Seconds
    buy_back_pts: Points
    tested_delta: Delta
    delta_close: bool
    delta_close_delta: Delta

    @model_validator(mode="after")
    def _tested_before_closed(self) -> Self:
        if self.tested_delta >= self.delta_close_delta:
            raise ValueError("tested_delta must be below delta_close_delta, or nothing is ever rolled")
        return self


class CondorAdjust(Section):
    """What is done with a condor that is tested."""

    roll_untested: bool
    roll_credit_min_fraction: Fraction
    roll_retry_s: Annotated[float, Field(ge=0, le=86_400)]
    break_even_alert_sd: Annotated[float, Field(ge=0, le=10)]


class CondorRules(EntryWalk):
    """Which SPX iron condor is sold, and when. Widths are points of the index, whatever the underlying."""

    underlying: Literal["SPX", "XSP"]
    min_dte: Days
    max_dte: Days
    target_dte: Days
    short_delta: Annotated[float, Field(gt=0, lt=0.5)]
    wing_min_pts: Points
    wing_step_pts: Points
    wing_of_spot_fraction: Fraction
    credit_min_of_width_fraction: Fraction
    credit_max_of_width_fraction: Fraction
    open_max_count: Count
    entries_per_week_max: Count
    entry_start_time: time
    entry_end_time: time
    parity_refresh_s: Seconds
    exit: CondorExit
    adjust: CondorAdjust

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _window(
            self.min_dte, self.target_dte, self.max_dte, CONDOR_EXPIRY_GAP_MAX_DAYS, "Friday SPXW expiries"
        )
        if self.exit.exit_dte >= self.min_dte:
            raise ValueError(
                "exit.exit_dte must be below min_dte, or a condor is closed on the day it is opened"
            )
        if self.credit_min_of_width_fraction >= self.credit_max_of_width_fraction:
            raise ValueError("credit_min_of_width_fraction must be below credit_max_of_width_fraction")
        if not time(9, 30) <= self.entry_start_time < self.entry_end_time <= time(16, 0):
            raise ValueError("entry_start_time must be before entry_end_time, both within 09:30 to 16:00")
        return self


class RiskRules(Section):
    """What nothing may exceed, whatever a strategy proposes."""

    initiation_max_fraction: Annotated[float, Field(gt=0, le=0.012)]
    open_max_loss_fraction: Fraction
    margin_max_fraction: Fraction
    beta_delta_max_fraction: Fraction
    condors_per_expiry_max: Count
    quick_ratio_min: Ratio
    daily_loss_max_fraction: Fraction
    drawdown_max_fraction: Fraction
    nav_age_max_s: QuoteAge
    option_quote_age_max_s: QuoteAge
    index_quote_age_max_s: QuoteAge
    future_quote_age_max_s: QuoteAge
    orders_per_minute_max: Count
    messages_per_second_max: Annotated[int, Field(ge=1, le=45)]  # the gateway cuts the line at 50
    round_trips_per_day_max: Count
    collar_ticks: Count
    order_quantity_max: Count
    vix_futures_max_count: Count
    margin_told_age_max_s: Annotated[float, Field(gt=0, le=300)]
    margin_ask_again_s: Annotated[float, Field(ge=60)]  # the broker does not want to be asked often
    market_data_lines_max: Count

    @model_validator(mode="after")
    def _one_order_fits(self) -> Self:
        if self.initiation_max_fraction > self.open_max_loss_fraction:
            raise ValueError("initiation_max_fraction must not exceed open_max_loss_fraction")
        return self


class Window(Section):
    """A window around a release: from `start_time` that many sessions before to `end_time` on the day."""

    sessions_before: Annotated[int, Field(ge=0, le=5)]
    start_time: time
    end_time: time

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.sessions_before == 0 and self.start_time >= self.end_time:
            raise ValueError("start_time must be before end_time when sessions_before is 0")
        return self


class BlackoutRules(Section):
    """Windows in which nothing is opened or adjusted."""

    fomc: Window
    cpi: Window


class Rules(Section):
    """The governed rules. Two files with the same values in another order or spelling are the same rules."""

    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    l1: L1Rules
    l2: L2Rules
    l3: L3Rules
    hedge: HedgeSection
    budget: BudgetRules
    condor: CondorRules
    risk: RiskRules
    blackout: BlackoutRules

    def canonical(self) -> bytes:
        """The rules as JSON with sorted keys and no spaces: the bytes that are hashed."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)

    def rules_hash(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return sha256(self.canonical()).hexdigest()
