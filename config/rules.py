"""The governed rules as types: what is traded, when and how much. No key has a default here, so that the
rules file is the whole truth, and `Rules.rules_hash()` over its canonical form identifies the rules a journal
was made under. The numbers stand in `config/rules.toml`.
"""

from datetime import time
from hashlib import sha256
from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, model_validator

from config.hedge_rules import BudgetRules, HedgeSection, L1Rules, L2Rules, L3Rules, RegimeRules
from config.rule_kinds import (
    BeforeClose,
    Count,
    Days,
    Delta,
    EntryWalk,
    Fraction,
    MorningTime,
    Points,
    QuoteAge,
    Ratio,
    Seconds,
    exit_after_entry,
    expiry_window,
)
from config.settings import Section

CONDOR_EXPIRY_GAP_MAX_DAYS = 14  # Friday expiries, one of which may fall on a holiday


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
    targets_start_time: MorningTime

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
    break_even_today_alert_sd: Annotated[float, Field(ge=-10, le=10)]
    time_shift: Literal["off", "tested", "loss"]
    time_shift_credit_min_pts: Annotated[float, Field(ge=0, le=1_000)]


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
    entry_end_before_close_s: BeforeClose
    preparation_s: Seconds
    parity_refresh_s: Seconds
    box_over_fed_funds_min_bps: Annotated[float, Field(ge=-1_000, le=0)]
    box_over_fed_funds_max_bps: Annotated[float, Field(gt=0, le=1_000)]
    parity_start_time: MorningTime
    exit: CondorExit
    adjust: CondorAdjust

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        expiry_window(
            self.min_dte, self.target_dte, self.max_dte, CONDOR_EXPIRY_GAP_MAX_DAYS, "Friday SPXW expiries"
        )
        exit_after_entry(self.exit.exit_dte, self.min_dte, "a condor is closed on the day it is opened")
        if self.credit_min_of_width_fraction >= self.credit_max_of_width_fraction:
            raise ValueError("credit_min_of_width_fraction must be below credit_max_of_width_fraction")
        if not time(9, 30) <= self.entry_start_time < self.entry_end_time <= time(16, 0):
            raise ValueError("entry_start_time must be before entry_end_time, both within 09:30 to 16:00")
        return self


class ExecutionRules(Section):
    """How the limit of any order walks."""

    walk_steps: Annotated[int, Field(ge=1, le=100)]
    closing_dwell_s: Seconds
    rejected_retry_s: Seconds
    rejected_retry_max_s: Seconds

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if self.rejected_retry_max_s < self.rejected_retry_s:
            raise ValueError("rejected_retry_max_s must not be below rejected_retry_s")
        return self


class RiskRules(Section):
    """What nothing may exceed, whatever a strategy proposes."""

    initiation_max_fraction: Annotated[float, Field(gt=0, le=0.012)]
    open_max_loss_fraction: Fraction
    margin_max_fraction: Fraction
    beta_delta_max_fraction: Fraction
    condors_per_expiry_max: Count
    quick_ratio_min: Ratio
    long_option_weight_fraction: Annotated[float, Field(ge=0, le=1)]
    universal_spread_margin_ratio: Annotated[float, Field(ge=1, le=10)]
    vix_spread_margin_min_usd: Annotated[float, Field(ge=0, le=100_000)]
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
    trading_end_before_close_s: BeforeClose
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
    regime: RegimeRules
    hedge: HedgeSection
    budget: BudgetRules
    condor: CondorRules
    execution: ExecutionRules
    risk: RiskRules
    blackout: BlackoutRules

    def canonical(self) -> bytes:
        """The rules as JSON with sorted keys and no spaces: the bytes that are hashed."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)

    def rules_hash(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal."""
        return sha256(self.canonical()).hexdigest()
