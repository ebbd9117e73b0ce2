"""Bugs planted into the daemon, at least one for each invariant: a judge that misses one is no judge.

Each is a small change of the product, made for the length of one scripted session, and names the invariant
that has to be found violated. Several are replicas of faults that were reported of other systems.
"""

import dataclasses
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import bot.broker.adapter
import bot.broker.orders
import bot.daemon
import bot.engine.book
import bot.engine.decide
import bot.engine.reconciliation
import bot.engine.step
import bot.engine.working
import bot.journal.opening
import bot.journal.segments
import market.portfolio
import risk.checks
import risk.review
from bot.broker.adapter import IbBroker
from bot.broker.evidence import Evidence
from bot.broker.inbox import Inbox
from bot.broker.orders import OrderDesk
from bot.broker.requests import Requests
from bot.connection import Connection
from bot.daemon import Daemon
from bot.dispatch import Dispatch
from bot.feeds import PublishedFeeds
from bot.journal.durability import Durability
from simulator.faults import Fault, FaultKind
from tests.scenarios.faults import house, probes
from tests.scenarios.faults.mutations import (
    BLIND_TO_SILENCE,
    COUNT,
    CROSSES,
    FORGETS_WHAT_IS_DUE,
    IGNORES_LISTED_FILLS,
    SEAL,
    Planting,
    a_future,
    blind_to_losses,
    booked_as_another,
    both,
    deaf_to_fills,
    doubled,
    dropped_unanswered,
    empty_when_late,
    error_ends_it,
    forgets_in_flight,
    from_the_future,
    hidden_memory,
    lost_whatever_differs,
    moved_anew,
    nameless,
    no_heartbeat,
    not_before_the_wire,
    off_the_step,
    order,
    other_rules,
    passing,
    resent,
    stays_down,
    swap,
    taken_for_working,
    twice,
    untold,
    verdict,
    without_a_wing,
    wrong_sign,
)
from tests.scenarios.faults.plans import Mishap, Plan, Trouble
from tests.scenarios.faults.runs import live
from tests.scenarios.virtual_house import Point


@dataclasses.dataclass(frozen=True, slots=True)
class Bug:
    """One change, what it breaks, and the session that brings it to light.

    `probe` is asked instead of a session where the invariant is about a start that must be refused.
    """

    invariant: str
    name: str
    plant: Callable[[], Planting]
    plan: Plan
    probe: Callable[[], list[str]] | None = None


def caught(bug: Bug) -> set[str]:
    """The invariants that are found violated with the bug planted."""
    if bug.probe is not None:
        with bug.plant():
            return {text[:4] for text in bug.probe()}
    return {violation.invariant for violation in live(bug.plan, bug.plant()).violations}


def session(*mishaps: Mishap, scene: str = "half day", final: float = 1.0, walk_s: int = 10) -> Plan:
    """A scripted session."""
    return Plan(0, scene, walk_s, final, tuple(enumerate(mishaps, start=1)))


def at_order(number: int, fault: Fault, after_s: float = 0.0) -> Mishap:
    """A fault so long after an order message."""
    return Mishap(fault.kind.value, after_s, number, fault)


def trouble(kind: Trouble, after_s: float = 0.0, number: int = 0, **more: Any) -> Mishap:
    """Trouble of the machine."""
    return Mishap(kind.value, after_s, number, **more)


_LONG_SILENCE = trouble(Trouble.BLACKHOLE, 5000.0, for_s=60_000.0)
_LINE_LOST = Mishap("connectivity", 4000.0, 0, Fault(FaultKind.CONNECTIVITY, for_s=60.0))
_CORRECTED = at_order(1, Fault(FaultKind.CORRECT, points=0.05), 200.0)
CUT = tuple(at_order(number, Fault(FaultKind.PARTIAL, units=1)) for number in range(1, 7))
_ACK_LOST = Mishap("drop", 0.0, 0, Fault(FaultKind.DROP, message="openOrder", skip=1, times=3))
UNLISTED = tuple(
    at_order(1, Fault(FaultKind.DROP, message=message, times=times))
    for message, times in (
        ("openOrder", 12),
        ("orderStatus", 12),
        ("completedOrder", 12),
        ("execDetails", 40),
    )
)
_STATUS_LOST = Mishap("drop", 0.0, 0, Fault(FaultKind.DROP, message="orderStatus", times=3))

BUGS: tuple[Bug, ...] = (
    Bug("I-01", "a wing is lost on the way to the wire",
        swap(bot.broker.adapter, "order_terms", without_a_wing), session()),
    Bug("I-02", "the portfolio's limit is not looked at",
        lambda: patch.object(bot.engine.decide, "review", verdict(lambda _: 90)), session()),
    Bug("I-03", "an initiation is sized twice as large",
        lambda: patch.object(bot.engine.decide, "review", verdict(lambda size: 2 * size + 1)), session()),
    Bug("I-03", "a hedge takes three times its layer's budget",
        lambda: patch.object(bot.engine.decide, "review", verdict(lambda size: 3 * size)),
        session(scene="shock")),
    Bug("I-04", "a future is bought where a combination was decided",
        swap(bot.broker.adapter, "order_terms", a_future), session()),
    Bug("I-05", "a day's loss does not reduce", blind_to_losses,
        session(trouble(Trouble.WITHDRAWAL, 3000.0, amount=-40_000.0))),
    Bug("I-06", "fills are lost while the line is down (LEAN #249; the client tells of none, finding 3)",
        both(swap(Inbox, "_execution", deaf_to_fills), IGNORES_LISTED_FILLS, FORGETS_WHAT_IS_DUE),
        session()),
    Bug("I-07", "every order goes out twice", swap(OrderDesk, "place", twice), session()),
    Bug("I-07", "sent again when no answer comes (hummingbot #493; finding 2)",
        swap(IbBroker, "place", resent), session(_ACK_LOST, _STATUS_LOST, final=0.9)),
    Bug("I-07", "a move is a new order beside the old one (nautilus #4564)",
        swap(OrderDesk, "replace", moved_anew), session(final=0.85)),
    Bug("I-08", "the wire does not wait for the disk", swap(Durability, "now", not_before_the_wire),
        session()),
    Bug("I-09", "orders under way are forgotten at a start",
        swap(bot.engine.book, "mark_in_flight_unknown", forgets_in_flight),
        session(trouble(Trouble.CRASH_AT_COMMIT, 0.0, 1, point=Point.BEFORE_ACK), final=0.85)),
    Bug("I-10", "every fill is counted twice on its order",
        swap(bot.engine.book, "_count", lambda counts, fill: COUNT(COUNT(counts, fill), fill)), session()),
    Bug("I-11", "a correction is one more fill (finding 8)",
        both(swap(bot.engine.book, "execution_base", lambda name: name),
             swap(market.portfolio, "execution_base", lambda name: name)),
        session(_CORRECTED)),
    Bug("I-12", "the trading state is not looked at",
        swap(risk.checks, "trading_state", passing("trading_state")),
        session(trouble(Trouble.HALT, 200.0, for_s=6000.0))),
    Bug("I-13", "an order names another account", order(account="DU9999999"), session()),
    Bug("I-14", "the sign of a price is turned", swap(bot.broker.adapter, "order_terms", wrong_sign),
        session()),
    Bug("I-15", "an order goes to the market", order(orderType="MKT"), session()),
    Bug("I-16", "a structure is closed while it is still being opened", CROSSES, session(*CUT)),
    Bug("I-17", "silence of a feed is not noticed", BLIND_TO_SILENCE,
        session(Mishap("freeze", 400.0, 0, Fault(FaultKind.FREEZE, for_s=3000.0)), final=0.85)),
    Bug("I-18", "a series is used before its release",
        swap(PublishedFeeds, "warm_up", from_the_future), session(scene="spring forward")),
    Bug("I-19", "time follows a clock that was set back",
        swap(Daemon, "_now", lambda daemon: daemon._clock.now()),
        session(trouble(Trouble.CLOCK_JUMP, 4000.0, amount=-90.0))),
    Bug("I-20", "a start does not say what it runs", swap(bot.journal.opening, "_versions", lambda: ()),
        session()),
    Bug("I-21", "an unknown key is passed over", probes.forgiving_loader, session(),
        probes.unknown_key_is_refused),
    Bug("I-22", "limits are reported, not enforced",
        lambda: patch.object(bot.engine.decide, "review", verdict(lambda size: size, keeps_checks=False)),
        session()),
    Bug("I-23", "an alert reaches nobody", swap(Dispatch, "execute", untold),
        session(Mishap("disconnect", 3000.0, 0, Fault(FaultKind.DISCONNECT, for_s=5.0)))),
    Bug("I-24", "a record is not chained to the one before",
        swap(bot.journal.segments, "seal", lambda prefix, _: SEAL(prefix, "")), session()),
    Bug("I-25", "rules nobody approved are run", swap(house, "opening_record", other_rules), session()),
    Bug("I-26", "a command is carried out twice", swap(Daemon, "post", doubled),
        session(trouble(Trouble.HALT, 3000.0, for_s=60.0))),
    Bug("I-27", "a decision depends on what no record holds", hidden_memory, session()),
    Bug("I-28", "the line comes back and nobody notices (LEAN #258, #246)",
        both(swap(IbBroker, "_link_changed", stays_down),
             swap(Connection, "_watch_outage", lambda *_: False)),
        session(_LINE_LOST)),
    Bug("I-28", "a close stays at work for what a person closes meanwhile, and opens the reverse",
        swap(bot.engine.working, "unheld", lambda *_: ("", False)),
        session(*CUT, trouble(Trouble.BY_HAND, 1.0))),
    Bug("I-28", "a connected socket is taken for a working one (finding 6)",
        swap(IbBroker, "heartbeat", no_heartbeat), session(_LONG_SILENCE)),
    Bug("I-09", "an order lost in a restart is taken for a working one (LEAN #242; finding 7)",
        both(swap(bot.engine.reconciliation, "_absent", taken_for_working), FORGETS_WHAT_IS_DUE),
        session(Mishap("ignore", 0.0, 0, Fault(FaultKind.IGNORE, message="placeOrder", skip=1)),
                at_order(1, Fault(FaultKind.RESTART, roll_back=4), 1.0))),
    Bug("I-07", "no answer is taken for an empty one (nautilus #4230; finding 5)",
        swap(Requests, "answer", empty_when_late),
        session(at_order(1, Fault(FaultKind.DISCONNECT), 1.0),
                at_order(1, Fault(FaultKind.DROP, message="openOrderEnd", times=9), 1.0),
                at_order(1, Fault(FaultKind.DROP, message="openOrder", times=30), 1.0), final=0.85)),
    Bug("I-07", "an error on an order is its end (finding 4)",
        both(swap(Evidence, "failed", error_ends_it), swap(bot.engine.working, "walked_limit", off_the_step)),
        session(final=0.85)),
    Bug("I-09", "orders the venue took are dropped when a question about them fails (hummingbot #8457)",
        dropped_unanswered,
        session(_ACK_LOST, _STATUS_LOST,
                Mishap("ignore", 0.0, 0, Fault(FaultKind.IGNORE, message="reqAllOpenOrders", skip=3)),
                final=0.9)),
    Bug("I-11", "an execution loses its order, and its listing books it once more (nautilus #4970)",
        both(swap(Inbox, "_execution", nameless),
             swap(bot.engine.reconciliation, "apply_execution", booked_as_another)),
        session()),
    Bug("I-09", "an order that is not listed is taken for lost although the positions differ",
        swap(bot.engine.reconciliation, "_absent", lost_whatever_differs), session(*UNLISTED)),
    Bug("I-06", "a fill before its order is dropped (nautilus #3949)",
        both(swap(Evidence, "executed", lambda *_: None), IGNORES_LISTED_FILLS, FORGETS_WHAT_IS_DUE),
        session()),
)  # fmt: skip
