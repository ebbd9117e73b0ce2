"""docs/gateway.md says of faults and of the fixture what the code says: names, types, defaults."""

import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.api_settings import ApiSettings
from simulator.entitlements import Entitlements
from simulator.faults import PARAMETERS, Fault, FaultKind, FaultPlanError, fault_of, seeded_plan
from simulator.floor import HouseRules
from simulator.notices import NOTICES, Farm
from simulator.running import Opening, RunningGateway
from simulator.server import Pace

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
OWN_WORDS = {"message", "symbol"}  # have no default, though the field has one
TYPES = {"str": "text", "int": "whole number", "int | None": "whole number", "float": "number"}


def rows(mark: str) -> list[list[str]]:
    """Cells of the table between two marks, without its head."""
    text = PAGE.read_text(encoding="utf-8")
    (table,) = re.findall(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", text, re.DOTALL)
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
    return [[cell.strip().replace("\\|", "|") for cell in line] for line in lines[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)


def plain_type(kind: Any) -> str:
    """The type as source would have it: no modules."""
    return re.sub(r"\b(?:\w+\.)+", "", type_name(kind)) if "[" not in str(kind) else str(kind)


def shown(made: object) -> str:
    """A default as the page writes it."""
    if isinstance(made, str):
        return f'"{made}"'
    return re.sub(r"\bdatetime\.", "", repr(made)).replace("timezone.utc", "UTC")


def test_every_fault_stands_there_with_what_it_must_and_may_have() -> None:
    found = {}
    for kind, parameters, meaning in rows("faults"):
        needed = re.findall(r"\*\*`(\w+)`\*\*", parameters)
        found[named(kind)[0]] = (set(needed), set(named(parameters)) - set(needed))
        assert meaning
    assert found == {kind.value: (set(needed), set(may)) for kind, (needed, may) in PARAMETERS.items()}
    assert list(found) == [kind.value for kind in FaultKind]


def test_every_parameter_of_a_fault_stands_there_with_its_type_and_default() -> None:
    told = {named(name)[0]: (kind, default) for name, kind, default, _ in rows("parameters")}
    declared = {one.name: one for one in fields(Fault) if one.name not in {"kind", "after_s"}}
    assert set(told) == set(declared)
    for name, (kind, default) in told.items():
        made = declared[name].default
        if name == "farm":
            assert named(kind) == list(Farm)
            assert named(default) == [Farm.MARKET_DATA]
        elif isinstance(made, bool):
            assert (kind, default) == ("true or false", str(made).lower())
        else:
            assert kind == TYPES[type_name(declared[name].type)], name
            usual = "must be given" if name in OWN_WORDS else "every client" if made is None else None
            assert default == (usual or (f"`{made}`" if isinstance(made, str) else f"{made:g}")), name


def test_the_notices_that_can_be_sent_are_those_of_the_page() -> None:
    (meaning,) = [row[3] for row in rows("parameters") if named(row[0]) == ["code"]]
    assert [int(code) for code in re.findall(r"\d{4}", meaning)] == sorted(NOTICES)


def test_a_seeded_plan_has_the_kinds_the_page_names() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (sentence,) = re.findall(
        r"A seeded plan has one each of the first four and of (.*?), at times", text, re.DOTALL
    )
    kinds = [*list(FaultKind)[:4], *named(sentence)]
    assert sorted(kinds) == sorted(fault.kind.value for fault in seeded_plan(7).faults)


def the_fields(kind: type, prefix: str = "") -> list[list[str]]:
    found = []
    for one in fields(kind):
        made = one.default if one.default is not MISSING else None
        factory: Callable[[], object] | Any = one.default_factory
        text = shown(made) if factory is MISSING else "set()" if factory is set else f"{factory.__name__}()"
        found.append([f"{prefix}{one.name}", plain_type(one.type), text])
    return found


@pytest.mark.parametrize(
    ("mark", "declared"),
    [
        ("opening", the_fields(Opening)),
        (
            "opened-with",
            [
                row
                for kind in (HouseRules, Entitlements, ApiSettings, Pace)
                for row in the_fields(kind, f"{kind.__name__}.")
            ],
        ),
    ],
)
def test_every_field_the_fixture_takes_stands_there_with_its_type_and_default(
    mark: str, declared: list[list[str]]
) -> None:
    assert [[named(cell)[0] for cell in row[:3]] for row in rows(mark)] == declared
    assert all(row[3] for row in rows(mark))


def test_every_method_of_the_fixture_stands_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("| method | does |")[2].partition("\n\n")[0]
    methods = {name for name in vars(RunningGateway) if not name.startswith("_")} - {"host", "stop"}
    assert set(re.findall(r"`(\w+)\(", text)) == methods


def test_a_fault_without_what_the_page_prints_in_bold_is_refused() -> None:
    opened = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    for kind, parameters, _ in rows("faults"):
        if "**" in parameters:
            with pytest.raises(FaultPlanError, match="is missing"):
                fault_of({"kind": named(kind)[0]}, "fault", opened)
        else:
            assert fault_of({"kind": named(kind)[0]}, "fault", opened).kind == named(kind)[0]
