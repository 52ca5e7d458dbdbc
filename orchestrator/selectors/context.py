"""What a selector may know of the request itself: its category, and numbers that describe its prompt."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, log1p
from typing import Final, NamedTuple
from zlib import crc32

__all__ = ["FEATURES", "Context", "category_of", "context_of", "features_of"]

FEATURES: Final = (
    "length",
    "digits",
    "latin",
    "cyrillic",
    "cjk",
    "other_script",
    "code",
    "maths",
    "choice",
    "question",
    "writing",
    "translation",
    *(f"words_{bucket}" for bucket in range(16)),
)

_BUCKETS: Final = 16
_HEAD, _TAIL, _WORDS = 240, 60, 20  # as much of a prompt is looked at, however long it is
_DIGITS: Final = b"0123456789"
_LETTERS: Final = 24  # tell the script

# Marks of a kind of request, in lower case; looking for a few plain strings is ten times quicker than a pattern.
_TRANSLATION: Final = ("translat",)
_CODE: Final = ("```", "def ", "import ", "#include", "select ", "=>", "();", "python", "javascript", "{\n")
_CHOICE: Final = ("\na.", "\na)", "\n(a)", "\na:", " a) ", "options:")
_MATHS: Final = ("equation", "integral", "how many", "how much", "calculate", "percent", "\\frac", " + ", " = ", "^")
_WRITING: Final = ("write ", "compose", "draft ", "summar", "essay", "poem", "story")
_QUESTION: Final = ("?", "what ", "which ", "how ", "why ")
_KINDS: Final = (
    ("translation", _TRANSLATION),
    ("code", _CODE),
    ("choice", _CHOICE),
    ("maths", _MATHS),
    ("writing", _WRITING),
    ("question", _QUESTION),
)


class Context(NamedTuple):
    """The category of a request, and numbers that describe its prompt; None where nobody said.

    Features are best kept between -1 and 1. They may come from `features_of`, from an embedding model, or from
    anywhere else, as long as there are always as many.
    """

    category: str | None = None
    features: tuple[float, ...] | None = None


def context_of(
    prompt: str, *, category: str | None = None, categorise: Callable[[str], str | None] | None = None
) -> Context:
    """The context of a prompt, with the category that is given, or the one that `categorise` finds.

    >>> context_of("What is 3 + 4?").category, context_of("Hello", category="greeting").category
    ('maths', 'greeting')
    """
    seen = _glimpse(prompt)
    forms = _forms_of(seen)
    if category is None:
        category = _first_of(forms) if categorise is None else categorise(prompt)
    return Context(category, _features(prompt, seen, forms))


def category_of(prompt: str) -> str:
    """A coarse kind of request: translation, code, choice, maths, writing, question or chat.

    >>> category_of("def add(a, b):"), category_of("Tell me something")
    ('code', 'chat')
    """
    return _first_of(_forms_of(_glimpse(prompt)))


def features_of(prompt: str) -> tuple[float, ...]:
    """Numbers between -1 and 1 named by `FEATURES`: length, script, form, and words hashed into signed buckets.

    Only the beginning and the end are looked at, so that a long prompt costs no more than a short one (hashing:
    Weinberger et al. 2009).

    >>> named = dict(zip(FEATURES, features_of("Wie spät ist es?")))
    >>> named["latin"], named["question"], named["code"]
    (1.0, 1.0, 0.0)
    """
    seen = _glimpse(prompt)
    return _features(prompt, seen, _forms_of(seen))


def _features(prompt: str, seen: str, forms: tuple[bool, ...]) -> tuple[float, ...]:
    plain = seen.encode("ascii", "ignore")
    digits = (len(plain) - len(plain.translate(None, _DIGITS))) / (len(seen) or 1)
    translation, code, choice, maths, writing, question = map(float, forms)
    return (
        log1p(len(prompt)) / 12,
        digits,
        *_script(seen),
        code,
        maths,
        choice,
        question,
        writing,
        translation,
        *_words(seen),
    )


def _forms_of(seen: str) -> tuple[bool, ...]:
    """Which of the kinds a prompt bears the marks of, in their order; looked for once, and told twice."""
    return tuple([_has(seen, marks) for _, marks in _KINDS])


def _first_of(forms: tuple[bool, ...]) -> str:
    return _KINDS[forms.index(True)][0] if True in forms else "chat"


def _glimpse(prompt: str) -> str:
    """The beginning and the end, in lower case."""
    return (prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}").lower()


def _has(seen: str, marks: tuple[str, ...]) -> bool:
    for mark in marks:  # noqa: SIM110 - `any` over a generator takes twice as long
        if mark in seen:
            return True
    return False


def _script(seen: str) -> tuple[float, float, float, float]:
    """Latin, Cyrillic, Chinese-Japanese-Korean, other: the script of most letters beyond ASCII, if they matter."""
    if seen.isascii():
        return (1.0, 0.0, 0.0, 0.0)
    counts = [0, 0, 0, 0]
    for letter in seen[:_LETTERS]:
        if letter.isalpha():
            counts[_block(letter)] += 1
    most = counts.index(max(counts))
    return tuple(1.0 if place == most else 0.0 for place in range(4))  # type: ignore[return-value]  # four of them


def _block(letter: str) -> int:
    if letter < "\u0250":
        return 0
    if "\u0400" <= letter < "\u0530":
        return 1
    return 2 if "\u2e80" <= letter < "\ua000" or "\uac00" <= letter < "\ud7b0" else 3


def _words(seen: str) -> list[float]:
    """The first words in signed buckets, of length 1 in all."""
    buckets = [0.0] * _BUCKETS
    words = seen.split(None, _WORDS)[:_WORDS]
    for word in words:
        mark = crc32(word.encode("utf-8", "replace"))
        buckets[mark & 15] += 1.0 if mark & 16 else -1.0
    norm = hypot(*buckets) or 1.0
    return [number / norm for number in buckets]
