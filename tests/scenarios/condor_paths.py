"""Scripted markets that take the whole daemon through one course of a condor's life, in virtual time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from bot.engine.state import EngineState
from bot.journal.writer import read_records
from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES
from market.sessions import MARKET_TZ
from simulator.script import MarketScript, Point
from simulator.stochastic import StochasticMarket
from tests.scenarios.proof import Venue
from tests.scenarios.virtual_house import VirtualHouse

MONDAY = date(2026, 3, 2)


def at(day: date, clock: str) -> datetime:
    """New York time, in UTC."""
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=MARKET_TZ).astimezone(UTC)


@dataclass(frozen=True)
class Course:
    """A market from `start` to `end`, its moves as (time, index percent, VIX percent), and changed rules."""

    start: datetime
    end: datetime
    moves: Sequence[tuple[datetime, float, float]] = ()
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    away: tuple[datetime, datetime] | None = None  # the daemon is stopped from one moment to the other


@dataclass(frozen=True)
class Lived:
    """What the journal tells of it."""

    state: EngineState
    venue: Venue
    decisions: tuple[dict[str, Any], ...]

    def reasons(self, *verbs: str) -> list[str]:
        """Reasons of the condor's decisions with these verbs, in order."""
        mine = (one for one in self.decisions if one["strategy"] == "iron_condor")
        return [one["reason"] for one in mine if one["verb"] in verbs]

    def gates(self, name: str) -> set[str]:
        """What a gate that did not pass ever said."""
        return {
            gate["detail"]
            for one in self.decisions
            for gate in one["gates"]
            if gate["name"].endswith(name) and not gate["passed"]
        }

    def times(self, verb: str) -> list[datetime]:
        """When the condor decided so, New York time."""
        return [
            one["at"].astimezone(MARKET_TZ)
            for one in self.decisions
            if one["strategy"] == "iron_condor" and one["verb"] == verb
        ]


def rules_with(changes: Mapping[str, Mapping[str, Any]]) -> Rules:
    """The shipped rules with some sections changed; a section is named with dots."""
    rules = load_rules(SHIPPED_RULES).model_dump(mode="json")
    for name, values in changes.items():
        section = rules
        for part in name.split("."):
            section = section[part]
        section.update(values)
    return Rules.model_validate_json(orjson.dumps(rules))


def live(folder: Path, course: Course) -> Lived:
    """Run it, prove every invariant between the journal and the venue, and read what was told."""
    market = StochasticMarket(7, course.start, 60.0)
    if course.moves:
        first = Point(course.start.timestamp(), 0.0, 0.0)
        moves = tuple(Point(when.timestamp(), spx, vix) for when, spx, vix in course.moves)
        market.follow(MarketScript((first, *moves)))
    house = VirtualHouse(
        folder / "journal",
        market,
        course.start,
        rules_with(course.rules),
        interval_s=60.0,
        commit_interval=timedelta(minutes=10),
    )
    ends = []
    if course.away is not None:
        ends, house.away_s = [course.away[0]], (course.away[1] - course.away[0]).total_seconds()
    state, venue = house.run(ends, course.end)
    records = list(read_records(house.journal))
    told = tuple(
        {**record.body, "at": datetime.fromisoformat(record.time)}
        for record in records
        if record.kind == "Decision"
    )
    return Lived(state, venue, told)
