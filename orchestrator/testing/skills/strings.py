"""Work on words: backwards, sorted, counted, cut down."""

from __future__ import annotations

from random import Random

from orchestrator.testing.skills.agreement import same_number, same_text
from orchestrator.testing.skills.question import Question

__all__ = ["QUESTIONS"]

_TEXT = (
    "harbour lantern marble willow copper saddle thunder velvet orchard pebble compass feather garden hammer island "
    "jungle kitten ladder mirror needle oyster pepper quartz ribbon silver timber umbrella violin window yellow"
)
_WORDS = _TEXT.split()


def _word(rng: Random) -> dict[str, str]:
    return {"word": rng.choice(_WORDS) + rng.choice(_WORDS)}


def _words(rng: Random) -> dict[str, str]:
    return {"words": " ".join(rng.sample(_WORDS, rng.randint(3, 5)))}


def _letter(rng: Random) -> dict[str, str]:
    words = " ".join(rng.sample(_WORDS, 3))
    return {"letter": rng.choice([letter for letter in words if letter != " "]), "words": words}


def _nth(rng: Random) -> dict[str, object]:
    words = rng.sample(_WORDS, rng.randint(4, 6))
    return {"words": " ".join(words), "n": rng.randint(2, len(words))}


QUESTIONS = (
    Question("Spell '{word}' backwards.", _word, lambda word: word[::-1], same_text),
    Question(
        "Sort these words alphabetically and separate them by commas: {words}",
        _words,
        lambda words: ", ".join(sorted(words.split())),
        same_text,
    ),
    Question(
        "How many times does the letter '{letter}' occur in '{words}'?",
        _letter,
        lambda letter, words: str(words.count(letter)),
        same_number,
    ),
    Question(
        "Write the initials of these words in capitals, without spaces: {words}",
        _words,
        lambda words: "".join(word[0].upper() for word in words.split()),
        same_text,
    ),
    Question(
        "Remove all vowels (a, e, i, o, u) from '{word}' and give me what is left.",
        _word,
        lambda word: "".join(letter for letter in word if letter not in "aeiou"),
        same_text,
    ),
    Question(
        "Take the list '{words}'. Which word is number {n}? Just the word.",
        _nth,
        lambda words, n: words.split()[int(n) - 1],
        same_text,
    ),
)
