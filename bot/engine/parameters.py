"""The governed rules in the shape the strategies and the risk limits read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, TypeVar

from bot.journal.codec import restore
from market.releases import ReleaseDays
from risk.limits import RiskLimits
from strategies import iron_condor
from strategies.release_windows import ReleaseWindow
from strategies.rules import (
    CondorRules,
    ExecutionRules,
    HedgeBudgetRules,
    HedgeRules,
    MidTermRules,
    NearTermRules,
    RegimeRules,
    ReserveRules,
    SignalRules,
    TrancheRules,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Walk:
    """How limits walk: in so many steps, each of which stands that long."""

    steps: int
    closing: timedelta
    opening: Callable[[str], timedelta]  # by strategy


@dataclass(frozen=True, slots=True)
class Parameters:
    """All numbers the engine acts on, from the rules and the calendar recorded in `Opened`."""

    signals: SignalRules
    hedge: HedgeRules
    budget: HedgeBudgetRules
    condor: CondorRules
    execution: ExecutionRules
    limits: RiskLimits
    windows: Mapping[str, ReleaseWindow]
    calendar: Mapping[str, ReleaseDays]

    @property
    def walk(self) -> Walk:
        """How the limits of all orders walk."""
        closing = timedelta(seconds=self.execution.closing_dwell_s)
        return Walk(self.execution.walk_steps, closing, self._opening_dwell)

    def _opening_dwell(self, strategy: str) -> timedelta:
        """How long an opening limit stands before its next step: an equal part of its walk."""
        rules = self.condor if strategy == iron_condor.STRATEGY else self.hedge
        return timedelta(seconds=rules.entry_walk_s / self.execution.walk_steps)


def parameters(
    rules: Mapping[str, Any], calendar: Mapping[str, Mapping[str, Sequence[str]]] | None = None
) -> Parameters:
    """Read the sections of a rules file, as `config.rules.Rules` dumps them, and the days of releases.

    `calendar` is by release and year, days as "MM-DD". Raises KeyError or ValueError when a number is
    missing: rules have no defaults.
    """
    tranches = {layer: _known(TrancheRules, rules[layer]) for layer in ("l1", "l2", "l3")}
    return Parameters(
        signals=SignalRules(
            near_term=_section(NearTermRules, rules["l1"]),
            mid_term=_section(MidTermRules, rules["l2"]),
            reserve=_section(ReserveRules, rules["l3"]),
            regime=_section(RegimeRules, rules["regime"]),
            front="rolled",
            spread="capital",
            distribution="last_four",
        ),
        hedge=_section(HedgeRules, {**rules["hedge"], **tranches}),
        budget=_section(HedgeBudgetRules, rules["budget"]),
        condor=_section(CondorRules, rules["condor"]),
        execution=_section(ExecutionRules, rules["execution"]),
        limits=_section(RiskLimits, {**rules["risk"], "open_condors_max": rules["condor"]["open_max_count"]}),
        windows={name: _section(ReleaseWindow, window) for name, window in rules["blackout"].items()},
        calendar={name: _days(years) for name, years in (calendar or {}).items()},
    )


def _days(years: Mapping[str, Sequence[str]]) -> ReleaseDays:
    days = sorted(date.fromisoformat(f"{year}-{day}") for year, listed in years.items() for day in listed)
    return ReleaseDays(frozenset(map(int, years)), tuple(days))


def _section(kind: type[T], section: Mapping[str, Any]) -> T:
    """Sections may hold keys of other readers; what this one knows must be there in full."""
    return restore(kind, _known(kind, section))


def _known(kind: type[Any], section: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(kind)}
    return {name: value for name, value in section.items() if name in known}
