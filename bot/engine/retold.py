"""Executions that are told again and differ from what was counted: a person hears of each."""

from bot.engine.state import EngineState
from bot.events import Alert, Executed
from market.order import execution_base


def corrected(state: EngineState, executions: tuple[Executed, ...]) -> tuple[Alert, ...]:
    """Corrections of executions that were counted already: each is told."""
    told = []
    for executed in executions:
        fill = executed.fill
        known = state.portfolio.fills.get(execution_base(fill.exec_id))
        if known is not None and not state.portfolio.knows(fill.exec_id):
            text = f"{fill.exec_id}: {fill.quantity} at {fill.price:g} in place of "
            told.append(Alert("warning", "execution.corrected", f"{text}{known.quantity} at {known.price:g}"))
    return tuple(told)


def renumbered(before: EngineState, after: EngineState) -> tuple[Alert, ...]:
    """Executions that the broker lists under another number than they were told under: each is told."""
    gone = before.portfolio.fills.keys() - after.portfolio.fills.keys()
    text = "is not listed by the broker: an equal execution has another number"
    return tuple(Alert("warning", "execution.renumbered", f"{base} {text}") for base in sorted(gone))
