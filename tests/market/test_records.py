"""Records made and copied quickly are the frozen dataclasses they were: same values, guard and errors."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field
from dataclasses import replace as standard
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.records import quickly_made, replace
from tests.bot.engine.desk import ready


@dataclass(frozen=True, slots=True)
class Plain:
    """Every kind of field a record of ours has."""

    name: str
    value: float | None = None
    held: dict[str, int] = field(default_factory=dict)
    _known: int | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name == "refused":
            raise ValueError("this name is refused")


@quickly_made
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, made quickly."""

    name: str
    value: float | None = None
    held: dict[str, int] = field(default_factory=dict)
    _known: int | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name == "refused":
            raise ValueError("this name is refused")


ARGUMENTS = st.one_of(
    st.tuples(st.text()),
    st.tuples(st.text(), st.none() | st.floats(allow_nan=False)),
    st.tuples(st.text(), st.none(), st.dictionaries(st.text(), st.integers())),
)


@given(ARGUMENTS)
def test_it_holds_what_the_standard_constructor_gives_it(arguments: tuple[Any, ...]) -> None:
    plain, quick = Plain(*arguments), Quick(*arguments)
    assert asdict(quick) == asdict(plain)
    assert repr(quick).replace("Quick", "Plain") == repr(plain)
    assert type(quick) is Quick
    assert quick == Quick(*arguments)
    by_name = dict(zip(("name", "value", "held"), arguments, strict=False))
    assert Quick(**by_name) == quick


def test_a_default_made_by_a_factory_belongs_to_one_record() -> None:
    assert Quick("a").held is not Quick("b").held


def test_it_is_frozen_once_it_is_made() -> None:
    with pytest.raises(FrozenInstanceError):
        Quick("a").name = "b"  # type: ignore[misc]  # the write is the point
    with pytest.raises(FrozenInstanceError):
        replace(ready()).connected = False  # type: ignore[misc]  # the write is the point


def test_what_its_constructor_forbids_is_still_forbidden() -> None:
    with pytest.raises(ValueError, match="refused"):
        Quick("refused")
    with pytest.raises(TypeError):
        Quick()  # type: ignore[call-arg]  # the slip is the point


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_it_can_be_copied_and_sent(through: Any) -> None:
    quick = Quick("a", 1.0, {"b": 2})
    assert through(quick) == quick
    assert type(through(quick)) is Quick


def test_what_has_a_base_or_fields_given_by_name_only_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Child(Plain):
        """Has slots of a base."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        """Fields are given by name only."""

        name: str

    for kind in (Child, Named):
        with pytest.raises(TypeError, match=kind.__name__):
            quickly_made(kind)


def test_the_fast_copy_is_the_standard_one() -> None:
    state = ready()
    assert replace(state, connected=False, decisions=9) == standard(state, connected=False, decisions=9)
    assert replace(state) == state
    assert replace(state) is not state


def test_what_a_record_remembers_beside_its_value_begins_anew_in_the_copy() -> None:
    quick = Quick("a")
    object.__setattr__(quick, "_known", 5)
    assert replace(quick)._known is None
    assert standard(quick)._known is None


def test_the_fast_copy_refuses_a_field_the_record_has_not() -> None:
    with pytest.raises(TypeError, match="EngineState has no field connectd"):
        replace(ready(), connectd=True)  # type: ignore[call-arg]  # the slip is the point


def test_the_fast_copy_refuses_a_record_that_cannot_begin_anew() -> None:
    @dataclass(frozen=True, slots=True)
    class Listed:
        """Remembers a list of its own."""

        _seen: list[int] = field(default_factory=list, init=False)

    with pytest.raises(TypeError, match="_seen"):
        replace(Listed())
