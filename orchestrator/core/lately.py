"""What was said lately, in memory that does not grow: forgotten a whole shelf at a time."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

__all__ = ["Lately"]

V = TypeVar("V")


class Lately(Generic[V]):
    """Values by key: of the last `age_s` seconds the last `least` for sure, and never more than twice as many.

    New ones go on the upper shelf. When that is full, or as old as said, it becomes the lower one, and what lay there
    is forgotten: a value takes no more than its place in a dict, and nobody looks for the oldest.

    >>> lately = Lately[int](least=2)
    >>> for number in range(5):
    ...     lately.note(f"r-{number}", number)
    >>> lately.get("r-1"), lately.get("r-4"), len(lately)
    (None, 4, 3)
    """

    __slots__ = ("_age_s", "_least", "_lower", "_since", "_upper")

    def __init__(self, *, least: int, age_s: float = math.inf) -> None:
        self._least = least
        self._age_s = age_s
        self._upper: dict[str, V] = {}
        self._lower: dict[str, V] = {}
        self._since = 0.0  # the upper shelf is as old as that

    def note(self, key: str, value: V, *, now: float = 0.0) -> None:
        """Remember it; `now` in seconds of any clock, always the same one."""
        if len(self._upper) >= self._least or now - self._since >= self._age_s:
            self._turn(now)
        self._upper[key] = value

    def get(self, key: str, *, now: float = 0.0) -> V | None:
        """What was noted last under this key, if that is still known."""
        if now - self._since >= self._age_s:
            self._turn(now)
        found = self._upper.get(key)
        return self._lower.get(key) if found is None else found

    def _turn(self, now: float) -> None:
        old_s = now - self._since
        self._lower = self._upper if old_s < 2 * self._age_s else {}
        self._upper = {}
        # where nobody came by in time, the shelves turned when it was
        self._since = now if old_s < self._age_s else now - old_s % self._age_s

    def __len__(self) -> int:
        return len(self._upper) + len(self._lower)
