"""Verbs that read a journal: verify, replay, logs, why. None of them writes."""

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.control.journals import find_journal, warn_of

if TYPE_CHECKING:
    from bot.review.logs import Selection

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Named = Annotated[Path | None, typer.Argument(metavar="JOURNAL", help="The journal's folder.")]
Flagged = Annotated[Path | None, typer.Option("--journal", help="The journal's folder.")]
RETRY_S = 0.5


def verify(
    folder: Named = None,
    journal: Flagged = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also prove that checkpoints are the fold.")] = False,
    json: Json = False,
) -> None:
    """Check that no record was changed, removed, inserted or cut; exits 1 and names segment:line if so."""
    from bot.control.output import Meter, complain, emit, say
    from bot.review.verify import examine

    found = find_journal(folder or journal)
    with Meter("verifying", _promised(found), quiet=json) as meter:
        report = examine(found, deep, meter)
    if json:
        emit(report.as_json())
    elif report.fault is None:
        say(report.lines())
    if report.fault is not None:
        complain(f"{report.fault}: restore the journal from a copy, and find out who changed it")
        raise typer.Exit(1)


def replay(
    folder: Named = None,
    journal: Flagged = None,
    rules: Annotated[
        Path | None, typer.Option(help="Show which decisions would differ under these rules.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Differences to list with --rules.")] = 40,
    json: Json = False,
) -> None:
    """Decide everything again from the recorded events and compare byte for byte. Exits 1 on a difference.

    The chain is verified first: a journal that was changed is not replayed.
    """
    from bot.control.output import Meter
    from bot.journal.writer import verify as verify_chain

    found = find_journal(folder or journal)
    with Meter("verifying", _promised(found), quiet=json) as meter:
        chain = verify_chain(found, meter)
    if chain.fault is not None:
        from bot.control.show_replay import show_damage

        show_damage(found, chain, json)
        raise typer.Exit(1)
    if rules is not None:
        from bot.control.show_replay import show_differences

        show_differences(found, rules, limit, json)
        return
    from bot.control.show_replay import show_replay
    from bot.review.replay import replay as replay_journal

    with Meter("replaying", _promised(found), quiet=json) as meter:
        result = replay_journal(found, progress=meter)
    show_replay(found, result, json)
    if result.divergence is not None:
        raise typer.Exit(1)


def why(
    strategy: Annotated[
        str | None,
        typer.Argument(metavar="LAYER|condor|regime|liquidity", help="Whom to ask; all without it."),
    ] = None,
    at: Annotated[str | None, typer.Option(help="Moment to explain (ISO; New York without a zone).")] = None,
    journal: Flagged = None,
    json: Json = False,
) -> None:
    """Why it did or did not trade: every reading, gate and check behind the last decision."""
    from bot.control.show_why import show_why
    from bot.review.decisions import ASKED, is_known
    from bot.review.text import read_moment
    from bot.review.why import explain, first_day

    found = find_journal(journal)
    if strategy is not None and not is_known(strategy):
        raise typer.BadParameter(f"it explains {ASKED}, not {strategy!r}")
    try:
        moment = read_moment(at) if at is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"--at takes a time like 2020-02-28T10:30, not {at!r}") from error
    explanations = explain(found, strategy, moment)
    if not explanations:
        what = f"no decision of {strategy}" if strategy else "no decision"
        raise typer.BadParameter(f"{found} holds {what}{' up to then' if at else ''}")
    show_why(found, explanations, json, warn_of(found, first_day(explanations)))


def costs(folder: Named = None, journal: Flagged = None, json: Json = False) -> None:
    """What trading cost: slippage, fees and result of each structure, campaign and condor."""
    from bot.control.output import emit
    from bot.control.show_costs import show_costs
    from bot.review.costs import costs_of

    read = find_journal(folder or journal)
    against = warn_of(read)
    found = costs_of(read)
    if json:
        emit({**found.as_json(), "fault": against})
    else:
        show_costs(found)


def logs(
    folder: Named = None,
    journal: Flagged = None,
    since: Annotated[
        str | None, typer.Option(help="A span before the journal's end (2h, 1d, 1w) or a time.")
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", "--layer", help="L1, L2, L3, condor, regime, liquidity or risk.")
    ] = "",
    decision: Annotated[str, typer.Option(help="Only one verb: open, close, hold, deny, fire ...")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One canonical JSON line for each decision.")] = False,
) -> None:
    """The decisions, one line each."""
    from bot.control.output import say, say_bytes
    from bot.review import logs as review

    found = find_journal(folder or journal)
    selection = _selection(found, since, strategy, decision)
    warn_of(found, selection.since.astimezone(UTC).date().isoformat() if selection.since else "")
    run = review.run_of(found)
    chosen = review.follow(found, selection, _nap) if follow else review.select(found, selection)
    try:
        for each in chosen:
            if json:
                say_bytes(review.json_line(each, run) + b"\n")
            else:
                say([review.line(each)])
    except KeyboardInterrupt:
        if not follow:
            raise


def _selection(folder: Path, since: str | None, strategy: str, decision: str) -> "Selection":
    from bot.engine.decision import Verb
    from bot.review.decisions import ASKED, is_known
    from bot.review.logs import Selection, since_end
    from bot.review.text import read_moment, read_span

    verb = decision.strip().lower()
    if verb and verb not in list(Verb):
        raise typer.BadParameter(f"--decision takes one of {', '.join(Verb)}, not {decision!r}")
    if strategy and not is_known(strategy):
        raise typer.BadParameter(f"--strategy takes {ASKED}, not {strategy!r}")
    if since is None:
        return Selection(None, strategy, verb)
    length = read_span(since)
    try:
        moment = since_end(folder, length) if length is not None else read_moment(since)
    except ValueError as error:
        raise typer.BadParameter(f"--since takes 30m, 2h, 1d or a time, not {since!r}") from error
    return Selection(moment, strategy, verb)


def _nap() -> None:
    from time import sleep

    sleep(RETRY_S)


def _promised(folder: Path) -> int | None:
    """Records that the head file promises, for the length of a bar; a damaged head is told by the verb."""
    from bot.errors import JournalError
    from bot.journal.segments import read_head

    try:
        head = read_head(folder)
    except JournalError:
        return None
    return None if head is None else head[0]
