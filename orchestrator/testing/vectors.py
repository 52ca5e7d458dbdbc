"""Embeddings that mean something: texts that share words point the same way."""

from __future__ import annotations

import math
import re
from zlib import crc32

__all__ = ["embed"]

_WORD = re.compile(r"\w+")
_DIMENSIONS = 64


def embed(text: str, dimensions: int | None = None) -> list[float]:
    """A unit vector of hashed words (the hashing trick, Weinberger et al. 2009); equal texts, equal vectors.

    >>> close, far = embed("red apples"), embed("distant thunder")
    >>> here = embed("green apples")
    >>> sum(a * b for a, b in zip(here, close)) > sum(a * b for a, b in zip(here, far))
    True
    """
    vector = [0.0] * (dimensions or _DIMENSIONS)
    for word in _WORD.findall(text.lower()) or [text]:
        place = crc32(word.encode())
        vector[place % len(vector)] += 1.0 if place & 1 << 31 else -1.0
    length = math.sqrt(sum(x * x for x in vector))
    if not length:  # two words may cancel out
        vector[0] = length = 1.0
    return [x / length for x in vector]
