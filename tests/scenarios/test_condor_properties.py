"""Whatever the market does: no short option of a condor is ever uncovered, and none loses more than it may.

The whole daemon trades a drawn path in virtual time. `make full` draws many more paths.
"""

import os
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from bot.journal.records import event_of
from bot.journal.writer import Record, read_records
from market.contract import Contract
from risk.exposure import worst_option_counts
from strategies.condor_exit import width_of
from strategies.costs import FEE_PER_CONTRACT_USD
from tests.scenarios.condor_paths import MONDAY, Course, at, live

PATHS = int(os.environ.get("ALVH_CONDOR_PATHS", "3"))
OPENED = at(MONDAY, "10:20")
MOVES = st.tuples(st.floats(-15.0, 15.0), st.floats(-40.0, 150.0))


def course_of(moves: list[tuple[float, float]], delta_close: bool) -> Course:
    steps = [(OPENED, 0.0, 0.0)]
    steps += [
        (OPENED + timedelta(minutes=15 * (number + 1)), spx, vix) for number, (spx, vix) in enumerate(moves)
    ]
    rules: dict[str, dict[str, Any]] = {
        "condor": {"entry_patient_spread_fraction": 1.0, "entries_per_week_max": 3},
        "condor.exit": {"delta_close": delta_close},
    }
    return Course(at(MONDAY, "09:35"), OPENED + timedelta(minutes=15 * len(moves) + 20), steps, rules)


def never_uncovered(records: list[Record]) -> None:
    """After each moment's executions, each class, expiry and right holds as many bought as sold, or more."""
    contracts: dict[int, Contract] = {}
    held: dict[Contract, int] = defaultdict(int)
    executed = [record for record in records if record.kind == "Executed"]
    for number, record in enumerate(executed):
        timed = event_of(record)
        assert timed is not None
        fill, contract = timed.event.fill, timed.event.contract  # type: ignore[union-attr]  # executions only
        contracts[contract.con_id] = contract
        held[contract] += fill.quantity
        following = executed[number + 1] if number + 1 < len(executed) else None
        if following is None or following.time != record.time:
            counts = worst_option_counts({one: count for one, count in held.items() if count})
            assert all(count >= 0 for count in counts.values()), (record.time, counts)


@settings(
    max_examples=PATHS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(moves=st.lists(MOVES, min_size=1, max_size=3), delta_close=st.booleans())
@example(moves=[(-14.8, 0.0), (0.0, 0.0)], delta_close=False)  # a crash and all the way back
def test_on_any_path_condors_stay_covered_and_lose_no_more_than_they_may(
    moves: list[tuple[float, float]], delta_close: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lived = live(Path(folder), course_of(moves, delta_close))
        records = list(read_records(Path(folder) / "journal"))
    never_uncovered(records)
    worst = 0.0
    for one in lived.decisions:
        if one["verb"] == "open" and one["strategy"] == "iron_condor":
            notes = dict(one["notes"])
            worst += one["quantity"] * (100.0 * (notes["width"] + one["limit"]) + notes["width"])
    # Each leg may be traded three times: opened, rolled, closed. What a walk gives way is below its width.
    fees = (
        3
        * 4
        * FEE_PER_CONTRACT_USD["SPXW"]
        * sum(one["quantity"] for one in lived.decisions if one["verb"] in ("open", "adjust", "close"))
    )
    values = [record.body["nav_usd"] for record in records if record.kind == "AccountTaken"]
    assert values[0] - min(values) <= worst + fees
    for structure in lived.state.structures.values():
        assert width_of(structure) <= 25.0
        assert structure.combo.payoff_range()[0] >= -25.0
