"""Legs that belong to no structure: set aside by name, and a halt when an order of our name traded them."""

from dataclasses import replace

import pytest

from bot.engine.differences import set_aside
from bot.engine.state import EngineState
from bot.events import Alert, Executed, OperatorCommanded, Reconciled
from market.contract import Contract, SecurityType
from market.order import Fill
from risk.state import Cause, TradingState
from tests.bot.engine.desk import NOW, after, at_work, executions, held, known, later, take
from tests.bot.engine.test_closed_by_hand import LINE, holding
from tests.risk.book import condor

SPY = Contract(SecurityType.STOCK, "SPY", con_id=77)
GHOST = "alvh:iron_condor:20200131T153000-9"


def bought(ref: str, count: int = 3, tag: str = "s") -> Executed:
    """An execution in a contract of no structure."""
    return Executed(Fill(f"{tag}.01", ref, 5, SPY.con_id, count, 300.0, NOW), SPY)


def listing(*strange: Executed) -> Reconciled:
    """The broker lists our two condors and these."""
    count = sum(one.fill.quantity for one in strange)
    mine = executions(LINE, 2)
    positions = (*held((condor(), 2)), *(((SPY.con_id, count),) if count else ()))
    return known((), positions, (*mine, *strange))


def halt(state: EngineState) -> str:
    """Why trading is halted, or nothing."""
    return dict(state.risk.causes).get(Cause.HALT, "")


def listed(state: EngineState, *strange: Executed, seconds: float = 1.0) -> EngineState:
    """The state after such a list."""
    return after(state, listing(*strange), time=later(seconds))


def test_legs_of_an_order_of_our_name_that_nobody_here_knows_halt_once_they_are_told_twice() -> None:
    once = listed(holding(), bought(GHOST))
    assert (once.risk.trading, halt(once)) == (TradingState.REDUCING, "")
    done = take(once, listing(bought(GHOST)), later(31))
    assert done.state.risk.trading is TradingState.HALTED
    why = f"+3 of {SPY.describe()} by {GHOST}, an order this journal does not know: set aside"
    assert halt(done.state) == why
    (alert,) = [one for one in done.commands if isinstance(one, Alert)]
    assert (alert.name, why in alert.text) == ("trading.halted", True)
    told_live = listed(after(holding(), bought(GHOST)), bought(GHOST))
    assert halt(told_live) == why


def test_they_are_counted_in_no_structure_and_a_resume_waits_until_they_are_gone() -> None:
    state = listed(listed(holding(), bought(GHOST)), bought(GHOST), seconds=31)
    assert set_aside(state) == {SPY.con_id: 3}
    assert state.structures == holding().structures
    refused = after(state, OperatorCommanded("resume", "ann", "seen"), time=later(40))
    assert refused.risk.trading is TradingState.HALTED
    sold = bought("", -3, "t")
    state = listed(state, bought(GHOST), sold, seconds=61)
    assert set_aside(state) == {}
    assert [cause for cause, _ in state.risk.causes] == [Cause.HALT]
    state = after(state, OperatorCommanded("resume", "ann", "sold"), time=later(70))
    assert listed(state, bought(GHOST), sold, seconds=91).risk.trading is TradingState.ACTIVE


@pytest.mark.parametrize("ref", ["", "mine", "al"])
def test_what_a_person_trades_is_set_aside_and_never_halts(ref: str) -> None:
    state = holding()
    for turn in range(4):
        state = listed(state, bought(ref), seconds=30.0 * turn)
    assert (state.risk.trading, set_aside(state)) == (TradingState.REDUCING, {SPY.con_id: 3})


def test_a_reference_that_was_garbled_on_the_line_halts_nothing() -> None:
    clear = executions(LINE, 2)
    garbled = replace(clear[0], fill=replace(clear[0].fill, order_ref="alvh:iron\ufffd"))
    state = after(at_work(LINE), garbled, *clear[1:])
    assert set_aside(state) == {garbled.fill.con_id: garbled.fill.quantity}
    state = listed(state)
    assert (state.risk.causes, set_aside(state)) == ((), {})


def test_what_only_the_brokers_positions_tell_is_set_aside_too() -> None:
    state = after(holding(), known((), (*held((condor(), 2)), (4711, -2))), time=later(1))
    assert (set_aside(state), state.risk.trading) == ({4711: -2}, TradingState.REDUCING)
