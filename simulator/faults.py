"""Plans of faults as plain data: what goes wrong, when, and how often; written by hand or drawn from a seed.

A plan is a TOML or JSON file with a list named `fault`, or `seed:N`. Each fault names its kind and, as far as
the kind knows them, its parameters; anything else is refused, because a misspelt fault would be a test that
tests nothing. How faults strike is in `simulator/fault_injection.py`.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

from market.sessions import MARKET_TZ
from simulator.message_names import INCOMING, OUTGOING
from simulator.notices import NOTICES, Farm


class FaultPlanError(ValueError):
    """A plan that cannot be read; the text says where and why."""


class FaultSeedError(FaultPlanError):
    """`seed:` without a number."""


class FaultKind(StrEnum):
    """What can go wrong."""

    # messages on their way to a client (or, where it says so, from it)
    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CORRUPT = "corrupt"
    IGNORE = "ignore"  # a client's request is not heard
    # the gateway and the line behind it
    DISCONNECT = "disconnect"
    RESTART = "restart"
    FREEZE = "freeze"
    CONNECTIVITY = "connectivity"
    FARM = "farm"
    COMPETE = "compete"
    NOTICE = "notice"
    # the venue
    REJECT = "reject"
    CORRECT = "correct"
    PARTIAL = "partial"
    HALT = "halt"


#: Kind -> parameters it must have, parameters it may have.
PARAMETERS: Final[Mapping[FaultKind, tuple[frozenset[str], frozenset[str]]]] = {
    FaultKind.DROP: (frozenset({"message"}), frozenset({"skip", "times"})),
    FaultKind.DELAY: (frozenset({"message", "for_s"}), frozenset({"skip", "times"})),
    FaultKind.DUPLICATE: (frozenset({"message"}), frozenset({"skip", "times"})),
    FaultKind.REORDER: (frozenset({"message"}), frozenset({"skip", "times"})),
    FaultKind.CORRUPT: (frozenset({"message"}), frozenset({"skip", "times", "length"})),
    FaultKind.IGNORE: (frozenset({"message"}), frozenset({"skip", "times"})),
    FaultKind.DISCONNECT: (frozenset(), frozenset({"for_s", "client"})),
    FaultKind.RESTART: (frozenset(), frozenset({"for_s", "roll_back"})),
    FaultKind.FREEZE: (frozenset({"for_s"}), frozenset()),
    FaultKind.CONNECTIVITY: (frozenset({"for_s"}), frozenset({"data_kept", "tell_missed"})),
    FaultKind.FARM: (frozenset({"farm", "for_s"}), frozenset()),
    FaultKind.COMPETE: (frozenset({"for_s"}), frozenset()),
    FaultKind.NOTICE: (frozenset({"code"}), frozenset()),
    FaultKind.REJECT: (frozenset(), frozenset({"code", "text"})),
    FaultKind.CORRECT: (frozenset({"points"}), frozenset()),
    FaultKind.PARTIAL: (frozenset({"units"}), frozenset()),
    FaultKind.HALT: (frozenset({"symbol", "for_s"}), frozenset()),
}
#: Kinds that strike messages rather than moments.
MESSAGE_FAULTS: Final = frozenset(kind for kind, (needed, _) in PARAMETERS.items() if "message" in needed)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, armed from `after_s` seconds of market time after the gateway opened."""

    kind: FaultKind
    after_s: float = 0.0
    message: str = ""  # name of the message it strikes, `*` for any
    skip: int = 0  # matching messages that pass unharmed first
    times: int = 1
    for_s: float = 0.0
    length: bool = False  # corrupt the length prefix rather than the body
    client: int | None = None  # None: every client
    roll_back: int = 4  # order ids handed out again
    data_kept: bool = True
    tell_missed: bool = True
    farm: Farm = Farm.MARKET_DATA
    code: int = 201
    text: str = "Order rejected - reason:Scripted"
    points: float = 0.0
    units: int = 1
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults in the order they were written, and the seed of what is random about them."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0


def read_plan(spec: str, opened: datetime) -> FaultPlan:
    """The plan `spec` names: `seed:N` or a file. `opened`: market time from which times of day count.

    Raises FaultPlanError.
    """
    if spec.startswith("seed:"):
        number = spec.removeprefix("seed:")
        if not (number.isascii() and number.isdigit()):
            raise FaultSeedError(f"{spec}: a seed is a whole number, as in seed:7")
        return seeded_plan(int(number))
    document = read_document(Path(spec))
    unknown = sorted(set(document) - {"fault", "seed"})
    if unknown:
        raise FaultPlanError(f"{spec}: {unknown[0]!r} is unknown; a plan has `fault` and `seed`")
    seed = document.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FaultPlanError(f"{spec}: `seed` is a whole number, not {seed!r}")
    return FaultPlan(faults_of(document.get("fault", []), spec, "fault", opened), seed)


def read_document(path: Path) -> dict[str, Any]:
    """A TOML or JSON file as a mapping. Raises FaultPlanError."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise FaultPlanError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise FaultPlanError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise FaultPlanError(f"{path}: a plan is a table, not a list")
    return document


def faults_of(rows: object, where: str, name: str, opened: datetime) -> tuple[Fault, ...]:
    """The faults of a list of tables. Raises FaultPlanError."""
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise FaultPlanError(f"{where}: `{name}` is a list of tables")
    return tuple([fault_of(row, f"{where}: {name} {n}", opened) for n, row in enumerate(rows, start=1)])


def fault_of(row: object, where: str, opened: datetime) -> Fault:
    """The fault a table describes. Raises FaultPlanError."""
    if not isinstance(row, Mapping):
        raise FaultPlanError(f"{where} is no table")
    values = dict(row)
    kind = _kind(values.pop("kind", None), where)
    needed, allowed = PARAMETERS[kind]
    values = {**values, "after_s": after_s(values, where, opened)}
    values.pop("at", None)
    for key in values:
        if key not in needed | allowed | {"after_s"}:
            known = ", ".join(sorted(needed | allowed | {"after_s", "at"}))
            raise FaultPlanError(f"{where} ({kind}): {key!r} is unknown; it may have {known}")
    for key in sorted(needed - set(values)):
        raise FaultPlanError(f"{where} ({kind}): {key!r} is missing")
    typed = {key: _value(key, value, f"{where} ({kind})") for key, value in values.items()}
    _check_names(kind, typed, f"{where} ({kind})")
    return Fault(kind=kind, **typed)


def after_s(row: Mapping[str, Any], where: str, opened: datetime) -> float:
    """Seconds from `opened` to the time a table names: `after_s`, or `at` as a time of day or an instant in
    New York; 0 without either. Raises FaultPlanError.
    """
    at = row.get("at")
    if at is None:
        return _number(row.get("after_s", 0.0), "after_s", where)
    if "after_s" in row:
        raise FaultPlanError(f"{where}: `at` or `after_s`, not both")
    local = opened.astimezone(MARKET_TZ)
    text = at if isinstance(at, str) else getattr(at, "isoformat", lambda: repr(at))()
    try:
        instant = datetime.fromisoformat(text if "-" in text else f"{local:%Y-%m-%d}T{text}")
    except ValueError:
        example = "10:30 or 2026-03-02T10:30"
        raise FaultPlanError(f"{where}: `at` is a time such as {example}, not {text!r}") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=MARKET_TZ)
    seconds = (instant - opened).total_seconds()
    if seconds < 0:
        raise FaultPlanError(f"{where}: {text} lies before the market opens at {local:%Y-%m-%d %H:%M}")
    return seconds


def seeded_plan(seed: int, span_s: float = 23_400.0) -> FaultPlan:
    """A dozen faults of all sorts spread over `span_s` seconds. Equal seeds give equal plans."""
    random = Random(f"faults/{seed}")

    def moment() -> float:
        return round(random.random() * span_s, 3)

    found: list[Fault] = []
    for kind in (FaultKind.DROP, FaultKind.DELAY, FaultKind.DUPLICATE, FaultKind.REORDER):
        names = ("orderStatus", "openOrder", "execDetails", "commissionReport", "tickPrice")
        name = names[random.randrange(len(names))]
        delay = round(1.0 + random.random() * 20.0, 3) if kind is FaultKind.DELAY else 0.0
        count = 1 + random.randrange(3)
        found.append(Fault(kind, moment(), message=name, skip=random.randrange(4), times=count, for_s=delay))
    found += [
        Fault(FaultKind.CONNECTIVITY, moment(), for_s=5.0 + random.randrange(120),
              data_kept=random.random() < 0.5, tell_missed=random.random() < 0.5),
        Fault(FaultKind.FARM, moment(), for_s=5.0 + random.randrange(60),
              farm=tuple(Farm)[random.randrange(len(Farm))]),
        Fault(FaultKind.DISCONNECT, moment(), for_s=float(random.randrange(30))),
        Fault(FaultKind.RESTART, moment(), for_s=float(random.randrange(60)), roll_back=random.randrange(6)),
        Fault(FaultKind.FREEZE, moment(), for_s=10.0 + random.randrange(120)),
        Fault(FaultKind.PARTIAL, moment(), units=1),
        Fault(FaultKind.CORRECT, moment(), points=0.05 * (1 + random.randrange(3))),
        Fault(FaultKind.REJECT, moment()),
    ]  # fmt: skip
    return FaultPlan(tuple(sorted(found, key=lambda fault: fault.after_s)), seed)


_FIELDS: Final = {field.name: field.type for field in fields(Fault)}


def _kind(name: object, where: str) -> FaultKind:
    try:
        return FaultKind(str(name))
    except ValueError:
        kinds = ", ".join(FaultKind)
        raise FaultPlanError(f"{where}: `kind` is one of {kinds}, not {name!r}") from None


def _value(key: str, value: object, where: str) -> Any:
    kind = _FIELDS[key]
    if kind is float:
        return _number(value, key, where)
    if kind is Farm:
        if value not in set(Farm):
            raise FaultPlanError(f"{where}: {key!r} is one of {', '.join(Farm)}, not {value!r}")
        return Farm(str(value))
    if kind is str and isinstance(value, str):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind not in {str, bool} and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    name = "a text" if kind is str else "true or false" if kind is bool else "a whole number from 0 on"
    raise FaultPlanError(f"{where}: {key!r} is {name}, not {value!r}")


def _number(value: object, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise FaultPlanError(f"{where}: {key!r} is a number, not {value!r}")
    if value < 0 and key != "points":
        raise FaultPlanError(f"{where}: {key!r} cannot be negative")
    return float(value)


def _check_names(kind: FaultKind, typed: Mapping[str, Any], where: str) -> None:
    names = INCOMING if kind is FaultKind.IGNORE else OUTGOING
    message = typed.get("message")
    if message is not None and message != "*" and message not in names.values():
        raise FaultPlanError(f"{where}: no message is called {message!r}")
    if kind is FaultKind.NOTICE and typed["code"] not in NOTICES:
        raise FaultPlanError(f"{where}: {typed['code']} is no notice of the broker")
