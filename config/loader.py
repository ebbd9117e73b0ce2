"""Reads the settings in layers (command line over environment over file over default) and the rules from
their one file. Every value keeps its origin, and all that is wrong is told at once, each with its place and a
remedy.
"""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from config.errors import ConfigError, Problem
from config.explain import explain, sections, siblings
from config.retired import RETIRED_RULES, RETIRED_SETTINGS
from config.rules import Rules
from config.settings import Settings

ENVIRONMENT_PREFIX = "ALVH__"
DEFAULT = "default"
COMMAND_LINE = "command line"

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force, and for each dotted key where its value came from."""

    settings: Settings
    origins: Mapping[str, str]

    def table(self) -> tuple[tuple[str, object, str], ...]:
        """Key, value and origin of every setting, in the order of the sections."""
        return tuple(
            (key, value, self.origins[key]) for key, value in _leaves(self.settings.model_dump(mode="json"))
        )


def load_settings(cli: Mapping[str, object], env: Mapping[str, str], file: Path | None) -> LoadedSettings:
    """The settings in force.

    `cli` maps dotted keys ("broker.port") to values; None means that the flag was not given. `env` is the
    whole environment, of which `ALVH__SECTION__KEY` is read. `file` is TOML, or None for the defaults alone.
    Raises ConfigError.
    """
    given: dict[str, object] = {}
    origins: dict[str, str] = {}
    for origin, layer in _layers(cli, env, file):
        for key, value in layer.items():
            given[key] = value
            origins[key] = origin
    settings = _validated(Settings, given, origins, RETIRED_SETTINGS)
    everything = [key for key, _ in _leaves(settings.model_dump(mode="json"))]
    return LoadedSettings(settings, {key: origins.get(key, DEFAULT) for key in everything})


def load_rules(path: Path) -> Rules:
    """The governed rules, complete or not at all. Raises ConfigError."""
    given = dict(_leaves(_read(path)))
    return _validated(Rules, given, dict.fromkeys(given, str(path)), RETIRED_RULES, whole=str(path))


def _layers(
    cli: Mapping[str, object], env: Mapping[str, str], file: Path | None
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Origin and values, the weakest first, so that a later one overrides."""
    if file is not None:
        yield str(file), dict(_leaves(_read(file)))
    variables = sorted(name for name in env if name.startswith(ENVIRONMENT_PREFIX))
    defaults = dict(_leaves(Settings().model_dump())) if variables else {}
    for name in variables:
        key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
        yield f"environment {name}", {key: _from_text(env[name], defaults.get(key))}
    yield COMMAND_LINE, {key: value for key, value in cli.items() if value is not None}


def _read(path: Path) -> dict[str, object]:
    """The tables of a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "give the path of an existing file, or leave it out"
        raise ConfigError((Problem(str(path), "", f"cannot be read ({error.strerror})", remedy),)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        remedy = "mend the line; texts stand in quotes, tables under [headings]"
        raise ConfigError((Problem(str(path), "", f"is not valid TOML ({error})", remedy),)) from error


def _from_text(text: str, default: object) -> object:
    """A variable is text. Where the setting is not, it is read like a value in the file; what cannot be read
    stays text and is refused with the rest.
    """
    if default is None or isinstance(default, str):
        return text
    try:
        return tomllib.loads(f"value = {text.strip()}").get("value")
    except tomllib.TOMLDecodeError:
        return text


def _leaves(tables: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every value with its dotted key. An empty table counts as a value: a misspelt one is noticed."""
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(given: Mapping[str, object], present: Iterable[str]) -> dict[str, object]:
    """Tables again from dotted keys. A key that is both value and table stays a value and is refused."""
    tables: dict[str, object] = {name: {} for name in present}
    for key, value in given.items():
        *path, name = key.split(".")
        table = tables
        for step in path:
            below = table.setdefault(step, {})
            if not isinstance(below, dict):
                break
            table = below
        else:
            table[name] = table.get(name, value) if value == {} else value
    return tables


def _validated(
    model: type[Model],
    given: Mapping[str, object],
    origins: Mapping[str, str],
    retired: Mapping[str, str],
    whole: str = "settings",
) -> Model:
    """The frozen model, or every problem at once. `whole` is the place of a problem that belongs to no one
    key.
    """
    problems = [
        Problem(origins[key], key, "is no longer a key", retired[key]) for key in given if key in retired
    ]
    problems += [
        Problem(origins[key], key, f"must be a finite number, found {value}", "write a number")
        for key, value in given.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    refused = {problem.key for problem in problems}
    # Validated as JSON: in that form the strict types still take a time written as text.
    document = json.dumps(_nested(given, sections(model)), default=str)
    try:
        return _accepted(model.model_validate_json(document), problems)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = tuple(map(str, detail["loc"]))
            key = ".".join(path)
            if key not in refused:
                problems.append(explain(detail, _place(key, origins, whole), siblings(model, path)))
    raise ConfigError(tuple(problems))


def _accepted(validated: Model, problems: list[Problem]) -> Model:
    if problems:
        raise ConfigError(tuple(problems))
    return validated


def _place(key: str, origins: Mapping[str, str], whole: str) -> str:
    """Where a key was written; for a section, where its first key was."""
    if key in origins:
        return origins[key]
    inside = (origin for name, origin in origins.items() if key and name.startswith(f"{key}."))
    return next(inside, whole)
