"""The governed rules in the shape the strategies and the risk limits read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, TypeVar

from bot.codec import restore
from market.releases import ReleaseDays
from risk.limits import RiskLimits
from strategies import iron_condor
from strategies.release_windows import ReleaseWindow
from strategies.rules import (
    CondorRules,
    HedgeBudgetRules,
    MidTermRules,
    NearTermRules,
    ReserveRules,
    SignalRules,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parameters:
    """All numbers the engine acts on, from the rules and the calendar recorded in `Opened`."""

    signals: SignalRules
    near_term: NearTermRules
    budget: HedgeBudgetRules
    condor: CondorRules
    limits: RiskLimits
    windows: Mapping[str, ReleaseWindow]
    calendar: Mapping[str, ReleaseDays]

    def dwell(self, strategy: str) -> timedelta:
        """How long an opening limit stands before its next step: a fifth of the walk."""
        rules = self.condor if strategy == iron_condor.STRATEGY else self.near_term
        return timedelta(seconds=rules.entry_walk_s / 5)


def parameters(
    rules: Mapping[str, Any], calendar: Mapping[str, Mapping[str, Sequence[str]]] | None = None
) -> Parameters:
    """Read the sections of a rules file, as `config.rules.Rules` dumps them, and the days of releases.

    `calendar` is by release and year, days as "MM-DD". Raises KeyError or ValueError when a number is
    missing: rules have no defaults.
    """
    near_term = _section(NearTermRules, rules["l1"])
    return Parameters(
        signals=SignalRules(
            near_term=near_term,
            mid_term=_section(MidTermRules, rules["l2"]),
            reserve=_section(ReserveRules, rules["l3"]),
            front="rolled",
            spread="capital",
            distribution="last_four",
        ),
        near_term=near_term,
        budget=_section(HedgeBudgetRules, rules["budget"]),
        condor=_section(CondorRules, rules["condor"]),
        limits=_section(RiskLimits, {**rules["risk"], "open_condors_max": rules["condor"]["open_max_count"]}),
        windows={name: _section(ReleaseWindow, window) for name, window in rules["blackout"].items()},
        calendar={name: _days(years) for name, years in (calendar or {}).items()},
    )


def _days(years: Mapping[str, Sequence[str]]) -> ReleaseDays:
    days = sorted(date.fromisoformat(f"{year}-{day}") for year, listed in years.items() for day in listed)
    return ReleaseDays(frozenset(map(int, years)), tuple(days))


def _section(kind: type[T], section: Mapping[str, Any]) -> T:
    """Sections may hold keys of later layers; what a reader knows must be there in full."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    return restore(kind, {name: value for name, value in section.items() if name in known})
