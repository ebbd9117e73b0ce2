"""What a number of the governed rules can be: its kind and its bounds, and the shapes that sections share."""

from datetime import time
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from config.settings import Section

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
Signed = Annotated[float, Field(gt=-1, lt=1)]
BeforeClose = Annotated[int, Field(ge=60, le=10_800)]  # seconds; half days last three and a half hours


def _in_the_morning(value: time) -> time:
    if not time(9, 30) <= value <= time(10, 0):
        raise ValueError("must be within 09:30 to 10:00, so that half days have it too")
    return value


MorningTime = Annotated[time, AfterValidator(_in_the_morning)]


def counts_among(gaps_max_count: int, gap_window_sessions: int) -> None:
    """Refuse a number of gaps that its window can never exceed."""
    if gaps_max_count >= gap_window_sessions:
        raise ValueError("gaps_max_count must be below gap_window_sessions, or no gap ever restarts a count")


def expiry_window(min_dte: int, target_dte: int, max_dte: int, gap_days: int, what: str) -> None:
    """Refuse a window of days to expiry that is out of order or can be empty."""
    if not min_dte <= target_dte <= max_dte:
        raise ValueError("min_dte <= target_dte <= max_dte must hold")
    if max_dte - min_dte + 1 < gap_days:
        raise ValueError(
            f"a window of {max_dte - min_dte + 1} days to expiry is empty on some days: {what} are up to "
            f"{gap_days} days apart; widen min_dte..max_dte to at least {gap_days} days"
        )


def exit_after_entry(exit_dte: int, min_dte: int, otherwise: str) -> None:
    """Refuse a time exit that is due already on the day of an entry."""
    if exit_dte >= min_dte:
        raise ValueError(f"exit.exit_dte must be below min_dte, or {otherwise}")


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
