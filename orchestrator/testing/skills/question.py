"""A kind of question as a row: its words, how its blanks are drawn, the answer that follows and how answers compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from string import Formatter
from typing import Any, NamedTuple

__all__ = ["Question"]


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """What reads the blanks back out of a question."""
    parts = []
    seen: set[str] = set()
    for literal, blank, _, _ in Formatter().parse(words):
        parts.append(re.escape(literal))
        if blank is not None:
            parts.append(f"(?P={blank})" if blank in seen else f"(?P<{blank}>.+?)")
            seen.add(blank)
    return re.compile("".join(parts), re.DOTALL)


class Question(NamedTuple):
    """`words` hold `{blanks}`; `draw` fills them; `answer` gets them as text; `agrees(said, expected)` compares.

    >>> twice = Question("Twice {n}?", lambda rng: {"n": 4}, lambda n: str(2 * int(n)), str.__eq__)
    >>> twice.ask(twice.draw(Random(1))), twice.solve("Twice 21?"), twice.solve("What?")
    ('Twice 4?', '42', None)
    """

    words: str
    draw: Callable[[Random], Mapping[str, Any]]
    answer: Callable[..., str]
    agrees: Callable[[str, str], bool]

    def ask(self, blanks: Mapping[str, Any]) -> str:
        """The question in words."""
        return self.words.format(**blanks)

    def solve(self, prompt: str) -> str | None:
        """The right answer, read off the prompt alone; None if it is not this question."""
        found = _pattern(self.words).fullmatch(prompt)
        try:
            return None if found is None else self.answer(**found.groupdict())
        except (ValueError, LookupError, ArithmeticError):
            return None  # the words are ours, what stands in the blanks is not
