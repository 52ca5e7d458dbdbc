"""Small Python functions of one return statement."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from orchestrator.testing.skills.agreement import same_function
from orchestrator.testing.skills.question import Question

__all__ = ["QUESTIONS"]

_NAMES = ("compute", "transform", "convert", "process", "derive", "solve_it", "step", "rule", "measure", "resolve")
_LETTERS = "aeioubdghlmnst"
_ASK = "Write a Python function `{name}({parameter})` whose body is a single return statement. It returns "


def _numbers(rng: Random) -> dict[str, Any]:
    return {"name": rng.choice(_NAMES), "a": rng.randint(2, 9), "b": rng.randint(2, 40)}


def _letter(rng: Random) -> dict[str, Any]:
    return {"name": rng.choice(_NAMES), "letter": rng.choice(_LETTERS), "a": rng.randint(2, 9)}


def _row(parameter: str, asks: str, body: str, draw: Callable[[Random], dict[str, Any]] = _numbers) -> Question:
    """A question from what the function returns, in words and in code."""

    def answer(name: str, **blanks: str) -> str:
        return f"def {name}({parameter}):\n    return {body.format(**blanks)}"

    return Question(_ASK.replace("{parameter}", parameter) + asks, draw, answer, same_function)


QUESTIONS = (
    _row("n", "{a} times n plus {b}.", "{a} * n + {b}"),
    _row("n", "True when n is larger than {b} and divisible by {a}, else False.", "n > {b} and n % {a} == 0"),
    _row("n", "n, but never less than {a} and never more than {a} + {b}.", "max({a}, min(n, {a} + {b}))"),
    _row("n", "the square of n reduced modulo {b}.", "n ** 2 % {b}"),
    _row("numbers", "the sum of all numbers above {b}, times {a}.", "{a} * sum(x for x in numbers if x > {b})"),
    _row(
        "numbers", "a list with every number that is at least {b}, plus {a}.", "[x + {a} for x in numbers if x >= {b}]"
    ),
    _row(
        "numbers",
        "how many numbers leave no remainder when divided by {b}.",
        "len([x for x in numbers if x % {b} == 0])",
    ),
    _row("text", "how often '{letter}' occurs in text, plus {a}.", 'text.count("{letter}") + {a}', _letter),
    _row("text", "True when text has more than {b} characters, else False.", "len(text) > {b}"),
    _row("text", "the first {b} characters of text in upper case.", "text[:{b}].upper()"),
)
