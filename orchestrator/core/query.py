"""Questions about models as plain data: `{"provider": "openai", "context_size": {"$gte": 8000}}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestrator.core.info import ModelInfo, capability_name
from orchestrator.errors import did_you_mean

if TYPE_CHECKING:
    from orchestrator.core.model import Model

__all__ = ["FIELDS", "OPERATORS", "Test", "compiled"]

Test = Callable[[Any], bool]

_MAX_DEPTH = 32
_LIVE = ("metrics", "cost_per_token", "context_size", "context_length")
FIELDS = tuple(sorted({*ModelInfo.model_fields, *_LIVE} - {"api_key"}))


def compiled(query: Mapping[str, Any]) -> Callable[[Model], bool]:
    """A function of a model that says whether it answers the query; TypeError or ValueError for one that is none.

    Keys are fields or dotted paths into them; several conditions must all hold. A value that is not known meets no
    comparison, and `$ne` and `$nin` hold for it. A set or list meets an equality when it contains the value.

    >>> from orchestrator.core.model import Model
    >>> model = Model(id="a", provider="custom", context_size=8192, tags={"fast"}, custom_metadata={"tier": {"no": 2}})
    >>> matches = compiled({"context_size": {"$gte": 8000}, "tags": "fast", "custom_metadata.tier.no": {"$in": [1, 2]}})
    >>> matches(model), compiled({"$not": {"provider": "custom"}})(model)
    (True, False)
    >>> compiled({"context_size": {"$get": 8000}})
    Traceback (most recent call last):
        ...
    ValueError: unknown operator '$get' for 'context_size'; did you mean '$gt' or '$gte'?
    """
    return _all_of(query, 0)


def _all_of(query: Any, depth: int) -> Callable[[Model], bool]:
    if not isinstance(query, Mapping):
        raise TypeError(f"a query is a mapping of fields to conditions, not {type(query).__name__}")
    if depth > _MAX_DEPTH:
        raise ValueError(f"a query nests at most {_MAX_DEPTH} deep")
    tests = [_part(key, wanted, depth + 1) for key, wanted in query.items()]
    return tests[0] if len(tests) == 1 else lambda model: all(test(model) for test in tests)


def _part(key: Any, wanted: Any, depth: int) -> Callable[[Model], bool]:
    """One entry of a query: a condition on a field, or queries joined by a logical operator."""
    if not isinstance(key, str):
        raise TypeError(f"a key of a query is a field's name, not {key!r}")
    if key == "$not":
        inner = _all_of(wanted, depth)
        return lambda model: not inner(model)
    if key in ("$and", "$or"):
        return _joined(key, wanted, depth)
    if key.startswith("$"):
        raise ValueError(f"unknown operator {key!r}; {did_you_mean(key, ('$and', '$or', '$not'))} as a key of a query")
    read, test = _path(key), _condition(key, wanted, depth)
    return lambda model: test(read(model))


def _joined(key: str, wanted: Any, depth: int) -> Callable[[Model], bool]:
    if not isinstance(wanted, list | tuple) or not wanted:
        raise TypeError(f"{key} takes a list of queries, not {wanted!r}")
    tests = [_all_of(part, depth) for part in wanted]
    join = all if key == "$and" else any
    return lambda model: join(test(model) for test in tests)


# from a model to a value


def _path(key: str) -> Callable[[Model], Any]:
    """What follows a dotted path; whatever is not there is None."""
    head, *rest = key.split(".")
    if head not in FIELDS:
        raise ValueError(f"unknown field {head!r}; {did_you_mean(head, FIELDS)}")
    if head == "capabilities" and len(rest) == 1:
        ability = capability_name(rest[0])
        return lambda model: model.capabilities.get(ability)
    home = "model" if head in ("metrics", "cost", "cost_per_token") else "info"
    head = "context_window" if head.startswith("context_") else head
    steps = [head, *rest]

    def read(model: Model) -> Any:
        value: Any = model if home == "model" else model.info
        for step in steps:
            value = _step(value, step)
        return value.names if head == "capabilities" and not rest else value

    return read


def _step(value: Any, name: str) -> Any:
    """One step down: into a mapping, or to a public figure of a record."""
    if isinstance(value, Mapping):
        return value.get(name)
    found = None if value is None or name.startswith("_") else getattr(value, name, None)
    return None if callable(found) else found


# from a value to a verdict


def _condition(key: str, wanted: Any, depth: int) -> Test:
    """The test that one field has to pass: a value to equal, or operators that must all hold."""
    is_operators = isinstance(wanted, Mapping) and any(str(name).startswith("$") for name in wanted)
    if not is_operators:
        return lambda value: _equals(value, wanted)
    if depth > _MAX_DEPTH:
        raise ValueError(f"a query nests at most {_MAX_DEPTH} deep")
    tests = [_operator(key, name, operand, depth) for name, operand in wanted.items()]
    return lambda value: all(test(value) for test in tests)


def _operator(key: str, name: Any, operand: Any, depth: int) -> Test:
    if name == "$not":
        inner = _condition(key, operand, depth + 1)
        return lambda value: not inner(value)
    if name not in OPERATORS:
        raise ValueError(f"unknown operator {name!r} for {key!r}; {did_you_mean(str(name), (*OPERATORS, '$not'))}")
    if name in ("$in", "$nin"):
        if not isinstance(operand, list | tuple | AbstractSet):
            raise TypeError(f"{name} for {key!r} takes a list of values, not {operand!r}")
        operand = list(operand)
    if name == "$exists" and not isinstance(operand, bool):
        raise TypeError(f"$exists for {key!r} takes True or False, not {operand!r}")
    test = OPERATORS[name]
    return lambda value: test(value, operand)


def _equals(value: Any, wanted: Any) -> bool:
    """Equality; a collection equals what it contains, a date its text."""
    if isinstance(value, date) and isinstance(wanted, str):
        return value.isoformat() == wanted
    if not isinstance(value, list | tuple | AbstractSet):
        return bool(value == wanted)
    if not isinstance(wanted, list | tuple | AbstractSet):
        return any(item == wanted for item in value)
    return value == wanted if isinstance(value, AbstractSet) else list(value) == list(wanted)


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison that holds only between values of one kind."""

    def holds(value: Any, wanted: Any) -> bool:
        if isinstance(value, date) and isinstance(wanted, str):
            value = value.isoformat()
        try:
            return value is not None and bool(compare(value, wanted))
        except TypeError:
            return False

    return holds


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equals,
    "$ne": lambda value, wanted: not _equals(value, wanted),
    "$gt": _compared(lambda value, wanted: value > wanted),
    "$gte": _compared(lambda value, wanted: value >= wanted),
    "$lt": _compared(lambda value, wanted: value < wanted),
    "$lte": _compared(lambda value, wanted: value <= wanted),
    "$in": lambda value, wanted: any(_equals(value, one) for one in wanted),
    "$nin": lambda value, wanted: not any(_equals(value, one) for one in wanted),
    "$exists": lambda value, wanted: (value is not None) is wanted,
}
