"""`alvh demo`: the product shown and proved in one go.

First a short real-time session: the embedded gateway as a process, the daemon over TCP. Then whole sessions
in virtual time, on a simulated market or on real history, with the unmodified client library in the loop.
What is printed at the end is read back from the journal that the run left.
"""

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.clock import WallClock
from bot.control.journals import is_journal
from bot.control.options import DemoOptions
from bot.control.output import Meter, console, say, table
from bot.control.simulation import Simulation, simulate
from bot.daemon import Daemon
from bot.engine.decision import Decision, Verb
from bot.events import Alert
from bot.port import Observers
from bot.review.summary import Summary, summarise
from config.errors import AlvhError
from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES
from market.sessions import MARKET_TZ, option_close, session_offset, session_on_or_after, sessions
from simulator.model import Market

ACCOUNT = "DU0000000"
FIRST_SESSION = date(2026, 3, 2)
BEFORE_OPEN = timedelta(minutes=40)
AFTER_CLOSE = timedelta(minutes=50)
REAL_TIME_S = 12.0
DEMO_FOLDER = Path("journal")
_TOLD = frozenset(
    {Verb.OPEN, Verb.CLOSE, Verb.ADJUST, Verb.CANCEL, Verb.DENY, Verb.FIRE, Verb.STATE, Verb.BOOK}
)


class DemoError(AlvhError):
    """The demo cannot be run as asked."""

    exit_code = 2


def run_demo(options: DemoOptions) -> dict[str, Any]:
    """Run it and return the published figures. Raises DemoError, or an AlvhError of the daemon."""
    rules = load_rules(SHIPPED_RULES)
    folder = options.journal if options.journal is not None else _free_folder()
    if is_journal(folder):
        raise DemoError(
            f"{folder} holds a journal already: a demo begins one of its own, name another folder"
        )
    market, start, end, count = _market(options)
    if not options.json:
        _show_real_time(options.seed, rules)
    interval_s = options.interval_s or (10.0 if options.history is None else 60.0)
    simulation = Simulation(market, start, end, interval_s, "demo", ACCOUNT, rules, options.seed, folder)
    clock = WallClock()
    begun = clock.now()
    with Meter("trading in virtual time", count, quiet=options.json) as meter:
        outcome = simulate(simulation, _Narrator(meter, options.json).observers())
    wall_s = (clock.now() - begun).total_seconds()
    summary = summarise(folder)
    figures: dict[str, Any] = {
        **summary.as_json(),
        "journal": str(folder),
        "journal_sha256": outcome.head,
        "wall_s": round(wall_s, 3),
    }
    if not options.json:
        market_told = "simulated market" if options.history is None else "real days, modelled option prices"
        _show(summary, figures, count * 23_400 / wall_s, market_told)
    return figures


class _Narrator:
    """Prints what matters while a simulation runs, and moves the bar by sessions."""

    def __init__(self, meter: Meter, quiet: bool) -> None:
        self._meter = meter
        self._quiet = quiet
        self._days: set[date] = set()

    def observers(self) -> Observers:
        """For the daemon."""
        return Observers(self._decision, self._alert, lambda *_: None)

    def _decision(self, time: datetime, decision: Decision) -> None:
        local = time.astimezone(MARKET_TZ)
        if local.date() not in self._days:
            self._days.add(local.date())
            self._meter(len(self._days) - 1)
        if not self._quiet and decision.verb in _TOLD:
            say([decision_line(local, decision)])

    def _alert(self, time: datetime, alert: Alert) -> None:
        if not self._quiet and alert.level == "error":
            say([f"{time.astimezone(MARKET_TZ):%Y-%m-%d %H:%M:%S}  ALERT {alert.name}: {alert.text}"])


def decision_line(local: datetime, decision: Decision) -> str:
    """One decision in one line for a person."""
    size = f"{decision.quantity} x" if decision.quantity else ""
    price = f"@ {decision.limit:.2f}" if decision.limit is not None else ""
    parts = [decision.verb.value.upper(), decision.structure_id, size, price, decision.reason]
    return f"{local:%a %Y-%m-%d %H:%M:%S}  " + " ".join(part for part in parts if part)


def _market(options: DemoOptions) -> tuple[Market, datetime, datetime, int]:
    """The market, from when to when, and how many sessions that is."""
    if options.history is None:
        from simulator.stochastic import StochasticMarket

        last = _days_on(FIRST_SESSION, options.days)
        start = _before_open(FIRST_SESSION)
        interval_s = options.interval_s or 10.0
        market: Market = StochasticMarket(options.seed, start, interval_s, "shock")
        return market, start, _after_close(last), options.days
    from simulator.historical import HistoricalMarket

    asked = options.first or date(2020, 2, 3)
    try:
        first = session_on_or_after(asked)
        last = options.last or _days_on(first, options.days)
        days = sessions(first, last)
    except ValueError as error:
        raise DemoError(f"--from, --to: {error}") from error
    if not days:
        raise DemoError(f"no session lies between {asked} and {last}; choose other days with --from and --to")
    start = _before_open(first)
    try:
        market = HistoricalMarket(options.history, start, days[-1], options.interval_s or 60.0)
    except OSError as error:
        raise DemoError(f"--history: {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise DemoError(f"--history {options.history}: {error}") from error
    if market.last_session < days[-1]:
        raise DemoError(f"--history {options.history} ends on {market.last_session}: choose days up to then")
    return market, start, _after_close(days[-1]), len(days)


def _days_on(first: date, count: int) -> date:
    try:
        return session_offset(first, count - 1)
    except ValueError as error:
        raise DemoError(f"--days {count}: {error}") from error


def _before_open(session: date) -> datetime:
    opens = datetime.combine(session, datetime.min.time(), MARKET_TZ).replace(hour=9, minute=30)
    return (opens - BEFORE_OPEN).astimezone(UTC)


def _after_close(session: date) -> datetime:
    return (option_close(session) + AFTER_CLOSE).astimezone(UTC)


def _free_folder() -> Path:
    """A new folder for this run: no demo ever writes over another one's journal."""
    number = 1
    while (folder := DEMO_FOLDER / f"demo-{number:04d}").exists():
        number += 1
    return folder


def _show_real_time(seed: int, rules: Rules) -> None:
    """A few seconds of the daemon as it runs for months: two processes, real TCP, real time."""
    from bot.control.embedded import EmbeddedGateway
    from bot.control.run import run_live
    from config.loader import load_settings
    from config.settings import SIMULATED_PROFILE

    out = console()
    out.print(
        "[bold]1. Real time[/bold]: the embedded paper gateway as a process, the daemon over loopback TCP"
    )
    with TemporaryDirectory(prefix="alvh-demo-") as place:
        gateway = EmbeddedGateway(0, seed, Path(place) / "gateway", ACCOUNT, scenario="calm")
        with gateway:
            say([f"   gateway: 127.0.0.1:{gateway.port}, account {ACCOUNT} (PAPER)"])
            flags: dict[str, object] = {
                "broker.port": gateway.port,
                "journal.folder": str(Path(place) / "journal"),
                "market_data.evaluation_interval_s": 1.0,
            }
            settings = load_settings(flags, {}, SIMULATED_PROFILE).settings
            told = Observers(
                lambda time, decision: say([f"   {decision_line(time.astimezone(MARKET_TZ), decision)}"]),
                lambda *_: None,
                lambda time, text: say(
                    [f"   daemon: {text}, market time {time.astimezone(MARKET_TZ):%F %T} New York"]
                ),
            )
            daemon = asyncio.run(run_live(settings, rules, told, gateway, _stop_after(REAL_TIME_S)))
        state = daemon.state
        nav = f"{state.account.nav_usd:,.2f} USD" if state.account is not None else "unknown"
        say([f"   {len(state.quotes)} lines streamed, NAV {nav}; stopped cleanly", ""])
    out.print("[bold]2. Virtual time[/bold]: the same daemon and client library, whole sessions in seconds")


def _stop_after(seconds: float) -> Any:
    def arrange(daemon: Daemon) -> None:
        asyncio.get_running_loop().call_later(seconds, daemon.stop, "the demonstration is over")

    return arrange


def _show(summary: Summary, figures: dict[str, Any], speed: float, market: str) -> None:
    rows = [
        (
            trade.structure_id,
            str(trade.units_opened),
            trade.opened,
            trade.entry,
            trade.closed or "open",
            trade.exit,
            trade.reason,
        )
        for trade in summary.trades.values()
        if trade.units_opened
    ]
    say([""])
    table(
        "What was traded (prices: cash paid for a unit, in points; negative: received)",
        ("structure", "units", "opened", "at", "closed", "at", "why closed"),
        rows,
    )
    for fire in figures["fires"]:
        readings = ", ".join(
            f"{name} {value:.4g}" for name, value in fire["readings"].items() if value is not None
        )
        say([f"{fire['layer']} fired on the close of {fire['date']}: {readings}"])
    start, end = figures["nav_start_usd"], figures["nav_end_usd"]
    alvh = (
        sys.argv[0] if Path(sys.argv[0]).name == "alvh" else "alvh"
    )  # as it was typed, so that it works again
    say(
        [
            (
                f"{figures['sessions']} sessions, {figures['orders']} orders, {figures['fills']} fills, "
                f"{figures['decisions']} decisions in {figures['wall_s']:.1f} s "
                f"({speed:,.0f} times real time)"
            ),
            f"NAV {start:,.2f} -> {end:,.2f} USD ({end - start:+,.2f}), PAPER, {market}",
            f"Journal {figures['journal']}  sha256 {figures['journal_sha256']}",
            "",
            "Now type:",
            f"  {alvh} why L1 --journal {figures['journal']}",
            f"  {alvh} why condor --journal {figures['journal']}",
            f"  {alvh} verify {figures['journal']}",
            f"  {alvh} replay {figures['journal']}",
            f"  {alvh} logs {figures['journal']} --decision open",
            f"  {alvh} run          (the daemon against the embedded gateway, in real time)",
        ]
    )
