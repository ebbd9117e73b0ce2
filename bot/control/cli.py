"""The command line. Verbs are declared here; each loads what it needs only when it is called.

Exit codes: 0 done, 1 a fault was found or the program is wrong, 2 wrong usage, 69 the broker cannot be
reached, 75 the start is refused for now (journal in use, crash loop), 77 not an allowed paper account, 78
configuration. An expected failure is one line on standard error that says where and what to do, never a
traceback.
"""

import sys
from collections.abc import Iterator
from typing import Annotated, NoReturn

import typer

from bot.control.commands import config, history, operate, review, signals, trade
from config.errors import AlvhError

app = typer.Typer(
    name="alvh",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Trades SPX iron condors under a layered VIX hedge on a paper account, and explains every decision.",
)
app.command(short_help="Trade simulated days, or real history, and show it.")(trade.demo)
app.command(short_help="Trade on a paper account until stopped.")(trade.run)
app.command(short_help="Serve a paper account in a box, on loopback only.")(trade.gateway)
app.command(short_help="Stop trading at once and cancel every order.")(operate.halt)
app.command(short_help="Trade again after a halt.")(operate.resume)
app.command(short_help="How the daemon stands.")(operate.status)
app.command(short_help="Prove that no record of a journal was changed or cut.")(review.verify)
app.command(short_help="Decide everything again and compare byte for byte.")(review.replay)
app.command(short_help="The decisions, one line each.")(review.logs)
app.command(short_help="Slippage, fees and result by structure and campaign.")(review.costs)
app.command(short_help="The truth table behind the last decision.")(review.why)
app.command(short_help="What stood in the way of trading, most often first.")(signals.whynot)
app.command(short_help="Readings of a folder of history, or their base rates.")(signals.signals)
app.add_typer(history.app, name="history")
app.add_typer(config.app, name="config")


@app.command()
def version(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """The product's version."""
    from importlib.metadata import version as installed

    from bot.control.output import emit, say

    number = installed("alvh")
    if json:
        emit({"name": "alvh", "version": number, "python": ".".join(map(str, sys.version_info[:3]))})
    else:
        say([f"alvh {number}"])


def main() -> None:
    """Run the verb that was typed; an expected failure ends with its own exit code."""
    try:
        ended = app(prog_name="alvh", standalone_mode=False)
    except typer.TyperException as error:
        _misused(error)
    except AlvhError as error:
        _end(error)
    except ExceptionGroup as group:
        # Tasks that run side by side fail as a group; the sternest expected failure speaks for it.
        expected, unexpected = group.split(AlvhError)
        if expected is None or unexpected is not None:
            raise
        _end(max(_leaves(expected), key=lambda error: error.exit_code))
    if isinstance(ended, int):
        sys.exit(ended)


def _misused(error: typer.TyperException) -> NoReturn:
    """Wrong usage: the usage and what is wrong with it on standard error, the same object as any failure."""
    from bot.control.output import emit

    error.show()  # type: ignore[attr-defined]  # every error of usage has it; only the published base has not
    if "--json" in sys.argv[1:]:
        emit({"error": "UsageError", "text": error.format_message(), "exit_code": error.exit_code})
    sys.exit(error.exit_code)


def _end(error: AlvhError) -> NoReturn:
    from bot.control.output import complain, emit

    for line in str(error).splitlines() or [type(error).__name__]:
        complain(line)
    if "--json" in sys.argv[1:]:
        emit({"error": type(error).__name__, "text": str(error), "exit_code": error.exit_code})
    sys.exit(error.exit_code)


def _leaves(group: ExceptionGroup[AlvhError]) -> Iterator[AlvhError]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    main()
