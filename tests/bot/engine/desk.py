"""An engine at its desk: a ready state, orders under way, and the broker's words about them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bot.engine.book import with_order, with_structure
from bot.engine.state import EngineState, OrderLine, Step
from bot.engine.step import step
from bot.events import (
    AccountTaken,
    Connected,
    ContractsNamed,
    Event,
    Executed,
    Opened,
    OrderReported,
    Reconciled,
    TimedEvent,
)
from config.loader import load_rules
from config.release_calendar import shipped_calendar
from config.settings import SHIPPED_RULES
from market.contract import Combo, Contract, SecurityType
from market.expiries import vix_final_settlement
from market.order import Fill, Order, OrderStatus
from strategies.base import Intent, Structure
from tests.risk.book import condor

SESSION = date(2020, 2, 3)
NOW = datetime(2020, 2, 3, 15, 30, tzinfo=UTC)  # 10:30 in New York
ACCOUNT = "DU0000000"
SPX = Contract(SecurityType.INDEX, "SPX", exchange="CBOE", con_id=1)
BREADTH = Contract(SecurityType.INDEX, "AD-NYSE", exchange="NYSE", con_id=4)
FUTURES = tuple(
    Contract(
        SecurityType.FUTURE,
        "VIX",
        "VX",
        vix_final_settlement(2020, month),
        multiplier=1000,
        con_id=10 + month,
    )
    for month in (2, 3, 4)
)
NAMED = (SPX, BREADTH, *FUTURES)


def opened(start: int = 1, account: str = ACCOUNT) -> Opened:
    """The first record under the shipped rules."""
    rules = load_rules(SHIPPED_RULES)
    return Opened(
        1,
        "simulated",
        account,
        start,
        "alvh test",
        (),
        rules.model_dump(mode="json"),
        "hash",
        calendar=shipped_calendar(),
    )


def take(state: EngineState, event: Event, time: datetime = NOW) -> Step:
    """One event through the engine."""
    return step(state, TimedEvent(time, event))


def after(state: EngineState, *events: Event, time: datetime = NOW) -> EngineState:
    """The state after some events at one moment."""
    for event in events:
        state = take(state, event, time).state
    return state


def ready(**changes: Any) -> EngineState:
    """Connected, named, reconciled, with an account: an engine that may trade."""
    state = after(
        EngineState(),
        opened(),
        Connected(ACCOUNT, 1),
        ContractsNamed(NAMED),
        Reconciled((), (), ()),
        AccountTaken(1e6, 1e6, 0.0, 0.0),
    )
    return replace(state, **changes)


def order_line(
    order_ref: str = "alvh:iron_condor:20200203T153000-1",
    combo: Combo | None = None,
    quantity: int = 2,
    status: OrderStatus = OrderStatus.WORKING,
    intent: Intent = Intent.OPEN,
    structure_id: str = "condor-2020-W06-1",
    **changes: Any,
) -> OrderLine:
    """An order sent at NOW, working unless told otherwise."""
    combo = combo if combo is not None else condor()
    order = Order(order_ref, combo, quantity, -5.0, status, perm_id=900, placed_at=NOW)
    line = OrderLine(order, "iron_condor", structure_id, intent, -5.0, -4.0, 0.05, NOW, NOW)
    return replace(line, **changes)


def at_work(line: OrderLine, state: EngineState | None = None) -> EngineState:
    """The state with this order in the book, and its structure where it has none yet."""
    state = with_order(state if state is not None else ready(), line)
    if line.structure_id not in state.structures:
        combo = line.order.combo if line.intent is Intent.OPEN else line.order.combo.reversed()
        state = with_structure(state, Structure(line.structure_id, line.strategy, combo, SESSION))
    return state


def executions(
    line: OrderLine, units: int = 1, tag: str = "x", price: float = 2.0, legs: int | None = None
) -> tuple[Executed, ...]:
    """Executions of `units`, one of each leg (or of the first few)."""
    return tuple(
        execution(line, index, units, f"{tag}{index}.01", price + index)
        for index in range(len(line.order.combo.legs) if legs is None else legs)
    )


def execution(line: OrderLine, index: int, units: int, exec_id: str, price: float = 2.0) -> Executed:
    """One execution of one leg of an order."""
    leg = line.order.combo.legs[index]
    quantity = units * leg.signed_ratio
    fill = Fill(exec_id, line.order.order_ref, 900, leg.contract.con_id, quantity, price, NOW)
    return Executed(fill, leg.contract)


def report(
    line: OrderLine, status: OrderStatus, filled: int = 0, perm_id: int = 900, **changes: Any
) -> OrderReported:
    """The broker's word about an order."""
    return OrderReported(line.order.order_ref, perm_id, status, filled, **changes)


def held(*combos: tuple[Combo, int]) -> tuple[tuple[int, int], ...]:
    """The broker's positions for whole units of combos."""
    counts: dict[int, int] = {}
    for combo, quantity in combos:
        for leg in combo.legs:
            con_id = leg.contract.con_id
            counts[con_id] = counts.get(con_id, 0) + quantity * leg.signed_ratio
    return tuple(sorted(counts.items()))


def known(
    orders: Sequence[OrderReported] = (),
    positions: Sequence[tuple[int, int]] = (),
    done: Sequence[Executed] = (),
) -> Reconciled:
    """A complete snapshot of what the broker knows."""
    return Reconciled(tuple(orders), tuple(done), tuple(positions))


def later(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)
