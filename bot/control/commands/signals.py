"""Verbs on what the signals said: signals (over a folder of history) and whynot (over a journal)."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.control.journals import find_journal, warn_of

if TYPE_CHECKING:
    from bot.review.signals import Walk
    from strategies.packs import Pack
    from strategies.rules import SignalRules

History = Annotated[
    Path, typer.Option("--history", exists=True, file_okay=False, help="Folder with the daily series.")
]
Lines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line and nothing else.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def signals(
    history: History,
    first: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last session, YYYY-MM-DD.")] = None,
    pack: Annotated[
        str | None, typer.Option(help="One pack of rules; without it `seed`, in the report all of them.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="Governed rules instead of the shipped ones.")] = None,
    json: Lines = False,
) -> None:
    """Every session's readings, point in time, or the trigger report: base rates, fires, falls."""
    start, end = _day("--from", first), _day("--to", last)
    if start is not None and end is not None and start > end:
        raise typer.BadParameter("--from lies after --to")
    from strategies.packs import PACKS

    if pack is not None and pack not in PACKS:
        raise typer.BadParameter(f"--pack takes one of {', '.join(PACKS)}, not {pack!r}")
    walk, base = _walked(history, rules, end)
    inside = [seen.session for seen in walk.inputs if start is None or seen.session >= start]
    if not inside:
        raise typer.BadParameter(f"{history} holds no session from {start} on")
    if json:
        _print_days(walk, base, PACKS[pack or "seed"], inside[0])
        return
    from bot.control.output import say
    from bot.review.trigger_text import page
    from bot.review.triggers import report

    chosen = list(PACKS.values()) if pack is None else [PACKS[pack]]
    say(page(report(walk, base, chosen, inside[0], inside[-1])))


def whynot(
    first: Annotated[str | None, typer.Option("--from", help="From this day or time on.")] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Up to this time, or to the end of this day.")
    ] = None,
    journal: Annotated[Path | None, typer.Option("--journal", help="The journal's folder.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    json: Json = False,
) -> None:
    """What stood in the way of trading: gates, risk checks and readings, those that blocked most first."""
    from dataclasses import asdict

    from bot.control.output import emit, say, table
    from bot.review.text import moment, number
    from bot.review.whynot import whynot as ranked

    found = find_journal(journal)
    start, end = _moment("--from", first, opens=True), _moment("--to", last, opens=False)
    if start is not None and end is not None and start > end:
        raise typer.BadParameter("--from lies after --to")
    against = warn_of(found, start.astimezone(UTC).date().isoformat() if start else "")
    blockers = ranked(found, start, end)
    if json:
        found_rows = [asdict(one) for one in blockers]
        emit({"journal": str(found), "from": start, "to": end, "blockers": found_rows, "fault": against})
        return
    if not blockers:
        say(["Nothing stood in the way in that span."])
        return
    columns = ("strategy", "what", "name", "looks", "blocked", "unknown", "alone", "last", "last detail")
    rows = [
        (
            one.strategy,
            one.kind,
            one.name,
            *(number(float(count)) for count in (one.looks, one.blocked, one.unknown, one.alone)),
            moment(one.last),
            one.detail,
        )
        for one in blockers[:limit]
    ]
    table("What blocked most; `alone` counts looks on which nothing else did", columns, rows)
    if len(blockers) > limit:
        say([f"and {len(blockers) - limit} more: --limit shows them"])


def _walked(history: Path, rules: Path | None, end: date | None) -> "tuple[Walk, SignalRules]":
    from bot.review.inputs import read_history, session_inputs
    from bot.review.signals import Walk, signal_rules
    from config.loader import load_rules
    from config.settings import Settings

    base = signal_rules(load_rules(rules if rules is not None else Settings().rules_file))
    known = read_history(history)
    newest = max(seen.period for series in known.values() for seen in series)
    return Walk(session_inputs(known, newest if end is None else min(end, newest), base)), base


def _print_days(walk: "Walk", base: "SignalRules", pack: "Pack", first: date) -> None:
    import orjson

    from bot.control.output import say_bytes
    from bot.review.signals import as_json

    named = {} if pack.name == "seed" else {"pack": pack.name}
    lines = [
        orjson.dumps({**as_json(day), **named}, option=orjson.OPT_APPEND_NEWLINE)
        for day in walk.days(pack.applied(base))
        if day.date >= first
    ]
    say_bytes(b"".join(lines))


def _day(flag: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{flag} takes a day like 2020-02-03, not {text!r}") from error


def _moment(flag: str, text: str | None, *, opens: bool) -> datetime | None:
    """A day alone means its first moment where a span opens, its last where it ends."""
    from bot.review.text import read_moment

    if text is None:
        return None
    try:
        return read_moment(f"{text.strip()}T00:00:00" if opens and len(text.strip()) == 10 else text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{flag} takes a day or a time like 2020-02-28T10:30, not {text!r}"
        ) from error
