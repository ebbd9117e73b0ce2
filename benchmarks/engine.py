"""An engine step on states of a real run: a full snapshot, and one that changes nothing a gate reads.

Two moments are taken from sessions traded in virtual time: the look that opens a condor, in which strikes are
chosen, priced and reviewed, and a look in the middle of a session with five condors open. At each the step is
taken with every streamed line in the snapshot, and with just those that no gate reads. Every call gets
another snapshot, a millisecond later and with all prices moved a little, so that nothing kept from one look
to the next stands in for work. Times are the process's CPU time, which other programs of a busy machine
inflate less. The named peer is the same full snapshot through the state's canonical form, written and read
again: what a design that passes messages instead of values would pay on top.
Run `python -m benchmarks.engine [--json]`.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from benchmarks.sessions import Moment, many_condors, moments, run_sessions
from bot.engine.decision import Verb
from bot.engine.state import EngineState
from bot.engine.step import step
from bot.events import Feed, QuotesTaken, TimedEvent
from bot.journal.codec import canonical, decode
from market.rounding import round_price

ROUNDS = 41
ROUND_S = 0.02
INTERVAL_S = 60.0
VARIANTS, SHIFT = 64, 1e-5
SESSIONS = 6
FULL_TARGET_US, QUIET_TARGET_US = 1000.0, 25.0


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of step at one moment, in microseconds; `target_us` is 0 for the peer."""

    moment: str
    step: str
    lines: int
    median_us: float
    p90_us: float
    target_us: float


def snapshots(moment: Moment, only: Callable[[int], bool]) -> list[TimedEvent]:
    """The moment's quotes of the lines for which `only` holds, as events that differ in time and prices."""
    quotes = {**moment.before.quotes, **moment.done.state.quotes}
    chosen = [(con_id, q.bid, q.ask, q.last) for con_id, q in sorted(quotes.items()) if only(con_id)]
    events = []
    for number in range(VARIANTS):
        factor = 1.0 + number * SHIFT
        rows = tuple(
            (con_id, _moved(bid, factor), _moved(ask, factor), _moved(last, factor))
            for con_id, bid, ask, last in chosen
        )
        time = moment.event.time + timedelta(milliseconds=number)
        events.append(TimedEvent(time, QuotesTaken(rows, tuple(Feed))))
    return events


def _moved(price: float | None, factor: float) -> float | None:
    return None if price is None else round_price(price * factor)


def contestants(moment: Moment) -> dict[str, tuple[Callable[[], object], int, float]]:
    """What is timed at a moment: name -> call, lines in the snapshot, target."""
    before = moment.before
    full = snapshots(moment, lambda _: True)
    quiet = snapshots(moment, lambda con_id: con_id not in before.read)
    looked = replace(before, evaluated_at=moment.event.time - timedelta(seconds=5), look_due=False)
    due = replace(before, look_due=True)
    verbs = [decision.verb for decision in moment.done.decisions]
    for event in full:
        done = step(due, event)
        if done.state.evaluated_at != event.time or (
            Verb.OPEN in verbs and Verb.OPEN not in [decision.verb for decision in done.decisions]
        ):
            raise SystemExit(
                "a full snapshot does not do what the moment did: the figures would mean nothing"
            )
    if any(step(looked, event).state.evaluated_at == event.time for event in quiet):
        raise SystemExit("a quiet snapshot is looked at: the figures would mean nothing")
    next_full, next_quiet = cycle(full).__next__, cycle(quiet).__next__

    def through_bytes() -> EngineState:
        return decode(EngineState, canonical(step(due, next_full()).state))

    count = len(_rows(full[0]))
    return {
        "full snapshot": (lambda: step(due, next_full()), count, FULL_TARGET_US),
        "nothing read changed": (lambda: step(looked, next_quiet()), len(_rows(quiet[0])), QUIET_TARGET_US),
        "full, state as bytes": (through_bytes, count, 0.0),
    }


def _rows(timed: TimedEvent) -> tuple[object, ...]:
    return timed.event.quotes if isinstance(timed.event, QuotesTaken) else ()


def opening(recorded: list[Moment]) -> Moment:
    """The look that opened the last condor."""
    return next(
        one
        for one in reversed(recorded)
        if any(decision.verb is Verb.OPEN for decision in one.done.decisions)
        and isinstance(one.event.event, QuotesTaken)
    )


def five_open(recorded: list[Moment]) -> Moment:
    """A look in the middle of a session with five condors held and no order at work."""
    found = [
        one
        for one in recorded
        if isinstance(one.event.event, QuotesTaken)
        and sum(structure.quantity > 0 for structure in one.before.structures.values()) == 5
        and not one.before.working()
        and one.done.state.evaluated_at == one.event.time
    ]
    if not found:
        raise SystemExit("five condors were never open together")
    return found[len(found) // 2]


def chosen_moments(recorded: list[Moment]) -> dict[str, Moment]:
    """The two moments by name; the rest of the run is let go, as the daemon never holds it either."""
    return {"opening a condor": opening(recorded), "five condors open": five_open(recorded)}


def measure(rounds: int) -> list[Row]:
    """All steps at both moments, in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        run_sessions(Path(scratch) / "journal", SESSIONS, INTERVAL_S, many_condors())
        places = chosen_moments(list(moments(Path(scratch) / "journal")))
    calls = {
        (place, name): entry
        for place, moment in places.items()
        for name, entry in contestants(moment).items()
    }
    times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    repeats = {key: max(1, round(ROUND_S / seconds(call, 20))) for key, (call, _, _) in calls.items()}
    for _ in range(rounds):
        for key, (call, _, _) in calls.items():
            times[key].append(1e6 * seconds(call, repeats[key]))
    return [
        Row(
            *key,
            lines,
            round(statistics.median(times[key]), 1),
            round(statistics.quantiles(times[key], n=10)[-1], 1),
            target,
        )
        for key, (_, lines, target) in calls.items()
    ]


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Seconds of CPU a call takes, over `repeats` calls in a row."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def main() -> None:
    """Print the table, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="microseconds an engine step takes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each (default {ROUNDS})")
    chosen = parser.parse_args()
    rows = measure(chosen.rounds)
    if chosen.json:
        print(json.dumps({"rounds": chosen.rounds, "rows": [asdict(row) for row in rows]}))
        return
    print(f"an engine step, us of CPU, median of {chosen.rounds} interleaved rounds")
    print(f"{'moment':<20}{'step':<24}{'lines':>6}{'median':>10}{'p90':>10}{'target':>9}")
    for row in rows:
        target = f"{row.target_us:.0f}" if row.target_us else "-"
        print(
            f"{row.moment:<20}{row.step:<24}{row.lines:>6}{row.median_us:>10.1f}{row.p90_us:>10.1f}{target:>9}"
        )


if __name__ == "__main__":
    main()
