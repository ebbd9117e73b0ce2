"""From a proposal to an order on its way, and how often a reason for none is told."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.book import apply_execution
from bot.engine.break_evens import net_credit
from bot.engine.decision import Verb
from bot.engine.orders import RETOLD, hold, order_reference, place
from bot.engine.state import EngineState, Step
from bot.events import PlaceOrder
from market.contract import Combo
from market.order import OrderStatus
from risk.verdict import Check, Ruling, Verdict
from strategies.base import Evaluation, Gate, Intent, Proposal, Reading, Structure
from tests.bot.engine.desk import NOW, SESSION, at_work, execution, later, order_line, ready
from tests.risk.book import condor

APPROVED = Verdict(Ruling.APPROVED, 2, (Check("price_sign", -4.0, "< 0", True),))
DENIED = Verdict(Ruling.DENIED, 0, (Check("price_sign", 4.0, "< 0", False),))
FOUND = Evaluation(
    readings=(Reading("credit_to_width", 0.2, 0.15, ">=", True),), gates=(Gate("entry_window", True),)
)
BLOCKED = Evaluation(gates=(Gate("entry_window", False, "09:31 in 10:00-15:00"),))


def wish(combo: Combo | None = None, intent: Intent = Intent.OPEN, structure_id: str = "s") -> Proposal:
    """A proposal of two condors."""
    combo = combo if combo is not None else condor()
    return Proposal("iron_condor", structure_id, intent, combo, 2, -5.0, -4.0, 46.0, "weekly entry")


def placed(state: EngineState, proposal: Proposal) -> Step:
    """The proposal as an order."""
    ref = order_reference(state, proposal.strategy, NOW)
    return place(state, proposal, APPROVED, FOUND, ref, NOW)


def test_an_approved_proposal_becomes_an_order_whose_reference_names_its_decision() -> None:
    done = placed(ready(), wish())
    (decision,), (command,) = done.decisions, done.commands
    assert isinstance(command, PlaceOrder)
    assert command.order_ref == decision.order_ref == f"alvh:iron_condor:{decision.decision_id}"
    assert (decision.verb, decision.quantity, decision.limit) == (Verb.OPEN, 2, -5.0)
    assert (decision.readings, decision.gates, decision.checks) == (
        FOUND.readings,
        FOUND.gates,
        APPROVED.checks,
    )
    line = done.state.orders[command.order_ref]
    assert (line.order.status, line.limit_worst, line.sent_at) == (OrderStatus.INTENT, -4.0, NOW)
    structure = done.state.structures["s"]
    assert (structure.opened, structure.combo, structure.is_flat) == (SESSION, condor(), True)


def test_an_order_speaks_for_the_looks_since_the_last_word_and_counting_begins_anew() -> None:
    state = hold(ready(), "iron_condor", BLOCKED, NOW).state
    state = hold(state, "iron_condor", BLOCKED, later(5)).state
    done = placed(state, wish())
    assert done.decisions[0].evaluations == 2
    (decision,) = hold(done.state, "iron_condor", BLOCKED, later(10)).decisions
    assert decision.evaluations == 1


def test_an_adjustment_is_told_as_one_and_gives_its_structure_no_reason_to_close() -> None:
    state = at_work(order_line(structure_id="s"))
    done = placed(state, replace(wish(condor().reversed(), Intent.CLOSE), adjusts=True))
    assert done.decisions[0].verb is Verb.ADJUST
    assert done.state.structures["s"] == state.structures["s"]


def test_every_word_takes_the_next_number() -> None:
    first = hold(ready(), "iron_condor", BLOCKED, NOW)
    second = hold(first.state, "iron_condor", FOUND, later(5))
    third = placed(second.state, wish())
    numbers = [done.decisions[0].decision_id.rpartition("-")[2] for done in (first, second, third)]
    begun = ready().decisions
    assert numbers == [str(begun + 1), str(begun + 2), str(begun + 3)]
    assert third.state.decisions == begun + 3


def test_references_are_never_the_same_twice() -> None:
    state = ready()
    refs = []
    for number in range(3):
        done = placed(state, wish(structure_id=f"s{number}"))
        refs += list(done.state.orders)[-1:]
        state = done.state
    assert len(set(refs)) == 3


def test_an_attempt_that_traded_nothing_gives_its_place_to_the_next_with_other_strikes() -> None:
    other = condor(low=3000)
    state = placed(ready(), wish()).state
    assert placed(state, wish(other)).state.structures["s"].combo == other


def test_a_shifted_condor_carries_what_its_units_brought_in_before_and_the_side_that_is_done() -> None:
    combo, count = condor(), 2
    held = tuple((leg.contract.con_id, leg.signed_ratio * count) for leg in combo.legs)
    gone = tuple((con_id, -quantity) for con_id, quantity in held)
    origin = Structure(
        "s",
        "iron_condor",
        combo,
        SESSION,
        held,
        gone,
        opened_cost=-24.0,
        closed_cost=33.0,
        fees_usd=21.2,
        closed_reason="time, puts to be shifted",
    )
    state = ready(structures={"s": origin})
    follows = replace(wish(condor(low=3000), structure_id="s-shifted"), follows="s")
    successor = placed(state, follows).state.structures["s-shifted"]
    assert (successor.follows, successor.adjustments) == ("s", ("time, puts to be shifted",))
    assert (successor.carried, successor.carried_fees_usd) == (4.5, 10.6)
    opened = replace(
        successor,
        opened_legs=tuple((leg.contract.con_id, leg.signed_ratio) for leg in successor.combo.legs),
        opened_cost=-18.0,
        fees_usd=5.3,
    )
    assert opened.credit == 13.5
    assert net_credit(opened) == 18.0 - 0.053 - 4.5 - 0.106
    unclosed = replace(origin, closed_legs=(), closed_cost=0.0)
    assert not placed(ready(structures={"s": unclosed}), follows).state.structures["s-shifted"].follows


def test_a_structure_that_has_traded_keeps_its_strikes() -> None:
    line = order_line(structure_id="s", status=OrderStatus.CANCELLED)
    state = apply_execution(at_work(line), execution(line, 0, 1, "x.01"), NOW)
    assert placed(state, wish(condor(low=3000))).state.structures["s"] == state.structures["s"]


def test_a_close_writes_its_reason_on_the_structure_and_opens_none() -> None:
    line = order_line(structure_id="s")
    done = placed(at_work(line), wish(condor().reversed(), Intent.CLOSE))
    assert done.state.structures["s"].closed_reason == "weekly entry"
    assert done.decisions[0].verb is Verb.CLOSE
    unknown = placed(ready(), wish(condor().reversed(), Intent.CLOSE))
    assert unknown.state.structures == {}


def test_the_reason_to_hold_names_the_gates_that_block() -> None:
    (decision,) = hold(ready(), "iron_condor", BLOCKED, NOW).decisions
    assert (decision.verb, decision.reason) == (Verb.HOLD, "blocked by entry_window")
    assert (decision.structure_id, decision.quantity, decision.limit) == ("", 0, None)
    (decision,) = hold(ready(), "iron_condor", Evaluation(), NOW).decisions
    assert decision.reason == "nothing to do"


def test_a_refusal_names_the_checks_that_failed_and_what_was_proposed() -> None:
    (decision,) = hold(ready(), "iron_condor", FOUND, NOW, (wish(), DENIED)).decisions
    assert (decision.verb, decision.reason) == (Verb.DENY, "risk refuses s: price_sign")
    assert (decision.structure_id, decision.quantity, decision.limit) == ("s", 2, -5.0)
    empty = Verdict(Ruling.DENIED, 0, ())
    (decision,) = hold(ready(), "iron_condor", FOUND, NOW, (wish(), empty)).decisions
    assert decision.reason == "risk refuses s: no size left"


def test_the_same_reason_is_told_again_only_after_a_quarter_of_an_hour() -> None:
    first = hold(ready(), "iron_condor", BLOCKED, NOW)
    again = hold(first.state, "iron_condor", BLOCKED, NOW + RETOLD - timedelta(seconds=1))
    assert again.decisions == ()
    (decision,) = hold(again.state, "iron_condor", BLOCKED, NOW + RETOLD).decisions
    assert decision.evaluations == 2


def test_a_strategy_without_gates_says_that_there_is_nothing_to_do_once_a_session() -> None:
    first = hold(ready(), "near_term", Evaluation(), NOW)
    much_later = hold(first.state, "near_term", Evaluation(), NOW + 5 * RETOLD)
    assert much_later.decisions == ()
    tomorrow = replace(much_later.state, session=SESSION + timedelta(days=1))
    assert len(hold(tomorrow, "near_term", Evaluation(), NOW + timedelta(days=1)).decisions) == 1


def test_after_a_refusal_and_after_an_order_holding_is_news_again() -> None:
    state = hold(ready(), "iron_condor", BLOCKED, NOW).state
    refused = hold(state, "iron_condor", FOUND, later(5), (wish(), DENIED))
    assert len(hold(refused.state, "iron_condor", BLOCKED, later(10)).decisions) == 1
    ordered = placed(state, wish())
    assert len(hold(ordered.state, "iron_condor", BLOCKED, later(10)).decisions) == 1
    repeated = hold(placed(refused.state, wish()).state, "iron_condor", FOUND, later(10), (wish(), DENIED))
    assert len(repeated.decisions) == 1


@given(st.lists(st.sampled_from([BLOCKED, FOUND, Evaluation()]), max_size=30))
def test_the_decisions_told_stand_for_every_look(looks: list[Evaluation]) -> None:
    state, counted = ready(), 0
    for number, found in enumerate(looks):
        done = hold(state, "iron_condor", found, later(5 * number))
        counted += sum(decision.evaluations for decision in done.decisions)
        state = done.state
    assert counted + state.held_since.get("iron_condor", 0) == len(looks)


def test_a_late_fill_of_an_earlier_attempt_at_a_successor_carries_what_the_successor_does() -> None:
    line = order_line(structure_id="s-shifted", status=OrderStatus.CANCELLED)
    later_one = Structure(
        "s-shifted",
        "iron_condor",
        condor(low=3000),
        SESSION,
        (),
        (),
        follows="s",
        carried=4.5,
        adjustments=("x",),
    )
    state = replace(at_work(line), structures={"s-shifted": later_one})
    state = apply_execution(state, execution(line, 0, 1, "x.01"), NOW)
    (late,) = [one for name, one in state.structures.items() if "-late-" in name]
    assert (late.follows, late.carried, late.adjustments) == ("s", 4.5, ("x",))
    assert late.combo == line.order.combo
