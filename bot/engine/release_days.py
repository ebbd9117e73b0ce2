"""What the calendar of releases means for orders: windows in force, openings they end, unknown years."""

from datetime import date, datetime, timedelta

from bot.engine.state import EngineState, Step
from bot.engine.working import cancel_opening
from bot.events import Alert
from strategies.release_windows import ends_within, unknown_days, windows_in_force

WARNED_AHEAD = timedelta(days=30)


def windows(state: EngineState, time: datetime) -> tuple[str, ...]:
    """Why nothing may be opened or adjusted at `time`; empty outside of windows."""
    if state.parameters is None or state.session is None:
        return ()
    return windows_in_force(time, state.session, state.parameters.calendar, state.parameters.windows)


def end_openings(state: EngineState, time: datetime, reasons: tuple[str, ...]) -> Step:
    """A window that begins ends the openings under way. A hedge's stay: its fire was judged with it."""
    return cancel_opening(state, time, reasons[0], with_hedges=False) if reasons else Step(state)


def calendar_alerts(state: EngineState, session: date) -> tuple[Alert, ...]:
    """Told at each open: days that are not known and bar openings, or that run out soon."""
    if state.parameters is None:
        return ()
    calendar = state.parameters.calendar
    unknown = unknown_days(session, calendar, state.parameters.windows)
    if unknown:
        text = f"no release days known for {', '.join(unknown)}: nothing is opened"
        return (Alert("error", "calendar.unknown", text),)
    ending = ends_within(session, calendar, WARNED_AHEAD)
    if ending:
        text = f"no release days yet for {', '.join(ending)}: nothing will be opened then"
        return (Alert("warning", "calendar.ends", text),)
    return ()
