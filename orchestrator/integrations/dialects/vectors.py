"""Embedding vectors: from numbers or packed bytes to floats, checked for what a vector must be."""

from __future__ import annotations

import base64
import binascii
import math
from array import array
from collections.abc import Sequence
from sys import byteorder
from typing import Any

from orchestrator.errors import MalformedResponseError

__all__ = ["floats", "whole"]

_CODES = {"float32": "f", "int8": "b"}


def floats(value: Any, kind: str = "float32") -> list[float]:
    """One vector: numbers as they are, or base64 of little-endian float32 (or int8) numbers.

    >>> floats("AACAPwAAAEA="), floats([1, 0.5])
    ([1.0, 2.0], [1.0, 0.5])
    """
    try:
        vector = _unpacked(value, kind) if isinstance(value, str) else list(map(float, value))
    except (TypeError, ValueError, binascii.Error):
        raise MalformedResponseError("an embedding is a list of numbers, or their bytes in base64") from None
    if not vector or not all(map(math.isfinite, vector)):
        raise MalformedResponseError("an embedding has at least one number, and none without end")
    return vector


def _unpacked(text: str, kind: str) -> list[float]:
    numbers = array(_CODES[kind])
    numbers.frombytes(base64.b64decode(text, validate=True))
    if byteorder == "big":
        numbers.byteswap()
    return list(map(float, numbers))


def whole(vectors: Sequence[list[float]]) -> list[list[float]]:
    """The vectors, if there are any and all have one length."""
    if not vectors:
        raise MalformedResponseError("the reply has no embeddings")
    if len({len(vector) for vector in vectors}) > 1:
        raise MalformedResponseError("the embeddings of one reply differ in length")
    return list(vectors)
