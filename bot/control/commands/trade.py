"""Verbs that trade or serve: demo, run, gateway."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from bot.control.options import DAYS, DemoOptions

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 7,
    days: Annotated[
        int | None, typer.Option(min=1, show_default=str(DAYS), help="Sessions to trade; not beside --to.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Trade real history from this folder.")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last session, YYYY-MM-DD.")] = None,
    journal: Annotated[Path | None, typer.Option(help="Folder to write the journal to.")] = None,
    interval: Annotated[float | None, typer.Option(min=0.25, help="Evaluation interval in seconds.")] = None,
    json: Json = False,
) -> None:
    """A paper account in a box: trade a simulated market, or real history, at many times real time."""
    if history is None and (first or last):
        raise typer.BadParameter("--from and --to choose sessions of --history")
    if days is not None and last:
        raise typer.BadParameter("--days and --to both say where to end: give one of them")
    start, end = _day("--from", first), _day("--to", last)
    options = DemoOptions(seed, days or DAYS, history, start, end, journal, json, interval)
    if options.first and options.last and options.first > options.last:
        raise typer.BadParameter("--from lies after --to")
    from bot.control.demo import run_demo

    summary = run_demo(options)
    if json:
        from bot.control.output import emit

        emit(summary)


def run(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (TOML).")] = None,
    rules: Annotated[Path | None, typer.Option(help="Governed rules to trade by.")] = None,
    host: Annotated[str | None, typer.Option(help="Where the gateway listens.")] = None,
    port: Annotated[int | None, typer.Option(help="The gateway's port.")] = None,
    account: Annotated[str | None, typer.Option(help="The paper account, DU and digits.")] = None,
    client_id: Annotated[int | None, typer.Option(help="Client id; orders are found again by it.")] = None,
    journal: Annotated[str | None, typer.Option(help="Folder of journals; the mode is added.")] = None,
) -> None:
    """Trade until stopped. Without --config: against the embedded gateway, in real time."""
    import os

    from config.loader import load_settings
    from config.settings import SIMULATED_PROFILE

    flags: dict[str, object] = {
        "broker.host": host,
        "broker.port": port,
        "broker.account": account,
        "broker.client_id": client_id,
        "journal.folder": journal,
        "rules.file": None if rules is None else str(rules),
    }
    loaded = load_settings(flags, os.environ, config if config is not None else SIMULATED_PROFILE)
    from bot.control.run import run_daemon

    run_daemon(loaded, loaded.settings.rules_file)


def gateway(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 4002,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    history: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Play real history from this folder.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Folder in which the account lives on.")] = None,
    at: Annotated[str | None, typer.Option(help="Market time to open at (ISO, New York), or `now`.")] = None,
    account: Annotated[str, typer.Option(help="The account it announces.")] = "DU0000000",
    pages_port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Port of the pages that stand in for public ones; 0: a free one."
        ),
    ] = 0,
    scenario: Annotated[
        str,
        typer.Option(
            help="How the simulated market goes: calm, shock (selling from the 2nd session), random."
        ),
    ] = "random",
    until_eof: Annotated[bool, typer.Option("--until-eof", help="Stop when standard input ends.")] = False,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Market seconds in a second; 0 holds time for the control port.")
    ] = 1.0,
    faults: Annotated[
        str | None, typer.Option(help="Faults to act out: a plan (TOML or JSON) or seed:N.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Market path and events by time (TOML or JSON).")
    ] = None,
    control_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to steer it by over HTTP; 0: a free one.")
    ] = None,
    restart: Annotated[
        str | None, typer.Option(help="New York time (HH:MM) at which it restarts by itself every day.")
    ] = None,
    sparse_chains: Annotated[
        bool, typer.Option("--sparse-chains", help="Not every strike exists for every expiry.")
    ] = False,
) -> None:
    """Serve a paper account in a box over the broker's protocol, on loopback only."""
    from bot.control.gateway import run_gateway
    from bot.errors import WrongUsageError

    try:
        run_gateway(
            port=port,
            seed=seed,
            history=history,
            state=state,
            at=at,
            account=account,
            pages=pages_port,
            until_eof=until_eof,
            scenario=scenario,
            speed=speed,
            faults=faults,
            script=script,
            control_port=control_port,
            sparse_chains=sparse_chains,
            restart=restart,
        )
    except WrongUsageError as error:
        raise typer.BadParameter(str(error)) from error


def _day(flag: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{flag} takes a day like 2020-02-03, not {text!r}") from error
