"""Orders, their life as a table, and fills.

Only the broker's own evidence moves an order; what the client library concludes locally does not. UNKNOWN
is a state of its own: sent, and then the link died or the broker fell silent. It ends only when the broker
tells what became of the order.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from market.contract import Combo
from market.records import quickly_made


class OrderStatus(StrEnum):
    """Where an order stands, by the broker's evidence."""

    INTENT = "intent"  # durable in the journal, not yet on the wire
    SENT = "sent"  # handed to the transport
    WORKING = "working"  # acknowledged by the broker
    PARTIAL = "partial"  # some units traded
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"  # proved never to have reached the broker

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self in _ENDS


TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.INTENT: frozenset(
        {
            OrderStatus.SENT,
            OrderStatus.WORKING,
            OrderStatus.PARTIAL,
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
            OrderStatus.CANCEL_SENT,
            OrderStatus.UNKNOWN,
            OrderStatus.LOST,
        }
    ),
    OrderStatus.SENT: frozenset(
        {
            OrderStatus.WORKING,
            OrderStatus.PARTIAL,
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
            OrderStatus.CANCEL_SENT,
            OrderStatus.UNKNOWN,
        }
    ),
    OrderStatus.WORKING: frozenset(
        {
            OrderStatus.PARTIAL,
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
            OrderStatus.CANCEL_SENT,
            OrderStatus.UNKNOWN,
        }
    ),
    OrderStatus.PARTIAL: frozenset(
        {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.CANCEL_SENT, OrderStatus.UNKNOWN}
    ),
    OrderStatus.CANCEL_SENT: frozenset(
        {
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
            OrderStatus.WORKING,
            OrderStatus.PARTIAL,
            OrderStatus.REJECTED,
            OrderStatus.UNKNOWN,
        }
    ),
    OrderStatus.UNKNOWN: frozenset(
        {
            OrderStatus.WORKING,
            OrderStatus.PARTIAL,
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.REJECTED,
            OrderStatus.LOST,
        }
    ),
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REJECTED: frozenset(),
    OrderStatus.LOST: frozenset(),
}
_ENDS = tuple(status for status in OrderStatus if not TRANSITIONS[status])


def may_become(current: OrderStatus, following: OrderStatus) -> bool:
    """Whether the table allows the step."""
    return following in TRANSITIONS[current]


@quickly_made
@dataclass(frozen=True, slots=True)
class Order:
    """An order for `quantity` units of `combo` at a signed limit.

    The limit is cash paid for one unit, negative for a credit.
    `order_ref` is the identity that survives everything: it is derived from the decision and travels with
    the order for life.
    """

    order_ref: str
    combo: Combo
    quantity: int
    limit: float
    status: OrderStatus = OrderStatus.INTENT
    perm_id: int = 0
    filled: int = 0
    placed_at: datetime | None = None
    reason: str = ""

    @property
    def remaining(self) -> int:
        """Units not traded."""
        return self.quantity - self.filled


def execution_base(exec_id: str) -> str:
    """An execution's identity: its id without the last segment, which only counts its corrections."""
    base, dot, _ = exec_id.rpartition(".")
    return base if dot else exec_id


def execution_revision(exec_id: str) -> int:
    """The number in the last segment of an execution id; 0 where it is not a number."""
    revision = exec_id.rpartition(".")[2]
    return int(revision) if revision.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one contract.

    `quantity` is signed: positive when bought. `commission` is None until it is reported.
    """

    exec_id: str
    order_ref: str
    perm_id: int
    con_id: int
    quantity: int
    price: float
    time: datetime
    commission: float | None = None
