"""Runs a one-line function that a stranger wrote, by walking its syntax tree; nothing is ever handed to `exec`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["ExpressionRefusedError", "Function", "call", "function_in"]

_MOST_SOURCE_CHARS = 4_000
_MOST_STEPS = 20_000
_MOST_LENGTH = 1_000  # of any text or list on the way
_MOST_NUMBER = 10**15
_MOST_EXPONENT = 8

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, whole: item in whole,
    ast.NotIn: lambda item, whole: item not in whole,
}
_CALLS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (abs, all, any, bool, int, len, list, max, min, sorted, str, sum)
}
_METHODS = {"count", "endswith", "join", "lower", "replace", "split", "startswith", "strip", "title", "upper"}


class ExpressionRefusedError(ValueError):
    """The text is no function of the accepted kind, or it does more than it may."""


class Function(NamedTuple):
    """`def name(parameters): return body`."""

    name: str
    parameters: tuple[str, ...]
    body: ast.expr


def function_in(text: str) -> Function:
    """The first function of an answer, fenced or bare; a docstring is allowed, nothing else beside the return."""
    start = text.find("def ")
    source = text[max(start, 0) :].partition("```")[0]
    if start < 0 or len(source) > _MOST_SOURCE_CHARS:
        raise ExpressionRefusedError("no short function in this text")
    try:
        first = ast.parse(source).body[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as broken:
        raise ExpressionRefusedError("no Python") from broken
    if not isinstance(first, ast.FunctionDef):
        raise ExpressionRefusedError("no function")
    last = first.body[-1]
    if not isinstance(last, ast.Return) or last.value is None or not all(map(_is_docstring, first.body[:-1])):
        raise ExpressionRefusedError("the body is not one return statement")
    return Function(first.name, tuple(argument.arg for argument in first.args.args), last.value)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def call(function: Function, *arguments: Any) -> Any:
    """The function's value; whatever goes wrong inside is an ExpressionRefusedError.

    >>> call(function_in("def f(n): return sum(k * k for k in [n, 2])"), 3)
    13
    >>> call(function_in("def f(n): return __import__('os')"), 3)
    Traceback (most recent call last):
        ...
    orchestrator.testing.skills.expressions.ExpressionRefusedError: Name is not accepted here
    """
    names = dict(zip(function.parameters, arguments, strict=False))
    try:
        return _Walk().value(function.body, names)
    except ExpressionRefusedError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as failed:
        raise ExpressionRefusedError(f"the function fails: {type(failed).__name__}") from failed


class _Walk:
    """One evaluation, with its budget of steps."""

    def __init__(self) -> None:
        self._steps = 0

    def value(self, node: ast.expr, names: dict[str, Any]) -> Any:
        self._steps += 1
        visit = getattr(self, f"_{type(node).__name__.lower()}", None)
        if self._steps > _MOST_STEPS or visit is None:
            raise _refused(node)
        return _bounded(visit(node, names))

    def _constant(self, node: ast.Constant, names: dict[str, Any]) -> Any:  # noqa: ARG002 - as all others
        return node.value

    def _name(self, node: ast.Name, names: dict[str, Any]) -> Any:
        if node.id not in names:
            raise _refused(node)
        return names[node.id]

    def _binop(self, node: ast.BinOp, names: dict[str, Any]) -> Any:
        left, right = self.value(node.left, names), self.value(node.right, names)
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers and not isinstance(node.op, ast.Add):
            raise _refused(node)  # no formatting by %, no texts a million times as long
        if isinstance(node.op, ast.Pow) and abs(right) > _MOST_EXPONENT:
            raise _refused(node)
        return _known(_BINARY, node.op)(left, right)

    def _unaryop(self, node: ast.UnaryOp, names: dict[str, Any]) -> Any:
        return _known(_UNARY, node.op)(self.value(node.operand, names))

    def _boolop(self, node: ast.BoolOp, names: dict[str, Any]) -> Any:
        result: Any = None
        for part in node.values:
            result = self.value(part, names)
            if bool(result) is isinstance(node.op, ast.Or):
                break
        return result

    def _compare(self, node: ast.Compare, names: dict[str, Any]) -> bool:
        left = self.value(node.left, names)
        for compare, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part, names)
            if not _known(_COMPARE, compare)(left, right):
                return False
            left = right
        return True

    def _ifexp(self, node: ast.IfExp, names: dict[str, Any]) -> Any:
        return self.value(node.body if self.value(node.test, names) else node.orelse, names)

    def _list(self, node: ast.List, names: dict[str, Any]) -> list[Any]:
        return [self.value(item, names) for item in node.elts]

    def _tuple(self, node: ast.Tuple, names: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(self.value(item, names) for item in node.elts)

    def _subscript(self, node: ast.Subscript, names: dict[str, Any]) -> Any:
        return self.value(node.value, names)[self.value(node.slice, names)]

    def _slice(self, node: ast.Slice, names: dict[str, Any]) -> slice:
        return slice(*(part and self.value(part, names) for part in (node.lower, node.upper, node.step)))

    def _call(self, node: ast.Call, names: dict[str, Any]) -> Any:
        arguments = [self.value(argument, names) for argument in node.args]
        if node.keywords:
            raise _refused(node)
        if isinstance(node.func, ast.Name):
            if node.func.id not in _CALLS:
                raise _refused(node.func)
            return _CALLS[node.func.id](*arguments)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
            raise _refused(node.func)
        owner = self.value(node.func.value, names)
        if not isinstance(owner, str | list):
            raise _refused(node.func)
        return getattr(owner, node.func.attr)(*arguments)

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp, names: dict[str, Any]) -> list[Any]:
        if len(node.generators) != 1:
            raise _refused(node)
        return [self.value(node.elt, inner) for inner in self._each(node.generators[0], names)]

    _generatorexp = _listcomp

    def _each(self, loop: ast.comprehension, names: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not isinstance(loop.target, ast.Name):
            raise _refused(loop.iter)
        for item in self.value(loop.iter, names):
            inner = {**names, loop.target.id: item}
            if all(self.value(condition, inner) for condition in loop.ifs):
                yield inner


def _known(table: dict[type[Any], Callable[..., Any]], node: ast.AST) -> Callable[..., Any]:
    if type(node) not in table:
        raise _refused(node)
    return table[type(node)]


def _bounded(value: Any) -> Any:
    """The value, if it is of a size that an honest answer has."""
    large = (
        abs(value) > _MOST_NUMBER
        if isinstance(value, int | float)
        else isinstance(value, str | list | tuple) and len(value) > _MOST_LENGTH
    )
    if large:
        raise ExpressionRefusedError("a value grew too large")
    return value


def _refused(node: ast.AST) -> ExpressionRefusedError:
    return ExpressionRefusedError(f"{type(node).__name__} is not accepted here")
