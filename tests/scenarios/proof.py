"""What must hold between a journal and the venue it traded at, whatever was killed on the way."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.engine.state import EngineState
from bot.events import Reconciled
from bot.journal.checkpoint import fold, recover
from bot.journal.records import event_of
from bot.journal.writer import Record, read_records, verify
from bot.review.replay import replay
from market.order import OrderStatus

COMBO_CON_ID = 28812380


@dataclass
class Venue:
    """The broker's side: orders as (reference, permanent id), executions of single contracts, positions."""

    orders: list[tuple[str, int]] = field(default_factory=list)
    executed: dict[str, tuple[str, int, int]] = field(
        default_factory=dict
    )  # id -> ref, con_id, signed quantity
    units: Counter[str] = field(default_factory=Counter)  # filled units of each order reference
    positions: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> "Venue":
        """From the gateway's durable state."""
        blotter = state["blotter"]
        venue = cls()
        for row in (*blotter["working"], *blotter["ended"]):
            reference = row["request"]["order_ref"]
            venue.orders.append((reference, row["perm_id"]))
            venue.units[reference] += int(row["filled"])
        for row in blotter["executions"]:
            if row["con_id"] != COMBO_CON_ID:
                signed = int(row["quantity"]) * (1 if row["side"] == "BOT" else -1)
                venue.executed[row["exec_id"]] = (row["order_ref"], row["con_id"], signed)
        venue.positions = {
            row["contract"]["con_id"]: int(row["quantity"])
            for row in state["account"]["holdings"]
            if row["quantity"]
        }
        return venue


def prove(journal: Path, venue: Venue, *, is_closed: bool = True) -> EngineState:
    """Assert every invariant; the state the journal folds to."""
    chain = verify(journal)
    assert chain.fault is None, str(chain.fault)
    assert chain.closed == is_closed
    again = replay(journal)
    assert again.divergence is None, repr(again.divergence)
    records = list(read_records(journal))
    state = fold(EngineState(), records)
    assert recover(journal) == state, "a checkpoint is not the fold of the events before it"
    placed = {record.body["order_ref"]: record for record in records if record.kind == "PlaceOrder"}
    _orders(records, placed, venue)
    _executions(records, venue)
    fold_positions = {con_id: position.quantity for con_id, position in state.portfolio.positions().items()}
    assert fold_positions == venue.positions, "the journal's positions are not the broker's"
    for line in state.working():
        # A torn write can leave the event and lose the intent it led to: that order was never sent.
        is_known = line.order.order_ref in placed or line.order.status is OrderStatus.UNKNOWN
        assert is_known, "an order works that no durable intent explains"
    return state


def _orders(records: list[Record], placed: dict[str, Record], venue: Venue) -> None:
    intents = Counter(record.body["order_ref"] for record in records if record.kind == "PlaceOrder")
    assert not [ref for ref, count in intents.items() if count > 1], "one reference was intended twice"
    lives = Counter(reference for reference, _ in venue.orders)
    assert not [ref for ref, count in lives.items() if count > 1], "one reference lives twice at the broker"
    strangers = set(lives) - set(placed)
    assert not strangers, f"orders at the broker without a durable intent: {strangers}"
    for reference, filled in venue.units.items():
        assert filled <= placed[reference].body["quantity"], f"{reference} traded more than was decided"


def _executions(records: list[Record], venue: Venue) -> None:
    """Every execution of the broker is in the journal, as it was, however often it was told."""
    told: dict[str, tuple[str, int, int]] = {}
    for record in records:
        timed = event_of(record) if record.kind in {"Executed", "Reconciled"} else None
        if timed is None:
            continue
        event = timed.event
        for executed in event.executions if isinstance(event, Reconciled) else (event,):
            fill = executed.fill  # type: ignore[union-attr]  # both kinds carry executions
            told[fill.exec_id] = (fill.order_ref, fill.con_id, fill.quantity)
    assert {name: told.get(name) for name in venue.executed} == venue.executed
