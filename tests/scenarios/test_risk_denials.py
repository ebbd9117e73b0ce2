"""Every check of risk says no once to a daemon at work: the decision names it and nothing is sent.

Each scenario is a scripted market and account with a strategy that wants what it must not have. A check
without a scenario, or a scenario whose check lets it pass, fails here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.engine import decide
from bot.engine.decision import Decision, Verb
from bot.events import AccountTaken, Feed, OperatorCommanded
from market.contract import Action, Combo, Leg, Right, single
from market.quote import Quote
from risk.review import review
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Intent, Proposal, Structure
from tests.bot.daemon_desk import START, Desk, play
from tests.bot.engine.desk import FUTURES, SPX
from tests.bot.engine.looking import INDEX, quoted, wish
from tests.risk.book import closing, condor, healthy, hedge, limits, opening, option, vix_spread
from tests.risk.book import held as stake

REACHED = START + timedelta(minutes=4)
ASKED = wish("condor-asked")
OTHER = wish("condor-other", condor(2950, 3000, 3600, 3650))
THIRD = wish("condor-third", condor(2900, 2925, 3700, 3725), limit=-5.0)
LEGS = tuple(leg.contract for one in (ASKED, OTHER, THIRD) for leg in one.combo.legs)
MARKET = {SPX.con_id: INDEX, **quoted(ASKED.combo, OTHER.combo, THIRD.combo, vix_spread())}
VAST = AccountTaken(1e9, 1e9, 0.0, 0.0)
FUTURE = FUTURES[1]
RICH = AccountTaken(1e7, 1e7, 0.0, 0.0)

Wants = Callable[[Any, tuple[Structure, ...], frozenset[str]], Sequence[Proposal]]


def once(*wanted: Proposal) -> Wants:
    """Each of these for as long as nothing of it is ordered or held."""

    def wants(_: Any, structures: tuple[Structure, ...], busy: frozenset[str]) -> list[Proposal]:
        had = {one.structure_id for one in structures if one.opened_legs} | busy
        return [one for one in wanted if one.structure_id not in had]

    return wants


def always(*wanted: Proposal) -> Wants:
    """All of these at each look, whatever is ordered or held."""
    return lambda *_: wanted


def one_by_one(*wanted: Proposal) -> Wants:
    """The first that is not held, when nothing is at work."""

    def wants(_: Any, structures: tuple[Structure, ...], busy: frozenset[str]) -> list[Proposal]:
        had = {one.structure_id for one in structures if one.opened_legs}
        return [one for one in wanted if one.structure_id not in had][:1] if not busy else []

    return wants


def round_trip(_: Any, structures: tuple[Structure, ...], busy: frozenset[str]) -> list[Proposal]:
    """Open, close, and then another."""
    if busy:
        return []
    mine = next((one for one in structures if one.structure_id == ASKED.structure_id), None)
    if mine is None or not mine.opened_legs:
        return [ASKED]
    close = wish(ASKED.structure_id, ASKED.combo.reversed(), Intent.CLOSE, limit=6.0)
    return [close] if mine.quantity else [OTHER]


@dataclass(frozen=True)
class Scenario:
    """What is wanted, and the market, account and rules it is wanted in."""

    wants: Wants = field(default_factory=lambda: once(ASKED))
    rows: Mapping[int, Any] = field(default_factory=dict)  # quotes in place of the market's
    alive: tuple[Feed, ...] = tuple(Feed)
    figures: Callable[[timedelta], AccountTaken | None] = lambda _: None  # by time since the start
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fills: bool = True
    account: str = "DU0000000"
    halts: bool = False
    same_reference: bool = False
    failing: frozenset[str] = frozenset()


def after_open(first: AccountTaken, then: AccountTaken) -> Callable[[timedelta], AccountTaken]:
    return lambda since: first if since < timedelta(minutes=1) else then


def on_combo(combo: Combo, limit: float, **changes: Any) -> Scenario:
    return Scenario(once(wish("condor-asked", combo, limit=limit, **changes)))


two_classes = Combo(
    (Leg(option(3500, Right.CALL, "SPX"), Action.SELL), Leg(option(3550, Right.CALL), Action.BUY))
)
put_spread = Combo((Leg(option(3100, Right.PUT), Action.SELL), Leg(option(3050, Right.PUT), Action.BUY)))
tranche = wish("tranche", vix_spread(), strategy="near_term", limit=1.0, reserves=True, tick=0.01)
future = wish(
    "tranche", single(FUTURE), quantity=21, strategy="near_term", limit=15.0, reserves=True, tick=0.05
)

SCENARIOS: dict[str, Scenario] = {
    "one_settlement": on_combo(two_classes, 1.0),
    "paper_account": Scenario(account="U1234567"),
    "trading_state": Scenario(halts=True),
    "structure_free": Scenario(always(ASKED), fills=False),
    "fresh_order_ref": Scenario(once(ASKED, OTHER), same_reference=True),
    "order_quantity": Scenario(once(wish("condor-asked", quantity=501))),
    "covered_shorts": on_combo(single(option(3500, Right.CALL), Action.SELL), -6.0),
    "closes_what_is_held": Scenario(once(wish("condor-asked", condor().reversed(), Intent.CLOSE, limit=6.0))),
    "self_cross": Scenario(once(ASKED, wish("condor-crossing", condor().reversed(), limit=6.0)), fills=False),
    "price_sign": on_combo(condor(), 1.0),
    "no_arbitrage_price": on_combo(condor(), -60.0),
    "sided_quotes": Scenario(rows={LEGS[1].con_id: replace(MARKET[LEGS[1].con_id], bid=None)}),
    "price_collar": on_combo(condor(), -9.0),
    "option_quote_age_s": Scenario(alive=(Feed.INDEX, Feed.FUTURE)),
    "index_quote_age_s": Scenario(alive=(Feed.OPTION, Feed.FUTURE)),
    "future_quote_age_s": Scenario(once(tranche), alive=(Feed.OPTION, Feed.INDEX)),
    "orders_per_minute": Scenario(once(ASKED, OTHER), rules={"risk": {"orders_per_minute_max": 1}}),
    "round_trips_per_day": Scenario(round_trip, rules={"risk": {"round_trips_per_day_max": 1}}),
    "nav_age_s": Scenario(
        lambda snapshot, *_: [ASKED] if snapshot.time > START + timedelta(minutes=2) else [],
        figures=lambda since: None if since > timedelta(0) else RICH,
    ),
    "initiation_usd": Scenario(figures=lambda _: AccountTaken(1e5, 1e5, 0.0, 0.0)),
    "open_max_loss_usd": Scenario(rules={"risk": {"open_max_loss_fraction": 0.001}}),
    "margin_usd": Scenario(figures=lambda _: AccountTaken(1e6, 1e6, 399e3, 0.0)),
    "margin_told_usd": Scenario(failing=frozenset({"margin"})),
    "vix_futures_count": Scenario(
        once(future), rows={FUTURE.con_id: Quote(14.95, 15.0, None, START)}, figures=lambda _: VAST
    ),
    "beta_delta_fraction": replace(
        on_combo(put_spread, -3.0), rows={SPX.con_id: replace(INDEX, last=3060.0)}
    ),
    "quick_ratio": Scenario(figures=lambda _: AccountTaken(1e6, 5e3, 0.0, 0.0)),
    "condors_per_expiry": Scenario(one_by_one(ASKED, OTHER, THIRD), figures=lambda _: RICH),
    "open_condors": Scenario(one_by_one(ASKED, OTHER), rules={"condor": {"open_max_count": 1}}),
    "daily_loss_fraction": Scenario(
        lambda snapshot, *_: [ASKED] if snapshot.time > START + timedelta(minutes=2) else [],
        figures=after_open(AccountTaken(1e6, 1e6, 0.0, 0.0), AccountTaken(0.979e6, 1e6, 0.0, 0.0)),
    ),
    "drawdown_fraction": Scenario(
        lambda snapshot, *_: [ASKED] if snapshot.time > START + timedelta(minutes=2) else [],
        figures=after_open(AccountTaken(1e6, 1e6, 0.0, 0.0), AccountTaken(0.9e6, 1e6, 0.0, 0.0)),
    ),
}
#: Where the check is not alone in its refusal: what else is wrong in the same scenario by its nature.
BESIDE = {
    "option_quote_age_s": {"trading_state"},
    "index_quote_age_s": {"trading_state"},
}
#: Refusals that end by themselves: what was refused may go later, or went before.
FOR_A_WHILE = {"structure_free", "orders_per_minute", "self_cross"}


def put_in(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    """The strategy of the scenario in place of the condor's, and nothing in place of the hedge's."""

    def condors(snapshot: Any, state: Any, structures: tuple[Structure, ...], *rest: Any) -> Any:
        return state, Evaluation(proposals=tuple(scenario.wants(snapshot, structures, rest[2])), lines=LEGS)

    monkeypatch.setattr(iron_condor, "evaluate", condors)
    monkeypatch.setattr(
        vix_hedge, "evaluate", lambda snapshot, state, *rest: (state, {"near_term": Evaluation()})
    )
    if scenario.same_reference:
        monkeypatch.setattr(decide, "order_reference", lambda *_: "alvh:iron_condor:the-same")


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_check_denies_and_nothing_of_it_is_sent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = SCENARIOS[name]
    put_in(monkeypatch, scenario)
    desk = Desk(tmp_path / "journal", allowed=scenario.account, rules=scenario.rules)

    async def script() -> None:
        broker = desk.broker()
        broker.quotes = tuple(
            (con_id, one.bid, one.ask, one.last) for con_id, one in {**MARKET, **scenario.rows}.items()
        )
        broker.alive, broker.fills = scenario.alive, scenario.fills
        broker.failing = set(scenario.failing)
        plain = broker.account_now
        told = scenario.figures

        def figures() -> AccountTaken | None:
            since = broker.clock.now() - START
            found = told(since)
            return found if found is not None or name == "nav_age_s" else plain()

        broker.account_now = figures  # type: ignore[method-assign]  # the script's own account
        daemon, journal = desk.daemon()
        if scenario.halts:
            daemon.post(OperatorCommanded("halt", "a trader", "lunch"))
        await daemon.run(REACHED)
        journal.release()

    play(desk, script)
    denied = [one for one in desk.told.decisions if one.verb is Verb.DENY]
    mine = [one for one in denied if name in refusals(one)]
    assert mine, f"{name} refused nothing; {[refusals(one) for one in denied]}"
    if name in BESIDE:
        assert BESIDE[name] >= refusals(mine[0]) - {name}
    sent = {one.order_ref for one in desk.broker_of_record().placed}
    assert not sent & {one.order_ref for one in mine if one.order_ref}
    asked = {one.structure_id for one in mine}
    opened = [one for one in desk.told.decisions if one.verb in (Verb.OPEN, Verb.CLOSE)]
    if name not in FOR_A_WHILE:
        assert not asked & {one.structure_id for one in opened}
    assert len(sent) == len(opened)


def refusals(decision: Decision) -> set[str]:
    return {check.name for check in decision.checks if not check.passed}


def test_no_check_is_without_its_scenario() -> None:
    verdicts = [
        review(opening(), healthy(), limits()),
        review(hedge(), healthy(), limits()),
        review(closing(), healthy(stakes=(stake(),)), limits()),
    ]
    names = {check.name for verdict in verdicts for check in verdict.checks}
    assert names == set(SCENARIOS)
