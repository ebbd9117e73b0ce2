"""Each error is a small one, all of them are found, and what is put in is what runs."""

import ast
from pathlib import Path

import pytest

from risk import sizing
from tests.mutation.mutants import mutants
from tests.mutation.runner import put_in


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("a < b", ["a <= b"]),
        ("a == b is c", ["a != b is c", "a == b is not c"]),
        ("a and b", ["a or b"]),
        ("not a", ["not not a"]),
        ("a + b * c", ["a - b * c", "a + b / c"]),
        ("a += b", ["a -= b"]),
        ("x = 2", ["x = 3"]),
        ("x = True", ["x = False"]),
        ("-a", ["+a"]),
        ("min(a)", ["max(a)"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("def f():\n    return None", []),
        ("def f(a: X | Y = z) -> Z[0]:\n    'text'", []),
        ("f'{a:.2f} {b}'", []),
    ],
)
def test_a_module_has_these_mutants(source: str, wrong: list[str]) -> None:
    assert sorted(ast.unparse(one.tree) for one in mutants(source)) == sorted(wrong)


def test_a_mutant_takes_the_place_of_the_function_that_others_have_imported() -> None:
    source = Path(sizing.__file__).read_text(encoding="utf-8")
    units = sizing.units
    (wrong,) = [one for one in mutants(source) if "return floor" not in ast.unparse(one.tree)]
    before = {name: getattr(sizing, name).__code__ for name in ("units", "unit_max_loss_usd")}
    try:
        put_in(sizing, wrong, sizing.__file__)
        assert units(1_000.0, 100.0) is None
    finally:
        for name, code in before.items():
            getattr(sizing, name).__code__ = code
    assert units(1_000.0, 100.0) == 10
