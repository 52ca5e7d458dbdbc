"""Does an answer, in whatever words it comes, say what is expected? Each reads nothing but the two texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from orchestrator.testing.skills.expressions import ExpressionRefusedError, call, function_in

__all__ = ["same_function", "same_json", "same_label", "same_number", "same_text"]

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"[a-z]+")
_PANGRAM = "Sphinx of black quartz, judge my vow. The five boxing wizards jump"
_CASES: dict[str, list[Any]] = {
    "n": list(range(-20, 61)),
    "numbers": [[], [0], [7, -2, 7, 30], list(range(-20, 61)), list(range(60, -21, -3))],
    "text": [_PANGRAM[:length] for length in range(len(_PANGRAM))],
}


def same_number(said: str, expected: str) -> bool:
    """The last number of the answer is the right one.

    >>> same_number("12 + 30 makes 42.", "42"), same_number("1,042", "1042"), same_number("none", "42")
    (True, True, False)
    """
    numbers = _NUMBER.findall(said)
    return bool(numbers) and abs(float(numbers[-1].replace(",", "")) - float(expected)) < 0.005


def same_text(said: str, expected: str) -> bool:
    """The answer, or what follows its last colon, is the right text; quotes around it do not matter.

    >>> same_text("Here you go: `olleh`", "olleh"), same_text("Olleh", "olleh")
    (True, False)
    """
    last = said.strip().rpartition("\n")[2]
    return expected in (_bare(last), _bare(last.rpartition(": ")[2]))


def _bare(text: str) -> str:
    return text.strip().removesuffix(".").strip("\"'`*")


def same_label(said: str, expected: str, *, labels: tuple[str, ...]) -> bool:
    """Of all the labels, the answer names the right one and no other.

    >>> same_label("**Positive**.", "positive", labels=("positive", "negative"))
    True
    >>> same_label("positive or negative", "positive", labels=("positive", "negative"))
    False
    """
    return set(_WORD.findall(said.lower())) & set(labels) == {expected}


def same_json(said: str, expected: str) -> bool:
    r"""The first JSON object of the answer equals the right one, key by key.

    >>> same_json('```json\n{"b": 2, "a": 1}\n```', '{"a": 1, "b": 2}')
    True
    """
    found = next(_objects(said), None)
    return found is not None and _typed(found) == _typed(json.loads(expected))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    start = text.find("{")
    if start < 0:
        return
    try:
        yield json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return


def _typed(value: dict[str, Any]) -> dict[str, tuple[type, Any]]:
    """Values with their types, as a schema tells `true` from `1`."""
    return {key: (type(item), item) for key, item in value.items()}


def same_function(said: str, expected: str) -> bool:
    r"""The answer's function gives what the right one gives, for every argument of the kind its parameter's name tells.

    >>> same_function("def f(n):\n    return n * 2", "def f(n):\n    return n + n")
    True
    """
    try:
        right, theirs = function_in(expected), function_in(said)
        if (right.name, right.parameters) != (theirs.name, theirs.parameters):
            return False
        cases = _CASES[right.parameters[0]]
        return all(_typed_value(call(right, case)) == _typed_value(call(theirs, case)) for case in cases)
    except ExpressionRefusedError:
        return False


def _typed_value(value: Any) -> tuple[bool, Any]:
    """A number is not a truth, although Python would have them equal."""
    return isinstance(value, bool), value
