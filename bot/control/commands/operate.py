"""Verbs for the operator of a running daemon: halt, resume, status."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config.settings import Settings

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file of the daemon (TOML).")]
Journal = Annotated[str | None, typer.Option(help="Folder of journals; the mode is added.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def halt(
    reason: Annotated[str, typer.Option(help="Why, for the journal.")] = "halted at the command line",
    config: Config = None,
    journal: Journal = None,
    json: Json = False,
) -> None:
    """Stop trading at once: every order is cancelled, none is sent until `alvh resume`. Works at any time."""
    from bot.control.operate import halt as carry_out
    from bot.control.output import emit, say

    done = carry_out(_settings(config, journal), reason)
    if json:
        emit(done)
    else:
        say(
            [
                f"halted by {done['by']}"
                + ("" if done["running"] else "; no daemon runs, the next starts halted")
            ]
        )


def resume(
    reason: Annotated[str, typer.Option(help="Why it is safe to trade again, for the journal.")],
    config: Config = None,
    journal: Journal = None,
    json: Json = False,
) -> None:
    """Trade again after a halt. Refused while the daemon's book does not agree with the broker's."""
    from bot.control.operate import resume as carry_out
    from bot.control.output import emit, say

    if not reason.strip():
        raise typer.BadParameter("--reason needs words")
    done = carry_out(_settings(config, journal), reason)
    if json:
        emit(done)
    else:
        causes = "; ".join(f"{cause}: {detail}" for cause, detail in done["causes"].items())
        say([f"trading is {done['trading']}" + (f" ({causes})" if causes else "")])


def status(config: Config = None, journal: Journal = None, json: Json = False) -> None:
    """How the daemon stands: trading state and causes, heartbeat, structures and orders."""
    from bot.control.operate import status as look
    from bot.control.output import emit, say

    found = look(_settings(config, journal))
    if json:
        emit(found)
        return
    age = found["heartbeat_age_s"]
    runs = "no daemon runs" if not found["running"] else f"running, heartbeat {age} s old"
    lines = [f"trading    {found['trading']}" + (", a halt is asked for" if found["halt_asked"] else "")]
    lines += [f"cause      {cause}: {detail}" for cause, detail in found["causes"].items()]
    lines += [f"daemon     {runs}"]
    if found["running"]:
        link = "connected" if found["connected"] else "not connected"
        lines.append(f"broker     {link}, {'reconciled' if found['reconciled'] else 'not reconciled'}")
    lines += [
        f"structure  {one['structure']}: {one['units']} at {one['entry_price']:g}"
        for one in found["structures"]
    ]
    lines += [f"set aside  {one['contracts']:+d} of {one['contract']}" for one in found["set_aside"]]
    lines += [
        f"order      {one['order_ref']}: {one['status']} at {one['limit']:g}" for one in found["working"]
    ]
    say(lines)


def _settings(config: Path | None, journal: str | None) -> "Settings":
    import os

    from config.loader import load_settings
    from config.settings import SIMULATED_PROFILE

    flags: dict[str, object] = {"journal.folder": journal}
    return load_settings(flags, os.environ, config if config is not None else SIMULATED_PROFILE).settings
