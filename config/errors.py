"""Errors of the project and of its configuration. A configuration error names every problem at once, each
with its place and a remedy, so that a file is mended in one go.
"""

from dataclasses import dataclass


class AlvhError(Exception):
    """An expected failure told to the operator; a process that ends with it exits `exit_code`."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where (file, variable or flag), which key, what, and a remedy."""

    source: str
    key: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """`source:key: what: remedy` on one line."""
        place = f"{self.source}:{self.key}" if self.key else self.source
        return f"{place}: {self.what}: {self.remedy}"


class ConfigError(AlvhError):
    """The settings or the rules cannot be used."""

    exit_code = 78

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
