"""Why not: which gates, risk checks and readings stood in the way over a span of a journal, most first.

Counted from the decisions as they stand in the journal. A decision tells how many looks at the market went by
before it without news: they found what the decision before told, and count for that one. Daily readings are
told more than once a session (a forecast, then the final values): only a session's last word counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from bot.engine.decision import Decision, Verb
from bot.review.decisions import Told, short_name
from bot.review.logs import Selection, select
from bot.review.text import number, plain


@dataclass(frozen=True, slots=True)
class Blocker:
    """One gate, check or reading, and how often it stood in a strategy's way.

    `blocked` and `unknown` count looks, `alone` those of both on which nothing else did, `decisions` the
    records behind them. `first` and `last` are the times of these, `detail` is the last one's.
    """

    strategy: str
    kind: str  # gate, check or reading
    name: str
    blocked: int
    unknown: int
    alone: int
    decisions: int
    first: datetime
    last: datetime
    detail: str

    @property
    def looks(self) -> int:
        """How often it was in the way, known or unknown."""
        return self.blocked + self.unknown


#: What ends a row of looks without news.
_LOOKS = frozenset({Verb.HOLD, Verb.DENY, Verb.OPEN, Verb.CLOSE, Verb.ADJUST})


@dataclass(frozen=True, slots=True)
class _Obstacle:
    kind: str
    name: str
    is_known: bool
    detail: str


def whynot(folder: Path, first: datetime | None, last: datetime | None) -> tuple[Blocker, ...]:
    """The blockers of a span, most looks first. Raises JournalError naming segment:line."""
    told = (each for each in select(folder, Selection(first)) if last is None or each.time <= last)
    return rank(last_words(told))


def rank(told: Iterable[Told]) -> tuple[Blocker, ...]:
    """Count what stood in the way of each decision."""
    found: dict[tuple[str, str, str], Blocker] = {}
    for each, looks in _with_looks(told):
        obstacles = tuple(_obstacles(each.decision))
        strategy = short_name(each.decision.strategy)
        for obstacle in obstacles:
            key = (strategy, obstacle.kind, obstacle.name)
            before = found.get(key) or Blocker(*_named(key), 0, 0, 0, 0, each.time, each.time, "")
            found[key] = replace(
                before,
                blocked=before.blocked + looks * obstacle.is_known,
                unknown=before.unknown + looks * (not obstacle.is_known),
                alone=before.alone + looks * (len(obstacles) == 1),
                decisions=before.decisions + 1,
                last=each.time,
                detail=obstacle.detail,
            )
    return tuple(
        sorted(found.values(), key=lambda one: (-one.looks, -one.alone, one.strategy, one.kind, one.name))
    )


def _with_looks(told: Iterable[Told]) -> list[tuple[Told, int]]:
    """Each decision with the looks that found what it tells: its own, and those without news after it.

    Looks after the last word about something are not told yet.
    """
    counted: list[tuple[Told, int]] = []
    last: dict[str, int] = {}  # the last word about a strategy, or about a structure that risk refused
    for each in told:
        decision = each.decision
        if decision.verb in _LOOKS:
            about = decision.structure_id if decision.verb is Verb.DENY else decision.strategy
            if about in last:
                before, looks = counted[last[about]]
                counted[last[about]] = (before, looks + decision.evaluations - 1)
            last[about] = len(counted)
        counted.append((each, 1))
    return counted


def _named(key: tuple[str, str, str]) -> tuple[str, str, str]:
    strategy, kind, name = key
    return strategy, kind, plain(name)


def last_words(told: Iterable[Told]) -> Iterator[Told]:
    """Decisions in order, of a session's daily readings only the last of each strategy."""
    kept: list[Told] = []
    reads: dict[tuple[str, date | None], int] = {}
    for each in told:
        if each.decision.verb in (Verb.READ, Verb.FIRE):
            key = (each.decision.strategy, each.decision.session)
            if key in reads:
                kept[reads[key]] = each
                continue
            reads[key] = len(kept)
        kept.append(each)
    return iter(kept)


def _obstacles(decision: Decision) -> Iterator[_Obstacle]:
    """What did not pass. A reading is in the way only where the layer is told as a whole, without gates."""
    for gate in decision.gates:
        if gate.passed is not True:
            yield _Obstacle("gate", gate.name, gate.passed is not None, plain(gate.detail))
    if decision.verb is Verb.DENY:
        for check in decision.checks:
            if not check.passed:
                detail = f"{number(check.value)}, limit {number(check.limit)}"
                yield _Obstacle("check", check.name, True, detail)
    if decision.verb is Verb.READ and not decision.gates:
        for reading in decision.readings:
            if reading.fired is not True:
                known = reading.fired is not None
                value = f"{number(reading.value)}, needs {reading.relation} {number(reading.threshold)}"
                yield _Obstacle("reading", reading.name, known, value if known else plain(reading.reason))
