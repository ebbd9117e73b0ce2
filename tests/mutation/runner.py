"""Whether the tests of a module notice an error in it.

The tests are collected once. Each error then gets a forked process of its own, in which the mutant's code
takes the place of the module's functions, whoever has imported them, and the tests run until one fails.
Nothing is written to disk.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.conftest import SETTINGS
from tests.mutation.mutants import Mutant

ROOT = Path(__file__).parents[2]
ALARM_S = 60  # processor seconds: an error that makes a loop endless is noticed, too
CASES = 25  # of each property
_FAILED = 1


@dataclass(frozen=True)
class Subject:
    """A module and the tests that answer for it, the closest first."""

    path: str
    tests: tuple[str, ...]

    @cached_property
    def module(self) -> ModuleType:
        """The module as everybody has imported it."""
        return import_module(self.path.removesuffix(".py").replace("/", "."))

    def source(self) -> str:
        """Its text."""
        return (ROOT / self.path).read_text(encoding="utf-8")


@dataclass
class Trial:
    """A pytest plugin: in place of the tests themselves it runs them once for each mutant."""

    subject: Subject
    mutants: Sequence[Mutant]
    processes: int
    sound: bool = False  # whether the tests pass without an error in the module
    survivors: list[Mutant] = field(default_factory=list)

    @pytest.hookimpl
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what folds a whole recorded session: a mutant costs seconds, not half a minute.

        A single case costs milliseconds and notices most errors; the properties follow for the rest.
        """
        items[:] = [item for item in items if "recorded" not in getattr(item, "fixturenames", ())]
        items.sort(key=lambda item: hasattr(getattr(item, "obj", None), SETTINGS))
        for item in items:
            _hastened(getattr(item, "obj", None))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Every mutant in a process of its own."""
        self.sound = bool(session.items) and all(not noticed for _, noticed in self._results(session, [None]))
        if self.sound:
            for mutant, noticed in self._results(session, self.mutants):
                if not noticed and mutant is not None:
                    self.survivors.append(mutant)
        return True

    def _results(
        self, session: pytest.Session, work: Sequence[Mutant | None]
    ) -> Iterator[tuple[Mutant | None, bool]]:
        waiting, running = iter(work), dict[int, Mutant | None]()
        while True:
            for mutant in waiting:
                child = os.fork()
                if child == 0:
                    self._child(session, mutant)
                running[child] = mutant
                if len(running) >= self.processes:
                    break
            if not running:
                return
            child, status = os.wait()
            yield running.pop(child), status != 0

    def _child(self, session: pytest.Session, mutant: Mutant | None) -> None:
        """Run the tests until one fails. No return."""
        code = _FAILED
        try:
            signal.setitimer(signal.ITIMER_PROF, ALARM_S)
            if mutant is not None:
                put_in(self.subject.module, mutant, self.subject.path)
            code = _run(session)
        finally:
            os._exit(code)


def _hastened(test: Any) -> None:
    """A property that fails has noticed the error: neither its smallest example nor a rare one is of use."""
    before = getattr(test, SETTINGS, None)
    if before is not None:
        cases = min(before.max_examples, CASES)
        setattr(test, SETTINGS, settings(before, phases=(Phase.explicit, Phase.generate), max_examples=cases))


def _run(session: pytest.Session) -> int:
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return _FAILED
    return 0


def put_in(module: ModuleType, mutant: Mutant, path: str) -> None:
    """Give the module's functions, methods and plain values those of the mutant."""
    scratch: dict[str, Any] = {"__name__": module.__name__, "__file__": path}
    exec(compile(mutant.tree, path, "exec"), scratch)
    for name, wrong in scratch.items():
        right = getattr(module, name, None)
        if isinstance(wrong, type):
            if isinstance(right, type) and wrong.__module__ == module.__name__:
                for attribute, member in vars(wrong).items():
                    _replace(vars(right).get(attribute), member)
        elif not _replace(right, wrong) and not (name.startswith("__") or isinstance(wrong, ModuleType)):
            setattr(module, name, wrong)


def _replace(right: Any, wrong: Any) -> bool:
    """Whether both are functions, of which the right one now does what the wrong one does."""
    right, wrong = _function(right), _function(wrong)
    if right is None or wrong is None:
        return False
    right.__defaults__, right.__kwdefaults__ = wrong.__defaults__, wrong.__kwdefaults__
    if len(right.__code__.co_freevars) == len(wrong.__code__.co_freevars):
        right.__code__ = wrong.__code__
    return True


def _function(member: Any) -> FunctionType | None:
    for name in ("fget", "__func__", "__wrapped__"):
        member = getattr(member, name, None) or member
    return member if isinstance(member, FunctionType) else None


def trial(subject: Subject, found: Sequence[Mutant], processes: int) -> Trial:
    """Put each of these errors into the module and see whether its tests fail."""
    done = Trial(subject, found, processes)
    os.chdir(ROOT)
    options = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    options += [
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]  # a second trial meets what the first imported
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        pytest.main([*options, *subject.tests], plugins=[done])
    return done
