"""Verbs on settings and rules: show, check."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Settings and governed rules.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command(short_help="Every setting in force, with its origin.")
def show(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (TOML).")] = None,
    json: Json = False,
) -> None:
    """Every setting in force with where it came from: command line, environment, file or default."""
    import os

    from bot.control.output import emit, table
    from config.loader import load_rules, load_settings
    from config.settings import SIMULATED_PROFILE

    loaded = load_settings({}, os.environ, config if config is not None else SIMULATED_PROFILE)
    settings = loaded.settings
    rules = load_rules(settings.rules_file)
    if json:
        emit(
            {
                "mode": settings.mode,
                "settings": {
                    key: {"value": value, "origin": origin} for key, value, origin in loaded.table()
                },
                "rules": rules.model_dump(mode="json"),
                "rules_file": str(settings.rules_file),
                "rules_hash": rules.rules_hash(),
            }
        )
        return
    rows = [(key, "" if value is None else str(value), origin) for key, value, origin in loaded.table()]
    table(f"Settings ({settings.mode.upper()})", ("key", "value", "origin"), rows)
    given = [(key, str(value)) for key, value in _leaves(rules.model_dump(mode="json"))]
    table(f"Rules of {settings.rules_file} ({rules.rules_hash()})", ("key", "value"), given)


@app.command(short_help="Say whether a settings or rules file can be used.")
def check(
    file: Annotated[Path, typer.Argument(help="Settings or rules file (TOML).")], json: Json = False
) -> None:
    """Say whether a settings or rules file can be used; all problems at once, each with a remedy."""
    from bot.clock import WallClock
    from bot.control.output import emit, say
    from config.loader import load_rules, load_settings
    from config.release_calendar import calendar_warnings, first_barred, shipped_calendar
    from market.sessions import MARKET_TZ

    found: dict[str, object]
    if _holds_rules(file):
        rules = load_rules(file)
        found = {"file": str(file), "kind": "rules", "ok": True, "rules_hash": rules.rules_hash()}
    else:
        settings = load_settings({}, {}, file).settings
        rules = load_rules(settings.rules_file)
        found = {
            "file": str(file),
            "kind": "settings",
            "ok": True,
            "mode": settings.mode,
            "rules_hash": rules.rules_hash(),
        }
    calendar = shipped_calendar()
    warnings = calendar_warnings(calendar, WallClock().now().astimezone(MARKET_TZ).date())
    found["nothing_opens_from"] = {name: day.isoformat() for name, day in first_barred(calendar).items()}
    found["warnings"] = list(warnings)
    if json:
        emit(found)
    else:
        say([f"warning: {line}" for line in warnings])
        say([f"ok: {file} holds {found['kind']} that can be used; rules {rules.rules_hash()}"])


def _holds_rules(file: Path) -> bool:
    """Whether the file's tables are those of the rules; what cannot be read is judged by the loader."""
    import tomllib

    from config.rules import Rules
    from config.settings import Settings

    try:
        names = tomllib.loads(file.read_text(encoding="utf-8")).keys()
    except (OSError, ValueError):
        return False
    return len(names & Rules.model_fields.keys()) > len(names & Settings.model_fields.keys())


def _leaves(tables: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in tables.items():
        found += _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found
