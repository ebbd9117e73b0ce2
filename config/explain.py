"""Turns a refused value into a sentence: which key, what was found, what is allowed, what to write."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.errors import Problem

_BOUNDS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
_KINDS = {
    "bool_type": ("true or false", "write true or false, without quotes"),
    "float_type": ("a number", "write it without quotes"),
    "int_type": ("a whole number", "write it without quotes and without a decimal point"),
    "int_from_float": ("a whole number", "write it without a decimal point"),
    "model_type": ("a table", "write its keys under a [section] heading"),
    "string_type": ("text", "put it in quotes"),
    "time_parsing": ("a time", 'write it like "15:30"'),
    "time_type": ("a time", 'write it like "15:30"'),
}


def explain(error: ErrorDetails, source: str, siblings: Sequence[str]) -> Problem:
    """The problem behind one error of the validation. `siblings` are the keys that the section knows."""
    key = ".".join(map(str, error["loc"]))
    kind = error["type"]
    found = error["input"]
    context: Mapping[str, object] = error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(key, source, siblings)
    if kind == "missing":
        return Problem(
            source,
            key,
            "is missing",
            "copy it from config/rules.toml as shipped; no rule has a hidden default",
        )
    if kind in _BOUNDS:
        return Problem(source, key, f"{_BOUNDS[kind].format(**context)}, found {found}", _within(key, found))
    if kind in _KINDS:
        expected, remedy = _KINDS[kind]
        return Problem(source, key, f"must be {expected}, found {found!r}", remedy)
    if kind == "string_pattern_mismatch" and key == "broker.account":
        return Problem(
            source,
            key,
            f"{found!r} is not a paper account",
            "give the paper account's own number, DU and digits; no other kind is ever traded",
        )
    if kind == "literal_error":
        return Problem(source, key, f"{found!r} is not known", f"write one of {context['expected']}")
    if kind == "value_error":
        return Problem(source, key, str(context["error"]), "change the value so that this holds")
    return Problem(
        source, key, f"{error['msg'].lower()}, found {found!r}", "change the value so that this holds"
    )


def unknown_key(key: str, source: str, siblings: Sequence[str]) -> Problem:
    """A key that nobody reads, with the nearest one that somebody does."""
    from difflib import get_close_matches

    section, _, name = key.rpartition(".")
    near = get_close_matches(name, siblings, n=1, cutoff=0.6)
    meant = f"{section}.{near[0]}" if near and section else near[0] if near else ""
    return Problem(source, key, "is not a known key", f"did you mean {meant}?" if meant else "remove it")


def sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields of a model that are models themselves: the tables of its file."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def siblings(model: type[BaseModel], path: Sequence[str]) -> tuple[str, ...]:
    """The keys known beside the last one of `path`, or none when the path leaves the model."""
    section: type[BaseModel] | None = model
    for name in path[:-1]:
        section = None if section is None else sections(section).get(name)
    return () if section is None else tuple(section.model_fields)


def _within(key: str, found: object) -> str:
    """The commonest slip is a percentage where a fraction belongs: 1.2 for 0.012."""
    if key.endswith("_fraction") and isinstance(found, int | float) and 0 < found < 100:
        return f"ratios are fractions: write {found / 100:.6g} for {found:g} %"
    return "change the value so that it lies within its bounds"
