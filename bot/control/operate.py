"""`alvh halt`, `alvh resume` and `alvh status`: a person and a daemon that may or may not be running."""

import asyncio
import fcntl
import getpass
import time
from pathlib import Path
from typing import Any

from bot.broker.kill import cancel_everything
from bot.clock import WallClock
from bot.engine.differences import named, set_aside
from bot.errors import (
    BrokerError,
    BrokerUnreachableError,
    JournalError,
    NotPaperAccountError,
    ResumeRefusedError,
)
from bot.journal.checkpoint import recover
from bot.journal.writer import segments
from bot.switch import KillSwitch
from config.settings import Settings
from risk.state import Cause, TradingState

HALT_PATIENCE_S, RESUME_PATIENCE_S = 1.5, 60.0
_LOOK_S = 0.02
# The daemon has the client id itself, its watchdog the next one.
_OWN_ID_BEHIND = 2


def person() -> str:
    """Who types."""
    try:
        return getpass.getuser()
    except OSError:
        return "somebody"


def is_running(folder: Path) -> bool:
    """Whether a daemon holds the journal in `folder`."""
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def halt(settings: Settings, reason: str) -> dict[str, Any]:
    """Halt whatever runs on this journal; the facts of it.

    The halt stands from the first moment on. A daemon that does not confirm it, or none at all, is not waited
    for: every order in the account is cancelled from here. So it is where the books differ: there may be
    orders the daemon does not know. Where that is not possible it raises
    NotPaperAccountError, else BrokerUnreachableError, and says what stands all the same.
    """
    folder = _folder(settings)
    switch = KillSwitch(folder)
    switch.pull(person(), reason)
    runs = is_running(folder)
    is_confirmed = runs and _waited(lambda: _is_halted(switch), HALT_PATIENCE_S)
    if is_confirmed and Cause.MISMATCH.value not in switch.standing().get("causes", {}):
        return {"halted": True, "by": "the daemon", "running": True}
    broker = settings.broker
    try:
        asyncio.run(
            cancel_everything(broker.host, broker.port, broker.client_id + _OWN_ID_BEHIND, broker.account)
        )
    except BrokerError as error:
        # A refusal (a read-only API) is as good as no answer: nothing was cancelled.
        is_wrong = isinstance(error, NotPaperAccountError)
        kind = NotPaperAccountError if is_wrong else BrokerUnreachableError
        raise kind("\n".join(_half_done(settings, runs, error))) from error
    by = "the daemon, and cancelling every order" if is_confirmed else "cancelling every order"
    return {"halted": True, "by": by, "running": runs}


def resume(settings: Settings, reason: str) -> dict[str, Any]:
    """Ask the daemon to trade again; the facts of it.

    Raises JournalError when none runs and ResumeRefusedError with the reason when it will not.
    """
    folder = _folder(settings)
    if not is_running(folder):
        raise JournalError(f"{folder}: no daemon runs here; start it, it starts halted, then resume")
    switch = KillSwitch(folder)
    switch.ask_resume(person(), reason)
    if not _waited(lambda: switch.resume_asked() is None, RESUME_PATIENCE_S):
        switch.resume_answered()
        raise ResumeRefusedError("the daemon did not answer; it stays halted. See `alvh status`")
    standing = switch.standing()
    if standing.get("trading") == TradingState.HALTED.value:
        raise ResumeRefusedError(
            f"refused, trading stays halted: {standing.get('told') or standing['causes']}"
        )
    return {"halted": False, "trading": standing.get("trading"), "causes": standing.get("causes", {})}


def status(settings: Settings) -> dict[str, Any]:
    """How things stand, from the journal and from the daemon's beat."""
    folder = _folder(settings)
    switch = KillSwitch(folder)
    state = recover(folder)
    runs = is_running(folder)
    age_s = switch.beat_age_s(WallClock().now())
    return {
        "running": runs,
        "heartbeat_age_s": round(age_s, 1) if runs and age_s is not None else None,
        "trading": state.risk.trading.value,
        "causes": {cause.value: detail for cause, detail in state.risk.causes},
        "halt_asked": switch.is_pulled,
        "connected": runs and state.connected,
        "reconciled": runs and state.reconciled,
        "last_event": state.time,
        "nav_usd": state.account.nav_usd if state.account is not None else None,
        "structures": [
            {"structure": key, "units": one.quantity, "opened": one.opened, "entry_price": one.entry_price}
            for key, one in state.structures.items()
            if one.quantity
        ],
        "set_aside": [
            {"contract": named(state, con_id), "contracts": count}
            for con_id, count in set_aside(state).items()
        ],
        "working": [
            {"order_ref": line.order.order_ref, "status": line.order.status.value, "limit": line.order.limit}
            for line in state.working()
        ],
    }


def _folder(settings: Settings) -> Path:
    folder = settings.journal_folder
    if not segments(folder):
        raise JournalError(f"{folder}: no journal is here; name its parent folder with --journal")
    return folder


def _half_done(settings: Settings, runs: bool, error: BrokerError) -> list[str]:
    """A halt that is on the disk and did not get to the broker, in words."""
    if runs:
        obeyed = "the daemon, which has not confirmed it yet, sends nothing once it looks"
    else:
        obeyed = "no daemon runs, and the next start begins halted and cancels what works"
    if runs:
        remedy = (
            "cancel them in the broker's own window, or bring the gateway back and type `alvh halt` again"
        )
    elif settings.gateway.embedded:
        remedy = "the embedded gateway runs only beside its daemon: `alvh run` starts both, halted"
    else:
        remedy = "bring the gateway up and type `alvh halt` again, or cancel them in the broker's own window"
    return [
        f"the halt stands: {obeyed}",
        f"orders were not cancelled from here: {error}",
        f"what was working at the broker may still be: {remedy}",
    ]


def _is_halted(switch: KillSwitch) -> bool:
    return switch.standing().get("trading") == TradingState.HALTED.value


def _waited(holds: Any, patience_s: float) -> bool:
    for _ in range(round(patience_s / _LOOK_S)):
        if holds():
            return True
        time.sleep(_LOOK_S)
    return bool(holds())
