"""What was known of each session, from a folder of daily history: point in time by construction.

Every value of the folder becomes an observation with the moment from which it was known (`publications`). The
sessions are walked in order; before a session is handed over, exactly those observations are taken in that
were known when the daemon would have counted it, the next morning after the settlement file (09:10). What
lies later cannot be read, because it is not there yet.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

from bot import publications
from bot.engine.observations import Known, as_of
from bot.errors import FeedError
from bot.events import NET_ADVANCES
from bot.feeds import history_observations
from market.series import Observation
from market.sessions import FIRST_DAY, LAST_DAY, sessions
from strategies.rules import SignalRules
from strategies.session_inputs import SessionInputs

# Series that only the review reads: file, column, and the published series whose hour they share.
_REVIEW_COLUMNS = {
    "vix3m": ("vix_term.csv", "vix3m", "vix"),
    "fed_funds": ("rates.csv", "fed_funds_pct", "treasury_10y"),
}


def read_history(folder: Path) -> dict[str, tuple[Observation, ...]]:
    """Every series of a folder by name, each observation with the moment it was known.

    Raises FeedError naming file, line and remedy.
    """
    found = {known.series: known.observations for known in history_observations(folder, FIRST_DAY, LAST_DAY)}
    for series, (name, column, like) in _REVIEW_COLUMNS.items():
        path = folder / name
        if path.is_file():
            found[series] = publications.column(path.read_text(encoding="utf-8-sig"), name, like, column)
    return found


def session_inputs(
    history: Mapping[str, Iterable[Observation]], last: date, rules: SignalRules
) -> Iterator[SessionInputs]:
    """Each session from the first daily signal value of the history up to `last`, as it was known."""
    tape = sorted(
        ((seen.known_at, series, seen.period, seen.value) for series in history for seen in history[series]),
        key=lambda entry: entry[:3],
    )
    first = min((period for _, series, period, _ in tape if series == NET_ADVANCES), default=None)
    if first is None:
        raise FeedError("the history holds no breadth: nyse_breadth.csv is needed")
    known, position = Known(), 0
    for session in sessions(first, last):
        time = as_of(session)
        while position < len(tape) and tape[position][0] <= time:
            known.take(*tape[position][1:])
            position += 1
        yield known.at(session, rules.reserve.yield_age_max_sessions)
