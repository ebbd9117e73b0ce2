"""The venue's order and execution records, and the counters that name them.

Order ids belong to a client and only ever grow; permIds and execIds belong to the account and come from
counters that are part of the durable state, so that no identity is used twice and none depends on the wall
clock. An execId names the trading day, the fill, and last the version, which a correction raises: four
segments for a single contract and for a combo's own line, five for the legs of a combo, whose number comes
third.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from simulator.model import Execution, OrderLeg, OrderRequest, OrderState, WorkingOrder

NEW_YORK: Final = ZoneInfo("America/New_York")

#: permIds are positive 32-bit numbers; the day the account was opened spreads the numbers of different
#: accounts.
_PERM_ID_BASE: Final = 1_000_000_000
_PERM_IDS_PER_DAY: Final = 100_000
_PERM_ID_DAYS: Final = 11_000
_FIRST_FILL: Final = 0x60000001


class Blotter:
    """Working and ended orders, executions, and the next free identities."""

    def __init__(self, opened: datetime) -> None:
        """An empty blotter of an account opened at market time `opened`."""
        day = opened.astimezone(NEW_YORK).date().toordinal() % _PERM_ID_DAYS
        self.working: dict[int, WorkingOrder] = {}  # by permId, oldest first
        self.ended: list[WorkingOrder] = []
        self.executions: list[Execution] = []
        self._next_order_ids: dict[int, int] = {}
        self._next_perm_id = _PERM_ID_BASE + day * _PERM_IDS_PER_DAY + 1
        self._next_fill = _FIRST_FILL
        self._next_bound = -1

    def next_order_id(self, client_id: int) -> int:
        """One above the highest id this client ever had accepted."""
        return self._next_order_ids.get(client_id, 1)

    def find(self, client_id: int, order_id: int) -> WorkingOrder | None:
        """The client's order with this id, working or ended today."""
        if not order_id:
            return None  # made by hand and not bound: no client can name it
        for order in (*self.working.values(), *reversed(self.ended)):
            if (order.request.client_id, order.request.order_id) == (client_id, order_id):
                return order
        return None

    def on_side(self, request: OrderRequest) -> int:
        """Working orders in the same contract, or combination, on the same side."""
        side = _contract_side(request)
        return sum(_contract_side(order.request) == side for order in self.working.values())

    def enter(self, request: OrderRequest, now: datetime) -> WorkingOrder:
        """Give the order a permId and use up its order id."""
        order = WorkingOrder(request, self._next_perm_id, OrderState.PRE_SUBMITTED, placed_at=now)
        order.leg_costs = (0.0,) * max(1, len(request.legs))
        self._next_perm_id += 1
        self._next_order_ids[request.client_id] = max(
            self.next_order_id(request.client_id), request.order_id + 1
        )
        self.working[order.perm_id] = order
        return order

    def roll_back_order_ids(self, count: int) -> None:
        """Hand the last `count` order ids of every client out again, as a gateway restarted at night may."""
        for client, order_id in self._next_order_ids.items():
            self._next_order_ids[client] = max(1, order_id - count)

    def bound_id(self) -> int:
        """The next id of an order made by hand; they are negative."""
        self._next_bound -= 1
        return self._next_bound + 1

    def end(
        self, order: WorkingOrder, state: OrderState, status: str, now: datetime, reason: str = ""
    ) -> None:
        """Move an order to the ended ones."""
        order.state = state
        order.completed_status = status
        order.completed_at = now
        order.reason = reason
        del self.working[order.perm_id]
        self.ended.append(order)

    def fill_ids(self, now: datetime, legs: int) -> list[str]:
        """execIds of one fill: its own line, and for each of the `legs` of a combo another."""
        day = now.astimezone(NEW_YORK).date().toordinal()
        fill = self._next_fill
        self._next_fill += 1
        stem = f"{day:08x}.{fill:08x}"
        return [f"{stem}.01.01", *(f"{stem}.{leg:02d}.01.01" for leg in range(2, legs + 2))]

    def execution(self, exec_id: str) -> Execution:
        """The execution of this id. Raises KeyError when there is none."""
        for execution in self.executions:
            if execution.exec_id == exec_id:
                return execution
        raise KeyError(exec_id)

    def correct(self, exec_id: str, price: float) -> Execution:
        """Replace an execution by its next version at another price. Raises KeyError when there is none of
        that id.
        """
        old = self.execution(exec_id)
        stem, version = exec_id.rsplit(".", 1)
        corrected = replace(old, exec_id=f"{stem}.{int(version) + 1:02d}", price=price)
        self.executions[self.executions.index(old)] = corrected
        return corrected

    def since_midnight(self, now: datetime) -> tuple[list[WorkingOrder], list[Execution]]:
        """Orders ended and executions made since midnight in New York."""
        midnight = last_midnight(now)
        ended = [
            order for order in self.ended if order.completed_at is not None and order.completed_at >= midnight
        ]
        return ended, [execution for execution in self.executions if execution.time >= midnight]

    def forget_before_midnight(self, now: datetime) -> None:
        """Drop what the broker no longer shows."""
        self.ended, self.executions = self.since_midnight(now)

    def dump(self) -> dict[str, Any]:
        """Everything as JSON values, keys in fixed order."""
        return {
            "next_order_ids": [
                [client, order_id] for client, order_id in sorted(self._next_order_ids.items())
            ],
            "next_perm_id": self._next_perm_id,
            "next_fill": self._next_fill,
            "next_bound": self._next_bound,
            "working": [_order_to_json(order) for order in self.working.values()],
            "ended": [_order_to_json(order) for order in self.ended],
            "executions": [
                {**asdict(execution), "time": execution.time.isoformat()} for execution in self.executions
            ],
        }

    @classmethod
    def load(cls, opened: datetime, state: Mapping[str, Any]) -> "Blotter":
        """The blotter that `dump` described. Raises KeyError, TypeError or ValueError on anything else."""
        blotter = cls(opened)
        blotter._next_order_ids = {int(client): int(order_id) for client, order_id in state["next_order_ids"]}
        blotter._next_perm_id = int(state["next_perm_id"])
        blotter._next_fill = int(state["next_fill"])
        blotter._next_bound = int(state.get("next_bound", -1))
        blotter.working = {order.perm_id: order for order in map(_order_from_json, state["working"])}
        blotter.ended = [_order_from_json(row) for row in state["ended"]]
        blotter.executions = [
            Execution(**{**row, "time": datetime.fromisoformat(row["time"])}) for row in state["executions"]
        ]
        return blotter


def last_midnight(now: datetime) -> datetime:
    """The midnight in New York at or before `now`."""
    return now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)


def next_midnight(now: datetime) -> datetime:
    """The midnight in New York after `now`."""
    day = now.astimezone(NEW_YORK).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)


def _contract_side(request: OrderRequest) -> tuple[object, ...]:
    return (
        request.con_id,
        request.action,
        *sorted((leg.con_id, leg.action, leg.ratio) for leg in request.legs),
    )


def _order_to_json(order: WorkingOrder) -> dict[str, Any]:
    placed, completed, session = order.placed_at, order.completed_at, order.session
    rests_on = order.rests_on
    return {
        **asdict(order),
        "placed_at": None if placed is None else placed.isoformat(),
        "completed_at": None if completed is None else completed.isoformat(),
        "session": None if session is None else session.isoformat(),
        "rests_on": None if rests_on is None else rests_on.isoformat(),
    }


def _order_from_json(row: Mapping[str, Any]) -> WorkingOrder:
    request = row["request"]
    return WorkingOrder(
        **{
            **row,
            "request": OrderRequest(
                **{
                    **request,
                    "legs": tuple(OrderLeg(**leg) for leg in request["legs"]),
                    "leg_prices": tuple(request["leg_prices"]),
                    "smart_combo": _pairs(request["smart_combo"]),
                    "algo_params": _pairs(request.get("algo_params", ())),
                    "raw": tuple(request["raw"]),
                }
            ),
            "state": OrderState(row["state"]),
            "placed_at": _instant(row["placed_at"]),
            "completed_at": _instant(row["completed_at"]),
            "session": _day(row["session"]),
            "rests_on": _day(row.get("rests_on")),
            "leg_costs": tuple(row["leg_costs"]),
        }
    )


def _pairs(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((tag, value) for tag, value in rows)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
