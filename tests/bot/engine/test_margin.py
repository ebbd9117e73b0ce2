"""The broker's margin: asked for before what needs it, kept for a while, never asked for too often."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.engine.decision import Verb
from bot.engine.margin import ask_margin, margin_told, told_margin
from bot.engine.state import EngineState, Step
from bot.events import AccountTaken, AskMargin, Feed, MarginTold, QuotesTaken
from market.contract import Combo, Right, joined
from market.order import Fill
from market.quote import Quote
from risk.context import ToldMargin
from risk.verdict import Ruling, Verdict
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Intent, Proposal, Structure
from tests.bot.engine.desk import NOW, SESSION, SPX, later, ready, take
from tests.bot.engine.looking import HEDGE, INDEX, looking, placed, quoted, wish
from tests.risk.book import condor, limits, vix_spread

OTHER = condor(2950, 3000, 3600, 3650)
ROLL = replace(wish(), adjusts=True)


class Desk:
    """An engine that looks at the market when told to, and strategies that want what a test puts in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state: EngineState = looking(margins={})
        self.wanted: dict[str, Proposal] = {"iron_condor": wish()}
        self.quotes: dict[int, Quote] = {}
        monkeypatch.setattr(
            iron_condor, "evaluate", lambda snapshot, state, *rest: (state, self._found("iron_condor"))
        )
        monkeypatch.setattr(
            vix_hedge,
            "evaluate",
            lambda snapshot, state, *rest: (state, {"near_term": self._found("near_term")}),
        )

    def _found(self, strategy: str) -> Evaluation:
        proposal = self.wanted.get(strategy)
        return Evaluation(proposals=() if proposal is None else (proposal,))

    def look(self, seconds: float) -> Step:
        """A snapshot so many seconds from the beginning."""
        quotes = {SPX.con_id: INDEX, **quoted(condor(), OTHER, vix_spread()), **self.quotes}
        rows = tuple((con_id, one.bid, one.ask, one.last) for con_id, one in quotes.items())
        now = later(seconds)
        self.state = take(self.state, AccountTaken(1e6, 1e6, 0.0, 0.0), now).state
        return self._take(QuotesTaken(rows, tuple(Feed)), now)

    def tell(self, seconds: float, usd: float | None, reason: str = "", key: str = "") -> Step:
        """The broker answers the last question, or another one."""
        last = list(self.state.margins.values())[-1].key
        return self._take(MarginTold(key or last, usd, reason), later(seconds))

    def _take(self, event: object, now: datetime) -> Step:
        done = take(self.state, event, now)  # type: ignore[arg-type]  # events all
        self.state = replace(done.state, look_due=True)
        return done


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One condor is wanted."""
    return Desk(monkeypatch)


def asked(done: Step) -> list[AskMargin]:
    return [command for command in done.commands if isinstance(command, AskMargin)]


def said(done: Step) -> list[tuple[Verb, str]]:
    return [(one.verb, one.reason) for one in done.decisions]


def test_a_condor_is_asked_about_before_it_is_opened_and_held_meanwhile(desk: Desk) -> None:
    first = desk.look(0)
    (command,) = asked(first)
    assert (command.combo, command.quantity, command.limit) == (condor(), 1, -6.0)
    assert (Verb.HOLD, "margin asked for condor-2020-W06-1") in said(first)
    assert not placed(first)
    second = desk.look(5)
    assert not asked(second)
    assert not placed(second)
    told = desk.tell(7, 4500.0)
    assert told.state.look_due
    opened = desk.look(7)
    assert [order.quantity for order in placed(opened)] == [1]
    (decision,) = [one for one in opened.decisions if one.verb is Verb.OPEN]
    values = {check.name: check.value for check in decision.checks}
    assert (values["margin_usd"], values["margin_told_usd"]) == (4500.0, 4500.0)


def test_a_figure_over_the_limit_refuses(desk: Desk) -> None:
    desk.look(0)
    desk.tell(1, 400_001.0)
    done = desk.look(5)
    assert (Verb.DENY, "risk refuses condor-2020-W06-1: margin_usd") in said(done)
    assert not placed(done)
    assert not asked(done)


def test_without_a_figure_nothing_opens_and_the_reason_is_told_until_one_comes(desk: Desk) -> None:
    desk.look(0)
    desk.tell(10, None, "no answer in 10 s")
    done = desk.look(15)
    assert (Verb.DENY, "risk refuses condor-2020-W06-1: margin_told_usd") in said(done)
    (denied,) = [one for one in done.decisions if one.verb is Verb.DENY]
    assert [check.value for check in denied.checks if not check.passed] == ["no answer in 10 s"]
    assert asked(done) == asked(desk.look(55)) == []
    again = desk.look(60)
    assert len(asked(again)) == 1
    assert not said(again), "asked again is no news"
    desk.tell(61, 4500.0)
    assert placed(desk.look(65))


def test_an_answer_ages_and_belongs_to_its_legs_and_its_units(desk: Desk) -> None:
    desk.look(0)
    desk.tell(1, 4500.0)
    desk.wanted["iron_condor"] = wish(combo=OTHER)
    assert asked(desk.look(30)) == [], "not sooner than a minute after the last question"
    assert [command.combo for command in asked(desk.look(61))] == [OTHER]
    desk.tell(62, 4500.0)
    desk.wanted["iron_condor"] = wish(combo=OTHER, quantity=2)
    more = desk.look(130)
    assert [command.quantity for command in asked(more)] == [2]
    assert not placed(more)
    desk.tell(131, 9000.0)
    old = desk.look(131 + 301)
    assert asked(old)
    assert not placed(old)


def test_fewer_units_than_asked_for_may_go(desk: Desk) -> None:
    desk.wanted["iron_condor"] = wish(quantity=2)
    desk.look(0)
    desk.tell(1, 9000.0)
    desk.wanted["iron_condor"] = wish(quantity=1)
    assert [order.quantity for order in placed(desk.look(5))] == [1]


def test_an_answer_to_an_earlier_question_says_nothing(desk: Desk) -> None:
    desk.look(0)
    desk.tell(1, 4500.0, key="condor-2020-W06-1@20200203T000000")
    assert not placed(desk.look(5))


def test_questions_of_long_ago_are_forgotten(desk: Desk) -> None:
    desk.look(0)
    desk.wanted["iron_condor"] = wish("condor-2020-W06-2")
    desk.look(301)
    assert list(desk.state.margins) == ["condor-2020-W06-2"]


def test_a_hedge_that_only_pays_its_premium_is_not_asked_about(desk: Desk) -> None:
    desk.wanted = {"near_term": HEDGE}
    done = desk.look(0)
    assert placed(done)
    assert not asked(done)


def test_what_something_else_refuses_is_not_asked_about(desk: Desk) -> None:
    desk.wanted["iron_condor"] = wish(limit=-9.0)
    assert not asked(desk.look(0))
    desk.wanted["iron_condor"] = wish(combo=condor().reversed(), intent=Intent.CLOSE, limit=6.0)
    assert not asked(desk.look(5))


def rolling(desk: Desk) -> Proposal:
    """A condor that is held, and the wish to move its calls inwards."""
    held, moved = condor(), condor(3050, 3100, 3400, 3450)
    calls = [leg for leg in held.legs if leg.contract.right is Right.CALL]
    fresh = [leg for leg in moved.legs if leg.contract.right is Right.CALL]
    roll = joined([(Combo(tuple(calls)).reversed(), 1), (Combo(tuple(fresh)), 1)])
    assert roll is not None
    opened = tuple((leg.contract.con_id, leg.signed_ratio) for leg in held.legs)
    name = wish().structure_id
    structure = Structure(name, "iron_condor", held, SESSION, opened, opened_cost=-6.0)
    desk.state = replace(desk.state, structures={name: structure})
    for leg in held.legs:
        fill = Fill(f"x{leg.contract.con_id}.01", "r", 1, leg.contract.con_id, leg.signed_ratio, 2.0, NOW)
        desk.state = replace(desk.state, portfolio=desk.state.portfolio.apply(fill))
    shown = zip(roll.legs, (6.95, 3.95, 2.95, 0.95), strict=True)  # one point is brought in
    desk.quotes = {leg.contract.con_id: Quote(bid, bid + 0.1, None, NOW) for leg, bid in shown}
    return replace(wish(combo=roll, limit=-1.0), adjusts=True)


@pytest.mark.parametrize(("usd", "sent"), [(0.0, True), (-500.0, True), (400_001.0, False)])
def test_a_roll_is_asked_about_like_an_opening_and_refused_when_it_needs_too_much(
    desk: Desk, usd: float, sent: bool
) -> None:
    roll = rolling(desk)
    desk.wanted["iron_condor"] = roll
    first = desk.look(0)
    assert [command.combo for command in asked(first)] == [roll.combo]
    assert not placed(first)
    desk.tell(1, usd)
    done = desk.look(5)
    assert [order.combo for order in placed(done)] == ([roll.combo] if sent else [])
    if not sent:
        assert (Verb.DENY, f"risk refuses {roll.structure_id}: margin_usd") in said(done)


def test_a_roll_without_the_brokers_figure_does_not_go(desk: Desk) -> None:
    desk.wanted["iron_condor"] = rolling(desk)
    desk.look(0)
    desk.tell(1, None, "no answer in 10 s")
    done = desk.look(5)
    assert not placed(done)
    assert any(verb is Verb.DENY and reason.endswith("margin_told_usd") for verb, reason in said(done))


LIMITS = limits()
AGE_MAX, AGAIN = (
    timedelta(seconds=seconds) for seconds in (LIMITS.margin_told_age_max_s, LIMITS.margin_ask_again_s)
)
DENIED = Verdict(Ruling.DENIED, 0, ())


def put(state: EngineState, proposal: Proposal, time: datetime) -> EngineState:
    """The question put, or held back."""
    return ask_margin(state, proposal, DENIED, Evaluation(), 1, LIMITS, time).state


def test_an_answer_holds_up_to_its_age_and_not_beyond() -> None:
    state = put(ready(margins={}), wish(), NOW)
    (ask,) = state.margins.values()
    state = margin_told(state, MarginTold(ask.key, 4500.0, ""), later(2)).state
    assert told_margin(state, wish(), LIMITS, later(2) + AGE_MAX) == ToldMargin(1, 4500.0)
    assert told_margin(state, wish(), LIMITS, later(3) + AGE_MAX) is None


def test_a_question_put_again_stands_as_unanswered_for_the_same_legs_only() -> None:
    state = put(ready(margins={}), wish(), NOW)
    (ask,) = state.margins.values()
    state = margin_told(state, MarginTold(ask.key, None, "no answer in 10 s"), later(10)).state
    again = put(state, wish(), NOW + AGAIN)
    assert told_margin(again, wish(), LIMITS, NOW + AGAIN) == ToldMargin(1, None, "no answer in 10 s")
    other = wish(combo=OTHER)
    assert told_margin(put(state, other, NOW + AGAIN), other, LIMITS, NOW + AGAIN) is None


def test_a_question_is_remembered_for_as_long_as_its_answer_may_hold() -> None:
    assert AGE_MAX > AGAIN
    first, second = put(ready(margins={}), wish(), NOW), wish("condor-2020-W06-2")
    assert set(put(first, second, NOW + AGE_MAX).margins) == {wish().structure_id, second.structure_id}
    assert set(put(first, second, later(1) + AGE_MAX).margins) == {second.structure_id}
