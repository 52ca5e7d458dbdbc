"""Tasks whose answers can be checked from their text alone, and what it takes to answer them.

>>> from random import Random
>>> task = make_task("arithmetic", Random(3))
>>> task.check(f"I get {solve(task.prompt)}."), task.check("No idea.")
(1.0, 0.0)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import NamedTuple

from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.testing.skills import arithmetic, classification, code, extraction, strings
from orchestrator.testing.skills.question import Question
from orchestrator.testing.skills.spoiling import spoil

__all__ = ["CATEGORIES", "Task", "make_task", "recognise", "solve", "spoil"]

_QUESTIONS: dict[str, tuple[Question, ...]] = {
    "arithmetic": arithmetic.QUESTIONS,
    "classification": classification.QUESTIONS,
    "code": code.QUESTIONS,
    "extraction": extraction.QUESTIONS,
    "strings": strings.QUESTIONS,
}
CATEGORIES = tuple(_QUESTIONS)
_LONGEST_CHARS = 1_000  # no question of ours is longer; spares long prompts the look at every pattern


class Task(NamedTuple):
    """A prompt and the check of its answer: 1.0 for right, 0.0 for wrong, from the answer's text alone."""

    prompt: str
    category: str
    check: Callable[[str], float]


def make_task(category: str, rng: Random) -> Task:
    """A task out of hundreds in its category; the same generator state makes the same task."""
    if category not in _QUESTIONS:
        raise ConfigurationError(f"category={category!r}: {did_you_mean(category, CATEGORIES)}")
    question = rng.choice(_QUESTIONS[category])
    blanks = question.draw(rng)
    expected = question.answer(**{name: str(value) for name, value in blanks.items()})
    return Task(question.ask(blanks), category, lambda said: float(question.agrees(said, expected)))


@lru_cache(maxsize=1_024)
def recognise(prompt: str) -> tuple[str, str] | None:
    """The category of a task and its right answer, read off the prompt; None for any other prompt."""
    if len(prompt) > _LONGEST_CHARS:
        return None
    for category, questions in _QUESTIONS.items():
        for question in questions:
            answer = question.solve(prompt)
            if answer is not None:
                return category, answer
    return None


def solve(prompt: str) -> str | None:
    """The right answer to a task, read off its prompt; None for any other prompt."""
    known = recognise(prompt)
    return None if known is None else known[1]
