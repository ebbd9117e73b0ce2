"""What was garbled on the line is put right when the broker tells it again."""

from dataclasses import replace

from bot.engine import book
from bot.engine.state import EngineState
from bot.events import Executed
from risk.state import Cause
from tests.bot.engine.desk import NOW, at_work, execution, order_line

OPENING = order_line(quantity=5)


def folded(state: EngineState, heard: list[Executed]) -> EngineState:
    for one in heard:
        state = book.apply_execution(state, one, NOW)
    return state


def test_an_execution_first_heard_under_a_garbled_reference_counts_for_its_order_when_it_is_told_again() -> (
    None
):
    clear = [execution(OPENING, leg, 2, f"g{leg}.01") for leg in range(4)]
    garbled = [replace(clear[0], fill=replace(clear[0].fill, order_ref="alvh:iron\ufffd")), *clear[1:]]
    state = folded(at_work(OPENING), garbled)
    assert "belongs to no order of ours" in dict(state.risk.causes)[Cause.MISMATCH]
    assert state.orders[OPENING.order.order_ref].order.filled == 0
    again = folded(state, clear)
    assert again.portfolio.positions() == state.portfolio.positions()
    assert again.orders[OPENING.order.order_ref].order.filled == 2
    assert again.structures[OPENING.structure_id].quantity == 2
    assert folded(again, clear) == again
