"""What goes wrong in one session: drawn from a seed, small enough to be printed, and shrinkable.

A mishap strikes so many seconds into the session, or so long after the n-th order message of the daemon: most
of what can be lost is lost while an order is under way, and a uniform draw would seldom hit that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from simulator.faults import Fault, FaultKind
from simulator.notices import Farm
from tests.scenarios.virtual_house import Point

SPAN_S = 23_400.0
QUIET_S = 2_400.0  # nothing strikes in the last forty minutes: the daemon has to come to rest
ORDERS = 8  # order messages near which mishaps are put


class Trouble(StrEnum):
    """What strikes the daemon's own machine, or the line to the gateway."""

    CRASH = "crash"
    CRASH_AT_COMMIT = "crash at a commit"
    STOP = "clean stop and start"
    BLACKHOLE = "half-open line"
    SEGMENTS = "byte-wise segments"
    SLOW_DISK = "slow commit"
    DISK_ERROR = "fsync fails"
    DISK_FULL = "disk full"
    CLOCK_JUMP = "clock jump"
    WITHDRAWAL = "cash withdrawn"
    HALT = "halt and resume"
    BY_HAND = "closed by hand while a close works"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One thing that goes wrong. `at_order`: counts from that order message on, else from the start."""

    kind: str
    after_s: float
    at_order: int = 0
    fault: Fault | None = None
    for_s: float = 0.0
    amount: float = 0.0
    point: Point = Point.BEFORE_WRITE

    def describe(self) -> str:
        """One line for a person."""
        when = f"{self.after_s:9.3f} s" + (f" after order message {self.at_order}" if self.at_order else "")
        words = [f"{when:<36} {self.kind}"]
        if self.fault is not None:
            given, plain = self.fault, Fault(self.fault.kind)
            words += [
                f"{name}={getattr(given, name)}"
                for name in Fault.__slots__
                if name not in {"kind", "after_s"} and getattr(given, name) != getattr(plain, name)
            ]
        else:
            words += [f"for {self.for_s:g} s"] if self.for_s else []
            words += [f"{self.amount:+g}"] if self.amount else []
            words += [self.point.value] if self.kind == Trouble.CRASH_AT_COMMIT else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Plan:
    """One session: where it starts, how its limits walk, and what goes wrong, by number."""

    seed: int
    scene: str
    walk_s: int
    final: float
    mishaps: tuple[tuple[int, Mishap], ...]

    def only(self, numbers: frozenset[int]) -> "Plan":
        """The same session with some of its mishaps."""
        return replace(self, mishaps=tuple(one for one in self.mishaps if one[0] in numbers))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the mishaps that are left."""
        return tuple(number for number, _ in self.mishaps)


_MESSAGES = (
    "orderStatus", "openOrder", "execDetails", "commissionReport", "openOrderEnd", "execDetailsEnd",
    "completedOrder", "completedOrdersEnd", "position", "positionEnd", "tickPrice", "tickSize", "currentTime",
    "contractDetails", "contractDetailsEnd", "updateAccountValue", "accountDownloadEnd", "error",
)  # fmt: skip
_ORDER_MESSAGES = ("orderStatus", "openOrder", "execDetails", "commissionReport")
_REQUESTS = (
    "placeOrder", "cancelOrder", "reqOpenOrders", "reqAllOpenOrders", "reqExecutions", "reqPositions",
    "reqCompletedOrders", "reqContractDetails", "reqMktData", "reqCurrentTime", "reqAccountUpdates",
)  # fmt: skip
_REFUSALS = (
    (201, "Order rejected - reason:Your account has a minimum of 2000"),
    (110, "The price does not conform to the minimum price variation for this contract."),
    (203, "The security is not available or allowed for this account."),
    (10349, "Order TIF was set to DAY based on order preset."),
)
_NOTICES = (2103, 2104, 2105, 2106, 2107, 2108, 2110, 2119, 2157, 2158)
Draw = Callable[[Random], Mishap]


def _messages(kind: FaultKind) -> Draw:
    def draw(random: Random) -> Mishap:
        names = _ORDER_MESSAGES if random.random() < 0.6 else _MESSAGES
        after_s, at_order = _moment(random)
        delay_s = round(0.2 + 40.0 * random.random() ** 2, 3) if kind is FaultKind.DELAY else 0.0
        fault = Fault(
            kind,
            message=names[random.randrange(len(names))],
            skip=random.randrange(3),
            times=1 + random.randrange(3),
            for_s=delay_s,
            length=kind is FaultKind.CORRUPT and random.random() < 0.3,
        )
        return Mishap(kind.value, after_s, at_order, fault)

    return draw


def _ignored(random: Random) -> Mishap:
    # An order that is not heard strikes before its own message is counted: it is armed from the start.
    name = _REQUESTS[random.randrange(len(_REQUESTS))]
    after_s = 0.0 if "Order" in name and random.random() < 0.7 else _moment(random)[0]
    skip = random.randrange(ORDERS) if name in {"placeOrder", "cancelOrder"} else random.randrange(2)
    fault = Fault(FaultKind.IGNORE, message=name, skip=skip, times=1 + random.randrange(2))
    return Mishap(fault.kind.value, after_s, 0, fault)


def _moments(make: Callable[[Random], Fault]) -> Draw:
    def draw(random: Random) -> Mishap:
        after_s, at_order = _moment(random)
        fault = make(random)
        return Mishap(fault.kind.value, after_s, at_order, fault)

    return draw


def _trouble(kind: Trouble, shape: Callable[[Random], tuple[float, float]]) -> Draw:
    def draw(random: Random) -> Mishap:
        after_s, at_order = _moment(random)
        point = tuple(Point)[random.randrange(len(Point))]
        for_s, amount = shape(random)
        return Mishap(kind.value, after_s, at_order, for_s=for_s, amount=amount, point=point)

    return draw


def _nothing(_: Random) -> tuple[float, float]:
    return 0.0, 0.0


def _line_lost(random: Random) -> Fault:
    kept, told = random.random() < 0.5, random.random() < 0.5
    return Fault(FaultKind.CONNECTIVITY, for_s=_lasting(random, 200.0), data_kept=kept, tell_missed=told)


_DRAWS: tuple[Draw, ...] = (
    *(
        _messages(kind)
        for kind in (
            FaultKind.DROP, FaultKind.DROP, FaultKind.DELAY, FaultKind.DELAY, FaultKind.DUPLICATE,
            FaultKind.REORDER, FaultKind.REORDER, FaultKind.CORRUPT,
        )
    ),
    _ignored,
    _ignored,
    _moments(lambda random: Fault(FaultKind.DISCONNECT, for_s=_lasting(random, 60.0))),
    _moments(
        lambda random: Fault(
            FaultKind.RESTART, for_s=_lasting(random, 90.0), roll_back=random.randrange(8)
        )
    ),
    _moments(lambda random: Fault(FaultKind.FREEZE, for_s=_lasting(random, 300.0))),
    _moments(_line_lost),
    _moments(_line_lost),
    _moments(
        lambda random: Fault(
            FaultKind.FARM, for_s=_lasting(random, 120.0), farm=tuple(Farm)[random.randrange(len(Farm))]
        )
    ),
    _moments(lambda random: Fault(FaultKind.COMPETE, for_s=_lasting(random, 200.0))),
    _moments(lambda random: Fault(FaultKind.NOTICE, code=_NOTICES[random.randrange(len(_NOTICES))])),
    _moments(lambda random: _refused(_REFUSALS[random.randrange(len(_REFUSALS))])),
    _moments(lambda random: Fault(FaultKind.CORRECT, points=0.05 * (1 + random.randrange(3)))),
    _moments(lambda random: Fault(FaultKind.PARTIAL, units=1 + random.randrange(2))),
    _moments(lambda random: Fault(FaultKind.PARTIAL, units=1)),
    _moments(lambda random: Fault(FaultKind.HALT, symbol="SPX", for_s=_lasting(random, 300.0))),
    _trouble(Trouble.CRASH, _nothing),
    _trouble(Trouble.CRASH_AT_COMMIT, _nothing),
    _trouble(Trouble.CRASH_AT_COMMIT, _nothing),
    _trouble(Trouble.STOP, _nothing),
    _trouble(Trouble.BLACKHOLE, lambda random: (_lasting(random, 120.0), 0.0)),
    _trouble(Trouble.SEGMENTS, lambda random: (_lasting(random, 30.0), 0.0)),
    _trouble(Trouble.SLOW_DISK, lambda random: (round(0.1 + 4.0 * random.random() ** 2, 3), 0.0)),
    _trouble(Trouble.DISK_ERROR, _nothing),
    _trouble(Trouble.DISK_FULL, _nothing),
    _trouble(Trouble.CLOCK_JUMP, lambda random: (0.0, round(-60.0 + 120.0 * random.random(), 3))),
    _trouble(Trouble.WITHDRAWAL, lambda random: (0.0, -round(5e3 + 25e3 * random.random(), 2))),
    _trouble(Trouble.HALT, lambda random: (_lasting(random, 600.0), 0.0)),
)  # fmt: skip

KINDS: tuple[str, ...] = (
    *(kind.value for kind in FaultKind),
    *(kind.value for kind in Trouble if kind is not Trouble.BY_HAND),  # scripted only, never drawn
)
#: Most sessions are half days: they trade like whole ones and take half the time.
SCENES = (
    "half day", "calm", "shock", "half day", "calm", "half day", "shock", "spring forward",
    "half day", "calm", "shock", "half day", "calm", "half day", "shock", "calm",
)  # fmt: skip


def plan_of(seed: int) -> Plan:
    """The session of a seed. Equal seeds give equal plans."""
    random = Random(f"session/{seed}")
    scene = SCENES[seed % len(SCENES)]
    final = (0.85, 0.9, 0.95, 1.0, 1.0)[random.randrange(5)]
    count = 3 + random.randrange(6)
    drawn = [_DRAWS[random.randrange(len(_DRAWS))](random) for _ in range(count)]
    return Plan(seed, scene, 10 + 10 * random.randrange(5), final, tuple(enumerate(drawn, start=1)))


def _refused(refusal: tuple[int, str]) -> Fault:
    return Fault(FaultKind.REJECT, code=refusal[0], text=refusal[1])


def _moment(random: Random) -> tuple[float, int]:
    """Seconds, and the order message from which they count or 0."""
    if random.random() < 0.6:
        # Most answers come in the same instant, a fill within minutes.
        after_s = (0.0, 1e-5, random.random(), 90.0 * random.random())[random.randrange(4)]
        return round(after_s, 5), 1 + random.randrange(ORDERS)
    return round(60.0 + (SPAN_S - QUIET_S - 60.0) * random.random(), 3), 0


def _lasting(random: Random, most_s: float) -> float:
    return round(0.5 + most_s * random.random() ** 2, 3)
