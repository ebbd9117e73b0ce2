"""Faults at the gateway's edge: a plan of them, acted out on messages and at moments.

Message faults strike what leaves for a client, or a client's request before it is read; the conversations and
the venue know nothing of them. Faults of a moment go through the same doors as people do: the outside world
(`simulator/disturbances.py`) and the back office. Each strike is counted, so that a test can tell a plan that
worked from one that never fired.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Final

from market.sessions import MARKET_TZ
from simulator.disturbances import Disturbances
from simulator.faults import MESSAGE_FAULTS, Fault, FaultKind, FaultPlan
from simulator.gateway import Gateway
from simulator.message_names import INCOMING, OUTGOING
from simulator.notices import notice

#: How a gateway restarts by itself: away for a minute, the last order ids of each client handed out again.
NIGHTLY_RESTART: Final = Fault(FaultKind.RESTART, for_s=60.0)
#: What may strike a message that leaves for a client.
_OUTGOING_FAULTS: Final = MESSAGE_FAULTS - {FaultKind.IGNORE}
_PREFIX = 4  # characters of a message's length


@dataclass(slots=True)
class _Armed:
    """A fault and how often it may still strike."""

    fault: Fault
    at: datetime
    skip: int
    left: int
    nightly: time | None = None  # strikes at this time of day in New York, every day again


@dataclass(slots=True)
class _Held:
    """What a client has not got yet."""

    delayed: list[tuple[datetime, str]] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)  # wait for the next message to pass them


class FaultInjector:
    """Acts a plan out on one gateway (implements simulator.session.Edge)."""

    def __init__(self, gateway: Gateway, plan: FaultPlan) -> None:
        """`plan` is timed from the gateway's present."""
        self._gateway = gateway
        self._world = Disturbances(gateway)
        self._random = Random(f"injection/{plan.seed}")
        self._messages: list[_Armed] = []
        self._moments: list[_Armed] = []
        self._endings: list[tuple[datetime, Callable[[], None]]] = []
        self._held: dict[Hashable, _Held] = {}
        self.struck: Counter[str] = Counter()
        for fault in plan.faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Arm one more fault, timed from now."""
        at = self._gateway.clock() + timedelta(seconds=fault.after_s)
        armed = _Armed(fault, at, fault.skip, fault.times)
        (self._messages if fault.kind in MESSAGE_FAULTS else self._moments).append(armed)

    def restart_nightly(self, at: time) -> None:
        """Restart the gateway by itself every day at this New York time, as its user set it."""
        due = _next_at(at, self._gateway.clock())
        self._moments.append(_Armed(NIGHTLY_RESTART, due, 0, 1, nightly=at))

    def step(self, now: datetime) -> None:
        """Begin and end what is due at market time `now`."""
        for end in [one for one in self._endings if one[0] <= now]:
            self._endings.remove(end)
            end[1]()
        for armed in [one for one in self._moments if one.at <= now]:
            if self._begin(armed.fault, now):
                if armed.nightly is None:
                    self._moments.remove(armed)
                else:
                    armed.at = _next_at(armed.nightly, now)
                self.struck[armed.fault.kind] += 1

    def hears(self, message: Sequence[str]) -> bool:
        """Whether a client's message reaches the gateway."""
        name = INCOMING.get(int(message[0]), "") if message and message[0].isdigit() else ""
        armed = self._strike(name, {FaultKind.IGNORE}, self._gateway.clock())
        return armed is None

    def outgoing(self, client: Hashable, messages: Sequence[str]) -> list[str]:
        """What of `messages` really leaves for a client now, in order, with what was held back before."""
        now = self._gateway.clock()
        if client not in self._held and not any(one.at <= now for one in self._messages):
            return list(messages)
        held = self._held.setdefault(client, _Held())
        sent = [text for due, text in held.delayed if due <= now]
        held.delayed = [one for one in held.delayed if one[0] > now]
        for text in messages:
            self._pass(text, held, sent, now)
        if not held.delayed and not held.overtaken:
            del self._held[client]
        return sent

    def forget(self, client: Hashable) -> None:
        """The client is gone; what it has not got is gone too."""
        self._held.pop(client, None)

    def _pass(self, text: str, held: _Held, sent: list[str], now: datetime) -> None:
        number = text[_PREFIX : text.index("\0", _PREFIX)]
        name = OUTGOING.get(int(number), "") if number.isdigit() else ""
        fault = self._strike(name, _OUTGOING_FAULTS, now)
        kind = None if fault is None else fault.kind
        if fault is not None and kind is FaultKind.DELAY:
            held.delayed.append((now + timedelta(seconds=fault.for_s), text))
        elif kind is FaultKind.REORDER:
            held.overtaken.append(text)
        elif kind is not FaultKind.DROP:
            if fault is not None and kind is FaultKind.CORRUPT:
                text = self._corrupt(text, fault.length)
            sent += [text] * (2 if kind is FaultKind.DUPLICATE else 1)
            sent += held.overtaken
            held.overtaken.clear()

    def _strike(self, name: str, kinds: frozenset[FaultKind] | set[FaultKind], now: datetime) -> Fault | None:
        """The fault that strikes a message of this name now, counted down."""
        for armed in self._messages:
            fault = armed.fault
            if fault.kind not in kinds or fault.message not in {name, "*"} or armed.at > now:
                continue
            if armed.skip:
                armed.skip -= 1
                continue
            armed.left -= 1
            if not armed.left:
                self._messages.remove(armed)
            self.struck[fault.kind] += 1
            return fault
        return None

    def _corrupt(self, text: str, length: bool) -> str:
        """One field of the body made unreadable, or a length that announces two gigabytes."""
        if length:
            return "\x7f\xff\xff\xff" + text[_PREFIX:]
        first = text.index("\0", _PREFIX) + 1
        place = first + self._random.randrange(max(1, len(text) - first - 1))
        return text[:place] + "\xff" + text[place + 1 :]

    def _begin(self, fault: Fault, now: datetime) -> bool:
        """Act a fault of a moment out; False when there is nothing yet to act on."""
        venue = self._gateway.venue
        match fault.kind:
            case FaultKind.REJECT:
                venue.by_hand.refuse_next(fault.code, fault.text)
            case FaultKind.PARTIAL:
                venue.by_hand.cut_next_fill(fault.units)
            case FaultKind.CORRECT:
                reports = venue.by_hand.correct_last(fault.points)
                self._gateway.route(reports)
                self._gateway.flush()
                return bool(reports)
            case FaultKind.NOTICE:
                self._gateway.notify(*notice(fault.code))
            case FaultKind.DISCONNECT:
                self._shut(now, fault)
                ids = self._gateway.clients if fault.client is None else (fault.client,)
                for client_id in ids:
                    self._world.drop_client(client_id)
            case FaultKind.RESTART:
                self._shut(now, fault)
                self._world.restart(fault.roll_back)
            case _:
                self._begin_lasting(fault, now)
        return True

    def _begin_lasting(self, fault: Fault, now: datetime) -> None:
        """Faults that end by themselves after `for_s`."""
        gateway, world = self._gateway, self._world
        end: Callable[[], None]
        if fault.kind is FaultKind.CONNECTIVITY:
            world.lose_connectivity()
            end = _restoring(world, fault)
        elif fault.kind is FaultKind.FARM:
            world.set_farm(fault.farm, works=False)
            end = _repairing(world, fault)
        elif fault.kind is FaultKind.COMPETE:
            gateway.compete(elsewhere=True)
            end = _returning(gateway)
        elif fault.kind is FaultKind.FREEZE:
            gateway.connectivity.frozen = True
            end = _thawing(gateway)
        else:
            gateway.venue.market.halted.add(fault.symbol)
            end = _resuming(gateway, fault.symbol)
        self._endings.append((now + timedelta(seconds=fault.for_s), end))

    def _shut(self, now: datetime, fault: Fault) -> None:
        if fault.for_s:
            self._gateway.accepts = False
            self._endings.append((now + timedelta(seconds=fault.for_s), _opening(self._gateway)))


def _next_at(at: time, now: datetime) -> datetime:
    """The first moment after `now` at which it is `at` in New York."""
    day = now.astimezone(MARKET_TZ).date()
    moments = (datetime.combine(day + timedelta(days=days), at, MARKET_TZ) for days in (0, 1))
    return next(moment for moment in moments if moment > now).astimezone(UTC)


def _restoring(world: Disturbances, fault: Fault) -> Callable[[], None]:
    return lambda: world.restore_connectivity(data_kept=fault.data_kept, tell_missed=fault.tell_missed)


def _repairing(world: Disturbances, fault: Fault) -> Callable[[], None]:
    return lambda: world.set_farm(fault.farm, works=True)


def _returning(gateway: Gateway) -> Callable[[], None]:
    return lambda: gateway.compete(elsewhere=False)


def _thawing(gateway: Gateway) -> Callable[[], None]:
    def thaw() -> None:
        gateway.connectivity.frozen = False

    return thaw


def _resuming(gateway: Gateway, symbol: str) -> Callable[[], None]:
    return lambda: gateway.venue.market.halted.discard(symbol)


def _opening(gateway: Gateway) -> Callable[[], None]:
    def open_again() -> None:
        gateway.accepts = True

    return open_again
