"""One small error at a time: every place of a module where a comparison, a number or a result can be wrong.

Annotations, decorators and texts are left alone: an error in them changes no decision.
"""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import islice

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
#: Fields of a node that hold no behaviour.
_SILENT = {"annotation", "returns", "decorator_list", "type_comment", "type_params"}

Site = tuple[ast.AST, str, Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one error in it: where it stands, and what became of what."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for number in range(sum(1 for _ in _sites(tree))):
        copy = deepcopy(tree)
        node, what, put_in = next(islice(_sites(copy), number, None))
        put_in()
        found.append(Mutant(getattr(node, "lineno", 0), what, ast.fix_missing_locations(copy)))
    return sorted(found, key=lambda one: (one.line, one.what))


def _sites(tree: ast.Module) -> Iterator[Site]:
    for node in _behaviour(tree):
        if isinstance(node, ast.Compare):
            for place, operator in enumerate(node.ops):
                other = _COMPARISONS[type(operator)]()
                yield node, _named(operator, other), _put(node.ops, place, other)
        elif isinstance(node, ast.BoolOp):
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, _named(node.op, swapped), _set(node, "op", swapped)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
            operation = _ARITHMETIC[type(node.op)]()
            yield node, _named(node.op, operation), _set(node, "op", operation)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            positive = ast.UAdd() if isinstance(node.op, ast.USub) else None
            if positive is None:
                double = ast.UnaryOp(ast.Not(), node.operand)
                yield node, "not x -> x", _set(node, "operand", double)
            else:
                yield node, "-x -> +x", _set(node, "op", positive)
        elif isinstance(node, ast.Constant):
            yield from _of_constant(node)
        elif isinstance(node, ast.Return) and not _is_none(node.value):
            yield node, "return None", _set(node, "value", ast.Constant(None))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            name = _CALLS[node.func.id]
            yield node, f"{node.func.id} -> {name}", _set(node.func, "id", name)


def _of_constant(node: ast.Constant) -> Iterator[Site]:
    value = node.value
    if isinstance(value, bool):
        yield node, f"{value} -> {not value}", _set(node, "value", not value)
    elif isinstance(value, int | float):
        yield node, f"{value} -> {value + 1}", _set(node, "value", value + 1)


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that do something, in the order of the source."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in _SILENT or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _behaviour(child)


def _put(operators: list[ast.cmpop], place: int, other: ast.cmpop) -> Callable[[], None]:
    return partial(operators.__setitem__, place, other)


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return partial(setattr, node, name, value)


def _named(before: ast.AST, after: ast.AST) -> str:
    return f"{type(before).__name__} -> {type(after).__name__}"


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)
